//! What the calendar leaves of the instruments' sessions, for runs whose orders reach somebody
//! outside.

use crate::exit::{self, Exit};
use ijk_core::config::{CalendarConfig, CalendarName};
use ijk_core::num::E9;
use ijk_core::{Currency, Instrument, Session};
use ijk_data::calendar::{CalendarError, Exchange, NoOrderWindow};

/// Bounds the session of every instrument by the calendar. `now_ns` is the time the run begins
/// at: that of a live feed's gateway, or of a recorded feed's first record. With `live` a session
/// that is over is refused.
///
/// # Errors
/// Exit code 78 (no restart helps) for a day or an hour on which an instrument does not trade, 2
/// for settings that are none.
pub fn bound(
    instruments: &mut [Instrument],
    config: &CalendarConfig,
    now_ns: u64,
    live: bool,
) -> Result<(), Exit> {
    let window = match config.no_order_from.is_empty() && config.no_order_until.is_empty() {
        true => None,
        false => {
            let (from, until) = (&config.no_order_from, &config.no_order_until);
            let window = NoOrderWindow::new(from, until, &config.no_order_tz);
            Some(window.map_err(|e| Exit::usage(format!("[calendar] {e}")))?)
        }
    };
    for i in instruments {
        let refuse = |e: CalendarError| Exit::new(exit::UNSAFE, format!("{}: {e}", i.symbol));
        let mut session = i.session;
        if config.exchange == CalendarName::UsEquities && is_us_equity(i) {
            session = on_its_day(session, now_ns).map_err(refuse)?;
        }
        if let Some(window) = &window {
            let nothing = || {
                let text = "the session lies in the hours without orders of [calendar]";
                Exit::new(exit::UNSAFE, format!("{}: {text}", i.symbol))
            };
            session = window.clip(session, now_ns).map_err(refuse)?.ok_or_else(nothing)?;
        }
        if live && now_ns >= session.close_ns {
            let date = Exchange::UsEquities.date_of(session.close_ns).map_err(refuse)?;
            let next = Exchange::UsEquities.next_day(date).map_err(refuse)?;
            let text =
                format!("{}: the session of {date} is over; the next one is on {next}", i.symbol);
            return Err(Exit::new(exit::UNSAFE, text));
        }
        i.session = session;
    }
    Ok(())
}

fn is_us_equity(i: &Instrument) -> bool {
    i.currency == Currency::Usd && i.qty_unit_e9 == E9
}

/// Returns what the day of `session` leaves of it; the regular session of the day of `now_ns`
/// where there is none.
fn on_its_day(session: Session, now_ns: u64) -> Result<Session, CalendarError> {
    let calendar = Exchange::UsEquities;
    if session == Session::ALWAYS {
        return calendar.session(calendar.date_of(now_ns)?, None);
    }
    calendar.bound(session, calendar.date_of(session.open_ns)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ijk_core::Symbol;

    const HOUR_NS: u64 = 3_600_000_000_000;
    /// Friday 2026-11-27, the half day after Thanksgiving, midnight in New York.
    const HALF_NS: u64 = 1_795_755_600_000_000_000;
    const OPEN_NS: u64 = HALF_NS + 9 * HOUR_NS + HOUR_NS / 2;

    fn stock(session: Session) -> Instrument {
        Instrument { session, ..Instrument::us_equity(Symbol::new("ABC").unwrap()) }
    }

    fn bounded(i: Instrument, config: &CalendarConfig, now_ns: u64) -> Result<Session, Exit> {
        let mut list = [i];
        bound(&mut list, config, now_ns, true)?;
        Ok(list[0].session)
    }

    #[test]
    fn a_half_day_ends_early_whatever_the_session_was() {
        let config = CalendarConfig::default();
        let half = Session { open_ns: OPEN_NS, close_ns: HALF_NS + 13 * HOUR_NS };
        let long = Session { close_ns: HALF_NS + 16 * HOUR_NS, ..half };
        for session in [Session::ALWAYS, half, long] {
            assert_eq!(bounded(stock(session), &config, OPEN_NS).unwrap(), half);
        }
        let none = CalendarConfig { exchange: CalendarName::None, ..config };
        assert_eq!(bounded(stock(long), &none, OPEN_NS).unwrap(), long);
    }

    #[test]
    fn a_closed_day_and_a_session_that_is_over_are_refused_for_good() {
        let config = CalendarConfig::default();
        let thanksgiving = OPEN_NS - 24 * HOUR_NS;
        let error = bounded(stock(Session::ALWAYS), &config, thanksgiving).unwrap_err();
        assert_eq!(error.code, exit::UNSAFE);
        assert_eq!(
            error.message,
            "ABC: 2026-11-26 is no trading day: Thanksgiving Day; the next one is 2026-11-27"
        );
        let late = bounded(stock(Session::ALWAYS), &config, HALF_NS + 14 * HOUR_NS).unwrap_err();
        assert_eq!(
            late.message,
            "ABC: the session of 2026-11-27 is over; the next one is on 2026-11-30"
        );
    }

    #[test]
    fn what_never_closes_ends_where_the_broker_restarts() {
        let config = CalendarConfig::default();
        let coin = Instrument { qty_unit_e9: 1, ..stock(Session::ALWAYS) };
        let session = bounded(coin, &config, OPEN_NS).unwrap();
        assert_eq!(session.open_ns, HALF_NS + HOUR_NS * 3 / 4);
        assert_eq!(session.close_ns, HALF_NS + 24 * HOUR_NS - HOUR_NS / 4);
        let open = CalendarConfig {
            no_order_from: String::new(),
            no_order_until: String::new(),
            ..config
        };
        assert_eq!(bounded(coin, &open, OPEN_NS).unwrap(), Session::ALWAYS);
        let bad = CalendarConfig { no_order_tz: "Mars/Base".to_string(), ..open };
        assert_eq!(bounded(coin, &bad, OPEN_NS).unwrap(), Session::ALWAYS, "not looked at");
        let bad = CalendarConfig { no_order_from: "24:00".to_string(), ..bad };
        assert_eq!(bounded(coin, &bad, OPEN_NS).unwrap_err().code, exit::USAGE);
    }
}
