//! What several tests need.
#![allow(dead_code)] // each test file uses some of it

use ijk_core::config::{JournalBackend, JournalConfig};
use ijk_core::limits::RECORD_PAYLOAD_BYTES_MAX;
use ijk_core::record::RecordKind;
use ijk_journal::{Durability, JournalError, Reader, RecoveryMode, Storage, Writer};
use std::path::Path;

/// Time, kind, payload.
pub type Record = (u64, RecordKind, Vec<u8>);

/// Small segments through `backend`.
pub fn config(backend: JournalBackend) -> JournalConfig {
    JournalConfig { backend, block_bytes: 4096, segment_bytes: 1 << 16 }
}

/// Records with pseudo-random lengths, one of the greatest length now and then.
pub fn records(count: u64, len_max: usize) -> Vec<Record> {
    let mut state = 7u64;
    (0..count)
        .map(|i| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let len = match i % 997 {
                996 => RECORD_PAYLOAD_BYTES_MAX,
                _ => (state >> 33) as usize % len_max,
            };
            let payload = (0..len).map(|j| (j as u64 ^ (state >> 20)) as u8).collect();
            (i * 10, RecordKind::Market, payload)
        })
        .collect()
}

/// Appends all; commits after every `commit_every` records, never for 0.
pub fn write_all<S: Storage>(writer: &mut Writer<S>, records: &[Record], commit_every: usize) {
    for (i, (ts, kind, payload)) in records.iter().enumerate() {
        writer.append(*ts, *kind, payload).unwrap();
        if commit_every > 0 && i % commit_every == 0 {
            writer.commit().unwrap();
        }
    }
    writer.commit().unwrap();
}

/// Reads what is there, a torn tail tolerated.
pub fn read_dir(dir: &Path) -> Result<Vec<Record>, JournalError> {
    let mut reader = Reader::open(dir, RecoveryMode::TornTail)?;
    let mut found = Vec::new();
    while let Some(frame) = reader.next()? {
        assert_eq!(frame.seq, found.len() as u64);
        found.push((frame.ts, frame.kind, frame.payload.to_vec()));
    }
    Ok(found)
}

/// The backends this system has.
pub fn backends() -> Vec<JournalBackend> {
    let dir = tempfile::tempdir().unwrap();
    match Writer::create(dir.path(), &config(JournalBackend::Uring), Durability::Buffered) {
        Ok(_) => vec![JournalBackend::Plain, JournalBackend::Uring],
        Err(e) => {
            eprintln!("io_uring not tested: {e}");
            vec![JournalBackend::Plain]
        }
    }
}
