//! Resting orders in one preallocated block, found by id, linked by index.

use crate::id_map::IdMap;
pub(crate) use crate::id_map::Slot;
use ijk_core::Side;

/// "No order" in links.
pub(crate) const NIL: u32 = u32::MAX;

/// One resting order. `prev` is nearer to the head of its level's queue.
///
/// Half a cache line, and never in two of them: orders are met in no order at all.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(crate) struct RestingOrder {
    pub(crate) id: u64,
    /// Ladder key of its price.
    pub(crate) key: i64,
    /// Twice the quantity, which is below 2^62, plus one for an ask.
    qty_side: u64,
    pub(crate) prev: u32,
    pub(crate) next: u32,
}

const _: () = assert!(size_of::<RestingOrder>() == 32);

impl RestingOrder {
    /// Returns the last order of a queue whose last was `prev`. `qty` is not negative and at most
    /// [`crate::applied::LEVEL_QTY_MAX`].
    #[inline]
    pub(crate) fn new(id: u64, side: Side, key: i64, qty: i64, prev: u32) -> RestingOrder {
        debug_assert!((0..=crate::applied::LEVEL_QTY_MAX).contains(&qty));
        RestingOrder { id, key, qty_side: (qty as u64) << 1 | side as u64, prev, next: NIL }
    }

    #[inline]
    pub(crate) fn qty(&self) -> i64 {
        (self.qty_side >> 1) as i64
    }

    #[inline]
    pub(crate) fn side(&self) -> Side {
        if self.qty_side & 1 == Side::Bid as u64 { Side::Bid } else { Side::Ask }
    }

    /// Takes `by`, at most what is left, from it.
    #[inline]
    pub(crate) fn cut(&mut self, by: i64) {
        debug_assert!((0..=self.qty()).contains(&by));
        self.qty_side -= (by as u64) << 1;
    }
}

const UNUSED: RestingOrder = RestingOrder { id: 0, key: 0, qty_side: 0, prev: NIL, next: NIL };

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

    /// Returns where order `id` stands.
    #[inline]
    pub(crate) fn find(&self, id: u64) -> Option<Slot> {
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
        self.by_id.remove(self.slots[index as usize].id, index);
        self.release(index);
    }

    /// Forgets an order that was just found; its links are the caller's business.
    #[inline]
    pub(crate) fn free_at(&mut self, slot: Slot) {
        self.by_id.remove_at(slot);
        self.release(slot.index);
    }

    #[inline]
    fn release(&mut self, index: u32) {
        self.slots[index as usize].next = self.free;
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
