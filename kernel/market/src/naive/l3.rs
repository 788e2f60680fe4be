//! The book by order as two tree maps of queues.

use crate::BookConfig;
use crate::Notes;
use crate::applied::LEVEL_QTY_MAX;
use ijk_core::{EventKind, MarketEvent, Px, Side};
use std::collections::{BTreeMap, VecDeque};

/// Anonymous quantity, then known orders `(id, qty)`, first to trade first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NaiveQueue {
    /// Quantity of orders never seen one by one.
    pub anonymous: i64,
    /// Known orders.
    pub orders: VecDeque<(u64, i64)>,
}

impl NaiveQueue {
    /// Returns the quantity of known orders.
    pub fn known(&self) -> i64 {
        self.orders.iter().map(|o| o.1).sum()
    }

    /// Returns the level's total.
    pub fn total(&self) -> i64 {
        self.anonymous + self.known()
    }
}

/// See [`crate::L3Book`].
#[derive(Clone, Debug)]
pub struct NaiveL3 {
    /// Queue by price, bids and asks.
    pub sides: [BTreeMap<i64, NaiveQueue>; 2],
    /// False after a gap.
    pub trusted: bool,
    config: BookConfig,
}

impl NaiveL3 {
    /// Returns an empty book.
    pub fn new(config: &BookConfig) -> NaiveL3 {
        NaiveL3 { sides: [BTreeMap::new(), BTreeMap::new()], trusted: true, config: *config }
    }

