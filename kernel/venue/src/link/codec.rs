//! Frames: encoding into a caller's buffer, decoding from any split of the stream.

use super::sane;
use ijk_core::{CancelOrder, NewOrder, SnapshotItem, SnapshotRequest, Symbol, VenueReport};
use zerocopy::IntoBytes;

/// Bytes of the length in front of a frame.
const LENGTH_BYTES: usize = 4;
/// Bytes of type and padding, which the length counts.
const TYPE_BYTES: usize = 4;
/// Bytes before the payload.
pub const HEADER_BYTES: usize = LENGTH_BYTES + TYPE_BYTES;
/// Largest value of the length in front of a frame.
pub const LENGTH_MAX: u32 = 4_096;
/// Bytes of the largest frame a venue sends.
pub const INBOUND_BYTES_MAX: usize = HEADER_BYTES + size_of::<SnapshotItem>();
/// Bytes of the largest frame a client sends.
pub const OUTBOUND_BYTES_MAX: usize = HEADER_BYTES + size_of::<NewOrder>();

/// Frame types. Below 64 from the client, from 65 on from the venue.
pub mod frame_type {
    /// First frame of a client.
    pub const HELLO: u8 = 1;
    /// One instrument of the session.
    pub const INSTRUMENT: u8 = 2;
    /// A new order.
    pub const NEW: u8 = 3;
    /// A cancel.
    pub const CANCEL: u8 = 4;
    /// A question for everything the venue has.
    pub const SNAPSHOT_REQUEST: u8 = 5;
    /// A sign of life that asks for one.
    pub const PING: u8 = 6;
    /// The venue takes the client.
    pub const WELCOME: u8 = 65;
    /// A report of an order.
    pub const REPORT: u8 = 66;
    /// An item of a snapshot.
    pub const SNAPSHOT: u8 = 67;
    /// The answer to a ping.
    pub const PONG: u8 = 68;
    /// The venue does not take the client; it closes.
    pub const REFUSED: u8 = 69;
}

/// Who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Number of this client at the venue.
    pub client_number: u32,
    /// Number of this start of the kernel.
    pub boot_epoch: u64,
    /// The account, ASCII, padded with zeros.
    pub account: [u8; 16],
    /// How many INSTRUMENT frames follow.
    pub instrument_count: u16,
}

/// What the venue says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Its clock, nanoseconds UTC since 1970.
    pub venue_time_ns: u64,
    /// Highest client order id it has ever seen of this client.
    pub highest_client_order_id: u64,
}

/// A frame of the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// It takes the client.
    Welcome(Welcome),
    /// A report of an order.
    Report(VenueReport),
    /// An item of a snapshot.
    Snapshot(SnapshotItem),
    /// The answer to the ping with this number.
    Pong(u64),
    /// It does not take the client, with the code of [`super::RefusedCode`].
    Refused(u16),
}

/// A frame that breaks the protocol. The stream cannot be read on after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("link byte {offset}: frame type {frame_type}: field '{field}': expected {expected}")]
pub struct CodecError {
    /// Where the frame begins, bytes since the connection was opened.
    pub offset: u64,
    /// Its type; 0 where that was not read yet.
    pub frame_type: u8,
    /// The field.
    pub field: &'static str,
    /// What belongs there.
    pub expected: &'static str,
}

/// What is wrong with a field: its name and what belongs there.
pub(super) type Fault = (&'static str, &'static str);

