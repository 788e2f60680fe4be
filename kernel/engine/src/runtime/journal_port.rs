//! From the kernel thread to the journal thread: a ring of bytes, never dropped, never reordered.
//! The kernel thread pushes time, kind and payload; frames are made by the journal thread.

use super::entry::{self, ENTRY_BYTES};
use super::hash::{RunHasher, RunHashes};
use super::spares::ColdSpares;
use super::stages::StageSample;
use super::wait::Waiter;
use ijk_core::config::{JournalConfig, WaitStrategy};
use ijk_core::limits::RECORD_PAYLOAD_BYTES_MAX;
use ijk_core::record::RecordKind;
use ijk_core::{Heartbeat, RecvTs};
use ijk_journal::{Durability, FsStorage, JournalError, Storage, Writer, WriterOptions};
use rtrb::chunks::ReadChunk;
use rtrb::{Consumer, Producer, RingBuffer};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Samples that may wait for the journal thread; more are dropped and counted.
const SAMPLE_SLOTS: usize = 1 << 12;
/// Most bytes the journal thread takes from the ring before it gives them back.
const CHUNK_BYTES: usize = 1 << 18;
/// How long a record that nobody waits for may stay off the device.
const LAZY: Duration = Duration::from_millis(50);
/// How long the journal thread leaves the ring alone where nobody rings. Each look takes the line
/// of the ring's index, and those of the last records, away from the kernel thread's core.
const REST: Duration = Duration::from_micros(200);

/// Rung by the kernel thread when it should be looked after at once. It has its cache lines to
/// itself: the journal thread looks at it all the time, and the kernel thread rarely touches it.
#[derive(Default)]
#[repr(align(128))]
struct Bell(AtomicBool);

