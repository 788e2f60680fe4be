//! One side of a book: levels by price, best first.
//!
//! Levels near the best live in a tick-indexed [`window::Window`]; all others (far away, or off
//! the tick grid) in a sorted vector with the best at its end. Both work on *keys*, which grow
//! towards better prices on either side, so the code knows no side.

mod window;

use ijk_core::limits::FEATURE_LEVEL_COUNT;
use ijk_core::{Px, Side};
use window::{Exchanged, Window};

/// Returns the key of a price: the price for bids, its bitwise complement for asks (which turns
/// the order around and, other than a negation, cannot overflow).
#[inline]
pub(crate) fn key_of(side: Side, px: Px) -> i64 {
    match side {
        Side::Bid => px.0,
        Side::Ask => !px.0,
    }
}

/// Returns the price of a key.
#[inline]
pub(crate) fn px_of(side: Side, key: i64) -> Px {
    match side {
        Side::Bid => Px(key),
        Side::Ask => Px(!key),
    }
}

/// Where a level is; valid until the next insertion or removal.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// Cell of the window.
    Cell(usize),
    /// Index into the sorted vector.
    Far(usize),
}

/// Levels of one side, at most `level_count_max`.
#[derive(Clone, Debug)]
pub(crate) struct Ladder<V> {
    window: Window<V>,
    /// Keys ascending: the best is last.
    far: Vec<(i64, V)>,
    /// Levels, in the window and outside.
    len: usize,
    tick: i64,
    /// Keys on the grid are congruent to this modulo the tick.
    phase: i64,
    level_count_max: usize,
    /// Insertions and removals since the window last moved; bounds the cost of moving.
    changes: usize,
    /// The best level, as of the last settling: most events change no level's existence, and
    /// every one asks both sides for their best.
    best: Option<(i64, Place)>,
    /// No level below this cell, in the window or outside, is among the best
    /// [`FEATURE_LEVEL_COUNT`]; 0 where that cannot be said.
    near: usize,
    /// Levels among the best ones came or went since the last settling.
    unsettled: bool,
    near_changes: u64,
}

impl<V: Copy + Default> Ladder<V> {
    pub(crate) fn new(side: Side, tick: Px, window_ticks: usize, level_count_max: usize) -> Self {
        let tick = tick.0.max(1);
        let level_count_max = level_count_max.max(1);
        Ladder {
            window: Window::new(tick, window_ticks),
            far: Vec::with_capacity(level_count_max),
            len: 0,
            tick,
            phase: key_of(side, Px(0)),
            level_count_max,
            changes: 0,
            best: None,
            near: 0,
            unsettled: false,
            near_changes: 0,
        }
    }

    /// Returns the number of levels.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns where the level of `key` is.
    #[inline]
    pub(crate) fn find(&self, key: i64) -> Option<Place> {
        match self.window.cell(key) {
            Some(cell) => self.window.occupied(cell).then_some(Place::Cell(cell)),
            None => self.far.binary_search_by_key(&key, |l| l.0).ok().map(Place::Far),
        }
    }

    #[inline]
    pub(crate) fn at(&self, place: Place) -> &V {
        match place {
            Place::Cell(cell) => self.window.value(cell),
            Place::Far(i) => &self.far[i].1,
        }
    }

    /// Returns the level at `place`, to be changed.
    #[inline]
    pub(crate) fn at_mut(&mut self, place: Place) -> &mut V {
        self.near_changes += u64::from(self.is_near(place));
        match place {
            Place::Cell(cell) => self.window.value_mut(cell),
            Place::Far(i) => &mut self.far[i].1,
        }
    }

    #[inline]
    fn is_near(&self, place: Place) -> bool {
        match place {
            Place::Cell(cell) => cell >= self.near,
            Place::Far(i) => self.near == 0 || self.far[i].0 > self.window.key(self.near),
        }
    }

