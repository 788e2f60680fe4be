//! Memory does not depend on the length of the input: one day against ten.

use ijk_core::{DepthKind, EventSource, ExchTs, RecvTs, Session};
use ijk_data::spec::{FeedSpec, open_feed};
use ijk_data::ticks::TickWriter;
use ijk_tests::{data, run_json};
use std::path::Path;

const DAY_NS: u64 = 86_400 * 1_000_000_000;
/// What the longer run may need more: thinner last row groups, footers, the allocator's mood.
const SLACK_BYTES: u64 = 24 << 20;

/// Writes `days` copies of a day, each a day later, for an instrument that trades around the
/// clock.
fn store_days(spec: &FeedSpec, days: u64, out: &Path) {
    let instruments: Vec<_> = {
        let source = open_feed(spec, 1).unwrap();
        let mut all = source.instruments().to_vec();
        all.iter_mut().for_each(|i| i.session = Session::ALWAYS);
        all
    };
    let depths = vec![DepthKind::L3; instruments.len()];
    let mut writer = TickWriter::create(out, &instruments, &depths, false).unwrap();
    let mut row_base = 0;
    for day in 0..days {
        let mut source = open_feed(spec, 1).unwrap();
        let mut row = 0;
        while let Some(mut ev) = source.next_event().unwrap() {
            ev.ts_exchange = ExchTs(ev.ts_exchange.0 + day * DAY_NS);
            ev.ts_receive = RecvTs(ev.ts_receive.0 + day * DAY_NS);
            row = ev.row + 1;
            ev.row += row_base;
            writer.push(&ev).unwrap();
        }
        row_base += row;
    }
    writer.finish(&ijk_core::RepairCounts::default()).unwrap();
}

fn peak_bytes(dir: &Path, file: &str, out: &str) -> (u64, u64) {
    let feed = format!("ticks:{file}");
    let summary = run_json(dir, &["live", "--feed", &feed, "--json", "--out", out]);
    assert_eq!(summary["allocs_after_warmup"], 0);
    (summary["peak_rss_bytes"].as_u64().unwrap(), summary["events"].as_u64().unwrap())
}

fn ten_days_need_no_more_than_one(spec: &FeedSpec) {
    let dir = tempfile::tempdir().unwrap();
    store_days(spec, 1, &dir.path().join("one.parquet"));
    store_days(spec, 10, &dir.path().join("ten.parquet"));
    let (one, rows) = peak_bytes(dir.path(), "one.parquet", "a");
    let (ten, all_rows) = peak_bytes(dir.path(), "ten.parquet", "b");
    assert_eq!(all_rows, 10 * rows);
    assert!(one < 200 << 20, "one day: {} MiB", one >> 20);
    assert!(ten < 200 << 20, "ten days: {} MiB", ten >> 20);
    assert!(ten < one + SLACK_BYTES, "one day {} MiB, ten {} MiB", one >> 20, ten >> 20);
}

#[test]
fn ten_synthetic_hours_need_no_more_than_one() {
    ten_days_need_no_more_than_one(&"synth:6:60".parse().unwrap());
}

#[test]
fn ten_days_of_goog_need_no_more_than_one() {
    let Some(zip) = data("lobster/LOBSTER_SampleFile_GOOG_2012-06-21_10.zip") else { return };
    ten_days_need_no_more_than_one(&format!("lobster:{}", zip.display()).parse().unwrap());
}
