//! When markets trade: days, sessions, half days, and hours in which a broker takes no orders.
//!
//! Dates and local times come from the rules; the change of summer time from the time zone
//! database that travels with the program.

mod us_equities;
mod window;

use ijk_core::Session;
use jiff::civil::{Date, Time, time};
use jiff::tz::TimeZone;

pub use window::{NoOrderWindow, WindowError};

/// First and last year that the rules of [`Exchange::UsEquities`] are checked for.
pub const YEARS: std::ops::RangeInclusive<i16> = 2000..=2035;

/// Whose calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// New York Stock Exchange and Nasdaq, which keep the same days: regular hours 09:30 to 16:00
    /// in New York, 13:00 on half days.
    UsEquities,
}

/// What a date is to an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Day {
    /// Nothing trades, and why.
    Closed(&'static str),
    /// A whole day.
    Whole,
    /// A day that closes early, and why.
    Half(&'static str),
}

/// A question the calendar has no answer to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// Holidays are announced some years ahead; the rules say nothing of later ones.
    #[error("{0}: the calendar knows {first} to {last}", first = YEARS.start(), last = YEARS.end())]
    Year(Date),
    /// A zone or a time that does not exist.
    #[error("{0}")]
    Time(String),
    /// Nothing trades on that day.
    #[error("{date} is no trading day: {reason}; the next one is {next}")]
    Closed {
        /// The day, in the exchange's time zone.
        date: Date,
        /// Why.
        reason: &'static str,
        /// The next trading day.
        next: Date,
    },
}

/// Opening and closing time of a whole day, local.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    /// First minute of trading.
    pub open: Time,
    /// First minute after trading.
    pub close: Time,
}

impl Exchange {
    /// Time zone of days and hours.
    pub const fn zone_name(self) -> &'static str {
        "America/New_York"
    }

    /// Regular hours of a whole day.
    pub const fn regular(self) -> Hours {
        Hours { open: time(9, 30, 0, 0), close: time(16, 0, 0, 0) }
    }

    /// Closing time of regular hours on a half day.
    pub const fn half_close(self) -> Time {
        time(13, 0, 0, 0)
    }

    /// Closing time of the late session on a half day.
    pub const fn half_late_close(self) -> Time {
        time(17, 0, 0, 0)
    }

    /// Returns what `date` is.
    ///
    /// # Errors
    /// [`CalendarError::Year`] outside [`YEARS`].
    pub fn day(self, date: Date) -> Result<Day, CalendarError> {
        if !YEARS.contains(&date.year()) {
            return Err(CalendarError::Year(date));
        }
        Ok(us_equities::day(date))
    }

    /// Returns the date at `ns` (UTC since 1970) in the exchange's time zone.
    ///
    /// # Errors
    /// [`CalendarError::Time`] for a time far outside of any calendar.
    pub fn date_of(self, ns: u64) -> Result<Date, CalendarError> {
        Ok(local(ns, &zone(self.zone_name())?)?.0)
    }

    /// Returns the first trading day after `date`.
    ///
    /// # Errors
    /// [`CalendarError::Year`] if it lies outside [`YEARS`].
    pub fn next_day(self, date: Date) -> Result<Date, CalendarError> {
        let mut next = date;
        loop {
            next = next.tomorrow().map_err(text)?;
            if !matches!(self.day(next)?, Day::Closed(_)) {
                return Ok(next);
            }
        }
    }

    /// Returns the session of `date`: `hours` of a whole day in a zone (the regular ones where
    /// none are given), shortened as [`Exchange::bound`] does.
    ///
    /// # Errors
    /// As [`Exchange::bound`], and [`CalendarError::Time`] for a zone that does not exist.
    pub fn session(
        self,
        date: Date,
        hours: Option<(Hours, &str)>,
    ) -> Result<Session, CalendarError> {
        let (hours, zone_name) = hours.unwrap_or((self.regular(), self.zone_name()));
        let zone = zone(zone_name)?;
        let session = Session {
            open_ns: at(date, hours.open, &zone)?,
            close_ns: at(date, hours.close, &zone)?,
        };
        self.bound(session, date)
    }

    /// Returns what `date` leaves of the hours of a whole day. A half day ends hours that lie
    /// within the regular session at [`Exchange::half_close`], longer ones with the late session
    /// of such days.
    ///
    /// # Errors
    /// [`CalendarError::Closed`] where nothing is left, [`CalendarError::Year`].
    pub fn bound(self, whole: Session, date: Date) -> Result<Session, CalendarError> {
        let closed = |reason| -> Result<Session, CalendarError> {
            Err(CalendarError::Closed { date, reason, next: self.next_day(date)? })
        };
        let reason = match self.day(date)? {
            Day::Closed(reason) => return closed(reason),
            Day::Whole => return Ok(whole),
            Day::Half(reason) => reason,
        };
        let zone = zone(self.zone_name())?;
        let is_regular = whole.close_ns <= at(date, self.regular().close, &zone)?;
        let end = if is_regular { self.half_close() } else { self.half_late_close() };
        let close_ns = whole.close_ns.min(at(date, end, &zone)?);
        match close_ns > whole.open_ns {
            true => Ok(Session { close_ns, ..whole }),
            false => closed(reason),
        }
    }
}

fn text(error: jiff::Error) -> CalendarError {
    CalendarError::Time(error.to_string())
}

fn zone(name: &str) -> Result<TimeZone, CalendarError> {
    TimeZone::get(name).map_err(text)
}

/// Returns the nanosecond of a local time; one that the clocks skip is the one an hour later.
fn at(date: Date, time: Time, zone: &TimeZone) -> Result<u64, CalendarError> {
    let zoned = zone.to_ambiguous_zoned(date.to_datetime(time)).compatible().map_err(text)?;
    u64::try_from(zoned.timestamp().as_nanosecond())
        .map_err(|_| CalendarError::Time(format!("{date}: before 1970")))
}

fn local(ns: u64, zone: &TimeZone) -> Result<(Date, Time), CalendarError> {
    let stamp = jiff::Timestamp::from_nanosecond(i128::from(ns)).map_err(text)?;
    let zoned = stamp.to_zoned(zone.clone());
    Ok((zoned.date(), zoned.time()))
}
