//! The execution engine: tables of parents and children, and everything that is not pricing or
//! reports.

use crate::curve::Curve;
use crate::exec_ids::ExecIds;
use crate::intent::{IntentBuf, MarketView};
use crate::order::{OrderEvent, OrderState};
use crate::parent::{AbandonReason, Child, Parent};
use crate::regime::Regime;
use crate::settings::{ExecutionConfigError, check_config, check_instruments, check_volume_curve};
use crate::volume_curve::VolumeCurve;
use ijk_core::config::ExecutionConfig;
use ijk_core::limits::{OPEN_ORDER_COUNT_MAX, PARENT_COUNT_MAX};
use ijk_core::num::E9;
use ijk_core::record::ParentRecord;
use ijk_core::{
    CancelOrder, ClientOrderId, Instrument, InstrumentId, NewOrder, ParentId, Qty, RecvTs, Side,
};

/// Places for parents: the living and as many ended ones, kept for late reports.
pub(crate) const PARENT_SLOT_COUNT: usize = 2 * PARENT_COUNT_MAX;
/// Places for children, likewise.
pub(crate) const CHILD_SLOT_COUNT: usize = 2 * OPEN_ORDER_COUNT_MAX;
pub(crate) const NEVER: RecvTs = RecvTs(u64::MAX);

/// What the engine keeps per instrument.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub definition: Instrument,
    /// Smallest child: the setting for whole units, the lot for fractions.
    pub child_qty_min: i64,
    /// Slots of the living parents, oldest first.
    pub parents: Vec<u16>,
    pub working_signed: i64,
    pub volatility_bps: f64,
    pub volume_qty: f64,
    pub regime: Regime,
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
    pub(crate) curves: Vec<Curve>,
    pub(crate) volume_curve: VolumeCurve,
    pub(crate) children: Vec<Child>,
    pub(crate) exec_ids: ExecIds,
    pub(crate) changed: Vec<u16>,
    pub(crate) next_child_id: u64,
    pub(crate) open_child_count: usize,
    pub(crate) child_qty_max: i64,
    pub(crate) child_notional_max: f64,
    pub(crate) stopped: bool,
    pub(crate) next_parent_id: u32,
    pub(crate) alive_count: usize,
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
        check_instruments(instruments)?;
        let desk = |definition: &Instrument| Desk {
            definition: *definition,
            child_qty_min: match definition.qty_unit_e9 {
                E9 => config.child_qty_min,
                _ => definition.lot.0,
            },
            parents: Vec::with_capacity(PARENT_COUNT_MAX),
            working_signed: 0,
            volatility_bps: config.daily_volatility_bps,
            volume_qty: config.daily_volume_qty as f64,
            regime: Regime::default(),
        };
        let volume_curve = check_volume_curve(config)?;
        Ok(ExecutionEngine {
            config: config.clone(),
            desks: instruments.iter().map(desk).collect(),
            parents: vec![None; PARENT_SLOT_COUNT],
            curves: vec![Curve::EMPTY; PARENT_SLOT_COUNT],
            volume_curve,
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

    /// A cancel that was asked for did not leave: too many messages. It is asked for again later.
    pub fn on_cancel_held_back(&mut self, now: RecvTs, cancel: &CancelOrder) {
        let Some(child) = self.child_mut(cancel.client_order_id) else { return };
        let parent_id = child.parent_id;
        if child.state == OrderState::PendingCancel {
            let known = child.acked || child.filled > 0;
            child.state = if known { OrderState::Working } else { OrderState::PendingNew };
        }
        let pause_ns = self.parents[parent_slot(parent_id)].as_ref().map_or(0, |p| p.pause_ns);
        if let Some(child) = self.child_mut(cancel.client_order_id) {
            child.next_cancel = child.next_cancel.max(now.plus_ns(pause_ns));
        }
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

    /// Stops the parents of one instrument and side. As [`ExecutionEngine::stop_all`], but new
    /// ones may start.
    pub fn stop_side(&mut self, instrument: InstrumentId, side: Side, out: &mut IntentBuf) {
        for slot in 0..PARENT_SLOT_COUNT {
            let own =
                |p: &&Parent| p.alive && p.record.instrument == instrument && p.record.side == side;
            if let Some(p) = self.parents[slot].as_ref().filter(own) {
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
