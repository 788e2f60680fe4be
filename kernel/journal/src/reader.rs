//! The reader: group by group, in bounded memory, checking everything before any of it is given
//! out.

use crate::canary::{self, Bug};
use crate::error::JournalError;
use crate::frame::{Head, Salt};
use crate::fs::FsStorage;
use crate::group::other_format;
use crate::group::{FIRST_GROUP, GROUP_ALIGN, GroupHead, MAGIC, SegmentHead, is_zero};
use crate::storage::ReadStorage;
use crate::window::Window;
use ijk_core::record::RecordKind;
use std::path::Path;

/// What the reader makes of a last group that was never completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryMode {
    /// An error: the journal is expected to be whole.
    Strict,
    /// The end: what a crash may leave. Anything else that is wrong stays an error.
    TornTail,
}

/// One whole, checked record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Number of the record in its journal, from 0.
    pub seq: u64,
    /// The kernel's time, nanoseconds UTC.
    pub ts: u64,
    /// What the payload is.
    pub kind: RecordKind,
    /// Payload without padding.
    pub payload: &'a [u8],
    /// Segment file it stands in.
    pub segment: u32,
    /// Byte offset of the frame in that file.
    pub offset: u64,
}

/// How a journal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// After a whole group.
    Clean,
    /// With a group that was never completed.
    Torn {
        /// Segment file.
        segment: u32,
        /// Where the group begins.
        offset: u64,
    },
}

/// What was read so far; of the whole journal once [`Reader::next`] gave `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadStats {
    /// Segment files that hold groups.
    pub segments: u32,
    /// Groups.
    pub groups: u64,
    /// Records.
    pub records: u64,
    /// Bytes of groups and segment headers.
    pub bytes: u64,
    /// Number of the kernel's last start that wrote here.
    pub epoch: u32,
    /// The hash in the seal, if the last group is one.
    pub seal: Option<[u8; 32]>,
    /// How it ends.
    pub tail: Tail,
    /// Last segment with a group, and where its last group ends.
    pub end: Option<(u32, u64)>,
}

/// Reads a journal from its start. Whether the run was complete is told by the last record's
/// kind.
pub struct Reader<S: ReadStorage = FsStorage> {
    window: Window<S>,
    mode: RecoveryMode,
    segments: Vec<u32>,
    /// Index into `segments` of the one being read.
    at: usize,
    salt: Salt,
    head_read: bool,
    /// The segment being read had a group already.
    counted: bool,
    /// Where the next group begins.
    next_group: u64,
    /// Where the next record begins, and how many of the group are left.
    next_record: u64,
    records_left: u32,
    chain: u32,
    seq: u64,
    stats: ReadStats,
    ended: bool,
    failed: bool,
}

/// What stands where a group was due.
enum Found {
    Group(GroupHead),
    /// Nothing of this journal, to the end of the segment.
    SegmentEnd,
    /// Something that is no whole group.
    Damage {
        /// Where in the file.
        at: u64,
        what: &'static str,
    },
}

impl Reader<FsStorage> {
    /// Opens the journal in the folder `path`; a single segment file is read too, but then
    /// nothing is known of the records before it, and only segment 0 passes.
    ///
    /// # Errors
    /// [`JournalError::Open`], [`JournalError::NoSegments`], [`JournalError::NotAJournal`],
    /// [`JournalError::Version`].
    pub fn open(path: &Path, mode: RecoveryMode) -> Result<Reader, JournalError> {
        Reader::with_storage(FsStorage::read_only(path)?, mode)
    }
}

