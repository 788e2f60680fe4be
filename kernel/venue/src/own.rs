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

/// The prices between which our orders of one side of one instrument stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub low: Px,
    pub high: Px,
}

/// Sorted by instrument, side, price priority; equal ones in order of arrival.
#[derive(Debug)]
pub(crate) struct OwnOrders {
    orders: Vec<OwnOrder>,
    /// By instrument and side: nearly every market record is far from them all, and this says so
    /// without a look at the orders.
    spans: Vec<[Option<Span>; 2]>,
}

impl OwnOrders {
    pub(crate) fn new() -> OwnOrders {
        OwnOrders {
            orders: Vec::with_capacity(OPEN_ORDER_COUNT_MAX),
            spans: vec![[None; 2]; INSTRUMENT_COUNT_MAX],
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
        self.measure(order.instrument, order.side);
    }

    fn measure(&mut self, instrument: InstrumentId, side: Side) {
        let range = self.range(instrument, side);
        let of = |o: Option<&OwnOrder>| o.map(|o| o.px);
        let ends = (of(self.orders[range.clone()].first()), of(self.orders[range].last()));
        self.spans[instrument.index()][side as usize] = match ends {
            (Some(a), Some(b)) => Some(Span { low: a.min(b), high: a.max(b) }),
            _ => None,
        };
    }

    /// Where our orders of a side stand; `None` where there are none.
    pub(crate) fn span(&self, instrument: InstrumentId, side: Side) -> Option<Span> {
        self.spans[instrument.index()][side as usize]
    }

    pub(crate) fn find(&self, id: ClientOrderId) -> Option<usize> {
        self.orders.iter().position(|o| o.client_order_id == id)
    }

    /// Indices of one side of one instrument, in priority order.
    pub(crate) fn range(&self, instrument: InstrumentId, side: Side) -> Range<usize> {
        let start = (instrument.0, side as u8);
        let prefix = |o: &OwnOrder| (o.instrument.0, o.side as u8);
        let from = self.orders.partition_point(|o| prefix(o) < start);
        let to = self.orders.partition_point(|o| prefix(o) <= start);
        from..to
    }

    pub(crate) fn get(&self, index: usize) -> &OwnOrder {
        &self.orders[index]
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> &mut OwnOrder {
        &mut self.orders[index]
    }

    pub(crate) fn remove(&mut self, index: usize) -> OwnOrder {
        let order = self.orders.remove(index);
        self.measure(order.instrument, order.side);
        order
    }
}