    /// Returns a number that grows whenever one of the best [`FEATURE_LEVEL_COUNT`] levels
    /// changes, and sometimes when none does.
    #[inline]
    pub(crate) fn near_changes(&self) -> u64 {
        self.near_changes
    }

    /// Returns the level of `key`.
    #[inline]
    pub(crate) fn get(&self, key: i64) -> Option<&V> {
        self.find(key).map(|place| self.at(place))
    }

    /// Returns where the best level is, and its key. Not between [`Ladder::pop`] and
    /// [`Ladder::settle`].
    #[inline]
    pub(crate) fn best(&self) -> Option<(i64, Place)> {
        self.best
    }

    fn find_best(&self) -> Option<(i64, Place)> {
        self.better(self.window.highest())
    }

    /// Returns the better of the window's highest level and the best outside of it.
    #[inline]
    fn better(&self, highest: Option<usize>) -> Option<(i64, Place)> {
        let near = highest.map(|c| (self.window.key(c), Place::Cell(c)));
        match (near, self.far.last()) {
            (Some(near), Some(far)) if near.0 < far.0 => Some((far.0, self.last_far())),
            (Some(near), _) => Some(near),
            (None, Some(far)) => Some((far.0, self.last_far())),
            (None, None) => None,
        }
    }

    /// Finds the best level, and how far down the best ones reach.
    fn look(&mut self) {
        self.unsettled = false;
        let mut lowest = self.window.highest();
        self.best = self.better(lowest);
        for _ in 1..FEATURE_LEVEL_COUNT {
            lowest = lowest.and_then(|cell| self.window.next_below(cell));
        }
        let (Some(lowest), far) = (lowest, self.far.last()) else {
            self.near = 0;
            return;
        };
        let far_is_near = far.is_some_and(|far| far.0 > self.window.key(lowest));
        self.near = if far_is_near { 0 } else { lowest };
    }

    fn last_far(&self) -> Place {
        Place::Far(self.far.len() - 1)
    }

