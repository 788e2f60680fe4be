//! The execution engine: tables of parents and children, and everything that is not pricing or
//! reports.

use crate::almgren_chriss::kappa_from_squared;
use crate::exec_ids::ExecIds;
use crate::intent::{IntentBuf, MarketView};
use crate::order::{OrderEvent, OrderState};
use crate::parent::{AbandonReason, Child, Parent, ParentError, ParentSpec};
use crate::schedule::{Slices, slice_count};
use ijk_core::config::ExecutionConfig;
use ijk_core::limits::{INSTRUMENT_COUNT_MAX, OPEN_ORDER_COUNT_MAX, PARENT_COUNT_MAX};
use ijk_core::record::{ParentRecord, ParentStatus};
use ijk_core::{ClientOrderId, Instrument, InstrumentId, NewOrder, ParentId, Qty, RecvTs};

/// Places for parents: the living and as many ended ones, kept for late reports.
pub(crate) const PARENT_SLOT_COUNT: usize = 2 * PARENT_COUNT_MAX;
/// Places for children, likewise.
pub(crate) const CHILD_SLOT_COUNT: usize = 2 * OPEN_ORDER_COUNT_MAX;
/// Trading day of instruments without session bounds: 6.5 hours.
const DAY_NS_DEFAULT: u64 = 23_400_000_000_000;
/// Longest pause between two children of a parent: longer than the default window in which the
/// risk gate takes an equal order for a duplicate.
const PAUSE_NS_MAX: u64 = 600_000_000;
/// Largest parent: the sum over all working children must fit.
const QTY_MAX: i64 = 1 << 52;
pub(crate) const NEVER: RecvTs = RecvTs(u64::MAX);

/// Settings that cannot be executed with.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum ExecutionConfigError {
    /// A number outside its range.
    #[error("execution.{key} is {value}; use {range}")]
    Range {
        /// Name of the key.
        key: &'static str,
        /// Value found.
        value: f64,
        /// Range allowed.
        range: &'static str,
    },
    /// Too many instruments.
    #[error("{0} instruments; at most {INSTRUMENT_COUNT_MAX}")]
    InstrumentCount(usize),
    /// A lot or tick that is not positive.
    #[error("instrument {0:?} needs a positive tick, lot and quantity unit")]
    Instrument(InstrumentId),
}

/// What the engine keeps per instrument.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub definition: Instrument,
    /// Slots of the living parents, oldest first.
    pub parents: Vec<u16>,
    pub working_signed: i64,
    pub volatility_bps: f64,
    pub volume_qty: f64,
}

/// Works parent orders: schedules, slices, prices, cancels, counts. Reads no clock; allocates
/// only in [`ExecutionEngine::new`].
///
/// Per input: call [`ExecutionEngine::on_market`] (after every source row, timer and report),
/// then for each new order in the buffer exactly one of [`ExecutionEngine::on_sent`] and
/// [`ExecutionEngine::on_refused`].
#[derive(Clone, Debug)]
pub struct ExecutionEngine {
    pub(crate) config: ExecutionConfig,
    pub(crate) desks: Vec<Desk>,
    pub(crate) parents: Vec<Option<Parent>>,
    pub(crate) children: Vec<Child>,
    pub(crate) exec_ids: ExecIds,
    pub(crate) changed: Vec<u16>,
    pub(crate) next_child_id: u64,
    pub(crate) open_child_count: usize,
    pub(crate) child_qty_max: i64,
    pub(crate) child_notional_max: f64,
    pub(crate) stopped: bool,
    next_parent_id: u32,
    alive_count: usize,
    deadline: RecvTs,
}

