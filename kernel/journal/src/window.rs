//! A window into a segment file: bytes are read once, in large pieces, and looked at in place.

use crate::error::JournalError;
use crate::group::{FIRST_GROUP, GROUP_ALIGN, GroupHead, is_zero};
use crate::storage::ReadStorage;
use std::io;

/// Bytes held at once, unless a group is longer.
const WINDOW_BYTES: usize = 1 << 18;

/// Part of one segment file.
pub(crate) struct Window<S> {
    storage: S,
    bytes: Vec<u8>,
    segment: u32,
    /// Offset in the file of the first byte held.
    start: u64,
    len: usize,
}

impl<S: ReadStorage> Window<S> {
    /// Returns an empty window.
    pub fn new(storage: S) -> Window<S> {
        Window { storage, bytes: Vec::new(), segment: 0, start: 0, len: 0 }
    }

    /// Returns the numbers of the segment files.
    pub fn list(&mut self) -> Result<Vec<u32>, JournalError> {
        let read = |source| JournalError::Read { segment: 0, offset: 0, source };
        self.storage.list().map_err(read)
    }

    /// Says that a segment is done with.
    pub fn close(&mut self, segment: u32) {
        self.storage.close(segment);
    }

    /// Returns the bytes held from `offset` on, which lies in the part read last.
    pub fn held(&self, offset: u64) -> &[u8] {
        &self.bytes[(offset - self.start) as usize..self.len]
    }

    /// Returns the bytes from `offset` on: `need` of them or more, unless the file ends first.
    pub fn read(&mut self, segment: u32, offset: u64, need: usize) -> Result<&[u8], JournalError> {
        let here = segment == self.segment
            && offset >= self.start
            && offset + need as u64 <= self.start + self.len as u64;
        if !here {
            self.load(segment, offset, need.max(WINDOW_BYTES))?;
        }
        Ok(self.held(offset))
    }

    /// Returns whether the file holds nothing but zeros from `offset` on.
    pub fn is_zero_from(&mut self, segment: u32, mut offset: u64) -> Result<bool, JournalError> {
        loop {
            let bytes = self.read(segment, offset, GROUP_ALIGN)?;
            if bytes.is_empty() {
                return Ok(true);
            }
            if !is_zero(bytes) {
                return Ok(false);
            }
            offset += bytes.len() as u64;
        }
    }

    /// Returns whether a whole head of a group that is `ours` begins at a block from `offset`
    /// on.
    pub fn has_group(
        &mut self,
        segment: u32,
        offset: u64,
        ours: impl Fn(&GroupHead) -> bool,
    ) -> Result<bool, JournalError> {
        let mut offset = offset.max(FIRST_GROUP);
        loop {
            let bytes = self.read(segment, offset, GROUP_ALIGN)?;
            if bytes.is_empty() {
                return Ok(false);
            }
            if GroupHead::parse(bytes).is_some_and(|g| ours(&g)) {
                return Ok(true);
            }
            offset += GROUP_ALIGN as u64;
        }
    }

    /// Reads `want` bytes at `offset`, keeping what is held of them already.
    fn load(&mut self, segment: u32, offset: u64, want: usize) -> Result<(), JournalError> {
        let end = self.start + self.len as u64;
        let kept = if segment == self.segment && (self.start..=end).contains(&offset) {
            let from = (offset - self.start) as usize;
            self.bytes.copy_within(from..self.len, 0);
            self.len - from
        } else {
            0
        };
        (self.segment, self.start, self.len) = (segment, offset, kept);
        if self.bytes.len() < want {
            let read = |source| JournalError::Read { segment, offset, source };
            let left = self.storage.len(segment).map_err(read)?.saturating_sub(offset);
            // Small journals take small memory.
            let most = want.min(usize::try_from(left).unwrap_or(want)).max(GROUP_ALIGN);
            if self.bytes.len() < most {
                self.bytes.resize(most, 0);
            }
        }
        while self.len < want.min(self.bytes.len()) {
            let at = self.start + self.len as u64;
            match self.storage.read_at(segment, at, &mut self.bytes[self.len..]) {
                Ok(0) => break,
                Ok(n) => self.len += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(JournalError::Read { segment, offset: at, source }),
            }
        }
        Ok(())
    }
}
