//! Trading days against an independent calendar, sessions against their laws.

use ijk_core::Session;
use ijk_data::calendar::{CalendarError, Day, Exchange, Hours, NoOrderWindow, YEARS};
use jiff::civil::{Date, Weekday, date, time};
use proptest::prelude::*;

const US: Exchange = Exchange::UsEquities;
const MINUTE_NS: u64 = 60_000_000_000;
const HOUR_NS: u64 = 60 * MINUTE_NS;

struct Golden {
    first: Date,
    last: Date,
    closed: Vec<Date>,
    half: Vec<(Date, u64)>,
    opens: Vec<(Date, u64, u64)>,
}

fn golden() -> Golden {
    let text = include_str!("../../scripts/golden/us_sessions.json");
    let json: serde_json::Value = serde_json::from_str(text).expect("the golden file reads");
    let day = |v: &serde_json::Value| v.as_str().and_then(|s| s.parse().ok()).expect("a date");
    let number = |v: &serde_json::Value| v.as_u64().expect("a number");
    let list = |key: &str| json[key].as_array().expect("a list");
    Golden {
        first: day(&json["first"]),
        last: day(&json["last"]),
        closed: list("closed").iter().map(day).collect(),
        half: list("half").iter().map(|h| (day(&h[0]), number(&h[1]))).collect(),
        opens: list("opens").iter().map(|o| (day(&o[0]), number(&o[1]), number(&o[2]))).collect(),
    }
}

fn ns_at(d: Date, hour: i8, minute: i8) -> u64 {
    let zoned = d.at(hour, minute, 0, 0).in_tz("America/New_York").expect("a time");
    zoned.timestamp().as_nanosecond() as u64
}

#[test]
fn every_day_of_thirty_six_years_is_what_the_other_calendar_says() {
    let g = golden();
    let mut day = g.first;
    let (mut closed, mut half, mut whole) = (0, 0, 0);
    while day <= g.last {
        let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        let early = g.half.iter().find(|h| h.0 == day);
        match US.day(day).expect("within the years") {
            Day::Closed(why) if weekend => assert_eq!(why, "weekend"),
            Day::Closed(why) => {
                assert!(g.closed.contains(&day), "{day}: closed for {why}");
                closed += 1;
            }
            Day::Half(why) => {
                assert_eq!(early.map(|h| h.1), Some(13 * 60), "{day}: half for {why}");
                half += 1;
            }
            Day::Whole => {
                assert!(!weekend && early.is_none() && !g.closed.contains(&day), "{day}");
                whole += 1;
            }
        }
        day = day.tomorrow().expect("a date");
    }
    assert_eq!((closed, half), (g.closed.len(), g.half.len()));
    assert!(whole > 8_900, "{whole}");
}

#[test]
fn sessions_begin_and_end_where_the_other_calendar_says_summer_time_included() {
    let g = golden();
    assert_eq!(g.opens.len(), 36 * 12);
    for (day, open_s, close_s) in g.opens {
        let s = US.session(day, None).expect("a session");
        assert_eq!((s.open_ns, s.close_ns), (open_s * 1_000_000_000, close_s * 1_000_000_000));
        assert_eq!(US.date_of(s.open_ns), Ok(day));
    }
}

#[test]
fn a_half_day_moves_every_close() {
    let day = date(2026, 11, 27);
    let hours = |open, close| Some((Hours { open, close }, "America/New_York"));
    let ends = |h| US.session(day, h).map(|s: Session| s.close_ns);
    assert_eq!(ends(None), Ok(ns_at(day, 13, 0)));
    assert_eq!(ends(hours(time(9, 30, 0, 0), time(15, 45, 0, 0))), Ok(ns_at(day, 13, 0)));
    assert_eq!(ends(hours(time(9, 30, 0, 0), time(12, 0, 0, 0))), Ok(ns_at(day, 12, 0)));
    // The late session ends at 17:00.
    assert_eq!(ends(hours(time(4, 0, 0, 0), time(20, 0, 0, 0))), Ok(ns_at(day, 17, 0)));
    let afternoon = ends(hours(time(13, 30, 0, 0), time(16, 0, 0, 0))).unwrap_err();
    assert!(matches!(afternoon, CalendarError::Closed { .. }), "{afternoon}");
    let once = US.session(day, None).unwrap();
    assert_eq!(US.bound(once, day), Ok(once), "what is short already stays");
    // The hours of another zone are this exchange's all the same.
    let utc = Some((Hours { open: time(14, 30, 0, 0), close: time(21, 0, 0, 0) }, "UTC"));
    assert_eq!(US.session(day, utc), US.session(day, None));
}

