//! What to send and what to cancel, given the market.

use crate::engine::{ExecutionEngine, NEVER, child_slot};
use crate::intent::{Intent, IntentBuf, MarketView};
use crate::order::{OrderEvent, OrderState};
use crate::parent::{AbandonReason, CHILD_PER_PARENT_MAX, Child, Parent};
use crate::stance::Stance;
use ijk_core::record::Urgency;
use ijk_core::{
    CancelOrder, ClientOrderId, InstrumentId, NewOrder, OrderType, Qty, RecvTs, TimeInForce,
};

/// A parent that is late takes after this many patiences, however near a fill seems.
const LATE_PATIENCES_MAX: u64 = 3;

impl ExecutionEngine {
    /// Moves every parent of `instrument` on: starts slices, sends what is due, re-prices,
    /// crosses, ends. Call it after every source row, every timer and every report of the
    /// instrument. Each parent sends at most one new order a call and, while it is not ending,
    /// has at most one cancel under way. Unknown instruments: no effect.
    ///
    /// - Passive rests at its own touch and follows it once the touch has been better for
    ///   `child_patience_ms`; it crosses in the last tenth of the horizon only.
    /// - Normal does the same, and crosses while it has been behind its schedule for
    ///   `child_patience_ms`.
    /// - Urgent sends immediate-or-cancel limits at the far touch.
    ///
    /// Where `adaptive` is set, the rest is planned anew when the market has changed, a Normal
    /// parent takes where resting is expected to cost more and is late only a slice behind, and a
    /// child whose touch left it is re-priced after `reprice_after_ms`, at most
    /// `reprices_per_minute_max` times a minute.
    ///
    /// The sum of filled and working never exceeds `child_qty_min` plus the parent's participation
    /// of the volume since its start; what that holds back to the end is given up.
    pub fn on_market(&mut self, instrument: InstrumentId, view: &MarketView, out: &mut IntentBuf) {
        let Some(desk) = self.desks.get_mut(instrument.index()) else { return };
        if self.config.adaptive {
            desk.regime.on_view(view);
        }
        if desk.parents.is_empty() {
            return;
        }
        let mut at = 0;
        while let Some(slot) = self.desks[instrument.index()].parents.get(at).copied() {
            self.step_parent(usize::from(slot), view, out);
            self.stamp_mid(usize::from(slot), view);
            // A parent that ended has left the list, and the next one has its place.
            let stays = self.desks[instrument.index()].parents.get(at) == Some(&slot);
            at += usize::from(stays);
        }
        self.refresh_deadline();
    }

    fn step_parent(&mut self, slot: usize, view: &MarketView, out: &mut IntentBuf) {
        let now = view.now;
        let lot = self.lot_of(slot);
        let patience_ns = self.config.child_patience_ms.saturating_mul(1_000_000);
        let parent = self.parents[slot].as_mut().expect("a listed parent is here");
        if parent.ending.is_none() && (now >= parent.record.ts_end || view.is_closed()) {
            let capped = parent.capped && parent.record.unsent.0 > 0;
            parent.begin_end(match capped {
                true => AbandonReason::ParticipationCap,
                false => AbandonReason::Horizon,
            });
            self.touch(slot);
        }
        let parent = self.parents[slot].as_mut().expect("a listed parent is here");
        if parent.ending.is_some() {
            self.cancel_all_children(slot, Some(now), out);
            self.close_if_over(slot);
            return;
        }
        parent.slices.advance(now, parent.unfilled(), lot, &self.curves[slot]);
        let traded = view.volume_qty.saturating_sub(parent.volume_start).max(0);
        parent.slices.follow_volume(parent.record.qty.0, traded);
        if self.config.adaptive {
            self.replan_if_changed(slot, view);
            self.choose_stance(slot, view, lot, patience_ns);
        }
        let slack = if self.config.adaptive { 1.0 } else { 0.0 };
        let parent = self.parents[slot].as_mut().expect("a listed parent is here");
        parent.note_progress(now, lot, patience_ns, slack);
        self.cancel_one_child(slot, view, patience_ns, out);
        self.send_child(slot, view, lot, out);
        self.plan_deadline(slot, now, patience_ns);
        self.parents[slot].as_ref().expect("a listed parent is here").assert_account();
    }

