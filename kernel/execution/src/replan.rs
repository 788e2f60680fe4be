//! Planning: the first plan of a parent, and new ones when the market is no longer what the last
//! one assumed.

use crate::engine::{Desk, ExecutionEngine};
use crate::intent::MarketView;
use crate::parent::{Parent, ParentSpec, PlanNumbers};
use crate::plan::PlanInputs;
use crate::regime::Conditions;
use crate::schedule::Shape;
use ijk_core::config::ExecutionConfig;
use ijk_core::record::{ParentRecord, ScheduleKind};
use ijk_core::{Qty, RecvTs};

/// Trading day of instruments without session bounds: 6.5 hours.
const DAY_NS_DEFAULT: u64 = 23_400_000_000_000;
/// Furthest that one new plan moves an assumption.
const STEP_MAX: f64 = 10.0;
/// How much of an adverse flow goes into the risk aversion: the factor is e at four touch sizes.
const FLOW_URGENCY: f64 = 0.25;

/// Where in time a plan lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub from: RecvTs,
    pub end: RecvTs,
    pub tau_ns: u64,
}

/// Returns the numbers of a first plan. With σ = mid·volatility a unit.
pub(crate) fn first_numbers(
    config: &ExecutionConfig,
    desk: &Desk,
    spec: &ParentSpec,
    mid: f64,
) -> PlanNumbers {
    let unit_value = mid * desk.definition.qty_as_f64(Qty(1));
    let own_rate = f64::from(spec.participation_e4) * 1e-4;
    PlanNumbers {
        sigma: unit_value * desk.volatility_bps * 1e-4,
        volume: desk.volume_qty,
        eta: config.temporary_impact,
        lambda: config.risk_aversion_per_usd[spec.urgency as usize],
        rate: if own_rate > 0.0 { own_rate } else { config.pov_rate },
    }
}

impl ExecutionEngine {
    /// Plans `qty` of an instrument over `window`; draws the curve of `slot`.
    pub(crate) fn plan(
        &mut self,
        slot: usize,
        instrument: usize,
        kind: ScheduleKind,
        numbers: &PlanNumbers,
        qty: i64,
        window: Window,
    ) -> Shape {
        let session = self.desks[instrument].definition.session;
        let bounded = session.close_ns != u64::MAX && session.close_ns > session.open_ns;
        let inputs = PlanInputs {
            kind,
            qty: qty as f64,
            from: window.from,
            end: window.end,
            tau_ns: window.tau_ns,
            day_ns: if bounded { session.close_ns - session.open_ns } else { DAY_NS_DEFAULT },
            sigma: numbers.sigma,
            volume: numbers.volume,
            eta: numbers.eta,
            beta: self.config.impact_exponent,
            lambda: numbers.lambda,
            half_life_ns: self.config.resilience_half_life_s * 1e9,
            propagator_exponent: self.config.propagator_exponent,
            propagator_scale_ns: self.config.propagator_scale_s * 1e9,
            rate: numbers.rate,
            session,
            volume_curve: &self.volume_curve,
        };
        inputs.shape(&mut self.curves[slot])
    }

    /// Plans the parent in `slot` anew if the market is significantly another one than its plan
    /// assumes. The new market is what the new plan assumes: only another change of the same
    /// size makes the next.
    pub(crate) fn replan_if_changed(&mut self, slot: usize, view: &MarketView) {
        let parent = self.parents[slot].as_mut().expect("a listed parent is here");
        let instrument = parent.record.instrument.index();
        let Some(now) = self.desks[instrument].regime.conditions() else { return };
        let Some(assumed) = parent.assumed else {
            parent.assumed = Some(now);
            return;
        };
        let config = &self.config;
        let is_due = view.is_tradable() && view.now >= parent.next_plan;
        if !is_due || !assumed.differ(&now, config.replan_ratio, config.replan_flow) {
            return;
        }
        let wait_ns = config.replan_min_interval_ms.saturating_mul(1_000_000);
        let calm = config.risk_aversion_per_usd[parent.record.urgency as usize];
        parent.next_plan = view.now.plus_ns(wait_ns);
        parent.assumed = Some(now);
        parent.numbers = moved(&parent.numbers, &assumed, &now, &parent.record, calm);
        parent.record.replan_count = parent.record.replan_count.saturating_add(1);
        let (kind, numbers) = (parent.record.schedule, parent.numbers);
        let (unfilled, tau_ns) = (parent.unfilled(), parent.slices.tau_ns());
        let window = Window { from: parent.plan_from(view.now), end: parent.record.ts_end, tau_ns };
        let shape = self.plan(slot, instrument, kind, &numbers, unfilled, window);
        let parent = self.parents[slot].as_mut().expect("a listed parent is here");
        parent.slices.replan(view.now, unfilled, shape, &self.curves[slot]);
        self.touch(slot);
    }
}

impl Parent {
    fn plan_from(&self, now: RecvTs) -> RecvTs {
        now.max(self.slices.start())
    }
}

/// Returns the numbers for the market of `now`: volatility and volume follow, impact rises as the
/// book thins (its slope is the inverse of depth: Cont, Kukanov, Stoikov 2014), and flow against
/// us makes waiting dearer.
fn moved(
    numbers: &PlanNumbers,
    was: &Conditions,
    now: &Conditions,
    record: &ParentRecord,
    lambda: f64,
) -> PlanNumbers {
    let step = |from: f64, to: f64| {
        let ratio = if from > 0.0 { to / from } else { 1.0 };
        if ratio.is_finite() { ratio.clamp(1.0 / STEP_MAX, STEP_MAX) } else { 1.0 }
    };
    let against = record.side.sign() as f64 * now.flow * FLOW_URGENCY;
    PlanNumbers {
        sigma: numbers.sigma * step(was.variance_per_s, now.variance_per_s).sqrt(),
        volume: numbers.volume * step(was.volume_per_s, now.volume_per_s),
        eta: numbers.eta / step(was.depth, now.depth),
        lambda: lambda * against.clamp(-1.0, 1.0).exp(),
        rate: numbers.rate,
    }
}
