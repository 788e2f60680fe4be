//! What the gate tells of itself.

use crate::account::Account;
use crate::gate::{Gate, TradingState};
use crate::limits::MONEY_PER_USD;
use ijk_core::{ClientOrderId, InstrumentId, Qty, Side};

impl Gate {
    /// Returns how much trading is allowed.
    pub fn state(&self) -> TradingState {
        self.state
    }

    /// Returns the filled position; zero for an unknown instrument.
    pub fn position(&self, instrument: InstrumentId) -> Qty {
        Qty(self.accounts.get(instrument.index()).map_or(0, |a| a.position))
    }

    /// Returns the most long and the most short position that fills of working orders can lead
    /// to, as signed quantities (saturating); zeros for an unknown instrument.
    pub fn worst_case_position(&self, instrument: InstrumentId) -> (i64, i64) {
        self.accounts.get(instrument.index()).map_or((0, 0), |a| {
            (a.position.saturating_add(a.working[0]), a.position.saturating_sub(a.working[1]))
        })
    }

    /// Returns the worst-case exposure of all instruments at their marks, dollars.
    pub fn gross_exposure_usd(&self) -> f64 {
        self.gross().map_or(f64::INFINITY, usd)
    }

    /// Returns the result of the day: realised and unrealised, fees taken off, dollars. A
    /// position without a valid mark counts at cost.
    pub fn pnl_usd(&self) -> f64 {
        usd(self.profit)
    }

    /// Returns the realised result at average cost before fees, dollars.
    pub fn realised_usd(&self) -> f64 {
        usd(self.accounts.iter().map(|a| a.realised).sum())
    }

    /// Returns the unrealised result at the marks, dollars.
    pub fn unrealised_usd(&self) -> f64 {
        usd(self.accounts.iter().map(Account::unrealised).sum())
    }

    /// Returns commission and fees paid (rebates negative), dollars.
    pub fn fees_usd(&self) -> f64 {
        usd(self.accounts.iter().map(|a| a.fees).sum())
    }

    /// Returns how far the result is below its highest so far, dollars.
    pub fn drawdown_usd(&self) -> f64 {
        usd(self.peak - self.profit)
    }

    /// Returns the largest drawdown so far, dollars.
    pub fn drawdown_max_usd(&self) -> f64 {
        usd(self.drawdown_max)
    }

    /// Returns the number of working orders.
    pub fn working_count(&self) -> usize {
        self.working.len()
    }

    /// Returns the working orders as instrument, id, side and quantity left; no particular but a
    /// deterministic order. For the cancel sweep of a kill.
    pub fn working_orders(
        &self,
    ) -> impl Iterator<Item = (InstrumentId, ClientOrderId, Side, Qty)> + '_ {
        self.working.iter().map(|o| (o.instrument, o.id, o.side, Qty(o.leaves)))
    }
}

fn usd(money: i128) -> f64 {
    money as f64 / MONEY_PER_USD
}