    /// Cancels every child of an ending parent that is not being cancelled. `now` paces repeats;
    /// without it nothing is held back.
    pub(crate) fn cancel_all_children(
        &mut self,
        slot: usize,
        now: Option<RecvTs>,
        out: &mut IntentBuf,
    ) {
        let parent = *self.parents[slot].as_ref().expect("a parent is here");
        let mut deadline = NEVER;
        for id in parent.children() {
            let child = &mut self.children[child_slot(*id)];
            let cancellable = match child.state {
                OrderState::PendingNew | OrderState::Working => true,
                OrderState::AwaitingFills => !child.end_reported,
                OrderState::Proposed => {
                    // The gate speaks after this call; the next one cancels.
                    deadline = deadline.min(child.placed);
                    false
                }
                _ => false,
            };
            let at = now.unwrap_or(child.next_cancel);
            if !cancellable {
                continue;
            }
            if at < child.next_cancel {
                deadline = deadline.min(child.next_cancel);
            } else if !push_cancel(child, at, parent.pause_ns, out) {
                deadline = deadline.min(at.plus_ns(1));
            }
        }
        self.parents[slot].as_mut().expect("a parent is here").deadline = deadline;
    }

    /// Cancels the oldest resting child that must be re-priced or must cross, unless a cancel is
    /// under way already.
    fn cancel_one_child(
        &mut self,
        slot: usize,
        view: &MarketView,
        patience_ns: u64,
        out: &mut IntentBuf,
    ) {
        if !view.is_tradable() {
            return;
        }
        let away_ns = self.reprice_wait_ns(patience_ns);
        let parent = self.parents[slot].as_ref().expect("a parent is here");
        let crosses = parent.crosses(view.now);
        let touch = view.touch(parent.record.side).px;
        let adaptive = self.config.adaptive;
        let may_reprice = !adaptive || view.now >= parent.next_reprice;
        let mut candidate: Option<ClientOrderId> = None;
        let mut under_way = false;
        for id in parent.children() {
            let child = &mut self.children[child_slot(*id)];
            under_way |= child.state == OrderState::PendingCancel;
            if child.ioc || child.state != OrderState::Working {
                continue;
            }
            let is_away = parent.record.side.better(touch, child.px);
            child.away_since = is_away.then(|| child.away_since.unwrap_or(view.now));
            let waited = |since: RecvTs| view.now.since_ns(since) >= away_ns;
            let stale = may_reprice && child.away_since.is_some_and(waited) && waited(child.placed);
            if (crosses || stale) && view.now >= child.next_cancel && candidate.is_none() {
                candidate = Some(*id);
            }
        }
        if let Some(id) = candidate.filter(|_| !under_way) {
            // A full buffer only delays it to the next call.
            let child = &mut self.children[child_slot(id)];
            if push_cancel(child, view.now, parent.pause_ns, out) && adaptive {
                let gap_ns = 60_000_000_000 / u64::from(self.config.reprices_per_minute_max);
                let parent = self.parents[slot].as_mut().expect("a parent is here");
                parent.next_reprice = view.now.plus_ns(gap_ns);
            }
        }
    }

