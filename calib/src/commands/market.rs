//! `ijk-calib volatility` and `ijk-calib spread`.

use super::target::Target;
use super::{Exit, Report};
use ijk_calib::market::{Market, read};
use ijk_calib::orders::spread;
use ijk_calib::report::Page;
use ijk_calib::report::plots::{Series, chart};
use ijk_calib::table::Table;
use ijk_calib::volatility::measure;
use ijk_data::spec::{FeedSpec, open_feed};

/// Measures volatility: realised, bipower, over the day, GARCH(1,1)
#[derive(clap::Args)]
#[command(after_help = "Example:\n  ijk-calib volatility --feed lobster:GOOG.zip --out goog.toml")]
pub struct VolatilityArgs {
    #[command(flatten)]
    feeds: Feeds,
    /// Length of the returns, seconds
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    step_s: u64,
    /// Length of a part of the day, minutes
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=1_440))]
    bucket_min: u64,
    #[command(flatten)]
    target: Target,
}

/// Measures spreads: quoted over time, effective, realised
#[derive(clap::Args)]
#[command(after_help = "Example:\n  ijk-calib spread --feed lobster:GOOG.zip --out goog.toml")]
pub struct SpreadArgs {
    #[command(flatten)]
    feeds: Feeds,
    #[command(flatten)]
    target: Target,
}

/// Feeds to read
#[derive(clap::Args)]
struct Feeds {
    /// Feed to read, may be repeated
    #[arg(long = "feed", required = true, value_name = "SPEC")]
    feeds: Vec<FeedSpec>,
    /// Seed of generated feeds and of resampling
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Feeds {
    fn read(&self) -> Result<Vec<(String, Market)>, Exit> {
        let mut all = Vec::new();
        for spec in &self.feeds {
            let mut source = open_feed(spec, self.seed)?;
            let markets = read(&mut *source, &mut |_| {})?;
            all.extend(markets.into_iter().map(|m| (spec.to_string(), m)));
        }
        Ok(all)
    }
}

fn span(m: &Market) -> (u64, u64) {
    let from = m.start_s * 1_000_000_000;
    (from, from + m.mid.len() as u64 * 1_000_000_000)
}

/// Runs `volatility`.
pub fn volatility(args: &VolatilityArgs) -> Result<Report, Exit> {
    args.target.check()?;
    let mut profile = args.target.profile()?;
    let mut found = Vec::new();
    for (name, market) in args.feeds.read()? {
        let section = measure(&market, args.step_s, args.bucket_min * 60, args.feeds.seed)
            .map_err(|e| Exit::new(1, e))?;
        let (from, to) = span(&market);
        profile.rests_on("volatility", &name, from, to);
        found.push(section);
    }
    let (mut text, mut page) = (String::new(), Page::new("Volatility"));
    for v in &found {
        page.section(&v.symbol);
        let mut lines = vec![
            format!("realised, basis points a day: {}", v.realised_bps.show()),
            format!("without jumps: {:.2}; in jumps {:.1} %", v.bipower_bps, 100.0 * v.jump_share),
        ];
        if let Some(g) = &v.garch {
            for (name, p) in [("μ", &g.mu), ("ω", &g.omega), ("α", &g.alpha), ("β", &g.beta)] {
                lines.push(format!("GARCH(1,1) {name}: {}", p.show()));
            }
        }
        lines.extend(v.notes.iter().map(|n| format!("note: {n}")));
        text += &format!("{}: {} returns of {} s\n", v.symbol, v.returns, v.step_s);
        for line in &lines {
            page.paragraph(line);
            text += &format!("  {line}\n");
        }
        let course: Vec<(f64, f64)> =
            v.season.iter().map(|s| (s.start_s as f64 / 3_600.0, s.variance_ratio)).collect();
        let series = [Series::line("course of the day", &course)];
        page.plot(&chart("hours after the open", "variance, mean 1", &series));
    }
    let rows: Vec<_> =
        found.iter().flat_map(|v| v.season.iter().map(move |s| (&v.symbol, s))).collect();
    let table = Table::new()
        .texts("symbol", rows.iter().map(|r| r.0.clone()))
        .ints("start_s", rows.iter().map(|r| r.1.start_s as i64))
        .ints("end_s", rows.iter().map(|r| r.1.end_s as i64))
        .floats("variance_ratio", rows.iter().map(|r| r.1.variance_ratio));
    profile.volatility = found;
    text += &args.target.write(&mut profile, &table, page)?;
    let json = serde_json::to_value(&profile.volatility).map_err(|e| Exit::new(70, e))?;
    Ok(Report { text, json })
}

/// Runs `spread`.
pub fn spreads(args: &SpreadArgs) -> Result<Report, Exit> {
    args.target.check()?;
    let mut profile = args.target.profile()?;
    let (mut found, mut page) = (Vec::new(), Page::new("Spread"));
    for (name, market) in args.feeds.read()? {
        let Some(section) = spread(&market) else { continue };
        let (from, to) = span(&market);
        profile.rests_on("spread", &name, from, to);
        page.section(&section.symbol);
        let minutes = market.spread_bps.chunks(60).enumerate();
        let points: Vec<(f64, f64)> =
            minutes.map(|(i, c)| (i as f64, ijk_calib::stats::mean(c))).collect();
        page.plot(&chart("minute", "spread, bps", &[Series::line("quoted", &points)]));
        found.push(section);
    }
    if found.is_empty() {
        return Err(Exit::new(1, "no symbol has a two-sided book"));
    }
    let mut text = String::new();
    for s in &found {
        text += &format!(
            "{}: quoted {:.3} bps (5, 50, 95 %: {:.3} {:.3} {:.3}), effective {:.3}, realised \
             {:.3}, {} trades\n",
            s.symbol,
            s.quoted_bps,
            s.quantiles_bps[0],
            s.quantiles_bps[1],
            s.quantiles_bps[2],
            s.effective_bps,
            s.realised_bps,
            s.trades
        );
    }
    page.preformatted(&text);
    let table = Table::new()
        .texts("symbol", found.iter().map(|s| s.symbol.clone()))
        .floats("quoted_bps", found.iter().map(|s| s.quoted_bps))
        .floats("effective_bps", found.iter().map(|s| s.effective_bps))
        .floats("realised_bps", found.iter().map(|s| s.realised_bps));
    profile.spread = found;
    text += &args.target.write(&mut profile, &table, page)?;
    let json = serde_json::to_value(&profile.spread).map_err(|e| Exit::new(70, e))?;
    Ok(Report { text, json })
}
