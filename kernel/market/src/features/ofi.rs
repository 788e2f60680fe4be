//! The best five levels of both sides, and the order flow between two of them.

use crate::{Book, Level};
use ijk_core::limits::FEATURE_LEVEL_COUNT;
use ijk_core::{Px, Qty, Side};

/// A level that is not there: size 0 at price 0.
pub(super) const MISSING: Level = Level { px: Px(0), qty: Qty(0) };

/// The best five levels of each side; [`MISSING`] beyond the last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Top {
    pub(super) bids: [Level; FEATURE_LEVEL_COUNT],
    pub(super) asks: [Level; FEATURE_LEVEL_COUNT],
}

impl Top {
    pub(super) const EMPTY: Top =
        Top { bids: [MISSING; FEATURE_LEVEL_COUNT], asks: [MISSING; FEATURE_LEVEL_COUNT] };

    #[inline]
    pub(super) fn of(book: &Book) -> Top {
        let mut top = Top::EMPTY;
        book.levels(Side::Bid, &mut top.bids);
        book.levels(Side::Ask, &mut top.asks);
        top
    }

    /// Returns the summed sizes of bids and of asks.
    pub(super) fn depth(&self) -> (f64, f64) {
        let sum = |levels: &[Level]| levels.iter().fold(0.0, |sum, l| sum + l.qty.0 as f64);
        (sum(&self.bids), sum(&self.asks))
    }
}

/// Returns the order flow imbalance of the best level and summed over all five: eₙ of Cont,
/// Kukanov, Stoikov (2014) at each.
#[inline]
pub(super) fn flow(before: &Top, after: &Top) -> (f64, f64) {
    let mut first = 0.0;
    let mut sum = 0.0;
    for k in 0..FEATURE_LEVEL_COUNT {
        let bid = side_flow(Side::Bid, before.bids[k], after.bids[k]);
        let ask = side_flow(Side::Ask, before.asks[k], after.asks[k]);
        let e = bid - ask;
        if k == 0 {
            first = e;
        }
        sum += e;
    }
    (first, sum)
}

/// Quantity that came to (positive) or left (negative) one side at one level. A level there only
/// after the event came with all its size; one there only before left with all of it.
#[inline]
fn side_flow(side: Side, before: Level, after: Level) -> f64 {
    let came = after.qty.0 > 0 && (before.qty.0 == 0 || !side.better(before.px, after.px));
    let left = before.qty.0 > 0 && (after.qty.0 == 0 || !side.better(after.px, before.px));
    let size = |counts: bool, level: Level| if counts { level.qty.0 as f64 } else { 0.0 };
    size(came, after) - size(left, before)
}
