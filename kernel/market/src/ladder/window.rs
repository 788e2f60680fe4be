//! The fast range of one side: an array indexed by tick, with a two-level bitmap of the
//! occupied cells.

/// Cells of one bitmap word.
const WORD_BITS: usize = 64;

/// A contiguous range of on-tick keys, one cell each.
#[derive(Clone, Debug)]
pub(super) struct Window<V> {
    /// Key of cell 0.
    base: i64,
    /// Keys covered from `base`; 0 until first placed.
    span: u64,
    tick: i64,
    /// 2^63/tick, rounded up: a multiply and a check cost less than a 64-bit division.
    tick_inverse: u64,
    cells: Box<[V]>,
    words: Box<[u64]>,
    summary: Box<[u64]>,
    len: usize,
}

impl<V: Copy + Default> Window<V> {
    pub(super) fn new(tick: i64, window_ticks: usize) -> Window<V> {
        let words = window_ticks.max(1).div_ceil(WORD_BITS);
        Window {
            base: 0,
            span: 0,
            tick,
            tick_inverse: (1u64 << 63).div_ceil(tick as u64),
            cells: vec![V::default(); words * WORD_BITS].into_boxed_slice(),
            words: vec![0; words].into_boxed_slice(),
            summary: vec![0; words.div_ceil(WORD_BITS)].into_boxed_slice(),
            len: 0,
        }
    }

    /// Returns the number of occupied cells.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Moves the (empty) window so that cell 0 has key `base`.
    pub(super) fn place(&mut self, base: i64) {
        assert!(self.len == 0, "a window moves only when empty");
        self.base = base;
        self.span = (self.cells.len() as u64).saturating_mul(self.tick as u64);
    }

    /// Returns the number of cells.
    pub(super) fn cell_count(&self) -> usize {
        self.cells.len()
    }

    /// Returns whether `key` is covered, leaving out the lowest eighth: a best there has most of
    /// its depth below the window.
    pub(super) fn holds_best_well(&self, key: i64) -> bool {
        key >= self.base && {
            let offset = key.wrapping_sub(self.base) as u64;
            offset < self.span && offset >= self.span / 8
        }
    }

    /// Returns the cell of `key`, occupied or not; `None` if off the grid or outside.
    #[inline]
    pub(super) fn cell(&self, key: i64) -> Option<usize> {
        if key < self.base {
            return None;
        }
        let offset = key.wrapping_sub(self.base) as u64;
        if offset >= self.span {
            return None;
        }
        // Exact for multiples of the tick as long as cells times tick stay below 2^63 (Granlund
        // and Montgomery, 1994). The check sends everything else to the generic path.
        let index = ((u128::from(offset) * u128::from(self.tick_inverse)) >> 63) as u64;
        (index.wrapping_mul(self.tick as u64) == offset).then_some(index as usize)
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
        &self.cells[cell]
    }

    #[inline]
    pub(super) fn value_mut(&mut self, cell: usize) -> &mut V {
        &mut self.cells[cell]
    }

    pub(super) fn insert(&mut self, cell: usize, value: V) {
        debug_assert!(!self.occupied(cell));
        let word = cell / WORD_BITS;
        self.cells[cell] = value;
        self.words[word] |= 1 << (cell % WORD_BITS);
        self.summary[word / WORD_BITS] |= 1 << (word % WORD_BITS);
        self.len += 1;
    }

    pub(super) fn remove(&mut self, cell: usize) -> V {
        debug_assert!(self.occupied(cell));
        let word = cell / WORD_BITS;
        self.words[word] &= !(1 << (cell % WORD_BITS));
        if self.words[word] == 0 {
            self.summary[word / WORD_BITS] &= !(1 << (word % WORD_BITS));
        }
        self.len -= 1;
        self.cells[cell]
    }

    /// Returns the highest occupied cell.
    #[inline]
    pub(super) fn highest(&self) -> Option<usize> {
        self.highest_in_summary(self.summary.len())
    }

    /// Returns the highest occupied cell below `cell`.
    #[inline]
    pub(super) fn next_below(&self, cell: usize) -> Option<usize> {
        let word = cell / WORD_BITS;
        let rest = self.words[word] & ((1 << (cell % WORD_BITS)) - 1);
        if rest != 0 {
            return Some(word * WORD_BITS + top_bit(rest));
        }
        let rest = self.summary[word / WORD_BITS] & ((1 << (word % WORD_BITS)) - 1);
        if rest != 0 {
            let word = word / WORD_BITS * WORD_BITS + top_bit(rest);
            return Some(word * WORD_BITS + top_bit(self.words[word]));
        }
        self.highest_in_summary(word / WORD_BITS)
    }

    /// Returns the lowest occupied cell.
    pub(super) fn lowest(&self) -> Option<usize> {
        let s = self.summary.iter().position(|&w| w != 0)?;
        let word = s * WORD_BITS + self.summary[s].trailing_zeros() as usize;
        Some(word * WORD_BITS + self.words[word].trailing_zeros() as usize)
    }

    pub(super) fn clear(&mut self) {
        self.words.fill(0);
        self.summary.fill(0);
        self.len = 0;
    }

    #[inline]
    fn highest_in_summary(&self, end: usize) -> Option<usize> {
        let s = self.summary[..end].iter().rposition(|&w| w != 0)?;
        let word = s * WORD_BITS + top_bit(self.summary[s]);
        Some(word * WORD_BITS + top_bit(self.words[word]))
    }
}

/// Returns the index of the highest set bit of a word that is not zero.
#[inline]
fn top_bit(word: u64) -> usize {
    WORD_BITS - 1 - word.leading_zeros() as usize
}
