//! The book by level as two tree maps.

use crate::BookConfig;
use crate::Notes;
use crate::applied::LEVEL_QTY_MAX;
use ijk_core::{EventKind, MarketEvent, Side};
use std::collections::BTreeMap;

/// See [`crate::L2Book`].
#[derive(Clone, Debug)]
pub struct NaiveL2 {
    /// Quantity by price, bids and asks.
    pub sides: [BTreeMap<i64, i64>; 2],
    /// False after a gap.
    pub trusted: bool,
    level_count_max: usize,
}

impl NaiveL2 {
    /// Returns an empty book.
    pub fn new(config: &BookConfig) -> NaiveL2 {
        NaiveL2 {
            sides: [BTreeMap::new(), BTreeMap::new()],
            trusted: true,
            level_count_max: config.level_count_max,
        }
    }

    /// Returns the levels of `side`, best first.
    pub fn levels(&self, side: Side) -> Vec<(i64, i64)> {
        let map = &self.sides[side as usize];
        let ascending = map.iter().map(|(&px, &qty)| (px, qty));
        match side {
            Side::Bid => ascending.rev().collect(),
            Side::Ask => ascending.collect(),
        }
    }

    /// Returns whether best bid ≥ best ask.
    pub fn crossed(&self) -> bool {
        let (bids, asks) = (self.levels(Side::Bid), self.levels(Side::Ask));
        !bids.is_empty() && !asks.is_empty() && bids[0].0 >= asks[0].0
    }

    /// Applies one record and returns what was mended or ignored.
    pub fn apply(&mut self, ev: &MarketEvent) -> Notes {
        let (px, qty) = (ev.px.0, ev.qty.0);
        let held = self.sides[ev.side as usize].get(&px).copied().unwrap_or(0);
        let bad = !(0..=LEVEL_QTY_MAX).contains(&qty);
        match ev.kind {
            EventKind::Clear => {
                self.sides = [BTreeMap::new(), BTreeMap::new()];
                self.trusted = true;
                Notes::NONE
            }
            EventKind::Gap => {
                self.trusted = false;
                Notes::NONE
            }
            EventKind::Add if bad || qty == 0 || held as i128 + qty as i128 > MAX => Notes::BAD_QTY,
            EventKind::Add => self.put(ev.side, px, held + qty),
            EventKind::Reduce | EventKind::Delete | EventKind::ExecVisible => {
                if bad || qty == 0 {
                    return Notes::BAD_QTY;
                }
                if held == 0 {
                    return Notes::MISSING_LEVEL;
                }
                self.put(ev.side, px, (held - qty).max(0));
                if qty > held { Notes::OVER_REDUCTION } else { Notes::NONE }
            }
            EventKind::Modify if bad || qty == 0 => Notes::BAD_QTY,
            EventKind::Modify => Notes::UNSUPPORTED,
            EventKind::LevelSet | EventKind::BestSet if bad => Notes::BAD_QTY,
            EventKind::LevelSet => self.put(ev.side, px, qty),
            EventKind::BestSet => {
                let side = ev.side;
                self.sides[side as usize]
                    .retain(|&p, _| qty > 0 && !side.better(ijk_core::Px(p), ev.px));
                self.put(side, px, qty)
            }
            _ => Notes::NONE,
        }
    }

    fn put(&mut self, side: Side, px: i64, qty: i64) -> Notes {
        let map = &mut self.sides[side as usize];
        if qty == 0 {
            map.remove(&px);
            return Notes::NONE;
        }
        map.insert(px, qty);
        if map.len() <= self.level_count_max {
            return Notes::NONE;
        }
        match side {
            Side::Bid => map.pop_first(),
            Side::Ask => map.pop_last(),
        };
        Notes::LEVEL_CAPACITY
    }
}

const MAX: i128 = LEVEL_QTY_MAX as i128;
