//! Implementation shortfall of one parent, taken apart exactly.
//!
//! Prices are doubled, so that a mid is a whole number, and money is counted in half 1e-18 of a
//! currency unit: every part is an integer and the parts add up to the total to the last unit.
//!
//! With decision price `a` (mid when the parent started), `m1` the mid when its first order left,
//! `ms` when this order left, `mf` when the fill was known, `t` the far touch then, `p` the fill
//! price, `e` the mid when the parent ended, all times the quantity and the side's sign:
//!
//! - delay, m1 − a: waiting for the first order;
//! - timing, ms − m1, and mf − ms of an order that rested: the market went on meanwhile;
//! - impact, mf − ms and p − t of an order that took: the price went away from it, and the levels
//!   it went through;
//! - spread, t − mf, or p − mf of an order that rested: paid to cross, earned (negative) to rest.
//!
//! Opportunity is `e − a` of what was not filled; fees are what the venue charged. The mids go
//! out of the sum: it is what was paid against what the decision price would have cost.

use ijk_core::{Instrument, Side};

/// The parts, positive a cost. Unit: 0.5e-18 currency units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Waiting for the first order.
    pub delay: i128,
    /// Market moves between first order, this order and, for makers, its fill.
    pub timing: i128,
    /// Moves away from orders that took, and depth they went through.
    pub impact: i128,
    /// Half-spreads paid and earned.
    pub spread: i128,
    /// What was not filled.
    pub opportunity: i128,
    /// Commission and fees.
    pub fees: i128,
}

impl Parts {
    /// Names in the order of [`Parts::values`].
    pub const NAMES: [&'static str; 6] =
        ["delay", "timing", "impact", "spread", "opportunity", "fees"];

    /// Returns the parts in the order of their names.
    pub fn values(&self) -> [i128; 6] {
        [self.delay, self.timing, self.impact, self.spread, self.opportunity, self.fees]
    }

    /// Returns the sum.
    pub fn total(&self) -> i128 {
        self.values().iter().sum()
    }

    /// Returns the parts in 1e-9 currency units, rounded so that they add up to the rounded total
    /// exactly: each is the step between two rounded sums.
    pub fn rounded_e9(&self) -> [i64; 6] {
        let round = |v: i128| {
            let whole = v.div_euclid(UNITS_PER_E9);
            let up = v.rem_euclid(UNITS_PER_E9) * 2 >= UNITS_PER_E9;
            (whole + i128::from(up)).clamp(i64::MIN.into(), i64::MAX.into()) as i64
        };
        let mut sum = 0;
        self.values().map(|v| {
            let before = round(sum);
            sum += v;
            round(sum).saturating_sub(before)
        })
    }
}

/// Units of [`Parts`] in 1e-9 currency units.
const UNITS_PER_E9: i128 = 2_000_000_000;
/// The unit of [`Parts`] in currency units.
pub const UNIT: f64 = 0.5e-18;

/// Twice a mid price.
pub type Mid2 = i128;

/// What one fill did, kept so that it can be taken back.
#[derive(Clone, Copy, Debug)]
pub struct Booked {
    /// Index of the parent.
    pub parent: usize,
    qty: i64,
    value: i128,
    parts: Parts,
    maker: bool,
}

/// One fill, prices in 1e-9 currency units.
#[derive(Clone, Copy, Debug)]
pub struct FillFacts {
    /// Quantity.
    pub qty: i64,
    /// Price.
    pub px: i64,
    /// Whether the order rested.
    pub maker: bool,
    /// Mid when the order left.
    pub sent: Mid2,
    /// Mid when the fill was known.
    pub known: Mid2,
    /// Far touch then.
    pub far_touch: i64,
}

/// The account of one parent.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    sign: i128,
    unit_e9: i128,
    qty: i64,
    arrival: Mid2,
    first: Option<Mid2>,
    end: Option<Mid2>,
    filled: i64,
    /// Quantity filled by resting.
    maker_qty: i64,
    /// Twice price times quantity.
    value: i128,
    parts: Parts,
}