impl ExecutionEngine {
    /// Returns an engine for `instruments`, indexed by [`InstrumentId`].
    ///
    /// # Errors
    /// [`ExecutionConfigError`] names the first setting or instrument that cannot be used.
    pub fn new(
        config: &ExecutionConfig,
        instruments: &[Instrument],
    ) -> Result<ExecutionEngine, ExecutionConfigError> {
        check_config(config)?;
        if instruments.len() > INSTRUMENT_COUNT_MAX {
            return Err(ExecutionConfigError::InstrumentCount(instruments.len()));
        }
        let bad = |i: &Instrument| i.lot.0 <= 0 || i.tick.0 <= 0 || i.qty_unit_e9 <= 0;
        if let Some(at) = instruments.iter().position(bad) {
            return Err(ExecutionConfigError::Instrument(InstrumentId(at as u16)));
        }
        let desk = |definition: &Instrument| Desk {
            definition: *definition,
            parents: Vec::with_capacity(PARENT_COUNT_MAX),
            working_signed: 0,
            volatility_bps: config.daily_volatility_bps,
            volume_qty: config.daily_volume_qty as f64,
        };
        Ok(ExecutionEngine {
            config: config.clone(),
            desks: instruments.iter().map(desk).collect(),
            parents: vec![None; PARENT_SLOT_COUNT],
            children: vec![Child::EMPTY; CHILD_SLOT_COUNT],
            exec_ids: ExecIds::default(),
            changed: Vec::with_capacity(PARENT_SLOT_COUNT),
            next_child_id: 1,
            open_child_count: 0,
            child_qty_max: i64::MAX,
            child_notional_max: f64::INFINITY,
            stopped: false,
            next_parent_id: 1,
            alive_count: 0,
            deadline: NEVER,
        })
    }

    /// Sets the id of the next child, so that ids of earlier runs are not used again. Smaller
    /// than the next id: no effect.
    pub fn set_client_order_base(&mut self, next: u64) {
        self.next_child_id = self.next_child_id.max(next);
    }

    /// Sets the largest child by quantity and by value in currency units (the risk gate's own
    /// limits, so that it is not asked in vain). Zero or NaN lets no child through.
    pub fn set_child_limits(&mut self, qty_max: Qty, notional_max: f64) {
        self.child_qty_max = qty_max.0;
        self.child_notional_max = notional_max;
    }

    /// Sets the measured daily volatility (basis points) and volume (quantity units) that later
    /// parents of `instrument` are scheduled with; values that are not positive and finite, or an
    /// unknown instrument, change nothing.
    pub fn set_market_estimates(
        &mut self,
        instrument: InstrumentId,
        volatility_bps_per_day: f64,
        volume_qty_per_day: f64,
    ) {
        let Some(desk) = self.desks.get_mut(instrument.index()) else { return };
        let usable = |v: f64| v > 0.0 && v.is_finite();
        if usable(volatility_bps_per_day) && usable(volume_qty_per_day) {
            desk.volatility_bps = volatility_bps_per_day;
            desk.volume_qty = volume_qty_per_day;
        }
    }

    /// Starts a parent; nothing is sent before the next [`ExecutionEngine::on_market`].
    ///
    /// # Errors
    /// [`ParentError`] says why not; nothing has changed then.
    pub fn start_parent(
        &mut self,
        now: RecvTs,
        spec: &ParentSpec,
        view: &MarketView,
    ) -> Result<ParentId, ParentError> {
        let desk = self
            .desks
            .get(spec.instrument.index())
            .ok_or(ParentError::UnknownInstrument(spec.instrument))?;
        let lot = desk.definition.lot.0;
        if spec.qty.0 <= 0 || spec.qty.0 % lot != 0 || spec.qty.0 > QTY_MAX {
            return Err(ParentError::Quantity { qty: spec.qty.0, lot });
        }
        if spec.horizon_ns == 0 {
            return Err(ParentError::Horizon);
        }
        if self.stopped {
            return Err(ParentError::Stopped);
        }
        let closing_ns = self.config.no_new_before_close_s.saturating_mul(1_000_000_000);
        if view.session_close_ns != u64::MAX && now.plus_ns(closing_ns).0 >= view.session_close_ns {
            return Err(ParentError::TooCloseToEnd);
        }
        let mid = view.mid().ok_or(ParentError::NoBook)?;
        if self.alive_count == PARENT_COUNT_MAX {
            return Err(ParentError::Full);
        }
        let end = RecvTs(now.plus_ns(spec.horizon_ns).0.min(view.session_close_ns));
        let horizon_ns = end.since_ns(now);
        let kappa_tau = kappa_tau(&self.config, desk, spec, mid, horizon_ns);
        let interval_ns = self.config.slice_interval_ms.saturating_mul(1_000_000);
        let (slot, parent_id) = self.free_parent_slot().ok_or(ParentError::Full)?;
        let parent = Parent {
            record: new_record(now, end, spec, parent_id, mid),
            slices: Slices::new(now, horizon_ns, interval_ns, kappa_tau),
            children: Default::default(),
            child_count: 0,
            volume_start: view.volume_qty,
            finish: RecvTs(end.0 - horizon_ns / 10),
            behind_since: None,
            crossing: false,
            capped: false,
            pause_ns: (horizon_ns / 10).clamp(1, PAUSE_NS_MAX),
            next_new: now,
            refusals: 0,
            ending: None,
            alive: true,
            changed: false,
            deadline: now,
        };
        self.parents[slot] = Some(parent);
        self.desks[spec.instrument.index()].parents.push(slot as u16);
        self.alive_count += 1;
        self.touch(slot);
        self.refresh_deadline();
        Ok(parent_id)
    }

