//! What we took of displayed levels.

use ijk_core::{Px, Side};

/// Levels of one instrument we may have taken from at once and still be shown. When the table is
/// full, further levels count as empty: fewer fills, never invented ones.
pub(crate) const DEBT_COUNT_MAX: usize = 128;

#[derive(Clone, Copy, Debug)]
struct Debt {
    side: Side,
    px: Px,
    qty: i64,
}

/// Quantity per level that the replayed book still shows although we took it.
///
/// The market on file never saw our order, so a level goes on showing what we took. What is left
/// for the next order is `displayed - taken`. Quantity that joins the level later is new and can
/// be taken; quantity that leaves it in the replay was first what nobody had taken from us, so the
/// debt only shrinks when the level itself holds less than the debt, and ends with the level.
#[derive(Clone, Debug)]
pub(crate) struct Debts {
    entries: Vec<Debt>,
}

impl Debts {
    pub(crate) fn new() -> Debts {
        Debts { entries: Vec::with_capacity(DEBT_COUNT_MAX) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What is left of `displayed` at a level.
    pub(crate) fn available(&self, side: Side, px: Px, displayed: i64) -> i64 {
        match self.entries.iter().find(|d| d.side == side && d.px == px) {
            Some(d) => (displayed - d.qty).max(0),
            None if self.entries.len() == DEBT_COUNT_MAX => 0,
            None => displayed,
        }
    }

    /// Notes that we took `qty`, which [`Debts::available`] had said there was.
    pub(crate) fn take(&mut self, side: Side, px: Px, qty: i64) {
        assert!(qty > 0);
        match self.entries.iter_mut().find(|d| d.side == side && d.px == px) {
            Some(d) => d.qty += qty,
            None => {
                assert!(self.entries.len() < DEBT_COUNT_MAX, "a full table has nothing to take");
                self.entries.push(Debt { side, px, qty });
            }
        }
    }

    /// Cuts every debt to what its level displays now.
    pub(crate) fn settle(&mut self, displayed: impl Fn(Side, Px) -> i64) {
        self.entries.retain_mut(|d| {
            d.qty = d.qty.min(displayed(d.side, d.px));
            d.qty > 0
        });
    }
}
