//! The write-ahead journal: frames, a writer on io_uring with a fallback to plain writes, a
//! streaming reader.
//!
//! A journal is the 8-byte magic [`MAGIC`] and then frames one after another, all little endian:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | CRC-32C of everything after it: the rest of the header, payload, padding |
//! | 4 | 2 | payload length in bytes, without padding |
//! | 6 | 1 | kind, [`ijk_core::record::RecordKind`] |
//! | 7 | 1 | format version, 1 |
//! | 8 | 8 | sequence number, contiguous from 0 |
//! | 16 | 8 | the kernel's time, nanoseconds UTC |
//! | 24 | | payload, padded with zeros to a multiple of 8 |
//!
//! The bytes depend on the records alone: no wall clock, no padding that marks where one write
//! ended and the next began. Equal runs leave equal files.

#![deny(unsafe_code)]

mod block;
mod error;
mod frame;
mod plain;
mod reader;
mod typed;
mod uring;
mod writer;

pub use error::JournalError;
pub use frame::{FRAME_VERSION, HEADER_BYTES, MAGIC, encode_frame, frame_bytes};
pub use reader::{Frame, Reader};
pub use typed::{Record, encode_record};
pub use writer::{Finished, Writer};
