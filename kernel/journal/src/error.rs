//! What can be wrong with a journal, and what to do about it.

use crate::storage::segment_name;
use ijk_core::record::RecordKind;
use std::io;
use std::path::PathBuf;

/// Why a journal cannot be written or read. The variants that speak of content carry segment file
/// and byte offset.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file does not begin with the magic: another file was named.
    #[error("not a journal: the file begins with {found:02x?}, a journal begins with IJKJ0002")]
    NotAJournal {
        /// First bytes found.
        found: [u8; 8],
    },
    /// There is no segment file: another folder was named.
    #[error("no journal here: no segment file (000000.ijkj) was found")]
    NoSegments,
    /// The last group was never completed: the writer was cut off. All records before it are
    /// whole; recovery cuts it off.
    #[error(
        "torn tail: the group at byte {offset} of {} was never completed; all before it is whole",
        segment_name(*segment)
    )]
    TornTail {
        /// Segment file.
        segment: u32,
        /// Where the incomplete group begins.
        offset: u64,
    },
    /// Something is damaged and it is not merely the end of a cut-off journal: do not trade on
    /// this.
    #[error(
        "corrupt journal: {} at byte {offset}, where record {seq} was due: {what}",
        segment_name(*segment)
    )]
    Corrupt {
        /// Segment file.
        segment: u32,
        /// Where the damage was seen.
        offset: u64,
        /// Number of the first record that is not proven whole.
        seq: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The journal is of a format this build does not know: read it with the build that wrote it.
    #[error("{} is of journal format {found}, this build reads 0002", segment_name(*segment))]
    Version {
        /// Segment file.
        segment: u32,
        /// Format found.
        found: String,
    },
    /// A frame's payload is not the record asked for.
    #[error("record {seq} of kind {kind:?} ({bytes} payload bytes) is not a valid {expected}")]
    Payload {
        /// Sequence number of the record.
        seq: u64,
        /// Kind of the record.
        kind: RecordKind,
        /// Payload length in bytes.
        bytes: usize,
        /// Name of the record asked for.
        expected: &'static str,
    },
    /// The reader stopped at an error before; what follows it is not to be trusted.
    #[error("the journal is not read beyond its first error")]
    AfterError,
    /// A setting cannot be used.
    #[error("journal.{key} is {value}: expected {expected}")]
    Setting {
        /// The setting.
        key: &'static str,
        /// Its value.
        value: u64,
        /// What can be used.
        expected: &'static str,
    },
    /// A record does not fit into a group of these settings.
    #[error("a record of {bytes} payload bytes does not fit into the journal (at most {most})")]
    RecordTooLong {
        /// Payload bytes.
        bytes: usize,
        /// Most that fit.
        most: usize,
    },
    /// A journal can only be continued by a later start of the kernel.
    #[error("epoch {epoch} cannot continue a journal of epoch {last}")]
    StaleEpoch {
        /// Epoch given.
        epoch: u32,
        /// Last epoch in the journal.
        last: u32,
    },
    /// io_uring was demanded and this system does not allow it: set `journal.backend = "auto"`.
    #[error("io_uring is not available (journal.backend = \"auto\" falls back): {source}")]
    UringUnavailable {
        /// What the system said.
        source: io::Error,
    },
    /// The system refused to create or open a file or folder.
    #[error("{}: {source}", path.display())]
    Open {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Reading failed.
    #[error("reading {} failed at byte {offset}: {source}", segment_name(*segment))]
    Read {
        /// Segment file.
        segment: u32,
        /// Where.
        offset: u64,
        /// What the system said.
        source: io::Error,
    },
    /// A segment file could not be made ahead of its use: make room, then start again.
    #[error("preparing {} failed: {source}", segment_name(*segment))]
    Prepare {
        /// Segment file.
        segment: u32,
        /// What the system said.
        source: io::Error,
    },
    /// Writing failed: the journal ends before `offset`; stop trading.
    #[error("writing {} failed at byte {offset}: {source}", segment_name(*segment))]
    Write {
        /// Segment file.
        segment: u32,
        /// Where.
        offset: u64,
        /// What the system said.
        source: io::Error,
    },
    /// Forcing the data to the device failed. It is never tried again: after a failed sync the
    /// system may forget which pages were not written, and a second one would lie.
    #[error(
        "forcing {} to the device failed (what is on it is unknown): {source}",
        segment_name(*segment)
    )]
    Sync {
        /// Segment file.
        segment: u32,
        /// What the system said.
        source: io::Error,
    },
    /// Cutting off a torn tail or removing unused segments failed; the records are untouched,
    /// recovery can be run again.
    #[error("recovering {} failed: {source}", segment_name(*segment))]
    Recover {
        /// Segment file.
        segment: u32,
        /// What the system said.
        source: io::Error,
    },
    /// The writer failed before and takes nothing more.
    #[error("the journal writer failed before; nothing more is written")]
    AfterFailure,
}
