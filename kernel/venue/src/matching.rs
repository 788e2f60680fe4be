//! Matching: taking what is displayed, being filled by what traded, being crossed.

use crate::exchange::SimExchange;
use crate::own::OwnOrder;
use crate::queue::{QueuePosition, resting_trade};
use ijk_core::{DepthKind, EventKind, InstrumentId, MarketEvent, Px, Side};
use ijk_market::{Book, Level};
use std::ops::Range;

fn floor_to(lot: i64, qty: i64) -> i64 {
    qty - qty % lot
}

impl SimExchange {
    /// Lets an arriving order take what is displayed on the other side, best level first, down
    /// to `limit` or through the 50 best levels, at the levels' prices.
    pub(crate) fn take_displayed(&mut self, order: &mut OwnOrder, limit: Option<Px>) {
        let mut levels = std::mem::take(&mut self.levels);
        let listing = &self.listings[order.instrument.index()];
        let n = listing.book.levels(order.side.opposite(), &mut levels);
        for level in &levels[..n] {
            let worse = limit.is_some_and(|px| order.side.better(level.px, px));
            if worse || order.leaves == 0 {
                break;
            }
            self.take_level(order, level, None);
        }
        self.levels = levels;
    }

    /// Takes from one level what is left of it; at the level's price, or at the resting order's
    /// own where it was there first.
    fn take_level(&mut self, order: &mut OwnOrder, level: &Level, resting: Option<Px>) {
        let listing = &mut self.listings[order.instrument.index()];
        let side = order.side.opposite();
        let left = listing.debts.available(side, level.px, level.qty.0);
        let qty = floor_to(listing.instrument.lot.0, left.min(order.leaves));
        if qty > 0 {
            listing.debts.take(side, level.px, qty);
            self.fill(order, resting.unwrap_or(level.px), qty, resting.is_some());
        }
    }

    fn fill(&mut self, order: &mut OwnOrder, px: Px, qty: i64, maker: bool) {
        order.leaves -= qty;
        let instrument = &self.listings[order.instrument.index()].instrument;
        let qty_filled = ijk_core::Qty(qty);
        let fee = self.fees.charge(&mut order.fees, instrument, order.side, maker, px, qty_filled);
        self.report_fill(order, px, qty, fee, maker);
    }

    /// Fills the resting order at `index` and removes it when done. Returns whether it is gone.
    fn fill_resting(&mut self, index: usize, qty: i64) -> bool {
        let mut order = *self.own.get(index);
        let px = order.px;
        self.fill(&mut order, px, qty, true);
        *self.own.get_mut(index) = order;
        if order.leaves == 0 {
            self.remove_own(index);
        }
        order.leaves == 0
    }

    /// Before the book applies `ev`: fills from its trade, then moves the queues.
    pub(crate) fn follow_queues(&mut self, ev: &MarketEvent) {
        if let Some((resting, qty)) = resting_trade(ev)
            && self.listings[ev.instrument.index()].is_open(self.clock)
        {
            match resting {
                Some(side) => self.fill_from_trade(ev, side, qty, true),
                // Unknown aggressor: at our price it may have been on our side of the market;
                // through our price it was not, whoever it was.
                None => {
                    self.fill_from_trade(ev, Side::Bid, qty, false);
                    self.fill_from_trade(ev, Side::Ask, qty, false);
                }
            }
        }
        if let Some(range) = self.queues_moved_by(ev) {
            self.move_queues(ev, range);
        }
    }

    /// The orders of ours before which a record of our side of the book can change what stands. On
    /// level data a change of one level says nothing of orders at other prices.
    fn queues_moved_by(&mut self, ev: &MarketEvent) -> Option<Range<usize>> {
        use EventKind as K;
        let span = self.own.span(ev.instrument, ev.side);
        let by_level = depth_of(&self.listings[ev.instrument.index()].book) == DepthKind::L2;
        match ev.kind {
            K::LevelSet | K::Reduce | K::Delete | K::ExecVisible | K::Modify if by_level => {
                if !span.may_hold(ev.px) {
                    return None;
                }
                if span.in_step() {
                    return Some(self.own.range_at(ev.instrument, ev.side, ev.px));
                }
            }
            K::LevelSet | K::Reduce | K::Delete | K::ExecVisible | K::Modify | K::BestSet => {}
            // Nothing of the queues, whatever the book.
            _ if span.in_step() => return None,
            _ => {}
        }
        self.own.all_in_step(ev.instrument, ev.side);
        Some(self.own.range(ev.instrument, ev.side))
    }

