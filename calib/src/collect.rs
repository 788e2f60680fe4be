//! Reads a feed into visible volume per bucket, in bounded memory.

use crate::event_clock::EventClock;
use crate::volume::{SessionVolume, bounds};
use ijk_core::time::NS_PER_S;
use ijk_core::{EventSource, FeedError, Instrument, Session};
use std::collections::BTreeMap;

const DAY_NS: u64 = 86_400 * NS_PER_S;
/// Events between two calls of the progress function.
const PROGRESS_EVENTS: u64 = 1 << 16;

/// What a feed gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Collected {
    /// One entry per symbol and day, in that order.
    pub sessions: Vec<SessionVolume>,
    /// Events outside their instrument's session, left out.
    pub outside_session: u64,
}

/// Reads `source` to its end. Instruments without trading hours have sessions of UTC days.
/// `progress` is called now and then with the bytes read and in total, where known.
///
/// # Errors
/// [`FeedError`] of the source.
pub fn collect(
    feed: &str,
    source: &mut dyn EventSource,
    bucket_s: u64,
    progress: &mut dyn FnMut(Option<(u64, u64)>),
) -> Result<Collected, FeedError> {
    let instruments: Vec<Instrument> = source.instruments().to_vec();
    let mut sessions: BTreeMap<(usize, i64), SessionVolume> = BTreeMap::new();
    let mut outside_session = 0;
    let mut events = 0u64;
    while let Some(event) = source.next_event()? {
        events += 1;
        if events.is_multiple_of(PROGRESS_EVENTS) {
            progress(source.progress());
        }
        let index = event.instrument.index();
        let Some(instrument) = instruments.get(index) else { continue };
        let ts = event.ts_exchange.0;
        let hours = session_of(instrument, ts);
        if !hours.contains(ts) {
            outside_session += 1;
            continue;
        }
        let day = (hours.open_ns / DAY_NS) as i64;
        let session = sessions
            .entry((index, day))
            .or_insert_with(|| empty(feed, instrument, hours, day, bucket_s));
        let offset_s = (ts - hours.open_ns) / NS_PER_S;
        session.covered_s.0 = session.covered_s.0.min(offset_s);
        session.covered_s.1 = session.covered_s.1.max(offset_s);
        let traded = event.visible_trade().map(|(qty, _)| instrument.qty_as_f64(qty));
        if let Some(volume) = traded {
            let bucket = (offset_s / bucket_s) as usize;
            session.volume[bucket] += volume;
            session.prints[bucket] += 1;
        }
        session.clock.event(offset_s, traded.unwrap_or(0.0));
    }
    Ok(Collected { sessions: sessions.into_values().collect(), outside_session })
}

fn session_of(instrument: &Instrument, ts: u64) -> Session {
    if instrument.session != Session::ALWAYS {
        return instrument.session;
    }
    let open_ns = ts - ts % DAY_NS;
    Session { open_ns, close_ns: open_ns.saturating_add(DAY_NS) }
}

fn empty(
    feed: &str,
    instrument: &Instrument,
    hours: Session,
    day: i64,
    bucket_s: u64,
) -> SessionVolume {
    let session_s = (hours.close_ns - hours.open_ns).div_ceil(NS_PER_S);
    let buckets = bounds(session_s, bucket_s).len();
    SessionVolume {
        feed: feed.to_string(),
        symbol: instrument.symbol.to_string(),
        day,
        open_ns: hours.open_ns,
        session_s,
        clock: EventClock::default(),
        volume: vec![0.0; buckets],
        prints: vec![0; buckets],
        covered_s: (u64::MAX, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ijk_core::{
        DepthKind, EventKind, ExchTs, InstrumentId, MarketEvent, Qty, RepairCounts, RowFlags,
        Symbol,
    };

    struct Fixed {
        instruments: Vec<Instrument>,
        events: std::vec::IntoIter<MarketEvent>,
    }

    impl EventSource for Fixed {
        fn instruments(&self) -> &[Instrument] {
            &self.instruments
        }
        fn depth_kind(&self, _: usize) -> DepthKind {
            DepthKind::L2
        }
        fn next_event(&mut self) -> Result<Option<MarketEvent>, FeedError> {
            Ok(self.events.next())
        }
        fn repairs(&self) -> RepairCounts {
            RepairCounts::default()
        }
    }

    fn event(kind: EventKind, instrument: u16, ts_s: u64, qty: i64) -> MarketEvent {
        MarketEvent {
            ts_exchange: ExchTs(ts_s * NS_PER_S),
            qty: Qty(qty),
            flags: RowFlags::ROW_END,
            ..MarketEvent::new(kind, InstrumentId(instrument))
        }
    }

    #[test]
    fn visible_volume_lands_in_its_bucket_session_and_day() {
        let hours = Session { open_ns: 1_000 * NS_PER_S, close_ns: 2_000 * NS_PER_S };
        let share = Instrument::us_equity(Symbol::new("AAA").unwrap());
        let bounded = Instrument { session: hours, ..share };
        let coin = Instrument { qty_unit_e9: 1, ..share };
        let events = vec![
            event(EventKind::Trade, 0, 999, 5),
            event(EventKind::Add, 0, 1_000, 9),
            event(EventKind::ExecVisible, 0, 1_099, 10),
            event(EventKind::ExecHidden, 0, 1_150, 70),
            event(EventKind::Trade, 0, 1_100, 20),
            event(EventKind::Trade, 0, 1_999, 30),
            event(EventKind::Trade, 0, 2_000, 5),
            event(EventKind::Trade, 1, 50, 2_000_000_000),
            event(EventKind::Trade, 1, 86_400 + 150, 500_000_000),
        ];
        let mut source = Fixed { instruments: vec![bounded, coin], events: events.into_iter() };
        let collected = collect("f", &mut source, 100, &mut |_| {}).unwrap();
        assert_eq!(collected.outside_session, 2);
        let [aaa, coin_0, coin_1] = &collected.sessions[..] else { panic!("{collected:?}") };
        assert_eq!((aaa.session_s, aaa.covered_s, aaa.volume.len()), (1_000, (0, 999), 10));
        assert_eq!((aaa.volume[0], aaa.volume[1], aaa.volume[9]), (10.0, 20.0, 30.0));
        assert_eq!(aaa.prints.iter().sum::<u64>(), 3);
        // Five events in the session: the add, two trades of 10 and 20, a hidden one, one of 30.
        assert_eq!((aaa.clock.events(), aaa.open_ns), (5, 1_000 * NS_PER_S));
        assert_eq!(aaa.clock.parts(1), [(1.0, 999)]);
        assert_eq!((coin_0.day, coin_1.day, coin_0.volume.len()), (0, 1, 864));
        assert_eq!((coin_0.volume[0], coin_1.volume[1]), (2.0, 0.5));
    }
}