    fn send_child(&mut self, slot: usize, view: &MarketView, lot: i64, out: &mut IntentBuf) {
        let parent = self.parents[slot].as_ref().expect("a parent is here");
        if !view.is_tradable()
            || view.now < parent.next_new
            || parent.child_count == CHILD_PER_PARENT_MAX
            || out.is_full()
        {
            return;
        }
        let (qty, capped) = self.due(parent, view, lot);
        let parent = self.parents[slot].as_mut().expect("a parent is here");
        parent.capped = capped;
        if qty == 0 {
            return;
        }
        let crosses = parent.crosses(view.now);
        let r = &parent.record;
        let (parent_id, instrument, side) = (r.parent_id, r.instrument, r.side);
        let touch = view.touch(if crosses { side.opposite() } else { side }).px;
        let px = self.desks[instrument.index()].definition.round_passive(touch, side);
        // A touch below one tick has no price on the grid.
        if px.0 <= 0 {
            return;
        }
        let Some(id) = self.free_child_id() else { return };
        let order = NewOrder {
            client_order_id: id,
            qty: Qty(qty),
            px,
            parent_id,
            instrument,
            side,
            order_type: OrderType::Limit,
            tif: if crosses { TimeInForce::Ioc } else { TimeInForce::Day },
            reserved: [0; 7],
        };
        assert!(out.push(Intent::New(order)), "room was checked above");
        self.add_child(slot, &order, view);
    }

    fn add_child(&mut self, slot: usize, order: &NewOrder, view: &MarketView) {
        let now = view.now;
        let id = order.client_order_id;
        let ioc = order.tif == TimeInForce::Ioc;
        let pause_ns = self.parents[slot].as_ref().expect("a parent is here").pause_ns;
        self.children[child_slot(id)] = Child {
            id,
            parent_id: order.parent_id,
            instrument: order.instrument,
            side: order.side,
            px: order.px,
            qty: order.qty.0,
            ioc,
            state: OrderState::Proposed,
            placed: now,
            // An immediate order ends by itself: time to, before it is cancelled.
            next_cancel: if ioc { now.plus_ns(pause_ns) } else { now },
            ahead: view.touch(order.side).qty.0 as f64,
            ahead_volume: view.against_qty(order.side),
            ..Child::EMPTY
        };
        self.open_child_count += 1;
        let signed = order.side.sign() * order.qty.0;
        self.desks[order.instrument.index()].working_signed += signed;
        let parent = self.parents[slot].as_mut().expect("a parent is here");
        parent.record.unsent.0 -= order.qty.0;
        parent.record.working.0 += order.qty.0;
        parent.children[parent.child_count] = id;
        parent.child_count += 1;
        parent.next_new = now.plus_ns(parent.pause_ns);
        self.touch(slot);
    }

    /// Returns the quantity of the next child, 0 for none, and whether the participation cap
    /// held something back.
    fn due(&self, parent: &Parent, view: &MarketView, lot: i64) -> (i64, bool) {
        let r = &parent.record;
        let child_qty_min = self.desks[r.instrument.index()].child_qty_min;
        let unfilled = parent.unfilled();
        let held_back = parent.slices.held_back(unfilled, lot);
        let mut qty = (unfilled - held_back - r.working.0).clamp(0, r.unsent.0);
        if qty > 0 && r.unsent.0 <= child_qty_min {
            qty = r.unsent.0;
        }
        let traded = view.volume_qty.saturating_sub(parent.volume_start).max(0);
        let share = (parent.participation_max * traded as f64) as i64;
        let start = child_qty_min.max(lot);
        let room = start.saturating_add(share).saturating_sub(r.filled.0 + r.working.0).max(0);
        let earned_all = parent.slices.follows_volume() && held_back > 0;
        let capped = qty > room || earned_all;
        qty = qty.min(room);
        let value = view.touch(r.side).px;
        let definition = &self.desks[r.instrument.index()].definition;
        let by_value = self.child_notional_max / definition.notional(value, Qty(1));
        // NaN and negative limits convert to 0, infinity to the largest quantity.
        let largest = self.child_qty_max.max(0).min(by_value as i64);
        let is_split = qty > largest;
        qty = qty.min(largest) / lot * lot;
        // Too small to be worth a message, unless it is all there is or all the limit lets by.
        let too_small = qty < child_qty_min && qty < r.unsent.0 && !is_split;
        (if too_small { 0 } else { qty }, capped)
    }

