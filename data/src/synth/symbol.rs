//! One symbol's order flow: what arrives becomes orders, cancels and executions of its own book.

use super::book::{OrderBook, Resting};
use super::flow::{Arrival, Hawkes, Latent, SESSION_S, STEP_S, day_curve};
use super::math::{Deviates, exp, ln, logistic};
use ijk_core::num::E9;
use ijk_core::{EventKind, ExchTs, InstrumentId, MarketEvent, Px, Qty, RecvTs, RowFlags, Side};
use std::collections::VecDeque;

/// One tick (a cent) in price units.
const TICK_E9: i64 = E9 / 100;
/// Price of the first reference, ticks: the least, and the range above it.
const REFERENCE_TICKS: (f64, f64) = (9_500.0, 1_000.0);
/// Orders of both sides that the cancel rate pulls the book towards.
const ORDER_COUNT_TARGET: f64 = 240.0;
/// A side never has fewer orders and levels than these: what would empty it becomes a limit order.
const SIDE_MIN: (usize, usize) = (12, 6);
/// A side never holds more orders than this; the next arrival cancels.
const SIDE_ORDER_COUNT_MAX: usize = 2_000;
/// How the signal tilts the log-odds of the side of limit orders, cancels and market orders.
const TILT: [f64; 3] = [1.00, 0.80, 0.60];
/// How a reference away from the mid tilts the same, per tick.
const PULL: [f64; 3] = [0.30, 0.40, 0.35];
/// Persistence of trade signs, and how it tilts the next one's log-odds.
const HERD: (f64, f64) = (0.9, 0.8);
/// A quote is fair this far from the reference, ticks.
const FAIR_TICKS: f64 = 0.6;
/// Probability that a limit order improves the best price where the reference allows it.
const IMPROVE: f64 = 0.70;
/// How much larger such an order is.
const IMPROVE_SIZE: i64 = 2;
/// Distance of limit orders and cancels from the best: Lomax tail index, scale, most ticks.
const DISTANCE: (f64, f64, i64) = (1.15, 3.0, 300);
/// Share of market orders that meet a hidden order.
const HIDDEN: f64 = 0.36;

/// The generator of one symbol.
#[derive(Clone, Debug)]
pub(super) struct SymbolFlow {
    instrument: InstrumentId,
    open_ns: u64,
    end_step: u64,
    step: u64,
    /// Seconds into the step.
    offset_s: f64,
    deviates: Deviates,
    hawkes: Hawkes,
    latent: Latent,
    signal_strength: f64,
    book: OrderBook,
    last_id: u64,
    sign_memory: f64,
    pending: VecDeque<MarketEvent>,
}

impl SymbolFlow {
    /// Returns the flow of symbol `index`; its snapshot is pending.
    pub(super) fn new(
        seed: u64,
        index: u16,
        minutes: u32,
        open_ns: u64,
        signal_strength: f64,
    ) -> SymbolFlow {
        let mut deviates = Deviates::new(seed, u64::from(index));
        let reference = REFERENCE_TICKS.0 + REFERENCE_TICKS.1 * deviates.uniform();
        let latent = Latent::new(reference, Deviates::new(seed, u64::MAX), &mut deviates);
        let mut flow = SymbolFlow {
            instrument: InstrumentId(index),
            open_ns,
            end_step: u64::from(minutes) * 60 * (1.0 / STEP_S) as u64,
            step: 0,
            offset_s: 0.0,
            deviates,
            hawkes: Hawkes::new(),
            latent,
            signal_strength,
            book: OrderBook::new(),
            last_id: u64::from(index) << 48,
            sign_memory: 0.0,
            pending: VecDeque::new(),
        };
        flow.open_book();
        flow
    }

    fn open_book(&mut self) {
        for side in [Side::Bid, Side::Ask] {
            for n in 0..(ORDER_COUNT_TARGET / 2.0) as i64 {
                let distance = if n < 5 { n } else { self.distance() };
                let tick = self.fair_rank(side) - distance;
                let size = self.size();
                self.add(side, tick, size);
            }
        }
        let flags = RowFlags::SNAPSHOT.with(RowFlags::DERIVED);
        self.pending.iter_mut().for_each(|event| event.flags = flags);
    }

