//! What the venue's reports do to the gate's ledger.
//!
//! A report that does not fit is never ignored and never made to fit. What can be booked is
//! booked; then, where a comparison with the venue can settle it, the instrument is blocked and
//! [`Block::Reconcile`] is set, and the caller lifts both after a comparison that agrees. Faults
//! of an instrument that is blocked already belong to the same disagreement. A second
//! disagreement in the run (`halt_mismatches`), of the same or another instrument, halts the
//! account, and so does at once what no comparison can settle.

use crate::blocks::InstrumentBlock;
use crate::execs::Execution;
use crate::gate::{Gate, TradingState};
use ijk_core::{
    AlarmCode, Block, ClientOrderId, ExecId, InstrumentId, Qty, RecvTs, ReportKind, VenueReport,
};

/// A report that does not fit the ledger. A repeated execution changes nothing; the others block
/// the instrument until reconciled, or halt trading, as each says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// An order this gate never passed nor took over. A fill of it is booked all the same.
    #[error("report on unknown order {0:?}: booked if a fill, instrument blocked, reconcile")]
    UnknownOrder(ClientOrderId),
    /// A fill after the order had ended; booked.
    #[error("fill of ended order {0:?}: booked, instrument blocked, reconcile")]
    FillAfterEnd(ClientOrderId),
    /// A fill of more than was open; booked in full.
    #[error("order {id:?} filled {qty} with {open} open: booked, instrument blocked, reconcile")]
    Overfill {
        /// The order.
        id: ClientOrderId,
        /// Quantity reported.
        qty: i64,
        /// Quantity open before.
        open: i64,
    },
    /// The venue counts another open quantity than the gate; the gate's larger worst case stays.
    #[error("order {id:?}: venue has {reported} open, ledger {open}: blocked, reconcile")]
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
    /// The same execution, or the same bust, again; ignored.
    #[error("execution of {0:?} was booked before: ignored")]
    RepeatedExecution(ClientOrderId),
    /// A bust of an execution that was never booked: nothing is undone.
    #[error("bust of execution {0:?}, which is not known: trading halted, reconcile")]
    UnknownExecution(ExecId),
    /// A fee of an execution that is not known: booked; the execution itself may be missing.
    #[error("fee of execution {0:?}, which is not known: booked, instrument blocked, reconcile")]
    UnknownFee(ExecId),
    /// The numbers do not fit the arithmetic; not booked.
    #[error("report on {0:?} does not fit the ledger: not booked, trading halted, reconcile")]
    Overflow(ClientOrderId),
    /// The table of working orders is full; the order is not counted.
    #[error("no room for order {0:?}: trading halted, cancel at the venue and reconcile")]
    TableFull(ClientOrderId),
}

impl Gate {
    /// Books a report. A fill frees what it filled, an end frees the rest, an acknowledgement
    /// and a refused cancel change nothing, a bust takes an execution out again, a commission
    /// adds its fee.
    ///
    /// # Errors
    /// [`LedgerError`] says what does not fit; what follows from it has been done.
    pub fn on_report(&mut self, now: RecvTs, r: &VenueReport) -> Result<(), LedgerError> {
        self.see_time(now);
        if bug!(UnlatchedKill) && self.state == TradingState::Killed {
            self.state = TradingState::Active;
        }
        let result = match r.kind {
            ReportKind::Fill => self.on_fill(r),
            ReportKind::Reject
            | ReportKind::Canceled
            | ReportKind::Expired
            | ReportKind::Absent => self.on_end(r),
            ReportKind::Bust => self.on_bust(r),
            ReportKind::Commission => self.on_commission(r),
            ReportKind::Ack | ReportKind::CancelReject => self.on_note(r),
        };
        if let Err(error) = result {
            self.on_fault(error, r.instrument, r.qty);
        }
        self.judge_profit();
        result
    }

