//! What is written is read back, through either backend, in whatever groups and segments.

mod common;

use common::{Record, backends, config, read_dir, records, write_all};
use ijk_core::config::{JournalBackend, JournalConfig};
use ijk_core::record::{ControlCommand, RecordKind};
use ijk_core::{EventKind, InstrumentId, MarketEvent};
use ijk_journal::{
    Durability, FsStorage, JournalError, ReadStorage, Reader, RecoveryMode, Storage, StreamHasher,
    Tail, Writer, WriterOptions, recover,
};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use zerocopy::TryFromBytes;

/// The hash by its definition, put together here.
fn defined_hash(records: &[Record]) -> [u8; 32] {
    let mut bytes = Vec::new();
    for (seq, (ts, kind, payload)) in records.iter().enumerate() {
        bytes.extend_from_slice(&(seq as u64).to_le_bytes());
        bytes.extend_from_slice(&ts.to_le_bytes());
        bytes.extend_from_slice(&(*kind as u32).to_le_bytes());
        bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        bytes.extend_from_slice(payload);
    }
    Sha256::digest(bytes).into()
}

#[test]
fn backends_groups_and_segments_leave_the_same_records_and_hash() {
    let records = records(3_000, 700);
    let expected = defined_hash(&records);
    let mut runs = 0;
    for backend in backends() {
        for durability in [Durability::Strict, Durability::Buffered] {
            for (block_bytes, segment_bytes, commit_every) in
                [(4096, 1 << 16, 0), (4096, 1 << 20, 700), (1 << 18, 1 << 17, 13)]
            {
                let dir = tempfile::tempdir().unwrap();
                let config = JournalConfig { backend, block_bytes, segment_bytes };
                let mut writer = Writer::create(dir.path(), &config, durability).unwrap();
                assert_eq!(
                    writer.storage().backend_name(),
                    if backend == JournalBackend::Plain { "plain" } else { "io_uring" }
                );
                write_all(&mut writer, &records, commit_every);
                let finished = writer.finish().unwrap();
                assert_eq!(finished.sha256, expected);
                assert_eq!(finished.records, 3_000);
                let mut storage = FsStorage::read_only(dir.path()).unwrap();
                let segments = storage.list().unwrap();
                assert_eq!(segments, (0..finished.segments).collect::<Vec<_>>(), "no spare left");
                let bytes: u64 = segments.iter().map(|&s| storage.len(s).unwrap()).sum();
                assert_eq!(finished.bytes, bytes);
                let mut reader = Reader::open(dir.path(), RecoveryMode::Strict).unwrap();
                let mut hasher = StreamHasher::default();
                let mut at = 0;
                while let Some(frame) = reader.next().unwrap() {
                    let (ts, kind, payload) = &records[at];
                    assert_eq!((frame.seq, frame.ts), (at as u64, *ts));
                    assert_eq!((frame.kind, frame.payload), (*kind, &payload[..]));
                    hasher.record(frame.seq, frame.ts, frame.kind, frame.payload);
                    at += 1;
                }
                assert_eq!(at, 3_000);
                assert_eq!(hasher.sha256(), expected);
                let stats = reader.stats();
                assert_eq!((stats.tail, stats.seal), (Tail::Clean, Some(expected)));
                assert_eq!(stats.segments, finished.segments);
                runs += 1;
            }
        }
    }
    assert!(runs >= 6);
}

#[test]
fn an_empty_journal_is_valid() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(JournalBackend::Auto);
    let writer = Writer::create(dir.path(), &config, Durability::Strict).unwrap();
    let finished = writer.finish().unwrap();
    assert_eq!((finished.bytes, finished.records, finished.segments), (8192, 0, 1));
    // printf '' | sha256sum
    assert_eq!(
        finished.sha256_hex(),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    assert_eq!(read_dir(dir.path()).unwrap().len(), 0);
}

#[test]
fn acknowledged_records_are_those_of_whole_groups() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer =
        Writer::create(dir.path(), &config(JournalBackend::Auto), Durability::Strict).unwrap();
    assert_eq!(writer.durable_seq(), 0);
    for seq in 0..50 {
        assert_eq!(writer.append(seq, RecordKind::Timer, &[]).unwrap(), seq);
    }
    assert_eq!(writer.durable_seq(), 0);
    assert_eq!(writer.commit().unwrap(), 50);
    let (segment, offset) = writer.position();
    assert_eq!((segment, offset % 4096), (0, 0));
    assert_eq!(writer.commit().unwrap(), 50, "nothing to commit writes nothing");
    assert_eq!(writer.position(), (segment, offset));
    writer.append(51, RecordKind::Timer, &[]).unwrap();
    // Nobody finishes: what was committed is there, the rest was never promised.
    drop(writer);
    let found = read_dir(dir.path()).unwrap();
    assert_eq!(found.len(), 50);
    // A buffered journal promises nothing before its end.
    let dir = tempfile::tempdir().unwrap();
    let mut writer =
        Writer::create(dir.path(), &config(JournalBackend::Auto), Durability::Buffered).unwrap();
    writer.append(1, RecordKind::Timer, &[]).unwrap();
    assert_eq!(writer.commit().unwrap(), 0);
    drop(writer);
    assert_eq!(read_dir(dir.path()).unwrap().len(), 1);
}

