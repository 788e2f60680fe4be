//! What own journals say of spreads and latencies.

use crate::market::Market;
use crate::observe::LatencyObservation;
use crate::stats::{mean, quantile, spearman};
use serde::{Deserialize, Serialize};

/// Orders below which no latency is given.
pub const LATENCY_COUNT_MIN: usize = 30;

/// Spread of one symbol, basis points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpreadSection {
    /// Symbol.
    pub symbol: String,
    /// Seconds with a two-sided book.
    pub seconds: u64,
    /// Time-weighted mean of the quoted spread.
    pub quoted_bps: f64,
    /// Quantiles 5, 50, 95 % of it over time.
    pub quantiles_bps: [f64; 3],
    /// Size-weighted effective spread: twice the price over the mid before, signed.
    pub effective_bps: f64,
    /// What is left of it five seconds later: the realised spread.
    pub realised_bps: f64,
    /// Trades of a known aggressor used.
    pub trades: usize,
}

/// Measures the spreads of a market; `None` without a two-sided book.
pub fn spread(market: &Market) -> Option<SpreadSection> {
    let known: Vec<f64> = market.spread_bps.iter().copied().filter(|s| s.is_finite()).collect();
    if known.is_empty() {
        return None;
    }
    let weighted = |get: &dyn Fn(&crate::market::Print) -> Option<f64>| {
        let (mut sum, mut weight) = (0.0, 0.0);
        for print in &market.trades {
            if let Some(v) = get(print) {
                sum += f64::from(print.qty) * v;
                weight += f64::from(print.qty);
            }
        }
        2.0 * sum / weight
    };
    Some(SpreadSection {
        symbol: market.instrument.symbol.to_string(),
        seconds: known.len() as u64,
        quoted_bps: mean(&known),
        quantiles_bps: [0.05, 0.5, 0.95].map(|p| quantile(&known, p)),
        effective_bps: weighted(&|p| Some(f64::from(p.half_effective_bps))),
        realised_bps: weighted(&|p| market.half_realised_bps(p)),
        trades: market.trades.len(),
    })
}

/// Latency of orders and reports, microseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatencySection {
    /// Orders used.
    pub orders: usize,
    /// Quantiles 5, 50, 95, 99 % from here to the venue, by the venue's stamp.
    pub order_us: [f64; 4],
    /// The same back.
    pub report_us: [f64; 4],
    /// Spearman's rank correlation of the round trip with the volatility of the minute before.
    pub rank_correlation: f64,
    /// Its standard error without a relation, 1/√(n−1).
    pub correlation_error: f64,
    /// Median round trip in calm, usual and wild markets (thirds by volatility).
    pub round_trip_by_volatility_us: [f64; 3],
    /// The venue's stamp ran ahead of our clock: the split of the way is not identified.
    pub clocks_disagree: bool,
}

/// Too few orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} acknowledged orders, expected at least {LATENCY_COUNT_MIN}")]
pub struct LatencyError(pub usize);

/// Measures latencies.
///
/// # Errors
/// [`LatencyError`].
pub fn latency(seen: &[LatencyObservation]) -> Result<LatencySection, LatencyError> {
    if seen.len() < LATENCY_COUNT_MIN {
        return Err(LatencyError(seen.len()));
    }
    let column = |get: fn(&LatencyObservation) -> f64| seen.iter().map(get).collect::<Vec<f64>>();
    let (order, report) = (column(|l| l.order_us), column(|l| l.report_us));
    let trip = column(|l| l.order_us + l.report_us);
    let volatility = column(|l| l.volatility);
    let quantiles = |v: &[f64]| [0.05, 0.5, 0.95, 0.99].map(|p| quantile(v, p));
    let cuts = [1.0 / 3.0, 2.0 / 3.0].map(|p| quantile(&volatility, p));
    let third = |i: usize| {
        let inside = |v: f64| usize::from(v > cuts[0]) + usize::from(v > cuts[1]) == i;
        let picked = trip.iter().zip(&volatility).filter(|(_, v)| inside(**v));
        quantile(&picked.map(|(t, _)| *t).collect::<Vec<_>>(), 0.5)
    };
    Ok(LatencySection {
        orders: seen.len(),
        order_us: quantiles(&order),
        report_us: quantiles(&report),
        rank_correlation: spearman(&trip, &volatility),
        correlation_error: 1.0 / (seen.len() as f64 - 1.0).sqrt(),
        round_trip_by_volatility_us: [third(0), third(1), third(2)],
        // A way that takes no time at all was cut off at zero.
        clocks_disagree: order.iter().chain(&report).any(|v| *v <= 0.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_with_their_tail_and_their_market() {
        let seen: Vec<LatencyObservation> = (0..300)
            .map(|i| LatencyObservation {
                sent_ns: i,
                order_us: 1_000.0 + i as f64,
                report_us: 500.0,
                volatility: (i / 3) as f64,
            })
            .collect();
        let l = latency(&seen).unwrap();
        assert!((l.order_us[1] - 1_149.5).abs() < 1e-9 && l.report_us == [500.0; 4]);
        assert!(l.rank_correlation > 0.99 && !l.clocks_disagree);
        let [calm, usual, wild] = l.round_trip_by_volatility_us;
        assert!(calm < usual && usual < wild);
        assert_eq!(latency(&seen[..29]), Err(LatencyError(29)));
        let mut ahead = seen;
        ahead[3].order_us = 0.0;
        assert!(latency(&ahead).unwrap().clocks_disagree);
    }
}
