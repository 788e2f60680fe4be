//! The writer: gathers records into a group, gives the system whole groups.

use crate::block::Block;
use crate::canary::{self, Bug};
use crate::error::JournalError;
use crate::frame::{Head, Salt, frame_bytes};
use crate::fs::FsStorage;
use crate::group::SegmentHead;
use crate::group::{FIRST_GROUP, GROUP_ALIGN, GROUP_HEAD_BYTES, GroupHead, SEAL_BYTES};
use crate::hash::StreamHasher;
use crate::options::{Durability, WriterOptions};
use crate::recover::Recovered;
use crate::storage::{SpareJob, Storage, WriteFault, write_all};
use ijk_core::config::JournalConfig;
use ijk_core::limits::RECORD_PAYLOAD_BYTES_MAX;
use ijk_core::record::RecordKind;
use std::io;
use std::path::Path;

/// Writes one journal. Belongs on its own thread: calls wait for the system.
///
/// After any error the writer takes nothing more, for ever. Dropped without [`Writer::finish`] it
/// loses the records that were not committed.
pub struct Writer<S: Storage = FsStorage> {
    storage: S,
    options: WriterOptions,
    block: Block,
    /// Bytes of `block` in use; 0 while no group is begun.
    used: usize,
    /// Most bytes the group under way may have.
    limit: usize,
    records: u32,
    segment: u32,
    /// Where the group under way, or the next one, begins.
    offset: u64,
    /// Checksum of the last record, and of the last one before the group under way.
    chain: u32,
    chain_before: u32,
    seq: u64,
    durable: u64,
    /// First segment not forced to the device as a whole; of a buffered journal.
    unsynced: u32,
    bytes_before: u64,
    spare_error: Option<io::Error>,
    hasher: StreamHasher,
    failed: bool,
}

/// What a complete journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Bytes of the segment files written by this writer.
    pub bytes: u64,
    /// Records of the whole journal.
    pub records: u64,
    /// Segment files.
    pub segments: u32,
    /// SHA-256 of the whole record stream, see [`StreamHasher`].
    pub sha256: [u8; 32],
}

impl Finished {
    /// Returns the hash as 64 hexadecimal digits.
    pub fn sha256_hex(&self) -> String {
        self.sha256.iter().map(|b| format!("{b:02x}")).collect()
    }
}

impl Writer<FsStorage> {
    /// Creates a journal in the folder `dir`, which exists; the first start of the kernel is
    /// epoch 1.
    ///
    /// # Errors
    /// [`JournalError::Prepare`] if the first segment cannot be made or exists already (a journal
    /// is never overwritten); [`JournalError::Setting`] and [`JournalError::UringUnavailable`] by
    /// the settings.
    pub fn create(
        dir: &Path,
        config: &JournalConfig,
        durability: Durability,
    ) -> Result<Writer, JournalError> {
        let options = WriterOptions::new(config, durability, 1)?;
        Writer::begin(FsStorage::new(dir, config.backend)?, options)
    }
}

impl<S: Storage> Writer<S> {
    /// Begins a journal in an empty storage.
    ///
    /// # Errors
    /// As [`Writer::create`].
    pub fn begin(storage: S, options: WriterOptions) -> Result<Writer<S>, JournalError> {
        Writer::resume(storage, options, &Recovered::default())
    }

    /// Goes on after the records of a recovered journal, in a new segment.
    ///
    /// # Errors
    /// [`JournalError::StaleEpoch`] unless the epoch is larger than any in the journal; else as
    /// [`Writer::create`].
    pub fn resume(
        mut storage: S,
        options: WriterOptions,
        recovered: &Recovered,
    ) -> Result<Writer<S>, JournalError> {
        let options = options.check()?;
        let epoch = options.epoch;
        if epoch <= recovered.epoch {
            return Err(JournalError::StaleEpoch { epoch, last: recovered.epoch });
        }
        let segment = recovered.next_segment;
        let job = spare_job(&options, segment);
        let made = match options.durability {
            Durability::Strict => job.run(&mut storage),
            Durability::Buffered => begin_file(&mut storage, &job),
        };
        made.map_err(|source| JournalError::Prepare { segment, source })?;
        let mut writer = Writer {
            storage,
            options,
            block: Block::new(options.group_bytes),
            used: 0,
            limit: 0,
            records: 0,
            segment,
            offset: FIRST_GROUP,
            chain: recovered.chain,
            chain_before: recovered.chain,
            seq: recovered.next_seq,
            durable: recovered.next_seq,
            unsynced: segment,
            bytes_before: 0,
            spare_error: None,
            hasher: recovered.hasher.clone(),
            failed: false,
        };
        writer.prepare_next();
        match writer.spare_error.take() {
            Some(source) => Err(JournalError::Prepare { segment: segment + 1, source }),
            None => Ok(writer),
        }
    }

