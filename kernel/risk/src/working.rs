//! The table of working orders.

use ijk_core::limits::OPEN_ORDER_COUNT_MAX;
use ijk_core::{ClientOrderId, InstrumentId, NewOrder, OrderType, Px, Side, VenueReport};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WorkingOrder {
    pub id: ClientOrderId,
    pub px: Px,
    /// What a unit of a buy can cost at most, as reserved when it passed.
    pub value_px: Px,
    pub leaves: i64,
    pub instrument: InstrumentId,
    pub side: Side,
    pub order_type: OrderType,
}

/// Dense and small: a scan over at most 256 entries of 40 bytes beats any index.
#[derive(Debug)]
pub(crate) struct WorkingOrders {
    orders: Vec<WorkingOrder>,
}

impl WorkingOrders {
    pub(crate) fn new() -> WorkingOrders {
        WorkingOrders { orders: Vec::with_capacity(OPEN_ORDER_COUNT_MAX) }
    }

    pub(crate) fn len(&self) -> usize {
        self.orders.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &WorkingOrder> {
        self.orders.iter()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.orders.len() >= OPEN_ORDER_COUNT_MAX
    }

    pub(crate) fn find(&self, id: ClientOrderId) -> Option<usize> {
        self.orders.iter().position(|o| o.id == id && id.0 != 0)
    }

    /// As [`WorkingOrders::find`]; an order without an id of ours is told by instrument and side.
    pub(crate) fn find_report(&self, r: &VenueReport) -> Option<usize> {
        if r.client_order_id.0 != 0 {
            return self.find(r.client_order_id);
        }
        let same = |o: &WorkingOrder| o.instrument == r.instrument && o.side == r.side;
        self.orders.iter().position(|o| o.id.0 == 0 && same(o))
    }

    pub(crate) fn get(&self, index: usize) -> WorkingOrder {
        self.orders[index]
    }

    pub(crate) fn set_leaves(&mut self, index: usize, leaves: i64) {
        assert!(leaves > 0, "an order without leaves is removed");
        self.orders[index].leaves = leaves;
    }

    pub(crate) fn insert(&mut self, o: &NewOrder, value_px: Px) {
        assert!(self.orders.len() < OPEN_ORDER_COUNT_MAX, "the gate checks the count first");
        self.orders.push(WorkingOrder {
            id: o.client_order_id,
            px: o.px,
            value_px,
            leaves: o.qty.0,
            instrument: o.instrument,
            side: o.side,
            order_type: o.order_type,
        });
    }

    pub(crate) fn remove(&mut self, index: usize) {
        self.orders.swap_remove(index);
    }

    /// Whether `order` could trade with an own working order.
    pub(crate) fn would_self_match(&self, order: &NewOrder) -> bool {
        if bug!(SelfMatchOff) {
            return false;
        }
        self.orders.iter().any(|w| {
            let priced = order.order_type == OrderType::Limit && w.order_type == OrderType::Limit;
            w.instrument == order.instrument
                && w.side == order.side.opposite()
                && (!priced || !w.side.better(order.px, w.px))
        })
    }
}
