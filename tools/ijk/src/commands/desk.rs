//! `ijk arm`, `ijk disarm`, `ijk tighten`, `ijk tell`: orders to a running kernel.

use crate::cli::{OptRunArgs, TellArgs, TellCommand, TightenArgs};
use crate::desk::{Word, send};
use crate::exit::Exit;
use crate::header::Header;
use crate::print::{print_json, print_text};
use crate::run_dir::RunDir;
use crate::settings::{self, Profile};
use ijk_journal::{Reader, RecoveryMode};
use serde_json::json;
use std::path::Path;

/// Lets new orders leave again, or keeps them from leaving.
///
/// # Errors
/// As [`send`].
pub fn hold(args: &OptRunArgs, hold: bool) -> Result<(), Exit> {
    let word = if hold { Word::Disarm {} } else { Word::Arm {} };
    let done = if hold { "disarmed: what rests is cancelled" } else { "armed" };
    order(args.run.as_deref(), &word, done, args.json)
}

/// Lowers limits. The file's other tables and every limit that is wider change nothing.
///
/// # Errors
/// Exit code 2 for settings that cannot be read; else as [`send`].
pub fn tighten(args: &TightenArgs) -> Result<(), Exit> {
    let dir = RunDir::open_or_latest(args.run.as_deref())?;
    let mut reader = Reader::open(&dir.journal(), RecoveryMode::TornTail)
        .map_err(|e| Exit::new(crate::exit::UNSAFE, e))?;
    let header = Header::read(&mut reader)?;
    // What the file does not set is what the run has: only what it sets can be stricter.
    let running = settings::Settings {
        config: header.config,
        from_file: Default::default(),
        profile: Profile::of_venue(&header.venue),
    };
    let lower = settings::overlaid(&args.file, &running)?;
    let word = Word::Tighten { risk: Box::new(lower.config.risk) };
    order(Some(dir.root()), &word, "taken: the stricter limits hold", args.json)
}

/// Tells what no feed tells.
///
/// # Errors
/// As [`send`].
pub fn tell(args: &TellArgs) -> Result<(), Exit> {
    let word = match &args.what {
        TellCommand::MarketResumed => Word::MarketResumed {},
        TellCommand::ShortSales { symbol, state } => {
            Word::ShortSale { symbol: symbol.clone(), restricted: state.is_restricted() }
        }
    };
    order(args.run.as_deref(), &word, "taken", args.json)
}

fn order(run: Option<&Path>, word: &Word, done: &str, json: bool) -> Result<(), Exit> {
    let root = send(run, word)?;
    let root = root.display();
    if json {
        print_json(&json!({ "run": root.to_string(), "taken": true }));
    } else {
        print_text(&format!("{root}: {done}\n"));
    }
    Ok(())
}
