//! The book by order: price-time queues, with anonymous quantity for what was never seen as
//! single orders.

mod query;
mod queues;

use crate::applied::{Standing, qty_valid};
use crate::l2::is_crossed;
use crate::ladder::{Ladder, key_of};
use crate::order_arena::{NIL, OrderArena, RestingOrder, Slot};
use crate::{Applied, BookConfig, Notes};
use ijk_core::{EventKind, MarketEvent, Qty, Side};
pub use query::OrderView;

/// One price: anonymous quantity first, then known orders from `head` (first to trade) on.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
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

    /// Returns where the order the event names stands.
    #[inline]
    fn named(&self, ev: &MarketEvent) -> Option<Slot> {
        if ev.order_id == 0 { None } else { self.orders.find(ev.order_id) }
    }

    fn add(&mut self, ev: &MarketEvent, notes: &mut Notes) -> bool {
        let mut changed = false;
        if let Some(slot) = self.named(ev) {
            notes.note(Notes::DUPLICATE_ORDER);
            self.remove_order(slot);
            changed = true;
        }
        self.append(ev, notes) || changed
    }

    fn reduce(&mut self, ev: &MarketEvent, notes: &mut Notes) -> bool {
        let Some(slot) = self.named(ev) else { return self.take_anonymous(ev, notes) };
        let order = *self.orders.get(slot.index);
        note_mismatch(&order, ev, notes);
        if ev.qty.0 > order.qty() {
            notes.note(Notes::OVER_REDUCTION);
        }
        if ev.qty.0 >= order.qty() {
            self.remove_order(slot);
        } else {
            self.shrink(slot.index, ev.qty.0);
        }
        true
    }

    fn delete(&mut self, ev: &MarketEvent, notes: &mut Notes) -> bool {
        let Some(slot) = self.named(ev) else { return self.take_anonymous(ev, notes) };
        let order = *self.orders.get(slot.index);
        note_mismatch(&order, ev, notes);
        if ev.qty.0 != 0 && ev.qty.0 != order.qty() {
            notes.note(Notes::MISMATCH);
        }
        self.remove_order(slot);
        true
    }

    fn modify(&mut self, ev: &MarketEvent, notes: &mut Notes) -> bool {
        let Some(slot) = self.named(ev) else {
            notes.note(Notes::UNKNOWN_ORDER);
            return ev.qty.0 > 0 && self.append(ev, notes);
        };
        let order = *self.orders.get(slot.index);
        let stays = order.side() == ev.side && order.key == key_of(ev.side, ev.px);
        if stays && ev.qty.0 == order.qty() {
            return false;
        }
        if stays && ev.qty.0 > 0 && ev.qty.0 < order.qty() {
            self.shrink(slot.index, order.qty() - ev.qty.0);
            return true;
        }
        self.remove_order(slot);
        if ev.qty.0 > 0 {
            self.append(ev, notes);
        }
        true
    }

    fn clear_levels(&mut self) {
        for side in &mut self.sides {
            side.clear();
        }
        self.orders.clear();
        self.standing.trusted = true;
    }
}

/// Notes an event whose side or price is not that of the order it names.
#[inline]
fn note_mismatch(order: &RestingOrder, ev: &MarketEvent, notes: &mut Notes) {
    if order.side() != ev.side || order.key != key_of(ev.side, ev.px) {
        notes.note(Notes::MISMATCH);
    }
}
