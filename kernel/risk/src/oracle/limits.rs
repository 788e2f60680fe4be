//! The limits in force: of all settings ever given the strictest.

use super::book::Oracle;
use crate::TradingState;
use ijk_core::config::RiskConfig;

/// A finite number above zero.
pub(super) fn sane(v: f64) -> bool {
    v.is_finite() && v > 0.0
}

/// Dollars, cut to 1e-9, in 1e-18.
pub(super) fn money(usd: f64) -> Option<i128> {
    let billionths = (usd * 1e9).floor();
    (sane(usd) && billionths >= 1.0).then(|| (billionths as i128).saturating_mul(1_000_000_000))
}

impl Oracle {
    /// The strictest of a limit's values; none if one is missing.
    pub(super) fn least(&self, f: impl Fn(&RiskConfig) -> Option<i128>) -> Option<i128> {
        self.configs.iter().map(f).reduce(|a, b| Some(a?.min(b?)))?
    }

    pub(super) fn lowest(&self, f: fn(&RiskConfig) -> u64) -> u64 {
        self.configs.iter().map(f).min().unwrap_or(0)
    }

    pub(super) fn longest(&self, f: fn(&RiskConfig) -> u64) -> u64 {
        self.configs.iter().map(f).max().unwrap_or(0)
    }

    /// Of a limit in dollars and as a fraction of equity the lower.
    pub(super) fn capital(
        &self,
        usd: fn(&RiskConfig) -> f64,
        part: fn(&RiskConfig) -> f64,
    ) -> Option<i128> {
        self.least(|c| {
            let fraction = part(c);
            if !sane(fraction) || !sane(c.start_equity_usd) {
                return None;
            }
            Some(money(usd(c))?.min(money(fraction * c.start_equity_usd)?))
        })
    }

    pub(super) fn position_limit(&self) -> Option<i128> {
        self.capital(|c| c.max_position_notional_usd, |c| c.max_position_equity_fraction)
    }

    pub fn slippage_limit(&self) -> Option<i128> {
        self.least(|c| {
            let one = Oracle { configs: vec![c.clone()], ..Oracle::bare() };
            let part =
                sane(c.slippage_limit_bps).then_some((c.slippage_limit_bps * 1e6) as i128)?;
            Some(one.position_limit().map_or(i128::MAX, |p| p / 10_000_000_000 * part))
        })
    }

    fn bare() -> Oracle {
        Oracle {
            configs: vec![],
            instruments: vec![],
            past: vec![],
            state: TradingState::Active,
            blocks: 0,
            offset_blocks: false,
            market_wide: 0,
            mismatches: 0,
            slippage_latched: vec![],
            entry_latched: vec![],
            best: 0,
            last_time: 0,
            floor: 0,
        }
    }
}
