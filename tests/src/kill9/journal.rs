//! Reads a run's journal from its bytes, by `docs/formats.md` alone.

use serde_json::Value;
use std::path::Path;

const BLOCK: usize = 4_096;
const HEAD: usize = 40;
const GROUP: u8 = 0xf0;

/// Kinds of records.
pub mod kind {
    /// JSON text.
    pub const HEADER: u8 = 0;
    /// A market record; its payload is not kept.
    pub const MARKET: u8 = 1;
    /// A report of the venue.
    pub const REPORT: u8 = 2;
    /// An operator's command.
    pub const CONTROL: u8 = 4;
    /// An item of the venue's account.
    pub const SNAPSHOT: u8 = 7;
    /// An order that may leave.
    pub const ORDER: u8 = 17;
    /// A parent's account.
    pub const PARENT_STATE: u8 = 20;
    /// An alarm.
    pub const ALARM: u8 = 22;
    /// What became known of an order.
    pub const FATE: u8 = 23;
}

/// One record.
#[derive(Clone, Debug)]
pub struct Record {
    /// What it is.
    pub kind: u8,
    /// Its payload.
    pub payload: Vec<u8>,
}

impl Record {
    /// Returns a number of the payload.
    pub fn u64(&self, at: usize) -> u64 {
        u64_at(&self.payload, at)
    }

    /// Returns a signed number of the payload.
    pub fn i64(&self, at: usize) -> i64 {
        self.u64(at) as i64
    }

    /// Returns two bytes of the payload as a number.
    pub fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.payload[at], self.payload[at + 1]])
    }
}

/// A run's journal.
#[derive(Clone, Debug)]
pub struct Journal {
    /// The header's JSON.
    pub header: Value,
    /// Everything after the header.
    pub records: Vec<Record>,
}

impl Journal {
    /// Returns the boot epoch of the run.
    pub fn epoch(&self) -> u64 {
        self.header["epoch"].as_u64().unwrap_or(0)
    }

    /// Returns the symbol of an instrument.
    pub fn symbol(&self, index: u16) -> &str {
        self.header["instruments"][usize::from(index)]["symbol"].as_str().unwrap_or("?")
    }

    /// Returns the records of one kind.
    pub fn of(&self, kind: u8) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(move |r| r.kind == kind)
    }

    /// Returns whether the run was killed by its operator.
    pub fn was_killed(&self) -> bool {
        self.of(kind::CONTROL).any(|r| r.payload[0] == 0)
    }
}

fn u32_at(b: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}

fn u64_at(b: &[u8], at: usize) -> u64 {
    u64::from(u32_at(b, at)) | u64::from(u32_at(b, at + 4)) << 32
}

/// CRC-32C by its table.
struct Crc([u32; 256]);

impl Crc {
    fn new() -> Crc {
        Crc(std::array::from_fn(|i| {
            (0..8).fold(i as u32, |c, _| if c & 1 == 1 { (c >> 1) ^ 0x82F6_3B78 } else { c >> 1 })
        }))
    }

    fn of(&self, bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0u32, |c, b| self.0[((c ^ u32::from(*b)) & 0xff) as usize] ^ (c >> 8))
    }
}

/// Walks the segments of one journal.
struct Walk<'a> {
    crc: &'a Crc,
    bytes: &'a [u8],
    epoch: u32,
    segment: u32,
}

impl Walk<'_> {
    /// Returns the frame at `at`, if a whole one of this segment is there.
    fn frame(&self, at: usize) -> Option<&[u8]> {
        let head = self.bytes.get(at..at + HEAD)?;
        let payload = usize::from(u16::from_le_bytes([head[4], head[5]]));
        let frame = self.bytes.get(at..at + HEAD + payload.next_multiple_of(8))?;
        let sound = &frame[36..40] == b"IJKR"
            && frame[7] == 2
            && u32_at(frame, 24) == self.epoch
            && u32_at(frame, 28) == self.segment
            && self.crc.of(&frame[4..]) == u32_at(frame, 0);
        sound.then_some(frame)
    }
}

/// Reads the journal in `folder` up to its last whole group.
///
/// # Errors
/// If there is none, or its records do not follow one another.
pub fn read(folder: &Path) -> Result<Journal, String> {
    let crc = Crc::new();
    let mut records = Vec::new();
    let (mut seq, mut prev) = (0u64, 0u32);
    for segment in 0.. {
        let Ok(bytes) = std::fs::read(folder.join(format!("{segment:06}.ijkj"))) else { break };
        if bytes.len() < BLOCK || crc.of(&bytes[12..BLOCK]) != u32_at(&bytes, 8) {
            break;
        }
        let walk = Walk { crc: &crc, bytes: &bytes, epoch: u32_at(&bytes, 16), segment };
        let mut at = BLOCK;
        while let Some(group) = walk.frame(at) {
            if group[6] != GROUP {
                return Err(format!("{}: no group at {at}", folder.display()));
            }
            let count = u32_at(group, HEAD + 4);
            at += group.len();
            for _ in 0..count {
                let Some(frame) = walk.frame(at) else {
                    return finish(folder, records);
                };
                if u64_at(frame, 8) != seq || u32_at(frame, 32) != prev {
                    return Err(format!("{}: broken chain at {at}", folder.display()));
                }
                (seq, prev) = (seq + 1, u32_at(frame, 0));
                records.push(record(frame));
                at += frame.len();
            }
            at = at.next_multiple_of(BLOCK);
        }
    }
    finish(folder, records)
}

fn record(frame: &[u8]) -> Record {
    let kind = frame[6];
    let length = usize::from(u16::from_le_bytes([frame[4], frame[5]]));
    let payload = if kind == kind::MARKET { &[][..] } else { &frame[HEAD..HEAD + length] };
    Record { kind, payload: payload.to_vec() }
}

fn finish(folder: &Path, mut records: Vec<Record>) -> Result<Journal, String> {
    if records.is_empty() || records[0].kind != kind::HEADER {
        return Err(format!("{}: no header", folder.display()));
    }
    let header = serde_json::from_slice(&records.remove(0).payload)
        .map_err(|e| format!("{}: header: {e}", folder.display()))?;
    Ok(Journal { header, records })
}
