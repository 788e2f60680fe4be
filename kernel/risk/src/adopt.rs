//! What an earlier run left, and what is found at the venue.

use crate::LedgerError;
use crate::account::amount;
use crate::execs::Execution;
use crate::gate::{Gate, TradingState};
use ijk_core::{
    AlarmCode, CarryItem, CarryKind, ClientOrderId, ExecId, InstrumentId, NewOrder, OrderType, Px,
    Qty, Side,
};

impl Gate {
    /// Counts an order that was found at the venue, or carried over from an earlier run, as
    /// working with `leaves` open: at its worst case, a market order valued at the mark. No limit
    /// refuses it: it is there. An id that works already gets these `leaves`. An order without an
    /// id of ours (0) is told by instrument and side from then on.
    ///
    /// # Errors
    /// [`LedgerError::TableFull`], [`LedgerError::UnknownOrder`] (no such instrument),
    /// [`LedgerError::BadFill`] (nothing open) or [`LedgerError::Overflow`]; the order is then
    /// not counted and trading is halted.
    pub fn adopt_order(&mut self, order: &NewOrder, leaves: Qty) -> Result<(), LedgerError> {
        let result = self.try_adopt_order(order, leaves);
        if let Err(error) = result {
            let full = matches!(error, LedgerError::TableFull(_));
            let code = if full { AlarmCode::TableFull } else { AlarmCode::BadReport };
            self.alarm(code, order.instrument, order.client_order_id, leaves.0);
            self.degrade(TradingState::Halted);
        }
        result
    }

    fn try_adopt_order(&mut self, order: &NewOrder, leaves: Qty) -> Result<(), LedgerError> {
        let id = order.client_order_id;
        if leaves.0 <= 0 {
            return Err(LedgerError::BadFill(id));
        }
        if order.instrument.index() >= self.accounts.len() {
            return Err(LedgerError::UnknownOrder(id));
        }
        if let Some(index) = self.working.find(id) {
            let w = self.working.get(index);
            if w.instrument != order.instrument || w.side != order.side {
                return Err(LedgerError::Mismatch(id));
            }
            self.release(index, w.leaves);
            self.close(index);
        }
        if self.working.is_full() {
            return Err(LedgerError::TableFull(id));
        }
        let account = &mut self.accounts[order.instrument.index()];
        let px = match order.order_type {
            OrderType::Limit => order.px,
            OrderType::Market => account.mark.unwrap_or(Px(0)),
        };
        let overflow = LedgerError::Overflow(id);
        let value = amount(account.instrument.qty_unit_e9, px.0.max(0), leaves.0);
        let value = value.map_err(|_| overflow)?;
        account.worst_abs_with(order.side, leaves.0).map_err(|_| overflow)?;
        account.working[order.side as usize] += leaves.0;
        account.open[order.side as usize] += 1;
        if order.side == Side::Bid {
            account.reserved += value;
        }
        self.working.insert(&NewOrder { qty: leaves, ..*order }, Px(px.0.max(0)));
        Ok(())
    }

    /// Takes over an instrument's account: position, cost, realised result, fees. The loss limits
    /// go on from them, and settled cash is less by the cost of a long position and the fees. An
    /// item that is no account of a known instrument, or whose numbers contradict each other, is
    /// not taken: trading is halted and an alarm raised.
    pub fn adopt_account(&mut self, item: &CarryItem) {
        let (cost, realised) = (CarryItem::join(item.cost), CarryItem::join(item.realised));
        let fees = CarryItem::join(item.fees);
        let account = self.accounts.get_mut(item.instrument.index());
        let adopted = account.filter(|_| item.kind == CarryKind::Account).map(|a| {
            let (before, spent) = (a.profit(), a.cost.max(0).saturating_add(a.fees));
            a.adopt(item.qty.0, cost, realised, fees)?;
            Ok::<_, crate::account::Overflow>((
                a.profit() - before,
                a.cost.max(0).saturating_add(a.fees) - spent,
            ))
        });
        let Some(Ok((profit, spent))) = adopted else {
            self.alarm(AlarmCode::BadReport, item.instrument, ClientOrderId(0), item.qty.0);
            self.degrade(TradingState::Halted);
            return;
        };
        self.profit += profit;
        self.spent = self.spent.saturating_add(spent);
        self.judge_profit();
    }

    /// Returns what [`Gate::adopt_account`] takes; all zero for an unknown instrument.
    pub fn account_item(&self, instrument: InstrumentId) -> CarryItem {
        let mut item = CarryItem::new(CarryKind::Account);
        item.instrument = instrument;
        if let Some(a) = self.accounts.get(instrument.index()) {
            item.qty = Qty(a.position);
            item.cost = CarryItem::split(a.cost);
            item.realised = CarryItem::split(a.realised);
            item.fees = CarryItem::split(a.fees);
        }
        item
    }

    /// Remembers an execution that is in the accounts taken over, so that its repetition is not
    /// booked. Zero is ignored. A bust of it is booked with the bust's own numbers.
    pub fn remember_execution(&mut self, id: ExecId) {
        if id.0 != 0 {
            self.execs.insert(Execution::bare(id));
        }
    }

    /// Takes every client order id up to this one as used.
    pub fn set_client_floor(&mut self, id: ClientOrderId) {
        self.client_id_max = self.client_id_max.max(id.0);
    }
}
