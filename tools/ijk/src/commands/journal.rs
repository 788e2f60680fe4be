//! `ijk journal verify` and `ijk journal dump`.

use crate::cli::{JournalDumpArgs, RunArgs};
use crate::exit::{self, Exit};
use crate::print::{print_json, print_text};
use crate::run_dir::RunDir;
use ijk_core::record::{
    ControlCommand, ControlKind, DecisionRecord, ForecastRecord, ParentCommand, ParentRecord,
    RecordKind, RefusalRecord, RunEnd,
};
use ijk_core::{
    AlarmRecord, CancelOrder, CarryItem, Condition, FateRecord, LinkEvent, MarketEvent, NewOrder,
    SlotUpdate, SnapshotItem, SnapshotRequest, VenueReport,
};
use ijk_engine::runtime::hash::{RunHasher, RunHashes};
use ijk_journal::{
    Frame, JournalError, ReadStats, Reader, RecoveryMode, StreamHasher, Tail, segment_name,
};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What `verify` found.
struct Verified {
    kinds: BTreeMap<String, u64>,
    complete: bool,
    hashes: RunHashes,
    stats: ReadStats,
}

/// Reads all of a journal and checks it.
///
/// # Errors
/// 78 for corruption, with file and offset; 1 for a torn tail, or a whole journal of a run that
/// did not end.
pub fn verify(args: &RunArgs) -> Result<(), Exit> {
    let dir = journal_dir(&args.run)?;
    let found = read(&dir).map_err(|e| {
        if args.json {
            print_json(&json!({ "journal": dir.display().to_string(), "error": e.to_string() }));
        }
        Exit::new(exit::UNSAFE, e)
    })?;
    if args.json {
        print_json(&as_json(&args.run, &found));
    } else {
        print_text(&as_text(&found));
    }
    match found.stats.tail {
        Tail::Torn { segment, offset } => {
            Err(Exit::new(exit::CHECK, JournalError::TornTail { segment, offset }))
        }
        Tail::Clean if found.complete => Ok(()),
        Tail::Clean => Err(Exit::new(exit::CHECK, "the journal is whole, but the run did not end")),
    }
}

/// Returns the folder (or single file) of the journal that `path` names: a run, a journal's own
/// folder or a segment file.
fn journal_dir(path: &Path) -> Result<PathBuf, Exit> {
    if path.is_file() || path.join(segment_name(0)).exists() {
        return Ok(path.to_path_buf());
    }
    Ok(RunDir::open(path)?.journal())
}

fn read(dir: &Path) -> Result<Verified, JournalError> {
    let (mut stream, mut decisions) = (StreamHasher::default(), RunHasher::default());
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    let mut last = None;
    let mut reader = Reader::open(dir, RecoveryMode::TornTail)?;
    while let Some(frame) = reader.next()? {
        *kinds.entry(format!("{:?}", frame.kind)).or_default() += 1;
        stream.record(frame.seq, frame.ts, frame.kind, frame.payload);
        decisions.output(frame.kind, frame.payload);
        last = Some(frame.kind);
    }
    let stats = *reader.stats();
    let sha256 = stream.sha256();
    if stats.seal.is_some_and(|seal| seal != sha256) {
        let (segment, offset) = stats.end.unwrap_or_default();
        let what = "the seal is of other records";
        return Err(JournalError::Corrupt { segment, offset, seq: stats.records, what });
    }
    let complete = last == Some(RecordKind::End);
    Ok(Verified { kinds, complete, hashes: decisions.finish(&sha256), stats })
}

fn as_json(run: &Path, found: &Verified) -> serde_json::Value {
    let stats = &found.stats;
    let torn = match stats.tail {
        Tail::Clean => json!(null),
        Tail::Torn { segment, offset } => {
            json!({ "file": segment_name(segment), "offset": offset })
        }
    };
    json!({
        "run": run.display().to_string(), "segments": stats.segments, "groups": stats.groups,
        "records": stats.records, "epoch": stats.epoch, "bytes": stats.bytes,
        "sealed": stats.seal.is_some(), "torn_tail": torn, "kinds": found.kinds,
        "complete": found.complete, "journal_sha256": found.hashes.journal,
        "decisions_sha256": found.hashes.decisions,
    })
}

fn as_text(found: &Verified) -> String {
    let stats = &found.stats;
    let sealed = if stats.seal.is_some() { "sealed" } else { "not sealed" };
    let mut text = format!(
        "{} records in {} groups, {} segments, {} bytes; epoch {}, {sealed}; every checksum, \
         number and link right\n",
        stats.records, stats.groups, stats.segments, stats.bytes, stats.epoch
    );
    for (kind, count) in &found.kinds {
        text.push_str(&format!("  {kind:<12} {count}\n"));
    }
    text
}

/// Prints records, one line each.
///
/// # Errors
/// 78 for corruption; the records before it are printed.
pub fn dump(args: &JournalDumpArgs) -> Result<(), Exit> {
    let dir = journal_dir(&args.run)?;
    let unsafe_to_use = |e: JournalError| Exit::new(exit::UNSAFE, e);
    let mut reader = Reader::open(&dir, RecoveryMode::TornTail).map_err(unsafe_to_use)?;
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
        RecordKind::Link => format!("{:?}", frame.read::<LinkEvent>()?.kind),
        RecordKind::Snapshot => format!("{:?}", frame.read::<SnapshotItem>()?),
        RecordKind::Carry => format!("{:?}", frame.read::<CarryItem>()?),
        RecordKind::Condition => format!("{:?}", frame.read::<Condition>()?),
        RecordKind::Slot => match SlotUpdate::decode(frame.payload) {
            Some(update) => format!("{update:?}"),
            None => format!("{} bytes that are no slot", frame.payload.len()),
        },
        RecordKind::Forecast => {
            let r = frame.read::<ForecastRecord>()?;
            let (id, members) = (r.instrument.0, r.forecast.member_count);
            format!("instrument {id} token {} members {members}", r.token_index)
        }
        RecordKind::Limits => String::from_utf8_lossy(frame.payload).into_owned(),
        RecordKind::Request => format!("{:?}", frame.read::<SnapshotRequest>()?),
        RecordKind::Fate => format!("{:?}", frame.read::<FateRecord>()?),
        RecordKind::Alarm => {
            let alarm = frame.read::<AlarmRecord>()?;
            format!("{} {alarm:?}", alarm.code.name())
        }
        RecordKind::Control => {
            let command = frame.read::<ControlCommand>()?;
            match command.kind {
                ControlKind::Block | ControlKind::Unblock => {
                    format!("{:?} {}", command.kind, command.block.name())
                }
                kind => format!("{kind:?}"),
            }
        }
        RecordKind::Parent => format!("{:?}", frame.read::<ParentCommand>()?),
        RecordKind::End => format!("{:?}", frame.read::<RunEnd>()?),
        RecordKind::Header => String::from_utf8_lossy(frame.payload).into_owned(),
        _ => format!("{} bytes", frame.payload.len()),
    })
}
