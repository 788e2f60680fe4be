//! `ijk-calib impact`.

use super::sources::Sources;
use super::target::Target;
use super::{Exit, Report};
use ijk_calib::impact::calibrate::{Gathered, gather, sections};
use ijk_calib::impact::fit::ImpactFit;
use ijk_calib::impact::predict::cost_and_gradient;
use ijk_calib::impact::response::KernelFit;
use ijk_calib::observe::URGENCIES;
use ijk_calib::profile::{ImpactSection, Profile};
use ijk_calib::report::Page;
use ijk_calib::report::plots::{Series, chart};
use ijk_calib::stats::Parameter;
use ijk_calib::table::Table;
use std::collections::BTreeMap;

/// Fits market impact to own fills: temporary and permanent impact, the square-root law, a
/// propagator, with intervals and a comparison out of sample
#[derive(clap::Args)]
#[command(after_help = "Symbols with too few parents get what the others have in common (or the \
                  published model where there are fewer than three others), and say so.\n\n\
                  Example:\n  ijk-calib impact --simulate lobster:GOOG.zip --parents 150 --out \
                  goog.toml")]
pub struct Args {
    #[command(flatten)]
    sources: Sources,
    /// Shares outstanding, SYMBOL=NUMBER, may be repeated
    #[arg(long = "shares-outstanding", value_name = "SYMBOL=NUMBER", value_parser = parse_shares)]
    shares: Vec<(String, f64)>,
    /// Takes the prior of the base profile instead of pooling a new one
    #[arg(long, requires = "base")]
    keep_prior: bool,
    #[command(flatten)]
    target: Target,
}

fn parse_shares(text: &str) -> Result<(String, f64), String> {
    let (symbol, number) = text.split_once('=').ok_or("SYMBOL=NUMBER is needed")?;
    let number = number.parse::<f64>().ok().filter(|n| n.is_finite() && *n > 0.0);
    Ok((symbol.to_string(), number.ok_or("a positive number of shares is needed")?))
}

/// Runs the command.
pub fn run(args: &Args) -> Result<Report, Exit> {
    args.target.check()?;
    let mut profile = args.target.profile()?;
    let observations = args.sources.read()?;
    let outstanding: BTreeMap<String, f64> = args.shares.iter().cloned().collect();
    let gathered = gather(observations, &outstanding);
    let given = profile.prior.clone().filter(|_| args.keep_prior);
    let (prior, sections) = sections(&gathered, given, args.sources.seed);
    if sections.is_empty() {
        return Err(Exit::new(1, "no symbol has a market to measure costs in"));
    }
    for g in gathered.values() {
        for name in args.sources.names() {
            profile.rests_on("impact", &name, g.span_ns.0, g.span_ns.1);
        }
    }
    let new: Vec<&str> = sections.iter().map(|s| s.symbol.as_str()).collect();
    profile.impact.retain(|s| !new.contains(&s.symbol.as_str()));
    profile.history.retain(|u| !new.contains(&u.symbol.as_str()));
    profile.impact.extend(sections.clone());
    profile.prior = Some(prior);
    let table = table(&gathered, &profile);
    let page = page(&gathered, &sections);
    let mut text: String = sections.iter().map(section_text).collect();
    text += &args.target.write(&mut profile, &table, page)?;
    let json = serde_json::to_value(&profile.impact).map_err(|e| Exit::new(70, e))?;
    Ok(Report { text, json: serde_json::json!({"impact": json, "prior": profile.prior}) })
}

fn fit_rows(f: &ImpactFit) -> Vec<(String, &Parameter)> {
    let parts = f.spread_parts.iter().zip(URGENCIES);
    let mut rows: Vec<(String, &Parameter)> =
        parts.map(|(p, u)| (format!("half spreads paid, {u}"), p)).collect();
    rows.push(("permanent γ".to_string(), &f.gamma));
    rows.push(("temporary η".to_string(), &f.eta));
    rows.push(("temporary β".to_string(), &f.beta));
    rows.push(("square-root law Y".to_string(), &f.square_root_y));
    rows.push(("square-root law δ".to_string(), &f.square_root_delta));
    rows
}

fn kernel_rows(s: &ImpactSection) -> Vec<(String, String)> {
    let Some(r) = &s.response else { return Vec::new() };
    let one = |name: &str, k: &KernelFit| {
        format!(
            "{name}: G0 {}, δ {}, decay {}{}, R² {:.3} in, {:.3} out of sample, free round trips \
             {}",
            k.prefactor.show(),
            k.delta.show(),
            k.decay.show(),
            if k.tau_s > 0.0 { format!(", τ {:.2} s", k.tau_s) } else { " 1/s".to_string() },
            k.r2,
            k.r2_out_of_sample,
            k.arbitrage.name(),
        )
    };
    vec![
        ("propagator".to_string(), one("power kernel", &r.power)),
        ("propagator".to_string(), one("exponential kernel", &r.exponential)),
    ]
}

