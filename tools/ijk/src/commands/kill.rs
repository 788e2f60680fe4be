//! `ijk kill`: works without the kernel answering.

use super::status;
use crate::cli::KillArgs;
use crate::exit::Exit;
use crate::print::{print_json, print_text};
use crate::run_dir::{KILL_LATCH, RUNS};
use serde_json::json;
use std::path::Path;

/// Latches first, so that nothing starts again; then asks the running kernel, if there is one.
///
/// # Errors
/// 2 if the latch cannot be written or cleared, or a run was named that does not exist.
pub fn run(args: &KillArgs) -> Result<(), Exit> {
    let latch = Path::new(KILL_LATCH);
    if args.clear {
        return clear(latch, args.json);
    }
    std::fs::create_dir_all(RUNS)
        .and_then(|()| std::fs::write(latch, b"killed by the operator\n"))
        .and_then(|()| std::fs::File::open(latch)?.sync_all())
        .map_err(|e| Exit::output(latch, e))?;
    let asked = match status::open(args.run.as_deref()) {
        Ok((dir, counters)) => {
            counters.request_kill();
            Some(dir.root().display().to_string())
        }
        Err(error) if args.run.is_some() => return Err(error),
        Err(_) => None,
    };
    if args.json {
        print_json(&json!({ "latched": true, "asked": asked }));
    } else {
        print_text(&match &asked {
            Some(run) => format!("latched; {run} was asked to stop trading\n"),
            None => "latched; no run to ask\n".to_string(),
        });
    }
    Ok(())
}

fn clear(latch: &Path, json: bool) -> Result<(), Exit> {
    match std::fs::remove_file(latch) {
        Ok(()) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(Exit::output(latch, e)),
    }
    if json {
        print_json(&json!({ "latched": false }));
    } else {
        print_text("latch cleared: the kernel may start\n");
    }
    Ok(())
}
