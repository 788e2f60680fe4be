//! Kernel thread and journal thread around the byte ring and the durable mark.

use crate::device::{self, Device, Durability, JournalError};
use crate::product::journal_port::{JournalPort, JournalThread, PortOptions, start};
use crate::product::stages::StageSample;
use crate::world::thread::yield_now;
use ijk_core::RecvTs;
use ijk_core::config::{JournalConfig, WaitStrategy};
use ijk_core::record::RecordKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a record in the ring: its head and a payload of three.
const RECORD: usize = 15;
const NEVER: u64 = u64::MAX;

fn port(
    durability: Durability,
    records: u64,
    ring_bytes: usize,
    fails_at: u64,
) -> (Arc<Device>, JournalPort, JournalThread) {
    let device = device::insert(records as usize, fails_at);
    let options = PortOptions {
        samples_path: PathBuf::from("/dev/null"),
        durability,
        epoch: 1,
        ring_bytes,
        strategy: WaitStrategy::Yield,
    };
    let started = start(Path::new("/"), &JournalConfig::default(), options);
    let (port, thread) = started.unwrap_or_else(|e| panic!("{e}"));
    (device, port, thread)
}

fn append(port: &mut JournalPort, seq: u64) -> bool {
    // Somebody may wait for an order's record; a timer's can wait for company.
    let kind = if seq.is_multiple_of(2) { RecordKind::Order } else { RecordKind::Timer };
    port.append(RecvTs(seq), kind, &[seq as u8; 3])
}

/// Whatever the mark says is on the device is there.
fn check(port: &JournalPort, device: &Device) -> u64 {
    let durable = port.durable_seq();
    assert!(durable <= port.frames(), "no more is durable than was appended");
    for seq in 0..durable {
        assert!(device.on_device[seq as usize].get(), "record {seq} is below the durable mark");
    }
    durable
}

/// Each order's record reaches the device by itself: it was rung for, and nobody asks again.
pub fn durable_mark(records: u64) {
    let (device, mut port, thread) = port(Durability::Strict, records, 4 * RECORD, NEVER);
    let mut last = 0;
    for seq in 0..records {
        assert!(append(&mut port, seq));
        yield_now();
        let durable = check(&port, &device);
        assert!(durable >= last, "the mark never goes back");
        last = durable;
    }
    let last_order = (records - 1) & !1;
    while check(&port, &device) <= last_order {
        yield_now();
    }
    drop(port);
    assert_eq!(thread.join().map(|done| done.records).ok(), Some(records));
}

/// The kernel waits for its records, as it does before it sends.
pub fn waited(records: u64) {
    let (device, mut port, thread) = port(Durability::Strict, records, 4 * RECORD, NEVER);
    for seq in 0..records {
        assert!(append(&mut port, seq));
    }
    assert!(port.wait_durable(records));
    assert_eq!(check(&port, &device), records);
    drop(port);
    assert_eq!(thread.join().map(|done| done.records).ok(), Some(records));
}

/// A ring of a record and a half: it fills up, wraps inside records, and the kernel waits.
pub fn full_ring(records: u64) {
    let (device, mut port, thread) = port(Durability::Buffered, records, RECORD + 7, NEVER);
    for seq in 0..records {
        assert!(append(&mut port, seq));
        assert!(port.ring_use() <= 1.0);
    }
    drop(port);
    assert_eq!(thread.join().map(|done| done.records).ok(), Some(records));
    assert!(device.on_device.iter().all(|mark| mark.get()));
}

pub fn everything_taken(records: u64) {
    let (device, mut port, thread) = port(Durability::Buffered, records, 8 * RECORD, NEVER);
    for seq in 0..records {
        assert!(append(&mut port, seq));
    }
    drop(port);
    let done = thread.join().unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(done.records, records, "everything that was appended is taken");
    assert!(device.on_device.iter().all(|mark| mark.get()));
}

/// The second commit fails. The kernel learns it, never before it learns what had been durable.
pub fn death(records: u64) {
    let (device, mut port, thread) = port(Durability::Strict, records, 4 * RECORD, 1);
    let mut appended = 0;
    while appended < records && append(&mut port, appended) {
        appended += 1;
    }
    let first = port.wait_durable(appended.min(1));
    let mut durable = check(&port, &device);
    assert!(!first || durable >= 1, "what was waited for is there");
    if !port.wait_durable(appended) {
        assert!(port.has_failed());
        assert!(!append(&mut port, appended), "nothing is taken after the end");
    } else {
        durable = check(&port, &device);
        assert_eq!(durable, appended);
    }
    drop(port);
    match thread.join() {
        Ok(done) => assert_eq!(done.records, 0, "only an untouched journal can be finished"),
        Err(e) => assert!(matches!(e, JournalError::AfterFailure)),
    }
    // The first commit never fails, and whatever it took, it took record 0.
    assert!(first, "record 0 was durable before the end");
}

/// A ring of one sample: what has no room is dropped and counted, never waited for.
pub fn samples(count: u64) {
    let (device, mut port, thread) = port(Durability::Buffered, 0, RECORD, NEVER);
    for id in 0..count {
        port.sample(StageSample(id as u8));
    }
    let dropped = port.samples_dropped;
    drop(port);
    assert!(thread.join().is_ok());
    let written = device.samples();
    assert!(written.is_sorted(), "{written:?}");
    assert_eq!(written.len() as u64 + dropped, count);
}
