//! Parents as the regressions see them: dimensionless, in units of daily volatility and volume.

use crate::market::Market;
use crate::observe::{ParentObservation, SymbolObservations};
use serde::{Deserialize, Serialize};

/// A parent's price is looked at again this part of its horizon after its end.
const AFTER: f64 = 0.5;
/// Seconds of the returns that the daily volatility is measured with.
pub const VOLATILITY_STEP_S: usize = 60;
/// Market seconds below which one-minute returns are too few: five-second ones are taken.
const SHORT_S: f64 = 3_600.0;

/// What makes costs of different instruments comparable.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// Daily volatility σ, basis points.
    pub volatility_bps: f64,
    /// Daily volume V, whole units.
    pub daily_volume: f64,
    /// Trading day, seconds.
    pub session_s: f64,
    /// Mean spread, basis points.
    pub spread_bps: f64,
    /// Mean mid price.
    pub price: f64,
    /// Shares outstanding Θ, where known; without it (Θ/V)^¼ is 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares_outstanding: Option<f64>,
}

impl Basis {
    /// Measures the basis on a market. The pace observed stands for the whole day.
    pub fn of(market: &Market, shares_outstanding: Option<f64>) -> Basis {
        let step = if market.covered_s() < SHORT_S { 5 } else { VOLATILITY_STEP_S };
        Basis {
            volatility_bps: market.daily_volatility_bps(step),
            daily_volume: market.daily_volume(),
            session_s: market.session_s(),
            spread_bps: market.mean_spread_bps(),
            price: market.mean_mid(),
            shares_outstanding,
        }
    }

    /// Returns (Θ/V)^¼, 1 where Θ is not known.
    pub fn turnover_factor(&self) -> f64 {
        self.shares_outstanding.map_or(1.0, |s| (s / self.daily_volume).powf(0.25))
    }

    /// Returns whether costs can be measured in these units.
    pub fn is_usable(&self) -> bool {
        self.volatility_bps > 0.0 && self.daily_volume > 0.0 && self.session_s > 0.0
    }
}

/// One parent, dimensionless.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Start, nanoseconds UTC.
    pub start_ns: u64,
    /// Index into [`crate::observe::URGENCIES`].
    pub urgency: usize,
    /// X/V.
    pub size: f64,
    /// T, trading days.
    pub horizon: f64,
    /// X/(VT).
    pub rate: f64,
    /// Half the spread at arrival over σ.
    pub half_spread: f64,
    /// (Θ/V)^¼.
    pub turnover: f64,
    /// J/σ: cost against the arrival mid.
    pub cost: f64,
    /// I/σ: signed move of the mid from arrival to some time after the end, and that time from
    /// the start in trading days; `None` where the data ends before.
    pub permanent: Option<(f64, f64)>,
    /// σ, basis points.
    pub volatility_bps: f64,
}

impl Sample {
    /// Returns a parent in units of `basis`; `after_mid` is the mid at `after_ns`.
    pub fn new(
        parent: &ParentObservation,
        basis: &Basis,
        after: Option<(f64, u64)>,
    ) -> Option<Sample> {
        let sigma = basis.volatility_bps;
        let horizon = parent.horizon_s() / basis.session_s;
        let size = parent.filled / basis.daily_volume;
        let permanent = after.map(|(mid, at_ns)| {
            let moved = 1e4 * parent.sign * (mid - parent.arrival_mid) / parent.arrival_mid;
            let days = at_ns.saturating_sub(parent.start_ns) as f64 / 1e9 / basis.session_s;
            (moved / sigma, days)
        });
        let sample = Sample {
            start_ns: parent.start_ns,
            urgency: parent.urgency.min(2),
            size,
            horizon,
            rate: size / horizon,
            half_spread: 0.5 * parent.spread_bps / sigma,
            turnover: basis.turnover_factor(),
            cost: parent.cost_bps() / sigma,
            permanent,
            volatility_bps: sigma,
        };
        let finite = [sample.rate, sample.half_spread, sample.cost].iter().all(|v| v.is_finite());
        (finite && sample.rate > 0.0).then_some(sample)
    }
}

/// Returns all parents of a symbol that can be measured.
pub fn samples(symbol: &SymbolObservations, basis: &Basis) -> Vec<Sample> {
    if !basis.is_usable() {
        return Vec::new();
    }
    let of = |p: &ParentObservation| {
        let after_ns = p.end_ns + (p.horizon_s() * AFTER * 1e9) as u64 + 1_000_000_000;
        let after = symbol.market.mid_at(after_ns).map(|mid| (mid, after_ns));
        Sample::new(p, basis, after)
    };
    symbol.parents.iter().filter_map(of).collect()
}
