//! What the reader must know of one symbol's book to keep sequence and sides in order.

use super::Change;
use ijk_core::Side;
use ijk_core::limits::L2_LEVEL_COUNT_MAX;
use std::collections::{BTreeMap, VecDeque};

/// Depth messages remembered for a snapshot that arrives after them, and their levels.
const RECENT_MESSAGE_COUNT_MAX: usize = 4_096;
const RECENT_LEVEL_COUNT_MAX: usize = 1 << 16;

/// A depth message: ids it covers, levels it set.
#[derive(Debug)]
struct Recent {
    first: u64,
    last: u64,
    changes: Vec<Change>,
}

/// Where a depth message stands in the sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It follows.
    Next,
    /// Messages are missing before it.
    Gap,
    /// It is older than what was applied.
    Old,
}

/// What a snapshot is good for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rebuild {
    /// It is the newest: later messages follow it.
    Newest,
    /// It is older than the last message; these changes since must be applied again.
    Since(Vec<Change>),
    /// The messages between it and the book are not all known: useless.
    Useless,
}

/// Levels by price with the id that set them last; sequence; the last ticker.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    /// Bids, asks: price to quantity and id.
    sides: [BTreeMap<i64, (i64, u64)>; 2],
    last_id: Option<u64>,
    after_snapshot: bool,
    recent: VecDeque<Recent>,
    recent_levels: usize,
    /// Best bid and ask of the newest ticker and its id.
    ticker: Option<(u64, [(i64, i64); 2])>,
}

impl Tracker {
    /// Returns the place of a message that covers `first..=last` (spot) or follows `previous`
    /// (futures).
    pub(super) fn place(&self, first: u64, last: u64, previous: Option<u64>) -> Place {
        let Some(applied) = self.last_id else { return Place::Next };
        if last <= applied && !(last == applied && previous == Some(applied)) {
            return Place::Old;
        }
        let follows = match (previous, self.after_snapshot) {
            (Some(previous), false) => previous == applied,
            (Some(previous), true) => previous <= applied,
            (None, false) => applied.checked_add(1) == Some(first),
            (None, true) => first <= applied.saturating_add(1),
        };
        if follows { Place::Next } else { Place::Gap }
    }

    /// Notes a depth message as applied.
    pub(super) fn note(&mut self, place: Place, first: u64, last: u64, changes: &[Change]) {
        if place == Place::Gap {
            self.recent.clear();
            self.recent_levels = 0;
        }
        self.last_id = Some(last);
        self.after_snapshot = false;
        self.recent_levels += changes.len();
        self.recent.push_back(Recent { first, last, changes: changes.to_vec() });
        while self.recent.len() > RECENT_MESSAGE_COUNT_MAX
            || self.recent_levels > RECENT_LEVEL_COUNT_MAX
        {
            let Some(old) = self.recent.pop_front() else { break };
            self.recent_levels -= old.changes.len();
        }
    }

    /// Decides on a snapshot of id `id`; unless it is useless the book is emptied for it.
    pub(super) fn rebuild(&mut self, id: u64) -> Rebuild {
        let decision = match self.last_id {
            Some(last) if id < last => {
                let known = self.recent.front().is_some_and(|m| m.first <= id.saturating_add(1));
                if !known {
                    return Rebuild::Useless;
                }
                let newer = self.recent.iter().filter(|m| m.last > id);
                Rebuild::Since(newer.flat_map(|m| m.changes.iter().copied()).collect())
            }
            _ => {
                self.last_id = Some(id);
                self.after_snapshot = true;
                Rebuild::Newest
            }
        };
        self.sides = [BTreeMap::new(), BTreeMap::new()];
        decision
    }

    /// Returns the id applied last, 0 before the first.
    pub(super) fn applied(&self) -> u64 {
        self.last_id.unwrap_or(0)
    }

    /// Sets one level; returns the level that had to leave because the side is full.
    pub(super) fn set(&mut self, change: Change, id: u64) -> Option<Change> {
        let half = &mut self.sides[change.side as usize];
        if change.qty == 0 {
            half.remove(&change.px);
            return None;
        }
        half.insert(change.px, (change.qty, id));
        if half.len() <= L2_LEVEL_COUNT_MAX {
            return None;
        }
        let worst = match change.side {
            Side::Bid => half.pop_first(),
            Side::Ask => half.pop_last(),
        };
        worst.map(|(px, _)| Change { side: change.side, px, qty: 0 })
    }

    /// Sets the best of a side; better levels vanish.
    pub(super) fn set_best(&mut self, best: Change, id: u64) {
        let half = &mut self.sides[best.side as usize];
        match best.side {
            _ if best.qty == 0 => half.clear(),
            Side::Bid => drop(half.split_off(&best.px)),
            Side::Ask => *half = half.split_off(&best.px),
        }
        if best.qty > 0 {
            half.insert(best.px, (best.qty, id));
        }
    }

    /// Keeps a ticker; `quotes` are price and quantity of bid and ask.
    pub(super) fn keep_ticker(&mut self, id: u64, quotes: [(i64, i64); 2]) {
        self.ticker = Some((id, quotes));
    }

    /// Returns the last ticker if it is newer than `id`.
    pub(super) fn ticker_after(&self, id: u64) -> Option<(u64, [(i64, i64); 2])> {
        self.ticker.filter(|ticker| ticker.0 > id)
    }

    /// While the book is crossed or locked, removes the older of the two best levels (the ask of
    /// two equally old ones) and returns it.
    pub(super) fn uncross(&mut self) -> Option<Change> {
        let (&bid, &(_, bid_id)) = self.sides[0].last_key_value()?;
        let (&ask, &(_, ask_id)) = self.sides[1].first_key_value()?;
        if bid < ask {
            return None;
        }
        let (side, px) = if bid_id < ask_id { (Side::Bid, bid) } else { (Side::Ask, ask) };
        self.sides[side as usize].remove(&px);
        Some(Change { side, px, qty: 0 })
    }
}
