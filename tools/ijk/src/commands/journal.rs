//! `ijk journal verify` and `ijk journal dump`.

use crate::cli::{JournalDumpArgs, RunArgs};
use crate::exit::{self, Exit};
use crate::files::{print_json, print_text};
use crate::run_dir::RunDir;
use ijk_core::record::{DecisionRecord, ParentRecord, RecordKind, RefusalRecord};
use ijk_core::{CancelOrder, MarketEvent, NewOrder, VenueReport};
use ijk_engine::runtime::hash::hash_run;
use ijk_journal::{Frame, JournalError, Reader};
use serde_json::json;
use std::collections::BTreeMap;

/// Reads every frame of a run's journal and checks it.
///
/// # Errors
/// 78 for any damage, with offset and kind; 1 for a whole journal of a run that did not end.
pub fn verify(args: &RunArgs) -> Result<(), Exit> {
    let dir = RunDir::open(&args.run)?;
    let unsafe_to_use = |e: JournalError| Exit::new(exit::UNSAFE, e);
    let mut reader = Reader::open(&dir.journal()).map_err(unsafe_to_use)?;
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    let mut last = None;
    while let Some(frame) = reader.next().map_err(unsafe_to_use)? {
        *kinds.entry(format!("{:?}", frame.kind)).or_default() += 1;
        last = Some(frame.kind);
    }
    let frames: u64 = kinds.values().sum();
    let complete = last == Some(RecordKind::End);
    let hashes = hash_run(&dir.journal()).map_err(unsafe_to_use)?;
    if args.json {
        print_json(&json!({
            "run": dir.root().display().to_string(), "frames": frames, "kinds": kinds,
            "complete": complete, "journal_sha256": hashes.journal,
            "decisions_sha256": hashes.decisions,
        }));
    } else {
        print_text(&format!("{frames} frames, every checksum and sequence number right\n"));
        for (kind, count) in &kinds {
            print_text(&format!("  {kind:<12} {count}\n"));
        }
    }
    if complete {
        return Ok(());
    }
    Err(Exit::new(exit::CHECK, "the journal is whole, but the run did not end"))
}

/// Prints frames, one line each.
///
/// # Errors
/// 78 for damage; the frames before it are printed.
pub fn dump(args: &JournalDumpArgs) -> Result<(), Exit> {
    let dir = RunDir::open(&args.run)?;
    let unsafe_to_use = |e: JournalError| Exit::new(exit::UNSAFE, e);
    let mut reader = Reader::open(&dir.journal()).map_err(unsafe_to_use)?;
    let mut printed = 0;
    while let Some(frame) = reader.next().map_err(unsafe_to_use)? {
        let market = frame.kind == RecordKind::Market;
        if frame.seq < args.from || (market && !args.market) {
            continue;
        }
        if printed == args.count {
            break;
        }
        printed += 1;
        print_text(&format!(
            "{:>9} {} {:<11} {}\n",
            frame.seq,
            frame.ts,
            format!("{:?}", frame.kind),
            payload(&frame).map_err(unsafe_to_use)?
        ));
    }
    Ok(())
}

fn payload(frame: &Frame<'_>) -> Result<String, JournalError> {
    Ok(match frame.kind {
        RecordKind::Market => format!("{:?}", frame.read::<MarketEvent>()?),
        RecordKind::Report => format!("{:?}", frame.read::<VenueReport>()?),
        RecordKind::Order => format!("{:?}", frame.read::<NewOrder>()?),
        RecordKind::Cancel => format!("{:?}", frame.read::<CancelOrder>()?),
        RecordKind::Refusal => format!("{:?}", frame.read::<RefusalRecord>()?),
        RecordKind::ParentState => format!("{:?}", frame.read::<ParentRecord>()?),
        RecordKind::Decision => {
            let r = frame.read::<DecisionRecord>()?;
            format!(
                "id {} token {} reason {} mean {:.3} bps lower {:.3} cost {:.3} position {} \
                 target {} parent {}",
                r.decision_id,
                r.token_index,
                r.reason.name(),
                r.mean_bps,
                r.edge_lower_bps,
                r.cost_bps,
                r.position.0,
                r.target.0,
                r.parent_id.0
            )
        }
        RecordKind::Header => String::from_utf8_lossy(frame.payload).into_owned(),
        _ => format!("{} bytes", frame.payload.len()),
    })
}
