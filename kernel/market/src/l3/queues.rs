//! Edits of the queues of a book by order: every one keeps levels, links and table in step.

use super::{L3Book, Queue};
use crate::Notes;
use crate::applied::LEVEL_QTY_MAX;
use crate::ladder::{Place, key_of};
use crate::order_arena::{NIL, OrderArena, RestingOrder, Slot};
use ijk_core::{MarketEvent, Side};

impl L3Book {
    /// Puts an order that is not in the book at the end of its queue.
    pub(super) fn append(&mut self, ev: &MarketEvent, notes: &mut Notes) -> bool {
        let (side, key, qty) = (ev.side, key_of(ev.side, ev.px), ev.qty.0);
        let ladder = &mut self.sides[side as usize];
        let Some(place) = ladder.find(key) else {
            let mut queue = Queue::default();
            push(&mut self.orders, &mut queue, ev, notes);
            return self.insert(side, key, queue, notes);
        };
        let queue = ladder.at_mut(place);
        if queue.total() > LEVEL_QTY_MAX - qty {
            notes.note(Notes::BAD_QTY);
            return false;
        }
        push(&mut self.orders, queue, ev, notes);
        true
    }

    /// Inserts a new level; returns whether the side changed.
    pub(super) fn insert(&mut self, side: Side, key: i64, queue: Queue, notes: &mut Notes) -> bool {
        match self.sides[side as usize].insert(key, queue) {
            None => true,
            Some((dropped_key, dropped)) => {
                notes.note(Notes::LEVEL_CAPACITY);
                self.free_queue(&dropped);
                dropped_key != key
            }
        }
    }

    /// Takes the event's quantity from orders never seen one by one.
    pub(super) fn take_anonymous(&mut self, ev: &MarketEvent, notes: &mut Notes) -> bool {
        notes.note(Notes::UNKNOWN_ORDER);
        let ladder = &mut self.sides[ev.side as usize];
        let place = ladder.find(key_of(ev.side, ev.px));
        let taken = match place {
            None => 0,
            Some(place) => {
                let queue = ladder.at_mut(place);
                let taken = ev.qty.0.min(queue.anonymous);
                queue.anonymous -= taken;
                if queue.total() == 0 {
                    ladder.remove(place);
                }
                taken
            }
        };
        if ev.qty.0 > taken {
            notes.note(Notes::OVER_REDUCTION);
        }
        taken > 0
    }

    pub(super) fn set(&mut self, side: Side, key: i64, total: i64, notes: &mut Notes) -> bool {
        let Some(place) = self.sides[side as usize].find(key) else {
            let queue = Queue { anonymous: total, ..Queue::default() };
            return total > 0 && self.insert(side, key, queue, notes);
        };
        let before = self.sides[side as usize].at(place).total();
        if total == 0 {
            let queue = self.sides[side as usize].remove(place);
            self.drop_queue(&queue, notes);
            return true;
        }
        self.trim(side, place, total, notes);
        let queue = self.sides[side as usize].at_mut(place);
        queue.anonymous = total - queue.known;
        before != total
    }

    /// Cuts known orders from the back until they are at most `total` (positive).
    pub(super) fn trim(&mut self, side: Side, place: Place, total: i64, notes: &mut Notes) {
        let queue = self.sides[side as usize].at_mut(place);
        while queue.known > total {
            notes.note(Notes::TRIMMED);
            let last = queue.tail;
            let order = self.orders.get_mut(last);
            let excess = queue.known - total;
            if order.qty() > excess {
                order.cut(excess);
                queue.known = total;
                return;
            }
            queue.known -= order.qty();
            queue.count -= 1;
            queue.tail = order.prev;
            self.orders.free(last);
            if queue.tail == NIL {
                queue.head = NIL;
            } else {
                self.orders.get_mut(queue.tail).next = NIL;
            }
        }
    }

    pub(super) fn set_best(&mut self, side: Side, key: i64, qty: i64, notes: &mut Notes) -> bool {
        let mut changed = false;
        loop {
            let ladder = &mut self.sides[side as usize];
            let gone = if qty == 0 { ladder.pop() } else { ladder.pop_better(key) };
            let Some(queue) = gone else { break };
            self.drop_queue(&queue, notes);
            changed = true;
        }
        self.sides[side as usize].settle();
        self.set(side, key, qty, notes) || changed
    }

    /// Forgets the orders of a level that a source's total removed.
    pub(super) fn drop_queue(&mut self, queue: &Queue, notes: &mut Notes) {
        if queue.count > 0 {
            notes.note(Notes::TRIMMED);
        }
        self.free_queue(queue);
    }

    pub(super) fn free_queue(&mut self, queue: &Queue) {
        let mut index = queue.head;
        while index != NIL {
            let next = self.orders.get(index).next;
            self.orders.free(index);
            index = next;
        }
    }

    /// Takes `by`, less than its size, from an order that keeps its place.
    pub(super) fn shrink(&mut self, index: u32, by: i64) {
        let order = self.orders.get_mut(index);
        order.cut(by);
        let (side, key) = (order.side(), order.key);
        let ladder = &mut self.sides[side as usize];
        if let Some(place) = ladder.find(key) {
            ladder.at_mut(place).known -= by;
        } else {
            debug_assert!(false, "an order without its level");
        }
    }

    pub(super) fn remove_order(&mut self, slot: Slot) {
        let order = *self.orders.get(slot.index);
        self.orders.free_at(slot);
        let ladder = &mut self.sides[order.side() as usize];
        let Some(place) = ladder.find(order.key) else {
            debug_assert!(false, "an order without its level");
            return;
        };
        let queue = ladder.at_mut(place);
        queue.known -= order.qty();
        queue.count -= 1;
        if order.prev == NIL {
            queue.head = order.next;
        } else {
            self.orders.get_mut(order.prev).next = order.next;
        }
        if order.next == NIL {
            queue.tail = order.prev;
        } else {
            self.orders.get_mut(order.next).prev = order.prev;
        }
        if queue.total() == 0 {
            ladder.remove(place);
        }
    }
}

/// Puts an order at the end of `queue`, or its quantity to the anonymous one.
#[inline]
fn push(orders: &mut OrderArena, queue: &mut Queue, ev: &MarketEvent, notes: &mut Notes) {
    let (key, qty) = (key_of(ev.side, ev.px), ev.qty.0);
    let index = if ev.order_id == 0 {
        notes.note(Notes::UNKNOWN_ORDER);
        None
    } else {
        let order = RestingOrder::new(ev.order_id, ev.side, key, qty, queue.tail);
        let index = orders.add(order);
        if index.is_none() {
            notes.note(Notes::ORDER_CAPACITY);
        }
        index
    };
    let Some(index) = index else {
        queue.anonymous += qty;
        return;
    };
    if queue.tail == NIL {
        queue.head = index;
    } else {
        orders.get_mut(queue.tail).next = index;
    }
    queue.tail = index;
    queue.known += qty;
    queue.count += 1;
}