    fn worst_key(&self) -> Option<i64> {
        let near = self.window.lowest().map(|c| self.window.key(c));
        let far = self.far.first().map(|l| l.0);
        match (near, far) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Adds a level that is not there yet. When the ladder is full the worst level makes room;
    /// what does not stay (that level, or the new one if it is the worst) is returned.
    pub(crate) fn insert(&mut self, key: i64, value: V) -> Option<(i64, V)> {
        let mut dropped = None;
        if self.len() >= self.level_count_max
            && let Some(worst) = self.worst_key()
        {
            if key < worst {
                return Some((key, value));
            }
            if let Some(place) = self.find(worst) {
                dropped = Some((worst, self.take(place)));
            }
        }
        self.put(key, value);
        self.settle();
        dropped
    }

    /// Removes the level at `place`.
    pub(crate) fn remove(&mut self, place: Place) -> V {
        let value = self.take(place);
        self.settle();
        value
    }

    /// Removes the best level if it is better than `key`. The caller settles afterwards.
    pub(crate) fn pop_better(&mut self, key: i64) -> Option<V> {
        let (best, place) = self.find_best()?;
        (best > key).then(|| self.take(place))
    }

    /// Removes the best level. The caller settles afterwards.
    pub(crate) fn pop(&mut self) -> Option<V> {
        let (_, place) = self.find_best()?;
        Some(self.take(place))
    }

    pub(crate) fn clear(&mut self) {
        self.window.clear();
        self.far.clear();
        self.len = 0;
        self.best = None;
        self.near = 0;
        self.unsettled = false;
        self.near_changes += 1;
    }

    /// Calls `f` with key and value from the best level on, until it returns false.
    #[inline]
    pub(crate) fn descend(&self, mut f: impl FnMut(i64, &V) -> bool) {
        let mut cell = self.window.highest();
        let mut far = self.far.len();
        let mut far_key = self.far.last().map_or(i64::MIN, |l| l.0);
        while let Some(c) = cell {
            let key = self.window.key(c);
            // Mostly no level outside the window is better than one inside.
            while far_key > key {
                far -= 1;
                if !f(self.far[far].0, &self.far[far].1) {
                    return;
                }
                far_key = if far > 0 { self.far[far - 1].0 } else { i64::MIN };
            }
            if !f(key, self.window.value(c)) {
                return;
            }
            cell = self.window.next_below(c);
        }
        for (key, value) in self.far[..far].iter().rev() {
            if !f(*key, value) {
                return;
            }
        }
    }

    fn put(&mut self, key: i64, value: V) {
        let place = match self.window.cell(key) {
            Some(cell) => {
                self.window.insert(cell, value);
                Place::Cell(cell)
            }
            None => {
                let i = self.far.partition_point(|l| l.0 < key);
                self.far.insert(i, (key, value));
                Place::Far(i)
            }
        };
        self.len += 1;
        self.came_or_went(place);
    }

    fn take(&mut self, place: Place) -> V {
        self.len -= 1;
        self.came_or_went(place);
        match place {
            Place::Cell(cell) => self.window.remove(cell),
            Place::Far(i) => self.far.remove(i).1,
        }
    }

    #[inline]
    fn came_or_went(&mut self, place: Place) {
        self.changes += 1;
        let near = self.is_near(place);
        self.unsettled |= near;
        self.near_changes += u64::from(near);
    }

    /// Ends a change of levels: finds the best one, and moves the window back over it if the
    /// market has left it.
    ///
    /// A move costs time in proportion to the number of levels, so one is allowed only after a
    /// quarter as many changes: constant cost per change, whatever the market does.
    pub(crate) fn settle(&mut self) {
        if !self.unsettled {
            return;
        }
        self.look();
        let Some((best, _)) = self.best else { return };
        if self.window.holds_best_well(best) || self.changes * 4 < self.len() {
            return;
        }
        self.changes = 0;
        // The best goes to three quarters of the range: there is more depth than improvement.
        let below = self.window.cell_count() as i128 * 3 / 4 * i128::from(self.tick);
        let off_grid =
            (i128::from(best) - i128::from(self.phase)).rem_euclid(i128::from(self.tick));
        // At the very end of the number range the sorted vector serves.
        let base = i128::from(best) - off_grid - below;
        self.move_window(i64::try_from(base).unwrap_or(i64::MIN));
        self.look();
    }

    fn move_window(&mut self, base: i64) {
        let mut cell = self.window.highest();
        while let Some(c) = cell {
            self.far.push((self.window.key(c), *self.window.value(c)));
            cell = self.window.next_below(c);
        }
        self.window.clear();
        self.far.sort_unstable_by_key(|l| l.0);
        self.window.place(base);
        let window = &mut self.window;
        self.far.retain(|&(key, value)| match window.cell(key) {
            Some(cell) => {
                window.insert(cell, value);
                false
            }
            None => true,
        });
    }

    /// Returns how many levels the sorted vector holds; for tests of both paths.
    #[cfg(test)]
    pub(crate) fn far_len(&self) -> usize {
        self.far.len()
    }
}

/// What setting a level did.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Set {
    /// Whether its quantity changed; the best level is where it was.
    Quantity(bool),
    /// A level came or went, and the best may be another one.
    Level,
}

impl Ladder<i64> {
    /// Gives the level of `key` a quantity, zero to remove it; `None`, and nothing done, where a
    /// full ladder may have to drop a level.
    #[inline]
    pub(crate) fn set(&mut self, key: i64, qty: i64) -> Option<Set> {
        if self.len >= self.level_count_max {
            return None;
        }
        Some(match self.window.cell(key) {
            Some(cell) => self.set_cell(cell, qty),
            None => self.set_far(key, qty),
        })
    }