impl<S: ReadStorage> Reader<S> {
    /// Reads a journal from any storage.
    ///
    /// # Errors
    /// As [`Reader::open`], with [`JournalError::Read`].
    pub fn with_storage(storage: S, mode: RecoveryMode) -> Result<Reader<S>, JournalError> {
        let mut window = Window::new(storage);
        let segments = window.list()?;
        if segments.is_empty() {
            return Err(JournalError::NoSegments);
        }
        let mut reader = Reader {
            window,
            mode,
            segments,
            at: 0,
            salt: Salt { epoch: 0, segment: 0 },
            head_read: false,
            counted: false,
            next_group: FIRST_GROUP,
            next_record: 0,
            records_left: 0,
            chain: 0,
            seq: 0,
            stats: ReadStats {
                segments: 0,
                groups: 0,
                records: 0,
                bytes: 0,
                epoch: 0,
                seal: None,
                tail: Tail::Clean,
                end: None,
            },
            ended: false,
            failed: false,
        };
        reader.check_first()?;
        Ok(reader)
    }

    /// Returns the next record, or `None` at the end.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`], [`JournalError::Version`], [`JournalError::Read`], and in
    /// strict mode [`JournalError::TornTail`]; then [`JournalError::AfterError`].
    #[allow(clippy::should_implement_trait)] // the frame borrows the reader
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, JournalError> {
        if self.failed {
            return Err(JournalError::AfterError);
        }
        while self.records_left == 0 {
            if self.ended {
                return Ok(None);
            }
            let step = self.next_group();
            self.failed = step.is_err();
            step?;
        }
        let (segment, offset) = (self.salt.segment, self.next_record);
        let bytes = self.window.held(offset);
        let (Some(head), seq) = (Head::parse(bytes), self.seq) else {
            return Err(JournalError::AfterError);
        };
        let Some(kind) = RecordKind::from_raw(head.kind) else {
            let what = "unknown kind of record";
            return Err(JournalError::Corrupt { segment, offset, seq, what });
        };
        self.next_record += head.frame_bytes() as u64;
        self.records_left -= 1;
        self.seq += 1;
        self.stats.records += 1;
        let payload = head.payload(bytes);
        Ok(Some(Frame { seq, ts: head.ts, kind, payload, segment, offset }))
    }

    /// Returns what was read so far.
    pub fn stats(&self) -> &ReadStats {
        &self.stats
    }

    /// Returns the checksum of the last record of the last group read.
    pub(crate) fn chain(&self) -> u32 {
        self.chain
    }

    /// A first file that begins with something else entirely is not a journal.
    fn check_first(&mut self) -> Result<(), JournalError> {
        let segment = self.segments[0];
        let block = self.window.read(segment, 0, GROUP_ALIGN)?;
        let mut found = [0; 8];
        let n = block.len().min(8);
        found[..n].copy_from_slice(&block[..n]);
        let (other, zero) = (other_format(block), is_zero(block));
        if found[..n] == MAGIC[..n] || self.window.has_group(segment, FIRST_GROUP, |_| true)? {
            return Ok(());
        }
        match other {
            Some(found) => Err(JournalError::Version { segment, found }),
            None if self.mode == RecoveryMode::Strict && !zero => {
                Err(JournalError::NotAJournal { found })
            }
            None => Ok(()),
        }
    }

    /// Reads on to the next group, the next segment or the end.
    fn next_group(&mut self) -> Result<(), JournalError> {
        let Some(&segment) = self.segments.get(self.at) else {
            self.ended = true;
            return Ok(());
        };
        if !self.head_read && !self.segment_head(segment)? {
            self.ended = true;
            return Ok(());
        }
        match self.find_group()? {
            Found::Group(group) => {
                self.take_group(&group);
                Ok(())
            }
            Found::SegmentEnd => {
                self.window.close(segment);
                self.at += 1;
                self.head_read = false;
                self.counted = false;
                Ok(())
            }
            Found::Damage { at, what } => {
                let next = self.next_group + GROUP_ALIGN as u64;
                self.judge(at, what, Some(next))
            }
        }
    }

    fn take_group(&mut self, group: &GroupHead) {
        self.next_record = self.next_group + group.head_bytes() as u64;
        self.next_group += u64::from(group.bytes);
        self.records_left = group.records;
        self.chain = group.last_crc;
        if !self.counted {
            self.counted = true;
            self.stats.segments += 1;
            self.stats.bytes += FIRST_GROUP;
        }
        self.stats.groups += 1;
        self.stats.bytes += u64::from(group.bytes);
        self.stats.epoch = self.salt.epoch;
        self.stats.seal = group.seal;
        self.stats.end = Some((self.salt.segment, self.next_group));
    }