    /// Returns when the engine next has something to do without a market event, or `None`.
    pub fn next_deadline(&self) -> Option<RecvTs> {
        (self.deadline != NEVER).then_some(self.deadline)
    }

    /// The risk gate let `order` pass and it left.
    ///
    /// # Panics
    /// If `order` was not proposed by this engine or was already decided on.
    pub fn on_sent(&mut self, order: &NewOrder) {
        let child = self.child_mut(order.client_order_id).expect("an order proposed here");
        child.state = child.state.next(OrderEvent::Sent).expect("decided on once");
    }

    /// The risk gate refused `order`; its quantity waits to be sent again, after a pause that
    /// doubles with each refusal in a row.
    ///
    /// # Panics
    /// If `order` was not proposed by this engine or was already decided on.
    pub fn on_refused(&mut self, order: &NewOrder) {
        let child = self.child_mut(order.client_order_id).expect("an order proposed here");
        child.state = child.state.next(OrderEvent::GateRefused).expect("decided on once");
        let (id, leaves, placed) = (child.id, child.leaves(), child.placed);
        child.ended += leaves;
        self.end_child(id, leaves);
        let slot = parent_slot(order.parent_id);
        let parent = self.parents[slot].as_mut().expect("a proposed child has a parent");
        parent.back_off(placed);
        self.close_if_over(slot);
        self.refresh_deadline();
    }

    /// Stops one parent: gives up what was not sent and cancels what works. Unknown or ended
    /// parents: no effect.
    pub fn stop_parent(&mut self, id: ParentId, out: &mut IntentBuf) {
        let slot = parent_slot(id);
        let Some(parent) = self.parents[slot].as_mut() else { return };
        if parent.record.parent_id != id || !parent.alive {
            return;
        }
        parent.begin_end(AbandonReason::Stopped);
        self.touch(slot);
        self.cancel_all_children(slot, None, out);
        self.close_if_over(slot);
        self.refresh_deadline();
    }

    /// Stops every parent and refuses new ones until [`ExecutionEngine::resume`]. Cancels that
    /// find no room in `out` leave with the next calls of `on_market`, or of this.
    pub fn stop_all(&mut self, out: &mut IntentBuf) {
        self.stopped = true;
        for slot in 0..PARENT_SLOT_COUNT {
            if let Some(p) = self.parents[slot].as_ref().filter(|p| p.alive) {
                self.stop_parent(p.record.parent_id, out);
            }
        }
    }

    /// Allows new parents again after [`ExecutionEngine::stop_all`].
    pub fn resume(&mut self) {
        self.stopped = false;
    }

    /// Returns the account of a parent, also for a while after it ended.
    pub fn parent(&self, id: ParentId) -> Option<&ParentRecord> {
        let parent = self.parents[parent_slot(id)].as_ref()?;
        (parent.record.parent_id == id).then_some(&parent.record)
    }