fn frame(buf: &mut [u8], frame_type: u8, payload: &[&[u8]]) -> usize {
    let payload_len: usize = payload.iter().map(|p| p.len()).sum();
    let length = (TYPE_BYTES + payload_len) as u32;
    assert!(length <= LENGTH_MAX, "a frame of ours fits the protocol");
    buf[..4].copy_from_slice(&length.to_le_bytes());
    buf[4..8].copy_from_slice(&[frame_type, 0, 0, 0]);
    let mut at = HEADER_BYTES;
    for part in payload {
        buf[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    at
}

/// Encodes HELLO at the start of `buf`; returns its bytes. Every encoder panics if the buffer is
/// shorter than [`OUTBOUND_BYTES_MAX`] would allow: the caller's own invariant.
pub fn encode_hello(buf: &mut [u8], hello: &Hello) -> usize {
    let parts: [&[u8]; 6] = [
        &super::PROTOCOL.to_le_bytes(),
        &hello.client_number.to_le_bytes(),
        &hello.boot_epoch.to_le_bytes(),
        &hello.account,
        &hello.instrument_count.to_le_bytes(),
        &[0; 6],
    ];
    frame(buf, frame_type::HELLO, &parts)
}

/// Encodes INSTRUMENT: the symbol that stands for index `id` in this session.
pub fn encode_instrument(buf: &mut [u8], id: u16, symbol: &Symbol) -> usize {
    let mut name = [0u8; 16];
    let text = symbol.as_str().as_bytes();
    name[..text.len()].copy_from_slice(text);
    frame(buf, frame_type::INSTRUMENT, &[&id.to_le_bytes(), &[0; 6], &name])
}

/// Encodes NEW.
pub fn encode_new(buf: &mut [u8], order: &NewOrder) -> usize {
    frame(buf, frame_type::NEW, &[order.as_bytes()])
}

/// Encodes CANCEL.
pub fn encode_cancel(buf: &mut [u8], cancel: &CancelOrder) -> usize {
    frame(buf, frame_type::CANCEL, &[cancel.as_bytes()])
}

/// Encodes SNAPSHOT_REQUEST.
pub fn encode_snapshot_request(buf: &mut [u8], request: &SnapshotRequest) -> usize {
    frame(buf, frame_type::SNAPSHOT_REQUEST, &[request.as_bytes()])
}

/// Encodes PING.
pub fn encode_ping(buf: &mut [u8], number: u64) -> usize {
    frame(buf, frame_type::PING, &[&number.to_le_bytes()])
}

/// Reads a venue's stream, cut anywhere. Every byte is taken for hostile: a frame comes out only
/// if its length fits its type, its reserved bytes are zero, its enumerations are known, its
/// instrument is one of the session and its numbers are possible.
#[derive(Clone, Debug)]
pub struct Decoder {
    buf: [u8; INBOUND_BYTES_MAX],
    len: usize,
    /// Where the frame under way begins.
    offset: u64,
    instrument_count: u16,
    failed: Option<CodecError>,
}

impl Decoder {
    /// Returns a decoder for a session of `instrument_count` instruments.
    pub fn new(instrument_count: u16) -> Decoder {
        let buf = [0; INBOUND_BYTES_MAX];
        Decoder { buf, len: 0, offset: 0, instrument_count, failed: None }
    }

    /// Forgets everything: a new connection begins.
    pub fn reset(&mut self) {
        *self = Decoder::new(self.instrument_count);
    }

    /// Returns where the frame under way begins, bytes since the connection was opened.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Takes bytes from the front of `bytes` until a frame is whole. `None`: all are taken and
    /// more are needed.
    ///
    /// # Errors
    /// [`CodecError`], and the same again on every later call.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Frame>, CodecError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let found = self.step(bytes).map_err(|(field, expected)| {
            let frame_type = if self.len > LENGTH_BYTES { self.buf[LENGTH_BYTES] } else { 0 };
            CodecError { offset: self.offset, frame_type, field, expected }
        });
        if let Err(error) = found {
            self.failed = Some(error);
        }
        found
    }

    fn step(&mut self, bytes: &mut &[u8]) -> Result<Option<Frame>, Fault> {
        // The length alone can be wrong: nobody waits for bytes that do not help.
        if !self.fill(LENGTH_BYTES, bytes) {
            return Ok(None);
        }
        let [a, b, c, d, ..] = self.buf;
        let length = u32::from_le_bytes([a, b, c, d]);
        if length < TYPE_BYTES as u32 || length > LENGTH_MAX {
            return Err(("length", "4 to 4096"));
        }
        if !self.fill(HEADER_BYTES, bytes) {
            return Ok(None);
        }
        let payload_bytes = payload_bytes(self.buf[LENGTH_BYTES])?;
        if length as usize != TYPE_BYTES + payload_bytes {
            return Err(("length", "the length of this type's frame"));
        }
        if self.buf[5..8] != [0; 3] {
            return Err(("padding", "three zero bytes after the type"));
        }
        if !self.fill(HEADER_BYTES + payload_bytes, bytes) {
            return Ok(None);
        }
        let payload = &self.buf[HEADER_BYTES..HEADER_BYTES + payload_bytes];
        let frame = decode(self.buf[LENGTH_BYTES], payload, self.instrument_count)?;
        self.offset += self.len as u64;
        self.len = 0;
        Ok(Some(frame))
    }

    /// Fills the buffer up to `want` bytes; returns whether they are there.
    fn fill(&mut self, want: usize, bytes: &mut &[u8]) -> bool {
        let take = want.saturating_sub(self.len).min(bytes.len());
        let (now, later) = bytes.split_at(take);
        self.buf[self.len..self.len + take].copy_from_slice(now);
        self.len += take;
        *bytes = later;
        self.len >= want
    }
}

fn payload_bytes(kind: u8) -> Result<usize, Fault> {
    match kind {
        frame_type::WELCOME => Ok(24),
        frame_type::REPORT => Ok(size_of::<VenueReport>()),
        frame_type::SNAPSHOT => Ok(size_of::<SnapshotItem>()),
        frame_type::PONG | frame_type::REFUSED => Ok(8),
        _ => Err(("type", "65 to 69, a frame of a venue")),
    }
}

fn decode(kind: u8, payload: &[u8], instrument_count: u16) -> Result<Frame, Fault> {
    match kind {
        frame_type::WELCOME => decode_welcome(payload).map(Frame::Welcome),
        frame_type::REPORT => sane::report(payload, instrument_count).map(Frame::Report),
        frame_type::SNAPSHOT => sane::snapshot(payload, instrument_count).map(Frame::Snapshot),
        frame_type::PONG => Ok(Frame::Pong(u64_at(payload, 0))),
        _ if payload[2..8] != [0; 6] => Err(("reserved", "zero")),
        _ => Ok(Frame::Refused(u16::from_le_bytes([payload[0], payload[1]]))),
    }
}

fn decode_welcome(payload: &[u8]) -> Result<Welcome, Fault> {
    let u32_at = |at: usize| {
        u32::from_le_bytes([payload[at], payload[at + 1], payload[at + 2], payload[at + 3]])
    };
    if u32_at(0) != super::PROTOCOL {
        return Err(("protocol", "1"));
    }
    if u32_at(4) != 0 {
        return Err(("flags", "zero"));
    }
    Ok(Welcome { venue_time_ns: u64_at(payload, 8), highest_client_order_id: u64_at(payload, 16) })
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut raw = [0; 8];
    raw.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(raw)
}