    /// Returns the levels of `side`, best first.
    pub fn levels(&self, side: Side) -> Vec<(i64, i64)> {
        let ascending = self.sides[side as usize].iter().map(|(&px, q)| (px, q.total()));
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

    /// Returns side, price and place in the queue of order `id`.
    pub fn find(&self, id: u64) -> Option<(Side, i64, usize)> {
        for side in [Side::Bid, Side::Ask] {
            for (&px, queue) in &self.sides[side as usize] {
                if let Some(at) = queue.orders.iter().position(|o| o.0 == id) {
                    return Some((side, px, at));
                }
            }
        }
        None
    }

    fn order_count(&self) -> usize {
        self.sides.iter().flat_map(|s| s.values()).map(|q| q.orders.len()).sum()
    }

    /// Applies one record and returns what was mended or ignored, each once.
    pub fn apply(&mut self, ev: &MarketEvent) -> Notes {
        let mut notes = Vec::new();
        self.change(ev, &mut notes);
        for side in 0..2 {
            self.sides[side].retain(|_, q| q.total() > 0);
            if self.sides[side].len() > self.config.level_count_max {
                if side == 0 {
                    self.sides[0].pop_first()
                } else {
                    self.sides[1].pop_last()
                };
                notes.push(Notes::LEVEL_CAPACITY);
            }
        }
        Notes(notes.iter().fold(0, |bits, n| bits | n.0))
    }

    fn change(&mut self, ev: &MarketEvent, notes: &mut Vec<Notes>) {
        use EventKind as K;
        let order_kind = matches!(
            ev.kind,
            K::Add | K::Reduce | K::Delete | K::Modify | K::ExecVisible | K::LevelSet | K::BestSet
        );
        let zero_bad = matches!(ev.kind, K::Add | K::Reduce | K::ExecVisible);
        let bad = ev.qty.0 < 0 || ev.qty.0 > LEVEL_QTY_MAX || (zero_bad && ev.qty.0 == 0);
        if order_kind && bad {
            return notes.push(Notes::BAD_QTY);
        }
        let known = if ev.order_id == 0 { None } else { self.find(ev.order_id) };
        match (ev.kind, known) {
            (K::Clear, _) => {
                self.sides = [BTreeMap::new(), BTreeMap::new()];
                self.trusted = true;
            }
            (K::Gap, _) => self.trusted = false,
            (K::Add, Some(at)) => {
                notes.push(Notes::DUPLICATE_ORDER);
                self.cut(at, i64::MAX);
                self.append(ev, notes);
            }
            (K::Add, None) => self.append(ev, notes),
            (K::Modify, None) => {
                notes.push(Notes::UNKNOWN_ORDER);
                if ev.qty.0 > 0 {
                    self.append(ev, notes);
                }
            }
            (K::Modify, Some((side, px, at))) => {
                let order = &mut self.queue(side, px).orders[at];
                if side == ev.side && px == ev.px.0 && ev.qty.0 <= order.1 && ev.qty.0 > 0 {
                    order.1 = ev.qty.0;
                } else {
                    self.cut((side, px, at), i64::MAX);
                    if ev.qty.0 > 0 {
                        self.append(ev, notes);
                    }
                }
            }
            (K::Reduce | K::ExecVisible | K::Delete, None) => self.take_anonymous(ev, notes),
            (K::Reduce | K::ExecVisible | K::Delete, Some(at)) => self.take(ev, at, notes),
            (K::LevelSet, _) => self.set(ev.side, ev.px.0, ev.qty.0, notes),
            (K::BestSet, _) => self.set_best(ev, notes),
            _ => {}
        }
    }

    fn take(&mut self, ev: &MarketEvent, at: (Side, i64, usize), notes: &mut Vec<Notes>) {
        let rests = self.queue(at.0, at.1).orders[at.2].1;
        if at.0 != ev.side || at.1 != ev.px.0 {
            notes.push(Notes::MISMATCH);
        }
        if ev.kind == EventKind::Delete {
            if ev.qty.0 != 0 && ev.qty.0 != rests {
                notes.push(Notes::MISMATCH);
            }
            return self.cut(at, rests);
        }
        if ev.qty.0 > rests {
            notes.push(Notes::OVER_REDUCTION);
        }
        self.cut(at, ev.qty.0);
    }

    fn queue(&mut self, side: Side, px: i64) -> &mut NaiveQueue {
        self.sides[side as usize].entry(px).or_default()
    }

    fn cut(&mut self, (side, px, at): (Side, i64, usize), by: i64) {
        let queue = self.queue(side, px);
        if queue.orders[at].1 <= by {
            queue.orders.remove(at);
        } else {
            queue.orders[at].1 -= by;
        }
        self.sides[side as usize].retain(|_, q| q.total() > 0);
    }

    fn append(&mut self, ev: &MarketEvent, notes: &mut Vec<Notes>) {
        let full = self.order_count() >= self.config.order_count_max;
        let queue = self.queue(ev.side, ev.px.0);
        if queue.total() as i128 + ev.qty.0 as i128 > LEVEL_QTY_MAX as i128 {
            return notes.push(Notes::BAD_QTY);
        }
        if ev.order_id == 0 {
            notes.push(Notes::UNKNOWN_ORDER);
            queue.anonymous += ev.qty.0;
        } else if full {
            notes.push(Notes::ORDER_CAPACITY);
            queue.anonymous += ev.qty.0;
        } else {
            queue.orders.push_back((ev.order_id, ev.qty.0));
        }
    }

    fn take_anonymous(&mut self, ev: &MarketEvent, notes: &mut Vec<Notes>) {
        notes.push(Notes::UNKNOWN_ORDER);
        let queue = self.queue(ev.side, ev.px.0);
        if ev.qty.0 > queue.anonymous {
            notes.push(Notes::OVER_REDUCTION);
        }
        queue.anonymous = (queue.anonymous - ev.qty.0).max(0);
    }

    fn set(&mut self, side: Side, px: i64, total: i64, notes: &mut Vec<Notes>) {
        let queue = self.queue(side, px);
        while queue.known() > total {
            notes.push(Notes::TRIMMED);
            let excess = queue.known() - total;
            let last = queue.orders.back_mut().unwrap();
            last.1 -= excess.min(last.1);
            if last.1 == 0 {
                queue.orders.pop_back();
            }
        }
        queue.anonymous = total - queue.known();
    }

    fn set_best(&mut self, ev: &MarketEvent, notes: &mut Vec<Notes>) {
        let side = ev.side;
        let gone: Vec<i64> = self.sides[side as usize]
            .keys()
            .copied()
            .filter(|&px| ev.qty.0 == 0 || side.better(Px(px), ev.px))
            .collect();
        for px in gone {
            self.set(side, px, 0, notes);
        }
        self.set(side, ev.px.0, ev.qty.0, notes);
    }
}
