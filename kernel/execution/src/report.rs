//! What the venue says: each report is counted once, whatever order reports come in.

use crate::engine::{ExecutionEngine, child_slot, parent_slot};
use crate::intent::MarketView;
use crate::order::{OrderEvent, OrderState};
use crate::parent::{AbandonReason, Child};
use ijk_core::{ClientOrderId, ExecId, ParentId, Qty, ReportKind, VenueReport};

/// What a report changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportEffect {
    /// The parent of the order.
    pub parent_id: ParentId,
    /// State of the order now.
    pub state: OrderState,
    /// Newly filled quantity, not negative; 0 for everything but a fill counted first now.
    pub filled: Qty,
    /// Whether the report had been seen, or was overtaken, and changed nothing.
    pub is_repeat: bool,
}

/// A report that contradicts what is known. Accounts stay balanced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// No order with this id is, or lately was, ours. A fill of it is a position all the same.
    #[error("report for order {0:?}, which is not ours; reconcile with the venue")]
    UnknownOrder(ClientOrderId),
    /// Instrument or side are not the order's.
    #[error("report for order {0:?} with another instrument or side; not applied")]
    Mismatch(ClientOrderId),
    /// A fill without execution id, price or positive quantity: it cannot be counted safely.
    #[error("fill of order {0:?} without execution id, price or quantity; not applied")]
    BadFill(ClientOrderId),
    /// A negative quantity, or more cancelled than was left; what was left has ended.
    #[error("order {order:?} ended with {qty}, but {leaves} was left; reconcile with the venue")]
    BadQuantity {
        /// The order.
        order: ClientOrderId,
        /// Quantity of the report.
        qty: i64,
        /// Quantity left by our account.
        leaves: i64,
    },
    /// The order's state does not allow it.
    #[error("{kind:?} for order {order:?}, which is {state:?}; not applied")]
    Illegal {
        /// The order.
        order: ClientOrderId,
        /// Its state.
        state: OrderState,
        /// What came.
        kind: ReportKind,
    },
    /// More was filled than the order, or the parent, had open. The parent is ending; `applied`
    /// of the fill is in its account, `excess` is not and is a position all the same.
    #[error("order {order:?} overfilled by {excess}; stop and reconcile with the venue")]
    Overfill {
        /// The order.
        order: ClientOrderId,
        /// Quantity in the parent's account.
        applied: i64,
        /// Quantity beyond it.
        excess: i64,
    },
}

impl ExecutionEngine {
    /// Returns whether a fill with this execution id was counted (and not forgotten since).
    pub fn has_seen(&self, exec_id: ExecId) -> bool {
        self.exec_ids.contains(exec_id)
    }

    /// Applies a report; `view` is the market of its instrument. Sends nothing: call
    /// [`ExecutionEngine::on_market`] next.
    ///
    /// # Errors
    /// [`ReportError`] for a report that contradicts what is known. The position must be told of
    /// every fill with a new execution id in any case.
    pub fn on_report(
        &mut self,
        report: &VenueReport,
        view: &MarketView,
    ) -> Result<ReportEffect, ReportError> {
        let id = report.client_order_id;
        let child = self.child_mut(id).ok_or(ReportError::UnknownOrder(id))?;
        // A refused cancel says nothing of the order but its id: the venue may not know it.
        let names_side = report.kind != ReportKind::CancelReject;
        if child.instrument != report.instrument || (names_side && child.side != report.side) {
            return Err(ReportError::Mismatch(id));
        }
        let parent_id = child.parent_id;
        let slot = parent_slot(parent_id);
        let result = match report.kind {
            ReportKind::Fill => self.on_fill(report),
            ReportKind::Ack => self.on_ack(report),
            ReportKind::CancelReject => self.on_cancel_reject(report, view),
            ReportKind::Canceled
            | ReportKind::Expired
            | ReportKind::Reject
            | ReportKind::Absent => self.on_end(report, view),
            ReportKind::Bust => self.on_bust(report),
            ReportKind::Commission => self.on_commission(report),
        };
        // Only a parent that is still this order's may be closed.
        let parent = self.parents[slot].as_ref();
        if parent.is_some_and(|p| p.record.parent_id == parent_id) {
            self.close_if_over(slot);
            self.stamp_mid(slot, view);
            self.wake(slot, view);
        }
        self.refresh_deadline();
        result
    }

    fn on_ack(&mut self, report: &VenueReport) -> Result<ReportEffect, ReportError> {
        let child = self.known(report);
        let before = child.state;
        let is_repeat = child.acked || before.is_terminal();
        advance(child, OrderEvent::Ack, report.kind)?;
        child.acked = true;
        Ok(effect(child, 0, is_repeat))
    }

