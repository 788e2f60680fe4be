//! Groups and segments: what one commit writes, and the block a segment file begins with.

use crate::canary::{self, Bug};
use crate::frame::{HEADER_BYTES, Head, Salt, checked_crc, frame_bytes, u32_at, u64_at};
use ijk_core::record::RecordKind;

/// First bytes of every segment file.
pub const MAGIC: [u8; 8] = *b"IJKJ0002";
/// Groups begin and end at multiples of this, so that no acknowledged byte is ever rewritten.
pub const GROUP_ALIGN: usize = 4096;
/// Bytes of the largest group.
pub const GROUP_BYTES_MAX: usize = 1 << 24;
/// Bytes of the frame every group begins with.
pub(crate) const GROUP_HEAD_BYTES: usize = frame_bytes(GROUP_PAYLOAD_BYTES);
/// Bytes of the head of a group that is a seal.
pub(crate) const SEAL_BYTES: usize = frame_bytes(SEAL_PAYLOAD_BYTES);
/// Offset of the first group of a segment.
pub(crate) const FIRST_GROUP: u64 = GROUP_ALIGN as u64;

/// Kind of the frame a group begins with; no kind of record.
const KIND_GROUP: u8 = 0xf0;
const GROUP_PAYLOAD_BYTES: usize = 24;
const SEAL_PAYLOAD_BYTES: usize = GROUP_PAYLOAD_BYTES + 32;

/// The frame a group begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupHead {
    pub salt: Salt,
    /// Number of the group's first record.
    pub first_seq: u64,
    /// Checksum of the last record before the group; 0 before the first.
    pub prev_crc: u32,
    /// Bytes of the group with head and padding.
    pub bytes: u32,
    /// Records in it.
    pub records: u32,
    /// Checksum of its last record; `prev_crc` for a group without one.
    pub last_crc: u32,
    /// Records on the device when the group was written.
    pub durable: u64,
    /// SHA-256 of the record stream so far, in a seal.
    pub seal: Option<[u8; 32]>,
}

impl GroupHead {
    /// Returns the bytes of the head itself.
    pub fn head_bytes(&self) -> usize {
        if self.seal.is_some() { SEAL_BYTES } else { GROUP_HEAD_BYTES }
    }

    /// Encodes the head at the start of `buf`.
    pub fn encode(&self, buf: &mut [u8]) {
        let mut payload = [0; SEAL_PAYLOAD_BYTES];
        payload[..4].copy_from_slice(&self.bytes.to_le_bytes());
        payload[4..8].copy_from_slice(&self.records.to_le_bytes());
        payload[8..12].copy_from_slice(&self.last_crc.to_le_bytes());
        payload[16..24].copy_from_slice(&self.durable.to_le_bytes());
        let mut len = GROUP_PAYLOAD_BYTES;
        if let Some(sha256) = self.seal {
            payload[12] = 1;
            payload[GROUP_PAYLOAD_BYTES..].copy_from_slice(&sha256);
            len = SEAL_PAYLOAD_BYTES;
        }
        let head = Head {
            payload_len: len,
            kind: KIND_GROUP,
            seq: self.first_seq,
            ts: 0,
            salt: self.salt,
            prev_crc: self.prev_crc,
        };
        head.encode(buf, &payload[..len]);
    }

    /// Reads the head at the start of `bytes`; `None` unless it is whole and of this layout.
    /// Whether it belongs here is for the caller to compare.
    pub fn parse(bytes: &[u8]) -> Option<GroupHead> {
        let head = Head::parse(bytes)?;
        let len = head.payload_len;
        if head.kind != KIND_GROUP || !matches!(len, GROUP_PAYLOAD_BYTES | SEAL_PAYLOAD_BYTES) {
            return None;
        }
        let frame = bytes.get(..head.frame_bytes())?;
        checked_crc(frame)?;
        let payload = head.payload(frame);
        let mut seal = None;
        if let Some(sha256) = payload[GROUP_PAYLOAD_BYTES..].first_chunk() {
            seal = Some(*sha256);
        }
        let group = GroupHead {
            salt: head.salt,
            first_seq: head.seq,
            prev_crc: head.prev_crc,
            bytes: u32_at(payload, 0),
            records: u32_at(payload, 4),
            last_crc: u32_at(payload, 8),
            durable: u64_at(payload, 16),
            seal,
        };
        let align = if canary::planted(Bug::UnpaddedGroup) { 8 } else { GROUP_ALIGN };
        let bytes = group.bytes as usize;
        let sound = bytes >= group.head_bytes()
            && bytes <= GROUP_BYTES_MAX
            && bytes.is_multiple_of(align)
            && u32_at(payload, 12) == u32::from(seal.is_some());
        sound.then_some(group)
    }

