//! No damage goes unseen: every bit, every length, any bytes.

use ijk_core::record::{ControlCommand, ControlKind, RecordKind};
use ijk_core::{EventKind, InstrumentId, MarketEvent};
use ijk_journal::{JournalError, MAGIC, Reader, encode_frame, encode_record, frame_bytes};
use proptest::prelude::*;

const KINDS: [RecordKind; 5] = [
    RecordKind::Header,
    RecordKind::Market,
    RecordKind::Timer,
    RecordKind::Decision,
    RecordKind::End,
];

/// A journal with payload lengths of every remainder by 8; returns it with the frames' starts.
fn journal(frame_count: usize) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = MAGIC.to_vec();
    let mut starts = Vec::new();
    for i in 0..frame_count {
        let payload: Vec<u8> = (0..i * 5 % 43).map(|j| (i * 31 + j * 7) as u8).collect();
        let start = bytes.len();
        starts.push(start);
        bytes.resize(start + frame_bytes(payload.len()), 0xaa);
        encode_frame(
            &mut bytes[start..],
            i as u64,
            1_000 + i as u64,
            KINDS[i % KINDS.len()],
            &payload,
        );
    }
    (bytes, starts)
}

/// Reads to the end or the first error; returns the whole frames before it.
fn read_all(bytes: &[u8]) -> (u64, Result<(), JournalError>) {
    let mut reader = match Reader::new(bytes) {
        Ok(reader) => reader,
        Err(e) => return (0, Err(e)),
    };
    let mut count = 0;
    loop {
        match reader.next() {
            Ok(Some(frame)) => {
                assert_eq!(frame.seq, count);
                count += 1;
            }
            Ok(None) => return (count, Ok(())),
            Err(e) => {
                assert!(matches!(reader.next(), Err(JournalError::AfterError)));
                return (count, Err(e));
            }
        }
    }
}

#[test]
fn every_flipped_bit_is_detected_at_its_frame() {
    let (mut bytes, starts) = journal(200);
    assert!(matches!(read_all(&bytes), (200, Ok(()))));
    let last_start = starts[199];
    for at in 0..bytes.len() {
        let frame = starts.partition_point(|&s| s <= at);
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            let (count, result) = read_all(&bytes);
            match result {
                Ok(()) => panic!("bit {bit} of byte {at} went unseen"),
                Err(JournalError::NotAJournal { .. }) => assert!(at < 8),
                Err(JournalError::Corrupt { offset, seq, .. }) => {
                    assert_eq!((seq, offset), (frame as u64 - 1, starts[frame - 1] as u64));
                }
                // Only a length of the last frame that now reaches beyond the file looks torn.
                Err(JournalError::TornTail { offset }) => {
                    assert_eq!(offset, last_start as u64, "byte {at} bit {bit}");
                    assert!((4..6).contains(&(at - last_start)), "byte {at} bit {bit}");
                }
                Err(other) => panic!("byte {at} bit {bit}: {other}"),
            }
            assert_eq!(count, frame.saturating_sub(1) as u64);
            bytes[at] ^= 1 << bit;
        }
    }
}

#[test]
fn every_truncation_is_a_torn_tail_or_a_clean_end() {
    let (bytes, starts) = journal(200);
    for len in 0..bytes.len() {
        let (count, result) = read_all(&bytes[..len]);
        let whole = starts.iter().filter(|&&s| s > 8 && s <= len).count() as u64;
        assert_eq!(count, whole, "length {len}");
        let boundary = len == 8 || starts.contains(&len);
        match result {
            Ok(()) => assert!(boundary, "length {len}"),
            Err(JournalError::TornTail { offset }) => {
                assert!(!boundary);
                let frame = starts.partition_point(|&s| s <= len);
                let start = if len < 8 { 0 } else { starts[frame - 1] };
                assert_eq!(offset, start as u64, "length {len}");
            }
            Err(other) => panic!("length {len}: {other}"),
        }
    }
}

#[test]
fn a_tail_of_zeros_is_torn_and_a_hole_is_corrupt() {
    let (bytes, starts) = journal(40);
    for cut in [starts[20], starts[20] + 5, starts[20] + 26] {
        let mut torn = bytes[..cut].to_vec();
        torn.resize(cut + 9_000, 0);
        let (count, result) = read_all(&torn);
        assert_eq!(count, 20);
        assert!(
            matches!(result, Err(JournalError::TornTail { offset }) if offset == starts[20] as u64),
            "{result:?}"
        );
        let mut hole = bytes.clone();
        hole[cut..starts[25]].fill(0);
        let (count, result) = read_all(&hole);
        assert_eq!(count, 20);
        assert!(matches!(result, Err(JournalError::Corrupt { seq: 20, .. })), "{result:?}");
    }
}

