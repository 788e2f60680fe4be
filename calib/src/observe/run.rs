//! Observations from the journal of a run.

use super::fold::Fold;
use super::{Observations, ObserveError};
use ijk_core::record::RecordKind;
use ijk_core::{DepthKind, Instrument};
use ijk_journal::{Reader, RecoveryMode};
use serde::Deserialize;
use std::path::Path;

/// What is needed of the journal's header.
#[derive(Deserialize)]
struct Header {
    format: String,
    venue: String,
    instruments: Vec<Instrument>,
    by_order: Vec<bool>,
}

/// Format of run headers that this build reads.
const FORMAT: &str = "ijk-run-3";

/// Reads the journal of the run in folder `run` (or a journal's own folder). A torn tail ends the
/// reading without an error: a run that crashed still has fills.
///
/// # Errors
/// [`ObserveError::Journal`], [`ObserveError::Header`].
pub fn read(run: &Path) -> Result<Observations, ObserveError> {
    let path = run.display().to_string();
    let journal = run.join("journal");
    let folder = if journal.is_dir() { journal } else { run.to_path_buf() };
    let damaged = |source| ObserveError::Journal { path: path.clone(), source };
    let header_error = |detail: String| ObserveError::Header { path: path.clone(), detail };
    let mut reader = Reader::open(&folder, RecoveryMode::TornTail).map_err(damaged)?;
    let header: Header = {
        let frame = reader.next().map_err(damaged)?;
        let frame = frame.filter(|f| f.kind == RecordKind::Header);
        let frame = frame.ok_or_else(|| header_error("is missing".to_string()))?;
        let end = frame.payload.iter().rposition(|&b| b != 0).map_or(0, |i| i + 1);
        serde_json::from_slice(&frame.payload[..end]).map_err(|e| header_error(e.to_string()))?
    };
    if header.format != FORMAT {
        return Err(header_error(format!("format '{}', expected {FORMAT}", header.format)));
    }
    let depth = |&l3: &bool| if l3 { DepthKind::L3 } else { DepthKind::L2 };
    let depths: Vec<DepthKind> = header.by_order.iter().map(depth).collect();
    if depths.len() != header.instruments.len() {
        return Err(header_error("one by_order per instrument is needed".to_string()));
    }
    let mut fold = Fold::new(&header.instruments, &depths);
    while let Some(frame) = reader.next().map_err(damaged)? {
        fold.record(ijk_core::RecvTs(frame.ts), frame.kind, frame.payload);
    }
    let (symbols, latencies) = fold.finish();
    Ok(Observations { source: path, simulated: header.venue == "sim", symbols, latencies })
}
