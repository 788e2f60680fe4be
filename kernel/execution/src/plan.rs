//! From a schedule's name and the market's numbers to the shape that slices are cut by.

use crate::almgren_chriss::kappa_from_squared;
use crate::curve::{CURVE_INTERVAL_COUNT_MAX, Curve};
use crate::power_law::PowerLaw;
use crate::resilience::propagator_trades;
use crate::schedule::{Shape, Slices};
use crate::volume_curve::VolumeCurve;
use ijk_core::config::ExecutionConfig;
use ijk_core::record::ScheduleKind;
use ijk_core::{RecvTs, Session};

/// Returns the time between two slices of a parent of `qty`, nanoseconds: `slice_interval_ms`, but
/// no more slices than smallest children. A slice that has to wait for the next one to be worth a
/// message would only make the parent late.
pub fn slice_interval_ns(
    config: &ExecutionConfig,
    horizon_ns: u64,
    qty: i64,
    child_qty_min: i64,
) -> u64 {
    let slices_max = (qty / child_qty_min.max(1)).max(1) as u64;
    config.slice_interval_ms.saturating_mul(1_000_000).max(horizon_ns / slices_max)
}

/// What a schedule is made from.
#[derive(Clone, Debug)]
pub struct PlanInputs<'a> {
    /// Which schedule.
    pub kind: ScheduleKind,
    /// Quantity to plan, units.
    pub qty: f64,
    /// From when.
    pub from: RecvTs,
    /// Until when.
    pub end: RecvTs,
    /// Length of a slice, nanoseconds.
    pub tau_ns: u64,
    /// Length of a trading day, nanoseconds.
    pub day_ns: u64,
    /// Daily volatility, currency a unit.
    pub sigma: f64,
    /// Daily volume, units.
    pub volume: f64,
    /// Temporary impact η as a multiple of σ (dimensionless).
    pub eta: f64,
    /// Its exponent, for `PowerLaw`.
    pub beta: f64,
    /// Risk aversion λ, 1/currency.
    pub lambda: f64,
    /// Half-life of the book's recovery, for `ObizhaevaWang`, nanoseconds.
    pub half_life_ns: f64,
    /// Exponent of the propagator.
    pub propagator_exponent: f64,
    /// Its time scale, nanoseconds.
    pub propagator_scale_ns: f64,
    /// Part of the volume that `Pov` follows.
    pub rate: f64,
    /// Trading hours, for `Vwap`.
    pub session: Session,
    /// Expected volume over them.
    pub volume_curve: &'a VolumeCurve,
}

impl PlanInputs<'_> {
    fn tau_days(&self) -> f64 {
        self.tau_ns as f64 / self.day_ns as f64
    }

    /// Returns the shape, and draws `curve` where the shape is one.
    pub fn shape(&self, curve: &mut Curve) -> Shape {
        match self.kind {
            ScheduleKind::Twap => Shape::Sinh { kappa_tau: 0.0 },
            // With temporary impact η·σ/V a unit for each unit a day: κ̃² = λσ²/(ησ/V) = λσV/η.
            ScheduleKind::AlmgrenChriss => {
                let squared = self.lambda * self.sigma * self.volume / self.eta;
                let tau = self.tau_days();
                Shape::Sinh { kappa_tau: kappa_from_squared(squared, tau) * tau }
            }
            ScheduleKind::Pov => Shape::Volume { rate: self.rate },
            ScheduleKind::ObizhaevaWang => {
                Shape::Edges { a: (-(self.tau_ns as f64) / self.half_life_ns).exp2() }
            }
            ScheduleKind::Vwap | ScheduleKind::PowerLaw | ScheduleKind::Propagator => {
                self.draw(curve);
                Shape::Curve
            }
        }
    }

    fn draw(&self, curve: &mut Curve) {
        let length_ns = self.end.since_ns(self.from);
        let slices = (length_ns as f64 / self.tau_ns.max(1) as f64).round() as usize;
        let mut trades = [0.0; CURVE_INTERVAL_COUNT_MAX];
        // A volume curve has parts that need not be the slices: as fine as there is room for.
        let fine = self.kind == ScheduleKind::Vwap;
        let wanted = if fine { CURVE_INTERVAL_COUNT_MAX } else { slices };
        let out = &mut trades[..wanted.clamp(1, CURVE_INTERVAL_COUNT_MAX)];
        let step_ns = length_ns as f64 / out.len() as f64;
        match self.kind {
            ScheduleKind::Vwap => {
                self.volume_curve.between(self.session, self.from, self.end, out);
            }
            ScheduleKind::PowerLaw => {
                let model = PowerLaw {
                    eta: self.eta,
                    beta: self.beta,
                    sigma: self.sigma,
                    volume: self.volume,
                    lambda: self.lambda,
                };
                model.trades(self.qty, step_ns / self.day_ns as f64, out);
            }
            _ => {
                let (exponent, scale) = (self.propagator_exponent, self.propagator_scale_ns);
                let kernel = |lag: usize| (1.0 + lag as f64 * step_ns / scale).powf(-exponent);
                propagator_trades(kernel, out);
            }
        }
        *curve = Curve::from_trades(self.from, self.end, out);
    }

    /// Returns the quantities of the slices in whole lots of `lot`, every slice filled as it
    /// comes. `Pov` has no such plan: it depends on the volume to come; `None`.
    pub fn slices(&self, lot: i64) -> Option<Vec<i64>> {
        if self.kind == ScheduleKind::Pov {
            return None;
        }
        let mut curve = Curve::EMPTY;
        let shape = self.shape(&mut curve);
        let length_ns = self.end.since_ns(self.from);
        let mut slices = Slices::new(self.from, length_ns, self.tau_ns, shape);
        let mut open = (self.qty / lot as f64).round() as i64 * lot;
        let mut out = Vec::new();
        while let Some(at) = slices.next_start() {
            slices.advance(at, open, lot, &curve);
            let sent = open - slices.held_back(open, lot);
            open -= sent;
            out.push(sent);
        }
        Some(out)
    }
}