    /// Takes one record and returns its number. `ts` is the kernel's time in nanoseconds UTC.
    /// A group that is full is written on the way.
    ///
    /// # Errors
    /// [`JournalError::RecordTooLong`]; [`JournalError::Write`], [`JournalError::Sync`] and
    /// [`JournalError::Prepare`] when a full group could not be written, and
    /// [`JournalError::AfterFailure`] from then on.
    pub fn append(
        &mut self,
        ts: u64,
        kind: RecordKind,
        payload: &[u8],
    ) -> Result<u64, JournalError> {
        let bytes = frame_bytes(payload.len());
        if self.failed || self.used + bytes > self.limit {
            self.make_room(bytes, payload.len())?;
        }
        let head = Head {
            payload_len: payload.len(),
            kind: kind as u8,
            seq: self.seq,
            ts,
            salt: self.salt(),
            prev_crc: self.chain,
        };
        let frame = &mut self.block.bytes_mut()[self.used..self.used + bytes];
        self.chain = head.encode(frame, payload);
        self.hasher.record(self.seq, ts, kind, payload);
        self.used += bytes;
        self.records += 1;
        self.seq += 1;
        Ok(head.seq)
    }

    /// Writes everything taken so far as one group and returns the durable watermark, see
    /// [`Writer::durable_seq`]. Of a strict journal everything is on the device then.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn commit(&mut self) -> Result<u64, JournalError> {
        self.check_alive()?;
        if canary::planted(Bug::AckBeforeWrite) {
            self.durable = self.seq;
            return Ok(self.durable);
        }
        self.flush_group(None)?;
        Ok(self.durable)
    }

    /// Returns how many records are on the device: those with a smaller number. Of a buffered
    /// journal it moves at the end only.
    pub fn durable_seq(&self) -> u64 {
        self.durable
    }

    /// Returns the number the next record gets.
    pub fn next_seq(&self) -> u64 {
        self.seq
    }

    /// Returns what a commit promises.
    pub fn durability(&self) -> Durability {
        self.options.durability
    }

    /// Returns the segment written to, and the bytes of it that hold whole groups.
    pub fn position(&self) -> (u32, u64) {
        (self.segment, self.offset)
    }

    /// Returns what went wrong while the next segment was laid out ahead; the writer dies of it
    /// only when it needs that segment.
    pub fn spare_error(&self) -> Option<&io::Error> {
        self.spare_error.as_ref()
    }

    /// Returns the storage.
    pub fn storage(&self) -> &S {
        &self.storage
    }

    /// Returns the storage; records not committed are lost.
    pub fn into_storage(self) -> S {
        self.storage
    }

    /// Completes the journal: a seal with the hash of all records behind the last group, unused
    /// space and spare segments given back, everything on the device.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn finish(mut self) -> Result<Finished, JournalError> {
        self.check_alive()?;
        self.flush_group(None)?;
        let sha256 = self.hasher.sha256();
        self.begin_group(SEAL_BYTES)?;
        self.flush_group(Some(sha256))?;
        let segment = self.segment;
        let tidied = match self.options.durability {
            Durability::Strict => self.drop_spare(),
            Durability::Buffered => Ok(()),
        };
        self.checked(tidied, |source| JournalError::Sync { segment, source })?;
        for segment in self.unsynced..=self.segment {
            let synced = self.storage.sync(segment);
            self.checked(synced, |source| JournalError::Sync { segment, source })?;
            self.storage.close(segment);
        }
        let synced = self.storage.sync_dir();
        self.checked(synced, |source| JournalError::Sync { segment, source })?;
        self.durable = self.seq;
        Ok(Finished {
            bytes: self.bytes_before + self.offset,
            records: self.seq,
            segments: self.segment + 1,
            sha256,
        })
    }

    fn salt(&self) -> Salt {
        Salt { epoch: self.options.epoch, segment: self.segment }
    }

    fn drop_spare(&mut self) -> io::Result<()> {
        let spare = self.segment + 1;
        if self.spare_error.is_none() && self.storage.wait_prepared(spare).is_ok() {
            self.storage.remove(spare)?;
        }
        self.storage.truncate(self.segment, self.offset)
    }

    fn check_alive(&self) -> Result<(), JournalError> {
        if self.failed { Err(JournalError::AfterFailure) } else { Ok(()) }
    }

    fn checked<T>(
        &mut self,
        result: io::Result<T>,
        error: impl FnOnce(io::Error) -> JournalError,
    ) -> Result<T, JournalError> {
        self.failed |= result.is_err();
        result.map_err(error)
    }

    /// Makes room for a frame of `bytes`: writes the group under way if it is full, begins one.
    #[cold]
    fn make_room(&mut self, bytes: usize, payload_len: usize) -> Result<(), JournalError> {
        self.check_alive()?;
        let segment_room = self.options.segment_bytes as usize - GROUP_ALIGN;
        let most = self.options.group_bytes.min(segment_room) - GROUP_HEAD_BYTES;
        if bytes > most || payload_len > RECORD_PAYLOAD_BYTES_MAX {
            let most = (most - frame_bytes(0)).min(RECORD_PAYLOAD_BYTES_MAX);
            return Err(JournalError::RecordTooLong { bytes: payload_len, most });
        }
        self.flush_group(None)?;
        self.begin_group(GROUP_HEAD_BYTES + bytes)
    }

    /// Begins a group of at least `need` bytes, in the next segment if this one has no room.
    fn begin_group(&mut self, need: usize) -> Result<(), JournalError> {
        let room = |w: &Self| w.options.segment_bytes.saturating_sub(w.offset) as usize;
        if need.next_multiple_of(GROUP_ALIGN) > room(self) {
            self.rotate()?;
        }
        self.limit = self.options.group_bytes.min(room(self));
        self.used = GROUP_HEAD_BYTES;
        self.chain_before = self.chain;
        Ok(())
    }

    /// Writes the group under way: head, records, zeros up to the next block. With `seal` the
    /// group is a seal and holds no records.
    fn flush_group(&mut self, seal: Option<[u8; 32]>) -> Result<(), JournalError> {
        self.check_alive()?;
        if self.records == 0 && seal.is_none() {
            return Ok(());
        }
        let used = self.used.max(if seal.is_some() { SEAL_BYTES } else { 0 });
        let bytes = match canary::planted(Bug::UnpaddedGroup) {
            true => used,
            false => used.next_multiple_of(GROUP_ALIGN),
        };
        let head = GroupHead {
            salt: self.salt(),
            first_seq: self.seq - u64::from(self.records),
            prev_crc: self.chain_before,
            bytes: bytes as u32,
            records: self.records,
            last_crc: self.chain,
            durable: self.durable,
            seal,
        };
        let block = self.block.bytes_mut();
        block[used..bytes].fill(0);
        head.encode(block);
        let written = self.write_group(bytes);
        let (segment, offset) = (self.segment, self.offset);
        if let Err(fault) = written {
            self.failed = true;
            return Err(match fault {
                WriteFault::Write(source) => JournalError::Write { segment, offset, source },
                WriteFault::Sync(source) => JournalError::Sync { segment, source },
            });
        }
        self.offset += bytes as u64;
        (self.used, self.limit, self.records) = (0, 0, 0);
        if self.options.durability == Durability::Strict {
            self.durable = self.seq;
        }
        Ok(())
    }

    /// Gives the first `bytes` of the block to the system: a short write goes on where it ended,
    /// an interrupted one is repeated, a failed sync is the end.
    fn write_group(&mut self, bytes: usize) -> Result<(), WriteFault> {
        let strict = self.options.durability == Durability::Strict;
        let sync = strict && !canary::planted(Bug::SkipFsync);
        let mut done = 0;
        while done < bytes {
            let rest = &self.block.bytes()[done..bytes];
            let at = self.offset + done as u64;
            let taken = match sync {
                true => self.storage.write_sync(self.segment, at, rest),
                false => self.storage.write_at(self.segment, at, rest).map_err(WriteFault::Write),
            };
            match taken {
                Ok(0) => return Err(WriteFault::Write(io::ErrorKind::WriteZero.into())),
                Ok(n) => done += n,
                Err(WriteFault::Write(e)) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(WriteFault::Sync(_)) if canary::planted(Bug::RetryFsync) => {
                    return self.storage.sync(self.segment).map_err(WriteFault::Sync);
                }
                Err(fault) => return Err(fault),
            }
            if canary::planted(Bug::ShortWriteIgnored) {
                return match sync {
                    true => self.storage.sync(self.segment).map_err(WriteFault::Sync),
                    false => Ok(()),
                };
            }
        }
        Ok(())
    }

    /// Goes on in the next segment.
    fn rotate(&mut self) -> Result<(), JournalError> {
        let segment = self.segment + 1;
        let ready = match (self.options.durability, self.spare_error.take()) {
            (_, Some(error)) => Err(error),
            (Durability::Strict, None) => self.storage.wait_prepared(segment),
            (Durability::Buffered, None) => {
                let job = spare_job(&self.options, segment);
                begin_file(&mut self.storage, &job)
            }
        };
        self.checked(ready, |source| JournalError::Prepare { segment, source })?;
        if self.options.durability == Durability::Strict {
            self.bytes_before += self.options.segment_bytes;
            self.storage.close(self.segment);
            self.unsynced = segment;
        } else {
            self.bytes_before += self.offset;
        }
        self.segment = segment;
        self.offset = FIRST_GROUP;
        self.prepare_next();
        Ok(())
    }

    /// Has the next segment laid out while this one fills.
    fn prepare_next(&mut self) {
        if self.options.durability == Durability::Strict {
            let job = spare_job(&self.options, self.segment + 1);
            self.spare_error = self.storage.prepare_ahead(job).err();
        }
    }
}

fn spare_job(options: &WriterOptions, segment: u32) -> SpareJob {
    let salt = Salt { epoch: options.epoch, segment };
    SpareJob { salt, segment_bytes: options.segment_bytes }
}

/// Makes a segment that grows as it is written.
fn begin_file<S: Storage>(storage: &mut S, job: &SpareJob) -> io::Result<()> {
    storage.create(job.salt.segment)?;
    let head = SegmentHead { salt: job.salt, segment_bytes: job.segment_bytes };
    write_all(storage, job.salt.segment, 0, &head.encode())
}
