//! `ijk execution-study`: the same parents executed four ways, and what each step is worth.

mod outcome;
mod parents;

use crate::exit::Exit;
use crate::print::{print_json, print_text};
use crate::report;
use crate::run_dir::RunDir;
use crate::{feeds, progress, settings};
use clap::Args;
use ijk_core::Config;
use ijk_core::num::E9;
use ijk_core::record::{ParentStatus, ScheduleKind};
use ijk_data::spec::FeedSpec;
use ijk_data::whole::write_whole;
use outcome::{Outcome, Row};
use parents::Drawn;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(Debug, Args)]
pub struct StudyArgs {
    /// Feed; repeat for several, each by itself.
    #[arg(long = "feed", value_name = "SPEC", required = true)]
    pub feeds: Vec<String>,
    /// Parents a feed at most.
    #[arg(long, default_value_t = 120)]
    pub parents: usize,
    /// Time a parent may take, seconds.
    #[arg(long, default_value_t = 120.0)]
    pub horizon_s: f64,
    /// Size of a parent as a part of the mean volume of its horizon.
    #[arg(long, default_value_t = 0.05)]
    pub participation: f64,
    /// Schedule of the three ways that are not TWAP.
    #[arg(long, default_value = "almgren_chriss")]
    pub schedule: String,
    /// Settings file (TOML); its execution settings are those of the adaptive way.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Seed of the sides.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Folder of the study: runs, parents files, parents.parquet. Must not exist.
    #[arg(long)]
    pub out: PathBuf,
    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

/// One way to execute.
pub struct Way {
    /// Name.
    pub name: &'static str,
    schedule: ScheduleKind,
    urgency: &'static str,
    adaptive: bool,
    with_signal: bool,
}

/// Returns the four ways; each differs from the one before in one thing.
fn ways(schedule: ScheduleKind) -> [Way; 4] {
    let way = |name, schedule, urgency, adaptive, with_signal| Way {
        name,
        schedule,
        urgency,
        adaptive,
        with_signal,
    };
    [
        way("twap", ScheduleKind::Twap, "urgent", false, false),
        way("schedule", schedule, "urgent", true, false),
        way("resting", schedule, "normal", true, false),
        way("adaptive", schedule, "normal", true, true),
    ]
}

/// Runs the study.
///
/// # Errors
/// 2 for settings or an existing folder, 3 for feeds, or what a run ended with.
pub fn run(args: &StudyArgs) -> Result<(), Exit> {
    let schedule = ScheduleKind::from_name(&args.schedule).ok_or_else(|| {
        let names = ScheduleKind::NAMES.map(|n| n.0).join(", ");
        Exit::usage(format!("--schedule {}: expected one of {names}", args.schedule))
    })?;
    let positive = |v: f64, max: f64| v > 0.0 && v <= max;
    if !positive(args.horizon_s, 86_400.0) || !positive(args.participation, 1.0) {
        return Err(Exit::usage(
            "--horizon-s and --participation must be above 0 (at most 86400, 1)",
        ));
    }
    if args.out.exists() {
        return Err(Exit::usage(format!("{}: exists", args.out.display())));
    }
    std::fs::create_dir_all(&args.out).map_err(|e| Exit::output(&args.out, e))?;
    let base = settings::load(args.config.as_deref(), settings::Profile::Simulation)?.config;
    let specs = feeds::parse_specs(&args.feeds)?;
    let ways = ways(schedule);
    let bar = progress::bar(Some((specs.len() * ways.len()) as u64), "study", args.json);
    let mut outcome = Outcome::new(ways.iter().map(|w| w.name));
    for (k, spec) in specs.iter().enumerate() {
        let drawn = parents::draw(spec, args.seed, &base.instrument, args)?;
        let dir = args.out.join(format!("feed-{k}"));
        std::fs::create_dir_all(&dir).map_err(|e| Exit::output(&dir, e))?;
        let mut found = Vec::new();
        for way in &ways {
            found.push(execute(spec, &base, way, &drawn, &dir)?);
            bar.inc(1);
        }
        outcome.add(&spec.to_string(), drawn.count, &found);
    }
    bar.finish_and_clear();
    outcome.write(&args.out.join("parents.parquet"))?;
    if args.json {
        print_json(&outcome.json());
    } else {
        print_text(&outcome.text());
    }
    Ok(())
}

/// Executes the parents one way in a process of its own; returns them by their line.
fn execute(
    spec: &FeedSpec,
    base: &Config,
    way: &Way,
    drawn: &Drawn,
    dir: &Path,
) -> Result<BTreeMap<u32, Row>, Exit> {
    let mut config = base.clone();
    let execution = &mut config.execution;
    execution.adaptive = way.adaptive;
    if !way.with_signal {
        execution.signal_gain = 0.0;
    }
    if let Some(instrument_min) = smallest_child(drawn) {
        execution.child_qty_min = execution.child_qty_min.min(instrument_min);
    }
    let text = toml::to_string(&config).map_err(|e| Exit::new(crate::exit::BUG, e))?;
    let (settings, file) =
        (dir.join(format!("{}.toml", way.name)), dir.join(format!("{}.csv", way.name)));
    let csv = drawn.csv.replace("URGENCY", way.urgency).replace("SCHEDULE", way.schedule.name());
    write_whole(&settings, text.as_bytes(), false)?;
    write_whole(&file, csv.as_bytes(), false)?;
    let root = dir.join(way.name);
    let exe = std::env::current_exe().map_err(|e| Exit::new(crate::exit::BUG, e))?;
    let output = Command::new(exe)
        .args(["live", "--weights", "none", "--json", "--feed", &spec.to_string()])
        .arg("--config")
        .arg(&settings)
        .arg("--parents")
        .arg(&file)
        .arg("--out")
        .arg(&root)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| Exit::new(crate::exit::BUG, e))?;
    if !output.status.success() {
        let code = output.status.code().map_or(crate::exit::BUG, |c| c as u8);
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Exit::new(code, format!("{spec}, {}: {}", way.name, why.trim())));
    }
    let built = report::build(&RunDir::open(&root)?, None)?;
    let rows = built.parent_quality.into_iter().filter(|(r, _)| r.status != ParentStatus::Refused);
    Ok(rows.map(|(r, q)| (r.source_line, Row { record: r, quality: q })).collect())
}

/// A twelfth of a parent, so that there is a schedule to speak of. Instruments in fractions have
/// their lot as the smallest child.
fn smallest_child(drawn: &Drawn) -> Option<i64> {
    (drawn.qty.0 < E9).then(|| (drawn.qty.0 / 12).max(1))
}
