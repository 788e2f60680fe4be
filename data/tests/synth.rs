//! Laws of synthetic sessions: the book they imply, reproducibility, predictability.

mod synth_support;

use ijk_core::num::E9;
use ijk_core::{EventKind, EventSource, MarketEvent, RowFlags, Side};
use ijk_data::synth::stats::{LevelBook, session_stats};
use ijk_data::synth::{SESSION_OPEN_NS, SynthConfig, SynthError, SynthSource};
use std::collections::BTreeMap;

fn events(config: &SynthConfig) -> Vec<MarketEvent> {
    let mut source = SynthSource::new(config).expect("valid settings");
    let mut all = Vec::new();
    while let Some(event) = source.next_event().expect("no errors") {
        all.push(event);
    }
    all
}

#[test]
fn every_record_fits_the_book_before_it() {
    for seed in 0..4 {
        let config = SynthConfig { seed, minutes: 60, ..SynthConfig::default() };
        let (mut book, mut last) = (LevelBook::default(), (0, 0));
        let mut orders: BTreeMap<u64, (Side, i64, i64)> = BTreeMap::new();
        let mut queues: BTreeMap<(Side, i64), Vec<u64>> = BTreeMap::new();
        for event in events(&config) {
            let place = (event.side, event.px.0);
            assert!(event.qty.0 > 0 && event.px.0 > 0 && event.px.0 % (E9 / 100) == 0);
            assert!((event.row, event.ts_receive.0) >= last, "rows and times never decrease");
            assert_eq!(event.ts_exchange.0, event.ts_receive.0);
            last = (event.row, event.ts_receive.0);
            match event.kind {
                EventKind::Add => {
                    let old = orders.insert(event.order_id, (event.side, event.px.0, event.qty.0));
                    assert!(old.is_none() && event.order_id > 0, "order ids are unique");
                    queues.entry(place).or_default().push(event.order_id);
                }
                EventKind::Reduce | EventKind::Delete | EventKind::ExecVisible => {
                    let order = orders.get_mut(&event.order_id).expect("only known orders change");
                    assert_eq!((order.0, order.1), place);
                    order.2 -= event.qty.0;
                    let left = order.2;
                    let queue = queues.get_mut(&place).expect("a known order has a queue");
                    match event.kind {
                        EventKind::Delete => assert_eq!(left, 0, "a delete takes what is left"),
                        EventKind::Reduce => assert!(left > 0, "a reduce leaves something"),
                        _ => {
                            assert!(left >= 0 && queue[0] == event.order_id, "oldest first");
                            let best = book.level(event.side, 0).expect("a side to trade with");
                            assert_eq!(best.0, event.px, "executions take the best price");
                        }
                    }
                    if left == 0 {
                        queue.retain(|&id| id != event.order_id);
                        orders.remove(&event.order_id);
                    }
                }
                EventKind::ExecHidden => {
                    let ((bid, _), (ask, _)) = book.best().expect("two sides");
                    assert!(bid <= event.px && event.px <= ask, "hidden orders trade inside");
                }
                other => panic!("unexpected kind {other:?}"),
            }
            book.apply(&event);
            if event.ends_row() {
                let ((bid, _), (ask, _)) = book.best().expect("both sides at every row");
                assert!(bid < ask, "never crossed or locked");
                assert!(book.bids.len() >= 5 && book.asks.len() >= 5, "five levels at every row");
            }
        }
    }
}

#[test]
fn snapshots_come_first_and_every_row_is_one_record() {
    let config = SynthConfig { symbols: 3, minutes: 5, ..SynthConfig::default() };
    let all = events(&config);
    let whole = RowFlags::ROW_END.with(RowFlags::BOOK_END);
    let snapshot = RowFlags::SNAPSHOT.with(RowFlags::DERIVED);
    let first = all.iter().position(|event| event.flags == whole).expect("rows");
    assert!(all[..first].iter().all(|e| e.flags == snapshot && e.ts_receive.0 == SESSION_OPEN_NS));
    for (row, event) in all[first..].iter().enumerate() {
        assert_eq!((event.flags, event.row), (whole, row as u64));
    }
    let source = SynthSource::new(&config).expect("valid settings");
    let names: Vec<&str> = source.instruments().iter().map(|i| i.symbol.as_str()).collect();
    assert_eq!(names, ["SYN0", "SYN1", "SYN2"]);
    let session = source.instruments()[0].session;
    assert_eq!(session.close_ns - session.open_ns, 23_400 * E9 as u64);
    assert!(all.iter().all(|event| session.contains(event.ts_exchange.0)));
}

