//! What can be wrong with a journal, and what to do about it.

use ijk_core::record::RecordKind;
use std::io;
use std::path::PathBuf;

/// Why a journal cannot be written or read. The variants that speak of content carry the byte
/// offset in the file where it is.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file does not begin with the magic: another file was named.
    #[error("not a journal: the file begins with {found:02x?}, a journal begins with IJKJ0001")]
    NotAJournal {
        /// First bytes found.
        found: [u8; 8],
    },
    /// The file ends inside a frame and nothing valid follows: the writer was cut off. All frames
    /// before `offset` are whole; truncating there is safe.
    #[error("torn tail: the frame at byte {offset} was never completed; all before it is whole")]
    TornTail {
        /// Where the incomplete frame begins.
        offset: u64,
    },
    /// A frame is damaged and it is not merely the end of a cut-off file: do not trade on this.
    #[error("corrupt journal: frame {seq} at byte {offset}: {what}")]
    Corrupt {
        /// Where the damaged frame begins.
        offset: u64,
        /// Sequence number expected there.
        seq: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// A whole frame stands where another was due: frames are missing or repeated.
    #[error("corrupt journal: frame {expected} was due at byte {offset}, found frame {found}")]
    Gap {
        /// Where the frame begins.
        offset: u64,
        /// Sequence number due.
        expected: u64,
        /// Sequence number found.
        found: u64,
    },
    /// The frame is whole but of a format this build does not know: read it with a newer build.
    #[error("frame at byte {offset} has format version {found}, this build reads version 1")]
    Version {
        /// Where the frame begins.
        offset: u64,
        /// Version found.
        found: u8,
    },
    /// A frame's payload is not the record asked for.
    #[error("frame {seq} of kind {kind:?} ({bytes} payload bytes) is not a valid {expected}")]
    Payload {
        /// Sequence number of the frame.
        seq: u64,
        /// Kind of the frame.
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
    #[error("journal.block_bytes is {block_bytes}: expected a multiple of 4096 up to 268435456")]
    BlockBytes {
        /// The setting.
        block_bytes: usize,
    },
    /// io_uring was demanded and this system does not allow it: set `journal.backend = "auto"`.
    #[error("io_uring is not available (journal.backend = \"auto\" falls back): {source}")]
    UringUnavailable {
        /// What the system said.
        source: io::Error,
    },
    /// The system refused to create or open the file.
    #[error("{}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Reading failed.
    #[error("reading the journal failed at byte {offset}: {source}")]
    Read {
        /// Where.
        offset: u64,
        /// What the system said.
        source: io::Error,
    },
    /// Writing failed: the journal ends before `offset`; stop trading.
    #[error("writing the journal failed at byte {offset}: {source}")]
    Write {
        /// Where.
        offset: u64,
        /// What the system said.
        source: io::Error,
    },
    /// Forcing the data to the device failed. It is never tried again: after a failed sync the
    /// system may forget which pages were not written, and a second one would lie.
    #[error("forcing the journal to the device failed (what is on it is unknown): {source}")]
    Sync {
        /// What the system said.
        source: io::Error,
    },
    /// The writer failed before and takes nothing more.
    #[error("the journal writer failed before; nothing more is written")]
    AfterFailure,
}
