//! `ijk status` and `ijk stat`: read the mapped counters, never disturb the kernel.

use crate::cli::OptRunArgs;
use crate::exit::Exit;
use crate::print::{print_json, print_text};
use crate::run_dir::{KILL_LATCH, RunDir};
use ijk_core::Block;
use ijk_engine::runtime::counters::{Counter, Counters};
use serde_json::json;
use std::path::Path;

/// Opens the counters of a run.
///
/// # Errors
/// 2 if there is no such run, 3 if its counters are damaged.
pub fn open(run: Option<&Path>) -> Result<(RunDir, Counters), Exit> {
    let dir = RunDir::open_or_latest(run)?;
    let path = dir.counters();
    let counters =
        Counters::open(&path).map_err(|e| Exit::data(format!("{}: {e}", path.display())))?;
    Ok((dir, counters))
}

/// Prints whether a run is alive and may trade.
///
/// # Errors
/// As [`open`].
pub fn status(args: &OptRunArgs) -> Result<(), Exit> {
    let (dir, counters) = open(args.run.as_deref())?;
    let pid = counters.pid();
    let finished = counters.get(Counter::Finished) == 1;
    let alive = !finished && Path::new(&format!("/proc/{pid}")).exists();
    let phase = match (finished, alive) {
        (true, _) => "finished",
        (false, true) => "running",
        (false, false) => "died without finishing",
    };
    let trading = trading_state(counters.get(Counter::TradingState));
    let latched = Path::new(KILL_LATCH).exists();
    let set = counters.get(Counter::Blocks);
    let blocks: Vec<&str> = Block::ALL
        .iter()
        .filter(|block| set & u64::from(block.bit()) != 0)
        .map(|block| block.name())
        .collect();
    if args.json {
        print_json(&json!({
            "run": dir.root().display().to_string(), "phase": phase, "pid": pid,
            "trading": trading, "kill_latch": latched,
            "kill_requested": counters.kill_requested(), "blocks": blocks,
        }));
    } else {
        print_text(&format!(
            "{}: {phase} (pid {pid}), trading {trading}, blocked by {}, kill latch {}\n",
            dir.root().display(),
            if blocks.is_empty() { "nothing".to_string() } else { blocks.join(", ") },
            if latched { "SET" } else { "clear" }
        ));
    }
    Ok(())
}

fn trading_state(raw: u64) -> &'static str {
    match raw {
        0 => "active",
        1 => "reduce-only",
        2 => "halted",
        _ => "killed",
    }
}

/// Prints every counter.
///
/// # Errors
/// As [`open`].
pub fn stat(args: &OptRunArgs) -> Result<(), Exit> {
    let (dir, counters) = open(args.run.as_deref())?;
    if args.json {
        let map: serde_json::Map<_, _> =
            counters.all().map(|(label, v)| (label.to_string(), number(label, v))).collect();
        print_json(&json!({ "run": dir.root().display().to_string(), "counters": map }));
    } else {
        for (label, v) in counters.all() {
            print_text(&format!("{label:<22} {}\n", number(label, v)));
        }
    }
    Ok(())
}

/// Dollars are stored as signed micros, all else as counts.
fn number(label: &str, raw: u64) -> serde_json::Value {
    if label.ends_with("_micro_usd") { json!(raw as i64) } else { json!(raw) }
}
