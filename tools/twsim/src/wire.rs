//! Frames and the few protobuf fields the simulator speaks: `u32` length, `u32` message id plus
//! 200, both big-endian, then protobuf.

/// Longest frame read from a client.
pub const FRAME_BYTES_MAX: usize = 1 << 20;
/// Added to a message id to say that protobuf follows.
const PROTOBUF_OFFSET: u32 = 200;

/// What the bytes at hand hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// No whole frame yet.
    NeedMore,
    /// Not a frame of this protocol: close.
    Broken,
    /// One frame.
    Frame {
        /// Message id.
        id: u32,
        /// Protobuf fields.
        body: &'a [u8],
        /// Bytes of the frame with its length.
        consumed: usize,
    },
}

/// Reads the frame at the start of `bytes`.
pub fn read_frame(bytes: &[u8]) -> Incoming<'_> {
    let word = |at: usize| {
        let raw = bytes.get(at..at + 4)?;
        Some(u32::from_be_bytes([raw[0], raw[1], raw[2], raw[3]]))
    };
    let Some(length) = word(0).map(|n| n as usize) else { return Incoming::NeedMore };
    if !(4..=FRAME_BYTES_MAX).contains(&length) {
        return Incoming::Broken;
    }
    let (Some(raw_id), Some(body)) = (word(4), bytes.get(8..4 + length)) else {
        return Incoming::NeedMore;
    };
    match raw_id.checked_sub(PROTOBUF_OFFSET) {
        Some(id) => Incoming::Frame { id, body, consumed: 4 + length },
        None => Incoming::Broken,
    }
}

/// A message under construction.
pub struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// Begins message `id`.
    pub fn new(id: u32) -> Message {
        let mut bytes = vec![0; 4];
        bytes.extend_from_slice(&(id + PROTOBUF_OFFSET).to_be_bytes());
        Message { bytes }
    }

    /// Adds an integer field.
    pub fn int(mut self, tag: u32, value: i64) -> Message {
        self.varint(u64::from(tag) << 3);
        // Negative numbers are sign-extended to ten bytes, as protobuf prescribes.
        self.varint(value as u64);
        self
    }

    /// Adds a text field.
    pub fn text(mut self, tag: u32, value: &str) -> Message {
        self.varint(u64::from(tag) << 3 | 2);
        self.varint(value.len() as u64);
        self.bytes.extend_from_slice(value.as_bytes());
        self
    }

    /// Returns the frame with its length.
    pub fn finish(mut self) -> Vec<u8> {
        let length = (self.bytes.len() - 4) as u32;
        self.bytes[..4].copy_from_slice(&length.to_be_bytes());
        self.bytes
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}

/// Returns the integer in field `tag` of `body`: 0 where it is absent, `None` where the body is
/// not protobuf.
pub fn int_field(mut body: &[u8], tag: u32) -> Option<i64> {
    let mut found = 0;
    while !body.is_empty() {
        let key = take_varint(&mut body)?;
        match key & 7 {
            0 => {
                let value = take_varint(&mut body)?;
                if key >> 3 == u64::from(tag) {
                    found = value as i64;
                }
            }
            1 => body = body.get(8..)?,
            2 => {
                let length = usize::try_from(take_varint(&mut body)?).ok()?;
                body = body.get(length..)?;
            }
            5 => body = body.get(4..)?,
            _ => return None,
        }
    }
    Some(found)
}

fn take_varint(body: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = body.split_first()?;
        *body = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_are_the_bytes_of_the_protobuf_rules() {
        // 300 is the worked example of the protobuf encoding guide: ac 02.
        let bytes = Message::new(49).int(1, 300).text(2, "ab").finish();
        assert_eq!(bytes, b"\0\0\0\x0b\0\0\0\xf9\x08\xac\x02\x12\x02ab");
        let minus_one = Message::new(4).int(1, -1).finish();
        assert_eq!(minus_one[9..], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
    }

    #[test]
    fn frames_are_bounded_and_complete() {
        let bytes = Message::new(71).int(1, 7).finish();
        for len in 0..bytes.len() {
            assert_eq!(read_frame(&bytes[..len]), Incoming::NeedMore);
        }
        let body = &bytes[8..];
        assert_eq!(read_frame(&bytes), Incoming::Frame { id: 71, body, consumed: bytes.len() });
        for broken in [&b"\0\0\0\x03"[..], b"\xff\xff\xff\xff", b"\0\0\0\x04\0\0\0\x47"] {
            assert_eq!(read_frame(broken), Incoming::Broken);
        }
    }

    #[test]
    fn fields_of_every_wire_type_are_skipped() {
        let body = b"\x11abcdefgh\x1a\x02xy\x25wxyz\x08\x96\x01";
        assert_eq!(int_field(body, 1), Some(150));
        assert_eq!(int_field(body, 9), Some(0));
        assert_eq!(int_field(b"\x0b", 1), None);
        assert_eq!(int_field(b"\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 1), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = read_frame(&bytes);
            let _ = int_field(&bytes, 1);
        }

        #[test]
        fn integers_round_trip(value in any::<i64>(), tag in 1u32..2_000) {
            let bytes = Message::new(1).int(tag, value).text(tag + 1, "x").finish();
            prop_assert_eq!(int_field(&bytes[8..], tag), Some(value));
        }
    }
}
