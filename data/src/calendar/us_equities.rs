//! Days of the New York Stock Exchange and Nasdaq.
//!
//! The rules are those of NYSE Rule 7.2 and of the exchange's yearly lists of holidays and early
//! closings; closings for mourning, storms and attacks are listed one by one. Openings delayed by
//! minutes are not.

use super::Day;
use jiff::civil::{Date, Weekday, date};

/// Days that no rule gives.
const CLOSED: &[(Date, &str)] = &[
    (date(2001, 9, 11), "attacks of September 11"),
    (date(2001, 9, 12), "attacks of September 11"),
    (date(2001, 9, 13), "attacks of September 11"),
    (date(2001, 9, 14), "attacks of September 11"),
    (date(2004, 6, 11), "mourning of President Reagan"),
    (date(2007, 1, 2), "mourning of President Ford"),
    (date(2012, 10, 29), "hurricane Sandy"),
    (date(2012, 10, 30), "hurricane Sandy"),
    (date(2018, 12, 5), "mourning of President Bush"),
    (date(2025, 1, 9), "mourning of President Carter"),
];

/// First year whose June 19 is a holiday.
const JUNETEENTH_FROM: i16 = 2022;
/// First year in which the half day of a Thursday July 4 is the Wednesday before, not the Friday
/// after.
const WEDNESDAY_FROM: i16 = 2013;

/// Returns what `day` is.
pub(super) fn day(day: Date) -> Day {
    if is_weekend(day) {
        return Day::Closed("weekend");
    }
    if let Some((_, reason)) = CLOSED.iter().find(|(d, _)| *d == day) {
        return Day::Closed(reason);
    }
    match (holiday(day), half(day)) {
        (Some(name), _) => Day::Closed(name),
        (None, Some(reason)) => Day::Half(reason),
        (None, None) => Day::Whole,
    }
}

fn is_weekend(day: Date) -> bool {
    matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

fn holiday(day: Date) -> Option<&'static str> {
    let year = day.year();
    let nth = |month, nth, weekday| {
        date(year, month, 1).nth_weekday_of_month(nth, weekday).is_ok_and(|d| d == day)
    };
    let monday = Weekday::Monday;
    // A New Year's Day on a Saturday is not kept: the year's books close on the Friday.
    let new_year = date(year, 1, 1);
    let kept = new_year.weekday() != Weekday::Saturday && moved(new_year) == day;
    let rules = [
        (kept, "New Year's Day"),
        (nth(1, 3, monday), "Martin Luther King Jr. Day"),
        (nth(2, 3, monday), "Washington's Birthday"),
        (good_friday(year) == Some(day), "Good Friday"),
        (nth(5, -1, monday), "Memorial Day"),
        (year >= JUNETEENTH_FROM && moved(date(year, 6, 19)) == day, "Juneteenth"),
        (moved(date(year, 7, 4)) == day, "Independence Day"),
        (nth(9, 1, monday), "Labor Day"),
        (nth(11, 4, Weekday::Thursday), "Thanksgiving Day"),
        (moved(date(year, 12, 25)) == day, "Christmas Day"),
    ];
    rules.into_iter().find_map(|(is, name)| is.then_some(name))
}

/// Returns the day a holiday is kept on: the Friday before a Saturday, the Monday after a Sunday.
fn moved(holiday: Date) -> Date {
    let kept = match holiday.weekday() {
        Weekday::Saturday => holiday.yesterday(),
        Weekday::Sunday => holiday.tomorrow(),
        _ => Ok(holiday),
    };
    kept.unwrap_or(holiday)
}

fn half(day: Date) -> Option<&'static str> {
    let year = day.year();
    let thanksgiving = date(year, 11, 1).nth_weekday_of_month(4, Weekday::Thursday);
    if thanksgiving.and_then(Date::tomorrow).is_ok_and(|d| d == day) {
        return Some("the day after Thanksgiving");
    }
    // A Friday before a holiday that is kept on it is a holiday itself.
    let monday_to_thursday = day.weekday() != Weekday::Friday;
    match (day.month(), day.day()) {
        (12, 24) if monday_to_thursday => Some("Christmas Eve"),
        (12, 26) if day == date(2003, 12, 26) => Some("the day after Christmas"),
        (7, 3) if day.weekday() == Weekday::Wednesday && year < WEDNESDAY_FROM => None,
        (7, 3) if monday_to_thursday => Some("the eve of Independence Day"),
        (7, 5) if day.weekday() == Weekday::Friday && year < WEDNESDAY_FROM => {
            Some("the day after Independence Day")
        }
        _ => None,
    }
}

/// Returns Good Friday: two days before Easter by the Gregorian computus (Meeus, Astronomical
/// Algorithms, chapter 8).
fn good_friday(year: i16) -> Option<Date> {
    let y = i32::from(year);
    let (a, b, c) = (y % 19, y / 100, y % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (b - (b + 8) / 25 + 1) / 3;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    let easter = Date::new(year, (n / 31) as i8, (n % 31 + 1) as i8).ok()?;
    easter.yesterday().and_then(Date::yesterday).ok()
}
