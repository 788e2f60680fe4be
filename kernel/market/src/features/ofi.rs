//! The best five levels of a side, and the order flow from one row to the next.

use crate::ladder::key_of;
use crate::{Book, Level};
use ijk_core::limits::FEATURE_LEVEL_COUNT;
use ijk_core::{Px, Qty, Side};

/// A level that is not there: size 0 at price 0.
pub(super) const MISSING: Level = Level { px: Px(0), qty: Qty(0) };

/// The best five levels of one side; [`MISSING`] beyond the last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Top {
    pub(super) levels: [Level; FEATURE_LEVEL_COUNT],
    /// Their keys, which grow towards better prices on either side; the least for a missing one.
    keys: [i64; FEATURE_LEVEL_COUNT],
    /// The book's count of changes among these levels when they were read.
    change_count: u64,
}

impl Top {
    pub(super) const EMPTY: Top = Top {
        levels: [MISSING; FEATURE_LEVEL_COUNT],
        keys: [i64::MIN; FEATURE_LEVEL_COUNT],
        change_count: 0,
    };

    #[inline]
    pub(super) fn of(book: &Book, side: Side) -> Top {
        let mut top = Top { change_count: book.near_change_count(side), ..Top::EMPTY };
        let count = book.levels(side, &mut top.levels);
        for (key, level) in top.keys.iter_mut().zip(&top.levels[..count]) {
            *key = key_of(side, level.px);
        }
        top
    }

    /// Reads the levels again and returns what came to the side (positive) or left it
    /// (negative), at the best level and summed over all five. A side whose best five did not
    /// change has no flow and is not read.
    #[inline]
    pub(super) fn advance(&mut self, book: &Book, side: Side) -> (f64, f64) {
        if book.near_change_count(side) == self.change_count {
            return (0.0, 0.0);
        }
        let after = Top::of(book, side);
        let mut flows = [0.0; FEATURE_LEVEL_COUNT];
        for (k, flow) in flows.iter_mut().enumerate() {
            *flow = self.flow(k, &after);
        }
        *self = after;
        (flows[0], flows.iter().sum())
    }

    /// Returns one side's part of eₙ (Cont, Kukanov, Stoikov 2014) at level `k`. A level there
    /// only after the row came with all its size; one there only before left with all of it: a
    /// missing one has the least key and no size.
    #[inline]
    fn flow(&self, k: usize, after: &Top) -> f64 {
        let size = |counts: bool, top: &Top| if counts { top.levels[k].qty.0 as f64 } else { 0.0 };
        size(after.keys[k] >= self.keys[k], after) - size(self.keys[k] >= after.keys[k], self)
    }

    /// Returns the summed sizes.
    pub(super) fn depth(&self) -> f64 {
        self.levels.iter().map(|l| l.qty.0 as f64).sum()
    }
}
