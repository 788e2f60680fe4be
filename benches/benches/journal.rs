//! `journal.append`: one market record encoded as a frame (checksum) and appended by plain writes:
//! the copy into the block, and its share of hashing and of the system's write of every full block.
//! Nothing waits for the device. Files of 65,536 frames, each begun anew; opening is not measured.

use criterion::{Criterion, criterion_group, criterion_main};
use ijk_benches::Session;
use ijk_core::MarketEvent;
use ijk_core::config::{JournalBackend, JournalConfig};
use ijk_journal::{MAGIC, Reader, Writer, encode_record, frame_bytes};
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Frames of one file.
const FRAMES: usize = 1 << 16;
const FRAME_BYTES: usize = frame_bytes(size_of::<MarketEvent>());

fn create(path: &Path) -> Writer {
    let settings = JournalConfig { backend: JournalBackend::Plain, ..JournalConfig::default() };
    Writer::create(path, &settings).expect("a new file in a temporary folder")
}

fn append(writer: &mut Writer, events: &[MarketEvent]) {
    let mut buffer = [0; FRAME_BYTES];
    for (seq, event) in events.iter().enumerate() {
        let bytes = encode_record(&mut buffer, seq as u64, event.ts_receive.0, black_box(event));
        writer.append_bytes(&buffer[..bytes]).expect("the disk takes it");
    }
}

/// What was appended reads back, record for record.
fn check(folder: &TempDir, events: &[MarketEvent]) {
    let path = folder.path().join("checked.ijkj");
    let mut writer = create(&path);
    append(&mut writer, events);
    let finished = writer.finish().expect("the disk takes it");
    assert_eq!(finished.bytes, (MAGIC.len() + events.len() * FRAME_BYTES) as u64);
    let mut reader = Reader::open(&path).expect("a journal");
    for event in events {
        let frame = reader.next().expect("sound").expect("as many as were written");
        assert_eq!(frame.read::<MarketEvent>().expect("a market record"), *event);
    }
    assert!(reader.next().expect("a clean end").is_none());
}

/// Returns the time of `count` appends.
fn time(folder: &TempDir, events: &[MarketEvent], count: u64) -> Duration {
    let path = folder.path().join("timed.ijkj");
    let (mut left, mut total) = (count as usize, Duration::ZERO);
    while left > 0 {
        let n = left.min(FRAMES);
        let mut writer = create(&path);
        let start = Instant::now();
        for chunk in 0..n / events.len() {
            black_box(chunk);
            append(&mut writer, events);
        }
        append(&mut writer, &events[..n % events.len()]);
        total += start.elapsed();
        drop(writer);
        std::fs::remove_file(&path).expect("this bench's own file");
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
