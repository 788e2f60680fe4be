//! The book by order: price-time queues, with anonymous quantity for what was never seen as
//! single orders.

use crate::book::qty_valid;
use crate::book::{Applied, BookConfig, BookCounts, LEVEL_QTY_MAX, Level, Notes, Standing};
use crate::l2::{copy_levels, is_crossed};
use crate::ladder::{Ladder, Place, key_of, px_of};
use crate::order_arena::{NIL, OrderArena, RestingOrder};
use ijk_core::{EventKind, MarketEvent, Px, Qty, Side};

/// One price: anonymous quantity first, then known orders from `head` (first to trade) on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queue {
    anonymous: i64,
    known: i64,
    head: u32,
    tail: u32,
    count: u32,
}

impl Default for Queue {
    fn default() -> Queue {
        Queue { anonymous: 0, known: 0, head: NIL, tail: NIL, count: 0 }
    }
}

impl Queue {
    fn total(&self) -> i64 {
        self.anonymous + self.known
    }
}

/// One order of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderView {
    /// The exchange's id.
    pub order_id: u64,
    /// What is left of it, positive.
    pub qty: Qty,
}

/// A book by order.
///
/// A level's total is its known orders plus an anonymous quantity: orders that rested before the
/// stream began, came without an id, or found the order table full. Anonymous quantity stands
/// first in the queue. Events that name an unknown order are taken from it.
#[derive(Clone, Debug)]
pub struct L3Book {
    sides: [Ladder<Queue>; 2],
    orders: OrderArena,
    pub(crate) standing: Standing,
}

impl L3Book {
    /// Returns an empty book; all memory is taken here.
    pub fn new(config: &BookConfig) -> L3Book {
        let side =
            |side| Ladder::new(side, config.tick, config.window_ticks, config.level_count_max);
        L3Book {
            sides: [side(Side::Bid), side(Side::Ask)],
            orders: OrderArena::new(config.order_count_max),
            standing: Standing::NEW,
        }
    }

    /// See [`crate::Book::apply`].
    #[inline]
    pub fn apply(&mut self, ev: &MarketEvent) -> Applied {
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
        // A delete of nothing left still removes the order; a modify to nothing does, too.
        let may_be_zero = !matches!(ev.kind, K::Add | K::Reduce | K::ExecVisible);
        if !qty_valid(ev.qty) || (ev.qty == Qty::ZERO && !may_be_zero) {
            notes.note(Notes::BAD_QTY);
            return false;
        }
        match ev.kind {
            K::Add => self.add(ev, notes),
            K::Reduce | K::ExecVisible => self.reduce(ev, notes),
            K::Delete => self.delete(ev, notes),
            K::Modify => self.modify(ev, notes),
            K::LevelSet => self.set(ev.side, key_of(ev.side, ev.px), ev.qty.0, notes),
            K::BestSet => self.set_best(ev.side, key_of(ev.side, ev.px), ev.qty.0, notes),
            _ => false,
        }
    }

    /// Returns the order the event names.
    #[inline]
    fn named(&self, ev: &MarketEvent) -> Option<u32> {
        if ev.order_id == 0 { None } else { self.orders.find(ev.order_id) }
    }

    fn add(&mut self, ev: &MarketEvent, notes: &mut Notes) -> bool {
        let mut changed = false;
        if let Some(index) = self.named(ev) {
            notes.note(Notes::DUPLICATE_ORDER);
            self.remove_order(index);
            changed = true;
        }
        self.append(ev, notes) || changed
    }

    /// Puts an order that is not in the book at the end of its queue.
    fn append(&mut self, ev: &MarketEvent, notes: &mut Notes) -> bool {
        let (side, key, qty) = (ev.side, key_of(ev.side, ev.px), ev.qty.0);
        let place = self.sides[side as usize].find(key);
        let mut queue = match place {
            Some(place) => *self.sides[side as usize].at(place),
            None => Queue::default(),
        };
        if queue.total() > LEVEL_QTY_MAX - qty {
            notes.note(Notes::BAD_QTY);
            return false;
        }
        let order = RestingOrder { id: ev.order_id, key, qty, prev: queue.tail, next: NIL, side };
        let index = if ev.order_id == 0 {
            notes.note(Notes::UNKNOWN_ORDER);
            None
        } else {
            let index = self.orders.add(order);
            if index.is_none() {
                notes.note(Notes::ORDER_CAPACITY);
            }
            index
        };
        match index {
            None => queue.anonymous += qty,
            Some(index) => {
                if queue.tail == NIL {
                    queue.head = index;
                } else {
                    self.orders.get_mut(queue.tail).next = index;
                }
                queue.tail = index;
                queue.known += qty;
                queue.count += 1;
            }
        }
        match place {
            Some(place) => {
                *self.sides[side as usize].at_mut(place) = queue;
                true
            }
            None => self.insert(side, key, queue, notes),
        }
    }

    /// Inserts a new level; returns whether the side changed.
    fn insert(&mut self, side: Side, key: i64, queue: Queue, notes: &mut Notes) -> bool {
        match self.sides[side as usize].insert(key, queue) {
            None => true,
            Some((dropped_key, dropped)) => {
                notes.note(Notes::LEVEL_CAPACITY);
                self.free_queue(&dropped);
                dropped_key != key
            }
        }
    }

