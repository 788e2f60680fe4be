//! The tick store gives back what it took, and refuses what it did not write.

use ijk_core::{
    DepthKind, EventKind, EventSource, ExchTs, FeedErrorKind, Instrument, InstrumentId,
    MarketEvent, Px, Qty, RecvTs, RepairCounts, RowFlags, Side, Symbol,
};
use ijk_data::synth::{SynthConfig, SynthSource};
use ijk_data::ticks::{TickReader, TickWriteError, TickWriter, write_source};
use ijk_data::whole::OutputError;
use proptest::prelude::*;
use std::path::Path;

#[path = "ticks/damage.rs"]
mod damage;
#[path = "ticks/foreign.rs"]
mod foreign;

const KINDS: [EventKind; 15] = [
    EventKind::Clear,
    EventKind::Add,
    EventKind::Reduce,
    EventKind::Delete,
    EventKind::Modify,
    EventKind::ExecVisible,
    EventKind::ExecHidden,
    EventKind::Trade,
    EventKind::Fill,
    EventKind::LevelSet,
    EventKind::BestSet,
    EventKind::Status,
    EventKind::Gap,
    EventKind::Halt,
    EventKind::Resume,
];

fn instruments() -> Vec<Instrument> {
    ["AAA", "BBB"].map(|name| Instrument::us_equity(Symbol::new(name).expect("a symbol"))).to_vec()
}

const DEPTHS: [DepthKind; 2] = [DepthKind::L3, DepthKind::L2];

fn read_all(source: &mut dyn EventSource) -> Vec<MarketEvent> {
    let mut all = Vec::new();
    while let Some(event) = source.next_event().expect("a valid source") {
        all.push(event);
    }
    all
}

fn write(path: &Path, events: &[MarketEvent]) {
    let mut writer = TickWriter::create(path, &instruments(), &DEPTHS, false).expect("a new file");
    events.iter().for_each(|event| writer.push(event).expect("a valid event"));
    let repairs = RepairCounts { crossed_books: 3, stale_quotes: u64::MAX, ..Default::default() };
    let summary = writer.finish(&repairs).expect("written");
    assert_eq!(summary.records, events.len() as u64);
    assert_eq!(summary.bytes, path.metadata().expect("a file").len());
    let back = TickReader::open(path).expect("a tick file");
    assert_eq!((back.repairs(), back.record_count()), (repairs, events.len() as u64));
    assert_eq!(back.instruments(), instruments());
    assert_eq!([back.depth_kind(0), back.depth_kind(1)], DEPTHS);
}

fn any_event() -> impl Strategy<Value = MarketEvent> {
    let long = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>());
    (long, any::<i64>(), 0..=i64::MAX, 0u16..2, any::<u16>(), 0usize..15, any::<bool>()).prop_map(
        |((exchange, receive, row, order, sequence), px, qty, instrument, flags, kind, bid)| {
            MarketEvent {
                ts_exchange: ExchTs(exchange),
                ts_receive: RecvTs(receive),
                row,
                order_id: order,
                px: Px(px),
                qty: Qty(qty),
                sequence,
                flags: RowFlags(flags),
                side: if bid { Side::Bid } else { Side::Ask },
                ..MarketEvent::new(KINDS[kind], InstrumentId(instrument))
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_sequence_comes_back_as_it_was(mut events in prop::collection::vec(any_event(), 0..300)) {
        events.sort_by_key(|event| event.ts_receive);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("any.parquet");
        write(&path, &events);
        let back = read_all(&mut TickReader::open(&path).expect("a tick file"));
        prop_assert_eq!(back, events);
    }
}

/// More than two row groups.
fn long_session() -> Vec<MarketEvent> {
    let config = SynthConfig { symbols: 2, minutes: 200, ..SynthConfig::default() };
    let all = read_all(&mut SynthSource::new(&config).expect("valid settings"));
    assert!(all.len() > 2 << 16);
    all
}

#[test]
fn a_session_of_several_row_groups_comes_back_and_is_small() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("long.parquet");
    let all = long_session();
    write(&path, &all);
    assert_eq!(read_all(&mut TickReader::open(&path).expect("a tick file")), all);
    let bytes = path.metadata().expect("a file").len();
    assert!(bytes < all.len() as u64 * 20, "{bytes} bytes for {} records", all.len());
}

fn real_day_comes_back(format: &str, name: &str, records_min: u64) {
    let root = std::env::var("IJK_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data").to_string());
    let file = Path::new(&root).join(name);
    if !file.exists() {
        eprintln!("skipped: {} is not there", file.display());
        return;
    }
    let spec = format!("{format}:{}", file.display()).parse().expect("a feed");
    let mut source = ijk_data::open_feed(&spec, 0).expect("the sample opens");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("day.parquet");
    write_source(&mut source, &path, false, |_| ()).expect("written");
    let mut back = TickReader::open(&path).expect("a tick file");
    let mut again = ijk_data::open_feed(&spec, 0).expect("the sample opens");
    assert_eq!(back.instruments(), again.instruments());
    let mut records = 0;
    while let Some(event) = again.next_event().expect("the sample is valid") {
        assert_eq!(back.next_event().expect("a tick file"), Some(event));
        records += 1;
    }
    assert_eq!(back.next_event().expect("a tick file"), None);
    assert_eq!(back.repairs(), again.repairs());
    assert!(records >= records_min, "{records}");
    let bytes = path.metadata().expect("a file").len();
    assert!(bytes < records * 16, "{bytes} bytes for {records} records");
}

