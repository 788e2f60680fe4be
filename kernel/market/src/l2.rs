//! The book by level: one quantity a price.

use crate::applied::{LEVEL_QTY_MAX, Standing, qty_valid};
use crate::ladder::{Ladder, Set, key_of, px_of};
use crate::{Applied, BookConfig, BookCounts, Level, Notes};
use ijk_core::{EventKind, MarketEvent, Px, Qty, Side};

/// A book by level. Events of single orders are applied by their side, price and quantity.
#[derive(Clone, Debug)]
pub struct L2Book {
    sides: [Ladder<i64>; 2],
    pub(crate) standing: Standing,
}

impl L2Book {
    /// Returns an empty book; all memory is taken here.
    pub fn new(config: &BookConfig) -> L2Book {
        let side =
            |side| Ladder::new(side, config.tick, config.window_ticks, config.level_count_max);
        L2Book { sides: [side(Side::Bid), side(Side::Ask)], standing: Standing::NEW }
    }

    /// See [`crate::Book::apply`].
    #[inline]
    pub fn apply(&mut self, ev: &MarketEvent) -> Applied {
        if ev.kind != EventKind::LevelSet || !qty_valid(ev.qty) {
            return self.apply_order(ev);
        }
        let ladder = &mut self.sides[ev.side as usize];
        let set = ladder.set(key_of(ev.side, ev.px), ev.qty.0);
        self.finish(set, ev)
    }

    /// Events of single orders, mostly, as changes of their level.
    #[inline(never)]
    fn apply_order(&mut self, ev: &MarketEvent) -> Applied {
        use EventKind as K;
        let by = match ev.kind {
            K::Add => ev.qty.0,
            K::Reduce | K::Delete | K::ExecVisible => ev.qty.0.wrapping_neg(),
            _ => 0,
        };
        let ladder = &mut self.sides[ev.side as usize];
        let usual = by != 0 && qty_valid(ev.qty);
        let shift = || ladder.shift(key_of(ev.side, ev.px), by, LEVEL_QTY_MAX);
        let set = usual.then(shift).flatten();
        self.finish(set, ev)
    }

    #[inline]
    fn finish(&mut self, set: Option<Set>, ev: &MarketEvent) -> Applied {
        match set {
            // Nothing crosses while both sides keep their best.
            Some(Set::Quantity(changed)) => self.standing.unmoved(changed),
            Some(Set::Level) => self.moved(),
            None => self.apply_general(ev),
        }
    }

    #[inline(never)]
    fn moved(&mut self) -> Applied {
        let sides = &self.sides;
        self.standing.finish(true, Notes::NONE, || is_crossed(&sides[0], &sides[1]))
    }

    #[inline(never)]
    fn apply_general(&mut self, ev: &MarketEvent) -> Applied {
        let mut notes = Notes::NONE;
        let changed = self.change(ev, &mut notes);
        let sides = &self.sides;
        self.standing.finish(changed, notes, || is_crossed(&sides[0], &sides[1]))
    }

    fn change(&mut self, ev: &MarketEvent, notes: &mut Notes) -> bool {
        use EventKind as K;
        match ev.kind {
            K::Trade | K::Fill | K::ExecHidden | K::Status | K::Halt | K::Resume => return false,
            K::Gap => {
                self.standing.gap();
                return false;
            }
            K::Clear => {
                let changed = self.sides.iter().any(|s| s.len() > 0);
                self.clear_levels();
                return changed;
            }
            _ => {}
        }
        let may_be_zero = matches!(ev.kind, K::LevelSet | K::BestSet);
        if !qty_valid(ev.qty) || (ev.qty == Qty::ZERO && !may_be_zero) {
            notes.note(Notes::BAD_QTY);
            return false;
        }
        let key = key_of(ev.side, ev.px);
        match ev.kind {
            K::Add => self.add(ev.side, key, ev.qty.0, notes),
            K::Reduce | K::Delete | K::ExecVisible => self.take(ev.side, key, ev.qty.0, notes),
            K::LevelSet => self.set(ev.side, key, ev.qty.0, notes),
            K::BestSet => self.set_best(ev.side, key, ev.qty.0, notes),
            _ => {
                notes.note(Notes::UNSUPPORTED);
                false
            }
        }
    }

    fn add(&mut self, side: Side, key: i64, qty: i64, notes: &mut Notes) -> bool {
        let ladder = &mut self.sides[side as usize];
        match ladder.find(key) {
            Some(place) => {
                let level = ladder.at_mut(place);
                if *level > LEVEL_QTY_MAX - qty {
                    notes.note(Notes::BAD_QTY);
                    return false;
                }
                *level += qty;
                true
            }
            None => insert(ladder, key, qty, notes),
        }
    }

