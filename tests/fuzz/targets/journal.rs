//! A journal. After a first byte of 0 the rest is read as it is; after any other, frames get their
//! checksum, and their number where they carry 0, so that the checks behind those are reached.
#![no_main]

use ijk_core::record::{
    ControlCommand, DecisionRecord, ParentCommand, ParentRecord, RefusalRecord, RunEnd,
};
use ijk_core::{CancelOrder, MarketEvent, NewOrder, VenueReport};
use ijk_journal::{
    Frame, HEADER_BYTES, JournalError, MAGIC, Reader, Record, encode_frame, frame_bytes,
};

fn seal(rest: &[u8]) -> Vec<u8> {
    let mut file = [&MAGIC[..], rest].concat();
    let (mut at, mut seq) = (MAGIC.len(), 0u64);
    while at + HEADER_BYTES <= file.len() {
        let length = usize::from(u16::from_le_bytes([file[at + 4], file[at + 5]]));
        let Some(frame) = file.get_mut(at..at + frame_bytes(length)) else { break };
        if frame[8..16] == [0; 8] {
            frame[8..16].copy_from_slice(&seq.to_le_bytes());
        }
        let crc = crc32c::crc32c(&frame[4..]);
        frame[..4].copy_from_slice(&crc.to_le_bytes());
        at += frame.len();
        seq += 1;
    }
    file
}

/// A payload that reads as a record is that record's bytes.
fn check_record<T: Record>(frame: &Frame<'_>) {
    if let Ok(record) = frame.read::<T>() {
        assert_eq!(record.as_bytes(), frame.payload);
    }
}

fn check(frame: &Frame<'_>, file: &[u8]) {
    let mut again = vec![0xa5; frame_bytes(frame.payload.len())];
    encode_frame(&mut again, frame.seq, frame.ts, frame.kind, frame.payload);
    assert_eq!(again, file[frame.offset as usize..][..again.len()]);
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

fn read(file: &[u8]) -> usize {
    let Ok(mut reader) = Reader::new(file) else { return 0 };
    let mut frames = 0;
    loop {
        match reader.next() {
            Ok(Some(frame)) => check(&frame, file),
            Ok(None) => return frames,
            Err(e) => {
                assert!(!e.to_string().is_empty());
                assert!(matches!(reader.next(), Err(JournalError::AfterError)));
                return frames;
            }
        }
        frames += 1;
        assert!(reader.offset() as usize <= file.len());
    }
}

ijk_fuzz::target!(|data| match data.split_first() {
    Some((0, file)) => read(file),
    Some((_, rest)) => read(&seal(rest)),
    None => 0,
});
