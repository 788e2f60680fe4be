//! What our sides of the comparisons share: the settings of a gate that lets everything through,
//! CPU time, and the protocol that the yardsticks speak (see `worker.py`).

#![forbid(unsafe_code)]

use ijk_core::config::RiskConfig;
use serde_json::Value;
use std::io::{BufRead, Write};

/// A gate that lets everything sensible through: what is compared are exchanges.
pub fn wide() -> RiskConfig {
    const WIDE: f64 = 1e12;
    RiskConfig {
        start_equity_usd: WIDE,
        settled_cash_usd: WIDE,
        max_order_qty: i64::MAX,
        max_order_notional_usd: WIDE,
        max_position_notional_usd: WIDE,
        max_gross_notional_usd: WIDE,
        max_net_notional_usd: WIDE,
        reduce_only_loss_usd: WIDE,
        halt_loss_usd: WIDE,
        max_drawdown_usd: WIDE,
        max_orders_per_s: 1_000,
        order_burst: 1_000,
        price_collar_bps: 1_000.0,
        price_collar_hard_bps: 1_000.0,
        ..RiskConfig::simulation()
    }
}

/// Nanoseconds this process has spent on a CPU.
pub fn cpu_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Answers each line of standard input with one line of JSON.
///
/// # Errors
/// What `answer` says of a line it cannot answer, and of the streams.
pub fn serve(
    mut answer: impl FnMut(&[&str]) -> Result<Value, String>,
) -> Result<(), Box<dyn std::error::Error>> {
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let answer = answer(&line.split_whitespace().collect::<Vec<_>>())?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}