impl Account {
    /// Opens the account of a parent of `qty` that starts at the mid `arrival`.
    pub fn new(i: &Instrument, side: Side, qty: i64, arrival: Mid2) -> Account {
        Account {
            sign: i128::from(side.sign()),
            unit_e9: i128::from(i.qty_unit_e9),
            qty,
            arrival,
            first: None,
            end: None,
            filled: 0,
            maker_qty: 0,
            value: 0,
            parts: Parts::default(),
        }
    }

    /// An order left at the mid `now`.
    pub fn order(&mut self, now: Mid2) {
        self.first.get_or_insert(now);
    }

    /// Books a fill.
    pub fn fill(&mut self, parent: usize, f: &FillFacts) -> Booked {
        let first = self.first.unwrap_or(f.sent);
        let px = 2 * i128::from(f.px);
        let touch = 2 * i128::from(f.far_touch);
        let scale = self.sign * i128::from(f.qty) * self.unit_e9;
        let (rested, spread, through) = match f.maker {
            true => (f.known - f.sent, px - f.known, 0),
            false => (0, touch - f.known, f.known - f.sent + px - touch),
        };
        let parts = Parts {
            delay: scale * (first - self.arrival),
            timing: scale * (f.sent - first + rested),
            impact: scale * through,
            spread: scale * spread,
            ..Parts::default()
        };
        let value = px * i128::from(f.qty);
        let booked = Booked { parent, qty: f.qty, value, parts, maker: f.maker };
        self.apply(&booked, 1);
        booked
    }

    /// Takes a fill back.
    pub fn bust(&mut self, booked: &Booked) {
        self.apply(booked, -1);
    }

    fn apply(&mut self, b: &Booked, times: i64) {
        let n = i128::from(times);
        self.filled += times * b.qty;
        self.maker_qty += if b.maker { times * b.qty } else { 0 };
        self.value += n * b.value;
        self.parts.delay += n * b.parts.delay;
        self.parts.timing += n * b.parts.timing;
        self.parts.impact += n * b.parts.impact;
        self.parts.spread += n * b.parts.spread;
    }

    /// Adds a fee, 1e-9 currency units.
    pub fn fee(&mut self, fee_e9: i64) {
        self.parts.fees += i128::from(fee_e9) * UNITS_PER_E9;
    }

    /// The parent ended at the mid `now`; only the first end counts.
    pub fn end(&mut self, now: Mid2) {
        self.end.get_or_insert(now);
    }

    /// Returns the parts; `now` is the mid for a parent that has not ended.
    pub fn parts(&self, now: Mid2) -> Parts {
        let open = i128::from(self.qty - self.filled) * self.unit_e9;
        let moved = self.end.unwrap_or(now) - self.arrival;
        Parts { opportunity: self.sign * open * moved, ..self.parts }
    }

    /// Returns the shortfall from what was paid alone, for comparison with the parts.
    pub fn shortfall(&self, now: Mid2) -> i128 {
        let paid = (self.value - self.arrival * i128::from(self.filled)) * self.unit_e9;
        let open = i128::from(self.qty - self.filled) * self.unit_e9;
        let moved = self.end.unwrap_or(now) - self.arrival;
        self.sign * (paid + open * moved) + self.parts.fees
    }

    /// Returns the value of the whole parent at arrival, currency units.
    pub fn arrival_value(&self) -> f64 {
        (self.arrival * i128::from(self.qty) * self.unit_e9) as f64 * UNIT
    }

    /// Returns the arrival mid, currency units.
    pub fn arrival_px(&self) -> f64 {
        self.arrival as f64 * 0.5e-9
    }

    /// Returns the average fill price, currency units; NaN without a fill.
    pub fn average_px(&self) -> f64 {
        if self.filled == 0 { f64::NAN } else { self.value as f64 * 0.5e-9 / self.filled as f64 }
    }

    /// Returns the part of the filled quantity that was filled by resting; NaN without a fill.
    pub fn maker_share(&self) -> f64 {
        if self.filled == 0 { f64::NAN } else { self.maker_qty as f64 / self.filled as f64 }
    }

    /// Returns the part of the parent that was filled.
    pub fn filled_share(&self) -> f64 {
        self.filled as f64 / self.qty.max(1) as f64
    }