    /// Blocks or halts for a report that does not fit.
    fn on_fault(&mut self, error: LedgerError, instrument: InstrumentId, qty: Qty) {
        let (block, code, id) = match error {
            LedgerError::RepeatedExecution(_) => return,
            LedgerError::UnknownOrder(id) => {
                (Some(InstrumentBlock::UnknownOrder), AlarmCode::ForeignActivity, id)
            }
            LedgerError::FillAfterEnd(id) | LedgerError::Overfill { id, .. } => {
                (Some(InstrumentBlock::LateFill), AlarmCode::LateFill, id)
            }
            LedgerError::LeavesMismatch { id, .. } => {
                (Some(InstrumentBlock::PositionMismatch), AlarmCode::PositionMismatch, id)
            }
            LedgerError::UnknownFee(_) => {
                let block = Some(InstrumentBlock::PositionMismatch);
                (block, AlarmCode::PositionMismatch, ClientOrderId(0))
            }
            LedgerError::Mismatch(id)
            | LedgerError::BadFill(id)
            | LedgerError::Overflow(id)
            | LedgerError::TableFull(id) => (None, AlarmCode::BadReport, id),
            LedgerError::UnknownExecution(_) => (None, AlarmCode::BadReport, ClientOrderId(0)),
        };
        self.alarm(code, instrument, id, qty.0);
        self.blocks |= Block::Reconcile.bit();
        let account = self.accounts.get_mut(instrument.index());
        let (Some(block), Some(account)) = (block, account) else {
            self.degrade(TradingState::Halted);
            return;
        };
        let open = InstrumentBlock::LEDGER.iter().any(|b| account.watch.blocks & b.bit() != 0);
        account.watch.blocks |= block.bit();
        if !open {
            self.mismatches = self.mismatches.saturating_add(1);
        }
    }

    pub(crate) fn was_ours(&self, id: ClientOrderId) -> bool {
        id.0 != 0 && id.0 <= self.client_id_max
    }

    fn on_note(&mut self, r: &VenueReport) -> Result<(), LedgerError> {
        let id = r.client_order_id;
        let found = self.working.find_report(r);
        if r.kind == ReportKind::Ack {
            self.rejects_run = 0;
        }
        if let Some(index) = found.filter(|_| bug!(UnknownReleased) && r.kind != ReportKind::Ack) {
            self.release(index, self.working.get(index).leaves);
            self.close(index);
            return Ok(());
        }
        match found.map(|i| self.working.get(i)) {
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
        let Some(index) = self.working.find_report(r) else {
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
        if r.kind == ReportKind::Reject {
            self.rejects_run = self.rejects_run.saturating_add(1);
            if self.rejects_run >= self.limits.rejects && self.state < TradingState::Halted {
                self.alarm(AlarmCode::RejectBurst, r.instrument, id, self.rejects_run.into());
            }
        }
        self.release(index, open);
        self.close(index);
        Ok(())
    }

    fn on_fill(&mut self, r: &VenueReport) -> Result<(), LedgerError> {
        let id = r.client_order_id;
        if r.exec_id.0 == 0 || r.px.0 <= 0 || r.qty.0 <= 0 {
            return Err(LedgerError::BadFill(id));
        }
        if bug!(DropFill) && r.exec_id.0.is_multiple_of(7) {
            return Ok(());
        }
        let found = self.working.find_report(r);
        let order = found.map(|i| self.working.get(i));
        // The order knows better than the report which instrument and side it has.
        let (instrument, side) = order.map_or((r.instrument, r.side), |w| (w.instrument, w.side));
        if instrument.index() >= self.accounts.len() {
            return Err(LedgerError::UnknownOrder(id));
        }
        let execution = Execution {
            id: r.exec_id,
            px: r.px,
            qty: r.qty,
            fee_e9: r.fee_e9,
            instrument,
            side,
            busted: false,
        };
        if !self.execs.insert(execution) && !bug!(DoubleFill) {
            return Err(LedgerError::RepeatedExecution(id));
        }
        self.count_slippage(&execution);
        let trip = self.book(id, &execution)?;
        if let Some(result) = trip.filter(|result| *result != 0) {
            self.losers_run = if result < 0 { self.losers_run.saturating_add(1) } else { 0 };
        }
        self.fills += 1;
        self.rejects_run = 0;
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
}
