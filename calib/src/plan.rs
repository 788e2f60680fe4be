//! The children an order would be cut into: the closed form the kernel starts with, on the
//! kernel's own settings.

use crate::impact::predict::Order;
use crate::impact::sample::Basis;
use ijk_core::config::ExecutionConfig;
use ijk_execution::almgren_chriss::{holdings, kappa_from_squared};
use serde::Serialize;

/// One planned child.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PlannedChild {
    /// Seconds after the start.
    pub from_s: f64,
    /// Seconds after the start at which it should be done.
    pub to_s: f64,
    /// Quantity, whole units.
    pub qty: f64,
    /// Left after it, whole units.
    pub left: f64,
}

/// Returns the slices of an order: as many as `slice_interval_ms` fits, no more than smallest
/// children, in whole `step`s, adding up exactly.
pub fn children(
    order: &Order,
    basis: &Basis,
    config: &ExecutionConfig,
    step: f64,
) -> Vec<PlannedChild> {
    let interval_s = (config.slice_interval_ms as f64 / 1e3).max(1e-3);
    let by_size = (order.qty / (config.child_qty_min as f64 * step)).max(1.0);
    let count = (order.horizon_s / interval_s).min(by_size).clamp(1.0, 10_000.0) as usize;
    let lambda = config.risk_aversion_per_usd[order.urgency.min(2)];
    let sigma = basis.price * basis.volatility_bps * 1e-4;
    let tau = order.horizon_s / basis.session_s / count as f64;
    // σ a unit, temporary impact ησ/V a unit for each unit a day: κ̃² = λσV/η.
    let kappa_squared = lambda * sigma * basis.daily_volume / config.temporary_impact;
    let mut left = vec![0.0; count + 1];
    holdings(order.qty, kappa_from_squared(kappa_squared, tau), tau, &mut left);
    let whole = |x: f64| (x / step).round() * step;
    let slice_s = order.horizon_s / count as f64;
    left.windows(2)
        .enumerate()
        .map(|(i, w)| PlannedChild {
            from_s: i as f64 * slice_s,
            to_s: (i + 1) as f64 * slice_s,
            qty: whole(w[0]) - whole(w[1]),
            left: whole(w[1]),
        })
        .filter(|c| c.qty > 0.0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASIS: Basis = Basis {
        volatility_bps: 150.0,
        daily_volume: 1e6,
        session_s: 23_400.0,
        spread_bps: 2.0,
        price: 100.0,
        shares_outstanding: None,
    };

    #[test]
    fn children_add_up_and_urgency_comes_first() {
        let config = ExecutionConfig::default();
        let plan = |urgency: usize| {
            let o = Order { qty: 20_000.0, horizon_s: 600.0, urgency, spread_bps: None };
            children(&o, &BASIS, &config, 1.0)
        };
        for urgency in 0..3 {
            let c = plan(urgency);
            assert_eq!(c.iter().map(|c| c.qty).sum::<f64>(), 20_000.0);
            assert_eq!(c.last().unwrap().left, 0.0);
            assert!(c.iter().all(|c| c.qty.fract() == 0.0 && c.to_s > c.from_s));
        }
        assert!(plan(2)[0].qty > plan(0)[0].qty);
        let small = Order { qty: 50.0, horizon_s: 600.0, urgency: 0, spread_bps: None };
        assert_eq!(children(&small, &BASIS, &config, 1.0).len(), 1);
    }
}
