//! The generator's own order book: every order, by price and age.

use ijk_core::Side;
use std::collections::BTreeMap;

/// One resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resting {
    pub(super) id: u64,
    pub(super) tick: i64,
    pub(super) qty: i64,
}

/// One side. The key of `levels` sorts the best price first on either side.
#[derive(Clone, Debug)]
struct Half {
    side: Side,
    levels: BTreeMap<i64, Vec<u64>>,
    orders: BTreeMap<u64, (Resting, usize)>,
    /// Ids in no particular order, for a uniform choice; `orders` holds each one's place.
    ids: Vec<u64>,
}

impl Half {
    fn new(side: Side) -> Half {
        Half { side, levels: BTreeMap::new(), orders: BTreeMap::new(), ids: Vec::new() }
    }

    fn key(&self, tick: i64) -> i64 {
        if self.side == Side::Bid { -tick } else { tick }
    }

    fn remove(&mut self, id: u64) -> Resting {
        let (order, place) = self.orders.remove(&id).expect("only known orders are removed");
        self.ids.swap_remove(place);
        if let Some(moved) = self.ids.get(place) {
            self.orders.get_mut(moved).expect("listed orders are known").1 = place;
        }
        let key = self.key(order.tick);
        let level = self.levels.get_mut(&key).expect("an order's level exists");
        level.retain(|&other| other != id);
        if level.is_empty() {
            self.levels.remove(&key);
        }
        order
    }
}

/// Both sides; never crossed, never empty levels.
#[derive(Clone, Debug)]
pub(super) struct OrderBook {
    halves: [Half; 2],
}

impl OrderBook {
    /// Returns an empty book.
    pub(super) fn new() -> OrderBook {
        OrderBook { halves: [Half::new(Side::Bid), Half::new(Side::Ask)] }
    }

    fn half(&self, side: Side) -> &Half {
        &self.halves[side as usize]
    }

    /// Returns the best price in ticks; `None` for an empty side.
    pub(super) fn best(&self, side: Side) -> Option<i64> {
        let half = self.half(side);
        half.levels.keys().next().map(|&key| half.key(key))
    }

    /// Returns the number of orders of a side.
    pub(super) fn order_count(&self, side: Side) -> usize {
        self.half(side).ids.len()
    }

    /// Returns the number of price levels of a side.
    pub(super) fn level_count(&self, side: Side) -> usize {
        self.half(side).levels.len()
    }

    /// Adds an order at the end of its queue.
    ///
    /// # Panics
    /// If the order would cross the book or is not positive: a fault of the generator.
    pub(super) fn add(&mut self, side: Side, order: Resting) {
        assert!(order.qty > 0 && order.tick > 0, "orders are positive");
        if let Some(opposite) = self.best(side.opposite()) {
            let gap = if side == Side::Bid { opposite - order.tick } else { order.tick - opposite };
            assert!(gap > 0, "limit orders rest");
        }
        let half = &mut self.halves[side as usize];
        let key = half.key(order.tick);
        half.levels.entry(key).or_default().push(order.id);
        half.orders.insert(order.id, (order, half.ids.len()));
        half.ids.push(order.id);
    }

    /// Takes `qty` from an order and returns it as it was before; at zero it leaves the book.
    pub(super) fn take(&mut self, side: Side, id: u64, qty: i64) -> Resting {
        let half = &mut self.halves[side as usize];
        let before = half.orders[&id].0;
        assert!(0 < qty && qty <= before.qty, "no order gives more than it has");
        if qty == before.qty {
            half.remove(id);
        } else {
            half.orders.get_mut(&id).expect("looked up above").0.qty -= qty;
        }
        before
    }

    /// Returns the oldest order at the best price.
    pub(super) fn front(&self, side: Side) -> Option<Resting> {
        let half = self.half(side);
        half.levels.values().next().map(|queue| half.orders[&queue[0]].0)
    }

    /// Returns the total quantity at the best price.
    pub(super) fn best_qty(&self, side: Side) -> i64 {
        let half = self.half(side);
        let queue = half.levels.values().next().map_or(&[][..], |queue| queue);
        queue.iter().map(|id| half.orders[id].0.qty).sum()
    }

    /// Returns order number `index` in the uniform list.
    pub(super) fn nth(&self, side: Side, index: usize) -> Resting {
        let half = self.half(side);
        half.orders[&half.ids[index]].0
    }

    /// Returns the queue of the first level at `distance` ticks from the best or further.
    pub(super) fn queue_from(&self, side: Side, distance: i64) -> &[u64] {
        let half = self.half(side);
        let Some(first) = half.levels.keys().next() else { return &[] };
        half.levels.range(first + distance..).next().map_or(&[], |(_, queue)| queue)
    }

    /// Returns the order with this id.
    pub(super) fn order(&self, side: Side, id: u64) -> Resting {
        self.half(side).orders[&id].0
    }
}
