//! Hours of every day in which a broker takes no orders: its gateways restart, its systems are
//! reset.

use super::{CalendarError, at, local, text, zone};
use ijk_core::Session;
use jiff::civil::Time;
use jiff::tz::TimeZone;

/// A daily window, local times; it ends the day after where its end is not later than its begin.
#[derive(Clone, Debug, PartialEq)]
pub struct NoOrderWindow {
    from: Time,
    until: Time,
    zone: TimeZone,
}

/// A text that is no window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} = \"{text}\": expected {expected}")]
pub struct WindowError {
    /// Which of the three.
    pub key: &'static str,
    /// What it is.
    pub text: String,
    /// What it must be.
    pub expected: &'static str,
}

impl NoOrderWindow {
    /// Returns the window `from`..`until` (`HH:MM`) in `zone_name` (IANA).
    ///
    /// # Errors
    /// [`WindowError`].
    pub fn new(from: &str, until: &str, zone_name: &str) -> Result<NoOrderWindow, WindowError> {
        let bad = |key, text: &str, expected| WindowError { key, text: text.into(), expected };
        let clock = |key, text| {
            Time::strptime("%H:%M", text).map_err(|_| bad(key, text, "a time of day, HH:MM"))
        };
        let (from, until_time) = (clock("no_order_from", from)?, clock("no_order_until", until)?);
        if from == until_time {
            return Err(bad("no_order_until", until, "another time than no_order_from"));
        }
        let zone = zone(zone_name)
            .map_err(|_| bad("no_order_tz", zone_name, "an IANA time zone, Area/City"))?;
        Ok(NoOrderWindow { from, until: until_time, zone })
    }

    /// Returns the windows that begin on the day of `ns` and on the days about it, in order.
    fn about(&self, ns: u64) -> Result<Vec<(u64, u64)>, CalendarError> {
        let (today, _) = local(ns, &self.zone)?;
        let mut found = Vec::with_capacity(3);
        for date in [today.yesterday().map_err(text)?, today, today.tomorrow().map_err(text)?] {
            let end = match self.until > self.from {
                true => date,
                false => date.tomorrow().map_err(text)?,
            };
            found.push((at(date, self.from, &self.zone)?, at(end, self.until, &self.zone)?));
        }
        Ok(found)
    }

    /// Returns whether `ns` (UTC since 1970) lies in the window.
    ///
    /// # Errors
    /// [`CalendarError::Time`] for a time far outside of any calendar.
    pub fn contains(&self, ns: u64) -> Result<bool, CalendarError> {
        Ok(self.about(ns)?.iter().any(|w| (w.0..w.1).contains(&ns)))
    }

    /// Returns the part of `session` between two windows: the one that holds `now_ns`, or the
    /// session's begin where it is still to come, or what follows the window one of them is in.
    /// Nothing is left of a session that lies in a window whole.
    ///
    /// # Errors
    /// As [`NoOrderWindow::contains`].
    pub fn clip(&self, session: Session, now_ns: u64) -> Result<Option<Session>, CalendarError> {
        let from_ns = now_ns.max(session.open_ns);
        let mut part = session;
        for (begin, end) in self.about(from_ns)? {
            if begin > from_ns {
                part.close_ns = part.close_ns.min(begin);
                break;
            }
            part.open_ns = part.open_ns.max(end);
        }
        Ok((part.open_ns < part.close_ns).then_some(part))
    }
}
