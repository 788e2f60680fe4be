//! What a fit keeps on disk so that it can go on after an interruption, to the bit.
//!
//! At the end of every epoch a member's weights, its optimiser's moments, its best weights and
//! its history are written whole. Everything random is drawn from streams known by seed and epoch,
//! so nothing else is needed: an interrupted epoch is run again from its start.

use crate::encoder::EncoderShape;
use crate::modal::ModalEncoder;
use crate::optimizer::SplitAdamW;
use crate::slots::SlotShape;
use crate::train::{EpochRecord, MemberHistory};
use burn::module::{AutodiffModule, Module};
use burn::record::{BinBytesRecorder, FullPrecisionSettings, Record, Recorder, RecorderError};
use burn::tensor::backend::{AutodiffBackend, Backend};
use ijk_data::whole::write_whole;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"ijkckpt2";
const HASH_BYTES: usize = 32;

type Bytes = BinBytesRecorder<FullPrecisionSettings>;

/// Why a checkpoint cannot be written or used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The file system.
    #[error("{path}: {reason}")]
    Io {
        /// The file.
        path: String,
        /// What the file system says.
        reason: String,
    },
    /// Not written: the file and what the file system says.
    #[error("{0}")]
    Output(String),
    /// Made for other settings, data or seed.
    #[error("{path}: made by a fit with other settings, data or code; remove it or fit the same")]
    Foreign {
        /// The file.
        path: String,
    },
    /// Cut or changed.
    #[error("{path}: damaged ({reason}); remove it to train this member again")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

/// A folder of checkpoints of one fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoints {
    folder: PathBuf,
    /// Hash of everything that decides the result.
    identity: [u8; HASH_BYTES],
}

/// A member as it stood at the end of an epoch.
pub struct MemberState<B: AutodiffBackend> {
    /// Weights.
    pub model: ModalEncoder<B>,
    /// Optimiser with its moments.
    pub optimizer: SplitAdamW<B>,
    /// Losses so far.
    pub history: MemberHistory,
    /// Best validation loss and its weights.
    pub best: Option<(f64, ModalEncoder<B::InnerBackend>)>,
    /// Whether training has ended.
    pub finished: bool,
}

impl Checkpoints {
    /// Returns the checkpoints of the fit known by `identity` in `folder`, which is made with the
    /// first of them.
    pub fn new(folder: &Path, identity: [u8; HASH_BYTES]) -> Checkpoints {
        Checkpoints { folder: folder.to_owned(), identity }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.ckpt"))
    }

