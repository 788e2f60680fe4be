//! `ijk-calib accuracy`.

use super::sources::{schedule, urgency};
use super::{Exit, Report};
use ijk_calib::accuracy::{Accuracy, of};
use ijk_calib::observe::simulate::{Draw, run as simulate, settings};
use ijk_core::Config;
use ijk_data::spec::FeedSpec;
use serde_json::json;
use std::path::PathBuf;

/// Predicts the cost of simulated orders from orders before them and says how far off it was
#[derive(clap::Args)]
#[command(
    after_help = "Every method is simulated apart; the first part of its orders teaches, the rest \
                  is asked about. Ends with 1 where a mean error exceeds the bar.\n\n\
                  Example:\n  ijk-calib accuracy --simulate lobster:GOOG.zip --parents 200"
)]
pub struct Args {
    /// Feed to replay, may be repeated
    #[arg(long = "simulate", required = true, value_name = "SPEC")]
    feeds: Vec<FeedSpec>,
    /// Simulated parents a symbol and method; each is run as a buy and as a sale
    #[arg(long, default_value_t = 160, value_parser = clap::value_parser!(u32).range(20..=5_000))]
    parents: u32,
    /// Methods: urgencies, may be repeated (all by default)
    #[arg(long = "urgency")]
    urgencies: Vec<String>,
    /// Schedule, as in parents files, may be repeated; each is tested with each urgency
    #[arg(long = "schedule", default_value = "almgren_chriss")]
    schedules: Vec<String>,
    /// Part of the orders that teaches
    #[arg(long, default_value_t = 0.5)]
    learn: f64,
    /// Largest mean error, basis points
    #[arg(long, default_value_t = 2.0)]
    bar_bps: f64,
    /// Settings of the kernel for the simulated orders (its execution, sim and fees sections)
    #[arg(long, value_name = "SETTINGS.toml")]
    config: Option<PathBuf>,
    /// Seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Returns the simulation's settings with what a file says of execution, exchange and fees.
pub fn simulation_settings(file: Option<&PathBuf>, seed: u64) -> Result<Config, Exit> {
    let mut config = settings(seed);
    if let Some(path) = file {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|e| Exit::new(2, format!("{shown}: cannot read settings: {e}")))?;
        let given: Config =
            toml::from_str(&text).map_err(|e| Exit::new(2, format!("{shown}: {e}")))?;
        (config.execution, config.sim, config.fees) = (given.execution, given.sim, given.fees);
    }
    Ok(config)
}

/// Runs the command.
pub fn run(args: &Args) -> Result<Report, Exit> {
    if !(args.learn > 0.05 && args.learn < 0.95) {
        return Err(Exit::new(2, format!("--learn {}: expected 0.05 to 0.95", args.learn)));
    }
    let all = ["passive", "normal", "urgent"].map(String::from).to_vec();
    let names = if args.urgencies.is_empty() { &all } else { &args.urgencies };
    let config = simulation_settings(args.config.as_ref(), args.seed)?;
    let mut rows: Vec<Accuracy> = Vec::new();
    for feed in &args.feeds {
        for (plan, name) in args.schedules.iter().flat_map(|p| names.iter().map(move |n| (p, n))) {
            let draw = Draw {
                parents: args.parents as usize,
                urgency: urgency(name)?,
                schedule: schedule(plan)?,
                participation: (0.01, 0.15),
                seed: args.seed,
            };
            let seen = simulate(feed, &draw, &config)?;
            rows.extend(of(&seen, &format!("{plan}, {name}"), args.learn, args.seed));
        }
    }
    if rows.is_empty() {
        return Err(Exit::new(1, "too few simulated orders on either side of the cut"));
    }
    let mut text = format!(
        "{:<8}{:<25}{:>8}{:>7}{:>9}{:>10}{:>10}{:>9}{:>8}  {:<18}{:>9}\n",
        "symbol",
        "method",
        "learned",
        "asked",
        "refused",
        "realised",
        "predicted",
        "error",
        "s.e.",
        "95 %",
        "one order"
    );
    for r in &rows {
        let b = &r.bias_bps;
        text += &format!(
            "{:<8}{:<25}{:>8}{:>7}{:>9}{:>10.3}{:>10.3}{:>9.3}{:>8.3}  {:<18}{:>9.2}\n",
            r.symbol,
            r.method,
            r.learned_from,
            r.asked,
            r.refused,
            r.realised_bps,
            r.predicted_bps,
            b.value,
            b.standard_error,
            format!("{:.3} .. {:.3}", b.lower, b.upper),
            r.one_order_bps,
        );
    }
    text += "all in basis points of the arrival mid\n";
    let worst = rows.iter().map(|r| r.bias_bps.value.abs()).fold(0.0, f64::max);
    let passed = worst <= args.bar_bps;
    text += &format!(
        "largest mean error {worst:.3} bps, bar {} bps: {}\n",
        args.bar_bps,
        if passed { "met" } else { "not met" }
    );
    let json = json!({"bar_bps": args.bar_bps, "met": passed, "results": rows});
    if !passed {
        print!("{text}");
        return Err(Exit::new(1, format!("the largest mean error is {worst:.3} bps")));
    }
    Ok(Report { text, json })
}
