//! Times of CSV files: ISO 8601 with up to nine decimals, or integer nanoseconds.

/// Parses a time into nanoseconds UTC since 1970; `None` if it is none.
///
/// Accepts `YYYY-MM-DDTHH:MM:SS[.f]` with a blank for the `T`, followed by `Z`, `±HH:MM` or
/// nothing (UTC), and plain integers.
pub(super) fn parse_ns(text: &[u8]) -> Option<u64> {
    if text.len() < 19 || text[4] != b'-' {
        return integer(text);
    }
    let shape =
        text[7] == b'-' && matches!(text[10], b'T' | b' ') && text[13] == b':' && text[16] == b':';
    if !shape {
        return None;
    }
    let number = |from: usize, to: usize| integer(&text[from..to]);
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days_since_1970(year, month, day)?;
    let (nanos, rest) = fraction(&text[19..])?;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
    let seconds = seconds.checked_add_signed(-offset_s(rest)?)?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

fn integer(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |value, &b| {
        let digit = b.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Reads `.fffffffff` off the front; gives the nanoseconds and what follows.
fn fraction(text: &[u8]) -> Option<(u64, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else { return Some((0, text)) };
    let count = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    if count == 0 || count > 9 {
        return None;
    }
    let value = integer(&digits[..count])?;
    Some((value * 10u64.pow(9 - count as u32), &digits[count..]))
}

fn offset_s(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        b"" | b"Z" | b"z" => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match digits.len() {
        5 if digits[2] == b':' => (integer(&digits[..2])?, integer(&digits[3..])?),
        4 => (integer(&digits[..2])?, integer(&digits[2..])?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60) as i64)
}

/// Days from 1970-01-01 in the Gregorian calendar (Hinnant, "chrono-compatible low-level date
/// algorithms"); `None` for what is no date from 1970 on.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let month_days = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year < 1970 || day < 1 || day > month_days {
        return None;
    }
    let y = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (y / 400, y % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_vendors_forms_are_one_time() {
        let ns = 1_752_735_909_035_793_433;
        for text in [
            "2025-07-17T07:05:09.035793433Z",
            "2025-07-17 07:05:09.035793433+00:00",
            "2025-07-17T07:05:09.035793433",
            "2025-07-17T03:05:09.035793433-04:00",
            "2025-07-17T12:35:09.035793433+0530",
            "1752735909035793433",
        ] {
            assert_eq!(parse_ns(text.as_bytes()), Some(ns), "{text}");
        }
        assert_eq!(parse_ns(b"1970-01-01T00:00:00Z"), Some(0));
        for bad in [
            "",
            "x",
            "2025-13-01T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "2025-07-17T24:00:00Z",
            "2025-07-17T07:05:09.Z",
            "2025-07-17T07:05:09.0357934331Z",
            "2025-07-17T07:05:09Q",
            "-5",
            "1969-12-31T23:59:59Z",
            "2025-07-17",
            "99999999999999999999999",
            "1970-01-01T00:00:00+01:00",
        ] {
            assert_eq!(parse_ns(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn times_equal_the_calendar_library(ns in 0i64..7_000_000_000_000_000_000) {
            let text = jiff::Timestamp::from_nanosecond(i128::from(ns)).unwrap().to_string();
            prop_assert_eq!(parse_ns(text.as_bytes()), Some(ns as u64), "{}", text);
        }

        #[test]
        fn arbitrary_bytes_never_panic(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = parse_ns(&text);
        }
    }
}
