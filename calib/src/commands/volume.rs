//! `ijk-calib volume`.

use super::target::Target;
use super::{Exit, Report};
use ijk_calib::collect::collect;
use ijk_calib::report::Page;
use ijk_calib::report::plots::{Series, chart};
use ijk_calib::volume::{self, EVENT_PART_COUNT, SessionVolume};
use ijk_calib::volume_file::{self, VolumeProfile};
use ijk_data::spec::{FeedSpec, open_feed};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;

/// Estimates the intraday curve of visible volume from whole sessions, by time and by events
#[derive(clap::Args)]
#[command(
    after_help = "Each feed adds its symbols and days; intervals need three days or more. The \
                  profile tells `ijk live --profile` the curve of the schedule `vwap`.\n\n\
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
    #[command(flatten)]
    target: Target,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<Report, Exit> {
    args.target.check()?;
    let mut profile = args.target.profile()?;
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
    let section = VolumeProfile::new(&curve, feeds, args.bucket_min, outside_session);
    for s in &sessions {
        let at = |offset_s: u64| s.open_ns.saturating_add(offset_s.saturating_mul(1_000_000_000));
        profile.rests_on("volume", &s.feed, at(s.covered_s.0), at(s.covered_s.1));
    }
    let table = volume_file::table(&curve, &sessions);
    let mut text = text(&section);
    let page = page(&section, &sessions);
    let json = serde_json::to_value(&section).map_err(|e| Exit::new(70, e))?;
    profile.volume = Some(section);
    text += &args.target.write(&mut profile, &table, page)?;
    Ok(Report { text, json })
}

/// Plots of both clocks, the pooled curve over each session's own.
fn page(section: &VolumeProfile, sessions: &[SessionVolume]) -> Page {
    let mut page = Page::new("Visible volume over the day");
    for note in &section.notes {
        page.note(note);
    }
    let hours = |s: u64| s as f64 / 3_600.0;
    let pooled: Vec<(f64, f64)> = section
        .bucket
        .iter()
        .map(|b| (0.5 * (hours(b.start_s) + hours(b.end_s)), 100.0 * b.share))
        .collect();
    let each = |f: &dyn Fn(&SessionVolume) -> Vec<(f64, f64)>| {
        sessions.iter().flat_map(f).collect::<Vec<_>>()
    };
    let own =
        each(&|s| pooled.iter().zip(s.shares()).map(|(p, share)| (p.0, 100.0 * share)).collect());
    let series = [Series::line("mean", &pooled), Series::dots("sessions", &own)];
    page.section("By time").plot(&chart("hours after the open", "% of the volume", &series));
    let at = |k: usize| 100.0 * (k as f64 + 0.5) / EVENT_PART_COUNT as f64;
    let pooled: Vec<(f64, f64)> =
        section.event_part.iter().enumerate().map(|(k, p)| (at(k), 100.0 * p.share)).collect();
    let own = each(&|s| {
        let parts = s.clock.parts(EVENT_PART_COUNT);
        parts.iter().enumerate().map(|(k, p)| (at(k), 100.0 * p.0)).collect()
    });
    let series = [Series::line("mean", &pooled), Series::dots("sessions", &own)];
    page.section("By events").plot(&chart("% of the events", "% of the volume", &series));
    let rows: Vec<Vec<String>> = section
        .bucket
        .iter()
        .map(|b| vec![span(b.start_s, b.end_s), percent(b.share), interval(b)])
        .collect();
    page.section("Shares").table(&["after the open", "share", "95 % of the mean"], &rows);
    page
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

fn span(start_s: u64, end_s: u64) -> String {
    let clock = |s: u64| format!("{}:{:02}", s / 3_600, s / 60 % 60);
    format!("{}-{}", clock(start_s), clock(end_s))
}

fn percent(share: f64) -> String {
    format!("{:.2}%", 100.0 * share)
}

fn interval(b: &volume_file::ProfileBucket) -> String {
    match (b.share_lower, b.share_upper) {
        (Some(low), Some(high)) => format!("{} .. {}", percent(low), percent(high)),
        _ => "not identified".to_string(),
    }
}

fn text(profile: &VolumeProfile) -> String {
    let mut text = format!("{:>12}{:>9}   95% of the mean\n", "after open", "share");
    for b in &profile.bucket {
        let (span, share) = (span(b.start_s, b.end_s), percent(b.share));
        text += &format!("{span:>12}{share:>9}   {}\n", interval(b));
    }
    text += &format!("{:>12}{:>9}   over by, on average\n", "of events", "share");
    for p in &profile.event_part {
        let (upto, share) = (format!("-{:.0}%", 100.0 * p.upto), percent(p.share));
        text += &format!("{upto:>12}{share:>9}   {}\n", span(0, p.ended_s as u64));
    }
    text += &format!(
        "{} session(s) of {} day(s), {} visible prints\n",
        profile.sessions, profile.days, profile.prints
    );
    for note in &profile.notes {
        text += &format!("note: {note}\n");
    }
    text
}