    /// Returns why a parent ended, or is ending, with a rest.
    pub fn abandon_reason(&self, id: ParentId) -> Option<AbandonReason> {
        let parent = self.parents[parent_slot(id)].as_ref()?;
        let has_rest = parent.record.abandoned.0 > 0;
        (parent.record.parent_id == id && has_rest).then_some(parent.ending).flatten()
    }

    /// Returns the oldest living parent of `instrument`.
    pub fn active_parent(&self, instrument: InstrumentId) -> Option<ParentId> {
        let slot = *self.desks.get(instrument.index())?.parents.first()?;
        self.parents[usize::from(slot)].as_ref().map(|p| p.record.parent_id)
    }

    /// Returns bought minus sold quantity at the venue and not filled, all parents of
    /// `instrument` together.
    pub fn signed_working(&self, instrument: InstrumentId) -> Qty {
        Qty(self.desks.get(instrument.index()).map_or(0, |d| d.working_signed))
    }

    /// Returns the state of a child order, also for a while after it ended.
    pub fn order_state(&self, id: ClientOrderId) -> Option<OrderState> {
        let child = &self.children[child_slot(id)];
        (id.0 != 0 && child.id == id).then_some(child.state)
    }

    /// Returns the number of child orders alive.
    pub fn open_order_count(&self) -> usize {
        self.open_child_count
    }

    /// Calls `f` once with the account of each parent that changed since the last call, in the
    /// order of their first change.
    pub fn drain_changes(&mut self, mut f: impl FnMut(&ParentRecord)) {
        for at in 0..self.changed.len() {
            let slot = usize::from(self.changed[at]);
            let parent = self.parents[slot].as_mut().expect("a changed parent keeps its place");
            parent.changed = false;
            f(&parent.record);
        }
        self.changed.clear();
    }

    pub(crate) fn child_mut(&mut self, id: ClientOrderId) -> Option<&mut Child> {
        let child = &mut self.children[child_slot(id)];
        (id.0 != 0 && child.id == id).then_some(child)
    }

    /// Notes a change of the parent in `slot` and checks its account.
    pub(crate) fn touch(&mut self, slot: usize) {
        let parent = self.parents[slot].as_mut().expect("a parent is here");
        parent.assert_account();
        if !parent.changed {
            parent.changed = true;
            self.changed.push(slot as u16);
        }
    }

    /// Stamps a parent that changed with the mid of now.
    pub(crate) fn stamp_mid(&mut self, slot: usize, view: &MarketView) {
        let parent = self.parents[slot].as_mut().expect("a parent is here");
        if let Some(mid) = view.mid().filter(|_| parent.changed) {
            parent.record.mid = mid;
        }
    }

    /// Takes an ended child off its parent's list; `unfilled` of it goes back.
    pub(crate) fn end_child(&mut self, id: ClientOrderId, unfilled: i64) {
        let child = self.children[child_slot(id)];
        assert!(child.state.is_terminal() && child.leaves() == 0, "{child:?}");
        let slot = parent_slot(child.parent_id);
        let parent = self.parents[slot].as_mut().expect("a living child has a parent");
        parent.return_unfilled(unfilled);
        parent.remove_child(id);
        self.desks[child.instrument.index()].working_signed -= child.side.sign() * unfilled;
        self.open_child_count -= 1;
        self.touch(slot);
    }

    /// Takes the parent off the living if nothing works and nothing waits.
    pub(crate) fn close_if_over(&mut self, slot: usize) {
        let parent = self.parents[slot].as_mut().expect("a parent is here");
        let was = parent.record.status;
        if !parent.settle() {
            return;
        }
        let is_new = parent.record.status != was;
        if parent.alive {
            assert!(parent.child_count == 0, "an ended parent has no living child");
            parent.alive = false;
            parent.deadline = NEVER;
            let instrument = parent.record.instrument.index();
            self.desks[instrument].parents.retain(|s| usize::from(*s) != slot);
            self.alive_count -= 1;
        }
        if is_new {
            self.touch(slot);
        }
    }

    pub(crate) fn refresh_deadline(&mut self) {
        let slots = self.desks.iter().flat_map(|d| d.parents.iter());
        let deadlines = slots.filter_map(|s| self.parents[usize::from(*s)].as_ref());
        self.deadline = deadlines.map(|p| p.deadline).min().unwrap_or(NEVER);
    }

