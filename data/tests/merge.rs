//! Merging: equals a stable sort by receive time; instruments are renumbered; doubles refused.

mod common;

use ijk_core::{
    DepthKind, EventKind, EventSource, FeedError, FeedErrorKind, Instrument, InstrumentId,
    MarketEvent, RecvTs, RepairCounts, Symbol,
};
use ijk_data::merge::MergedSource;
use proptest::prelude::*;

/// A source of given records that fails at its end if told to.
struct Fixed {
    instruments: Vec<Instrument>,
    events: std::vec::IntoIter<MarketEvent>,
    fails: bool,
}

impl Fixed {
    fn new(symbols: &[&str], times: &[u64]) -> Fixed {
        let instruments =
            symbols.iter().map(|s| Instrument::us_equity(Symbol::new(s).unwrap())).collect();
        let event = |(i, &ts): (usize, &u64)| {
            let id = InstrumentId((i % symbols.len()) as u16);
            let mut e = MarketEvent::new(EventKind::Status, id);
            e.ts_receive = RecvTs(ts);
            e.row = i as u64;
            e
        };
        let events: Vec<MarketEvent> = times.iter().enumerate().map(event).collect();
        Fixed { instruments, events: events.into_iter(), fails: false }
    }
}

impl EventSource for Fixed {
    fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }
    fn depth_kind(&self, index: usize) -> DepthKind {
        if index == 0 { DepthKind::L3 } else { DepthKind::L2 }
    }
    fn next_event(&mut self) -> Result<Option<MarketEvent>, FeedError> {
        match self.events.next() {
            None if self.fails => Err(FeedError {
                kind: FeedErrorKind::Truncated,
                file: "f".into(),
                line: 9,
                field: String::new(),
                detail: "cut".into(),
            }),
            event => Ok(event),
        }
    }
    fn repairs(&self) -> RepairCounts {
        RepairCounts { time_reversals: 2, ..RepairCounts::default() }
    }
    fn progress(&self) -> Option<(u64, u64)> {
        Some((1, 10))
    }
}

fn merged(parts: Vec<(&str, Fixed)>) -> Result<MergedSource, FeedError> {
    MergedSource::new(
        parts
            .into_iter()
            .map(|(n, s)| (n.to_string(), Box::new(s) as Box<dyn EventSource>))
            .collect(),
    )
}

#[test]
fn instruments_are_numbered_through() {
    let parts = vec![("a", Fixed::new(&["A", "B"], &[1, 4])), ("b", Fixed::new(&["C"], &[2, 4]))];
    let mut source = merged(parts).unwrap();
    let names: Vec<&str> = source.instruments().iter().map(|i| i.symbol.as_str()).collect();
    assert_eq!(names, ["A", "B", "C"]);
    let depths: Vec<DepthKind> = (0..3).map(|i| source.depth_kind(i)).collect();
    assert_eq!(depths, [DepthKind::L3, DepthKind::L2, DepthKind::L3]);
    let ids: Vec<u16> = common::drain(&mut source).iter().map(|e| e.instrument.0).collect();
    assert_eq!(ids, [0, 2, 1, 2]);
    assert_eq!(source.repairs().time_reversals, 4);
    assert_eq!(source.progress(), Some((2, 20)));
}

#[test]
fn doubles_and_too_many_are_refused() {
    let parts = vec![("a.csv", Fixed::new(&["A"], &[])), ("b.csv", Fixed::new(&["A"], &[]))];
    let e = merged(parts).err().unwrap();
    assert_eq!(e.kind, FeedErrorKind::Inconsistent);
    assert!(e.file == "b.csv" && e.detail.contains("a.csv") && e.detail.contains('A'), "{e}");
    let names: Vec<String> = (0..65).map(|i| format!("S{i}")).collect();
    let feed = |range: std::ops::Range<usize>| {
        let names: Vec<&str> = names[range].iter().map(String::as_str).collect();
        Fixed::new(&names, &[])
    };
    assert!(merged(vec![("a", feed(0..40)), ("b", feed(40..64))]).is_ok());
    let e = merged(vec![("a", feed(0..40)), ("b", feed(40..65))]).err().unwrap();
    assert_eq!(e.kind, FeedErrorKind::Range);
}

#[test]
fn an_error_comes_after_the_last_good_record() {
    let mut bad = Fixed::new(&["A"], &[1, 3]);
    bad.fails = true;
    let mut source = merged(vec![("a", bad), ("b", Fixed::new(&["B"], &[2, 9]))]).unwrap();
    let mut times = Vec::new();
    let e = loop {
        match source.next_event() {
            Ok(Some(e)) => times.push(e.ts_receive.0),
            Ok(None) => panic!("the error is lost"),
            Err(e) => break e,
        }
    };
    assert_eq!((times, e.line), (vec![1, 2, 3], 9));
}

proptest! {
    #[test]
    fn a_merge_is_a_stable_sort(
        mut times in proptest::collection::vec(proptest::collection::vec(0u64..20, 0..30), 1..5),
    ) {
        let names = ["A", "B", "C", "D", "E"];
        let mut all = Vec::new();
        let mut parts = Vec::new();
        for (i, times) in times.iter_mut().enumerate() {
            times.sort_unstable();
            let name = [names[i]];
            all.extend(times.iter().enumerate().map(|(row, &ts)| (ts, i as u16, row as u64)));
            parts.push((names[i], Fixed::new(&name, times)));
        }
        all.sort_by_key(|&(ts, _, _)| ts);
        let mut source = merged(parts).unwrap();
        let got: Vec<(u64, u16, u64)> = common::drain(&mut source)
            .iter()
            .map(|e| (e.ts_receive.0, e.instrument.0, e.row))
            .collect();
        prop_assert_eq!(got, all);
    }
}
