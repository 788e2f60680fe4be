//! `ijk-calib predict`.

use super::{Exit, Report};
use ijk_calib::impact::{Estimate, ImpactModel, OrderSize};
use serde_json::json;

/// Expected cost of an order in US shares by the published model of Almgren, Thum, Hauptmann and
/// Li (2005)
#[derive(clap::Args)]
#[command(after_help = "Example:\n  ijk-calib predict --qty 656100 --daily-volume 6561000 \
                  --shares-outstanding 1.728e9 --volatility-bps-per-day 157 --horizon-days 0.2")]
pub struct Args {
    /// Shares to trade
    #[arg(long)]
    qty: f64,
    /// Shares traded on an average day
    #[arg(long)]
    daily_volume: f64,
    /// Shares outstanding
    #[arg(long)]
    shares_outstanding: f64,
    /// Daily volatility, basis points
    #[arg(long)]
    volatility_bps_per_day: f64,
    /// Time to trade in, as part of a session (1 is a whole one)
    #[arg(long)]
    horizon_days: f64,
}

const MODEL: &str = "Almgren, Thum, Hauptmann, Li 2005 (US large capitalisation shares)";
const NOTE: &str = "standard errors are of the published coefficients alone; a single order \
                    scatters by the noise given";

/// Runs the command.
pub fn run(args: &Args) -> Result<Report, Exit> {
    let order = OrderSize {
        qty: args.qty,
        daily_volume: args.daily_volume,
        shares_outstanding: args.shares_outstanding,
        volatility_bps_per_day: args.volatility_bps_per_day,
        horizon_days: args.horizon_days,
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
