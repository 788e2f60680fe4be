//! `ijk-calib learn`.

use super::{Exit, Report};
use ijk_calib::impact::sample::samples;
use ijk_calib::learn::{Before, learn_fill, learn_impact, undo};
use ijk_calib::observe::run as run_folder;
use ijk_calib::output;
use ijk_calib::profile::Profile;
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
    /// Profile to write
    #[arg(long, value_name = "PROFILE.toml")]
    out: PathBuf,
    /// Replaces an existing file
    #[arg(long)]
    force: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<Report, Exit> {
    output::check(&args.out, args.force)?;
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
            text += &format!("{name}: learned from {learned} of {} parents\n", samples.len());
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
    output::write_whole(&args.out, sealed.as_bytes(), args.force)?;
    text += &format!("wrote {} with {} updates\n", args.out.display(), profile.history.len());
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