    /// Reads the header block of a segment; false where the journal ended before it.
    fn segment_head(&mut self, segment: u32) -> Result<bool, JournalError> {
        let expected = self.at as u32;
        let what = if segment == expected {
            let block = self.window.read(segment, 0, GROUP_ALIGN)?;
            match SegmentHead::parse(block, segment) {
                Some(head) if head.salt.epoch >= self.salt.epoch => {
                    self.salt = head.salt;
                    self.head_read = true;
                    self.next_group = FIRST_GROUP;
                    return Ok(true);
                }
                Some(_) => "the segment's epoch is older than the one before",
                None => "the segment's header is damaged",
            }
        } else {
            "a segment file is missing before this one"
        };
        self.salt.segment = segment;
        self.judge(0, what, None)?;
        Ok(false)
    }

    /// Looks at what stands where the next group is due.
    fn find_group(&mut self) -> Result<Found, JournalError> {
        let (segment, start) = (self.salt.segment, self.next_group);
        let bytes = self.window.read(segment, start, GROUP_ALIGN)?;
        let head = GroupHead::parse(bytes).filter(|g| g.is_of(self.salt));
        let Some(group) = head else {
            let rest_is_zero = self.window.is_zero_from(segment, start)?;
            return Ok(match rest_is_zero {
                true => Found::SegmentEnd,
                false => Found::Damage { at: start, what: "no whole group where one was due" },
            });
        };
        if !group.continues(self.chain, self.seq) {
            let what = "the group does not follow the one before it";
            return Err(JournalError::Corrupt { segment, offset: start, seq: self.seq, what });
        }
        let bytes = self.window.read(segment, start, group.bytes as usize)?;
        if bytes.len() < group.bytes as usize {
            return Ok(Found::Damage { at: start, what: "the file ends inside the group" });
        }
        Ok(match group.check(&bytes[..group.bytes as usize]) {
            Ok(()) => Found::Group(group),
            Err((at, what)) => Found::Damage { at: start + at as u64, what },
        })
    }

    /// Tells a torn tail from corruption: damage with a group of this journal after it is no
    /// torn tail. `search_from` is where in the damaged segment to look, `None` for a segment
    /// whose header is damaged, all of which is looked at, whatever epoch it is of.
    fn judge(
        &mut self,
        offset: u64,
        what: &'static str,
        search_from: Option<u64>,
    ) -> Result<(), JournalError> {
        let (segment, seq) = (self.salt.segment, self.seq);
        let start = self.next_group;
        let salt = self.salt;
        let mut follows = match search_from {
            Some(from) => self.window.has_group(segment, from, |g| g.is_of(salt))?,
            None => false,
        };
        let later = if search_from.is_some() { self.at + 1 } else { self.at };
        for i in later..self.segments.len() {
            let later = self.segments[i];
            let of_later = |g: &GroupHead| {
                g.salt.epoch >= salt.epoch
                    && g.is_of(Salt { epoch: g.salt.epoch, segment: later })
                    && g.first_seq >= seq
            };
            follows = follows || self.window.has_group(later, FIRST_GROUP, of_later)?;
        }
        if follows && !canary::planted(Bug::IgnoreTornMiddle) {
            return Err(JournalError::Corrupt { segment, offset, seq, what });
        }
        self.ended = true;
        // A segment whose header was never completed was not used yet: nothing is torn.
        if search_from.is_some() || self.at == 0 {
            let offset = if search_from.is_some() { start } else { 0 };
            self.stats.tail = Tail::Torn { segment, offset };
            if self.mode == RecoveryMode::Strict {
                return Err(JournalError::TornTail { segment, offset });
            }
        }
        Ok(())
    }
}