    fn on_cancel_reject(
        &mut self,
        report: &VenueReport,
        view: &MarketView,
    ) -> Result<ReportEffect, ReportError> {
        let child = self.known(report);
        let before = child.state;
        // The order's end was reported: a refusal of the cancel that raced it says nothing new.
        if child.end_reported && before != OrderState::Proposed {
            return Ok(effect(child, 0, true));
        }
        let event = match (report.leaves.0 > 0, child.acked || child.filled > 0) {
            (true, _) => OrderEvent::CancelRejectAlive,
            (false, true) => OrderEvent::CancelRejectGone,
            (false, false) => OrderEvent::CancelRejectUnknown,
        };
        advance(child, event, report.kind)?;
        let (after, parent_id) = (child.state, child.parent_id);
        let pause_ns = self.parents[parent_slot(parent_id)].as_ref().map_or(0, |p| p.pause_ns);
        let child = self.known(report);
        child.next_cancel = child.next_cancel.max(view.now.plus_ns(pause_ns));
        Ok(effect(child, 0, after == before))
    }

    /// Cancelled, expired or rejected.
    fn on_end(
        &mut self,
        report: &VenueReport,
        view: &MarketView,
    ) -> Result<ReportEffect, ReportError> {
        let child = self.known(report);
        let (leaves, qty) = (child.leaves(), report.qty.0);
        if child.end_reported || (child.state == OrderState::Filled && qty == 0) {
            return Ok(effect(child, 0, true));
        }
        // A report without quantity means all that is left, as does any rejection.
        let is_reject = matches!(report.kind, ReportKind::Reject | ReportKind::Absent);
        let ended = if is_reject || qty <= 0 { leaves } else { qty.min(leaves) };
        let event = match report.kind {
            ReportKind::Reject => OrderEvent::Reject,
            ReportKind::Absent => OrderEvent::NeverArrived,
            _ if ended < leaves => OrderEvent::EndedShort,
            ReportKind::Expired => OrderEvent::ExpireDone,
            _ => OrderEvent::CancelDone,
        };
        advance(child, event, report.kind)?;
        child.end_reported = true;
        child.ended += ended;
        let child = *child;
        if child.state.is_terminal() {
            self.end_child(child.id, ended);
        } else {
            self.return_part(&child, ended);
        }
        if is_reject && let Some(parent) = self.parents[parent_slot(child.parent_id)].as_mut() {
            parent.back_off(view.now);
        }
        if !is_reject && (qty < 0 || qty > leaves) {
            return Err(ReportError::BadQuantity { order: child.id, qty, leaves });
        }
        Ok(effect(&child, 0, false))
    }

    fn on_fill(&mut self, report: &VenueReport) -> Result<ReportEffect, ReportError> {
        let seen = report.exec_id.0 != 0 && self.exec_ids.contains(report.exec_id);
        let child = self.known(report);
        if report.exec_id.0 == 0 || report.qty.0 <= 0 || report.px.0 <= 0 {
            return Err(ReportError::BadFill(child.id));
        }
        if seen {
            return Ok(effect(child, 0, true));
        }
        let unsent_states = [OrderState::Proposed, OrderState::Refused, OrderState::Rejected];
        if unsent_states.contains(&child.state) {
            let (order, state) = (child.id, child.state);
            return Err(ReportError::Illegal { order, state, kind: report.kind });
        }
        let was_terminal = child.state.is_terminal();
        let qty = report.qty.0;
        // First what works, then what ended before this fill was reported.
        let open = qty.min(child.leaves());
        let late = (qty - open).min(child.ended);
        let beyond_order = qty - open - late;
        child.filled += open + late;
        child.ended -= late;
        let event = match (child.leaves(), child.ended) {
            (0, 0) => OrderEvent::LastFill,
            (0, _) if child.state == OrderState::AwaitingFills => OrderEvent::LastAwaitedFill,
            // What was taken back of a living order does not work any more either.
            (0, _) if !child.state.is_terminal() => OrderEvent::LastFill,
            _ => OrderEvent::PartialFill,
        };
        if child.state != OrderState::Filled {
            advance(child, event, report.kind)?;
        }
        let child = *child;
        self.exec_ids.insert(report.exec_id);
        let excess = self.count_fill(&child, report, open, beyond_order > 0);
        if child.state.is_terminal() && !was_terminal {
            self.end_child(child.id, 0);
        }
        if excess > 0 || beyond_order > 0 {
            return Err(ReportError::Overfill { order: child.id, applied: qty - excess, excess });
        }
        Ok(effect(&child, qty, false))
    }

