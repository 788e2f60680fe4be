//! Our resting orders at the simulated exchange.

use crate::fees::OrderFees;
use crate::queue::QueuePosition;
use ijk_core::limits::{INSTRUMENT_COUNT_MAX, OPEN_ORDER_COUNT_MAX};
use ijk_core::{ClientOrderId, InstrumentId, Px, Side, TimeInForce, VenueOrderId};
use std::ops::Range;

#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnOrder {
    pub client_order_id: ClientOrderId,
    pub venue_order_id: VenueOrderId,
    pub px: Px,
    pub leaves: i64,
    pub instrument: InstrumentId,
    pub side: Side,
    pub tif: TimeInForce,
    pub fees: OrderFees,
    pub queue: QueuePosition,
}

impl OwnOrder {
    /// Sort key: instrument, side, best price first.
    fn key(&self) -> (u16, u8, i64) {
        let px = match self.side {
            Side::Bid => !self.px.0,
            Side::Ask => self.px.0,
        };
        (self.instrument.0, self.side as u8, px)
    }
}

/// The prices at which our orders of one side of one instrument stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub low: Px,
    pub high: Px,
    /// A bit for each price; others may share it.
    bits: [u64; Span::WORDS],
    /// Orders.
    count: u32,
    /// An order came since every order was last put behind the earlier ones at its price.
    came: bool,
}

impl Span {
    const WORDS: usize = 8;
    /// No orders: no price is between these.
    const EMPTY: Span = Span {
        low: Px(i64::MAX),
        high: Px(i64::MIN),
        bits: [0; Span::WORDS],
        count: 0,
        came: false,
    };

    /// Word and bit of a price.
    #[inline]
    fn place(px: Px) -> (usize, u64) {
        // A drawn odd number under which prices of usual ticks, near each other, lie apart.
        let hash = (px.0 as u64).wrapping_mul(0x3266_AA3B_B0CD_E917) >> 55;
        ((hash >> 6) as usize, hash & 63)
    }

    fn add(&mut self, px: Px) {
        let (word, bit) = Span::place(px);
        self.bits[word] |= 1 << bit;
        self.count += 1;
        (self.low, self.high) = (self.low.min(px), self.high.max(px));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.high < self.low
    }

    /// The price that trades first, if there is an order.
    pub(crate) fn foremost(&self, side: Side) -> Option<Px> {
        let px = match side {
            Side::Bid => self.high,
            Side::Ask => self.low,
        };
        (!self.is_empty()).then_some(px)
    }

    /// Whether a change of the level at `px` alone can touch the queue of an order: mostly false
    /// where none stands. The mark is asked first: it says no nearly always, while prices lie
    /// inside and outside of the span as if drawn.
    #[inline]
    pub(crate) fn may_hold(&self, px: Px) -> bool {
        let (word, bit) = Span::place(px);
        let marked = self.bits[word] >> bit & 1 == 1;
        marked || (self.came && self.low <= px && px <= self.high)
    }

    /// Whether only orders at the price of a change may have to move.
    pub(crate) fn in_step(&self) -> bool {
        !self.came
    }
}

/// Sorted by instrument, side, price priority; equal ones in order of arrival.
#[derive(Debug)]
pub(crate) struct OwnOrders {
    orders: Vec<OwnOrder>,
    /// By instrument and side: nearly every market record is far from them all, and this says so
    /// without a look at the orders.
    spans: Vec<[Span; 2]>,
}