    /// Returns the next record, without its row number; `None` at the end of the session.
    pub(super) fn next(&mut self) -> Option<MarketEvent> {
        while self.pending.is_empty() {
            if self.step >= self.end_step {
                return None;
            }
            self.advance();
        }
        self.pending.pop_front()
    }

    /// Moves to the next arrival or the end of the step, whichever comes first.
    fn advance(&mut self) {
        let activity = day_curve(self.step as f64 * STEP_S / SESSION_S);
        let orders = self.book.order_count(Side::Bid) + self.book.order_count(Side::Ask);
        let fullness = (orders as f64 / ORDER_COUNT_TARGET).clamp(0.4, 2.5);
        let left = STEP_S - self.offset_s;
        match self.hawkes.next(left, activity, [1.0 / fullness, fullness, 1.0], &mut self.deviates)
        {
            Some((arrival, wait_s)) => {
                self.offset_s += wait_s;
                self.hawkes.excite(arrival);
                match arrival {
                    Arrival::Limit => self.on_limit(),
                    Arrival::Cancel => self.on_cancel(),
                    Arrival::Market => self.on_market(),
                }
            }
            None => {
                self.step += 1;
                self.offset_s = 0.0;
                self.latent.step(activity, self.signal_strength, &mut self.deviates);
            }
        }
    }

    fn signal(&self) -> f64 {
        self.latent.signal * self.signal_strength
    }

    /// Returns the price of `side` in ranks: ticks, negated on the ask, so that more is better.
    fn best_rank(&self, side: Side) -> i64 {
        let best = self.book.best(side).expect("no side is ever empty");
        side.sign() * best
    }

    /// Returns the best rank that the reference price justifies.
    fn fair_rank(&self, side: Side) -> i64 {
        (side.sign() as f64 * self.latent.reference - FAIR_TICKS).floor() as i64
    }

    /// Returns reference less mid, ticks, bounded.
    fn reference_gap(&self) -> f64 {
        let mid = (self.best_rank(Side::Bid) - self.best_rank(Side::Ask)) as f64 / 2.0;
        (self.latent.reference - mid).clamp(-6.0, 6.0)
    }

    fn distance(&mut self) -> i64 {
        self.deviates.lomax(DISTANCE.0, DISTANCE.1, DISTANCE.2)
    }

    fn size(&mut self) -> i64 {
        let kind = self.deviates.uniform();
        if kind < 0.55 {
            100
        } else if kind < 0.75 {
            100 * (1 + self.deviates.below(5) as i64)
        } else {
            (exp(ln(60.0) + 0.9 * self.deviates.normal()) as i64).clamp(1, 5_000)
        }
    }

    fn on_limit(&mut self) {
        let buys = logistic(TILT[0] * self.signal() + PULL[0] * self.reference_gap());
        let side = if self.deviates.chance(buys) { Side::Bid } else { Side::Ask };
        self.limit(side);
    }

    fn limit(&mut self, side: Side) {
        if self.book.order_count(side) >= SIDE_ORDER_COUNT_MAX {
            return self.cancel(side);
        }
        let best = self.best_rank(side);
        let cap = self.fair_rank(side).min(-self.best_rank(side.opposite()) - 1);
        let rank = if cap > best && self.deviates.chance(IMPROVE) {
            best + 1 + self.deviates.below((cap - best) as usize) as i64
        } else {
            best.min(cap) - self.distance()
        };
        // Who moves the quote shows size: a new best level is not thinner than the one it beats.
        let size = if rank > best { IMPROVE_SIZE * self.size() } else { self.size() };
        self.add(side, rank, size);
    }

    fn add(&mut self, side: Side, rank: i64, qty: i64) {
        self.last_id += 1;
        let tick = (rank * side.sign()).max(1);
        let order = Resting { id: self.last_id, tick, qty };
        self.book.add(side, order);
        self.emit(EventKind::Add, side, order, order.qty);
    }