    /// Sets when the parent next needs a call without a market event.
    fn plan_deadline(&mut self, slot: usize, now: RecvTs, patience_ns: u64) {
        let parent = self.parents[slot].as_ref().expect("a parent is here");
        let mut next = parent.record.ts_end;
        let reprice_ns = self.reprice_wait_ns(patience_ns);
        let mut consider = |t: RecvTs| {
            if t > now {
                next = next.min(t);
            }
        };
        consider(parent.finish);
        consider(parent.next_new);
        consider(parent.slices.next_start().unwrap_or(NEVER));
        if parent.record.urgency == Urgency::Normal {
            let since = parent.behind_since.unwrap_or(NEVER);
            consider(since.plus_ns(patience_ns));
            consider(since.plus_ns(patience_ns.saturating_mul(LATE_PATIENCES_MAX)));
        }
        for id in parent.children() {
            let child = &self.children[child_slot(*id)];
            consider(child.next_cancel);
            if let Some(since) = child.away_since {
                let due = since.max(child.placed).plus_ns(reprice_ns);
                consider(if self.config.adaptive { due.max(parent.next_reprice) } else { due });
            }
        }
        self.parents[slot].as_mut().expect("a parent is here").deadline = next;
    }

    /// Returns how long the touch must have left a child before it is re-priced.
    fn reprice_wait_ns(&self, patience_ns: u64) -> u64 {
        match self.config.adaptive {
            true => self.config.reprice_after_ms.saturating_mul(1_000_000),
            false => patience_ns,
        }
    }

    fn lot_of(&self, slot: usize) -> i64 {
        let parent = self.parents[slot].as_ref().expect("a parent is here");
        self.desks[parent.record.instrument.index()].definition.lot.0
    }
}

impl Parent {
    /// Returns whether new children take at the far touch.
    fn crosses(&self, now: RecvTs) -> bool {
        let takes = self.record.urgency == Urgency::Normal && self.stance == Stance::Take;
        self.record.urgency == Urgency::Urgent || self.crossing || takes || now >= self.finish
    }

    /// Returns what may be left at `now` before the parent counts as behind. The last slice has
    /// no slack: what is left then must go.
    fn allowed_left(&self, now: RecvTs, slack: f64) -> f64 {
        let is_last = self.slices.next_start().is_none() && !self.slices.follows_volume();
        let slack = if is_last { 0.0 } else { slack * self.slices.slice_qty() };
        self.slices.planned_left(now) + slack
    }

    /// Follows how long the parent has been behind its schedule, by more than `slack` slices.
    fn note_progress(&mut self, now: RecvTs, lot: i64, patience_ns: u64, slack: f64) {
        let unfilled = self.unfilled();
        let released_open = unfilled > self.slices.held_back(unfilled, lot);
        let behind = released_open && unfilled as f64 > self.allowed_left(now, slack);
        self.behind_since = behind.then(|| self.behind_since.unwrap_or(now));
        let behind_ns = self.behind_since.map_or(0, |t| now.since_ns(t));
        let waits = self.waits && behind_ns < patience_ns.saturating_mul(LATE_PATIENCES_MAX);
        let late = behind && behind_ns >= patience_ns;
        let crosses = late || self.crossing && behind;
        self.crossing = self.record.urgency == Urgency::Normal && crosses && !waits;
    }
}

impl MarketView {
    /// Returns the volume so far of those who trade against resting orders of `side`.
    pub(crate) fn against_qty(&self, side: ijk_core::Side) -> i64 {
        self.aggressive_qty[side.opposite() as usize]
    }

    /// Returns whether the session is over.
    fn is_closed(&self) -> bool {
        self.now.0 >= self.session_close_ns
    }
}

/// Wants `child` cancelled; returns false, and changes nothing, where `out` is full.
fn push_cancel(child: &mut Child, now: RecvTs, pause_ns: u64, out: &mut IntentBuf) -> bool {
    let cancel =
        CancelOrder { client_order_id: child.id, instrument: child.instrument, reserved: [0; 6] };
    if !out.push(Intent::Cancel(cancel)) {
        return false;
    }
    child.state = child.state.next(OrderEvent::CancelSent).expect("only living orders");
    child.next_cancel = now.plus_ns(pause_ns);
    true
}