/// FNV-1a over the records' fields in the order of their bytes.
fn digest(all: &[MarketEvent]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for e in all {
        let small = u64::from(e.instrument.0)
            | u64::from(e.flags.0) << 16
            | (e.kind as u64) << 32
            | (e.side as u64) << 40
            | u64::from(e.reserved) << 48;
        let (px, qty) = (e.px.0 as u64, e.qty.0 as u64);
        let times = [e.ts_exchange.0, e.ts_receive.0];
        for word in times.into_iter().chain([e.row, e.order_id, px, qty, e.sequence, small]) {
            for byte in word.to_le_bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
    }
    hash
}

#[test]
fn the_same_seed_gives_the_same_bytes_for_ever() {
    let config = SynthConfig { seed: 42, minutes: 10, symbols: 2, signal_strength: 1.0 };
    let all = events(&config);
    assert_eq!(digest(&all), digest(&events(&config)));
    // A change of this number changes every published figure: raise it only on purpose.
    assert_eq!((all.len(), digest(&all)), GOLDEN, "the generator has changed");
    assert_ne!(digest(&all), digest(&events(&SynthConfig { seed: 43, ..config })));
}

const GOLDEN: (usize, u64) = (14_513, 15_638_884_742_539_916_836);

#[test]
fn fewer_minutes_and_fewer_symbols_are_parts_of_the_larger_session() {
    let config = SynthConfig { seed: 3, minutes: 6, symbols: 3, signal_strength: 1.0 };
    let all = events(&config);
    let short = events(&SynthConfig { minutes: 2, ..config });
    assert_eq!(all[..short.len()], short[..]);
    let one = events(&SynthConfig { symbols: 1, ..config });
    let strip = |event: &MarketEvent| MarketEvent { row: 0, ..*event };
    let of_first: Vec<_> = all.iter().filter(|e| e.instrument.0 == 0).map(strip).collect();
    assert_eq!(of_first, one.iter().map(strip).collect::<Vec<_>>());
}

#[test]
fn settings_outside_their_range_are_refused() {
    let default = SynthConfig::default();
    let refused = |config: SynthConfig| SynthSource::new(&config).map(|_| ()).unwrap_err();
    assert_eq!(refused(SynthConfig { minutes: 0, ..default }), SynthError::Minutes(0));
    assert_eq!(refused(SynthConfig { minutes: 391, ..default }), SynthError::Minutes(391));
    assert_eq!(refused(SynthConfig { symbols: 0, ..default }), SynthError::Symbols(0));
    assert_eq!(refused(SynthConfig { symbols: 65, ..default }), SynthError::Symbols(65));
    let nan = SynthConfig { signal_strength: f64::NAN, ..default };
    assert!(matches!(refused(nan), SynthError::SignalStrength(_)));
}

#[test]
fn a_whole_day_is_of_the_class_of_a_liquid_share() {
    for seed in [11, 12, 13] {
        let config = SynthConfig { seed, ..SynthConfig::default() };
        let mut source = SynthSource::new(&config).expect("valid settings");
        let day = session_stats(&mut source).expect("no errors").remove(0);
        assert!((120_000..200_000).contains(&day.rows), "{day:?}");
        assert_eq!(day.crossed_rows, 0);
        assert!((1.0..=3.0).contains(&day.spread_ticks.1), "median spread: {day:?}");
        assert!(day.spread_bps.0 < 4.0 && day.gap_cv > 1.3, "{day:?}");
        assert!(day.count_autocorrelation > 0.1 && day.return_kurtosis > 0.5, "{day:?}");
        let volume = &day.volume_by_half_hour;
        assert!(volume[0] > 1.5 * volume[6] && volume[12] > volume[6], "{day:?}");
    }
}

#[test]
fn the_forecastable_part_is_there_and_goes_with_its_strength() {
    let with = synth_support::measure(&[101, 102], &[201, 202], 1.0);
    assert!((0.08..0.25).contains(&with.r2), "{with:?}");
    assert!((2.0..4.5).contains(&with.forecast_std_bps), "{with:?}");
    let without = synth_support::measure(&[101, 102], &[201, 202], 0.0);
    assert!(with.label_std_bps > without.label_std_bps, "the drift moves prices");
    assert!(with.above_2_bps > 0.2, "{with:?}");
    let ofi = with.correlations.iter().find(|c| c.0 == "ofi5").expect("a feature");
    assert!(ofi.1 > 0.2, "the signal shows in the order flow: {with:?}");
    assert!(without.forecast_std_bps < 0.6 * with.forecast_std_bps, "{without:?}");
}

/// The figures of the module's documentation:
/// `cargo test --release -p ijk-data --test synth -- --ignored --nocapture`.
#[test]
#[ignore = "prints the measured predictability; the law is tested above"]
fn measured_predictability() {
    let (train, test): (Vec<u64>, Vec<u64>) = ((101..109).collect(), (201..209).collect());
    println!("{:#?}", synth_support::measure(&train, &test, 1.0));
    println!("without signal: {:#?}", synth_support::measure(&train, &test, 0.0));
}