#[test]
fn a_journal_goes_on_after_recovery_as_a_later_epoch() {
    let records = records(900, 300);
    let dir = tempfile::tempdir().unwrap();
    let config = config(JournalBackend::Auto);
    let mut options = WriterOptions::new(&config, Durability::Strict, 1).unwrap();
    let storage = || FsStorage::new(dir.path(), config.backend).unwrap();
    for part in 0..3 {
        options.epoch = part as u32 * 2 + 1;
        let mut seen = 0;
        let count = |_: &ijk_journal::Frame<'_>| {
            seen += 1;
            Ok(())
        };
        let recovered = recover(&mut storage(), count).unwrap();
        assert_eq!((recovered.next_seq, seen), (part as u64 * 300, part * 300));
        assert_eq!(recovered.sealed, part == 2);
        let mut writer = Writer::resume(storage(), options, &recovered).unwrap();
        write_all(&mut writer, &records[part * 300..][..300], 11);
        match part {
            0 => drop(writer),
            _ => assert_eq!(
                writer.finish().unwrap().sha256,
                defined_hash(&records[..(part + 1) * 300])
            ),
        }
        let mut stale = options;
        stale.epoch = options.epoch;
        let recovered = recover(&mut storage(), |_| Ok(())).unwrap();
        assert_eq!(recovered.epoch, options.epoch);
        let refused = Writer::resume(storage(), stale, &recovered);
        assert!(matches!(refused.err(), Some(JournalError::StaleEpoch { .. })));
    }
    let found = read_dir(dir.path()).unwrap();
    assert_eq!(found, records);
}

#[test]
fn journals_are_never_overwritten_and_bad_settings_refused() {
    let dir = tempfile::tempdir().unwrap();
    let good = config(JournalBackend::Auto);
    Writer::create(dir.path(), &good, Durability::Buffered).unwrap().finish().unwrap();
    for durability in [Durability::Buffered, Durability::Strict] {
        let again = Writer::create(dir.path(), &good, durability);
        assert!(matches!(again.err(), Some(JournalError::Prepare { segment: 0, .. })));
    }
    for (block_bytes, segment_bytes) in
        [(0, 1 << 20), (4095, 1 << 20), (1 << 25, 1 << 26), (4096, 4096), (4096, (1 << 20) + 8)]
    {
        let bad = JournalConfig { backend: JournalBackend::Auto, block_bytes, segment_bytes };
        let refused = Writer::create(dir.path(), &bad, Durability::Strict);
        assert!(matches!(refused.err(), Some(JournalError::Setting { .. })), "{bad:?}");
    }
}

#[test]
fn a_record_too_long_is_refused_and_harms_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer =
        Writer::create(dir.path(), &config(JournalBackend::Auto), Durability::Strict).unwrap();
    writer.append(1, RecordKind::Header, &[7; 32_768]).unwrap();
    let refused = writer.append(2, RecordKind::Header, &[7; 32_769]);
    assert!(matches!(refused, Err(JournalError::RecordTooLong { bytes: 32_769, most: 32_768 })));
    writer.append(3, RecordKind::Header, &[8; 100]).unwrap();
    assert_eq!(writer.finish().unwrap().records, 2);
    assert_eq!(read_dir(dir.path()).unwrap().len(), 2);
}

#[test]
fn another_file_is_named_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let open = |mode| Reader::open(dir.path(), mode).err().unwrap();
    assert!(matches!(open(RecoveryMode::Strict), JournalError::NoSegments));
    let path = dir.path().join("000000.ijkj");
    std::fs::write(&path, b"PAR1\x15\x04\x15aaaaaaaa").unwrap();
    assert!(matches!(open(RecoveryMode::Strict), JournalError::NotAJournal { .. }));
    std::fs::write(&path, b"IJKJ0001aaaaaaaa").unwrap();
    for mode in [RecoveryMode::Strict, RecoveryMode::TornTail] {
        assert_eq!(
            open(mode).to_string(),
            "000000.ijkj is of journal format 0001, this build reads 0002"
        );
    }
    let missing = Reader::open(&dir.path().join("nowhere"), RecoveryMode::Strict);
    assert!(matches!(missing.err(), Some(JournalError::Open { .. })));
}

