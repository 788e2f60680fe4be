//! From the kernel thread to the journal thread: a ring of bytes, never dropped, never reordered.

use super::stages::StageSample;
use super::wait::Waiter;
use ijk_core::RecvTs;
use ijk_core::config::{JournalConfig, WaitStrategy};
use ijk_core::limits::RECORD_PAYLOAD_BYTES_MAX;
use ijk_core::record::RecordKind;
use ijk_journal::{JournalError, Writer, encode_frame, frame_bytes};
use rtrb::{Consumer, Producer, RingBuffer};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

/// Samples that may wait for the journal thread; more are dropped and counted.
const SAMPLE_SLOTS: usize = 1 << 12;
/// Most bytes the journal thread takes from the ring at once.
const CHUNK_BYTES: usize = 1 << 18;

/// The kernel thread's end.
pub struct JournalPort {
    frames: Producer<u8>,
    samples: Producer<StageSample>,
    scratch: Box<[u8]>,
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
    /// Bytes of the journal file.
    pub bytes: u64,
    /// Interface it was written through.
    pub backend: &'static str,
    /// Error of the sample file, which never stops a run.
    pub sample_error: Option<String>,
}

/// Handle of the journal thread.
pub struct JournalThread {
    handle: JoinHandle<Result<JournalDone, JournalError>>,
}

impl JournalThread {
    /// Waits until everything is written and synced. Drop the port first.
    ///
    /// # Errors
    /// The first error of the journal file.
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

/// Creates the journal file and its thread.
///
/// # Errors
/// If the file cannot be created.
///
/// # Panics
/// If the operating system cannot start a thread.
pub fn start(
    path: &Path,
    samples_path: PathBuf,
    config: &JournalConfig,
    ring_bytes: usize,
    strategy: WaitStrategy,
) -> Result<(JournalPort, JournalThread), JournalError> {
    let writer = Writer::create(path, config)?;
    let largest = frame_bytes(RECORD_PAYLOAD_BYTES_MAX);
    let (frames, frames_out) = RingBuffer::new(ring_bytes.max(4 * largest));
    let (samples, samples_out) = RingBuffer::new(SAMPLE_SLOTS);
    let handle = std::thread::Builder::new()
        .name("ijk-journal".to_string())
        .spawn(move || run(writer, frames_out, samples_out, &samples_path, strategy))
        .expect("Condition failed: the system can start a thread.");
    let port = JournalPort {
        frames,
        samples,
        scratch: vec![0u8; largest].into_boxed_slice(),
        seq: 0,
        strategy,
        stalls: 0,
        samples_dropped: 0,
        failed: false,
    };
    Ok((port, JournalThread { handle }))
}

impl JournalPort {
    /// Appends one record. Waits while the ring is full; after the journal thread has died it
    /// returns false for ever, and the caller must stop trading.
    #[must_use]
    pub fn append(&mut self, now: RecvTs, kind: RecordKind, payload: &[u8]) -> bool {
        if self.failed {
            return false;
        }
        let len = encode_frame(&mut self.scratch, self.seq, now.0, kind, payload);
        self.seq += 1;
        let mut waiter = Waiter::new(self.strategy);
        loop {
            if let Ok(mut chunk) = self.frames.write_chunk(len) {
                let (first, second) = chunk.as_mut_slices();
                let split = first.len();
                first.copy_from_slice(&self.scratch[..split]);
                second.copy_from_slice(&self.scratch[split..len]);
                chunk.commit_all();
                return true;
            }
            if self.frames.is_abandoned() {
                self.failed = true;
                return false;
            }
            self.stalls += 1;
            waiter.wait();
        }
    }

    /// Hands a sample over, or drops it: telemetry never stalls the kernel.
    pub fn sample(&mut self, sample: StageSample) {
        if self.samples.push(sample).is_err() {
            self.samples_dropped += 1;
        }
    }

    /// Returns the number of records appended.
    pub fn frames(&self) -> u64 {
        self.seq
    }

    /// Returns whether the journal is lost.
    pub fn has_failed(&self) -> bool {
        self.failed
    }
}

fn run(
    mut writer: Writer,
    mut frames: Consumer<u8>,
    mut samples: Consumer<StageSample>,
    samples_path: &Path,
    strategy: WaitStrategy,
) -> Result<JournalDone, JournalError> {
    let mut sample_file = std::fs::File::create(samples_path).map(std::io::BufWriter::new);
    let mut sample_error = None;
    let mut waiter = Waiter::new(match strategy {
        // A cold thread never spins beside the hot one.
        WaitStrategy::Spin => WaitStrategy::Yield,
        other => other,
    });
    loop {
        // Asked before the rings are emptied: what was pushed before the end is then seen.
        let last_round = frames.is_abandoned();
        let mut moved = false;
        while let Some(len) = Some(frames.slots().min(CHUNK_BYTES)).filter(|&n| n > 0) {
            let Ok(chunk) = frames.read_chunk(len) else { break };
            let (first, second) = chunk.as_slices();
            writer.append_bytes(first)?;
            writer.append_bytes(second)?;
            chunk.commit_all();
            moved = true;
        }
        while let Ok(sample) = samples.pop() {
            if let Ok(file) = &mut sample_file
                && let Err(error) = file.write_all(&sample.to_bytes())
            {
                sample_error.get_or_insert(error.to_string());
            }
        }
        if moved {
            waiter.reset();
        } else if last_round {
            break;
        } else {
            waiter.wait();
        }
    }
    match sample_file.and_then(|mut f| f.flush()) {
        Ok(()) => {}
        Err(error) => {
            sample_error.get_or_insert(error.to_string());
        }
    }
    let backend = writer.backend_name();
    let finished = writer.finish()?;
    Ok(JournalDone { bytes: finished.bytes, backend, sample_error })
}
