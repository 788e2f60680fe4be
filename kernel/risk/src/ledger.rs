//! What the venue's reports do to the gate's ledger.

use crate::gate::{Gate, TradingState};
use crate::limits::MONEY_PER_E9;
use ijk_core::{ClientOrderId, RecvTs, ReportKind, VenueReport};

/// A report that does not fit the ledger. Every one but a repeated execution halts trading:
/// the positions here and at the venue must be reconciled by a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// An order this gate never passed. A fill of it is booked all the same.
    #[error("report on unknown order {0:?}: booked if a fill, trading halted, reconcile")]
    UnknownOrder(ClientOrderId),
    /// A fill after the order had ended; booked.
    #[error("fill of ended order {0:?}: booked, trading halted, reconcile")]
    FillAfterEnd(ClientOrderId),
    /// A fill of more than was open; booked in full.
    #[error("order {id:?} filled {qty} with {open} open: booked, trading halted, reconcile")]
    Overfill {
        /// The order.
        id: ClientOrderId,
        /// Quantity reported.
        qty: i64,
        /// Quantity open before.
        open: i64,
    },
    /// The venue counts another open quantity than the gate; the gate's larger worst case stays.
    #[error("order {id:?}: venue has {reported} open, ledger {open}: halted, reconcile")]
    LeavesMismatch {
        /// The order.
        id: ClientOrderId,
        /// Open quantity reported.
        reported: i64,
        /// Open quantity here.
        open: i64,
    },
    /// Instrument or side differ from the order; booked under the order's own.
    #[error("report on {0:?} names another instrument or side: trading halted, reconcile")]
    Mismatch(ClientOrderId),
    /// A fill without execution id, or whose price or quantity is not positive; not booked.
    #[error("fill of {0:?} without execution id, price or quantity: trading halted, reconcile")]
    BadFill(ClientOrderId),
    /// The same execution again; ignored.
    #[error("execution of {0:?} was booked before: ignored")]
    RepeatedExecution(ClientOrderId),
    /// The numbers do not fit the arithmetic; not booked.
    #[error("fill of {0:?} does not fit the ledger: not booked, trading halted, reconcile")]
    Overflow(ClientOrderId),
}

impl Gate {
    /// Books a report. A fill frees what it filled, an end frees the rest, an acknowledgement
    /// and a refused cancel change nothing.
    ///
    /// # Errors
    /// [`LedgerError`]; all but [`LedgerError::RepeatedExecution`] have halted trading.
    pub fn on_report(&mut self, now: RecvTs, r: &VenueReport) -> Result<(), LedgerError> {
        self.see_time(now);
        let result = match r.kind {
            ReportKind::Fill => self.on_fill(r),
            ReportKind::Reject
            | ReportKind::Canceled
            | ReportKind::Expired
            | ReportKind::Absent => self.on_end(r),
            ReportKind::Bust | ReportKind::Commission => {
                Err(LedgerError::BadFill(r.client_order_id))
            }
            ReportKind::Ack | ReportKind::CancelReject => self.on_note(r),
        };
        self.judge_profit();
        if !matches!(result, Ok(()) | Err(LedgerError::RepeatedExecution(_))) {
            self.degrade(TradingState::Halted);
        }
        result
    }

    fn was_ours(&self, id: ClientOrderId) -> bool {
        id.0 != 0 && id.0 <= self.client_id_max
    }

    fn on_note(&mut self, r: &VenueReport) -> Result<(), LedgerError> {
        let id = r.client_order_id;
        match self.working.find(id).map(|i| self.working.get(i)) {
            // A refused cancel says nothing of the order but its id: the venue may not know it.
            Some(w)
                if w.instrument != r.instrument
                    || (w.side != r.side && r.kind != ReportKind::CancelReject) =>
            {
                Err(LedgerError::Mismatch(id))
            }
            // A late acknowledgement of an ended order is no fault.
            None if !self.was_ours(id) => Err(LedgerError::UnknownOrder(id)),
            _ => Ok(()),
        }
    }

    fn on_end(&mut self, r: &VenueReport) -> Result<(), LedgerError> {
        let id = r.client_order_id;
        let Some(index) = self.working.find(id) else {
            // An end told twice is no fault.
            return if self.was_ours(id) { Ok(()) } else { Err(LedgerError::UnknownOrder(id)) };
        };
        let w = self.working.get(index);
        if w.instrument != r.instrument || w.side != r.side {
            return Err(LedgerError::Mismatch(id)); // whose end this is cannot be told: keep it
        }
        let open = w.leaves;
        let all = matches!(r.kind, ReportKind::Reject | ReportKind::Absent);
        let reported = if all { open } else { r.qty.0 };
        if reported != open || r.leaves.0 != 0 {
            return Err(LedgerError::LeavesMismatch { id, reported, open });
        }
        self.release(index, open);
        self.working.remove(index);
        Ok(())
    }

    fn on_fill(&mut self, r: &VenueReport) -> Result<(), LedgerError> {
        let id = r.client_order_id;
        if r.exec_id.0 == 0 || r.px.0 <= 0 || r.qty.0 <= 0 {
            return Err(LedgerError::BadFill(id));
        }
        let found = self.working.find(id);
        let order = found.map(|i| self.working.get(i));
        // The order knows better than the report which instrument and side it has.
        let (instrument, side) = order.map_or((r.instrument, r.side), |w| (w.instrument, w.side));
        if instrument.index() >= self.accounts.len() {
            return Err(LedgerError::UnknownOrder(id));
        }
        if !self.execs.insert(r.exec_id) {
            return Err(LedgerError::RepeatedExecution(id));
        }
        let account = &mut self.accounts[instrument.index()];
        let before = account.profit();
        let booked = account.fill(side, r.px, r.qty, i128::from(r.fee_e9) * MONEY_PER_E9);
        self.profit += account.profit() - before;
        if booked.is_err() {
            return Err(LedgerError::Overflow(id));
        }
        let (Some(index), Some(w)) = (found, order) else {
            return Err(if self.was_ours(id) {
                LedgerError::FillAfterEnd(id)
            } else {
                LedgerError::UnknownOrder(id)
            });
        };
        self.shrink(index, w.leaves, r)?;
        if w.instrument != r.instrument || w.side != r.side {
            return Err(LedgerError::Mismatch(id));
        }
        Ok(())
    }

    /// Takes a fill off the open quantity of the working order at `index`.
    fn shrink(&mut self, index: usize, open: i64, r: &VenueReport) -> Result<(), LedgerError> {
        let id = r.client_order_id;
        let qty = r.qty.0;
        self.release(index, qty.min(open));
        if qty >= open {
            self.working.remove(index);
        } else {
            self.working.set_leaves(index, open - qty);
        }
        if qty > open {
            return Err(LedgerError::Overfill { id, qty, open });
        }
        if r.leaves.0 != open - qty {
            let reported = r.leaves.0;
            return Err(LedgerError::LeavesMismatch { id, reported, open: open - qty });
        }
        Ok(())
    }

    fn release(&mut self, index: usize, qty: i64) {
        let w = self.working.get(index);
        let working = &mut self.accounts[w.instrument.index()].working[w.side as usize];
        *working -= qty;
        assert!(*working >= 0, "released more than was reserved");
    }
}
