//! Orders against the replayed market: arrival, triggers, fills.
//!
//! An order that crosses the spread takes displayed levels, none of them twice. A resting one waits
//! behind what was displayed at its price when it came; trades there, and cancels that leave less
//! than the queue before it, bring it forward; a trade beyond its price fills it.

use super::{Gateway, Timer};
use crate::market::{Change, Print};
use crate::num::Shares;
use crate::orders::{OrderType, Status, Tif};
use ijk_core::Side;

/// How often an order that came outside hours tries again, milliseconds.
const CLOSED_RETRY_MS: u64 = 60_000;

impl Gateway {
    pub(super) fn order_arrives(&mut self, perm: i64) {
        let Some(order) = self.orders.get(perm) else { return };
        if !order.status.can_arrive() || !order.why_held.is_empty() {
            return;
        }
        if self.faults.link_down {
            self.faults.waiting.push(perm);
            return;
        }
        let (inst, client_id, order_id) = (order.inst, order.client_id, order.order_id);
        let waits = order
            .parent
            .and_then(|p| self.orders.get(p))
            .is_some_and(|p| p.status != Status::Filled);
        let outside = order.terms.outside_rth && order.terms.kind == OrderType::Limit;
        if !self.is_open(inst) && !outside && order.terms.kind != OrderType::OnClose {
            if order.status == Status::PendingSubmit {
                if order.terms.outside_rth {
                    self.tell_order_code(client_id, order_id, 2109);
                }
                self.tell_order_code(client_id, order_id, 399);
                self.set_status(perm, Status::PreSubmitted);
            }
            self.timer_in(CLOSED_RETRY_MS, Timer::Arrive(perm));
            return;
        }
        if waits {
            self.set_status(perm, Status::PreSubmitted);
            return;
        }
        let Some(order) = self.orders.get_mut(perm) else { return };
        order.at_exchange = true;
        order.triggered = !order.terms.waits_for_trigger();
        let status = if order.triggered { Status::Submitted } else { Status::PreSubmitted };
        let quiet = order.faults.exec_first;
        if quiet {
            order.status = status;
        } else {
            self.set_status(perm, status);
        }
        self.join_queue(perm);
        self.take_liquidity(perm);
        if quiet && self.orders.get(perm).is_some_and(|o| !o.status.is_final()) {
            self.tell_open(perm);
            self.tell_status(perm);
        }
        self.end_immediate(perm);
    }

    fn set_status(&mut self, perm: i64, status: Status) {
        let Some(order) = self.orders.get_mut(perm) else { return };
        if order.status != status || order.version > 0 {
            order.status = status;
            self.tell_open(perm);
            self.tell_status(perm);
        }
    }

    /// Notes what is displayed before a resting order.
    fn join_queue(&mut self, perm: i64) {
        let Some(order) = self.orders.get(perm) else { return };
        let stock = &self.market.stocks()[order.inst.stock];
        let Some(px) = order.terms.binding_limit(stock.mark_px()) else { return };
        let side = if order.terms.buy { Side::Bid } else { Side::Ask };
        let ahead = stock.displayed(side, px);
        if let Some(order) = self.orders.get_mut(perm) {
            order.queue_ahead = ahead;
        }
    }

    fn end_immediate(&mut self, perm: i64) {
        let Some(order) = self.orders.get(perm).filter(|o| !o.status.is_final()) else { return };
        if matches!(order.terms.tif, Tif::Ioc | Tif::Fok) {
            self.end_order(perm, "");
        }
    }

    /// A feed event happened: orders of its stock trigger and fill.
    pub(super) fn match_stock(&mut self, change: &Change) {
        if !self.orders.any_open() || !(change.bbo || change.print.is_some()) {
            return;
        }
        if let Some(stock) = self.market.stock_mut(change.stock) {
            stock.settle_taken();
        }
        for perm in self.orders.open(Some(change.stock)) {
            self.trigger(perm, change.print);
            if let Some(print) = change.print {
                self.fill_resting(perm, &print);
            }
            self.take_liquidity(perm);
        }
    }

    fn trigger(&mut self, perm: i64, print: Option<Print>) {
        let Some(order) = self.orders.get_mut(perm) else { return };
        let waiting = order.at_exchange && !order.triggered && order.status == Status::PreSubmitted;
        let px = print.map(|p| p.px).or_else(|| self.market.stocks()[order.inst.stock].mark_px());
        let Some(px) = px.filter(|_| waiting) else { return };
        use OrderType as T;
        let buy = order.terms.buy;
        let level = match order.terms.kind {
            T::Trail | T::TrailLimit => {
                let by = match order.terms.trail_percent {
                    Some(percent) => (px as f64 * percent / 100.0) as i64,
                    None => order.terms.aux_px.unwrap_or(0),
                };
                let first = crate::num::price(order.spec.trail_stop_price).filter(|p| *p > 0);
                let follow = if buy { px + by } else { px - by };
                let old = order.stop_px.or(first).unwrap_or(follow);
                let stop = if buy { old.min(follow) } else { old.max(follow) };
                order.stop_px = Some(stop);
                stop
            }
            _ => order.terms.aux_px.unwrap_or(0),
        };
        let touched = matches!(order.terms.kind, T::Touched | T::LimitTouched);
        let met = if buy != touched { px >= level } else { px <= level };
        if !met {
            return;
        }
        if order.terms.kind == T::TrailLimit {
            let offset = crate::num::price(order.spec.lmt_price_offset).unwrap_or(0);
            let limit = if buy { level + offset } else { level - offset };
            order.terms.limit_px = Some(limit / 10_000_000 * 10_000_000);
        }
        order.triggered = true;
        order.status = Status::Submitted;
        self.tell_open(perm);
        self.tell_status(perm);
        self.join_queue(perm);
    }

