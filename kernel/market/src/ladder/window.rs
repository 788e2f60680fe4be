//! The fast range of one side: an array indexed by tick, with a two-level bitmap of the
//! occupied cells.

/// Cells of one block, one for each bit of its word.
const WORD_BITS: usize = 64;

/// Largest distance of the range from zero and of its ends from each other: within it, no
/// difference of two keys that wraps around looks like one inside.
const REACH: u64 = 1 << 62;

/// Neighbouring cells.
type Block<V> = [V; WORD_BITS];

/// A contiguous range of on-tick keys, one cell each.
#[derive(Clone, Debug)]
pub(super) struct Window<V> {
    /// Key of cell 0.
    base: i64,
    tick: i64,
    /// 2^63/tick, rounded up: a multiply and a check cost less than a 64-bit division.
    tick_inverse: u64,
    cells: Box<[Block<V>]>,
    /// Which cells of each block are occupied: apart from them, so that all of the market's
    /// neighbourhood stays in the first-level cache.
    words: Box<[u64]>,
    /// Which blocks have an occupied cell.
    summary: Box<[u64]>,
}

impl<V: Copy + Default> Window<V> {
    pub(super) fn new(tick: i64, window_ticks: usize) -> Window<V> {
        let reach = usize::try_from(REACH / tick as u64).unwrap_or(usize::MAX);
        let blocks = window_ticks.max(1).div_ceil(WORD_BITS).min(reach / WORD_BITS);
        Window {
            base: 0,
            tick,
            tick_inverse: (1u64 << 63).div_ceil(tick as u64),
            cells: vec![[V::default(); WORD_BITS]; blocks].into_boxed_slice(),
            words: vec![0; blocks].into_boxed_slice(),
            summary: vec![0; blocks.div_ceil(WORD_BITS)].into_boxed_slice(),
        }
    }

    /// Moves the (empty) window so that cell 0 has key `base`; leaves it where it is if that is
    /// too far out.
    pub(super) fn place(&mut self, base: i64) {
        debug_assert!(self.highest().is_none(), "a window moves only when empty");
        if base.unsigned_abs() <= REACH {
            self.base = base;
        }
    }

    /// Returns the number of cells.
    pub(super) fn cell_count(&self) -> usize {
        self.cells.len() * WORD_BITS
    }

    /// Returns whether `key` is covered, leaving out the lowest eighth: a best there has most of
    /// its depth below the window.
    pub(super) fn holds_best_well(&self, key: i64) -> bool {
        let span = self.cell_count() as u64 * self.tick as u64;
        key >= self.base && {
            let offset = key.wrapping_sub(self.base) as u64;
            offset < span && offset >= span / 8
        }
    }

    /// Returns the cell of `key`, occupied or not; `None` if off the grid or outside.
    #[inline]
    pub(super) fn cell(&self, key: i64) -> Option<usize> {
        let offset = key.wrapping_sub(self.base) as u64;
        // Exact for multiples of the tick below 2^63 (Granlund and Montgomery, 1994); the check
        // sends everything else to the generic path. A key below the base is an offset beyond
        // 2^63, whose highest bit the shift drops: no index times the tick is as large.
        let index = (u128::from(offset << 1) * u128::from(self.tick_inverse)) >> 64;
        let index = index as u64;
        let found = index.wrapping_mul(self.tick as u64) == offset;
        (found && index / (WORD_BITS as u64) < self.cells.len() as u64).then_some(index as usize)
    }

    /// Returns the key of a cell.
    #[inline]
    pub(super) fn key(&self, cell: usize) -> i64 {
        self.base.wrapping_add((cell as i64).wrapping_mul(self.tick))
    }

    #[inline]
    pub(super) fn occupied(&self, cell: usize) -> bool {
        self.words[cell / WORD_BITS] >> (cell % WORD_BITS) & 1 == 1
    }

