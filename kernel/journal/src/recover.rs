//! Recovery: reads what a crash left, cuts off what was never completed, says where to go on.

use crate::error::JournalError;
use crate::hash::StreamHasher;
use crate::reader::{Frame, Reader, RecoveryMode, Tail};
use crate::storage::Storage;
use std::io;

/// Segments whose bytes are read from the device itself: the last one with groups and those laid
/// out after it.
const DISTRUSTED: usize = 3;

/// Where a journal goes on.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// Number the next record gets.
    pub next_seq: u64,
    /// Segment the next writer begins.
    pub next_segment: u32,
    /// Largest epoch of a record; 0 without one.
    pub epoch: u32,
    /// How the journal ended before it was cut off.
    pub tail: Option<Tail>,
    /// Whether the journal had been completed.
    pub sealed: bool,
    pub(crate) chain: u32,
    pub(crate) hasher: StreamHasher,
}

/// Reads a journal after a crash, handing every record to `visit`; cuts the torn tail off and
/// removes segments that hold nothing. Running it again, also after a crash in the middle of it,
/// gives the same records. An empty storage is an empty journal.
///
/// # Errors
/// [`JournalError::Corrupt`] for anything but a torn tail: nothing is changed then and trading
/// must not start; [`JournalError::Read`] and [`JournalError::Recover`] when the storage fails.
/// An error of `visit` ends it before anything is changed.
pub fn recover<S: Storage>(
    storage: &mut S,
    mut visit: impl FnMut(&Frame<'_>) -> Result<(), JournalError>,
) -> Result<Recovered, JournalError> {
    let failed = |segment| move |source: io::Error| JournalError::Recover { segment, source };
    let segments = storage.list().map_err(failed(0))?;
    if segments.is_empty() {
        return Ok(Recovered::default());
    }
    for &segment in segments.iter().rev().take(DISTRUSTED) {
        storage.drop_cache(segment).map_err(failed(segment))?;
    }
    let mut hasher = StreamHasher::default();
    let mut reader = Reader::with_storage(&mut *storage, RecoveryMode::TornTail)?;
    while let Some(frame) = reader.next()? {
        hasher.record(frame.seq, frame.ts, frame.kind, frame.payload);
        visit(&frame)?;
    }
    let (stats, chain) = (*reader.stats(), reader.chain());
    drop(reader);
    let next_segment = match stats.end {
        Some((segment, end)) => {
            cut_off(storage, segment, end).map_err(failed(segment))?;
            segment + 1
        }
        None => 0,
    };
    for &segment in segments.iter().rev().take_while(|s| **s >= next_segment) {
        // One by one from the last, so that a crash never leaves a hole.
        let removed = storage.remove(segment).and_then(|()| storage.sync_dir());
        removed.map_err(failed(segment))?;
    }
    Ok(Recovered {
        next_seq: stats.records,
        next_segment,
        epoch: stats.epoch,
        tail: Some(stats.tail),
        sealed: stats.seal.is_some(),
        chain,
        hasher,
    })
}

fn cut_off<S: Storage>(storage: &mut S, segment: u32, end: u64) -> io::Result<()> {
    if storage.len(segment)? > end {
        storage.truncate(segment, end)?;
        storage.sync(segment)?;
    }
    storage.close(segment);
    Ok(())
}
