//! `ijk-calib schedule`.

use super::{Exit, Report};
use ijk_calib::schedule::{ImpactCoefficients, Schedule, ScheduleInput};
use serde_json::json;

/// Prints an Almgren-Chriss (2000) schedule with its expected cost and risk
#[derive(clap::Args)]
#[command(
    after_help = "Impact follows the paper's rule from spread and daily volume unless given.\n\n\
                  Example:\n  ijk-calib schedule --qty 1000000 --price 50 --spread 0.125 \
                  --daily-volume 5e6 --volatility-bps-per-day 190 --horizon-days 5 --slices 5 \
                  --risk-aversion-per-usd 1e-6"
)]
pub struct Args {
    /// Shares to trade
    #[arg(long)]
    qty: i64,
    /// Price at the start
    #[arg(long)]
    price: f64,
    /// Quoted spread, currency
    #[arg(long)]
    spread: f64,
    /// Shares traded on an average day
    #[arg(long)]
    daily_volume: f64,
    /// Daily volatility, basis points
    #[arg(long)]
    volatility_bps_per_day: f64,
    /// Time allowed, days (sessions)
    #[arg(long)]
    horizon_days: f64,
    /// Equal slices of the time allowed
    #[arg(long)]
    slices: u32,
    /// Risk aversion; 0 trades at an even pace
    #[arg(long, default_value_t = 1e-6)]
    risk_aversion_per_usd: f64,
    /// Temporary impact: price move per (share a day)
    #[arg(long)]
    eta: Option<f64>,
    /// Permanent impact: price move per share
    #[arg(long)]
    gamma: Option<f64>,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<Report, Exit> {
    for (name, value) in [("--spread", args.spread), ("--daily-volume", args.daily_volume)] {
        if !(value.is_finite() && value > 0.0) {
            return Err(Exit::new(2, format!("{name} is {value}: expected a positive number")));
        }
    }
    let rule = ImpactCoefficients::from_spread_and_volume(args.spread, args.daily_volume);
    let input = ScheduleInput {
        qty: args.qty,
        price: args.price,
        volatility_bps_per_day: args.volatility_bps_per_day,
        horizon_days: args.horizon_days,
        slices: args.slices,
        risk_aversion_per_usd: args.risk_aversion_per_usd,
        impact: ImpactCoefficients {
            epsilon: rule.epsilon,
            eta: args.eta.unwrap_or(rule.eta),
            gamma: args.gamma.unwrap_or(rule.gamma),
        },
    };
    let schedule = input.plan()?;
    let value = input.price * input.qty as f64;
    Ok(Report { text: text(&schedule, value), json: json(&input, &schedule, value) })
}

fn text(schedule: &Schedule, value: f64) -> String {
    let mut text = format!("{:>12}{:>12}{:>14}{:>14}\n", "from (days)", "to", "shares", "left");
    for slice in &schedule.slices {
        text += &format!(
            "{:>12.4}{:>12.4}{:>14}{:>14}\n",
            slice.start_days, slice.end_days, slice.qty, slice.left
        );
    }
    let line = |name: &str, (cost, std): (f64, f64)| {
        let (cost_bps, std_bps) = (1e4 * cost / value, 1e4 * std / value);
        format!("{name}: {cost:.2} ± {std:.2} ({cost_bps:.2} ± {std_bps:.2} bps)\n")
    };
    text += &line("expected cost ± risk", (schedule.expected_cost, schedule.cost_std));
    text += &line("at an even pace", schedule.even_pace);
    text
}

fn json(input: &ScheduleInput, schedule: &Schedule, value: f64) -> serde_json::Value {
    let slices: Vec<_> = schedule
        .slices
        .iter()
        .map(|s| {
            json!({
                "start_days": s.start_days, "end_days": s.end_days, "qty": s.qty, "left": s.left,
            })
        })
        .collect();
    let (even_cost, even_std) = schedule.even_pace;
    json!({
        "eta": input.impact.eta,
        "gamma": input.impact.gamma,
        "epsilon": input.impact.epsilon,
        "kappa_per_day": schedule.kappa_per_day,
        "expected_cost_usd": schedule.expected_cost,
        "cost_std_usd": schedule.cost_std,
        "expected_cost_bps": 1e4 * schedule.expected_cost / value,
        "cost_std_bps": 1e4 * schedule.cost_std / value,
        "even_pace_cost_usd": even_cost,
        "even_pace_std_usd": even_std,
        "slices": slices,
    })
}
