//! `ijk-calib kelly` and `ijk-calib sizing-study`.

use super::target::{ReportTarget, Target};
use super::{Exit, Report};
use flate2::read::GzDecoder;
use ijk_calib::record::{Study, StudyRow, kelly as measure, study as run_study};
use ijk_calib::report::Page;
use ijk_calib::report::plots::{Series, chart};
use ijk_calib::table::Table;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A track record
#[derive(clap::Args)]
struct Record {
    /// CSV file (.gz too) with one row a period
    #[arg(long, value_name = "FILE.csv")]
    returns: PathBuf,
    /// Column of simple returns, or of prices with --prices
    #[arg(long, default_value = "ret")]
    column: String,
    /// The column holds prices: returns are their changes
    #[arg(long)]
    prices: bool,
    /// Seed of the resampling
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Record {
    fn read(&self) -> Result<Vec<f64>, Exit> {
        let values = column(&self.returns, &self.column)?;
        if !self.prices {
            return Ok(values);
        }
        if let Some(i) = values.iter().position(|v| *v <= 0.0) {
            let shown = self.returns.display();
            let at = format!("{shown}:{}: field '{}'", i + 2, self.column);
            return Err(Exit::new(3, format!("{at}: expected a positive price")));
        }
        Ok(values.windows(2).map(|w| w[1] / w[0] - 1.0).collect())
    }
}

fn column(path: &Path, name: &str) -> Result<Vec<f64>, Exit> {
    let shown = path.display();
    let bad = |e: &dyn std::fmt::Display| Exit::new(3, format!("{shown}: {e}"));
    let file = std::fs::File::open(path).map_err(|e| bad(&e))?;
    let reader: Box<dyn Read> = match path.extension().is_some_and(|e| e == "gz") {
        true => Box::new(GzDecoder::new(file)),
        false => Box::new(file),
    };
    let mut csv = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(reader);
    let head = csv.headers().map_err(|e| bad(&e))?.clone();
    let at = head.iter().position(|h| h.eq_ignore_ascii_case(name)).ok_or_else(|| {
        let names: Vec<&str> = head.iter().collect();
        Exit::new(3, format!("{shown}:1: no column '{name}'; it has {}", names.join(", ")))
    })?;
    let mut values = Vec::new();
    for row in csv.records() {
        let row = row.map_err(|e| bad(&e))?;
        let text = row.get(at).unwrap_or("");
        let value = text.parse::<f64>().ok().filter(|v| v.is_finite()).ok_or_else(|| {
            let line = row.position().map_or(0, csv::Position::line);
            let detail = format!("field '{name}': expected a number, found '{text:.40}'");
            Exit::new(3, format!("{shown}:{line}: {detail}"))
        })?;
        values.push(value);
    }
    Ok(values)
}

/// Says what a track record is worth once its own uncertainty is counted
#[derive(clap::Args)]
#[command(after_help = "Example:\n  ijk-calib kelly --returns days.csv --out kelly.toml")]
pub struct KellyArgs {
    #[command(flatten)]
    record: Record,
    #[command(flatten)]
    target: Target,
}

/// Runs `kelly`.
pub fn kelly(args: &KellyArgs) -> Result<Report, Exit> {
    args.target.check()?;
    let mut profile = args.target.profile()?;
    let returns = args.record.read()?;
    let k = measure(&returns, args.record.seed).map_err(|e| Exit::new(1, e))?;
    // A record has no time of its own here: it counts as of today.
    let now = jiff::Timestamp::now().as_nanosecond();
    let now = u64::try_from(now).unwrap_or(0);
    profile.rests_on("kelly", &args.record.returns.display().to_string(), now, now);
    let mut text =
        format!("{} returns, mean {}, standard deviation {:.6}\n", k.returns, k.mean.show(), k.sd);
    for (name, v) in [
        ("plain Kelly, leverage", k.plain),
        ("part that survives its uncertainty", k.shrinkage),
        ("shrunk Kelly, leverage", k.shrunk),
        ("bound by the drawdown, leverage", k.drawdown_bound),
        ("kelly_multiplier", k.multiplier),
    ] {
        text += &format!("  {name:<36}{v:>12.4}\n");
    }
    let mut page = Page::new("Kelly");
    page.preformatted(&text);
    let mut wealth = 0.0;
    let curve: Vec<(f64, f64)> = returns
        .iter()
        .enumerate()
        .map(|(i, r)| {
            wealth += (1.0 + r).max(1e-9).ln();
            (i as f64, wealth)
        })
        .collect();
    page.plot(&chart("period", "log growth", &[Series::line("record", &curve)]));
    let table = Table::new().floats("return", returns);
    let json = serde_json::to_value(&k).map_err(|e| Exit::new(70, e))?;
    profile.kelly = Some(k);
    text += &args.target.write(&mut profile, &table, page)?;
    Ok(Report { text, json })
}

fn paths_range() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(100..=100_000)
}

/// Compares ways to size on bootstrapped paths of a record, each knowing only the past
#[derive(clap::Args)]
#[command(after_help = "Example:\n  ijk-calib sizing-study --returns NVDA.csv.gz --column close \
                        --prices --paths 2000")]