    /// Returns whether the head is of this place.
    pub fn is_of(&self, salt: Salt) -> bool {
        self.salt == salt || canary::planted(Bug::NoSalt)
    }

    /// Returns whether the group goes on where the records before it ended.
    pub fn continues(&self, chain: u32, seq: u64) -> bool {
        self.first_seq == seq && (self.prev_crc == chain || canary::planted(Bug::NoChain))
    }

    /// Checks every byte of the group behind its head.
    ///
    /// # Errors
    /// What is wrong, and where in the group.
    pub fn check(&self, group: &[u8]) -> Result<(), (usize, &'static str)> {
        let (mut at, mut chain) = (self.head_bytes(), self.prev_crc);
        for i in 0..u64::from(self.records) {
            let rest = &group[at..];
            let Some(head) = Head::parse(rest) else { return Err((at, "no record here")) };
            let Some(frame) = rest.get(..head.frame_bytes()) else {
                return Err((at, "record longer than its group"));
            };
            let Some(crc) = checked_crc(frame) else {
                return Err((at, "checksum does not match"));
            };
            let wrong = if head.salt != self.salt && !canary::planted(Bug::NoSalt) {
                Some("record of another segment or epoch")
            } else if head.prev_crc != chain && !canary::planted(Bug::NoChain) {
                Some("record does not follow the one before it")
            } else if head.seq != self.first_seq + i {
                Some("sequence number out of order")
            } else if RecordKind::from_raw(head.kind).is_none() {
                Some("unknown kind of record")
            } else if !head.padding_is_zero(frame) {
                Some("padding is not zero")
            } else {
                None
            };
            if let Some(what) = wrong {
                return Err((at, what));
            }
            chain = crc;
            at += head.frame_bytes();
        }
        if chain != self.last_crc && !canary::planted(Bug::NoChain) {
            return Err((0, "the group does not end with the record its head names"));
        }
        match is_zero(&group[at..]) {
            true => Ok(()),
            false => Err((at, "padding of the group is not zero")),
        }
    }
}

/// The block a segment file begins with; written and forced to the device before any group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHead {
    pub salt: Salt,
    /// Bytes of the whole file as it was laid out.
    pub segment_bytes: u64,
}

impl SegmentHead {
    /// Returns the block.
    pub fn encode(&self) -> [u8; GROUP_ALIGN] {
        let mut block = [0; GROUP_ALIGN];
        block[..8].copy_from_slice(&MAGIC);
        block[12..16].copy_from_slice(&self.salt.segment.to_le_bytes());
        block[16..20].copy_from_slice(&self.salt.epoch.to_le_bytes());
        block[24..32].copy_from_slice(&self.segment_bytes.to_le_bytes());
        let crc = crc32c::crc32c(&block[12..]);
        block[8..12].copy_from_slice(&crc.to_le_bytes());
        block
    }

    /// Reads the block of segment file `segment`; `None` for one that is not whole.
    pub fn parse(block: &[u8], segment: u32) -> Option<SegmentHead> {
        if block.len() < GROUP_ALIGN || block[..8] != MAGIC {
            return None;
        }
        let crc = crc32c::crc32c(&block[12..GROUP_ALIGN]);
        if u32_at(block, 8) != crc && !canary::planted(Bug::AcceptBadCrc) {
            return None;
        }
        let salt = Salt { epoch: u32_at(block, 16), segment: u32_at(block, 12) };
        let head = SegmentHead { salt, segment_bytes: u64_at(block, 24) };
        (salt.segment == segment).then_some(head)
    }
}

/// Returns the format number a segment file of another version begins with.
pub(crate) fn other_format(block: &[u8]) -> Option<String> {
    let magic: [u8; 8] = *block.first_chunk()?;
    let ours = magic == MAGIC;
    let like = magic[..4] == MAGIC[..4] && magic[4..].iter().all(u8::is_ascii_digit);
    (like && !ours).then(|| String::from_utf8_lossy(&magic[4..]).into_owned())
}

/// Returns whether all bytes are zero.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    let (chunks, rest) = bytes.as_chunks::<64>();
    chunks.iter().all(|c| *c == [0; 64]) && rest.iter().all(|&b| b == 0)
}

