//! `ijk-calib accuracy`.

use super::sources::{schedule, urgency};
use super::target::ReportTarget;
use super::{Exit, Report};
use ijk_calib::accuracy::{Accuracy, of};
use ijk_calib::observe::simulate::{Draw, run as simulate, settings};
use ijk_calib::report::Page;
use ijk_calib::report::plots::{Series, chart};
use ijk_calib::table::Table;
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
    #[command(flatten)]
    target: ReportTarget,
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
    args.target.check()?;
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
    let mut text = lines(&rows);
    text += "all in basis points of the arrival mid\n";
    let worst = rows.iter().map(|r| r.bias_bps.value.abs()).fold(0.0, f64::max);
    let passed = worst <= args.bar_bps;
    text += &format!(
        "largest mean error {worst:.3} bps, bar {} bps: {}\n",
        args.bar_bps,
        if passed { "met" } else { "not met" }
    );
    text += &args.target.write(&table(&rows), page(&rows, &text))?;
    let json = json!({"bar_bps": args.bar_bps, "met": passed, "results": rows});
    if !passed {
        print!("{text}");
        return Err(Exit::new(1, format!("the largest mean error is {worst:.3} bps")));
    }
    Ok(Report { text, json })
}

fn lines(rows: &[Accuracy]) -> String {
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
    for r in rows {
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
    text
}

/// One row a result; costs in basis points of the arrival mid.
fn table(rows: &[Accuracy]) -> Table {
    let text = |get: fn(&Accuracy) -> &String| rows.iter().map(get).cloned().collect::<Vec<_>>();
    let count = |get: fn(&Accuracy) -> usize| rows.iter().map(get).map(|n| n as i64);
    let number = |get: fn(&Accuracy) -> f64| rows.iter().map(get);
    Table::new()
        .texts("source", text(|r| &r.source))
        .texts("symbol", text(|r| &r.symbol))
        .texts("method", text(|r| &r.method))
        .ints("learned_from", count(|r| r.learned_from))
        .ints("asked", count(|r| r.asked))
        .ints("refused", count(|r| r.refused))
        .floats("realised_bps", number(|r| r.realised_bps))
        .floats("predicted_bps", number(|r| r.predicted_bps))
        .floats("error_bps", number(|r| r.bias_bps.value))
        .floats("error_se_bps", number(|r| r.bias_bps.standard_error))
        .floats("error_lower_bps", number(|r| r.bias_bps.lower))
        .floats("error_upper_bps", number(|r| r.bias_bps.upper))
        .floats("one_order_bps", number(|r| r.one_order_bps))
}

/// Predicted against realised by symbol, on the line where both are one.
fn page(rows: &[Accuracy], text: &str) -> Page {
    let mut page = Page::new("Does the predicted cost come true?");
    let mut symbols: Vec<&str> = rows.iter().map(|r| r.symbol.as_str()).collect();
    symbols.sort_unstable();
    symbols.dedup();
    let mut series: Vec<Series> = symbols
        .iter()
        .map(|symbol| {
            let own = rows.iter().filter(|r| r.symbol == *symbol);
            let points: Vec<_> = own.map(|r| (r.predicted_bps, r.realised_bps)).collect();
            Series::dots(symbol, &points)
        })
        .collect();
    let costs = rows.iter().flat_map(|r| [r.predicted_bps, r.realised_bps]);
    let (low, high) = costs.fold((0.0f64, 0.0f64), |(a, b), c| (a.min(c), b.max(c)));
    series.push(Series::line("as predicted", &[(low, low), (high, high)]));
    page.paragraph("Means over the orders asked about, one point a method.");
    page.plot(&chart("predicted, bps", "realised, bps", &series));
    page.preformatted(text);
    page
}
