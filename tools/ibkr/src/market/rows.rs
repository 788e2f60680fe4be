//! The two sides of a book as the gateway describes them, row by row, and what of it was told.

use ijk_core::{Px, Qty, Side};

/// Rows a side kept at most, whatever the gateway says.
pub const ROW_COUNT_MAX: usize = 64;

/// A level: price and total size.
pub type Level = (Px, Qty);

/// Rows of both sides, best first. With SMART depth several rows may have one price, one for each
/// exchange.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    sides: [Vec<Level>; 2],
    row_count: usize,
}

/// The operation does not fit the rows: some message was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfStep;

impl Rows {
    /// Returns empty rows, `row_count` a side.
    pub fn new(row_count: usize) -> Rows {
        Rows { sides: Default::default(), row_count: row_count.clamp(1, ROW_COUNT_MAX) }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.sides.iter_mut().for_each(Vec::clear);
    }

    /// Sets the only row of a side, or none; for quotes without depth.
    pub fn set_touch(&mut self, side: Side, level: Option<Level>) {
        let rows = &mut self.sides[side as usize];
        rows.clear();
        rows.extend(level.filter(|l| l.1.0 > 0));
    }

    /// Returns the first row of a side.
    pub fn touch(&self, side: Side) -> Option<Level> {
        self.sides[side as usize].first().copied()
    }

    /// Inserts (0), updates (1) or deletes (2) a row. A row that moves out of view is dropped; the
    /// deletion of one that did is no error.
    ///
    /// # Errors
    /// [`OutOfStep`]; the rows are then void.
    pub fn change(
        &mut self,
        side: Side,
        position: usize,
        op: u8,
        level: Level,
    ) -> Result<(), OutOfStep> {
        let row_count = self.row_count;
        let rows = &mut self.sides[side as usize];
        match op {
            0 if position <= rows.len() => {
                rows.insert(position, level);
                rows.truncate(row_count);
            }
            1 if position < rows.len() => rows[position] = level,
            2 if position < rows.len() => _ = rows.remove(position),
            2 if position == row_count => {}
            _ => return Err(OutOfStep),
        }
        Ok(())
    }

    /// Returns the levels of a side, best first: rows of one price added up, rows without a size
    /// left out.
    pub fn levels(&self, side: Side) -> Vec<Level> {
        let mut levels: Vec<Level> = Vec::with_capacity(self.sides[side as usize].len());
        for &(px, qty) in self.sides[side as usize].iter().filter(|l| l.1.0 > 0) {
            match levels.iter_mut().find(|l| l.0 == px) {
                Some(level) => level.1 = Qty(level.1.0.saturating_add(qty.0)),
                None => levels.push((px, qty)),
            }
        }
        levels.sort_by_key(|l| if side == Side::Bid { -l.0.0 } else { l.0.0 });
        levels
    }
}

/// Returns the level changes that turn `shown` into `target`; a size of 0 removes a level.
pub fn difference(shown: &[Level], target: &[Level]) -> Vec<Level> {
    let gone = shown.iter().filter(|s| target.iter().all(|t| t.0 != s.0));
    let mut changes: Vec<Level> = gone.map(|s| (s.0, Qty::ZERO)).collect();
    changes.extend(target.iter().filter(|t| !shown.contains(t)));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn level(px: i64, qty: i64) -> Level {
        (Px(px), Qty(qty))
    }

    #[test]
    fn rows_of_one_price_add_up_and_rows_out_of_view_vanish() {
        let mut rows = Rows::new(2);
        for (position, l) in [(0, level(100, 5)), (1, level(100, 7)), (0, level(101, 1))] {
            assert_eq!(rows.change(Side::Bid, position, 0, l), Ok(()));
        }
        assert_eq!(rows.levels(Side::Bid), [level(101, 1), level(100, 5)]);
        assert_eq!(rows.change(Side::Bid, 2, 2, level(0, 0)), Ok(()), "dropped already");
        assert_eq!(rows.change(Side::Bid, 1, 1, level(99, 3)), Ok(()));
        assert_eq!(rows.levels(Side::Bid), [level(101, 1), level(99, 3)]);
        for (position, op) in [(3, 0), (2, 1), (3, 2), (0, 3)] {
            assert_eq!(rows.change(Side::Bid, position, op, level(1, 1)), Err(OutOfStep));
        }
    }

    proptest! {
        #[test]
        fn who_applies_the_difference_holds_the_target(
            shown in proptest::collection::btree_map(1i64..30, 1i64..5, 0..12),
            target in proptest::collection::btree_map(1i64..30, 1i64..5, 0..12),
        ) {
            let list = |m: &BTreeMap<i64, i64>| -> Vec<Level> {
                m.iter().map(|(p, q)| level(*p, *q)).collect()
            };
            let mut held = shown.clone();
            let changes = difference(&list(&shown), &list(&target));
            for (px, qty) in &changes {
                match qty.0 {
                    0 => _ = held.remove(&px.0),
                    q => _ = held.insert(px.0, q),
                }
            }
            prop_assert_eq!(held, target.clone());
            prop_assert!(shown != target || changes.is_empty());
        }
    }
}