    /// Returns a free place and the id that goes with it: ids whose place is taken are skipped.
    fn free_parent_slot(&mut self) -> Option<(usize, ParentId)> {
        for _ in 0..PARENT_SLOT_COUNT {
            let id = ParentId(self.next_parent_id);
            self.next_parent_id = self.next_parent_id.checked_add(1)?;
            let slot = parent_slot(id);
            if self.parents[slot].as_ref().is_none_or(|p| !p.alive && !p.changed) {
                return Some((slot, id));
            }
        }
        None
    }

    /// Returns the id of the next child, whose place is free: ids whose place is taken are
    /// skipped. `None` where all are taken.
    pub(crate) fn free_child_id(&mut self) -> Option<ClientOrderId> {
        if self.open_child_count == OPEN_ORDER_COUNT_MAX {
            return None;
        }
        for _ in 0..CHILD_SLOT_COUNT {
            let id = ClientOrderId(self.next_child_id);
            self.next_child_id += 1;
            if self.children[child_slot(id)].state.is_terminal() {
                return Some(id);
            }
        }
        None
    }
}

impl Parent {
    /// Doubles the pause before the next child, counted from `from`, up to 64 times.
    pub(crate) fn back_off(&mut self, from: RecvTs) {
        self.refusals += 1;
        self.next_new = from.plus_ns(self.pause_ns << self.refusals.min(6));
        self.deadline = self.deadline.min(self.next_new);
    }
}

pub(crate) fn parent_slot(id: ParentId) -> usize {
    id.0 as usize % PARENT_SLOT_COUNT
}

pub(crate) fn child_slot(id: ClientOrderId) -> usize {
    (id.0 % CHILD_SLOT_COUNT as u64) as usize
}

fn new_record(
    now: RecvTs,
    end: RecvTs,
    spec: &ParentSpec,
    parent_id: ParentId,
    mid: f64,
) -> ParentRecord {
    ParentRecord {
        ts_start: now,
        ts_end: end,
        qty: spec.qty,
        filled: Qty(0),
        working: Qty(0),
        unsent: spec.qty,
        abandoned: Qty(0),
        arrival_mid: mid,
        filled_value: 0.0,
        fee_e9: 0,
        mid,
        decision_id: spec.decision_id,
        source_line: spec.source_line,
        parent_id,
        instrument: spec.instrument,
        side: spec.side,
        urgency: spec.urgency,
        status: ParentStatus::Active,
        reserved: [0; 3],
    }
}

/// Returns κτ of a parent. With σ = mid·vol a unit and temporary impact η·σ/V a unit for each
/// unit a day (V the daily volume), κ̃² = λσ²/(ησ/V) = λσV/η.
fn kappa_tau(
    config: &ExecutionConfig,
    desk: &Desk,
    spec: &ParentSpec,
    mid: f64,
    horizon_ns: u64,
) -> f64 {
    let lambda = config.risk_aversion_per_usd[spec.urgency as usize];
    let unit_value = mid * desk.definition.qty_as_f64(Qty(1));
    let sigma = unit_value * desk.volatility_bps * 1e-4;
    let session = desk.definition.session;
    let bounded = session.close_ns != u64::MAX && session.close_ns > session.open_ns;
    let day_ns = if bounded { session.close_ns - session.open_ns } else { DAY_NS_DEFAULT };
    let interval_ns = config.slice_interval_ms.saturating_mul(1_000_000);
    let tau_ns = horizon_ns / slice_count(horizon_ns, interval_ns);
    let tau = tau_ns as f64 / day_ns as f64;
    kappa_from_squared(lambda * sigma * desk.volume_qty / config.temporary_impact, tau) * tau
}