    fn move_queues(&mut self, ev: &MarketEvent, range: Range<usize>) {
        let mut ahead: Option<(Px, QueuePosition)> = None;
        for index in range {
            let book = &self.listings[ev.instrument.index()].book;
            let order = self.own.get_mut(index);
            order.queue.before_apply(ev, order.px, book, self.queue_power);
            // What stands before our earlier order at the price stands before the later one
            // too; the model of cancellations, asked for each alone, may forget it.
            if let Some((px, earlier)) = ahead
                && px == order.px
            {
                order.queue.stay_behind(&earlier);
            }
            ahead = Some((order.px, order.queue));
        }
    }

    /// Hands a historical trade of `traded` on to our orders of `side`, in price-time priority.
    /// What fills one order is not there for the next. A hidden order has no priority over a
    /// displayed one at the same price, but its trade says nothing of the displayed queue either:
    /// it fills only through our price.
    fn fill_from_trade(&mut self, ev: &MarketEvent, side: Side, traded: i64, side_known: bool) {
        let at_price = side_known && ev.kind != EventKind::ExecHidden;
        let Some(foremost) = self.own.span(ev.instrument, side).foremost(side) else { return };
        let reached = side.better(foremost, ev.px) || at_price && foremost == ev.px;
        if !reached {
            return;
        }
        let lot = self.listings[ev.instrument.index()].instrument.lot.0;
        let mut range = self.own.range(ev.instrument, side);
        let mut left = traded;
        while range.start < range.end {
            let index = range.start;
            let order = self.own.get(index);
            let through = side.better(order.px, ev.px);
            let at = at_price && order.px == ev.px;
            if !through && !at {
                break;
            }
            let free = if through { left } else { order.queue.beyond_front(left) };
            let qty = floor_to(lot, free.min(order.leaves));
            if at && ev.kind == EventKind::Trade {
                self.own.get_mut(index).queue.trade_apart(traded);
            }
            if qty > 0 {
                left -= qty;
                if self.fill_resting(index, qty) {
                    range.end -= 1;
                    continue;
                }
            }
            range.start += 1;
        }
    }

    /// After a complete event: the other side now stands at or through our limit, so it would
    /// have met us first: we are filled at our limit, up to what it displays.
    pub(crate) fn fill_crossed(&mut self, instrument: InstrumentId) {
        self.end_queue_events(instrument);
        let listing = &self.listings[instrument.index()];
        if !listing.matches_at(self.clock) {
            return;
        }
        for side in [Side::Bid, Side::Ask] {
            self.fill_crossed_side(instrument, side);
        }
    }

    fn fill_crossed_side(&mut self, instrument: InstrumentId, side: Side) {
        let Some(foremost) = self.own.span(instrument, side).foremost(side) else { return };
        let Some(best) = self.listings[instrument.index()].book.best(side.opposite()) else {
            return;
        };
        let crossed = |own: Px, level: Px| !side.better(level, own);
        if !crossed(foremost, best.px) {
            return;
        }
        let mut range = self.own.range(instrument, side);
        let mut levels = std::mem::take(&mut self.levels);
        let n = self.listings[instrument.index()].book.levels(side.opposite(), &mut levels);
        while range.start < range.end {
            let mut order = *self.own.get(range.start);
            let px = order.px;
            if !crossed(px, best.px) {
                break;
            }
            for level in levels[..n].iter().take_while(|l| crossed(px, l.px)) {
                if order.leaves > 0 {
                    self.take_level(&mut order, level, Some(px));
                }
            }
            *self.own.get_mut(range.start) = order;
            if order.leaves == 0 {
                self.remove_own(range.start);
                range.end -= 1;
            } else {
                range.start += 1;
            }
        }
        self.levels = levels;
    }

    /// On order data the book change of a trade comes inside the same venue event; what has not
    /// come will not.
    fn end_queue_events(&mut self, instrument: InstrumentId) {
        if depth_of(&self.listings[instrument.index()].book) == DepthKind::L2 {
            return;
        }
        for side in [Side::Bid, Side::Ask] {
            for index in self.own.range(instrument, side) {
                self.own.get_mut(index).queue.end_event();
            }
        }
    }
}

fn depth_of(book: &Book) -> DepthKind {
    match book {
        Book::L2(_) => DepthKind::L2,
        Book::L3(_) => DepthKind::L3,
    }
}
