//! The journal thread from the kernel thread's side: nothing is lost in the ring, the watermark
//! says what is on the device, a dead journal is noticed, a journal goes on after a restart.

use ijk_core::RecvTs;
use ijk_core::config::{JournalBackend, JournalConfig, WaitStrategy};
use ijk_core::record::RecordKind;
use ijk_engine::runtime::hash::hash_run;
use ijk_engine::runtime::journal_port::{self, PortOptions};
use ijk_journal::{Durability, JournalError, Reader, RecoveryMode};
use std::path::Path;

const KINDS: [RecordKind; 4] =
    [RecordKind::Market, RecordKind::Order, RecordKind::Decision, RecordKind::Timer];

fn config() -> JournalConfig {
    JournalConfig { backend: JournalBackend::Auto, block_bytes: 1 << 16, segment_bytes: 1 << 18 }
}

fn options(dir: &Path, durability: Durability, epoch: u32) -> PortOptions {
    let samples_path = dir.join("stages.bin");
    // The smallest ring there is: entries lie across its end all the time.
    PortOptions { samples_path, durability, epoch, ring_bytes: 0, strategy: WaitStrategy::Park }
}

/// Payloads of every length, now and then the longest.
fn payload(seq: u64) -> Vec<u8> {
    let len = if seq % 101 == 100 { 32_768 } else { (seq * 37 % 1_500) as usize };
    (0..len).map(|i| (seq as usize * 31 + i) as u8).collect()
}

fn check(dir: &Path, records: u64) {
    let mut reader = Reader::open(dir, RecoveryMode::Strict).unwrap();
    for seq in 0..records {
        let frame = reader.next().unwrap().unwrap();
        assert_eq!((frame.seq, frame.ts), (seq, seq * 7));
        assert_eq!(frame.kind, KINDS[seq as usize % 4]);
        assert_eq!(frame.payload, payload(seq));
    }
    assert!(reader.next().unwrap().is_none());
}

#[test]
fn every_record_arrives_and_the_watermark_is_waited_for() {
    for durability in [Durability::Strict, Durability::Buffered] {
        let dir = tempfile::tempdir().unwrap();
        let journal = dir.path().join("journal");
        std::fs::create_dir(&journal).unwrap();
        let options = options(dir.path(), durability, 1);
        let (mut port, thread) = journal_port::start(&journal, &config(), options).unwrap();
        for seq in 0..2_000 {
            assert!(port.append(RecvTs(seq * 7), KINDS[seq as usize % 4], &payload(seq)));
            if seq % 97 == 0 {
                let appended = port.frames();
                assert!(port.wait_durable(appended));
                if durability == Durability::Strict {
                    assert_eq!(port.durable_seq(), appended);
                    let mut reader = Reader::open(&journal, RecoveryMode::TornTail).unwrap();
                    while reader.next().unwrap().is_some() {}
                    assert!(reader.stats().records >= appended);
                } else {
                    assert_eq!(port.durable_seq(), 0, "a buffered journal promises nothing");
                }
            }
        }
        assert!(!port.spare_failed());
        drop(port);
        let done = thread.join().unwrap();
        assert_eq!(done.records, 2_000);
        check(&journal, 2_000);
        assert_eq!(done.hashes, hash_run(&journal).unwrap());
        let files = std::fs::read_dir(&journal).unwrap();
        let bytes: u64 = files.map(|f| f.unwrap().metadata().unwrap().len()).sum();
        assert_eq!(done.bytes, bytes, "no spare segment is left");
    }
}

#[test]
fn a_dead_journal_is_noticed_and_stays_dead() {
    let dir = tempfile::tempdir().unwrap();
    // The second segment cannot be made.
    std::fs::create_dir(dir.path().join("000001.ijkj")).unwrap();
    let strict = options(dir.path(), Durability::Strict, 1);
    let (mut port, thread) = journal_port::start(dir.path(), &config(), strict).unwrap();
    let mut acknowledged = 0;
    for seq in 0..2_000 {
        if !port.append(RecvTs(seq * 7), KINDS[seq as usize % 4], &payload(seq)) {
            break;
        }
        let appended = port.frames();
        if !port.wait_durable(appended) {
            break;
        }
        acknowledged = appended;
    }
    assert!(acknowledged > 30 && acknowledged < 2_000, "{acknowledged}");
    assert!(port.has_failed() && port.spare_failed());
    assert!(!port.append(RecvTs(0), RecordKind::Timer, &[]));
    assert_eq!(port.durable_seq(), acknowledged);
    assert!(port.wait_durable(acknowledged), "what was acknowledged stays so");
    drop(port);
    let error = thread.join().unwrap_err();
    assert!(matches!(error, JournalError::Prepare { segment: 1, .. }), "{error}");
}