fn check_config(c: &ExecutionConfig) -> Result<(), ExecutionConfigError> {
    let finite = |v: f64| v.is_finite();
    let lambda = c.risk_aversion_per_usd;
    let worst = lambda.iter().copied().find(|v| !(*v >= 0.0 && finite(*v))).unwrap_or(lambda[0]);
    let positive = |v: f64| v > 0.0 && finite(v);
    let checks = [
        ("risk_aversion_per_usd", worst, "0 or more", worst >= 0.0 && finite(worst)),
        ("temporary_impact", c.temporary_impact, "more than 0", positive(c.temporary_impact)),
        (
            "daily_volatility_bps",
            c.daily_volatility_bps,
            "more than 0",
            positive(c.daily_volatility_bps),
        ),
        ("daily_volume_qty", c.daily_volume_qty as f64, "more than 0", c.daily_volume_qty > 0),
        ("slice_interval_ms", c.slice_interval_ms as f64, "1 or more", c.slice_interval_ms > 0),
        ("child_qty_min", c.child_qty_min as f64, "1 or more", c.child_qty_min > 0),
        (
            "participation_max",
            c.participation_max,
            "(0, 1]",
            0.0 < c.participation_max && c.participation_max <= 1.0,
        ),
        ("child_patience_ms", c.child_patience_ms as f64, "1 or more", c.child_patience_ms > 0),
    ];
    for (key, value, range, ok) in checks {
        if !ok {
            return Err(ExecutionConfigError::Range { key, value, range });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intent::Intent;
    use ijk_core::record::{Level, Urgency};
    use ijk_core::{ExchTs, ExecId, Px, ReportKind, Side, Symbol, VenueOrderId, VenueReport};

    fn report(order: &NewOrder, exec: u64) -> VenueReport {
        VenueReport {
            ts_exchange: ExchTs(0),
            client_order_id: order.client_order_id,
            venue_order_id: VenueOrderId(1),
            exec_id: ExecId(exec),
            px: order.px,
            qty: order.qty,
            leaves: Qty(0),
            fee_e9: 0,
            instrument: order.instrument,
            reason: 0,
            kind: ReportKind::Fill,
            side: order.side,
            maker: 0,
            reserved: 0,
        }
    }

    /// Many more parents and children than there are places go through the same memory.
    #[test]
    fn tables_are_reused_and_never_grow() {
        let instrument = Instrument::us_equity(Symbol::new("XYZ").unwrap());
        let config = ExecutionConfig::default();
        let mut engine = ExecutionEngine::new(&config, &[instrument, instrument]).unwrap();
        let memory = |e: &ExecutionEngine| {
            let desks: Vec<_> = e.desks.iter().map(|d| d.parents.as_ptr()).collect();
            let (parents, children) = (e.parents.as_ptr(), e.children.as_ptr());
            (desks, parents, children, e.changed.as_ptr(), e.changed.capacity())
        };
        let before = memory(&engine);
        let level = |px: i64| Level { px: Px(px * 10_000_000), qty: Qty(1) };
        let mut view = MarketView {
            now: RecvTs(0),
            bid: level(10_000),
            ask: level(10_001),
            two_sided: true,
            volume_qty: 0,
            session_close_ns: u64::MAX,
        };
        let mut out = IntentBuf::new();
        let (mut done, mut exec) = (0, 0);
        for round in 0..6_000u64 {
            view.now = RecvTs(round * 1_000_000);
            view.volume_qty += 1_000;
            let id = InstrumentId((round % 2) as u16);
            let spec = ParentSpec {
                instrument: id,
                side: Side::Ask,
                qty: Qty(20),
                horizon_ns: 5_000_000_000,
                // Every fortieth one rests and keeps its place for long.
                urgency: if round % 40 == 0 { Urgency::Passive } else { Urgency::Urgent },
                decision_id: round,
                source_line: 0,
            };
            if engine.start_parent(view.now, &spec, &view).is_err() {
                continue;
            }
            out.clear();
            engine.on_market(id, &view, &mut out);
            for intent in out.iter() {
                if let Intent::New(order) = intent {
                    engine.on_sent(&order);
                    if order.tif == ijk_core::TimeInForce::Ioc {
                        exec += 1;
                        engine.on_report(&report(&order, exec), &view).unwrap();
                    }
                }
            }
            engine.drain_changes(|r| done += u64::from(r.status == ParentStatus::Done));
        }
        assert!(done > 5_000, "{done}");
        assert_eq!(memory(&engine), before);
    }
}