const _: () = assert!(GROUP_HEAD_BYTES == HEADER_BYTES + GROUP_PAYLOAD_BYTES);
const _: () = assert!(GROUP_HEAD_BYTES == 64 && SEAL_BYTES == 96);

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: Salt = Salt { epoch: 3, segment: 5 };

    /// Records given as (kind, previous checksum or `None` for the right one, payload).
    fn group(records: &[(u8, Option<u32>, &[u8])], padding: u8) -> (GroupHead, Vec<u8>) {
        let mut bytes = vec![0; GROUP_ALIGN];
        let (mut at, mut chain) = (GROUP_HEAD_BYTES, 77);
        for (i, (kind, prev_crc, payload)) in records.iter().enumerate() {
            let head = Head {
                payload_len: payload.len(),
                kind: *kind,
                seq: 10 + i as u64,
                ts: 0,
                salt: SALT,
                prev_crc: prev_crc.unwrap_or(chain),
            };
            chain = head.encode(&mut bytes[at..], payload);
            at += head.frame_bytes();
        }
        bytes[at] = padding;
        let head = GroupHead {
            salt: SALT,
            first_seq: 10,
            prev_crc: 77,
            bytes: GROUP_ALIGN as u32,
            records: records.len() as u32,
            last_crc: chain,
            durable: 9,
            seal: None,
        };
        head.encode(&mut bytes);
        (head, bytes)
    }

    #[test]
    fn heads_read_back_and_only_in_their_place() {
        let (head, bytes) = group(&[(1, None, b"abc")], 0);
        assert_eq!(GroupHead::parse(&bytes), Some(head));
        assert_eq!(head.check(&bytes), Ok(()));
        assert!(head.is_of(SALT) && head.continues(77, 10));
        assert!(!head.is_of(Salt { epoch: 2, ..SALT }) && !head.is_of(Salt { segment: 4, ..SALT }));
        assert!(!head.continues(78, 10) && !head.continues(77, 11));
        let sealed = GroupHead { seal: Some([7; 32]), records: 0, ..head };
        let mut bytes = [0; GROUP_ALIGN];
        sealed.encode(&mut bytes);
        assert_eq!(GroupHead::parse(&bytes), Some(sealed));
        for bytes in [0, 32, 4097, GROUP_BYTES_MAX as u32 + 4096] {
            let mut block = [0; GROUP_ALIGN];
            GroupHead { bytes, ..head }.encode(&mut block);
            assert_eq!(GroupHead::parse(&block), None, "{bytes}");
        }
    }

    #[test]
    fn a_right_checksum_does_not_excuse_wrong_content() {
        let what = |records: &[(u8, Option<u32>, &[u8])], padding| {
            let (head, bytes) = group(records, padding);
            head.check(&bytes).unwrap_err()
        };
        assert_eq!(what(&[(99, None, b"")], 0), (64, "unknown kind of record"));
        assert_eq!(
            what(&[(1, None, b""), (1, Some(1), b"")], 0),
            (104, "record does not follow the one before it")
        );
        assert_eq!(what(&[(1, None, b"")], 1), (104, "padding of the group is not zero"));
        let (head, bytes) = group(&[(1, None, b"a"), (1, None, b"b")], 0);
        let fewer = GroupHead { records: 1, ..head };
        assert_eq!(fewer.check(&bytes).unwrap_err().0, 0, "it ends with another record");
        let more = GroupHead { records: 3, ..head };
        assert_eq!(more.check(&bytes), Err((160, "no record here")));
        let later = GroupHead { first_seq: 11, ..head };
        assert_eq!(later.check(&bytes), Err((64, "sequence number out of order")));
        let elsewhere = GroupHead { salt: Salt { epoch: 4, segment: 5 }, ..head };
        assert_eq!(elsewhere.check(&bytes), Err((64, "record of another segment or epoch")));
    }

    #[test]
    fn padding_of_a_record_is_checked_behind_its_checksum() {
        let (head, mut bytes) = group(&[(1, None, b"abc")], 0);
        bytes[GROUP_HEAD_BYTES + HEADER_BYTES + 5] = 1;
        let frame = GROUP_HEAD_BYTES..GROUP_HEAD_BYTES + frame_bytes(3);
        let crc = crc32c::crc32c(&bytes[frame.start + 4..frame.end]);
        bytes[frame.start..frame.start + 4].copy_from_slice(&crc.to_le_bytes());
        let head = GroupHead { last_crc: crc, ..head };
        assert_eq!(head.check(&bytes), Err((64, "padding is not zero")));
    }

    #[test]
    fn segment_heads_read_back_and_only_in_their_file() {
        let head = SegmentHead { salt: SALT, segment_bytes: 1 << 20 };
        let block = head.encode();
        assert_eq!(SegmentHead::parse(&block, 5), Some(head));
        assert_eq!(SegmentHead::parse(&block, 4), None);
        assert_eq!(SegmentHead::parse(&block[..4095], 5), None);
        for at in [0, 9, 13, 17, 30, 4095] {
            let mut changed = block;
            changed[at] ^= 4;
            assert_eq!(SegmentHead::parse(&changed, 5), None, "{at}");
        }
        assert_eq!(other_format(&block), None);
        assert_eq!(other_format(b"IJKJ0001xxx"), Some("0001".into()));
        assert_eq!(other_format(b"PAR1xxxxxxx"), None);
    }
}
