//! The best five levels of a side, and the order flow from one row to the next.

use crate::{Book, Level};
use ijk_core::limits::FEATURE_LEVEL_COUNT;
use ijk_core::{Px, Qty, Side};

/// A level that is not there: size 0 at price 0.
pub(super) const MISSING: Level = Level { px: Px(0), qty: Qty(0) };

/// The best five levels of one side; [`MISSING`] beyond the last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Top {
    pub(super) levels: [Level; FEATURE_LEVEL_COUNT],
    /// The book's change count of this side when the levels were read.
    change_count: u64,
}

impl Top {
    pub(super) const EMPTY: Top = Top { levels: [MISSING; FEATURE_LEVEL_COUNT], change_count: 0 };

    #[inline]
    pub(super) fn of(book: &Book, side: Side) -> Top {
        let mut levels = [MISSING; FEATURE_LEVEL_COUNT];
        book.levels(side, &mut levels);
        Top { levels, change_count: book.change_count(side) }
    }

    /// Reads the levels again and returns what came to the side (positive) or left it
    /// (negative), at the best level and summed over all five. A side that did not change has no
    /// flow and is not read.
    #[inline]
    pub(super) fn advance(&mut self, book: &Book, side: Side) -> (f64, f64) {
        if book.change_count(side) == self.change_count {
            return (0.0, 0.0);
        }
        let after = Top::of(book, side);
        let mut flows = [0.0; FEATURE_LEVEL_COUNT];
        for (k, flow) in flows.iter_mut().enumerate() {
            *flow = level_flow(side, self.levels[k], after.levels[k]);
        }
        *self = after;
        (flows[0], flows.iter().sum())
    }

    /// Returns the summed sizes.
    pub(super) fn depth(&self) -> f64 {
        self.levels.iter().map(|l| l.qty.0 as f64).sum()
    }
}

/// One side's part of eₙ (Cont, Kukanov, Stoikov 2014) at one level. A level there only after the
/// row came with all its size; one there only before left with all of it.
#[inline]
fn level_flow(side: Side, before: Level, after: Level) -> f64 {
    let came = after.qty.0 > 0 && (before.qty.0 == 0 || !side.better(before.px, after.px));
    let left = before.qty.0 > 0 && (after.qty.0 == 0 || !side.better(after.px, before.px));
    let size = |counts: bool, level: Level| if counts { level.qty.0 as f64 } else { 0.0 };
    size(came, after) - size(left, before)
}