pub struct StudyArgs {
    #[command(flatten)]
    record: Record,
    /// Bootstrapped paths
    #[arg(long, default_value_t = 2_000, value_parser = paths_range())]
    paths: u32,
    /// Periods before the first bet
    #[arg(long, default_value_t = 250)]
    learn: usize,
    /// Periods of betting
    #[arg(long, default_value_t = 500)]
    periods: usize,
    /// Fixed fraction of wealth that the others are compared with
    #[arg(long, default_value_t = 1.0)]
    fixed: f64,
    /// Largest fraction of wealth
    #[arg(long, default_value_t = 3.0)]
    cap: f64,
    /// Cost of one side, basis points of what is traded
    #[arg(long, default_value_t = 2.0)]
    cost_bps: f64,
    /// Length of the blocks drawn (the cube root of the record by default)
    #[arg(long, default_value_t = 0)]
    block: usize,
    #[command(flatten)]
    target: ReportTarget,
}

/// Runs `sizing-study`.
pub fn study(args: &StudyArgs) -> Result<Report, Exit> {
    let sound = args.fixed > 0.0 && args.cap > 0.0 && args.cap <= 20.0 && args.cost_bps >= 0.0;
    if !sound || args.learn < 30 || args.periods == 0 || args.fixed > args.cap {
        return Err(Exit::new(
            2,
            "--fixed and --cap are positive, fixed at most cap, cap at most 20; --cost-bps is not \
             negative; --learn is at least 30; --periods at least 1",
        ));
    }
    args.target.check()?;
    let returns = args.record.read()?;
    let s = Study {
        paths: args.paths as usize,
        learn: args.learn,
        periods: args.periods,
        fixed: args.fixed,
        cap: args.cap,
        cost_side: args.cost_bps * 1e-4,
        block: args.block,
        seed: args.record.seed,
    };
    let rows = run_study(&returns, &s).map_err(|e| Exit::new(1, e))?;
    let mut text = study_text(&rows, &s, returns.len());
    let better = better(&rows);
    text += &match better.is_empty() {
        true => "none grows 20 % more than fixed sizing without a deeper drawdown\n".to_string(),
        false => format!("20 % more with no deeper drawdown: {}\n", better.join(", ")),
    };
    text += &args.target.write(&study_table(&rows), study_page(&rows, &text))?;
    let json = serde_json::json!({"results": rows, "better": better});
    Ok(Report { text, json })
}

/// Strategies that grow a fifth more than the first, which is fixed sizing, with no deeper
/// drawdown.
fn better(rows: &[StudyRow]) -> Vec<&str> {
    let base = rows.first().map_or(0.0, |r| r.median_drawdown);
    let beats = |r: &&StudyRow| r.gain.value >= 0.2 && r.median_drawdown <= base;
    rows.iter().filter(beats).map(|r| r.strategy.as_str()).collect()
}

fn study_text(rows: &[StudyRow], s: &Study, returns: usize) -> String {
    let mut text = format!(
        "{} paths of {} periods after {} to learn from, {returns} returns on record\n\
         {:<28}{:>10}{:>24}{:>10}{:>10}  {:>9} (95 %)\n",
        s.paths,
        s.periods,
        s.learn,
        "strategy",
        "median",
        "95 % of the median",
        "drawdown",
        "its 95 %",
        "gain"
    );
    for r in rows {
        let (g, m) = (&r.gain, &r.median_log_growth);
        text += &format!(
            "{:<28}{:>10.4}{:>24}{:>10.3}{:>10.3}  {:>8.1}% ({:.1} .. {:.1})\n",
            r.strategy,
            m.value,
            format!("{:.4} .. {:.4}", m.lower, m.upper),
            r.median_drawdown,
            r.drawdown_p95,
            100.0 * g.value,
            100.0 * g.lower,
            100.0 * g.upper
        );
    }
    text
}

fn study_table(rows: &[StudyRow]) -> Table {
    let number = |get: fn(&StudyRow) -> f64| rows.iter().map(get);
    Table::new()
        .texts("strategy", rows.iter().map(|r| r.strategy.clone()))
        .floats("median_log_growth", number(|r| r.median_log_growth.value))
        .floats("median_log_growth_lower", number(|r| r.median_log_growth.lower))
        .floats("median_log_growth_upper", number(|r| r.median_log_growth.upper))
        .floats("median_drawdown", number(|r| r.median_drawdown))
        .floats("drawdown_p95", number(|r| r.drawdown_p95))
        .floats("gain", number(|r| r.gain.value))
        .floats("gain_lower", number(|r| r.gain.lower))
        .floats("gain_upper", number(|r| r.gain.upper))
}

/// Growth against drawdown, one point a way to size.
fn study_page(rows: &[StudyRow], text: &str) -> Page {
    let mut page = Page::new("Ways to size");
    let point = |r: &StudyRow| (100.0 * r.median_drawdown, r.median_log_growth.value);
    let series: Vec<Series> = rows.iter().map(|r| Series::dots(&r.strategy, &[point(r)])).collect();
    page.paragraph("Medians over the same bootstrapped paths; each way knew only the past.");
    page.plot(&chart("largest drawdown, %", "log growth", &series));
    page.preformatted(text);
    page
}
