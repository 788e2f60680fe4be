//! One instrument's account: position at average cost, fees, mark, working quantity, latches.

use crate::limits::{Limits, Rules};
use crate::watch::Watch;
use crate::window::WindowSum;
use ijk_core::{Instrument, ParentId, Px, Qty, Side};

/// The arithmetic does not hold the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

/// Largest amount the ledger takes: 2^100 money units, about 1.27e12 dollars. Sums of 2^26 of
/// them still fit 128 bits, so the additions below need no checks.
const AMOUNT_MAX: u128 = 1 << 100;

/// Price times quantity in money units (1e-18 dollars).
pub(crate) fn amount(unit_e9: i64, px: i64, qty: i64) -> Result<i128, Overflow> {
    let product = match px.checked_mul(qty) {
        // One multiplication of the machine each, and the second cannot overflow.
        Some(short) => Some(i128::from(short) * i128::from(unit_e9)),
        None => (i128::from(px) * i128::from(qty)).checked_mul(i128::from(unit_e9)),
    };
    product.filter(|v| v.unsigned_abs() <= AMOUNT_MAX).ok_or(Overflow)
}

#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub instrument: Instrument,
    /// Filled position.
    pub position: i64,
    /// Open quantity of working buys and of working sells.
    pub working: [i64; 2],
    /// Last valid mid, `None` after an invalid one.
    pub mark: Option<Px>,
    /// What working buys can cost, money units.
    pub reserved: i128,
    /// Working orders of each side.
    pub open: [u32; 2],
    /// Result since the position was last flat, fees in.
    trip: i128,
    /// Adverse slippage of the recent fills, money units.
    pub slippage: WindowSum,
    /// Recent entries, and the parent of the last one.
    pub entries: WindowSum,
    pub entry_parent: ParentId,
    /// Which limits made the instrument reduce-only for the run: slippage, entries.
    pub slippage_latched: bool,
    pub entry_latched: bool,
    pub watch: Watch,
    pub rules: Rules,
    /// Cost of the open position, its sign; money units.
    pub cost: i128,
    /// Value of the open position at the mark, at cost where there is none.
    value: i128,
    pub realised: i128,
    pub fees: i128,
}

impl Account {
    pub(crate) fn new(instrument: Instrument, rules: Rules, limits: &Limits) -> Account {
        Account {
            instrument,
            reserved: 0,
            open: [0; 2],
            trip: 0,
            slippage: WindowSum::new(limits.slippage_window_ns),
            entries: WindowSum::new(limits.entry_window_ns),
            entry_parent: ParentId(0),
            slippage_latched: limits.slippage.is_none() || limits.slippage_window_ns == 0,
            entry_latched: false,
            watch: Watch::new(),
            rules,
            position: 0,
            working: [0; 2],
            mark: None,
            cost: 0,
            value: 0,
            realised: 0,
            fees: 0,
        }
    }

    /// Profit after fees; an unmarked position counts at cost.
    pub(crate) fn profit(&self) -> i128 {
        self.realised + self.unrealised() - self.fees
    }

    pub(crate) fn unrealised(&self) -> i128 {
        self.value - self.cost
    }

    /// Most long and most short positions that working orders can lead to, with `extra` more of
    /// `side`.
    pub(crate) fn worst_with(&self, side: Side, extra: i64) -> Result<(i64, i64), Overflow> {
        let mut working = if bug!(WorkingNotCounted) { [0; 2] } else { self.working };
        let of_side = &mut working[side as usize];
        *of_side = of_side.checked_add(extra).ok_or(Overflow)?;
        let long = self.position.checked_add(working[Side::Bid as usize]).ok_or(Overflow)?;
        let short = self.position.checked_sub(working[Side::Ask as usize]).ok_or(Overflow)?;
        Ok((long, short))
    }

    /// Largest absolute position of [`Account::worst_with`].
    pub(crate) fn worst_abs_with(&self, side: Side, extra: i64) -> Result<i64, Overflow> {
        let (long, short) = self.worst_with(side, extra)?;
        let long = long.checked_abs().ok_or(Overflow)?;
        Ok(long.max(short.checked_abs().ok_or(Overflow)?))
    }

    /// Whether `qty` of `side` only shrinks the position even if every working order of that
    /// side fills too.
    pub(crate) fn reduces(&self, side: Side, qty: i64) -> bool {
        let against = match side {
            Side::Bid => self.position.checked_neg(),
            Side::Ask => Some(self.position),
        };
        let total = self.working[side as usize].checked_add(qty);
        matches!((against, total), (Some(p), Some(t)) if p > 0 && t <= p)
    }

    pub(crate) fn set_mark(&mut self, mark: Option<Px>) -> Result<(), Overflow> {
        self.mark = mark;
        self.revalue()
    }

    fn revalue(&mut self) -> Result<(), Overflow> {
        self.value = self.cost;
        let Some(mark) = self.mark else { return Ok(()) };
        match amount(self.instrument.qty_unit_e9, mark.0, self.position) {
            Ok(value) => self.value = value,
            Err(overflow) => {
                self.mark = None;
                return Err(overflow);
            }
        }
        Ok(())
    }

