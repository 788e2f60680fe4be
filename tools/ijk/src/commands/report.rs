//! `ijk report`: tables and page of a run, again.

use crate::cli::RunArgs;
use crate::exit::Exit;
use crate::print::{print_json, print_text};
use crate::progress;
use crate::report;
use crate::run_dir::RunDir;
use serde_json::json;

/// Rebuilds the report from the journal.
///
/// # Errors
/// 2 if there is no such run, 78 for a damaged journal.
pub fn run(args: &RunArgs) -> Result<(), Exit> {
    let dir = RunDir::open(&args.run)?;
    let bar = progress::bar(None, "report", args.json);
    let built = report::build(&dir, None)?;
    bar.finish_and_clear();
    if args.json {
        print_json(&json!({
            "run": dir.root().display().to_string(),
            "report": dir.file("report.html").display().to_string(),
            "refusals": built.refusals,
            "decision_reasons": built.reasons,
            "parents": built.parents,
            "execution_quality": built.quality,
            "performance": built.performance,
            "latency_ns": built.latency,
        }));
    } else {
        print_text(&report::quality_text(&built.quality));
        print_text(&format!("{}\n", dir.file("report.html").display()));
    }
    Ok(())
}
