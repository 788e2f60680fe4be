//! Questions to a book by order: levels, queues, places in them.

use super::{L3Book, Queue};
use crate::l2::copy_levels;
use crate::ladder::{key_of, px_of};
use crate::order_arena::NIL;
use crate::{BookCounts, Level};
use ijk_core::{Px, Qty, Side};

/// One order of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderView {
    /// The exchange's id.
    pub order_id: u64,
    /// What is left of it, positive.
    pub qty: Qty,
}

impl L3Book {
    /// See [`crate::Book::best`].
    #[inline]
    pub fn best(&self, side: Side) -> Option<Level> {
        let ladder = &self.sides[side as usize];
        let (key, place) = ladder.best()?;
        Some(Level { px: px_of(side, key), qty: Qty(ladder.at(place).total()) })
    }

    /// See [`crate::Book::levels`].
    #[inline]
    pub fn levels(&self, side: Side, out: &mut [Level]) -> usize {
        copy_levels(&self.sides[side as usize], side, out, Queue::total)
    }

    /// See [`crate::Book::qty_at`].
    pub fn qty_at(&self, side: Side, px: Px) -> Qty {
        Qty(self.queue(side, px).map_or(0, Queue::total))
    }

    /// See [`crate::Book::level_count`].
    pub fn level_count(&self, side: Side) -> usize {
        self.sides[side as usize].len()
    }

    /// Returns the number of known orders at `px`.
    pub fn level_order_count(&self, side: Side, px: Px) -> usize {
        self.queue(side, px).map_or(0, |q| q.count as usize)
    }

    /// Returns the number of known orders of the whole book.
    pub fn order_count(&self) -> usize {
        self.orders.len()
    }

    /// Returns side, price and remaining quantity of a known order.
    pub fn order(&self, order_id: u64) -> Option<(Side, Px, Qty)> {
        let order = self.orders.get(self.orders.find(order_id)?.index);
        Some((order.side(), px_of(order.side(), order.key), Qty(order.qty())))
    }

    /// Returns the quantity that trades before a known order at its price: the anonymous part
    /// and the orders ahead of it. Takes time in proportion to the orders ahead.
    pub fn qty_ahead(&self, order_id: u64) -> Option<Qty> {
        let order = self.orders.get(self.orders.find(order_id)?.index);
        let mut ahead = self.sides[order.side() as usize].get(order.key)?.anonymous;
        let mut index = order.prev;
        while index != NIL {
            let before = self.orders.get(index);
            ahead += before.qty();
            index = before.prev;
        }
        Some(Qty(ahead))
    }

    /// Returns the quantity of known orders and the anonymous quantity at `px`.
    pub fn level_known_and_anonymous(&self, side: Side, px: Px) -> (Qty, Qty) {
        self.queue(side, px).map_or((Qty(0), Qty(0)), |q| (Qty(q.known), Qty(q.anonymous)))
    }

    /// Calls `f` with every known order at `px`, first to trade first.
    pub fn for_each_order(&self, side: Side, px: Px, mut f: impl FnMut(OrderView)) {
        let mut index = self.queue(side, px).map_or(NIL, |q| q.head);
        while index != NIL {
            let order = self.orders.get(index);
            f(OrderView { order_id: order.id, qty: Qty(order.qty()) });
            index = order.next;
        }
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

    fn queue(&self, side: Side, px: Px) -> Option<&Queue> {
        self.sides[side as usize].get(key_of(side, px))
    }

    /// Levels outside the fast ranges; for tests of both paths.
    #[cfg(test)]
    pub(crate) fn far_len(&self) -> usize {
        self.sides.iter().map(|s| s.far_len()).sum()
    }
}
