//! What is written is read back, through either backend, in whatever pieces it came.

use ijk_core::config::{JournalBackend, JournalConfig};
use ijk_core::limits::RECORD_PAYLOAD_BYTES_MAX;
use ijk_core::record::RecordKind;
use ijk_journal::{JournalError, Reader, Writer, encode_frame, frame_bytes};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::Path;

fn config(backend: JournalBackend, block_bytes: usize) -> JournalConfig {
    JournalConfig { backend, block_bytes }
}

/// Frames with pseudo-random lengths, up to the largest now and then.
fn frames(count: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut state = 7u64;
    for seq in 0..count {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let len = match seq % 97 {
            96 => RECORD_PAYLOAD_BYTES_MAX,
            _ => (state >> 33) as usize % 700,
        };
        let payload: Vec<u8> = (0..len).map(|i| (i as u64 ^ (state >> 20)) as u8).collect();
        let start = bytes.len();
        bytes.resize(start + frame_bytes(len), 0);
        encode_frame(&mut bytes[start..], seq, seq * 10, RecordKind::Market, &payload);
    }
    bytes
}

fn count_frames(path: &Path) -> Result<u64, JournalError> {
    let mut reader = Reader::open(path)?;
    let mut count = 0;
    while reader.next()?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// The backends this system has.
fn backends() -> Vec<JournalBackend> {
    let dir = tempfile::tempdir().unwrap();
    let uring = config(JournalBackend::Uring, 4096);
    match Writer::create(&dir.path().join("probe"), &uring) {
        Ok(_) => vec![JournalBackend::Plain, JournalBackend::Uring],
        Err(e) => {
            eprintln!("io_uring not tested: {e}");
            vec![JournalBackend::Plain]
        }
    }
}

#[test]
fn backends_blocks_pieces_and_flushes_leave_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let frames = frames(3_000);
    let whole = [&ijk_journal::MAGIC[..], &frames[..]].concat();
    let mut runs = 0;
    for backend in backends() {
        for (block_bytes, piece, flush_every) in
            [(4096, 88, 0), (4096, 100_000, 7), (1 << 18, 331, 1_000), (1 << 16, usize::MAX, 0)]
        {
            let path = dir.path().join(format!("{runs}.ijkj"));
            let mut writer = Writer::create(&path, &config(backend, block_bytes)).unwrap();
            for (i, chunk) in frames.chunks(piece.min(frames.len())).enumerate() {
                writer.append_bytes(chunk).unwrap();
                if flush_every > 0 && i % flush_every == 0 {
                    writer.flush().unwrap();
                    assert_eq!(std::fs::metadata(&path).unwrap().len(), writer.bytes());
                }
            }
            let finished = writer.finish().unwrap();
            assert_eq!(finished.bytes, whole.len() as u64);
            assert!(std::fs::read(&path).unwrap() == whole, "{backend:?} {block_bytes}");
            assert_eq!(finished.sha256[..], Sha256::digest(&whole)[..]);
            assert_eq!(count_frames(&path).unwrap(), 3_000);
            runs += 1;
        }
    }
    assert!(runs >= 4);
}

#[test]
fn an_empty_journal_is_valid() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("empty.ijkj");
    let finished = Writer::create(&path, &JournalConfig::default()).unwrap().finish().unwrap();
    assert_eq!(finished.bytes, 8);
    // printf IJKJ0001 | sha256sum
    assert_eq!(
        finished.sha256_hex(),
        "60a7d4f8b95dc1c6760ec87363e84c7ff036af545f6ad905fc39884733778b2c"
    );
    assert_eq!(count_frames(&path).unwrap(), 0);
}

#[test]
fn a_full_device_is_an_error_and_stays_one() {
    for backend in backends() {
        let Ok(full) = File::options().write(true).open("/dev/full") else {
            eprintln!("skipped: no /dev/full");
            return;
        };
        let mut writer = Writer::from_file(full, &config(backend, 4096)).unwrap();
        let frames = frames(200);
        let error = frames.chunks(500).find_map(|c| writer.append_bytes(c).err());
        let Some(JournalError::Write { source, .. }) = error else {
            panic!("{backend:?}: {error:?}");
        };
        assert_eq!(source.raw_os_error(), Some(28), "ENOSPC");
        assert!(matches!(writer.append_bytes(b"x"), Err(JournalError::AfterFailure)));
        assert!(matches!(writer.finish(), Err(JournalError::AfterFailure)));
    }
}

#[test]
fn a_write_that_fails_last_fails_finish() {
    for backend in backends() {
        let Ok(full) = File::options().write(true).open("/dev/full") else { return };
        let writer = Writer::from_file(full, &config(backend, 4096)).unwrap();
        assert!(matches!(writer.finish(), Err(JournalError::Write { .. })));
    }
}

#[test]
fn a_failed_sync_is_an_error() {
    // The null device takes bytes but cannot be forced to keep them.
    let Ok(null) = File::options().write(true).open("/dev/null") else { return };
    let writer = Writer::from_file(null, &config(JournalBackend::Plain, 4096)).unwrap();
    assert!(matches!(writer.finish(), Err(JournalError::Sync { .. })));
}

#[test]
fn journals_are_never_overwritten_and_bad_blocks_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.ijkj");
    Writer::create(&path, &JournalConfig::default()).unwrap().finish().unwrap();
    let again = Writer::create(&path, &JournalConfig::default());
    assert!(matches!(again, Err(JournalError::Open { .. })));
    for block_bytes in [0, 1, 4095, 6000, (1 << 28) + 4096] {
        let file = tempfile::tempfile().unwrap();
        let refused = Writer::from_file(file, &config(JournalBackend::Auto, block_bytes));
        assert!(matches!(refused, Err(JournalError::BlockBytes { .. })), "{block_bytes}");
    }
}

#[test]
fn a_dropped_writer_leaves_all_it_was_given() {
    for backend in backends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.ijkj");
        let mut writer = Writer::create(&path, &config(backend, 4096)).unwrap();
        writer.append_bytes(&frames(100)).unwrap();
        drop(writer);
        assert_eq!(count_frames(&path).unwrap(), 100);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn frames_round_trip(
        records in proptest::collection::vec(
            (any::<u64>(), 0u8..6, proptest::collection::vec(any::<u8>(), 0..1_500)),
            0..60,
        ),
        pieces in proptest::collection::vec(1usize..9_000, 1..20),
    ) {
        let mut bytes = Vec::new();
        for (seq, (ts, kind, payload)) in records.iter().enumerate() {
            let start = bytes.len();
            bytes.resize(start + frame_bytes(payload.len()), 0x55);
            let kind = RecordKind::from_raw(*kind).unwrap();
            encode_frame(&mut bytes[start..], seq as u64, *ts, kind, payload);
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.ijkj");
        let mut writer = Writer::create(&path, &config(JournalBackend::Auto, 4096)).unwrap();
        let mut rest = &bytes[..];
        for piece in pieces.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (head, tail) = rest.split_at(rest.len().min(*piece));
            writer.append_bytes(head).unwrap();
            rest = tail;
        }
        writer.flush().unwrap();
        let mut reader = Reader::open(&path).unwrap();
        for (ts, kind, payload) in &records {
            let frame = reader.next().unwrap().unwrap();
            prop_assert_eq!((frame.ts, frame.kind as u8), (*ts, *kind));
            prop_assert_eq!(frame.payload, &payload[..]);
        }
        prop_assert!(reader.next().unwrap().is_none());
        prop_assert_eq!(reader.offset(), writer.bytes());
    }
}