    /// Writes the state of the member called `name`; the file appears whole or not at all.
    ///
    /// # Errors
    /// [`CheckpointError::Io`].
    pub fn save<B: AutodiffBackend>(
        &self,
        name: &str,
        state: &MemberState<B>,
    ) -> Result<(), CheckpointError> {
        std::fs::create_dir_all(&self.folder).map_err(|e| io(&self.folder, &e))?;
        let path = self.path(name);
        let mut out = Vec::new();
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.identity);
        write_history(&mut out, &state.history);
        out.push(u8::from(state.finished));
        out.extend_from_slice(&state.best.as_ref().map_or(f64::NAN, |b| b.0).to_le_bytes());
        let (decayed, plain) = state.optimizer.records();
        let best = state.best.as_ref().map_or_else(|| state.model.valid(), |b| b.1.clone());
        let blobs = [
            record::<B, _>(state.model.clone().into_record()),
            record::<B, _>(decayed),
            record::<B, _>(plain),
            record::<B::InnerBackend, _>(best.into_record()),
        ];
        for blob in blobs {
            let blob = blob.map_err(|e| damaged(&path, &e))?;
            out.extend_from_slice(&(blob.len() as u64).to_le_bytes());
            out.extend_from_slice(&blob);
        }
        let hash = Sha256::digest(&out);
        out.extend_from_slice(&hash);
        write_whole(&path, &out, true).map_err(|e| CheckpointError::Output(e.to_string()))
    }

    /// Returns the state of the member called `name`, or `None` where it has none yet.
    ///
    /// # Errors
    /// [`CheckpointError`]; nothing is used in part.
    pub fn load<B: AutodiffBackend>(
        &self,
        name: &str,
        (shape, slots): (&EncoderShape, &[SlotShape]),
        optimizer: impl FnOnce(&ModalEncoder<B>) -> SplitAdamW<B>,
        device: &B::Device,
    ) -> Result<Option<MemberState<B>>, CheckpointError> {
        let path = self.path(name);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(io(&path, &e)),
        };
        let mut rest = self.checked(&path, &bytes)?;
        let short = || damaged(&path, &"it ends early");
        let history = read_history(&mut rest).ok_or_else(short)?;
        let finished = take(&mut rest, 1).ok_or_else(short)?[0] != 0;
        let best_loss = read_f64(&mut rest).ok_or_else(short)?;
        let mut blob = || -> Option<Vec<u8>> {
            let length = usize::try_from(read_u64(&mut rest)?).ok()?;
            take(&mut rest, length).map(<[u8]>::to_vec)
        };
        let mut blobs = Vec::new();
        for _ in 0..4 {
            blobs.push(blob().ok_or_else(short)?);
        }
        let mut blobs = blobs.into_iter();
        let mut next = || blobs.next().unwrap_or_default();
        let bad = |e: RecorderError| damaged(&path, &e);
        let model = ModalEncoder::<B>::new(shape, slots, 0, device);
        let model = model.load_record(restore::<B, _>(next(), device).map_err(bad)?);
        let decayed = restore::<B, _>(next(), device).map_err(bad)?;
        let plain = restore::<B, _>(next(), device).map_err(bad)?;
        let optimizer = optimizer(&model).with_records(decayed, plain);
        let best = ModalEncoder::<B::InnerBackend>::new(shape, slots, 0, device);
        let best = best.load_record(restore::<B::InnerBackend, _>(next(), device).map_err(bad)?);
        let best = best_loss.is_finite().then_some((best_loss, best));
        Ok(Some(MemberState { model, optimizer, history, best, finished }))
    }

    /// Returns what lies between identity and hash.
    fn checked<'a>(&self, path: &Path, bytes: &'a [u8]) -> Result<&'a [u8], CheckpointError> {
        let head = MAGIC.len() + HASH_BYTES;
        let Some(end) = bytes.len().checked_sub(HASH_BYTES).filter(|end| *end >= head) else {
            return Err(damaged(path, &"it is too short"));
        };
        if &bytes[..MAGIC.len()] != MAGIC || Sha256::digest(&bytes[..end])[..] != bytes[end..] {
            return Err(damaged(path, &"its hash is not that of its bytes"));
        }
        if bytes[MAGIC.len()..head] != self.identity {
            return Err(CheckpointError::Foreign { path: path.display().to_string() });
        }
        Ok(&bytes[head..end])
    }

    /// Removes the folder once its fit is done.
    ///
    /// # Errors
    /// [`CheckpointError::Io`].
    pub fn remove(self) -> Result<(), CheckpointError> {
        match std::fs::remove_dir_all(&self.folder) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(io(&self.folder, &e)),
            _ => Ok(()),
        }
    }
}

fn record<B: Backend, R: Record<B>>(record: R) -> Result<Vec<u8>, RecorderError> {
    Recorder::<B>::record(&Bytes::default(), record, ())
}

fn restore<B: Backend, R: Record<B>>(
    bytes: Vec<u8>,
    device: &B::Device,
) -> Result<R, RecorderError> {
    Recorder::<B>::load(&Bytes::default(), bytes, device)
}

fn io(path: &Path, e: &std::io::Error) -> CheckpointError {
    CheckpointError::Io { path: path.display().to_string(), reason: e.to_string() }
}

fn damaged(path: &Path, reason: &impl ToString) -> CheckpointError {
    CheckpointError::Damaged { path: path.display().to_string(), reason: reason.to_string() }
}

fn write_history(out: &mut Vec<u8>, h: &MemberHistory) {
    let counts = [h.seed, h.steps as u64, h.best_epoch as u64, h.epochs.len() as u64];
    counts.iter().for_each(|v| out.extend_from_slice(&v.to_le_bytes()));
    for e in &h.epochs {
        out.extend_from_slice(&(e.epoch as u64).to_le_bytes());
        for v in [e.train_loss, e.validation_loss, e.gradient_norm] {
            out.extend_from_slice(&v.to_le_bytes());
        }
    }
}

fn read_history(rest: &mut &[u8]) -> Option<MemberHistory> {
    let seed = read_u64(rest)?;
    let steps = usize::try_from(read_u64(rest)?).ok()?;
    let best_epoch = usize::try_from(read_u64(rest)?).ok()?;
    let mut epochs = Vec::new();
    for _ in 0..read_u64(rest)? {
        epochs.push(EpochRecord {
            epoch: usize::try_from(read_u64(rest)?).ok()?,
            train_loss: read_f64(rest)?,
            validation_loss: read_f64(rest)?,
            gradient_norm: read_f64(rest)?,
        });
    }
    Some(MemberHistory { seed, epochs, best_epoch, steps })
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    Some(head)
}

fn read_u64(rest: &mut &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(take(rest, 8)?.try_into().ok()?))
}

fn read_f64(rest: &mut &[u8]) -> Option<f64> {
    read_u64(rest).map(f64::from_bits)
}
