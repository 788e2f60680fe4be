//! Resting orders in one preallocated block, found by id, linked by index.

use crate::id_map::IdMap;
use ijk_core::Side;

/// "No order" in links.
pub(crate) const NIL: u32 = u32::MAX;

/// One resting order. `prev` is nearer to the head of its level's queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RestingOrder {
    pub(crate) id: u64,
    /// Ladder key of its price.
    pub(crate) key: i64,
    pub(crate) qty: i64,
    pub(crate) prev: u32,
    pub(crate) next: u32,
    pub(crate) side: Side,
}

const UNUSED: RestingOrder =
    RestingOrder { id: 0, key: 0, qty: 0, prev: NIL, next: NIL, side: Side::Bid };

/// All orders of one book.
#[derive(Clone, Debug)]
pub(crate) struct OrderArena {
    slots: Box<[RestingOrder]>,
    by_id: IdMap,
    /// Freed slots, linked by `next`.
    free: u32,
    /// Slots from here on were never used since the last clear.
    fresh: u32,
    len: usize,
}

impl OrderArena {
    pub(crate) fn new(order_count_max: usize) -> OrderArena {
        let count = order_count_max.clamp(1, IdMap::COUNT_MAX);
        OrderArena {
            slots: vec![UNUSED; count].into_boxed_slice(),
            by_id: IdMap::new(count),
            free: NIL,
            fresh: 0,
            len: 0,
        }
    }

    /// Returns the number of orders.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns the index of order `id`.
    #[inline]
    pub(crate) fn find(&self, id: u64) -> Option<u32> {
        self.by_id.get(id, |index| self.slots[index as usize].id == id)
    }

    /// Stores an order whose id is not there yet; `None` when full.
    pub(crate) fn add(&mut self, order: RestingOrder) -> Option<u32> {
        let index = if self.free != NIL {
            let index = self.free;
            self.free = self.slots[index as usize].next;
            index
        } else if (self.fresh as usize) < self.slots.len() {
            self.fresh += 1;
            self.fresh - 1
        } else {
            return None;
        };
        self.by_id.insert(order.id, index);
        self.slots[index as usize] = order;
        self.len += 1;
        Some(index)
    }

    /// Forgets an order; its links are the caller's business.
    pub(crate) fn free(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        self.by_id.remove(slot.id, index);
        slot.next = self.free;
        self.free = index;
        self.len -= 1;
    }

    pub(crate) fn clear(&mut self) {
        self.by_id.clear();
        self.free = NIL;
        self.fresh = 0;
        self.len = 0;
    }

    #[inline]
    pub(crate) fn get(&self, index: u32) -> &RestingOrder {
        &self.slots[index as usize]
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> &mut RestingOrder {
        &mut self.slots[index as usize]
    }
}
