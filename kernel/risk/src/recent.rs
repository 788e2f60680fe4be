//! What the gate remembers of the recent past: order rate, equal orders.

use ijk_core::time::NS_PER_S;
use ijk_core::{InstrumentId, NewOrder, OrderType, Px, Qty, RecvTs, Side};

/// A token bucket in virtual time, exact: the level counts orders times 1e9, so `rate` orders a
/// second refill `rate` units a nanosecond. Any span of T seconds passes at most
/// `burst + rate * T` orders.
#[derive(Debug)]
pub(crate) struct Throttle {
    level: u64,
    capacity: u64,
    rate: u64,
    last: Option<RecvTs>,
}

impl Throttle {
    pub(crate) fn new(rate: u32, burst: u32) -> Throttle {
        // A rate of zero must refuse: it is a missing limit, not a burst without refill.
        let capacity = if rate == 0 { 0 } else { u64::from(burst) * NS_PER_S };
        Throttle { level: capacity, capacity, rate: u64::from(rate), last: None }
    }

    pub(crate) fn refill(&mut self, now: RecvTs) {
        let elapsed = self.last.map_or(0, |t| now.since_ns(t));
        let rate = if bug!(ThrottleRefillsDouble) { 2 * self.rate } else { self.rate };
        let gained = elapsed.saturating_mul(rate);
        self.level = self.level.saturating_add(gained).min(self.capacity);
        self.last = Some(self.last.map_or(now, |t| t.max(now)));
    }

    pub(crate) fn has_one(&self) -> bool {
        self.level >= NS_PER_S
    }

    /// Lowers rate and burst; never raises them.
    pub(crate) fn tighten(&mut self, rate: u32, burst: u32) {
        let lower = Throttle::new(rate, burst);
        self.rate = self.rate.min(lower.rate);
        self.capacity = self.capacity.min(lower.capacity);
        self.level = self.level.min(self.capacity);
    }

    pub(crate) fn take_one(&mut self) {
        assert!(self.has_one());
        self.level -= NS_PER_S;
    }
}

/// Accepted orders remembered for the duplicate check.
const RECENT_ORDER_COUNT_MAX: usize = 512;

#[derive(Clone, Copy, Debug)]
struct RecentOrder {
    ts: RecvTs,
    qty: Qty,
    px: Px,
    instrument: InstrumentId,
    side: Side,
    order_type: OrderType,
}

/// A ring of the last accepted orders.
#[derive(Debug)]
pub(crate) struct RecentOrders {
    ring: Vec<RecentOrder>,
    next: usize,
}

/// How many equal orders within which time are too many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EqualOrders {
    pub count: u32,
    pub window_ns: u64,
}

/// What the ring knows of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recency {
    New,
    Duplicate,
    /// The ring is full of orders inside the window: whether it is new cannot be told.
    Unknown,
}

impl RecentOrders {
    pub(crate) fn new() -> RecentOrders {
        RecentOrders { ring: Vec::with_capacity(RECENT_ORDER_COUNT_MAX), next: 0 }
    }

    /// Whether fewer than `count` equal orders passed within the window; unset values refuse.
    pub(crate) fn judge(&self, now: RecvTs, o: &NewOrder, w: EqualOrders) -> Recency {
        if w.window_ns == 0 || w.count == 0 {
            return Recency::Duplicate;
        }
        if w.count as usize > RECENT_ORDER_COUNT_MAX {
            return Recency::New; // more than the ring, and so the rate, ever holds
        }
        let inside = |r: &&RecentOrder| now.since_ns(r.ts) <= w.window_ns;
        let equal = |r: &&RecentOrder| {
            r.instrument == o.instrument
                && r.side == o.side
                && r.order_type == o.order_type
                && r.qty == o.qty
                && r.px == o.px
        };
        // Newest first: times never decrease, so what lies outside the window ends the search.
        let near = self.newest_first().take_while(inside);
        let count = near.filter(equal).take(w.count as usize).count();
        if count == w.count as usize {
            return Recency::Duplicate;
        }
        // The slot that would be overwritten holds the oldest order once the ring is full.
        match self.ring.get(self.next) {
            Some(oldest) if inside(&oldest) => Recency::Unknown,
            _ => Recency::New,
        }
    }

    fn newest_first(&self) -> impl Iterator<Item = &RecentOrder> {
        // `next` is the number of entries until the ring is full, then the place of the oldest.
        let (older, newer) = self.ring.split_at(self.next.min(self.ring.len()));
        older.iter().rev().chain(newer.iter().rev())
    }

    pub(crate) fn push(&mut self, now: RecvTs, o: &NewOrder) {
        let entry = RecentOrder {
            ts: now,
            qty: o.qty,
            px: o.px,
            instrument: o.instrument,
            side: o.side,
            order_type: o.order_type,
        };
        if self.ring.len() < RECENT_ORDER_COUNT_MAX {
            self.ring.push(entry);
        } else {
            self.ring[self.next] = entry;
        }
        // Until the ring is full `next` points past its end, where nothing is overwritten.
        self.next = (self.next + 1) % RECENT_ORDER_COUNT_MAX;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Equals a scan of the last 512 orders, over several turns of the ring.
        #[test]
        fn equal_orders_equal_naive(
            steps in prop::collection::vec((0u64..30, 1i64..9), 500..1_800),
            count in 1u32..5,
            window_ns in 1u64..9_000,
        ) {
            let mut fast = RecentOrders::new();
            let mut all: Vec<(u64, i64)> = vec![];
            let mut now = 0;
            for (gap, qty) in steps {
                now += gap;
                let order = order_of(qty);
                let last = &all[all.len().saturating_sub(RECENT_ORDER_COUNT_MAX)..];
                let inside = last.iter().filter(|o| now - o.0 <= window_ns);
                let equal = inside.clone().filter(|o| o.1 == qty).count();
                let want = if equal >= count as usize {
                    Recency::Duplicate
                } else if inside.count() == RECENT_ORDER_COUNT_MAX {
                    Recency::Unknown
                } else {
                    Recency::New
                };
                let window = EqualOrders { count, window_ns };
                prop_assert_eq!(fast.judge(RecvTs(now), &order, window), want);
                fast.push(RecvTs(now), &order);
                all.push((now, qty));
            }
        }
    }

    fn order_of(qty: i64) -> NewOrder {
        NewOrder {
            client_order_id: ijk_core::ClientOrderId(1),
            qty: Qty(qty),
            px: Px(1),
            parent_id: ijk_core::ParentId(0),
            instrument: InstrumentId(0),
            side: Side::Bid,
            order_type: OrderType::Limit,
            tif: ijk_core::TimeInForce::Day,
            reserved: [0; 7],
        }
    }

    #[test]
    fn throttle_passes_burst_then_rate() {
        let mut t = Throttle::new(10, 3);
        let mut passed = |ns: u64| {
            t.refill(RecvTs(ns));
            let ok = t.has_one();
            if ok {
                t.take_one();
            }
            ok
        };
        assert_eq!([0, 0, 0, 0].map(&mut passed), [true, true, true, false]);
        assert!(!passed(99_999_999));
        assert!(passed(100_000_000));
        assert!(!passed(100_000_001));
        // A long rest refills no more than the burst.
        let later = 1_000_000_000_000;
        assert_eq!([later; 4].map(&mut passed), [true, true, true, false]);
    }
}