    fn on_cancel(&mut self) {
        let tilt = TILT[1] * self.signal() + PULL[1] * self.reference_gap();
        let asks = self.book.order_count(Side::Ask) as f64 * exp(tilt);
        let bids = self.book.order_count(Side::Bid) as f64 * exp(-tilt);
        let side = if self.deviates.chance(asks / (asks + bids)) { Side::Ask } else { Side::Bid };
        self.cancel(side);
    }

    fn cancel(&mut self, side: Side) {
        if self.is_thin(side) {
            return self.limit(side);
        }
        let stale = self.best_rank(side) > self.fair_rank(side);
        let order = if stale && self.deviates.chance(0.8) {
            self.pick(side, 0)
        } else if self.deviates.chance(0.5) {
            let index = self.deviates.below(self.book.order_count(side));
            self.book.nth(side, index)
        } else {
            let distance = self.distance();
            self.pick(side, distance)
        };
        let partial = order.qty > 1 && self.deviates.chance(0.04);
        let qty = if partial { order.qty / 2 } else { order.qty };
        self.book.take(side, order.id, qty);
        let kind = if partial { EventKind::Reduce } else { EventKind::Delete };
        self.emit(kind, side, order, qty);
    }

    /// Returns an order of the level at `distance` ticks from the best or further, or any order
    /// where there is no such level.
    fn pick(&mut self, side: Side, distance: i64) -> Resting {
        let queue = self.book.queue_from(side, distance);
        if queue.is_empty() {
            let index = self.deviates.below(self.book.order_count(side));
            return self.book.nth(side, index);
        }
        let id = queue[self.deviates.below(queue.len())];
        self.book.order(side, id)
    }

    fn is_thin(&self, side: Side) -> bool {
        self.book.order_count(side) < SIDE_MIN.0 || self.book.level_count(side) < SIDE_MIN.1
    }

    fn on_market(&mut self) {
        let odds =
            TILT[2] * self.signal() + PULL[2] * self.reference_gap() + HERD.1 * self.sign_memory;
        let buys = self.deviates.chance(logistic(odds));
        let resting = if buys { Side::Ask } else { Side::Bid };
        let sign = if buys { 1.0 } else { -1.0 };
        self.sign_memory = HERD.0 * self.sign_memory + (1.0 - HERD.0) * sign;
        if self.is_thin(resting) {
            return self.limit(resting);
        }
        if self.deviates.chance(HIDDEN) {
            return self.hidden(resting);
        }
        let whole_level = self.deviates.chance(0.35);
        let mut left = if whole_level { self.book.best_qty(resting) } else { self.size() };
        let mut levels = 0;
        let mut tick = i64::MIN;
        while left > 0 && !self.is_thin(resting) {
            let Some(order) = self.book.front(resting) else { break };
            if order.tick != tick {
                tick = order.tick;
                levels += 1;
            }
            if levels > 3 {
                break;
            }
            let qty = left.min(order.qty);
            self.book.take(resting, order.id, qty);
            self.emit(EventKind::ExecVisible, resting, order, qty);
            left -= qty;
        }
    }

    /// A hidden order trades: at the middle of a wide spread, else at the resting side's best.
    fn hidden(&mut self, resting: Side) {
        let best = self.best_rank(resting);
        let spread = -self.best_rank(resting.opposite()) - best;
        let order = Resting { id: 0, tick: (best + spread / 2) * resting.sign(), qty: 0 };
        let qty = self.size();
        self.emit(EventKind::ExecHidden, resting, order, qty);
    }

    fn emit(&mut self, kind: EventKind, side: Side, order: Resting, qty: i64) {
        let step_ns = (STEP_S * E9 as f64) as u64;
        let ns = self.open_ns + self.step * step_ns + (self.offset_s * E9 as f64) as u64;
        self.pending.push_back(MarketEvent {
            ts_exchange: ExchTs(ns),
            ts_receive: RecvTs(ns),
            order_id: order.id,
            px: Px(order.tick * TICK_E9),
            qty: Qty(qty),
            side,
            flags: RowFlags::ROW_END.with(RowFlags::BOOK_END),
            ..MarketEvent::new(kind, self.instrument)
        });
    }
}
