//! `ijk-calib latency` and `ijk-calib fill`.

use super::sources::Sources;
use super::target::Target;
use super::{Exit, Report};
use ijk_calib::fill::{covariates, fit, kaplan_meier};
use ijk_calib::observe::{ChildObservation, LatencyObservation, Observations};
use ijk_calib::orders::latency as measure;
use ijk_calib::profile::Profile;
use ijk_calib::report::Page;
use ijk_calib::report::plots::{Series, chart};
use ijk_calib::table::Table;

/// Measures latencies of orders and reports, with the market they met
#[derive(clap::Args)]
#[command(after_help = "Example:\n  ijk-calib latency --run runs/latest --out latency.toml")]
pub struct LatencyArgs {
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    target: Target,
}

/// Fits how soon a resting order is filled, by its place in the queue
#[derive(clap::Args)]
#[command(after_help = "Example:\n  ijk-calib fill --simulate lobster:GOOG.zip --out fill.toml")]
pub struct FillArgs {
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    target: Target,
}

fn note(profile: &mut Profile, section: &str, sources: &Sources, seen: &[Observations]) {
    for name in sources.names() {
        for symbol in seen.iter().flat_map(|s| &s.symbols) {
            let from = symbol.market.start_s * 1_000_000_000;
            let to = from + symbol.market.mid.len() as u64 * 1_000_000_000;
            profile.rests_on(section, &name, from, to);
        }
    }
}

/// Runs `latency`.
pub fn latency(args: &LatencyArgs) -> Result<Report, Exit> {
    args.target.check()?;
    let mut profile = args.target.profile()?;
    let seen = args.sources.read()?;
    let all: Vec<LatencyObservation> = seen.iter().flat_map(|s| s.latencies.clone()).collect();
    let l = measure(&all).map_err(|e| Exit::new(1, e))?;
    note(&mut profile, "latency", &args.sources, &seen);
    let show = |q: &[f64; 4]| q.map(|v| format!("{v:.1}")).join(" / ");
    let mut text = format!(
        "{} orders; microseconds at 5 / 50 / 95 / 99 %\n  to the venue   {}\n  back           \
         {}\n  rank correlation of the round trip with volatility {:.3} ± {:.3}\n  \
         median round trip in calm, usual, wild markets {:.1} {:.1} {:.1}\n",
        l.orders,
        show(&l.order_us),
        show(&l.report_us),
        l.rank_correlation,
        l.correlation_error,
        l.round_trip_by_volatility_us[0],
        l.round_trip_by_volatility_us[1],
        l.round_trip_by_volatility_us[2],
    );
    if l.clocks_disagree {
        text += "  note: not identified: the split of the way: the two clocks disagree\n";
    }
    let mut page = Page::new("Latency");
    page.preformatted(&text);
    let dots: Vec<(f64, f64)> =
        all.iter().map(|l| (l.volatility, l.order_us + l.report_us)).collect();
    page.plot(&chart(
        "volatility of the minute before, bps a root second",
        "round trip, µs",
        &[Series::dots("orders", &dots)],
    ));
    let table = Table::new()
        .ints("sent_ns", all.iter().map(|l| l.sent_ns as i64))
        .floats("order_us", all.iter().map(|l| l.order_us))
        .floats("report_us", all.iter().map(|l| l.report_us))
        .floats("volatility", all.iter().map(|l| l.volatility));
    let json = serde_json::to_value(&l).map_err(|e| Exit::new(70, e))?;
    profile.latency = Some(l);
    text += &args.target.write(&mut profile, &table, page)?;
    Ok(Report { text, json })
}

/// Runs `fill`.
pub fn fill(args: &FillArgs) -> Result<Report, Exit> {
    args.target.check()?;
    let mut profile = args.target.profile()?;
    let seen = args.sources.read()?;
    let all: Vec<ChildObservation> =
        seen.iter().flat_map(|s| &s.symbols).flat_map(|s| s.children.clone()).collect();
    let model = fit(&all).map_err(|e| Exit::new(1, e))?;
    note(&mut profile, "fill", &args.sources, &seen);
    let mut text = format!("{} resting orders, {} filled whole\n", model.orders, model.filled);
    for (name, p) in model.table() {
        text += &format!("  {name:<14} {}\n", p.show());
    }
    text += "  probability of a whole fill at the best level, sides balanced\n";
    text += &format!("  {:>14}{:>26}{:>26}\n", "queue, prints", "in 5 s", "in 30 s");
    for queue in [0.0, 2.0, 10.0] {
        let at = |s: f64| {
            let (p, low, high) = model.probability_interval(&covariates(queue, 0.0, 0.5), s);
            format!("{p:.3} ({low:.3} .. {high:.3})")
        };
        text += &format!("  {queue:>14}{:>26}{:>26}\n", at(5.0), at(30.0));
    }
    let mut page = Page::new("Fill probability");
    page.preformatted(&text);
    let mean = |t: f64| {
        let p = all.iter().map(|c| {
            model.probability(&covariates(c.queue_prints, c.behind_ticks, c.own_share), t)
        });
        ijk_calib::stats::mean(&p.collect::<Vec<_>>())
    };
    let fitted: Vec<(f64, f64)> =
        (1..=60).map(|i| model.seconds_max * f64::from(i) / 60.0).map(|t| (t, mean(t))).collect();
    page.plot(&chart(
        "seconds",
        "filled",
        &[Series::line("Kaplan-Meier", &kaplan_meier(&all)), Series::line("model", &fitted)],
    ));
    let table = Table::new()
        .ints("placed_ns", all.iter().map(|c| c.placed_ns as i64))
        .floats("queue_prints", all.iter().map(|c| c.queue_prints))
        .floats("behind_ticks", all.iter().map(|c| c.behind_ticks))
        .floats("own_share", all.iter().map(|c| c.own_share))
        .floats("seconds", all.iter().map(|c| c.seconds))
        .ints("filled", all.iter().map(|c| i64::from(c.filled)));
    let json = serde_json::to_value(&model).map_err(|e| Exit::new(70, e))?;
    profile.fill = Some(model);
    text += &args.target.write(&mut profile, &table, page)?;
    Ok(Report { text, json })
}