    #[inline]
    pub(super) fn value(&self, cell: usize) -> &V {
        &self.cells[cell / WORD_BITS][cell % WORD_BITS]
    }

    #[inline]
    pub(super) fn value_mut(&mut self, cell: usize) -> &mut V {
        &mut self.cells[cell / WORD_BITS][cell % WORD_BITS]
    }

    pub(super) fn insert(&mut self, cell: usize, value: V) {
        debug_assert!(!self.occupied(cell));
        let at = cell / WORD_BITS;
        self.cells[at][cell % WORD_BITS] = value;
        self.words[at] |= 1 << (cell % WORD_BITS);
        self.summary[at / WORD_BITS] |= 1 << (at % WORD_BITS);
    }

    pub(super) fn remove(&mut self, cell: usize) -> V {
        debug_assert!(self.occupied(cell));
        let at = cell / WORD_BITS;
        self.words[at] &= !(1 << (cell % WORD_BITS));
        if self.words[at] == 0 {
            self.summary[at / WORD_BITS] &= !(1 << (at % WORD_BITS));
        }
        self.cells[at][cell % WORD_BITS]
    }

    /// Returns the highest occupied cell.
    #[inline]
    pub(super) fn highest(&self) -> Option<usize> {
        self.highest_in_summary(self.summary.len())
    }

    /// Returns the highest occupied cell below `cell`.
    #[inline]
    pub(super) fn next_below(&self, cell: usize) -> Option<usize> {
        let at = cell / WORD_BITS;
        let rest = self.words[at] & ((1 << (cell % WORD_BITS)) - 1);
        if rest != 0 {
            return Some(at * WORD_BITS + top_bit(rest));
        }
        let rest = self.summary[at / WORD_BITS] & ((1 << (at % WORD_BITS)) - 1);
        if rest != 0 {
            return Some(self.highest_in(at / WORD_BITS * WORD_BITS + top_bit(rest)));
        }
        self.highest_in_summary(at / WORD_BITS)
    }

    /// Returns the lowest occupied cell.
    pub(super) fn lowest(&self) -> Option<usize> {
        let s = self.summary.iter().position(|&w| w != 0)?;
        let at = s * WORD_BITS + self.summary[s].trailing_zeros() as usize;
        Some(at * WORD_BITS + self.words[at].trailing_zeros() as usize)
    }

    pub(super) fn clear(&mut self) {
        for (s, summary) in self.summary.iter_mut().enumerate() {
            while *summary != 0 {
                let at = summary.trailing_zeros() as usize;
                self.words[s * WORD_BITS + at] = 0;
                *summary &= *summary - 1;
            }
        }
    }

    #[inline]
    fn highest_in_summary(&self, end: usize) -> Option<usize> {
        let s = self.summary[..end].iter().rposition(|&w| w != 0)?;
        Some(self.highest_in(s * WORD_BITS + top_bit(self.summary[s])))
    }

    /// Returns the highest occupied cell of a block that has one.
    #[inline]
    fn highest_in(&self, at: usize) -> usize {
        at * WORD_BITS + top_bit(self.words[at])
    }
}

/// What a cell held before, compared with what it holds now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchanged {
    /// Another quantity, or one instead of none, or none instead of one.
    pub(super) changed: bool,
    /// It was occupied.
    pub(super) was: bool,
    /// It is occupied.
    pub(super) stays: bool,
}

impl Window<i64> {
    /// Returns what a cell holds, zero where nothing.
    #[inline]
    pub(super) fn held(&self, cell: usize) -> i64 {
        if self.occupied(cell) { *self.value(cell) } else { 0 }
    }

