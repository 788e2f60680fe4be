//! `ijk-calib predict`.

use super::{Exit, Report};
use ijk_calib::impact::predict::{Order, Prediction, predict};
use ijk_calib::impact::{Estimate, ImpactModel, OrderSize};
use ijk_calib::observe::URGENCIES;
use ijk_calib::plan::{PlannedChild, children};
use ijk_calib::profile::{ImpactSection, Profile};
use ijk_core::Config;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Expected cost of an order: by a calibrated profile with the children it would be cut into, or
/// in US shares by the published model of Almgren, Thum, Hauptmann and Li (2005)
#[derive(clap::Args)]
#[command(
    after_help = "With a profile, orders unlike any that were calibrated are refused (exit 1).\n\n\
                  Examples:\n  ijk-calib predict --order GOOG,buy,400,300,normal --profile \
                  goog.toml\n  ijk-calib predict --qty 656100 --daily-volume 6561000 \
                  --shares-outstanding 1.728e9 --volatility-bps-per-day 157 --horizon-days 0.2"
)]
pub struct Args {
    /// Order as SYMBOL,SIDE,QTY,HORIZON_S,URGENCY
    #[arg(long, value_name = "ORDER", requires = "profile")]
    order: Option<String>,
    /// Calibrated profile
    #[arg(long, value_name = "PROFILE.toml", requires = "order")]
    profile: Option<PathBuf>,
    /// Spread now, basis points (the profile's mean by default)
    #[arg(long, requires = "order")]
    spread_bps: Option<f64>,
    /// Shares to trade
    #[arg(long, required_unless_present = "order", conflicts_with = "order")]
    qty: Option<f64>,
    /// Shares traded on an average day
    #[arg(long, required_unless_present = "order", conflicts_with = "order")]
    daily_volume: Option<f64>,
    /// Shares outstanding
    #[arg(long, required_unless_present = "order", conflicts_with = "order")]
    shares_outstanding: Option<f64>,
    /// Daily volatility, basis points
    #[arg(long, required_unless_present = "order", conflicts_with = "order")]
    volatility_bps_per_day: Option<f64>,
    /// Time to trade in, as part of a session (1 is a whole one)
    #[arg(long, required_unless_present = "order", conflicts_with = "order")]
    horizon_days: Option<f64>,
}

const MODEL: &str = "Almgren, Thum, Hauptmann, Li 2005 (US large capitalisation shares)";
const NOTE: &str = "standard errors are of the published coefficients alone; a single order \
                    scatters by the noise given";

/// Runs the command.
pub fn run(args: &Args) -> Result<Report, Exit> {
    if let (Some(order), Some(path)) = (&args.order, &args.profile) {
        return calibrated(order, path, args.spread_bps);
    }
    // Without --order the parser requires all of them.
    let given = |v: Option<f64>| v.unwrap_or(f64::NAN);
    let order = OrderSize {
        qty: given(args.qty),
        daily_volume: given(args.daily_volume),
        shares_outstanding: given(args.shares_outstanding),
        volatility_bps_per_day: given(args.volatility_bps_per_day),
        horizon_days: given(args.horizon_days),
    };
    let cost = ImpactModel::ALMGREN_2005.predict(&order)?;
    let line = |name: &str, e: Estimate| {
        format!("{name:<22}{:>10.2}  ± {:.2}\n", e.value, e.standard_error)
    };
    let mut text = format!("{MODEL}\n{:<22}{:>10}\n", "", "bps");
    text += &line("permanent impact I", cost.permanent_bps);
    text += &line("temporary impact K", cost.temporary_bps);
    text += &line("expected cost I/2 + K", cost.total_bps);
    text += &format!("{:<22}{:>10.2}\n", "noise of one order", cost.one_order_noise_bps);
    text += &format!("{NOTE}\n");
    for caution in order.cautions() {
        text += &format!("caution: {caution}\n");
    }
    let estimate = |e: Estimate| json!({"value": e.value, "standard_error": e.standard_error});
    let json = json!({
        "model": MODEL,
        "permanent_bps": estimate(cost.permanent_bps),
        "temporary_bps": estimate(cost.temporary_bps),
        "total_bps": estimate(cost.total_bps),
        "one_order_noise_bps": cost.one_order_noise_bps,
        "notes": [NOTE],
        "cautions": order.cautions(),
    });
    Ok(Report { text, json })
}

/// An order as given on the command line.
struct Wanted {
    symbol: String,
    side: String,
    order: Order,
}

