//! The frame: layout, encoding, checks that need no neighbour.

use crate::canary::{self, Bug};
use ijk_core::limits::RECORD_PAYLOAD_BYTES_MAX;

/// Version in every frame.
pub const FRAME_VERSION: u8 = 2;
/// Bytes of a frame before its payload.
pub const HEADER_BYTES: usize = 40;

const MAGIC: [u8; 4] = *b"IJKR";
const CRC_BYTES: usize = 4;

/// What ties a frame to its place: bytes of another segment or another start of the kernel never
/// pass for this one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salt {
    /// Number of the kernel's start.
    pub epoch: u32,
    /// Number of the segment file.
    pub segment: u32,
}

/// Returns the bytes a frame with `payload_len` payload bytes takes, padding included.
pub const fn frame_bytes(payload_len: usize) -> usize {
    HEADER_BYTES + payload_len.next_multiple_of(8)
}

/// The header's fields without checksum and constants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub payload_len: usize,
    pub kind: u8,
    pub seq: u64,
    pub ts: u64,
    pub salt: Salt,
    /// Checksum of the record before.
    pub prev_crc: u32,
}

impl Head {
    /// Encodes header, `payload` and padding at the start of `buf`; returns the checksum.
    /// `payload_len` is the payload's own length, whatever the field says.
    ///
    /// # Panics
    /// If the payload is longer than any record's or `buf` is too short: our own invariants.
    pub fn encode(&self, buf: &mut [u8], payload: &[u8]) -> u32 {
        assert!(payload.len() <= RECORD_PAYLOAD_BYTES_MAX, "payload of {} bytes", payload.len());
        let frame = &mut buf[..frame_bytes(payload.len())];
        frame[4..6].copy_from_slice(&(payload.len() as u16).to_le_bytes());
        frame[6] = self.kind;
        frame[7] = FRAME_VERSION;
        frame[8..16].copy_from_slice(&self.seq.to_le_bytes());
        frame[16..24].copy_from_slice(&self.ts.to_le_bytes());
        frame[24..28].copy_from_slice(&self.salt.epoch.to_le_bytes());
        frame[28..32].copy_from_slice(&self.salt.segment.to_le_bytes());
        frame[32..36].copy_from_slice(&self.prev_crc.to_le_bytes());
        frame[36..40].copy_from_slice(&MAGIC);
        let (body, padding) = frame[HEADER_BYTES..].split_at_mut(payload.len());
        body.copy_from_slice(payload);
        padding.fill(0);
        let crc = crc32c::crc32c(&frame[CRC_BYTES..]);
        frame[..CRC_BYTES].copy_from_slice(&crc.to_le_bytes());
        crc
    }

    /// Reads the header at the start of `bytes`, if it could begin a frame; no checksum is
    /// looked at.
    pub fn parse(bytes: &[u8]) -> Option<Head> {
        let bytes: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
        let payload_len = usize::from(u16::from_le_bytes([bytes[4], bytes[5]]));
        if bytes[36..40] != MAGIC
            || bytes[7] != FRAME_VERSION
            || payload_len > RECORD_PAYLOAD_BYTES_MAX
        {
            return None;
        }
        Some(Head {
            payload_len,
            kind: bytes[6],
            seq: u64_at(bytes, 8),
            ts: u64_at(bytes, 16),
            salt: Salt { epoch: u32_at(bytes, 24), segment: u32_at(bytes, 28) },
            prev_crc: u32_at(bytes, 32),
        })
    }

    /// Returns the bytes the frame claims to take.
    pub fn frame_bytes(&self) -> usize {
        frame_bytes(self.payload_len)
    }

    /// Returns the payload in `frame`, which begins with this header and is whole.
    pub fn payload<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        &frame[HEADER_BYTES..HEADER_BYTES + self.payload_len]
    }

    /// Returns whether the padding is zeros.
    pub fn padding_is_zero(&self, frame: &[u8]) -> bool {
        frame[HEADER_BYTES + self.payload_len..self.frame_bytes()].iter().all(|&b| b == 0)
    }
}

/// Returns the checksum of `frame`, all of it, if it is the one it carries.
pub(crate) fn checked_crc(frame: &[u8]) -> Option<u32> {
    let carried = u32_at(frame, 0);
    let right = crc32c::crc32c(&frame[CRC_BYTES..]) == carried;
    (right || canary::planted(Bug::AcceptBadCrc)).then_some(carried)
}

/// Returns the little-endian number at `at`.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut raw = [0; 4];
    raw.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(raw)
}

/// Returns the little-endian number at `at`.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut raw = [0; 8];
    raw.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Head = Head {
        payload_len: 3,
        kind: 17,
        seq: 0x0102_0304,
        ts: 0x0506,
        salt: Salt { epoch: 7, segment: 9 },
        prev_crc: 0xdead_beef,
    };

    #[test]
    fn layout_is_as_documented() {
        let mut buf = [0xffu8; 64];
        let crc = HEAD.encode(&mut buf, b"abc");
        assert_eq!(frame_bytes(3), 48);
        assert_eq!(buf[4..8], [3, 0, 17, 2]);
        assert_eq!(buf[8..16], [4, 3, 2, 1, 0, 0, 0, 0]);
        assert_eq!(buf[16..24], [6, 5, 0, 0, 0, 0, 0, 0]);
        assert_eq!(buf[24..32], [7, 0, 0, 0, 9, 0, 0, 0]);
        assert_eq!(buf[32..40], *b"\xef\xbe\xad\xdeIJKR");
        assert_eq!(buf[40..48], *b"abc\0\0\0\0\0");
        assert_eq!(buf[48], 0xff, "nothing beyond the frame is touched");
        assert_eq!(crc, bitwise_crc32c(&buf[4..48]));
        assert_eq!(buf[..4], crc.to_le_bytes());
        let head = Head::parse(&buf).unwrap();
        assert_eq!((head.seq, head.ts, head.salt, head.kind), (HEAD.seq, 0x0506, HEAD.salt, 17));
        assert_eq!(checked_crc(&buf[..48]), Some(crc));
        assert_eq!(head.payload(&buf), b"abc");
    }

    /// CRC-32C bit by bit from its definition (polynomial 0x1EDC6F41, reflected).
    fn bitwise_crc32c(bytes: &[u8]) -> u32 {
        let mut crc = !0u32;
        for &b in bytes {
            crc ^= u32::from(b);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82F6_3B78 } else { crc >> 1 };
            }
        }
        !crc
    }

    #[test]
    fn checksum_is_crc32c() {
        // The check value of the CRC catalogue for CRC-32/ISCSI.
        assert_eq!(bitwise_crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c::crc32c(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn zeros_are_no_frame() {
        assert!(Head::parse(&[0u8; HEADER_BYTES]).is_none());
        assert!(Head::parse(&[]).is_none());
    }

    #[test]
    #[should_panic(expected = "payload of 32769 bytes")]
    fn oversized_payload_is_the_callers_bug() {
        HEAD.encode(&mut vec![0; 40_000], &vec![0; 32_769]);
    }
}