    /// A trade at or beyond the price of a resting order.
    fn fill_resting(&mut self, perm: i64, print: &Print) {
        let mid = self.market.stocks().get(self.orders.get(perm).map_or(0, |o| o.inst.stock));
        let mid = mid.and_then(|s| s.mark_px());
        let Some(order) = self.orders.get_mut(perm).filter(|o| o.is_working() && !o.faults.park)
        else {
            return;
        };
        if order.inst.option.is_some() {
            return;
        }
        let buy = order.terms.buy;
        let own_side = if buy { Side::Ask } else { Side::Bid };
        let Some(limit) = order.terms.binding_limit(mid) else { return };
        if print.aggressor.is_some_and(|a| a != own_side) {
            return;
        }
        let through = if buy { print.px < limit } else { print.px > limit };
        let mut size = print.size;
        if !through {
            if print.px != limit {
                return;
            }
            let ahead = order.queue_ahead;
            order.queue_ahead = Shares((ahead.0 - size.0).max(0));
            size = Shares((size.0 - ahead.0).max(0));
        }
        let size = Shares(size.0.min(order.remaining().0));
        // Whole shares trade: the rest of a fractional print stays with the queue.
        if size.0 > 0 && !(order.terms.all_or_none && size.0 < order.remaining().0) {
            self.fill_in_pieces(perm, limit, size, 1);
        }
    }

    /// Fills an order with what is displayed on the other side.
    pub(super) fn take_liquidity(&mut self, perm: i64) {
        let Some(order) = self.orders.get(perm).filter(|o| o.is_working() && !o.faults.park) else {
            return;
        };
        if let Some(px) = order.faults.fill_at {
            self.fill_in_pieces(perm, px.saturating_mul(100_000), order.remaining(), 2);
            return;
        }
        use OrderType as T;
        let (inst, buy, rest) = (order.inst, order.terms.buy, order.remaining());
        let held = matches!(order.terms.kind, T::OnClose | T::LimitOnClose | T::Midpoint);
        let stock = &self.market.stocks()[inst.stock];
        if held || stock.halted || !self.is_open(inst) && !order.terms.outside_rth {
            return;
        }
        let limit = order.terms.binding_limit(stock.mark_px());
        let found = match inst.option {
            None => stock.takeable(buy, rest, limit),
            Some(_) => self.option_liquidity(inst, buy, rest, limit),
        };
        let sum: i64 = found.iter().map(|f| f.1.0).sum();
        let whole = order.terms.all_or_none || order.terms.tif == Tif::Fok;
        if whole && sum < rest.0 {
            return;
        }
        let rests_at = (order.terms.kind == T::MarketToLimit && limit.is_none())
            .then(|| found.first().copied());
        let found = if rests_at.is_some() { found.into_iter().take(1).collect() } else { found };
        for (px, size) in found {
            if inst.option.is_none()
                && let Some(stock) = self.market.stock_mut(inst.stock)
            {
                stock.take(buy, px, size);
            }
            self.fill_in_pieces(perm, px, size, 2);
        }
        if let (Some(Some((px, _))), Some(order)) = (rests_at, self.orders.get_mut(perm)) {
            order.terms.limit_px = Some(px);
            order.spec.lmt_price = Some(crate::num::price_f64(px));
        }
    }

    fn option_liquidity(
        &self,
        inst: crate::contracts::Inst,
        buy: bool,
        rest: Shares,
        limit: Option<i64>,
    ) -> Vec<(i64, Shares)> {
        let q = self.quote(inst);
        let (px, size) = if buy { (q.ask_px, q.ask) } else { (q.bid_px, q.bid) };
        let beyond = limit.is_some_and(|l| if buy { px > l } else { px < l });
        if px <= 0 || beyond { Vec::new() } else { vec![(px, Shares(size.0.min(rest.0)))] }
    }

    /// Fills what is left of an order at its limit, else at the market's price.
    pub(super) fn fill_rest(&mut self, perm: i64) {
        let Some(order) = self.orders.get(perm) else { return };
        let mark = self.market.stocks()[order.inst.stock].mark_px();
        let px = order.terms.binding_limit(mark).or(mark);
        let (rest, px) = (order.remaining(), px.unwrap_or(10_000_000));
        self.fill_in_pieces(perm, px, rest, 1);
    }

    fn fill_in_pieces(&mut self, perm: i64, px: i64, size: Shares, liquidity: i32) {
        let pieces = self.orders.get(perm).map_or(1, |o| i64::from(o.faults.pieces.max(1)));
        // Pieces are whole shares; the last one has what is left.
        let piece = Shares((size.0 / pieces / 100_000_000 * 100_000_000).max(100_000_000));
        let mut left = size;
        for i in 0..pieces {
            let part = if i + 1 == pieces { left } else { Shares(piece.0.min(left.0)) };
            if part.0 > 0 {
                self.fill(perm, px, part, liquidity);
                left.0 -= part.0;
            }
        }
    }
}
