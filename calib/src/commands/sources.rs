//! Where own fills come from: runs on disk, or parents simulated in a replay.

use super::Exit;
use ijk_calib::observe::{Observations, run, simulate};
use ijk_core::record::{ScheduleKind, Urgency};
use ijk_data::spec::FeedSpec;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::PathBuf;

/// Sources of fills
#[derive(clap::Args)]
pub struct Sources {
    /// Run folder, may be repeated: fills, ticks and latencies come from its journal
    #[arg(long = "run", value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Feed to replay with simulated parents, may be repeated
    #[arg(long = "simulate", value_name = "SPEC")]
    pub simulate: Vec<FeedSpec>,
    /// Simulated parents a symbol; each is run once as a buy and once as a sale
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(2..=5_000))]
    pub parents: u32,
    /// Urgency of simulated parents: passive, normal, urgent or mixed
    #[arg(long, default_value = "mixed")]
    pub urgency: String,
    /// Schedule of simulated parents, as in parents files
    #[arg(long, default_value = "almgren_chriss")]
    pub schedule: String,
    /// Smallest and largest participation of simulated parents in the mean volume
    #[arg(long, default_value = "0.01,0.15", value_parser = parse_range)]
    pub participation: (f64, f64),
    /// Seed of simulated parents, generated feeds and resampling
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

fn parse_range(text: &str) -> Result<(f64, f64), String> {
    let parse = |t: &str| t.trim().parse::<f64>().ok().filter(|v| *v > 0.0 && *v <= 1.0);
    let (low, high) = text.split_once(',').ok_or("two numbers with a comma are needed")?;
    match (parse(low), parse(high)) {
        (Some(low), Some(high)) if low <= high => Ok((low, high)),
        _ => Err("two rising numbers above 0 and at most 1 are needed".to_string()),
    }
}

/// Returns the urgency of a name; `None` is mixed.
pub fn urgency(name: &str) -> Result<Option<Urgency>, Exit> {
    match name {
        "passive" => Ok(Some(Urgency::Passive)),
        "normal" => Ok(Some(Urgency::Normal)),
        "urgent" => Ok(Some(Urgency::Urgent)),
        "mixed" => Ok(None),
        other => Err(Exit::new(
            2,
            format!("--urgency {other}: expected passive, normal, urgent or mixed"),
        )),
    }
}

/// Returns the schedule of a name.
pub fn schedule(name: &str) -> Result<ScheduleKind, Exit> {
    let found = ScheduleKind::NAMES.into_iter().find(|(n, _)| *n == name);
    found.map(|f| f.1).ok_or_else(|| {
        let names = ScheduleKind::NAMES.map(|n| n.0).join(", ");
        Exit::new(2, format!("--schedule {name}: expected {names}"))
    })
}

impl Sources {
    /// Returns names for the profile.
    pub fn names(&self) -> Vec<String> {
        let runs = self.runs.iter().map(|r| r.display().to_string());
        runs.chain(self.simulate.iter().map(|s| format!("simulated over {s}"))).collect()
    }

    /// Reads or simulates everything.
    pub fn read(&self) -> Result<Vec<Observations>, Exit> {
        if self.runs.is_empty() && self.simulate.is_empty() {
            return Err(Exit::new(2, "give at least one --run RUN or --simulate SPEC"));
        }
        let draw = simulate::Draw {
            parents: self.parents as usize,
            urgency: urgency(&self.urgency)?,
            schedule: schedule(&self.schedule)?,
            participation: self.participation,
            seed: self.seed,
        };
        let bar = spinner();
        let mut all = Vec::new();
        for path in &self.runs {
            bar.set_message(path.display().to_string());
            all.push(run::read(path)?);
        }
        for spec in &self.simulate {
            bar.set_message(format!("{spec}: simulated parents"));
            all.push(simulate::run(spec, &draw, &simulate::settings(self.seed))?);
        }
        bar.finish_and_clear();
        Ok(all)
    }
}

fn spinner() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    bar
}
