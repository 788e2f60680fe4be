//! What the gate remembers of the recent past: order rate, equal orders, execution ids.

use ijk_core::time::NS_PER_S;
use ijk_core::{ExecId, InstrumentId, NewOrder, OrderType, Px, Qty, RecvTs, Side};

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
        let gained = elapsed.saturating_mul(self.rate);
        self.level = self.level.saturating_add(gained).min(self.capacity);
        self.last = Some(self.last.map_or(now, |t| t.max(now)));
    }

    pub(crate) fn has_one(&self) -> bool {
        self.level >= NS_PER_S
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
    window_ns: u64,
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
    pub(crate) fn new(window_ns: u64) -> RecentOrders {
        RecentOrders { ring: Vec::with_capacity(RECENT_ORDER_COUNT_MAX), next: 0, window_ns }
    }

    pub(crate) fn judge(&self, now: RecvTs, o: &NewOrder) -> Recency {
        if self.window_ns == 0 {
            return Recency::Duplicate; // an unset window refuses
        }
        let inside = |r: &&RecentOrder| now.since_ns(r.ts) <= self.window_ns;
        let equal = |r: &RecentOrder| {
            r.instrument == o.instrument
                && r.side == o.side
                && r.order_type == o.order_type
                && r.qty == o.qty
                && r.px == o.px
        };
        if self.ring.iter().filter(inside).any(equal) {
            return Recency::Duplicate;
        }
        // The slot that would be overwritten holds the oldest order once the ring is full.
        match self.ring.get(self.next) {
            Some(oldest) if inside(&oldest) => Recency::Unknown,
            _ => Recency::New,
        }
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

/// Execution ids remembered for the detection of repeated fills.
const EXEC_ID_COUNT_MAX: usize = 4_096;
const EXEC_SLOTS: usize = 2 * EXEC_ID_COUNT_MAX;

/// The last 4,096 execution ids: open addressing with linear probing, and a ring that says which
/// one to forget.
#[derive(Debug)]
pub(crate) struct RecentExecs {
    slots: Vec<u64>,
    ring: Vec<u64>,
    next: usize,
}

fn home(id: u64) -> usize {
    // Fibonacci hashing (Knuth, TAOCP vol. 3, 6.4).
    (id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize % EXEC_SLOTS
}

impl RecentExecs {
    pub(crate) fn new() -> RecentExecs {
        RecentExecs { slots: vec![0; EXEC_SLOTS], ring: vec![0; EXEC_ID_COUNT_MAX], next: 0 }
    }

    /// Remembers the id; returns whether it is new. Zero is never remembered.
    pub(crate) fn insert(&mut self, id: ExecId) -> bool {
        assert!(id.0 != 0, "the ledger refuses fills without an execution id");
        let at = self.probe(id.0);
        if self.slots[at] == id.0 {
            return false;
        }
        let forgotten = core::mem::replace(&mut self.ring[self.next], id.0);
        self.next = (self.next + 1) % EXEC_ID_COUNT_MAX;
        if forgotten != 0 {
            self.forget(forgotten);
        }
        let at = self.probe(id.0);
        self.slots[at] = id.0;
        true
    }

    /// Slot of `id`, or the empty slot where it would go.
    fn probe(&self, id: u64) -> usize {
        let mut at = home(id);
        while self.slots[at] != 0 && self.slots[at] != id {
            at = (at + 1) % EXEC_SLOTS;
        }
        at
    }

    /// Backward-shift deletion: no tombstones, so probes stay short for ever.
    fn forget(&mut self, id: u64) {
        let mut hole = self.probe(id);
        assert!(self.slots[hole] == id, "the ring names what the table holds");
        let mut at = hole;
        loop {
            at = (at + 1) % EXEC_SLOTS;
            let Some(moved) = Some(self.slots[at]).filter(|&v| v != 0) else { break };
            let wish = home(moved);
            let stays =
                (at + EXEC_SLOTS - wish) % EXEC_SLOTS < (at + EXEC_SLOTS - hole) % EXEC_SLOTS;
            if !stays {
                self.slots[hole] = moved;
                hole = at;
            }
        }
        self.slots[hole] = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    proptest! {
        /// Equals a queue of the last 4,096 distinct ids, searched from end to end.
        #[test]
        fn exec_ids_equal_naive(
            seed in any::<u64>(),
            span in prop::sample::select(vec![50u64, 5_000, 9_000, u64::MAX]),
        ) {
            let mut fast = RecentExecs::new();
            let mut naive: VecDeque<u64> = VecDeque::new();
            let mut x = seed | 1;
            for _ in 0..6_000 {
                x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
                let id = (x >> 11) % span + 1;
                let fresh = !naive.contains(&id);
                if fresh {
                    naive.push_back(id);
                    if naive.len() > EXEC_ID_COUNT_MAX {
                        naive.pop_front();
                    }
                }
                prop_assert_eq!(fast.insert(ExecId(id)), fresh);
            }
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
