//! `ijk replay`: proves that a run comes out the same again.

use crate::cli::RunArgs;
use crate::exit::{self, Exit};
use crate::header::Header;
use crate::print::{print_json, print_text};
use crate::progress;
use crate::run_dir::RunDir;
use ijk_engine::runtime::hash::hash_run;
use ijk_engine::runtime::replay::{Difference, ReplayOutcome, replay};
use ijk_journal::{Reader, RecoveryMode};
use serde_json::json;

/// Replays a run's journal.
///
/// # Errors
/// 1 for a difference or an incomplete run, 78 for a damaged journal, 3 for missing weights.
pub fn run(args: &RunArgs) -> Result<(), Exit> {
    let dir = RunDir::open(&args.run)?;
    let corrupt = |e| Exit::new(exit::UNSAFE, e);
    let mut reader = Reader::open(&dir.journal(), RecoveryMode::Strict).map_err(corrupt)?;
    let header = Header::read(&mut reader)?;
    let mut kernel = header.kernel()?;
    let bar = progress::bar(None, "replay", args.json);
    let outcome = replay(&mut reader, &mut kernel).map_err(corrupt)?;
    let hashes = hash_run(&dir.journal()).map_err(corrupt)?;
    bar.finish_and_clear();
    let identical = outcome.difference.is_none();
    if args.json {
        print_json(&json!({
            "run": dir.root().display().to_string(),
            "identical": identical,
            "complete": outcome.complete,
            "inputs": outcome.inputs,
            "outputs_equal": outcome.outputs_equal,
            "difference": outcome.difference.as_ref().map(|d| json!({
                "seq": d.seq,
                "ts": d.ts,
                "journal": d.journal.map(|k| format!("{k:?}")),
                "replay": d.replay.map(|k| format!("{k:?}")),
                "byte": d.byte,
            })),
            "decisions_sha256": hashes.decisions,
            "journal_sha256": hashes.journal,
        }));
    } else {
        print_text(&format!(
            "inputs {}  outputs equal {}  decisions sha256 {}\n",
            outcome.inputs, outcome.outputs_equal, hashes.decisions
        ));
    }
    verdict(&outcome, args.json)
}

fn verdict(outcome: &ReplayOutcome, quiet: bool) -> Result<(), Exit> {
    match &outcome.difference {
        Some(difference) => Err(Exit::new(exit::CHECK, describe(difference))),
        None if !outcome.complete => Err(Exit::new(
            exit::CHECK,
            "every output is bit-identical, but the journal ends before the run did",
        )),
        None => {
            if !quiet {
                print_text("bit-identical\n");
            }
            Ok(())
        }
    }
}

fn describe(d: &Difference) -> String {
    let what = match (d.journal, d.replay) {
        (Some(j), Some(r)) if j == r => match d.byte {
            Some(byte) => format!("{j:?} differs from byte {byte} of its payload"),
            None => format!("{j:?} differs in its time"),
        },
        (Some(j), Some(r)) => format!("the journal has {j:?}, the replay {r:?}"),
        (Some(j), None) => format!("the journal has {j:?}, the replay nothing"),
        (None, r) => format!("the journal has nothing, the replay {r:?}"),
    };
    format!("first difference at record {} (kernel time {} ns): {what}", d.seq, d.ts)
}
