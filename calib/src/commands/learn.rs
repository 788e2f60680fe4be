//! `ijk-calib learn`.

use super::target::{check_report, write_report};
use super::{Exit, Report};
use ijk_calib::impact::sample::samples;
use ijk_calib::learn::{Before, Update, learn_fill, learn_impact, undo};
use ijk_calib::observe::run as run_folder;
use ijk_calib::profile::Profile;
use ijk_calib::report::Page;
use ijk_calib::report::plots::{Series, chart};
use ijk_calib::table::Table;
use ijk_data::whole;
use serde_json::json;
use std::path::PathBuf;

/// Lets a profile learn from the parents of a finished run, or takes lessons back
#[derive(clap::Args)]
#[command(
    after_help = "Each parent teaches once; a surprise beyond three standard deviations counts as \
                  three, and nothing moves by more than half its standard error at once. Every \
                  step is in the profile with the model as it was before.\n\n\
                  Example:\n  ijk-calib learn --profile goog.toml --run runs/latest --out \
                  goog.toml --force\n  ijk-calib learn --profile goog.toml --undo 3 --out \
                  goog.toml --force"
)]
pub struct Args {
    /// Profile to start from
    #[arg(long, value_name = "PROFILE.toml")]
    profile: PathBuf,
    /// Run to learn from, may be repeated
    #[arg(long = "run", value_name = "RUN", required_unless_present = "undo")]
    runs: Vec<PathBuf>,
    /// Takes the last updates back
    #[arg(long, value_name = "COUNT", conflicts_with = "runs")]
    undo: Option<usize>,
    /// Profile to write; table and page of the lessons get its name with .learned.parquet and
    /// .learned.html
    #[arg(long, value_name = "PROFILE.toml")]
    out: PathBuf,
    /// Replaces an existing file
    #[arg(long)]
    force: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<Report, Exit> {
    let page = args.out.with_extension("learned.html");
    whole::check(&args.out, args.force)?;
    check_report(&page, args.force)?;
    let mut profile = Profile::load(&args.profile)?;
    let before = profile.history.len();
    let mut text = String::new();
    let mut undone = 0;
    if let Some(count) = args.undo {
        undone = undo(&mut profile, count);
        text += &format!("{undone} updates taken back\n");
    }
    for path in &args.runs {
        let seen = run_folder::read(path)?;
        let mut children = Vec::new();
        for symbol in &seen.symbols {
            let name = symbol.market.instrument.symbol.to_string();
            children.extend_from_slice(&symbol.children);
            let Some(section) = profile.impact_of(&name) else { continue };
            if seen.simulated && !section.simulated {
                text += &format!("{name}: a replayed run teaches no model of real fills\n");
                continue;
            }
            let samples = samples(symbol, &section.basis.clone());
            let learned = learn_impact(&mut profile, &name, &samples);
            let of = samples.len();
            text += &format!("{name}: learned from {learned} of {of} parents");
            text += match learned == of {
                true => "\n",
                false => "; the others taught before or are unlike any that were calibrated\n",
            };
        }
        children.sort_by_key(|c| c.placed_ns);
        if learn_fill(&mut profile, &children) {
            text += &format!("fill model: learned from {} resting orders\n", children.len());
        }
        let (from, to) = span(&seen);
        if to > 0 {
            profile.rests_on("learn", &path.display().to_string(), from, to);
        }
    }
    for u in profile.history.iter().skip(before) {
        if matches!(u.before, Before::Impact { .. }) {
            let (a, b, z) = (u.expected, u.found, u.surprise);
            let (s, t) = (&u.symbol, u.parent_ns);
            text += &format!("  {s} {t}: expected {a:.2} bps, found {b:.2}, surprise {z:.2} sd\n");
        }
    }
    profile.settings = ijk_calib::settings::of(&profile);
    let sealed = profile.seal().map_err(|e| Exit::new(70, e))?;
    let updates = &profile.history;
    let beside = write_report(&page, &table(updates), plots(updates, &text), args.force)?;
    whole::write_whole(&args.out, sealed.as_bytes(), args.force)?;
    let (out, count) = (args.out.display(), updates.len());
    text += &format!("wrote {out} with {count} updates, {beside}\n");
    let learned = profile.history.len().saturating_sub(before);
    let json = json!({"learned": learned, "undone": undone, "updates": profile.history.len()});
    Ok(Report { text, json })
}

fn span(seen: &ijk_calib::observe::Observations) -> (u64, u64) {
    seen.symbols.iter().fold((u64::MAX, 0), |(from, to), s| {
        let start = s.market.start_s * 1_000_000_000;
        let end = start + s.market.mid.len() as u64 * 1_000_000_000;
        (from.min(start), to.max(end))
    })
}

fn model(update: &Update) -> &'static str {
    match update.before {
        Before::Impact { .. } => "impact",
        Before::Fill { .. } => "fill",
    }
}

/// One row an update still in force, oldest first.
fn table(updates: &[Update]) -> Table {
    Table::new()
        .texts("model", updates.iter().map(|u| model(u).to_string()))
        .texts("symbol", updates.iter().map(|u| u.symbol.clone()))
        .ints("parent_ns", updates.iter().map(|u| u.parent_ns as i64))
        .floats("expected", updates.iter().map(|u| u.expected))
        .floats("found", updates.iter().map(|u| u.found))
        .floats("surprise_sd", updates.iter().map(|u| u.surprise))
}

/// What was expected and what came, parent by parent.
fn plots(updates: &[Update], text: &str) -> Page {
    let mut page = Page::new("What finished parents taught");
    page.note("A lesson can be taken back: ijk-calib learn --undo COUNT.");
    let costs: Vec<&Update> = updates.iter().filter(|u| model(u) == "impact").collect();
    let each = |get: fn(&Update) -> f64| -> Vec<(f64, f64)> {
        costs.iter().enumerate().map(|(i, u)| (i as f64, get(u))).collect()
    };
    let series = [
        Series::dots("realised", &each(|u| u.found)),
        Series::line("expected", &each(|u| u.expected)),
    ];
    page.plot(&chart("parent", "cost, bps", &series));
    page.plot(&chart("parent", "surprise, sd", &[Series::dots("surprise", &each(|u| u.surprise))]));
    page.preformatted(text);
    page
}