    /// Adds to the level of `key`, or takes from it, inside the window; `None`, and nothing done,
    /// elsewhere, where a full ladder may have to drop a level, and where the level would then hold
    /// less than nothing or more than `most`.
    #[inline]
    pub(crate) fn shift(&mut self, key: i64, by: i64, most: i64) -> Option<Set> {
        let cell = self.window.cell(key)?;
        let qty = self.window.held(cell).checked_add(by)?;
        let fits = (0..=most).contains(&qty) && self.len < self.level_count_max;
        fits.then(|| self.set_cell(cell, qty))
    }

    #[inline]
    fn set_cell(&mut self, cell: usize, qty: i64) -> Set {
        // Nearly every change of a deep book touches neither its best levels nor a block of the
        // window that is or becomes empty.
        if cell < self.near
            && let Some(Exchanged { changed, was, stays }) = self.window.exchange_within(cell, qty)
        {
            // Wrapping, as no sum of these needs a check.
            self.len = self.len.wrapping_add(usize::from(stays)).wrapping_sub(usize::from(was));
            return Set::Quantity(changed);
        }
        self.set_near(cell, qty)
    }

    #[inline(never)]
    fn set_near(&mut self, cell: usize, qty: i64) -> Set {
        let Exchanged { changed, was, stays } = self.window.exchange(cell, qty);
        if was == stays {
            self.near_changes += u64::from(changed);
            return Set::Quantity(changed);
        }
        self.len = self.len + usize::from(stays) - usize::from(was);
        self.came_or_went(Place::Cell(cell));
        self.settle();
        Set::Level
    }

    #[inline(never)]
    fn set_far(&mut self, key: i64, qty: i64) -> Set {
        match self.far.binary_search_by_key(&key, |l| l.0) {
            Ok(i) if qty == 0 => {
                self.take(Place::Far(i));
            }
            Ok(i) => {
                let changed = std::mem::replace(self.at_mut(Place::Far(i)), qty) != qty;
                return Set::Quantity(changed);
            }
            Err(_) if qty == 0 => return Set::Quantity(false),
            Err(i) => {
                self.far.insert(i, (key, qty));
                self.len += 1;
                self.came_or_went(Place::Far(i));
            }
        }
        self.settle();
        Set::Level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Levels on the grid around a best that wanders far: they must be in the fast range.
    #[test]
    fn the_window_follows_the_market_on_both_sides() {
        for side in [Side::Bid, Side::Ask] {
            let mut ladder: Ladder<i64> = Ladder::new(side, Px(10), 256, 1_000);
            for n in 0..5_000i64 {
                // Up 2,500 ticks, then down again, ten levels deep.
                let px = (100_000 + n.min(5_000 - n)) * 10;
                for depth in 0..10 {
                    let key = key_of(side, Px(px - side.sign() * depth * 10));
                    if ladder.find(key).is_none() {
                        ladder.insert(key, 1);
                    }
                }
                while ladder.pop_better(key_of(side, Px(px))).is_some() {}
                ladder.settle();
                let (_, best) = ladder.best().unwrap();
                assert!(matches!(best, Place::Cell(_)), "{side:?} {n}");
                let fifth = key_of(side, Px(px - side.sign() * 40));
                assert!(matches!(ladder.find(fifth), Some(Place::Cell(_))), "{side:?} {n}");
                if ladder.len() > 200 {
                    ladder.clear();
                }
            }
        }
    }

    #[test]
    fn off_grid_levels_stand_in_order() {
        let mut ladder: Ladder<i64> = Ladder::new(Side::Ask, Px(10), 64, 100);
        for px in [1_000, 1_003, 990, 997, 5_000, -5] {
            ladder.insert(key_of(Side::Ask, Px(px)), px);
        }
        let mut seen = Vec::new();
        ladder.descend(|_, &px| {
            seen.push(px);
            true
        });
        assert_eq!(seen, [-5, 990, 997, 1_000, 1_003, 5_000]);
    }
}
