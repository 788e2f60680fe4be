//! The frame: layout, encoding, checks that need no neighbour.

use ijk_core::limits::RECORD_PAYLOAD_BYTES_MAX;
use ijk_core::record::RecordKind;

/// First bytes of every journal.
pub const MAGIC: [u8; 8] = *b"IJKJ0001";
/// Version in every frame.
pub const FRAME_VERSION: u8 = 1;
/// Bytes of a frame before its payload.
pub const HEADER_BYTES: usize = 24;
/// Bytes of the largest frame.
pub(crate) const FRAME_BYTES_MAX: usize = frame_bytes(RECORD_PAYLOAD_BYTES_MAX);

const CRC_BYTES: usize = 4;

/// Returns the bytes a frame with `payload_len` payload bytes takes, padding included.
pub const fn frame_bytes(payload_len: usize) -> usize {
    HEADER_BYTES + payload_len.next_multiple_of(8)
}

/// Encodes one frame at the start of `buf` and returns its bytes. `ts` is the kernel's time in
/// nanoseconds UTC, `seq` the number of the frame in its journal, from 0 without gaps.
///
/// # Panics
/// If `payload` is longer than [`RECORD_PAYLOAD_BYTES_MAX`] or `buf` shorter than
/// [`frame_bytes`] of it: the caller's own invariants.
pub fn encode_frame(buf: &mut [u8], seq: u64, ts: u64, kind: RecordKind, payload: &[u8]) -> usize {
    assert!(payload.len() <= RECORD_PAYLOAD_BYTES_MAX, "payload of {} bytes", payload.len());
    let total = frame_bytes(payload.len());
    let frame = &mut buf[..total];
    frame[4..6].copy_from_slice(&(payload.len() as u16).to_le_bytes());
    frame[6] = kind as u8;
    frame[7] = FRAME_VERSION;
    frame[8..16].copy_from_slice(&seq.to_le_bytes());
    frame[16..24].copy_from_slice(&ts.to_le_bytes());
    let (body, padding) = frame[HEADER_BYTES..].split_at_mut(payload.len());
    body.copy_from_slice(payload);
    padding.fill(0);
    let crc = crc32c::crc32c(&frame[CRC_BYTES..]);
    frame[..CRC_BYTES].copy_from_slice(&crc.to_le_bytes());
    total
}

/// The header's fields as they stand in the file, unchecked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub crc: u32,
    pub payload_len: usize,
    pub kind: u8,
    pub version: u8,
    pub seq: u64,
    pub ts: u64,
}

impl Head {
    /// Reads the header at the start of `bytes`, which holds at least [`HEADER_BYTES`].
    pub fn parse(bytes: &[u8]) -> Head {
        let u64_at = |i: usize| {
            let mut raw = [0u8; 8];
            raw.copy_from_slice(&bytes[i..i + 8]);
            u64::from_le_bytes(raw)
        };
        Head {
            crc: u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            payload_len: usize::from(u16::from_le_bytes([bytes[4], bytes[5]])),
            kind: bytes[6],
            version: bytes[7],
            seq: u64_at(8),
            ts: u64_at(16),
        }
    }

    /// Returns the bytes the frame claims to take.
    pub fn frame_bytes(&self) -> usize {
        frame_bytes(self.payload_len)
    }

    /// Returns whether `frame`, all of it, carries the checksum in its header.
    pub fn checksum_matches(&self, frame: &[u8]) -> bool {
        crc32c::crc32c(&frame[CRC_BYTES..]) == self.crc
    }

    /// Returns whether the header could begin a frame of ours; cheap, before any checksum.
    pub fn plausible(&self) -> bool {
        self.version == FRAME_VERSION
            && self.payload_len <= RECORD_PAYLOAD_BYTES_MAX
            && RecordKind::from_raw(self.kind).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_is_as_documented() {
        let mut buf = [0xffu8; 64];
        let n = encode_frame(&mut buf, 0x0102_0304, 0x0506, RecordKind::Order, b"abc");
        assert_eq!((n, frame_bytes(3)), (32, 32));
        assert_eq!(buf[4..8], [3, 0, 17, 1]);
        assert_eq!(buf[8..16], [4, 3, 2, 1, 0, 0, 0, 0]);
        assert_eq!(buf[16..24], [6, 5, 0, 0, 0, 0, 0, 0]);
        assert_eq!(buf[24..32], *b"abc\0\0\0\0\0");
        assert_eq!(buf[32], 0xff, "nothing beyond the frame is touched");
        assert_eq!(buf[..4], bitwise_crc32c(&buf[4..32]).to_le_bytes());
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
        let zeros = [0u8; HEADER_BYTES];
        assert!(!Head::parse(&zeros).checksum_matches(&zeros));
    }

    #[test]
    #[should_panic(expected = "payload of 32769 bytes")]
    fn oversized_payload_is_the_callers_bug() {
        encode_frame(&mut vec![0; 40_000], 0, 0, RecordKind::Header, &vec![0; 32_769]);
    }
}