fn parse(text: &str, spread_bps: Option<f64>) -> Result<Wanted, Exit> {
    let bad = |what: &str| {
        Exit::new(2, format!("--order {text}: {what}; expected SYMBOL,SIDE,QTY,HORIZON_S,URGENCY"))
    };
    let fields: Vec<&str> = text.split(',').map(str::trim).collect();
    let [symbol, side, qty, horizon, urgency] = fields[..] else {
        return Err(bad("five fields are needed"));
    };
    if !["buy", "sell"].contains(&side) {
        return Err(bad("the side is buy or sell"));
    }
    let number = |t: &str| t.parse::<f64>().ok().filter(|v| v.is_finite() && *v > 0.0);
    let urgency = URGENCIES.iter().position(|u| *u == urgency);
    if spread_bps.is_some_and(|s| !(s.is_finite() && s >= 0.0)) {
        return Err(Exit::new(2, "--spread-bps: expected zero or a positive number"));
    }
    Ok(Wanted {
        symbol: symbol.to_string(),
        side: side.to_string(),
        order: Order {
            qty: number(qty).ok_or_else(|| bad("the quantity is a positive number"))?,
            horizon_s: number(horizon).ok_or_else(|| bad("the horizon is positive seconds"))?,
            urgency: urgency.ok_or_else(|| bad("the urgency is passive, normal or urgent"))?,
            spread_bps,
        },
    })
}

/// Predicts by a profile.
fn calibrated(text: &str, path: &Path, spread_bps: Option<f64>) -> Result<Report, Exit> {
    let wanted = parse(text, spread_bps)?;
    let profile = Profile::load(path)?;
    let shown = path.display();
    let section = profile.impact_of(&wanted.symbol).ok_or_else(|| {
        let names: Vec<&str> = profile.impact.iter().map(|s| s.symbol.as_str()).collect();
        Exit::new(1, format!("{shown}: no impact of {}; it has {names:?}", wanted.symbol))
    })?;
    let range = section.range.as_ref().ok_or_else(|| {
        Exit::new(1, format!("{shown}: no order in {} was calibrated", wanted.symbol))
    })?;
    range.check(&wanted.order, &section.basis).map_err(|e| Exit::new(1, e))?;
    let prediction = predict(&section.posterior, &section.basis, &wanted.order);
    let config: Config = toml::Value::Table(profile.settings.clone())
        .try_into()
        .map_err(|e| Exit::new(2, format!("{shown}: settings: {e}")))?;
    let plan = children(&wanted.order, &section.basis, &config.execution, 1.0);
    let text = calibrated_text(&wanted, section, &prediction, plan.as_deref());
    let json = json!({
        "symbol": wanted.symbol, "side": wanted.side, "qty": wanted.order.qty,
        "horizon_s": wanted.order.horizon_s, "urgency": URGENCIES[wanted.order.urgency],
        "prediction": prediction, "schedule": plan, "notes": section.notes,
        "own_weight": section.posterior.own_weight, "updates": profile.history.len(),
    });
    Ok(Report { text, json })
}

fn calibrated_text(
    wanted: &Wanted,
    section: &ImpactSection,
    p: &Prediction,
    plan: Option<&[PlannedChild]>,
) -> String {
    let (o, symbol, side) = (&wanted.order, &wanted.symbol, &wanted.side);
    let urgency = URGENCIES[o.urgency];
    let mut text = format!("{side} {} {symbol} in {} s, {urgency}\n", o.qty, o.horizon_s);
    let line = |name: &str, v: f64| format!("{name:<30}{v:>10.2} bps\n");
    text += &line("spread", p.spread_bps);
    text += &line("temporary impact", p.temporary_bps);
    text += &line("half the permanent impact", 0.5 * p.permanent_bps);
    text += &format!(
        "{:<30}{:>10.2} bps, 95 % {:.2} .. {:.2}\n",
        "expected cost", p.total_bps, p.lower_bps, p.upper_bps
    );
    text += &line("scatter of one order", p.one_order_noise_bps);
    for note in &section.notes {
        text += &format!("note: {note}\n");
    }
    let Some(plan) = plan else {
        return text + "schedule pov: its children depend on the volume to come\n";
    };
    text += &format!("{:>10}{:>10}{:>14}{:>14}\n", "from s", "to s", "quantity", "left");
    for c in plan {
        text += &format!("{:>10.1}{:>10.1}{:>14}{:>14}\n", c.from_s, c.to_s, c.qty, c.left);
    }
    text
}