#[test]
fn a_closed_day_says_why_and_when_it_goes_on() {
    let said = |d| US.session(d, None).unwrap_err().to_string();
    assert_eq!(
        said(date(2026, 11, 26)),
        "2026-11-26 is no trading day: Thanksgiving Day; the next one is 2026-11-27"
    );
    assert_eq!(
        said(date(2026, 11, 22)),
        "2026-11-22 is no trading day: weekend; the next one is 2026-11-23"
    );
    assert!(said(date(2036, 1, 2)).contains("the calendar knows 2000 to 2035"));
    // Friday: no hint past the last year.
    assert!(matches!(US.session(date(2035, 12, 25), None), Err(CalendarError::Closed { .. })));
    let zone = Some((US.regular(), "Mars/Base"));
    assert!(matches!(US.session(date(2026, 11, 23), zone), Err(CalendarError::Time(_))));
    assert!(US.date_of(u64::MAX).is_ok_and(|d| US.day(d).is_err()));
}

#[test]
fn windows_are_read_or_refused() {
    for (from, until, zone, key) in [
        ("", "00:45", "America/New_York", "no_order_from"),
        ("23:45", "24:45", "America/New_York", "no_order_until"),
        ("23:45", "23:45", "America/New_York", "no_order_until"),
        ("23:45", "00:45", "Nowhere", "no_order_tz"),
    ] {
        let error = NoOrderWindow::new(from, until, zone).unwrap_err();
        assert_eq!(error.key, key);
    }
}

fn restart() -> NoOrderWindow {
    NoOrderWindow::new("23:45", "00:45", "America/New_York").expect("a window")
}

#[test]
fn sessions_end_where_the_restart_begins_and_begin_where_it_ends() {
    let w = restart();
    let d = date(2026, 11, 23);
    let regular = US.session(d, None).expect("a session");
    // The evening before, and during it: the regular session is untouched.
    for now in [ns_at(date(2026, 11, 22), 20, 0), regular.open_ns, regular.close_ns - 1] {
        assert_eq!(w.clip(regular, now), Ok(Some(regular)));
    }
    let evening = ns_at(d, 22, 0);
    let part = w.clip(Session::ALWAYS, evening).expect("a time").expect("a part");
    assert_eq!((part.open_ns, part.close_ns), (ns_at(d, 0, 45), ns_at(d, 23, 45)));
    // Within the window: what follows it.
    let part = w.clip(Session::ALWAYS, ns_at(d, 23, 50)).expect("a time").expect("a part");
    let tuesday = date(2026, 11, 24);
    assert_eq!((part.open_ns, part.close_ns), (ns_at(tuesday, 0, 45), ns_at(tuesday, 23, 45)));
    let inside = Session { open_ns: ns_at(d, 0, 5), close_ns: ns_at(d, 0, 30) };
    assert_eq!(w.clip(inside, ns_at(d, 0, 10)), Ok(None));
    // The clocks go forward on Sunday 2027-03-14: the window is an hour all the same.
    let spring = date(2027, 3, 14);
    let part = w.clip(Session::ALWAYS, ns_at(spring, 12, 0)).expect("a time").expect("a part");
    assert_eq!(part.close_ns - part.open_ns, 22 * HOUR_NS);
}

proptest! {
    #[test]
    fn no_instant_of_a_clipped_session_is_in_the_window(
        now_min in 15_768_000u64..34_689_600, open_min in 0u64..3_000, length in 1u64..6_000,
        from in 0i8..24, until in 0i8..24, part in 0.0f64..1.0,
    ) {
        prop_assume!(from != until);
        let w = NoOrderWindow::new(&format!("{from:02}:15"), &format!("{until:02}:15"),
            "America/New_York").expect("a window");
        let now = now_min * MINUTE_NS;
        let open_ns = now - 1_500 * MINUTE_NS + open_min * MINUTE_NS;
        let session = Session { open_ns, close_ns: open_ns + length * MINUTE_NS };
        let Some(clipped) = w.clip(session, now).expect("a time") else { return Ok(()) };
        prop_assert!(session.open_ns <= clipped.open_ns && clipped.close_ns <= session.close_ns);
        let at = clipped.open_ns + ((clipped.close_ns - clipped.open_ns) as f64 * part) as u64;
        let at = at.clamp(clipped.open_ns, clipped.close_ns - 1);
        // Before what the window of the day before left, nobody looks: time only goes on.
        prop_assert!(at < now.max(session.open_ns) || !w.contains(at).expect("a time"));
    }

    #[test]
    fn the_next_trading_day_is_the_first_open_one(offset in 0i32..12_000) {
        let day = date(2000, 1, 1)
            .checked_add(jiff::Span::new().days(offset)).expect("a date");
        let next = US.next_day(day).expect("within the years");
        prop_assert!(YEARS.contains(&next.year()) && next > day);
        let mut between = day.tomorrow().expect("a date");
        while between < next {
            prop_assert!(matches!(US.day(between), Ok(Day::Closed(_))));
            between = between.tomorrow().expect("a date");
        }
        let open = US.session(next, None).expect("a session");
        prop_assert!(open.contains(ns_at(next, 12, 59)) && !open.contains(ns_at(next, 16, 0)));
    }
}
