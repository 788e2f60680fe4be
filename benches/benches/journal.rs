//! `journal.append`: one market record encoded as a frame (checksum, hash) and appended by plain
//! writes: the copy into the group, and its share of the system's write of every full group.
//! Nothing waits for the device. Journals of 65,536 records, each begun anew; opening is not
//! measured.

use criterion::{Criterion, criterion_group, criterion_main};
use ijk_benches::Session;
use ijk_core::MarketEvent;
use ijk_core::config::{JournalBackend, JournalConfig};
use ijk_journal::{Durability, Reader, RecoveryMode, Writer};
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Records of one journal.
const RECORDS: usize = 1 << 16;

fn create(dir: &Path) -> Writer {
    let settings = JournalConfig { backend: JournalBackend::Plain, ..JournalConfig::default() };
    std::fs::create_dir(dir).expect("a new folder in a temporary folder");
    Writer::create(dir, &settings, Durability::Buffered).expect("a new journal")
}

fn append(writer: &mut Writer, events: &[MarketEvent]) {
    for event in events {
        writer.append_record(event.ts_receive.0, black_box(event)).expect("the disk takes it");
    }
}

/// What was appended reads back, record for record.
fn check(folder: &TempDir, events: &[MarketEvent]) {
    let path = folder.path().join("checked");
    let mut writer = create(&path);
    append(&mut writer, events);
    let finished = writer.finish().expect("the disk takes it");
    assert_eq!(finished.records, events.len() as u64);
    let mut reader = Reader::open(&path, RecoveryMode::Strict).expect("a journal");
    for event in events {
        let frame = reader.next().expect("sound").expect("as many as were written");
        assert_eq!(frame.read::<MarketEvent>().expect("a market record"), *event);
    }
    assert!(reader.next().expect("a clean end").is_none());
}

/// Returns the time of `count` appends.
fn time(folder: &TempDir, events: &[MarketEvent], count: u64) -> Duration {
    let path = folder.path().join("timed");
    let (mut left, mut total) = (count as usize, Duration::ZERO);
    while left > 0 {
        let n = left.min(RECORDS);
        let mut writer = create(&path);
        let start = Instant::now();
        for chunk in 0..n / events.len() {
            black_box(chunk);
            append(&mut writer, events);
        }
        append(&mut writer, &events[..n % events.len()]);
        total += start.elapsed();
        drop(writer);
        std::fs::remove_dir_all(&path).expect("this bench's own folder");
        left -= n;
    }
    total
}

fn journal_append(c: &mut Criterion) {
    let session = Session::synthetic(2);
    let folder = tempfile::tempdir().expect("a temporary folder");
    check(&folder, &session.events);
    c.bench_function("journal.append", |b| {
        b.iter_custom(|count| time(&folder, &session.events, count))
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(2));
    targets = journal_append
}
criterion_main!(benches);
