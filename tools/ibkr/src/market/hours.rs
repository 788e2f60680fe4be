//! Trading hours as contract details write them: `20261127:0930-20261127:1300`,
//! `20261126:CLOSED`, and the older `20261127:0930-1300`.

use ijk_core::Session;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

/// What the hours say of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hours {
    /// Trading from and to.
    Open(Session),
    /// Nothing trades.
    Closed,
    /// The hours do not speak of the day, or cannot be read.
    Unknown,
}

/// Returns the day of `now_ns` in the hours' own zone. Of several parts of a day the one that holds
/// `now_ns`, else the next one, else the last.
pub fn today(parts: &[String], zone_name: &str, now_ns: u64) -> Hours {
    let Some(zone) = zone_of(zone_name) else { return Hours::Unknown };
    let Ok(now) = jiff::Timestamp::from_nanosecond(i128::from(now_ns)) else {
        return Hours::Unknown;
    };
    let date = now.to_zoned(zone.clone()).date();
    let mut found = Hours::Unknown;
    for part in parts.iter().flat_map(|p| p.split(',')).map(str::trim) {
        match read(part, date, &zone) {
            Some(Hours::Open(session)) => {
                let taken = matches!(found, Hours::Open(s) if now_ns < s.close_ns);
                if !taken {
                    found = Hours::Open(session);
                }
            }
            Some(Hours::Closed) if found == Hours::Unknown => found = Hours::Closed,
            _ => {}
        }
    }
    found
}

/// Names of zones that are none of the database's.
fn zone_of(name: &str) -> Option<TimeZone> {
    let name = match name.trim() {
        "EST" | "EST5EDT" | "US/Eastern" => "America/New_York",
        "CST" | "CST6CDT" | "US/Central" => "America/Chicago",
        other => other,
    };
    TimeZone::get(name).ok()
}

fn read(part: &str, day: Date, zone: &TimeZone) -> Option<Hours> {
    let (date, rest) = part.split_once(':')?;
    let date = Date::strptime("%Y%m%d", date).ok()?;
    if date != day {
        return None;
    }
    if rest == "CLOSED" {
        return Some(Hours::Closed);
    }
    let (open, close) = rest.split_once('-')?;
    let (close_date, close) = match close.split_once(':') {
        Some((date, close)) => (Date::strptime("%Y%m%d", date).ok()?, close),
        None => (date, close),
    };
    let at = |date: Date, text: &str| {
        let time = Time::strptime("%H%M", text).ok()?;
        let zoned = zone.to_ambiguous_zoned(date.to_datetime(time)).compatible().ok()?;
        u64::try_from(zoned.timestamp().as_nanosecond()).ok()
    };
    let session = Session { open_ns: at(date, open)?, close_ns: at(close_date, close)? };
    (session.open_ns < session.close_ns).then_some(Hours::Open(session))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Friday 2026-11-27, midnight in New York.
    const DAY: u64 = 1_795_755_600_000_000_000;
    const HOUR: u64 = 3_600_000_000_000;

    fn open(from: u64, to: u64) -> Hours {
        Hours::Open(Session { open_ns: DAY + from * HOUR / 2, close_ns: DAY + to * HOUR / 2 })
    }

    fn said(text: &str, now: u64) -> Hours {
        let parts: Vec<String> = text.split(';').map(str::to_string).collect();
        today(&parts, "US/Eastern", now)
    }

    #[test]
    fn both_forms_are_read() {
        let new = "20261126:CLOSED;20261127:0930-20261127:1300;20261128:CLOSED";
        assert_eq!(said(new, DAY + HOUR), open(19, 26));
        assert_eq!(said(new, DAY - HOUR), Hours::Closed);
        assert_eq!(said("20261127:0930-1300", DAY), open(19, 26));
        assert_eq!(said(new, DAY + 60 * HOUR), Hours::Unknown, "not in the list");
        // A day in two parts: the one at hand.
        let two = "20261127:0900-1000,1100-1200,20261127:1300-1400";
        assert_eq!(said(two, DAY), open(18, 20));
        assert_eq!(said("20261127:0900-1000;20261127:1300-1400", DAY + 11 * HOUR), open(26, 28));
    }

    #[test]
    fn what_is_no_hours_is_unknown() {
        for bad in [
            "",
            ":",
            "20261127",
            "20261127:",
            "20261127:0930",
            "x:0930-1600",
            "20261127:1600-0930",
            "20261127:0930-2561",
            "99999999:CLOSED",
        ] {
            assert_eq!(said(bad, DAY), Hours::Unknown, "{bad}");
        }
        assert_eq!(today(&["20261127:0930-1300".into()], "Mars", DAY), Hours::Unknown);
        assert_eq!(today(&["20261127:0930-1300".into()], "US/Eastern", u64::MAX), Hours::Unknown);
    }
}
