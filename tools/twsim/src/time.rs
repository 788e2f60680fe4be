//! Simulated time, and how the protocol writes it. Times are nanoseconds since 1970, UTC.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

/// One second.
pub const SECOND: u64 = 1_000_000_000;
/// One millisecond.
pub const MILLI: u64 = 1_000_000;
/// Name of the exchanges' time zone as the gateway writes it.
pub const ZONE: &str = "US/Eastern";

fn zone() -> TimeZone {
    // The database travels with the program; UTC would only stand in if its build were broken.
    TimeZone::get("America/New_York").unwrap_or(TimeZone::UTC)
}

/// Returns the time in New York.
pub fn zoned(ns: u64) -> Zoned {
    let ns = i128::from(ns);
    Timestamp::from_nanosecond(ns).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone())
}

/// Returns `20250303 09:30:00`.
pub fn local(ns: u64) -> String {
    zoned(ns).strftime("%Y%m%d %H:%M:%S").to_string()
}

/// Returns `20250303 09:30:00 US/Eastern`.
pub fn stamp(ns: u64) -> String {
    format!("{} {ZONE}", local(ns))
}

/// Returns `20250303-14:30:00` in UTC.
pub fn utc_dash(ns: u64) -> String {
    let at = Timestamp::from_nanosecond(i128::from(ns)).unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("%Y%m%d-%H:%M:%S").to_string()
}

/// Returns `2025-03-03 14:30:00.0` in UTC, as news is stamped.
pub fn news_stamp(ns: u64) -> String {
    let at = Timestamp::from_nanosecond(i128::from(ns)).unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("%Y-%m-%d %H:%M:%S.0").to_string()
}

/// Returns `20250303` in New York.
pub fn day(ns: u64) -> String {
    zoned(ns).strftime("%Y%m%d").to_string()
}

/// Returns the date in New York.
pub fn date(ns: u64) -> Date {
    zoned(ns).date()
}

/// Returns the time of `hour:minute` in New York on `date`.
pub fn at(date: Date, hour: i8, minute: i8) -> u64 {
    let local = date.at(hour, minute, 0, 0);
    let ns =
        zone().to_ambiguous_zoned(local).compatible().map_or(0, |z| z.timestamp().as_nanosecond());
    u64::try_from(ns).unwrap_or(0)
}

/// Reads what requests write: `YYYYMMDD HH:MM:SS [zone]`, `YYYYMMDD-HH:MM:SS` (UTC) or
/// `YYYYMMDD`; without a zone New York is meant.
pub fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let date = Date::strptime("%Y%m%d", text.get(..8)?).ok()?;
    let rest = &text[8..];
    if rest.is_empty() {
        return Some(at(date, 0, 0));
    }
    let utc = rest.starts_with('-');
    let rest = rest.trim_start_matches(['-', ' ']);
    let clock = jiff::civil::Time::strptime("%H:%M:%S", rest.get(..8)?).ok()?;
    let name = rest.get(8..).unwrap_or("").trim();
    let zone = match name {
        _ if utc => TimeZone::UTC,
        "" => zone(),
        name => TimeZone::get(name).ok()?,
    };
    let local = date.to_datetime(clock);
    let ns = zone.to_ambiguous_zoned(local).compatible().ok()?.timestamp().as_nanosecond();
    u64::try_from(ns).ok()
}

/// Returns whether `date` is no weekend day. Holidays are not known here.
pub fn is_weekday(date: Date) -> bool {
    !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// Returns the third Fridays of the `count` months from that of `date` on, none before `date`.
pub fn monthly_expirations(date: Date, count: usize) -> Vec<Date> {
    let mut found = Vec::new();
    let mut month = date.first_of_month();
    while found.len() < count {
        let friday = month.nth_weekday_of_month(3, Weekday::Friday);
        if let Ok(friday) = friday
            && friday >= date
        {
            found.push(friday);
        }
        let Ok(next) = month.checked_add(1.month()) else { break };
        month = next;
    }
    found
}

/// Returns days from `from` to `to`, fractional, not below zero.
pub fn days_until(from: u64, to: u64) -> f64 {
    to.saturating_sub(from) as f64 / 86_400e9
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: u64 = 1_741_012_200_000_000_000;

    #[test]
    fn times_are_written_and_read_as_the_protocol_does() {
        assert_eq!(stamp(OPEN), "20250303 09:30:00 US/Eastern");
        assert_eq!(utc_dash(OPEN), "20250303-14:30:00");
        assert_eq!(news_stamp(OPEN), "2025-03-03 14:30:00.0");
        for text in ["20250303 09:30:00 US/Eastern", "20250303-14:30:00", "20250303 09:30:00"] {
            assert_eq!(parse(text), Some(OPEN), "{text}");
        }
        assert_eq!(at(date(OPEN), 9, 30), OPEN);
        for bad in
            ["", "2025", "20251345", "20250303 25:00:00", "20250303 09:30:00 No/Zone", "ééééé"]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn options_expire_on_third_fridays() {
        let found = monthly_expirations(date(OPEN), 3);
        let text: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(text, ["2025-03-21", "2025-04-18", "2025-05-16"]);
    }
}
