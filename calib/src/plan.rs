//! The children an order would be cut into: the kernel's own planner on the kernel's own settings.

use crate::impact::predict::Order;
use crate::impact::sample::Basis;
use ijk_core::config::ExecutionConfig;
use ijk_core::{RecvTs, Session};
use ijk_execution::VolumeCurve;
use ijk_execution::plan::{PlanInputs, slice_interval_ns};
use ijk_execution::schedule::slice_count;
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

/// Returns the children of an order in whole `step`s, adding up exactly; `None` where the schedule
/// follows the volume to come (`pov`). The time of day is not known: `vwap` is planned for a
/// session that begins with the order and ends with it.
pub fn children(
    order: &Order,
    basis: &Basis,
    config: &ExecutionConfig,
    step: f64,
) -> Option<Vec<PlannedChild>> {
    let horizon_ns = (order.horizon_s * 1e9).clamp(1.0, 1e18) as u64;
    let qty = order.qty / step;
    let interval_ns = slice_interval_ns(config, horizon_ns, qty as i64, config.child_qty_min);
    let count = slice_count(horizon_ns, interval_ns);
    let volume_curve = VolumeCurve::new(&config.volume_curve)?;
    let end = RecvTs(horizon_ns);
    let inputs = PlanInputs {
        kind: config.schedule,
        qty,
        from: RecvTs(0),
        end,
        tau_ns: (horizon_ns / count).max(1),
        day_ns: (basis.session_s * 1e9) as u64,
        sigma: basis.price * step * basis.volatility_bps * 1e-4,
        volume: basis.daily_volume / step,
        eta: config.temporary_impact,
        beta: config.impact_exponent,
        lambda: config.risk_aversion_per_usd[order.urgency.min(2)],
        half_life_ns: config.resilience_half_life_s * 1e9,
        propagator_exponent: config.propagator_exponent,
        propagator_scale_ns: config.propagator_scale_s * 1e9,
        rate: config.pov_rate,
        session: Session { open_ns: 0, close_ns: horizon_ns },
        volume_curve: &volume_curve,
    };
    let slices = inputs.slices(1)?;
    let slice_s = order.horizon_s / slices.len() as f64;
    let mut left = slices.iter().sum::<i64>();
    let child = |(i, qty): (usize, &i64)| {
        left -= qty;
        PlannedChild {
            from_s: i as f64 * slice_s,
            to_s: (i + 1) as f64 * slice_s,
            qty: *qty as f64 * step,
            left: left as f64 * step,
        }
    };
    Some(slices.iter().enumerate().map(child).filter(|c| c.qty > 0.0).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ijk_core::record::ScheduleKind;

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
            children(&o, &BASIS, &config, 1.0).unwrap()
        };
        for urgency in 0..3 {
            let c = plan(urgency);
            assert_eq!(c.iter().map(|c| c.qty).sum::<f64>(), 20_000.0);
            assert_eq!(c.last().unwrap().left, 0.0);
            assert!(c.iter().all(|c| c.qty.fract() == 0.0 && c.to_s > c.from_s));
        }
        assert!(plan(2)[0].qty > plan(0)[0].qty);
        let small = Order { qty: 50.0, horizon_s: 600.0, urgency: 0, spread_bps: None };
        assert_eq!(children(&small, &BASIS, &config, 1.0).unwrap().len(), 1);
        // Whatever schedule the settings name is the one that is told.
        let twap = ExecutionConfig { schedule: ScheduleKind::Twap, ..config.clone() };
        let o = Order { qty: 12_000.0, horizon_s: 600.0, urgency: 2, spread_bps: None };
        let even = children(&o, &BASIS, &twap, 1.0).unwrap();
        assert!(even.len() == 120 && even.iter().all(|c| c.qty == 100.0));
        let pov = ExecutionConfig { schedule: ScheduleKind::Pov, ..config };
        assert_eq!(children(&o, &BASIS, &pov, 1.0), None);
    }
}
