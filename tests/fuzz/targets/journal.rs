//! A segment file of a journal. After a first byte of 0 the rest is read as it is, in both modes;
//! after any other it is a list of records (kind, length, payload): they are written as a journal,
//! which must read back, and then, changed by a mask in its last bytes, must not read as more.
#![no_main]

use ijk_core::record::{
    ControlCommand, DecisionRecord, ParentCommand, ParentRecord, RecordKind, RefusalRecord, RunEnd,
};
use ijk_core::{CancelOrder, MarketEvent, NewOrder, VenueReport};
use ijk_journal::sim::FaultyDisk;
use ijk_journal::{
    Durability, Frame, JournalError, ReadStorage, Reader, Record, RecoveryMode, Writer,
    WriterOptions,
};
use std::io;

/// One segment in memory.
struct Segment<'a>(&'a [u8]);

impl ReadStorage for Segment<'_> {
    fn list(&mut self) -> io::Result<Vec<u32>> {
        Ok(vec![0])
    }

    fn len(&mut self, _: u32) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&mut self, _: u32, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let rest = self.0.get(offset as usize..).unwrap_or_default();
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }
}

/// A payload that reads as a record is that record's bytes.
fn check_record<T: Record>(frame: &Frame<'_>) {
    if let Ok(record) = frame.read::<T>() {
        assert_eq!(record.as_bytes(), frame.payload);
    }
}

fn check(frame: &Frame<'_>, file: &[u8]) {
    let start = frame.offset as usize + ijk_journal::HEADER_BYTES;
    assert_eq!(frame.payload, &file[start..start + frame.payload.len()]);
    check_record::<MarketEvent>(frame);
    check_record::<VenueReport>(frame);
    check_record::<ParentCommand>(frame);
    check_record::<ControlCommand>(frame);
    check_record::<DecisionRecord>(frame);
    check_record::<NewOrder>(frame);
    check_record::<CancelOrder>(frame);
    check_record::<RefusalRecord>(frame);
    check_record::<ParentRecord>(frame);
    check_record::<RunEnd>(frame);
}

/// Reads to the end or the first error; returns the records and whether it was the end.
fn read(file: &[u8], mode: RecoveryMode) -> (usize, bool) {
    let Ok(mut reader) = Reader::with_storage(Segment(file), mode) else { return (0, false) };
    let mut records = 0;
    loop {
        match reader.next() {
            Ok(Some(frame)) => {
                assert_eq!(frame.seq, records as u64);
                check(&frame, file);
                records += 1;
            }
            Ok(None) => {
                assert_eq!(reader.stats().records, records as u64);
                return (records, true);
            }
            Err(e) => {
                assert!(!e.to_string().is_empty());
                assert!(matches!(reader.next(), Err(JournalError::AfterError)));
                return (records, false);
            }
        }
    }
}

/// Writes the records of `list` as one segment; returns it and their number.
fn write(mut list: &[u8]) -> (Vec<u8>, usize) {
    let options = WriterOptions {
        durability: Durability::Buffered,
        segment_bytes: 1 << 24,
        group_bytes: 1 << 14,
        epoch: 1,
    };
    let mut disk = FaultyDisk::new(0);
    let mut writer = Writer::begin(&mut disk, options).expect("a disk without faults");
    let mut records = 0;
    while let [kind, length, rest @ ..] = list {
        let payload = &rest[..usize::from(*length).min(rest.len())];
        if let Some(kind) = RecordKind::from_raw(*kind) {
            writer.append(records as u64, kind, payload).expect("a disk without faults");
            records += 1;
        } else {
            writer.commit().expect("a disk without faults");
        }
        list = &rest[payload.len()..];
    }
    writer.finish().expect("a disk without faults");
    (disk.shown(0).unwrap_or_default().to_vec(), records)
}

fn round_trip(list: &[u8]) -> usize {
    let (mut file, records) = write(list);
    assert_eq!(read(&file, RecoveryMode::Strict), (records, true));
    let mask: Vec<u8> = list.iter().rev().take(8).copied().collect();
    let at = list.iter().fold(0, |at, &b| (at * 31 + usize::from(b)) % file.len());
    let end = (at + mask.len()).min(file.len());
    file[at..end].iter_mut().zip(&mask).for_each(|(byte, mask)| *byte ^= mask);
    let changed = mask[..end - at].iter().any(|m| *m != 0);
    let (found, whole) = read(&file, RecoveryMode::Strict);
    assert!(found <= records, "damage at {at} made records");
    assert!(!changed || !whole, "damage at {at} of {} went unseen", file.len());
    records
}

ijk_fuzz::target!(|data| match data.split_first() {
    Some((0, file)) => {
        let (strict, _) = read(file, RecoveryMode::Strict);
        let (tolerant, _) = read(file, RecoveryMode::TornTail);
        assert!(strict <= tolerant);
        tolerant
    }
    Some((_, list)) => round_trip(list),
    None => 0,
});
