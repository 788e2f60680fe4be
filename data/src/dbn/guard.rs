//! Stands between a stream and the DBN decoder: checks the prefix, counts bytes, and keeps a
//! truncated compressed stream from looking like the end of the file.

use crate::input::{show, stream_error};
use ijk_core::{FeedError, FeedErrorKind};
use std::io::{self, Read};

/// `DBN`, the version, and the length of the metadata as u32.
const PREFIX_BYTES: usize = 8;
/// Unit of a record's length.
const WORD_BYTES: usize = 4;
/// As many symbols as the kernel serves take far less; more is a damaged length or a request for
/// a whole market.
const METADATA_BYTES_MAX: u64 = 16 << 20;

pub(super) struct Guard<R> {
    inner: R,
    prefix: [u8; PREFIX_BYTES],
    bytes: u64,
    /// Where the next record begins.
    record_at: u64,
    /// Nothing more is handed out.
    stopped: bool,
}

impl<R: Read> Guard<R> {
    /// Reads and checks the prefix.
    pub(super) fn new(mut inner: R, name: &str) -> Result<Guard<R>, FeedError> {
        let mut prefix = [0u8; PREFIX_BYTES];
        let mut have = 0;
        while have < PREFIX_BYTES {
            match inner.read(&mut prefix[have..]) {
                Ok(0) => break,
                Ok(n) => have += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(stream_error(&e, name, 0)),
            }
        }
        let fail = |kind, detail| FeedError {
            kind,
            file: name.to_string(),
            line: 0,
            field: String::new(),
            detail,
        };
        if have == 0 {
            return Err(fail(FeedErrorKind::Format, "the file is empty; DBN was expected".into()));
        }
        if !b"DBN".starts_with(&prefix[..have.min(3)]) {
            let detail = format!("expected 'DBN' at its start, found '{}'", show(&prefix[..have]));
            return Err(fail(FeedErrorKind::Format, detail));
        }
        if have < PREFIX_BYTES {
            let detail = format!("the stream ends inside its metadata, after {have} bytes");
            return Err(fail(FeedErrorKind::Truncated, detail));
        }
        let mut guard = Guard { inner, prefix, bytes: 0, record_at: 0, stopped: false };
        guard.record_at = guard.metadata_bytes();
        if guard.metadata_bytes() > METADATA_BYTES_MAX {
            let detail = format!(
                "its metadata has {} bytes; at most {METADATA_BYTES_MAX} are read (a damaged file, \
                 or one of too many symbols)",
                guard.metadata_bytes()
            );
            return Err(fail(FeedErrorKind::Format, detail));
        }
        Ok(guard)
    }

    /// Returns the bytes before the first record.
    pub(super) fn metadata_bytes(&self) -> u64 {
        let [_, _, _, _, length @ ..] = self.prefix;
        PREFIX_BYTES as u64 + u64::from(u32::from_le_bytes(length))
    }

    /// Returns how many of these bytes, the next of the stream, may be handed out: all, or those
    /// up to the end of a record whose size is off the alignment of records. The decoder would take
    /// the record behind it for aligned; the reader refuses the record itself.
    fn stop_behind_odd(&mut self, next: &[u8]) -> usize {
        let end = self.bytes + next.len() as u64;
        while self.record_at < end {
            // Before this place everything was handed out: it lies inside `next`.
            let words = next[(self.record_at - self.bytes) as usize];
            let size = usize::from(words) * WORD_BYTES;
            if size == 0 {
                self.record_at = u64::MAX; // The decoder refuses it.
                break;
            }
            self.record_at += size as u64;
            if !size.is_multiple_of(super::RECORD_ALIGN_BYTES) {
                self.stopped = true;
                break;
            }
        }
        if self.stopped { (self.record_at.min(end) - self.bytes) as usize } else { next.len() }
    }

    /// Returns the bytes handed out so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl<R: Read> Read for Guard<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let at = usize::try_from(self.bytes).unwrap_or(usize::MAX);
        let n = if at < PREFIX_BYTES {
            (&self.prefix[at..]).read(buf)?
        } else {
            let left = if self.stopped { self.record_at - self.bytes } else { u64::MAX };
            let room = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            // The decoder takes this kind for the end of the file.
            let n = self.inner.read(&mut buf[..room]).map_err(|e| match e.kind() {
                io::ErrorKind::UnexpectedEof => io::Error::new(io::ErrorKind::InvalidData, e),
                _ => e,
            })?;
            if self.stopped { n } else { self.stop_behind_odd(&buf[..n]) }
        };
        self.bytes += n as u64;
        Ok(n)
    }
}