fn section_text(s: &ImpactSection) -> String {
    let b = &s.basis;
    let mut text = format!(
        "{}: {} parents; daily volatility {:.1} bps, daily volume {:.0}, spread {:.2} bps\n",
        s.symbol, s.parents, b.volatility_bps, b.daily_volume, b.spread_bps
    );
    if let Some(f) = &s.fit {
        for (name, p) in fit_rows(f) {
            text += &format!("  {name:<28} {}\n", p.show());
        }
        text += &format!(
            "  {:<28} v0 {:.2e}, v1 {:.3}; no more depends on rate and horizon: p {:.3}\n",
            "noise of one parent", f.noise.0, f.noise.1, f.heteroscedasticity_p
        );
    }
    let taken: Vec<String> = s.posterior.mean.iter().map(|v| format!("{v:.4}")).collect();
    text += &format!("  {:<28} {}\n", "taken, with the prior", taken.join(" "));
    for (name, line) in kernel_rows(s) {
        text += &format!("  {name:<28} {line}\n");
    }
    for m in &s.model {
        let (e, se) = (m.relative_error, m.standard_error);
        text += &format!("  out of sample: {:<32} {e:.4} ± {se:.4}\n", m.model);
    }
    for note in &s.notes {
        text += &format!("  note: {note}\n");
    }
    text
}

fn table(gathered: &BTreeMap<String, Gathered>, profile: &Profile) -> Table {
    let rows: Vec<_> = gathered
        .iter()
        .filter_map(|(name, g)| profile.impact_of(name).map(|s| (name, g, s)))
        .flat_map(|(name, g, s)| g.samples.iter().map(move |x| (name, x, s)))
        .collect();
    let expected = |x: &ijk_calib::impact::sample::Sample, s: &ImpactSection| {
        let p = &s.posterior.mean;
        cost_and_gradient(p, x.urgency, x.half_spread, x.size, x.rate, x.turnover).0
    };
    Table::new()
        .texts("symbol", rows.iter().map(|r| r.0.clone()))
        .ints("start_ns", rows.iter().map(|r| r.1.start_ns as i64))
        .texts("urgency", rows.iter().map(|r| URGENCIES[r.1.urgency].to_string()))
        .floats("size", rows.iter().map(|r| r.1.size))
        .floats("horizon_days", rows.iter().map(|r| r.1.horizon))
        .floats("rate", rows.iter().map(|r| r.1.rate))
        .floats("half_spread_bps", rows.iter().map(|r| r.1.half_spread * r.1.volatility_bps))
        .floats("cost_bps", rows.iter().map(|r| r.1.cost * r.1.volatility_bps))
        .floats("expected_bps", rows.iter().map(|r| expected(r.1, r.2) * r.1.volatility_bps))
        .floats(
            "permanent_bps",
            rows.iter().map(|r| r.1.permanent.map_or(f64::NAN, |p| p.0 * r.1.volatility_bps)),
        )
}

fn page(gathered: &BTreeMap<String, Gathered>, sections: &[ImpactSection]) -> Page {
    let mut page = Page::new("Market impact");
    for s in sections {
        page.section(&s.symbol);
        for note in &s.notes {
            page.note(note);
        }
        if let Some(f) = &s.fit {
            let rows: Vec<Vec<String>> =
                fit_rows(f).into_iter().map(|(name, p)| vec![name, p.show()]).collect();
            page.table(&["parameter", "value ± standard error (95 % interval)"], &rows);
        }
        for (_, line) in kernel_rows(s) {
            page.paragraph(&line);
        }
        if let Some(g) = gathered.get(&s.symbol) {
            page.plot(&cost_plot(g, s));
        }
        if let Some(r) = &s.response {
            let at = |k: &KernelFit| -> Vec<(f64, f64)> {
                let kernel = k.kernel();
                (0..=120).map(|t| (f64::from(t), kernel.at(f64::from(t)))).collect()
            };
            page.plot(&chart(
                "seconds after a trade",
                "part of the impact left",
                &[
                    Series::line("power kernel", &at(&r.power)),
                    Series::line("exponential kernel", &at(&r.exponential)),
                ],
            ));
        }
        let rows: Vec<Vec<String>> = s
            .model
            .iter()
            .map(|m| {
                let (e, se) = (m.relative_error, m.standard_error);
                vec![m.model.clone(), format!("{e:.4}"), format!("{se:.4}")]
            })
            .collect();
        page.table(&["model", "error out of sample, spread alone is 1", "standard error"], &rows);
    }
    page
}

fn cost_plot(g: &Gathered, s: &ImpactSection) -> String {
    let p = &s.posterior.mean;
    let dots: Vec<(f64, f64)> =
        g.samples.iter().map(|x| (x.rate, x.cost * x.volatility_bps)).collect();
    let top = g.samples.iter().map(|x| x.rate).fold(0.0, f64::max);
    let sigma = s.basis.volatility_bps;
    let line: Vec<(f64, f64)> = (1..=100)
        .map(|i| {
            let rate = top * f64::from(i) / 100.0;
            let half = 0.5 * s.basis.spread_bps / sigma;
            (rate, sigma * cost_and_gradient(p, 2, half, 0.0, rate, 1.0).0)
        })
        .collect();
    chart(
        "rate X/(VT), daily volumes a day",
        "cost, bps",
        &[Series::dots("parents", &dots), Series::line("urgent, expected", &line)],
    )
}
