//! The write-ahead journal: records in groups, groups in segment files; a writer on io_uring with
//! a fallback to plain writes, a streaming reader, recovery, and a simulated disk to prove them on.
//!
//! All numbers are little endian. A segment file `NNNNNN.ijkj` begins with a block of 4096 bytes:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic [`MAGIC`] |
//! | 8 | 4 | CRC-32C of the rest of the block |
//! | 12 | 4 | number of the segment, from 0 |
//! | 16 | 4 | epoch: number of the kernel's start |
//! | 24 | 8 | bytes of the file as it was laid out |
//!
//! Then groups, each a multiple of 4096 bytes and padded with zeros, so that no write ever touches
//! a block that was acknowledged; then zeros, or the end of the file. A group is a frame of kind
//! 0xf0 and the frames of its records. Every frame:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | CRC-32C of everything after it: the rest of the header, payload, padding |
//! | 4 | 2 | payload length in bytes, without padding |
//! | 6 | 1 | kind, [`ijk_core::record::RecordKind`] |
//! | 7 | 1 | format version, 2 |
//! | 8 | 8 | sequence number, contiguous from 0; of a group: of its first record |
//! | 16 | 8 | the kernel's time, nanoseconds UTC |
//! | 24 | 4 | epoch |
//! | 28 | 4 | number of the segment |
//! | 32 | 4 | CRC of the record before, across groups and segments; 0 before the first |
//! | 36 | 4 | `IJKR` |
//! | 40 | | payload, padded with zeros to a multiple of 8 |
//!
//! Payload of a group's frame: bytes of the group (u32), records (u32), CRC of the last record
//! (u32), 1 for a seal (u32), records on the device when it was written (u64); of a seal, which
//! holds no records and completes the journal, also the SHA-256 of the record stream.
//!
//! Equal runs leave equal record streams ([`StreamHasher`]); where groups end depends on timing.

#![deny(unsafe_code)]

mod block;
pub mod canary;
mod error;
mod frame;
mod fs;
mod group;
mod hash;
mod options;
mod reader;
mod recover;
pub mod sim;
mod storage;
mod typed;
mod uring;
mod window;
mod writer;

pub use error::JournalError;
pub use frame::{FRAME_VERSION, HEADER_BYTES, Salt, frame_bytes};
pub use fs::FsStorage;
pub use group::{GROUP_ALIGN, GROUP_BYTES_MAX, MAGIC};
pub use hash::StreamHasher;
pub use options::{Durability, WriterOptions};
pub use reader::{Frame, ReadStats, Reader, RecoveryMode, Tail};
pub use recover::{Recovered, recover};
pub use storage::{ReadStorage, SpareJob, Storage, WriteFault, segment_name};
pub use typed::Record;
pub use writer::{Finished, Writer};
