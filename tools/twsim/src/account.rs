//! Cash, positions, profit and loss.

use crate::contracts::Inst;
use crate::num::Shares;
use std::collections::BTreeMap;

/// A position.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Position {
    /// Shares or contracts; below zero is short.
    pub shares: Shares,
    /// Cost of what is held, dollars, commissions in; below zero for a short one.
    pub cost: f64,
    /// Profit and loss of what was closed, dollars.
    pub realized: f64,
    /// Position at the start of the day.
    pub start_shares: Shares,
}

impl Position {
    /// Returns the mean cost of one share or contract, dollars.
    pub fn avg_cost(&self) -> f64 {
        if self.shares.0 == 0 { 0.0 } else { self.cost / self.shares.as_f64() }
    }
}

/// The account.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Cash, dollars.
    pub cash: f64,
    /// Cash at the start, and the value of positions given then: the day's result counts from it.
    pub start_value: f64,
    /// Commissions paid, dollars.
    pub commissions: f64,
    positions: BTreeMap<Inst, Position>,
}

impl Account {
    /// Returns an account with cash alone.
    pub fn new(cash: f64) -> Account {
        Account { cash, start_value: cash, ..Account::default() }
    }

    /// Returns positions, those closed today included.
    pub fn positions(&self) -> impl Iterator<Item = (Inst, &Position)> {
        self.positions.iter().map(|(inst, p)| (*inst, p))
    }

    /// Returns one position.
    pub fn position(&self, inst: Inst) -> Position {
        self.positions.get(&inst).copied().unwrap_or_default()
    }

    /// Puts a position in place, as from an earlier day.
    pub fn endow(&mut self, inst: Inst, shares: Shares, price: f64) {
        let multiplier = multiplier(inst);
        let cost = shares.as_f64() * price * multiplier;
        self.start_value += cost;
        let position = Position { shares, cost, realized: 0.0, start_shares: shares };
        self.positions.insert(inst, position);
    }

    /// Books a fill; returns the profit or loss it realised, commission taken off, or `None` if
    /// it only opened.
    pub fn fill(
        &mut self,
        inst: Inst,
        buy: bool,
        size: Shares,
        price: f64,
        commission: f64,
    ) -> Option<f64> {
        let signed = if buy { size } else { Shares(-size.0) };
        let value = signed.as_f64() * price * multiplier(inst);
        self.cash -= value + commission;
        self.commissions += commission;
        let p = self.positions.entry(inst).or_default();
        let closes = p.shares.0 != 0 && (p.shares.0 > 0) != buy;
        if !closes {
            p.shares.0 += signed.0;
            p.cost += value + commission;
            return None;
        }
        let closed = Shares(size.0.min(p.shares.0.abs()));
        let share = closed.0 as f64 / size.0 as f64;
        let cost_out = p.cost * (closed.0 as f64 / p.shares.0.abs() as f64);
        let realized = -value * share - cost_out - commission;
        p.cost -= cost_out;
        p.shares.0 += if buy { closed.0 } else { -closed.0 };
        p.realized += realized;
        let rest = Shares(size.0 - closed.0);
        if rest.0 > 0 {
            p.shares.0 += if buy { rest.0 } else { -rest.0 };
            p.cost += value * (1.0 - share);
        }
        Some(realized)
    }

    /// Changes the price of a fill already booked: a correction, or (price for price) a bust.
    pub fn amend_cash(&mut self, inst: Inst, buy: bool, size: Shares, by: f64) {
        let value = size.as_f64() * by * multiplier(inst) * if buy { 1.0 } else { -1.0 };
        self.cash -= value;
        if let Some(p) = self.positions.get_mut(&inst) {
            p.cost += value;
        }
    }
}

/// Returns shares per unit of an instrument.
pub fn multiplier(inst: Inst) -> f64 {
    if inst.option.is_some() { 100.0 } else { 1.0 }
}

/// Returns the commission of a fill, dollars: the fixed rates the broker publishes for the US.
/// Stocks: half a cent a share, one dollar at least an order (`first` fill), one percent of the
/// value at most. Options: 65 cents a contract, one dollar at least.
pub fn commission(inst: Inst, size: Shares, price: f64, first: bool) -> f64 {
    let least = if first { 1.0 } else { 0.0 };
    let raw = match inst.option {
        Some(_) => (0.65 * size.as_f64()).max(least),
        None => (0.005 * size.as_f64()).max(least).min(0.01 * size.as_f64() * price),
    };
    (raw * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INST: Inst = Inst { stock: 0, option: None };

    #[test]
    fn a_round_trip_realises_its_difference_less_commissions() {
        let mut a = Account::new(10_000.0);
        assert_eq!(a.fill(INST, true, Shares::whole(100), 10.0, 1.0), None);
        assert_eq!(a.position(INST).avg_cost(), 10.01);
        let realized = a.fill(INST, false, Shares::whole(100), 11.0, 1.0).unwrap();
        assert!((realized - 98.0).abs() < 1e-9);
        assert!((a.cash - 10_098.0).abs() < 1e-9);
        assert_eq!(a.position(INST).shares, Shares::ZERO);
    }

    #[test]
    fn commissions_are_the_published_ones() {
        for (size, price, first, want) in [
            (100, 50.0, true, 1.0),
            (1000, 50.0, true, 5.0),
            (10, 0.5, true, 0.05),
            (100, 50.0, false, 0.5),
        ] {
            assert_eq!(commission(INST, Shares::whole(size), price, first), want);
        }
    }

    proptest! {
        /// Whatever is traded, cash and positions at a price are the money brought in plus the
        /// result, and shares are the sum of what was bought and sold.
        #[test]
        fn money_and_shares_are_conserved(
            fills in proptest::collection::vec((any::<bool>(), 1i64..500, 1u32..20_000), 1..60),
        ) {
            let mut a = Account::new(1e6);
            let (mut shares, mut cash, mut realized) = (0, 1e6, 0.0);
            for (buy, size, cents) in fills {
                let price = f64::from(cents) / 100.0;
                realized += a.fill(INST, buy, Shares::whole(size), price, 0.5).unwrap_or(0.0);
                shares += if buy { size } else { -size };
                cash -= if buy { 1.0 } else { -1.0 } * size as f64 * price + 0.5;
            }
            let p = a.position(INST);
            prop_assert_eq!(p.shares, Shares::whole(shares));
            prop_assert!((a.cash - cash).abs() < 1e-6);
            // Cash spent is what the position cost, less what was realised.
            prop_assert!((1e6 - a.cash - (p.cost - realized)).abs() < 1e-6);
        }
    }
}