    /// Gives a cell the quantity that it holds from now on, zero to empty it, where its block has
    /// an occupied cell before and after; `None`, and nothing done, elsewhere.
    ///
    /// Without a branch on what was or will be there: in a stream of levels both are as good as
    /// drawn, and a wrong guess costs more than everything here.
    #[inline]
    pub(super) fn exchange_within(&mut self, cell: usize, qty: i64) -> Option<Exchanged> {
        let (at, bit) = (cell / WORD_BITS, cell % WORD_BITS);
        let (block, word) = (self.cells.get_mut(at)?, self.words.get_mut(at)?);
        let (before, stays) = (*word, qty != 0);
        let after = before & !(1 << bit) | u64::from(stays) << bit;
        if before == 0 || after == 0 {
            return None;
        }
        *word = after;
        // An empty cell keeps what it last held.
        let old = std::mem::replace(&mut block[bit], qty);
        let was = before >> bit & 1 == 1;
        let moved = before != after;
        Some(Exchanged { changed: moved | (was & (old != qty)), was, stays })
    }

    /// Gives a cell the quantity that it holds from now on, zero to empty it.
    pub(super) fn exchange(&mut self, cell: usize, qty: i64) -> Exchanged {
        self.exchange_within(cell, qty).unwrap_or_else(|| {
            let (was, stays) = (self.occupied(cell), qty != 0);
            if was && !stays {
                self.remove(cell);
            } else if stays {
                self.insert(cell, qty);
            }
            Exchanged { changed: was != stays, was, stays }
        })
    }
}

/// Returns the index of the highest set bit of a word that is not zero.
#[inline]
fn top_bit(word: u64) -> usize {
    WORD_BITS - 1 - word.leading_zeros() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn edges() -> impl Strategy<Value = i64> {
        let far = [i64::MIN, -(1 << 62), -1, 0, 1 << 46, 1 << 62, i64::MAX];
        let around = |edge: i64| (-200i64..200).prop_map(move |d| edge.saturating_add(d));
        prop_oneof![any::<i64>(), prop::sample::select(far.to_vec()).prop_flat_map(around)]
    }

    proptest! {
        /// The cell of a key is what a division without bounds says, wherever window and key lie.
        #[test]
        fn cells_are_those_of_a_plain_division(
            tick in prop_oneof![1i64..100, Just(100_000_000), Just(1 << 40), Just(i64::MAX)],
            base in edges(),
            key in edges(),
            near in -10i64..5_000,
            off in 0i64..3,
        ) {
            let mut window: Window<i64> = Window::new(tick, 4_096);
            window.place(base);
            let near = window.base.saturating_add(near.saturating_mul(tick)).saturating_add(off);
            for key in [key, near] {
                let away = i128::from(key) - i128::from(window.base);
                let index = away.div_euclid(i128::from(tick));
                let inside = (0..window.cell_count() as i128).contains(&index);
                let wanted = inside && away.rem_euclid(i128::from(tick)) == 0;
                prop_assert_eq!(window.cell(key), wanted.then_some(index as usize));
                if let Some(cell) = window.cell(key) {
                    prop_assert_eq!(window.key(cell), key);
                }
            }
        }

        /// Both ways to set a cell leave what a map would hold, and say what they changed.
        #[test]
        fn exchanges_equal_a_map(sets in prop::collection::vec((0usize..200, 0i64..3), 1..300)) {
            let mut window: Window<i64> = Window::new(1, 256);
            let mut map = std::collections::BTreeMap::new();
            for (cell, qty) in sets {
                let old = map.insert(cell, qty).unwrap_or(0);
                let done = window.exchange(cell, qty);
                prop_assert_eq!(done.changed, old != qty);
                prop_assert_eq!((done.was, done.stays), (old != 0, qty != 0));
                let held = map.iter().rev().filter(|l| *l.1 != 0).map(|l| (*l.0, *l.1));
                let mut found = Vec::new();
                let mut next = window.highest();
                while let Some(cell) = next {
                    found.push((cell, *window.value(cell)));
                    next = window.next_below(cell);
                }
                prop_assert_eq!(held.collect::<Vec<_>>(), found);
            }
        }
    }
}