#[test]
fn a_real_day_comes_back() {
    real_day_comes_back("lobster", "lobster/LOBSTER_SampleFile_GOOG_2012-06-21_10.zip", 147_916);
}

#[test]
fn a_real_day_of_many_levels_a_row_comes_back() {
    real_day_comes_back("binance", "hftbacktest/usdm/btcusdt_20240808.gz", 466_836);
}

#[test]
fn nothing_is_overwritten_and_nothing_half_written_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.parquet");
    write(&path, &[]);
    let create = |force| TickWriter::create(&path, &instruments(), &DEPTHS, force);
    assert!(matches!(create(false), Err(TickWriteError::Output(OutputError::Exists(_)))));
    let before = std::fs::read(&path).expect("a file");
    drop(create(true).expect("forced"));
    assert_eq!(std::fs::read(&path).expect("a file"), before, "an unfinished file changes nothing");
    let mut forced = create(true).expect("forced");
    forced.push(&MarketEvent::new(EventKind::Status, InstrumentId(1))).expect("valid");
    forced.finish(&RepairCounts::default()).expect("written");
    assert_eq!(TickReader::open(&path).expect("a tick file").record_count(), 1);
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").collect();
    assert_eq!(left.len(), 1, "no temporary file stays: {left:?}");
}

#[test]
fn records_that_break_their_laws_are_not_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.parquet");
    let create = || TickWriter::create(&path, &instruments(), &DEPTHS, false).expect("new");
    let good = MarketEvent {
        ts_receive: RecvTs(5),
        ..MarketEvent::new(EventKind::Status, InstrumentId(0))
    };
    let cases = [
        ("qty", MarketEvent { qty: Qty(-1), ..good }),
        ("instrument", MarketEvent { instrument: InstrumentId(2), ..good }),
        ("ts_receive", MarketEvent { ts_receive: RecvTs(4), ..good }),
        ("reserved", MarketEvent { reserved: 1, ..good }),
    ];
    for (wanted, bad) in cases {
        let mut writer = create();
        writer.push(&good).expect("valid");
        match writer.push(&bad) {
            Err(TickWriteError::Event { record: 2, field, .. }) => assert_eq!(field, wanted),
            other => panic!("{wanted}: {other:?}"),
        }
    }
    let none = TickWriter::create(&path, &[], &[], false);
    assert!(matches!(none, Err(TickWriteError::Tables { .. })));
    assert!(!path.exists());
}

#[test]
fn files_that_are_no_tick_files_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.parquet");
    let kind = || TickReader::open(&path).map(|_| ()).unwrap_err().kind;
    assert_eq!(kind(), FeedErrorKind::Io);
    for bytes in [&b""[..], b"PAR1", b"PAR1PAR1", b"hello, world, this is no parquet", &[0; 999]] {
        std::fs::write(&path, bytes).expect("written");
        assert_eq!(kind(), FeedErrorKind::Truncated, "{bytes:?}");
    }
}

/// Reads to the end or the first error.
fn drain(path: &Path) -> Result<u64, ijk_core::FeedError> {
    let mut reader = TickReader::open(path)?;
    let mut records = 0;
    while reader.next_event()?.is_some() {
        records += 1;
    }
    Ok(records)
}