impl OwnOrders {
    pub(crate) fn new() -> OwnOrders {
        OwnOrders {
            orders: Vec::with_capacity(OPEN_ORDER_COUNT_MAX),
            spans: vec![[Span::EMPTY; 2]; INSTRUMENT_COUNT_MAX],
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.orders.len() == OPEN_ORDER_COUNT_MAX
    }

    pub(crate) fn len(&self) -> usize {
        self.orders.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &OwnOrder> {
        self.orders.iter()
    }

    pub(crate) fn insert(&mut self, order: OwnOrder) {
        assert!(!self.is_full() && order.leaves > 0);
        let key = order.key();
        let at = self.orders.partition_point(|o| o.key() <= key);
        self.orders.insert(at, order);
        self.spans[order.instrument.index()][order.side as usize].count += 1;
        self.measure(order.instrument, order.side);
        self.spans[order.instrument.index()][order.side as usize].came = true;
    }

    /// Looks anew where the orders of a side stand, whose number is right already.
    fn measure(&mut self, instrument: InstrumentId, side: Side) {
        let range = self.range(instrument, side);
        let span = &mut self.spans[instrument.index()][side as usize];
        *span = Span { came: span.came, ..Span::EMPTY };
        self.orders[range].iter().for_each(|o| span.add(o.px));
    }

    /// Every order of a side is about to be put behind the earlier ones at its price.
    pub(crate) fn all_in_step(&mut self, instrument: InstrumentId, side: Side) {
        self.spans[instrument.index()][side as usize].came = false;
    }

    /// Where our orders of a side stand.
    #[inline]
    pub(crate) fn span(&self, instrument: InstrumentId, side: Side) -> &Span {
        &self.spans[instrument.index()][side as usize]
    }

    pub(crate) fn find(&self, id: ClientOrderId) -> Option<usize> {
        self.orders.iter().position(|o| o.client_order_id == id)
    }

    /// Indices of one side of one instrument, in priority order.
    pub(crate) fn range(&self, instrument: InstrumentId, side: Side) -> Range<usize> {
        let index = instrument.index();
        let count = |span: &Span| span.count as usize;
        let before: usize = self.spans[..index].iter().flatten().map(count).sum();
        let [bids, asks] = &self.spans[index];
        let start = before + if side == Side::Bid { 0 } else { count(bids) };
        start..start + count(if side == Side::Bid { bids } else { asks })
    }

    /// Indices of the orders of one side of one instrument at one price, the earliest first.
    pub(crate) fn range_at(&self, instrument: InstrumentId, side: Side, px: Px) -> Range<usize> {
        let all = self.range(instrument, side);
        let orders = &self.orders[all.clone()];
        let from = orders.partition_point(|o| side.better(o.px, px));
        let count = orders[from..].iter().take_while(|o| o.px == px).count();
        all.start + from..all.start + from + count
    }

    pub(crate) fn get(&self, index: usize) -> &OwnOrder {
        &self.orders[index]
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> &mut OwnOrder {
        &mut self.orders[index]
    }

    pub(crate) fn remove(&mut self, index: usize) -> OwnOrder {
        let order = self.orders.remove(index);
        self.spans[order.instrument.index()][order.side as usize].count -= 1;
        self.measure(order.instrument, order.side);
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(tick: i64, stride: i64) -> Span {
        let mut span = Span::EMPTY;
        (0..16).for_each(|n| span.add(Px((572_000 + n * stride) * tick)));
        span
    }

    #[test]
    fn a_price_with_an_order_is_never_passed_over() {
        for tick in [1, 10_000, 1_000_000, 10_000_000, 100_000_000, 250_000_000, 1_000_000_000] {
            for stride in 1..60 {
                let span = spans(tick, stride);
                for n in 0..16 {
                    assert!(span.may_hold(Px((572_000 + n * stride) * tick)), "{tick} {stride}");
                }
            }
        }
        assert!(!Span::EMPTY.may_hold(Px(1)));
    }

    /// Of 512 bits 16 prices mark about 16, so that one of 30 other prices is asked for nothing.
    #[test]
    fn few_other_prices_are_marked() {
        for tick in [1, 10_000, 1_000_000, 10_000_000, 100_000_000, 250_000_000, 1_000_000_000] {
            for stride in 2..60 {
                let span = spans(tick, stride);
                let others = (0..16 * stride).filter(|n| n % stride != 0);
                let (mut marked, mut count) = (0, 0);
                for n in others {
                    marked += usize::from(span.may_hold(Px((572_000 + n) * tick)));
                    count += 1;
                }
                assert!(marked * 4 <= count, "{tick} {stride}: {marked} of {count}");
            }
        }
    }
}