impl Bell {
    /// Rings, after what it rings for was pushed.
    fn ring(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_rung(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Silences it, before the ring is looked at: what it was rung for is then seen.
    fn answer(&self) {
        if self.is_rung() {
            self.0.swap(false, Ordering::Acquire);
        }
    }
}

/// What both threads see.
#[derive(Default)]
struct Shared {
    bell: Bell,
    /// Records on the device: those with a smaller number.
    durable: AtomicU64,
    /// Somebody waits for the records pushed so far.
    wanted: AtomicBool,
    /// The next segment could not be laid out.
    spare_failed: Arc<AtomicBool>,
    heartbeat: Heartbeat,
}

/// The kernel thread's end.
pub struct JournalPort {
    entries: Producer<u8>,
    samples: Producer<StageSample>,
    shared: Arc<Shared>,
    durability: Durability,
    seq: u64,
    strategy: WaitStrategy,
    /// Times the ring was full and the kernel thread had to wait.
    pub stalls: u64,
    /// Samples dropped because their ring was full.
    pub samples_dropped: u64,
    failed: bool,
}

/// What the journal thread did.
#[derive(Clone, Debug)]
pub struct JournalDone {
    /// Bytes of the journal's files.
    pub bytes: u64,
    /// Records.
    pub records: u64,
    /// Interface it was written through.
    pub backend: &'static str,
    /// Hashes of the records, as [`super::hash::hash_run`] finds them in the files.
    pub hashes: RunHashes,
    /// Error of the sample file, which never stops a run.
    pub sample_error: Option<String>,
}

/// Handle of the journal thread.
pub struct JournalThread {
    handle: JoinHandle<Result<JournalDone, JournalError>>,
    heartbeat: Heartbeat,
}

impl JournalThread {
    /// Returns its heartbeat, which stands still while a write or sync does.
    pub fn heartbeat(&self) -> Heartbeat {
        self.heartbeat.clone()
    }

    /// Waits until everything is written and synced. Drop the port first.
    ///
    /// # Errors
    /// The first error of the journal.
    ///
    /// # Panics
    /// If the journal thread panicked: that is a bug, and goes on as one.
    pub fn join(self) -> Result<JournalDone, JournalError> {
        match self.handle.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// How a journal is written and by whom waited for.
#[derive(Clone, Debug)]
pub struct PortOptions {
    /// File of the stage samples.
    pub samples_path: PathBuf,
    /// What an acknowledgement promises: strict for a venue that outlives the process.
    pub durability: Durability,
    /// Number of this start of the kernel, from 1.
    pub epoch: u32,
    /// Bytes of the ring.
    pub ring_bytes: usize,
    /// How the threads wait.
    pub strategy: WaitStrategy,
}

/// Creates a journal in the folder `dir`, which exists and holds none, and starts its thread.
///
/// # Errors
/// If the first segment cannot be created.
///
/// # Panics
/// If the operating system cannot start a thread.
pub fn start(
    dir: &Path,
    config: &JournalConfig,
    options: PortOptions,
) -> Result<(JournalPort, JournalThread), JournalError> {
    let writer_options = WriterOptions::new(config, options.durability, options.epoch)?;
    let storage = FsStorage::new(dir, config.backend)?;
    let backend = storage.backend_name();
    let shared = Arc::new(Shared::default());
    let largest = ENTRY_BYTES + RECORD_PAYLOAD_BYTES_MAX;
    let (entries, entries_out) = RingBuffer::new(options.ring_bytes.max(4 * largest));
    let (samples, samples_out) = RingBuffer::new(SAMPLE_SLOTS);
    let body = Body {
        entries: entries_out,
        samples: samples_out,
        samples_path: options.samples_path,
        strategy: options.strategy,
        shared: Arc::clone(&shared),
        backend,
        hasher: RunHasher::default(),
        awaited: false,
        uncommitted: 0,
        last_commit: Instant::now(),
    };
    let handle = match options.durability {
        Durability::Buffered => body.spawn(Writer::begin(storage, writer_options)?),
        Durability::Strict => {
            let cold = FsStorage::new(dir, config.backend)?;
            let spares = ColdSpares::start(storage, cold, Arc::clone(&shared.spare_failed))
                .expect("Condition failed: the system can start a thread.");
            body.spawn(Writer::begin(spares, writer_options)?)
        }
    };
    let heartbeat = shared.heartbeat.clone();
    let port = JournalPort {
        entries,
        samples,
        shared,
        durability: options.durability,
        seq: 0,
        strategy: options.strategy,
        stalls: 0,
        samples_dropped: 0,
        failed: false,
    };
    Ok((port, JournalThread { handle, heartbeat }))
}

impl JournalPort {
    /// Appends one record. Waits while the ring is full; after the journal thread has died it
    /// returns false for ever, and the caller must stop trading.
    ///
    /// # Panics
    /// If the payload is longer than [`RECORD_PAYLOAD_BYTES_MAX`]: the caller's own invariant.
    #[must_use]
    pub fn append(&mut self, now: RecvTs, kind: RecordKind, payload: &[u8]) -> bool {
        assert!(payload.len() <= RECORD_PAYLOAD_BYTES_MAX, "payload of {} bytes", payload.len());
        if self.failed {
            return false;
        }
        let mut waiter = Waiter::new(self.strategy);
        while !entry::push(&mut self.entries, now, kind, payload) {
            if self.entries.is_abandoned() {
                self.failed = true;
                return false;
            }
            self.stalls += 1;
            self.shared.bell.ring();
            waiter.wait();
        }
        self.seq += 1;
        if self.durability == Durability::Strict && is_awaited(kind) {
            self.shared.bell.ring();
        }
        true
    }

    /// Hands a sample over, or drops it: telemetry never stalls the kernel.
    pub fn sample(&mut self, sample: StageSample) {
        if self.samples.push(sample).is_err() {
            self.samples_dropped += 1;
        }
    }

    /// Returns the number of records appended, earlier ones of a continued journal included: the
    /// number of the next record.
    pub fn frames(&self) -> u64 {
        self.seq
    }

    /// Returns how many records are on the device: those with a smaller number. Of a buffered
    /// journal it moves at the end only.
    pub fn durable_seq(&self) -> u64 {
        self.shared.durable.load(Ordering::Acquire)
    }

    /// Waits until the first `seq` records are on the device, as [`JournalPort::frames`] counts
    /// them. Returns false if the journal died before. A buffered journal promises nothing and
    /// is not waited for.
    #[must_use]
    pub fn wait_durable(&mut self, seq: u64) -> bool {
        assert!(seq <= self.seq, "record {seq} was never appended");
        let mut waiter = Waiter::new(self.strategy);
        loop {
            self.shared.wanted.store(true, Ordering::Release);
            self.shared.bell.ring();
            // Asked before the watermark: what was done before the end is then seen.
            let gone = self.entries.is_abandoned();
            if self.durable_seq() >= seq {
                return true;
            }
            if gone || self.failed {
                self.failed = true;
                return false;
            }
            if self.durability == Durability::Buffered {
                return true;
            }
            waiter.wait();
        }
    }

    /// Returns what an acknowledgement promises.
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// Returns the share of the ring that is in use, 0 to 1.
    pub fn ring_use(&self) -> f64 {
        let capacity = self.entries.buffer().capacity();
        1.0 - self.entries.slots() as f64 / capacity as f64
    }

    /// Returns whether the next segment could not be laid out (a full device, for one): the
    /// journal will die when it needs it.
    pub fn spare_failed(&self) -> bool {
        self.shared.spare_failed.load(Ordering::Acquire)
    }

    /// Returns whether the journal is lost.
    pub fn has_failed(&self) -> bool {
        self.failed
    }
}

/// The journal thread.
struct Body {
    entries: Consumer<u8>,
    samples: Consumer<StageSample>,
    samples_path: PathBuf,
    strategy: WaitStrategy,
    shared: Arc<Shared>,
    backend: &'static str,
    hasher: RunHasher,
    /// A record is taken that somebody may wait for.
    awaited: bool,
    /// Bytes taken since the last commit, and when that was.
    uncommitted: usize,
    last_commit: Instant,
}

impl Body {
    fn spawn<S: Storage + Send + 'static>(
        self,
        writer: Writer<S>,
    ) -> JoinHandle<Result<JournalDone, JournalError>> {
        std::thread::Builder::new()
            .name("ijk-journal".to_string())
            .spawn(move || self.run(writer))
            .expect("Condition failed: the system can start a thread.")
    }

    fn run<S: Storage>(mut self, mut writer: Writer<S>) -> Result<JournalDone, JournalError> {
        let mut file = std::fs::File::create(&self.samples_path).map(std::io::BufWriter::new);
        let mut sample_error = None;
        let mut waiter = Waiter::new(match self.strategy {
            // A cold thread never spins beside the hot one.
            WaitStrategy::Spin => WaitStrategy::Yield,
            other => other,
        });
        let mut scratch = Vec::with_capacity(ENTRY_BYTES + RECORD_PAYLOAD_BYTES_MAX);
        loop {
            self.shared.heartbeat.beat();
            // Asked before the rings are emptied: what was pushed before the end is then seen.
            let last_round = self.entries.is_abandoned();
            self.shared.bell.answer();
            let moved = self.move_entries(&mut writer, &mut scratch)?;
            while let Ok(sample) = self.samples.pop() {
                if let Ok(file) = &mut file
                    && let Err(error) = file.write_all(&sample.to_bytes())
                {
                    sample_error.get_or_insert(error.to_string());
                }
            }
            if moved > 0 {
                waiter.reset();
            } else if last_round {
                break;
            }
            // After so much there is more already, or soon too much for the ring.
            if moved < CHUNK_BYTES.min(self.entries.buffer().capacity() / 4) {
                self.rest(&mut waiter);
            }
        }
        if let Err(error) = file.and_then(|mut f| f.flush()) {
            sample_error.get_or_insert(error.to_string());
        }
        let finished = writer.finish()?;
        self.shared.durable.store(finished.records, Ordering::Release);
        Ok(JournalDone {
            bytes: finished.bytes,
            records: finished.records,
            backend: self.backend,
            hashes: self.hasher.finish(&finished.sha256),
            sample_error,
        })
    }

    /// Leaves the ring alone until somebody rings, no more can come, or it is time to look.
    fn rest(&self, waiter: &mut Waiter) {
        let since = Instant::now();
        loop {
            waiter.wait();
            let is_over = since.elapsed() >= REST;
            if is_over || self.shared.bell.is_rung() || self.entries.is_abandoned() {
                return;
            }
        }
    }

    /// Writes what one look finds in the ring; the end of a busy one is not chased. A strict
    /// journal forces it to the device as soon as somebody may wait for a record of it; market
    /// data and decisions wait for company, because every group takes at least 4 KiB. Returns the
    /// bytes written: all that were found, or at least [`CHUNK_BYTES`].
    fn move_entries<S: Storage>(
        &mut self,
        writer: &mut Writer<S>,
        scratch: &mut Vec<u8>,
    ) -> Result<usize, JournalError> {
        let strict = writer.durability() == Durability::Strict;
        let found = self.entries.slots();
        let mut moved = 0;
        while moved < found
            && let Ok(chunk) = self.entries.read_chunk(found - moved)
        {
            let (taken, awaited) = take(&chunk, writer, &mut self.hasher, scratch)?;
            chunk.commit(taken);
            moved += taken;
            self.awaited |= awaited;
            self.uncommitted += taken;
            // Whoever waits does not wait for what comes after.
            if strict && self.awaited {
                break;
            }
        }
        // Nothing was promised of a buffered journal: its groups are as large as can be.
        let due = self.awaited
            || (self.uncommitted > 0 && self.shared.wanted.swap(false, Ordering::Acquire))
            || self.uncommitted >= CHUNK_BYTES
            || (self.uncommitted > 0 && self.last_commit.elapsed() >= LAZY);
        if strict && due {
            let durable = writer.commit()?;
            self.shared.durable.store(durable, Ordering::Release);
            (self.awaited, self.uncommitted) = (false, 0);
            self.last_commit = Instant::now();
        }
        Ok(moved)
    }
}

/// Returns whether somebody may wait until a record of this kind is on the device.
fn is_awaited(kind: RecordKind) -> bool {
    !matches!(
        kind,
        RecordKind::Market
            | RecordKind::Decision
            | RecordKind::Timer
            | RecordKind::Slot
            | RecordKind::Forecast
    )
}

/// Gives whole entries at the start of `chunk` to the writer; returns their bytes, and whether
/// somebody may wait for one of them.
fn take<S: Storage>(
    chunk: &ReadChunk<'_, u8>,
    writer: &mut Writer<S>,
    hasher: &mut RunHasher,
    scratch: &mut Vec<u8>,
) -> Result<(usize, bool), JournalError> {
    let (first, second) = chunk.as_slices();
    let (mut at, mut awaited) = (0, false);
    while at < chunk.len() && at < CHUNK_BYTES {
        let head = slice(first, second, at, ENTRY_BYTES, scratch);
        let (ts, rest) = head.split_first_chunk().expect("Condition failed: an entry is whole.");
        let ts = u64::from_le_bytes(*ts);
        let len = usize::from(u16::from_le_bytes([rest[0], rest[1]]));
        let kind = RecordKind::from_raw(rest[2]).expect("Condition failed: the kind was ours.");
        let payload = slice(first, second, at + ENTRY_BYTES, len, scratch);
        writer.append(ts, kind, payload)?;
        awaited |= is_awaited(kind);
        hasher.output(kind, payload);
        at += ENTRY_BYTES + len;
    }
    Ok((at, awaited))
}

/// Returns `len` bytes from `at` of two slices that belong together.
fn slice<'a>(
    first: &'a [u8],
    second: &'a [u8],
    at: usize,
    len: usize,
    scratch: &'a mut Vec<u8>,
) -> &'a [u8] {
    if at + len <= first.len() {
        &first[at..at + len]
    } else if at >= first.len() {
        &second[at - first.len()..][..len]
    } else {
        scratch.clear();
        scratch.extend_from_slice(&first[at..]);
        scratch.extend_from_slice(&second[..len - (first.len() - at)]);
        scratch
    }
}