#[test]
fn payloads_are_checked_by_kind_length_and_value() {
    let dir = tempfile::tempdir().unwrap();
    let control = ControlCommand::try_read_from_bytes(&[1, 0, 0, 0, 0, 0, 0, 0]).unwrap();
    let market = MarketEvent::new(EventKind::Halt, InstrumentId(3));
    let mut writer =
        Writer::create(dir.path(), &config(JournalBackend::Auto), Durability::Buffered).unwrap();
    writer.append_record(5, &control).unwrap();
    writer.append_record(6, &market).unwrap();
    writer.append(7, RecordKind::Control, &[9, 0, 0, 0, 0, 0, 0, 0]).unwrap();
    writer.append(8, RecordKind::Control, &[0; 7]).unwrap();
    writer.finish().unwrap();
    let mut reader = Reader::open(dir.path(), RecoveryMode::Strict).unwrap();
    let frame = reader.next().unwrap().unwrap();
    assert_eq!((frame.ts, frame.read::<ControlCommand>().unwrap()), (5, control));
    let error = frame.read::<MarketEvent>().unwrap_err().to_string();
    assert_eq!(error, "record 0 of kind Control (8 payload bytes) is not a valid MarketEvent");
    assert_eq!(reader.next().unwrap().unwrap().read::<MarketEvent>().unwrap(), market);
    for _ in 0..2 {
        let frame = reader.next().unwrap().unwrap();
        assert!(matches!(
            frame.read::<ControlCommand>(),
            Err(JournalError::Payload { expected: "ControlCommand", .. })
        ));
    }
}

/// A device that is full, whatever file is asked for; reads are of no use.
struct Full(std::fs::File);

impl ReadStorage for Full {
    fn list(&mut self) -> std::io::Result<Vec<u32>> {
        Ok(Vec::new())
    }
    fn len(&mut self, _: u32) -> std::io::Result<u64> {
        Ok(0)
    }
    fn read_at(&mut self, _: u32, _: u64, _: &mut [u8]) -> std::io::Result<usize> {
        Ok(0)
    }
}

impl Storage for Full {
    fn create(&mut self, _: u32) -> std::io::Result<()> {
        Ok(())
    }
    fn write_at(&mut self, _: u32, offset: u64, bytes: &[u8]) -> std::io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(&self.0, bytes, offset)
    }
    fn sync(&mut self, _: u32) -> std::io::Result<()> {
        self.0.sync_data()
    }
    fn truncate(&mut self, _: u32, _: u64) -> std::io::Result<()> {
        Ok(())
    }
    fn remove(&mut self, _: u32) -> std::io::Result<()> {
        Ok(())
    }
    fn sync_dir(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_device_is_an_error_before_anything_is_taken() {
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else {
        eprintln!("skipped: no /dev/full");
        return;
    };
    let options =
        WriterOptions::new(&config(JournalBackend::Plain), Durability::Strict, 1).unwrap();
    let refused = Writer::begin(Full(full), options).err();
    let Some(JournalError::Prepare { segment: 0, source }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(source.raw_os_error(), Some(28), "ENOSPC");
}

#[test]
fn a_device_that_cannot_be_forced_ends_the_journal() {
    let Ok(null) = std::fs::File::options().write(true).open("/dev/null") else { return };
    let options =
        WriterOptions::new(&config(JournalBackend::Plain), Durability::Buffered, 1).unwrap();
    let mut writer = Writer::begin(Full(null), options).unwrap();
    writer.append(1, RecordKind::Timer, &[]).unwrap();
    assert!(matches!(writer.finish(), Err(JournalError::Sync { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn records_round_trip(
        records in proptest::collection::vec(
            (any::<u64>(), 0u8..6, proptest::collection::vec(any::<u8>(), 0..1_500)),
            0..120,
        ),
        commit_every in 0usize..20,
        strict in any::<bool>(),
    ) {
        let records: Vec<Record> = records
            .into_iter()
            .map(|(ts, kind, payload)| (ts, RecordKind::from_raw(kind).unwrap(), payload))
            .collect();
        let dir = tempfile::tempdir().unwrap();
        let durability = if strict { Durability::Strict } else { Durability::Buffered };
        let mut writer =
            Writer::create(dir.path(), &config(JournalBackend::Auto), durability).unwrap();
        write_all(&mut writer, &records, commit_every);
        prop_assert_eq!(writer.finish().unwrap().sha256, defined_hash(&records));
        prop_assert_eq!(read_dir(dir.path()).unwrap(), records);
    }
}
