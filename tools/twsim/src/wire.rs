//! Frames: `u32` length, `u32` message id plus 200, both big-endian, then protobuf.

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

/// Returns message `id` with `body` as a frame.
pub fn frame(id: u32, body: &impl prost::Message) -> Vec<u8> {
    raw_frame(id, &body.encode_to_vec())
}

/// Returns bytes as a frame of message `id`, whatever they are.
pub fn raw_frame(id: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + body.len());
    bytes.extend_from_slice(&(4 + body.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&(id + PROTOBUF_OFFSET).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{CurrentTime, ErrorMessage, StartApiRequest};
    use proptest::prelude::*;

    #[test]
    fn messages_are_the_bytes_of_the_protobuf_rules() {
        // 300 is the worked example of the protobuf encoding guide: ac 02.
        let bytes = frame(49, &CurrentTime { current_time: Some(300) });
        assert_eq!(bytes, b"\0\0\0\x07\0\0\0\xf9\x08\xac\x02");
        let minus_one = frame(4, &ErrorMessage { id: Some(-1), ..ErrorMessage::default() });
        assert_eq!(minus_one[9..], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
    }

    #[test]
    fn frames_are_bounded_and_complete() {
        let bytes = frame(71, &StartApiRequest { client_id: Some(7), ..Default::default() });
        for len in 0..bytes.len() {
            assert_eq!(read_frame(&bytes[..len]), Incoming::NeedMore);
        }
        let body = &bytes[8..];
        assert_eq!(read_frame(&bytes), Incoming::Frame { id: 71, body, consumed: bytes.len() });
        for broken in [&b"\0\0\0\x03"[..], b"\xff\xff\xff\xff", b"\0\0\0\x04\0\0\0\x47"] {
            assert_eq!(read_frame(broken), Incoming::Broken);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = read_frame(&bytes);
        }
    }
}