    /// Applies a fill at average cost; returns the result of the round trip that it ended, if it
    /// ended one. On overflow of the amounts nothing has changed.
    pub(crate) fn fill(
        &mut self,
        side: Side,
        px: Px,
        qty: Qty,
        fee: i128,
    ) -> Result<Option<i128>, Overflow> {
        assert!(qty.0 > 0 && px.0 > 0, "the ledger checks fills before it applies them");
        let unit = self.instrument.qty_unit_e9;
        let sign = side.sign();
        let position = self.position.checked_add(sign * qty.0).ok_or(Overflow)?;
        let held = i128::from(self.position).abs();
        let against = self.position.signum() == -sign;
        let closing = if against { i128::from(qty.0).min(held) as i64 } else { 0 };
        let closed = amount(unit, px.0, closing)?;
        let opened = amount(unit, px.0, qty.0 - closing)?;
        // cost * closing / held without a product that could overflow: closing <= held.
        let released = if closing == 0 {
            0
        } else {
            let closing = i128::from(closing);
            self.cost / held * closing + self.cost % held * closing / held
        };
        let ends_trip = closing > 0 && i128::from(closing) == held;
        let sign = i128::from(sign);
        let result = -sign * closed - released;
        self.realised += result;
        self.cost += sign * opened - released;
        self.fees += fee;
        self.trip += result - fee;
        self.position = position;
        assert!(self.position != 0 || self.cost == 0, "a flat position has no cost");
        self.revalue()?;
        Ok(ends_trip.then(|| core::mem::take(&mut self.trip)))
    }

    /// Adds a fee that became known after its execution.
    pub(crate) fn add_fee(&mut self, fee: i128) {
        self.fees += fee;
        self.trip -= fee;
    }

    /// Takes over what an earlier run left.
    pub(crate) fn adopt(
        &mut self,
        position: i64,
        cost: i128,
        realised: i128,
        fees: i128,
    ) -> Result<(), Overflow> {
        let sane = |v: i128| v.unsigned_abs() <= AMOUNT_MAX;
        let signs_agree = cost.signum() * i128::from(position.signum()) >= 0;
        let flat = position != 0 || cost == 0;
        if !(sane(cost) && sane(realised) && sane(fees) && signs_agree && flat) {
            return Err(Overflow);
        }
        position.checked_abs().ok_or(Overflow)?;
        (self.position, self.cost, self.realised, self.fees) = (position, cost, realised, fees);
        self.trip = 0;
        self.revalue()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ijk_core::Symbol;
    use ijk_core::config::RiskConfig;
    use proptest::prelude::*;

    fn account() -> Account {
        let config = RiskConfig::simulation();
        let instrument = Instrument::us_equity(Symbol::new("T").unwrap());
        Account::new(instrument, Rules::new(&config, &instrument), &Limits::new(&config))
    }

    const USD: i128 = 1_000_000_000_000_000_000;

    #[test]
    fn average_cost_by_hand() {
        let mut a = account();
        let px = |v: i64| Px(v * 1_000_000_000);
        a.fill(Side::Bid, px(10), Qty(100), 0).unwrap();
        a.fill(Side::Bid, px(20), Qty(100), 0).unwrap();
        // 200 at an average of 15; sell 50 at 25: 500 realised.
        a.fill(Side::Ask, px(25), Qty(50), 0).unwrap();
        assert_eq!((a.position, a.realised / USD), (150, 500));
        a.set_mark(Some(px(16))).unwrap();
        assert_eq!(a.unrealised() / USD, 150);
        // Through zero: 150 closed at 14 (-150), 50 short at 14.
        a.fill(Side::Ask, px(14), Qty(200), 3 * USD).unwrap();
        assert_eq!((a.position, a.realised / USD), (-50, 350));
        assert_eq!(a.unrealised() / USD, -100);
        assert_eq!(a.profit() / USD, 350 - 100 - 3);
        a.fill(Side::Bid, px(12), Qty(50), 0).unwrap();
        assert_eq!((a.position, a.realised / USD, a.unrealised()), (0, 450, 0));
    }

    proptest! {
        /// Whatever the order of fills: profit = cash + position x mark.
        #[test]
        fn profit_is_cash_plus_value(
            fills in prop::collection::vec((any::<bool>(), 1i64..1_000_000, 1i64..5_000), 1..60),
            mark in 1i64..1_000_000,
        ) {
            let mut a = account();
            let (mut cash, mut position) = (0i128, 0i128);
            for (buy, px, qty) in fills {
                let (side, sign) = if buy { (Side::Bid, 1) } else { (Side::Ask, -1) };
                a.fill(side, Px(px), Qty(qty), 7).unwrap();
                cash -= sign * i128::from(px) * i128::from(qty) * 1_000_000_000 + 7 * sign * sign;
                position += sign * i128::from(qty);
            }
            a.set_mark(Some(Px(mark))).unwrap();
            prop_assert_eq!(i128::from(a.position), position);
            prop_assert_eq!(a.profit(), cash + position * i128::from(mark) * 1_000_000_000);
        }
    }
}