    /// Takes a fill back out of the parent's account: its quantity is given up, not sent again.
    /// The caller answers for the execution having been counted, and for taking it back once.
    fn on_bust(&mut self, report: &VenueReport) -> Result<ReportEffect, ReportError> {
        let child = self.known(report);
        let (id, qty) = (child.id, report.qty.0);
        if qty <= 0 || qty > child.filled {
            let leaves = child.filled;
            return Err(ReportError::BadQuantity { order: id, qty, leaves });
        }
        child.filled -= qty;
        child.ended += qty;
        let child = *child;
        let slot = parent_slot(child.parent_id);
        let parent = self.parents[slot].as_mut();
        let parent = parent.filter(|p| p.record.parent_id == child.parent_id);
        let Some(parent) = parent.filter(|p| p.record.filled.0 >= qty) else {
            return Err(ReportError::UnknownOrder(id));
        };
        parent.record.filled.0 -= qty;
        parent.record.abandoned.0 += qty;
        parent.record.filled_value -= report.px.as_f64() * qty as f64;
        self.touch(slot);
        Ok(effect(&child, 0, false))
    }

    /// Adds a fee that was not known when its fill was counted.
    fn on_commission(&mut self, report: &VenueReport) -> Result<ReportEffect, ReportError> {
        let child = *self.known(report);
        let slot = parent_slot(child.parent_id);
        let parent = self.parents[slot].as_mut();
        if let Some(parent) = parent.filter(|p| p.record.parent_id == child.parent_id) {
            parent.record.fee_e9 = parent.record.fee_e9.saturating_add(report.fee_e9);
            self.touch(slot);
        }
        Ok(effect(&child, 0, false))
    }

    /// Moves a fill into the parent's account, `open` of it from working, the rest from what
    /// was not sent again or was given up; returns what fits nowhere.
    fn count_fill(
        &mut self,
        child: &Child,
        report: &VenueReport,
        open: i64,
        is_beyond_order: bool,
    ) -> i64 {
        self.desks[child.instrument.index()].working_signed -= child.side.sign() * open;
        let slot = parent_slot(child.parent_id);
        let parent = self.parents[slot].as_mut();
        let Some(parent) = parent.filter(|p| p.record.parent_id == child.parent_id) else {
            return report.qty.0;
        };
        let r = &mut parent.record;
        r.working.0 -= open;
        let late = report.qty.0 - open;
        let from_unsent = late.min(r.unsent.0);
        r.unsent.0 -= from_unsent;
        let from_abandoned = (late - from_unsent).min(r.abandoned.0);
        r.abandoned.0 -= from_abandoned;
        let applied = open + from_unsent + from_abandoned;
        r.filled.0 += applied;
        r.filled_value += report.px.as_f64() * applied as f64;
        r.fee_e9 = r.fee_e9.saturating_add(report.fee_e9);
        parent.refusals = 0;
        let excess = report.qty.0 - applied;
        if (is_beyond_order || excess > 0) && parent.alive {
            parent.begin_end(AbandonReason::Overfill);
        }
        self.touch(slot);
        excess
    }

    /// Takes an ended part of a living child off the working quantity.
    fn return_part(&mut self, child: &Child, qty: i64) {
        self.desks[child.instrument.index()].working_signed -= child.side.sign() * qty;
        let slot = parent_slot(child.parent_id);
        self.parents[slot].as_mut().expect("a living child has a parent").return_unfilled(qty);
        self.touch(slot);
    }

    /// Returns the child of a report that was looked up before.
    fn known(&mut self, report: &VenueReport) -> &mut Child {
        &mut self.children[child_slot(report.client_order_id)]
    }

    /// A report may have made something due.
    fn wake(&mut self, slot: usize, view: &MarketView) {
        let parent = self.parents[slot].as_mut().expect("looked up before");
        if parent.alive {
            parent.deadline = parent.deadline.min(view.now);
        }
    }
}

fn advance(child: &mut Child, event: OrderEvent, kind: ReportKind) -> Result<(), ReportError> {
    let illegal = ReportError::Illegal { order: child.id, state: child.state, kind };
    child.state = child.state.next(event).ok_or(illegal)?;
    Ok(())
}

fn effect(child: &Child, filled: i64, is_repeat: bool) -> ReportEffect {
    ReportEffect { parent_id: child.parent_id, state: child.state, filled: Qty(filled), is_repeat }
}