    fn take(&mut self, side: Side, key: i64, qty: i64, notes: &mut Notes) -> bool {
        let ladder = &mut self.sides[side as usize];
        let Some(place) = ladder.find(key) else {
            notes.note(Notes::MISSING_LEVEL);
            return false;
        };
        let level = ladder.at_mut(place);
        if qty > *level {
            notes.note(Notes::OVER_REDUCTION);
        }
        if qty >= *level {
            ladder.remove(place);
        } else {
            *level -= qty;
        }
        true
    }

    fn set(&mut self, side: Side, key: i64, qty: i64, notes: &mut Notes) -> bool {
        let ladder = &mut self.sides[side as usize];
        if let Some(set) = ladder.set(key, qty) {
            return matches!(set, Set::Quantity(true) | Set::Level);
        }
        match (ladder.find(key), qty) {
            (None, 0) => false,
            (None, _) => insert(ladder, key, qty, notes),
            (Some(place), 0) => {
                ladder.remove(place);
                true
            }
            (Some(place), _) => std::mem::replace(ladder.at_mut(place), qty) != qty,
        }
    }

    fn set_best(&mut self, side: Side, key: i64, qty: i64, notes: &mut Notes) -> bool {
        let ladder = &mut self.sides[side as usize];
        if qty == 0 {
            let changed = ladder.len() > 0;
            ladder.clear();
            return changed;
        }
        let mut changed = false;
        while ladder.pop_better(key).is_some() {
            changed = true;
        }
        // Setting settles the ladder unless the level was there already; do it in any case.
        ladder.settle();
        self.set(side, key, qty, notes) || changed
    }

    fn clear_levels(&mut self) {
        for side in &mut self.sides {
            side.clear();
        }
        self.standing.trusted = true;
    }

    /// See [`crate::Book::best`].
    #[inline]
    pub fn best(&self, side: Side) -> Option<Level> {
        let ladder = &self.sides[side as usize];
        let (key, place) = ladder.best()?;
        Some(Level { px: px_of(side, key), qty: Qty(*ladder.at(place)) })
    }

    /// See [`crate::Book::levels`].
    #[inline]
    pub fn levels(&self, side: Side, out: &mut [Level]) -> usize {
        copy_levels(&self.sides[side as usize], side, out, |&qty| qty)
    }

    /// See [`crate::Book::qty_at`].
    pub fn qty_at(&self, side: Side, px: Px) -> Qty {
        Qty(self.sides[side as usize].get(key_of(side, px)).copied().unwrap_or(0))
    }

    /// See [`crate::Book::level_count`].
    pub fn level_count(&self, side: Side) -> usize {
        self.sides[side as usize].len()
    }

    /// See [`crate::Book::near_change_count`].
    #[inline]
    pub fn near_change_count(&self, side: Side) -> u64 {
        self.sides[side as usize].near_changes()
    }

    /// See [`crate::Book::counts`].
    pub fn counts(&self) -> &BookCounts {
        &self.standing.counts
    }

    /// Levels outside the fast ranges; for tests of both paths.
    #[cfg(test)]
    pub(crate) fn far_len(&self) -> usize {
        self.sides.iter().map(Ladder::far_len).sum()
    }
}

/// Inserts a new level; returns whether the ladder changed.
fn insert(ladder: &mut Ladder<i64>, key: i64, qty: i64, notes: &mut Notes) -> bool {
    match ladder.insert(key, qty) {
        None => true,
        Some((dropped, _)) => {
            notes.note(Notes::LEVEL_CAPACITY);
            dropped != key
        }
    }
}

/// Returns whether the best bid is at or above the best ask.
#[inline]
pub(crate) fn is_crossed<V: Copy + Default>(bids: &Ladder<V>, asks: &Ladder<V>) -> bool {
    match (bids.best(), asks.best()) {
        (Some((bid, _)), Some((ask, _))) => bid >= px_of(Side::Ask, ask).0,
        _ => false,
    }
}

/// Writes the best levels into `out`, best first, and returns how many.
#[inline]
pub(crate) fn copy_levels<V: Copy + Default>(
    ladder: &Ladder<V>,
    side: Side,
    out: &mut [Level],
    total: impl Fn(&V) -> i64,
) -> usize {
    let mut count = 0;
    if out.is_empty() {
        return 0;
    }
    ladder.descend(|key, value| {
        out[count] = Level { px: px_of(side, key), qty: Qty(total(value)) };
        count += 1;
        count < out.len()
    });
    count
}
