//! Money and quantity: executions in, executions out, fees, slippage, releases.

use crate::LedgerError;
use crate::account::amount;
use crate::execs::Execution;
use crate::gate::Gate;
use crate::limits::MONEY_PER_E9;
use ijk_core::{AlarmCode, ClientOrderId, Px, Side, VenueReport};

impl Gate {
    /// Books an execution; returns the result of the round trip that it ended.
    pub(crate) fn book(
        &mut self,
        id: ClientOrderId,
        e: &Execution,
    ) -> Result<Option<i128>, LedgerError> {
        let overflow = LedgerError::Overflow(id);
        let fee = i128::from(e.fee_e9) * MONEY_PER_E9;
        let account = &mut self.accounts[e.instrument.index()];
        let value = amount(account.instrument.qty_unit_e9, e.px.0, e.qty.0);
        let before = account.profit();
        let booked = account.fill(e.side, e.px, e.qty, fee);
        self.profit += account.profit() - before;
        let trip = booked.map_err(|_| overflow)?;
        let paid = if e.side == Side::Bid { value.map_err(|_| overflow)? } else { 0 };
        self.spent = self.spent.saturating_add(paid).saturating_add(fee);
        Ok(trip)
    }

    /// Adds what an execution cost against the mid, if it did, and latches the instrument
    /// reduce-only above the limit. Without a mark no slippage is known; then the missing mark
    /// stops new risk.
    pub(crate) fn count_slippage(&mut self, e: &Execution) {
        let now = self.now;
        let limit = self.limits.slippage;
        let account = &mut self.accounts[e.instrument.index()];
        let Some(mark) = account.mark else { return };
        let worse = match e.side {
            Side::Bid => e.px.0.saturating_sub(mark.0),
            Side::Ask => mark.0.saturating_sub(e.px.0),
        };
        let cost = amount(account.instrument.qty_unit_e9, worse.max(0), e.qty.0);
        account.slippage.add(now, cost.unwrap_or(i128::MAX));
        let above = limit.is_none_or(|limit| account.slippage.sum(now) > limit);
        if above && !account.slippage_latched {
            account.slippage_latched = true;
            self.alarm(AlarmCode::ReduceOnly, e.instrument, ClientOrderId(0), e.px.0);
        }
    }

    /// Takes an execution out: the opposite one at the same price, its fee given back. Position
    /// and result are then as if it had never happened; it counts neither as a fill nor as a
    /// round trip.
    pub(crate) fn on_bust(&mut self, r: &VenueReport) -> Result<(), LedgerError> {
        let id = r.client_order_id;
        let accounts = self.accounts.len();
        let Some(e) = self.execs.get_mut(r.exec_id).filter(|_| r.exec_id.0 != 0) else {
            return Err(LedgerError::UnknownExecution(r.exec_id));
        };
        if e.busted {
            return Err(LedgerError::RepeatedExecution(id));
        }
        if e.qty.0 == 0 {
            // Only the id was carried over: the report is all there is.
            if r.px.0 <= 0 || r.qty.0 <= 0 || r.instrument.index() >= accounts {
                return Err(LedgerError::BadFill(id));
            }
            (e.px, e.qty, e.instrument, e.side) = (r.px, r.qty, r.instrument, r.side);
        }
        e.busted = true;
        let e = *e;
        let same = (e.px, e.qty, e.instrument, e.side) == (r.px, r.qty, r.instrument, r.side);
        self.alarm(AlarmCode::TradeBusted, e.instrument, id, e.qty.0);
        if bug!(BustIgnored) {
            return Ok(());
        }
        let undo = Execution { side: e.side.opposite(), fee_e9: 0, ..e };
        let spent = self.spent;
        self.book(id, &undo)?;
        self.spent = spent;
        if e.side == Side::Bid {
            let unit = self.accounts[e.instrument.index()].instrument.qty_unit_e9;
            self.spent -= amount(unit, e.px.0, e.qty.0).unwrap_or(0);
        }
        self.add_fee(&e, e.fee_e9.saturating_neg());
        // What was booked is undone whatever the report says; that it says otherwise is a fault.
        if same { Ok(()) } else { Err(LedgerError::Mismatch(id)) }
    }

    /// Adds a fee that became known after its execution.
    pub(crate) fn on_commission(&mut self, r: &VenueReport) -> Result<(), LedgerError> {
        let known = self.execs.get_mut(r.exec_id).filter(|_| r.exec_id.0 != 0).map(|e| {
            e.fee_e9 = e.fee_e9.saturating_add(r.fee_e9);
            *e
        });
        if let Some(e) = known {
            if !e.busted {
                let of_report = Execution { instrument: r.instrument, ..e };
                self.add_fee(if e.qty.0 == 0 { &of_report } else { &e }, r.fee_e9);
            }
            return Ok(());
        }
        // The fee is owed even so.
        self.add_fee(
            &Execution { instrument: r.instrument, ..Execution::bare(r.exec_id) },
            r.fee_e9,
        );
        Err(LedgerError::UnknownFee(r.exec_id))
    }

    fn add_fee(&mut self, e: &Execution, fee_e9: i64) {
        let fee = i128::from(fee_e9) * MONEY_PER_E9;
        if let Some(account) = self.accounts.get_mut(e.instrument.index()) {
            account.add_fee(fee);
            self.profit -= fee;
            self.spent = self.spent.saturating_add(fee);
        }
    }

    /// Takes a fill off the open quantity of the working order at `index`.
    pub(crate) fn shrink(
        &mut self,
        index: usize,
        open: i64,
        r: &VenueReport,
    ) -> Result<(), LedgerError> {
        let id = r.client_order_id;
        let qty = r.qty.0;
        self.release(index, qty.min(open));
        if qty >= open {
            self.close(index);
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

    /// Frees the reservation of `qty` of the order at `index`.
    pub(crate) fn release(&mut self, index: usize, qty: i64) {
        let w = self.working.get(index);
        let account = &mut self.accounts[w.instrument.index()];
        account.working[w.side as usize] -= qty;
        assert!(account.working[w.side as usize] >= 0, "released more than was reserved");
        if w.side == Side::Bid {
            account.reserved -= reserved(account.instrument.qty_unit_e9, w.value_px, qty);
            assert!(account.reserved >= 0, "released more cash than was reserved");
        }
    }

    /// Removes the order at `index`, whose reservation has been freed.
    pub(crate) fn close(&mut self, index: usize) {
        let w = self.working.get(index);
        let open = &mut self.accounts[w.instrument.index()].open[w.side as usize];
        assert!(*open > 0, "closed more orders than were opened");
        *open -= 1;
        self.working.remove(index);
    }
}

/// Cash reserved for `qty` of a working buy.
pub(crate) fn reserved(unit_e9: i64, px: Px, qty: i64) -> i128 {
    // Bounded when the order was let in; parts of it are smaller.
    amount(unit_e9, px.0, qty).unwrap_or(0)
}
