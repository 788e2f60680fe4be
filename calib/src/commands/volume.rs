//! `ijk-calib volume`.

use super::{Exit, Report};
use ijk_calib::collect::collect;
use ijk_calib::output;
use ijk_calib::volume::{self, SessionVolume};
use ijk_calib::volume_file::{self, VolumeProfile};
use ijk_data::spec::{FeedSpec, open_feed};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Estimates the intraday curve of visible volume from whole sessions
#[derive(clap::Args)]
#[command(
    after_help = "Each feed adds its symbols and days; intervals need three days or more. Writes \
                  the profile and, beside it, a Parquet table of every session.\n\n\
                  Example:\n  ijk-calib volume --feed lobster:GOOG.zip --out goog_volume.toml"
)]
pub struct Args {
    /// Feed to read, may be repeated: synth[:seed], lobster:FILE, dbn:FILE, databento:FILE,
    /// binance:FILE, ticks:FILE
    #[arg(long = "feed", required = true, value_name = "SPEC")]
    feeds: Vec<FeedSpec>,
    /// Length of a bucket, minutes
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1440))]
    bucket_min: u32,
    /// Seed of generated feeds and of the resampling
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Profile to write (TOML); the table gets the same name with .parquet
    #[arg(long, value_name = "PROFILE.toml")]
    out: PathBuf,
    /// Replaces existing files
    #[arg(long)]
    force: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<Report, Exit> {
    let table_path = args.out.with_extension("parquet");
    if table_path == args.out {
        let shown = args.out.display();
        return Err(Exit::new(2, format!("{shown}: --out names the TOML profile, not the table")));
    }
    output::check(&args.out, args.force)?;
    output::check(&table_path, args.force)?;

    let bucket_s = u64::from(args.bucket_min) * 60;
    let mut sessions = Vec::new();
    let mut outside_session = 0;
    for spec in &args.feeds {
        let collected = read(spec, args.seed, bucket_s)?;
        sessions.extend(collected.0);
        outside_session += collected.1;
    }
    let curve = volume::estimate(&sessions, bucket_s, args.seed)?;
    let feeds = args.feeds.iter().map(ToString::to_string).collect();
    let profile = VolumeProfile::new(&curve, feeds, args.bucket_min, outside_session);
    let table = volume_file::table(&curve, &sessions).map_err(|e| Exit::new(70, e))?;
    let toml = toml::to_string(&profile).map_err(|e| Exit::new(70, e))?;
    let json = serde_json::to_value(&profile).map_err(|e| Exit::new(70, e))?;
    output::write_whole(&table_path, &table, args.force)?;
    output::write_whole(&args.out, toml.as_bytes(), args.force)?;
    Ok(Report { text: text(&profile, &args.out, &table_path), json })
}

fn read(spec: &FeedSpec, seed: u64, bucket_s: u64) -> Result<(Vec<SessionVolume>, u64), Exit> {
    let name = spec.to_string();
    let mut source = open_feed(spec, seed)?;
    let bar = progress_bar(&name);
    let collected = collect(&name, &mut *source, bucket_s, &mut |progress| match progress {
        Some((done, total)) => {
            bar.set_length(total);
            bar.set_position(done);
        }
        None => bar.tick(),
    });
    bar.finish_and_clear();
    let collected = collected?;
    Ok((collected.sessions, collected.outside_session))
}

fn progress_bar(name: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0).with_prefix(name.to_string());
    if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {percent:>3}% {eta}") {
        bar.set_style(style);
    }
    bar
}

fn text(profile: &VolumeProfile, out: &Path, table: &Path) -> String {
    let clock = |s: u64| format!("{}:{:02}", s / 3_600, s / 60 % 60);
    let mut text = format!("{:>12}{:>9}   95% of the mean\n", "after open", "share");
    for b in &profile.bucket {
        let interval = match (b.share_lower, b.share_upper) {
            (Some(low), Some(high)) => format!("{:.2}% .. {:.2}%", 100.0 * low, 100.0 * high),
            _ => "not identified".to_string(),
        };
        let span = format!("{}-{}", clock(b.start_s), clock(b.end_s));
        text += &format!("{span:>12}{:>8.2}%   {interval}\n", 100.0 * b.share);
    }
    text += &format!(
        "{} session(s) of {} day(s), {} visible prints\n",
        profile.sessions, profile.days, profile.prints
    );
    for note in &profile.notes {
        text += &format!("note: {note}\n");
    }
    text + &format!("wrote {} and {}\n", out.display(), table.display())
}