#[test]
fn missing_and_repeated_frames_are_gaps() {
    let (bytes, starts) = journal(30);
    let missing = [&bytes[..starts[10]], &bytes[starts[11]..]].concat();
    let repeated = [&bytes[..starts[11]], &bytes[starts[10]..]].concat();
    let (count, result) = read_all(&missing);
    assert_eq!(count, 10);
    assert!(matches!(result, Err(JournalError::Gap { expected: 10, found: 11, .. })));
    let (count, result) = read_all(&repeated);
    assert_eq!(count, 11);
    assert!(matches!(result, Err(JournalError::Gap { expected: 11, found: 10, .. })));
}

/// Builds a one-frame journal whose checksum is right but whose bytes are not the writer's.
fn forged(change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.resize(8 + frame_bytes(3), 0);
    encode_frame(&mut bytes[8..], 0, 0, RecordKind::Header, b"abc");
    change(&mut bytes[8..]);
    let crc = crc32c::crc32c(&bytes[12..]);
    bytes[8..12].copy_from_slice(&crc.to_le_bytes());
    bytes
}

#[test]
fn a_right_checksum_does_not_excuse_wrong_content() {
    let version = read_all(&forged(|f| f[7] = 2)).1;
    assert!(matches!(version, Err(JournalError::Version { offset: 8, found: 2 })));
    let kind = read_all(&forged(|f| f[6] = 99)).1.unwrap_err().to_string();
    assert_eq!(kind, "corrupt journal: frame 0 at byte 8: unknown kind of record");
    let padding = read_all(&forged(|f| f[31] = 1)).1.unwrap_err().to_string();
    assert_eq!(padding, "corrupt journal: frame 0 at byte 8: padding is not zero");
}

#[test]
fn another_file_is_named_as_such() {
    for other in [&b"PAR1\x15\x04\x15"[..], b"IJKJ0002aaaa", b"x"] {
        assert!(matches!(read_all(other).1, Err(JournalError::NotAJournal { .. })));
    }
}

#[test]
fn payloads_are_checked_by_kind_length_and_value() {
    let mut bytes = MAGIC.to_vec();
    let control = ControlCommand::plain(ControlKind::Finish);
    let market = MarketEvent::new(EventKind::Halt, InstrumentId(3));
    let mut buf = [0; 256];
    let n = encode_record(&mut buf, 0, 5, &control);
    bytes.extend_from_slice(&buf[..n]);
    let n = encode_record(&mut buf, 1, 6, &market);
    bytes.extend_from_slice(&buf[..n]);
    let n = encode_frame(&mut buf, 2, 7, RecordKind::Control, &[9, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend_from_slice(&buf[..n]);
    let n = encode_frame(&mut buf, 3, 8, RecordKind::Control, &[0; 7]);
    bytes.extend_from_slice(&buf[..n]);
    let mut reader = Reader::new(&bytes[..]).unwrap();
    let frame = reader.next().unwrap().unwrap();
    assert_eq!((frame.ts, frame.read::<ControlCommand>().unwrap()), (5, control));
    let error = frame.read::<MarketEvent>().unwrap_err().to_string();
    assert_eq!(error, "frame 0 of kind Control (8 payload bytes) is not a valid MarketEvent");
    assert_eq!(reader.next().unwrap().unwrap().read::<MarketEvent>().unwrap(), market);
    for _ in 0..2 {
        let frame = reader.next().unwrap().unwrap();
        assert!(matches!(
            frame.read::<ControlCommand>(),
            Err(JournalError::Payload { expected: "ControlCommand", .. })
        ));
    }
}

proptest! {
    #[test]
    fn any_bytes_end_in_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = read_all(&bytes);
        let _ = read_all(&[&MAGIC[..], &bytes[..]].concat());
    }

    #[test]
    fn overwritten_stretches_are_detected(
        at in 0.0..1.0f64,
        patch in proptest::collection::vec(any::<u8>(), 1..300),
    ) {
        let (bytes, _) = journal(60);
        let at = (at * bytes.len() as f64) as usize;
        let end = (at + patch.len()).min(bytes.len());
        let mut damaged = bytes.clone();
        damaged[at..end].copy_from_slice(&patch[..end - at]);
        prop_assert_eq!(read_all(&damaged).1.is_ok(), damaged == bytes);
    }
}
