//! From a feed's name to its events.

mod common;

use common::real;
use ijk_core::{EventSource, FeedErrorKind};
use ijk_data::{FeedSpec, open_feed, open_feeds};

fn fails(spec: &str) -> (FeedErrorKind, String) {
    let e = open_feed(&spec.parse().unwrap(), 1).err().unwrap();
    (e.kind, e.to_string())
}

#[test]
fn feeds_without_events_and_without_files_say_so() {
    let (kind, text) = fails("bars:x.csv");
    assert!(kind == FeedErrorKind::Format && text.contains("bars carry no events"), "{text}");
    assert_eq!(fails("ibkr").0, FeedErrorKind::Format);
    for spec in [
        "lobster:absent.zip",
        "lobster:a.csv,b.csv",
        "dbn:absent",
        "databento:absent",
        "binance:absent",
        "ticks:absent",
    ] {
        let (kind, text) = fails(spec);
        assert!(kind == FeedErrorKind::Io && text.contains("cannot be opened"), "{text}");
    }
    assert!(fails("synth:1:1000").1.contains("minutes"));
}

#[test]
fn a_synthetic_feed_takes_the_runs_seed_unless_it_names_one() {
    let first = |spec: &str, seed: u64| {
        let mut source = open_feed(&spec.parse().unwrap(), seed).unwrap();
        let mut events = Vec::new();
        for _ in 0..500 {
            events.push(source.next_event().unwrap());
        }
        (events, source.instruments().len())
    };
    assert_eq!(first("synth::2", 7).0, first("synth:7:2", 1).0);
    assert_ne!(first("synth::2", 7).0, first("synth::2", 8).0);
    assert_eq!(first("synth:1:1:3", 1).1, 3);
}

#[test]
fn several_feeds_come_in_one_order() {
    let files = [
        ("lobster", "lobster/LOBSTER_SampleFile_AAPL_2012-06-21_1.zip"),
        ("lobster", "lobster/LOBSTER_SampleFile_GOOG_2012-06-21_1.zip"),
        ("databento", "databento_equity/ARL_xnas_mbo_20250717.csv.gz"),
    ];
    let mut specs: Vec<FeedSpec> = Vec::new();
    for (kind, file) in files {
        let Some(path) = real(file) else { return };
        specs.push(format!("{kind}:{}", path.display()).parse().unwrap());
    }
    let mut source = open_feeds(&specs, 1).unwrap();
    let names: Vec<&str> = source.instruments().iter().map(|i| i.symbol.as_str()).collect();
    assert_eq!(names, ["AAPL", "GOOG", "ARL"]);
    let (mut rows, mut last) = ([0u64; 3], 0);
    while let Some(e) = source.next_event().unwrap() {
        assert!(e.ts_receive.0 >= last);
        last = e.ts_receive.0;
        rows[e.instrument.index()] += u64::from(e.ends_row());
    }
    assert_eq!(rows, [118_497, 49_482, 5_886]);
    let (read, total) = source.progress().unwrap();
    assert_eq!(read, total);
    let twice = [specs[0].clone(), specs[0].clone()];
    let e = open_feeds(&twice, 1).err().unwrap();
    assert!(e.detail.contains("AAPL also comes from lobster:"), "{e}");
}