    /// Returns +1 for a buy, −1 for a sale.
    pub fn sign(&self) -> f64 {
        self.sign as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ijk_core::Symbol;

    fn share() -> Instrument {
        Instrument::us_equity(Symbol::new("X").unwrap())
    }

    const CENT: i64 = 10_000_000;

    /// A buy of 100 decided at 10.00. First order at 10.02; 40 rest and fill at 10.01 with the
    /// mid at 10.03; 50 take at 10.06, far touch 10.05, mid 10.04 then and when sent; 10 are not
    /// filled, mid 10.10 at the end; a dollar of fees.
    #[test]
    fn a_parent_by_hand() {
        let mid = |cents: i64| i128::from(2 * cents * CENT);
        let mut a = Account::new(&share(), Side::Bid, 100, mid(1000));
        a.order(mid(1002));
        let rest = FillFacts {
            qty: 40,
            px: 1001 * CENT,
            maker: true,
            sent: mid(1002),
            known: mid(1003),
            far_touch: 1004 * CENT,
        };
        a.fill(0, &rest);
        let take = FillFacts {
            qty: 50,
            px: 1006 * CENT,
            maker: false,
            sent: mid(1004),
            known: mid(1004),
            far_touch: 1005 * CENT,
        };
        let booked = a.fill(0, &take);
        a.fee(1_000_000_000);
        a.end(mid(1010));
        a.end(mid(9999));
        let p = a.parts(0);
        let usd = |v: i128| v as f64 * UNIT;
        let want = [90.0 * 0.02, 40.0 * 0.01 + 50.0 * 0.02, 0.5, -40.0 * 0.02 + 0.5, 1.0, 1.0];
        for ((name, got), want) in Parts::NAMES.iter().zip(p.values()).zip(want) {
            assert!((usd(got) - want).abs() < 1e-12, "{name}: {} is not {want}", usd(got));
        }
        assert_eq!(p.total(), a.shortfall(0));
        assert!((a.maker_share() - 40.0 / 90.0).abs() < 1e-12);
        assert!((a.average_px() - (40.0 * 10.01 + 50.0 * 10.06) / 90.0).abs() < 1e-12);
        a.bust(&booked);
        assert_eq!(a.parts(0).total(), a.shortfall(0));
        assert!((a.average_px() - 10.01).abs() < 1e-12);
    }

    /// Random lives of parents in shares and in 1e-9 units, bought and sold: the parts add up to
    /// the shortfall to the last unit, and so do their rounded values.
    #[test]
    fn parts_add_up_to_the_last_unit() {
        let mut x = 7u64;
        let mut draw = |n: i64| {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((x >> 33) as i64) % n
        };
        for case in 0..2_000 {
            let coin = Instrument { qty_unit_e9: 1, ..share() };
            let i = if case % 2 == 0 { share() } else { coin };
            let side = if draw(2) == 0 { Side::Bid } else { Side::Ask };
            let mid = move |d: i64| i128::from(1_000_000_007 + d);
            let mut a = Account::new(&i, side, 1 + draw(1_000_000), mid(draw(999)));
            let mut booked = Vec::new();
            for _ in 0..draw(20) {
                a.order(mid(draw(999)));
                let facts = FillFacts {
                    qty: 1 + draw(50_000),
                    px: 500_000_000 + draw(9_999),
                    maker: draw(2) == 0,
                    sent: mid(draw(999)),
                    known: mid(draw(999)),
                    far_touch: 500_000_000 + draw(9_999),
                };
                booked.push(a.fill(0, &facts));
                a.fee(draw(1_000) - 300);
            }
            if draw(3) == 0
                && let Some(b) = booked.first()
            {
                a.bust(b);
            }
            let now = mid(draw(999));
            let parts = a.parts(now);
            assert_eq!(parts.total(), a.shortfall(now));
            let sum: i64 = parts.rounded_e9().iter().sum();
            let exact = parts.total() as f64 / UNITS_PER_E9 as f64;
            assert!((sum as f64 - exact).abs() <= 0.5 + 1e-3, "{sum} {exact}");
        }
    }
}
