//! The reader: frame by frame, in bounded memory, checking everything.

use crate::error::JournalError;
use crate::frame::{FRAME_BYTES_MAX, FRAME_VERSION, HEADER_BYTES, Head, MAGIC};
use ijk_core::limits::RECORD_PAYLOAD_BYTES_MAX;
use ijk_core::record::RecordKind;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Bytes held at once; frames are read in place from it.
const WINDOW_BYTES: usize = 1 << 18;
const _: () = assert!(WINDOW_BYTES >= 2 * FRAME_BYTES_MAX);

/// One whole, checked frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Number of the frame in its journal, from 0.
    pub seq: u64,
    /// The kernel's time, nanoseconds UTC.
    pub ts: u64,
    /// What the payload is.
    pub kind: RecordKind,
    /// Payload without padding.
    pub payload: &'a [u8],
    /// Byte offset of the frame in the file.
    pub offset: u64,
}

/// Reads a journal from its start. The end of the file after a whole frame is a clean end;
/// whether the run was complete is told by the last record's kind.
pub struct Reader<R = File> {
    source: R,
    window: Vec<u8>,
    start: usize,
    end: usize,
    /// File offset of `window[start]`.
    offset: u64,
    seq: u64,
    source_ended: bool,
    failed: bool,
}

impl Reader<File> {
    /// Opens the journal at `path`.
    ///
    /// # Errors
    /// [`JournalError::Open`], [`JournalError::NotAJournal`], and [`JournalError::TornTail`] at
    /// offset 0 for a file that ends inside its magic.
    pub fn open(path: &Path) -> Result<Reader<File>, JournalError> {
        let open = |source| JournalError::Open { path: path.to_path_buf(), source };
        Reader::new(File::open(path).map_err(open)?)
    }
}

impl<R: Read> Reader<R> {
    /// Reads a journal from any source of bytes.
    ///
    /// # Errors
    /// As [`Reader::open`], with [`JournalError::Read`].
    pub fn new(source: R) -> Result<Reader<R>, JournalError> {
        let mut reader = Reader {
            source,
            window: vec![0; WINDOW_BYTES],
            start: 0,
            end: 0,
            offset: 0,
            seq: 0,
            source_ended: false,
            failed: false,
        };
        let have = reader.fill(MAGIC.len())?;
        let found = &reader.window[..have.min(MAGIC.len())];
        if !MAGIC.starts_with(found) {
            let mut shown = [0; 8];
            shown[..found.len()].copy_from_slice(found);
            return Err(JournalError::NotAJournal { found: shown });
        }
        if found.len() < MAGIC.len() {
            return Err(JournalError::TornTail { offset: 0 });
        }
        reader.consume(MAGIC.len());
        Ok(reader)
    }

    /// Returns the next frame, or `None` at a clean end.
    ///
    /// # Errors
    /// [`JournalError::TornTail`], [`JournalError::Corrupt`], [`JournalError::Gap`],
    /// [`JournalError::Version`], [`JournalError::Read`]; then [`JournalError::AfterError`].
    #[allow(clippy::should_implement_trait)] // the frame borrows the reader
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, JournalError> {
        if self.failed {
            return Err(JournalError::AfterError);
        }
        let checked = self.check_next();
        self.failed = checked.is_err();
        let Some((head, kind)) = checked? else { return Ok(None) };
        let (at, offset) = (self.start + HEADER_BYTES, self.offset);
        self.consume(head.frame_bytes());
        self.seq += 1;
        let payload = &self.window[at..at + head.payload_len];
        Ok(Some(Frame { seq: head.seq, ts: head.ts, kind, payload, offset }))
    }

    /// Returns the byte offset behind the last whole frame.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Brings the next frame into the window and checks it.
    fn check_next(&mut self) -> Result<Option<(Head, RecordKind)>, JournalError> {
        let have = self.fill(HEADER_BYTES)?;
        if have == 0 {
            return Ok(None);
        }
        if have < HEADER_BYTES {
            return Err(self.judge_damage(None, "header cut off")?);
        }
        let head = Head::parse(self.ahead());
        let total = head.frame_bytes();
        if self.fill(total)? < total {
            return Err(self.judge_damage(None, "length beyond the end of the file")?);
        }
        let frame = &self.ahead()[..total];
        if !head.checksum_matches(frame) {
            return Err(self.judge_damage(Some(total), "checksum does not match")?);
        }
        let (offset, seq) = (self.offset, self.seq);
        let corrupt = |what| Err(JournalError::Corrupt { offset, seq, what });
        if head.version != FRAME_VERSION {
            return Err(JournalError::Version { offset, found: head.version });
        }
        if head.payload_len > RECORD_PAYLOAD_BYTES_MAX {
            return corrupt("payload longer than any record");
        }
        if frame[HEADER_BYTES + head.payload_len..].iter().any(|&b| b != 0) {
            return corrupt("padding is not zero");
        }
        let Some(kind) = RecordKind::from_raw(head.kind) else {
            return corrupt("unknown kind of record");
        };
        if head.seq != seq {
            return Err(JournalError::Gap { offset, expected: seq, found: head.seq });
        }
        Ok(Some((head, kind)))
    }

    /// Tells a cut-off end from damage. `total` is the damaged frame's length, `None` where the
    /// file ends inside it. A valid frame anywhere later means damage; else it is a cut-off end
    /// if the file ends inside the frame, or goes on with nothing but zeros (space that the
    /// system added but never filled).
    fn judge_damage(
        &mut self,
        total: Option<usize>,
        what: &'static str,
    ) -> Result<JournalError, JournalError> {
        let (offset, seq) = (self.offset, self.seq);
        let corrupt = JournalError::Corrupt { offset, seq, what };
        let torn = JournalError::TornTail { offset };
        let mut data_end = offset;
        while self.fill(HEADER_BYTES)? >= HEADER_BYTES {
            if self.offset > offset && self.frame_ahead()? {
                return Ok(corrupt);
            }
            if self.ahead()[..8] != [0; 8] {
                data_end = self.offset + 8;
            }
            self.consume(8);
        }
        if let Some(last) = self.ahead().iter().rposition(|&b| b != 0) {
            data_end = self.offset + last as u64 + 1;
        }
        let file_end = self.offset + self.ahead().len() as u64;
        let Some(total) = total else { return Ok(torn) };
        let frame_end = offset + total as u64;
        let zeros_follow = data_end <= frame_end && frame_end < file_end;
        Ok(if data_end == offset || zeros_follow { torn } else { corrupt })
    }

    /// Returns whether a valid frame, of whatever number, begins here.
    fn frame_ahead(&mut self) -> Result<bool, JournalError> {
        let head = Head::parse(self.ahead());
        if !head.plausible() {
            return Ok(false);
        }
        let total = head.frame_bytes();
        Ok(self.fill(total)? >= total && head.checksum_matches(&self.ahead()[..total]))
    }

    fn ahead(&self) -> &[u8] {
        &self.window[self.start..self.end]
    }

    fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        self.offset += bytes as u64;
    }

    /// Brings at least `need` bytes into the window unless the source ends first; returns the
    /// bytes there are.
    fn fill(&mut self, need: usize) -> Result<usize, JournalError> {
        if self.end - self.start < need && self.window.len() - self.start < need {
            self.window.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        while self.end - self.start < need && !self.source_ended {
            match self.source.read(&mut self.window[self.end..]) {
                Ok(0) => self.source_ended = true,
                Ok(n) => self.end += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    let offset = self.offset + (self.end - self.start) as u64;
                    return Err(JournalError::Read { offset, source });
                }
            }
        }
        Ok(self.end - self.start)
    }
}