    fn reduce(&mut self, ev: &MarketEvent, notes: &mut Notes) -> bool {
        let Some(index) = self.named(ev) else { return self.take_anonymous(ev, notes) };
        let order = *self.orders.get(index);
        note_mismatch(&order, ev, notes);
        if ev.qty.0 > order.qty {
            notes.note(Notes::OVER_REDUCTION);
        }
        if ev.qty.0 >= order.qty {
            self.remove_order(index);
        } else {
            self.shrink(index, ev.qty.0);
        }
        true
    }

    fn delete(&mut self, ev: &MarketEvent, notes: &mut Notes) -> bool {
        let Some(index) = self.named(ev) else { return self.take_anonymous(ev, notes) };
        let order = *self.orders.get(index);
        note_mismatch(&order, ev, notes);
        if ev.qty.0 != 0 && ev.qty.0 != order.qty {
            notes.note(Notes::MISMATCH);
        }
        self.remove_order(index);
        true
    }

    fn modify(&mut self, ev: &MarketEvent, notes: &mut Notes) -> bool {
        let Some(index) = self.named(ev) else {
            notes.note(Notes::UNKNOWN_ORDER);
            return ev.qty.0 > 0 && self.append(ev, notes);
        };
        let order = *self.orders.get(index);
        let stays = order.side == ev.side && order.key == key_of(ev.side, ev.px);
        if stays && ev.qty.0 == order.qty {
            return false;
        }
        if stays && ev.qty.0 > 0 && ev.qty.0 < order.qty {
            self.shrink(index, order.qty - ev.qty.0);
            return true;
        }
        self.remove_order(index);
        if ev.qty.0 > 0 {
            self.append(ev, notes);
        }
        true
    }

    /// Takes the event's quantity from orders never seen one by one.
    fn take_anonymous(&mut self, ev: &MarketEvent, notes: &mut Notes) -> bool {
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

    fn set(&mut self, side: Side, key: i64, total: i64, notes: &mut Notes) -> bool {
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
    fn trim(&mut self, side: Side, place: Place, total: i64, notes: &mut Notes) {
        let queue = self.sides[side as usize].at_mut(place);
        while queue.known > total {
            notes.note(Notes::TRIMMED);
            let last = queue.tail;
            let order = self.orders.get_mut(last);
            let excess = queue.known - total;
            if order.qty > excess {
                order.qty -= excess;
                queue.known = total;
                return;
            }
            queue.known -= order.qty;
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

    fn set_best(&mut self, side: Side, key: i64, qty: i64, notes: &mut Notes) -> bool {
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
    fn drop_queue(&mut self, queue: &Queue, notes: &mut Notes) {
        if queue.count > 0 {
            notes.note(Notes::TRIMMED);
        }
        self.free_queue(queue);
    }

    fn free_queue(&mut self, queue: &Queue) {
        let mut index = queue.head;
        while index != NIL {
            let next = self.orders.get(index).next;
            self.orders.free(index);
            index = next;
        }
    }

    /// Takes `by`, less than its size, from an order that keeps its place.
    fn shrink(&mut self, index: u32, by: i64) {
        let order = self.orders.get_mut(index);
        order.qty -= by;
        let (side, key) = (order.side, order.key);
        let ladder = &mut self.sides[side as usize];
        if let Some(place) = ladder.find(key) {
            ladder.at_mut(place).known -= by;
        } else {
            debug_assert!(false, "an order without its level");
        }
    }

    fn remove_order(&mut self, index: u32) {
        let order = *self.orders.get(index);
        self.orders.free(index);
        let ladder = &mut self.sides[order.side as usize];
        let Some(place) = ladder.find(order.key) else {
            debug_assert!(false, "an order without its level");
            return;
        };
        let queue = ladder.at_mut(place);
        queue.known -= order.qty;
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

    fn clear_levels(&mut self) {
        for side in &mut self.sides {
            side.clear();
        }
        self.orders.clear();
        self.standing.trusted = true;
    }

    /// See [`crate::Book::clear`].
    pub fn clear(&mut self) {
        let changed = self.sides.iter().any(|s| s.len() > 0);
        self.clear_levels();
        self.standing.finish(changed, Notes::NONE, || false);
    }
}

/// Notes an event whose side or price is not that of the order it names.
#[inline]
fn note_mismatch(order: &RestingOrder, ev: &MarketEvent, notes: &mut Notes) {
    if order.side != ev.side || order.key != key_of(ev.side, ev.px) {
        notes.note(Notes::MISMATCH);
    }
}

/// Queries.
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
        let order = self.orders.get(self.orders.find(order_id)?);
        Some((order.side, px_of(order.side, order.key), Qty(order.qty)))
    }

    /// Returns the quantity that trades before a known order at its price: the anonymous part
    /// and the orders ahead of it. Takes time in proportion to the orders ahead.
    pub fn qty_ahead(&self, order_id: u64) -> Option<Qty> {
        let order = self.orders.get(self.orders.find(order_id)?);
        let mut ahead = self.sides[order.side as usize].get(order.key)?.anonymous;
        let mut index = order.prev;
        while index != NIL {
            let before = self.orders.get(index);
            ahead += before.qty;
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
            f(OrderView { order_id: order.id, qty: Qty(order.qty) });
            index = order.next;
        }
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
        self.sides.iter().map(Ladder::far_len).sum()
    }
}
