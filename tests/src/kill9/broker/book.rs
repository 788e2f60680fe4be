//! The broker's orders and executions, and when they trade.

use super::wire::NewMessage;
use std::collections::BTreeMap;

/// Reason of a reject: the id was used before.
pub const DUPLICATE: u16 = 103;
/// Reason of a reject: quantity or price is not positive, or it is a market order.
pub const BAD_ORDER: u16 = 110;

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Working.
    Working,
    /// Filled completely.
    Filled,
    /// Cancelled.
    Canceled,
    /// Ran out.
    Expired,
}

/// An accepted order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Client order id.
    pub id: u64,
    /// The broker's id.
    pub venue_id: u64,
    /// Symbol.
    pub symbol: String,
    /// Whether it buys.
    pub buy: bool,
    /// Total.
    pub qty: i64,
    /// Limit, and what it trades at, 1e-9.
    pub px: i64,
    /// 1: what does not trade at once runs out.
    pub tif: u8,
    /// Filled so far.
    pub filled: i64,
    /// Where it stands.
    pub status: Status,
    /// What is still to trade: (when, how much), earliest last.
    plan: Vec<(u64, i64)>,
    /// When the rest runs out.
    expires: Option<u64>,
}

impl Order {
    /// Returns what still works.
    pub fn leaves(&self) -> i64 {
        if self.status == Status::Working { self.qty - self.filled } else { 0 }
    }
}

/// An execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Its id.
    pub exec_id: u64,
    /// The order's.
    pub id: u64,
    /// Quantity.
    pub qty: i64,
    /// Price.
    pub px: i64,
    /// Fee, 1e-9.
    pub fee: i64,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// An order was accepted.
    Accepted(Order),
    /// An order was refused: its id, whether it buys, the reason.
    Refused(u64, bool, u16),
    /// An order traded.
    Executed(Execution),
    /// The rest of an order is gone: its id, how, how much.
    Ended(u64, Status, i64),
    /// There was nothing to cancel.
    TooLate(u64),
}

/// Orders and executions of the day.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// Accepted orders, in order of arrival.
    pub orders: Vec<Order>,
    /// Executions, in order.
    pub executions: Vec<Execution>,
    /// Highest client order id ever seen.
    pub highest: u64,
    /// Highest boot epoch ever seen.
    pub epoch: u64,
    index: BTreeMap<u64, usize>,
    seed: u64,
    delay_ns_max: u64,
}

/// A few bits from a seed and a number (SplitMix64's output function).
fn mix(seed: u64, n: u64) -> u64 {
    let mut z = seed.wrapping_add(n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Book {
    /// Returns an empty book. Trades happen up to `delay_ns_max` after an order arrived.
    pub fn new(seed: u64, delay_ns_max: u64) -> Book {
        Book { seed, delay_ns_max, ..Book::default() }
    }

    /// Returns the order with this id.
    pub fn order(&self, id: u64) -> Option<&Order> {
        self.index.get(&id).map(|at| &self.orders[*at])
    }

    /// Returns the position in each symbol that ever traded.
    pub fn positions(&self) -> BTreeMap<String, i64> {
        let mut sums = BTreeMap::new();
        for e in &self.executions {
            if let Some(o) = self.order(e.id) {
                let signed = if o.buy { e.qty } else { -e.qty };
                *sums.entry(o.symbol.clone()).or_insert(0) += signed;
            }
        }
        sums
    }

    /// A new order arrives at `now`.
    pub fn on_new(&mut self, now: u64, m: &NewMessage, symbol: &str) -> Deed {
        self.highest = self.highest.max(m.id);
        if self.index.contains_key(&m.id) {
            return Deed::Refused(m.id, m.buy, DUPLICATE);
        }
        if m.market || m.qty <= 0 || m.px <= 0 {
            return Deed::Refused(m.id, m.buy, BAD_ORDER);
        }
        let order = Order {
            id: m.id,
            venue_id: 1_000 + self.orders.len() as u64,
            symbol: symbol.to_string(),
            buy: m.buy,
            qty: m.qty,
            px: m.px,
            tif: m.tif,
            filled: 0,
            status: Status::Working,
            plan: Vec::new(),
            expires: None,
        };
        self.insert(now, order.clone());
        Deed::Accepted(order)
    }

    /// Takes an order in, here or from the ledger.
    pub(super) fn insert(&mut self, now: u64, mut order: Order) {
        self.highest = self.highest.max(order.id);
        self.plan(now, &mut order);
        self.index.insert(order.id, self.orders.len());
        self.orders.push(order);
    }

    /// Decides when and how much of an order trades.
    fn plan(&self, now: u64, order: &mut Order) {
        let dice = mix(self.seed, order.id);
        let delay = |n: u64| mix(self.seed ^ n, order.id) % (self.delay_ns_max + 1);
        let share = match dice % 8 {
            0 => 0,
            1 | 2 => order.qty / 2,
            _ => order.qty,
        };
        let parts = if (dice >> 8).is_multiple_of(3) { 2 } else { 1 };
        let first = share / parts;
        let mut plan = vec![(now + delay(1), first), (now + delay(2), share - first)];
        plan.retain(|(_, qty)| *qty > 0);
        plan.sort_by(|a, b| b.cmp(a));
        if order.tif == 1 {
            order.expires = Some(plan.first().map_or(now, |p| p.0));
        }
        order.plan = plan;
    }

    /// After a restart: what is not done of an order's plan happens from `now` on.
    pub(super) fn resume(&mut self, now: u64) {
        for at in 0..self.orders.len() {
            let mut order = self.orders[at].clone();
            self.plan(now, &mut order);
            let mut done = order.filled;
            while let Some((_, qty)) = order.plan.last_mut().filter(|_| done > 0) {
                let part = done.min(*qty);
                *qty -= part;
                done -= part;
                if *qty == 0 {
                    order.plan.pop();
                }
            }
            self.orders[at] = order;
        }
    }

    /// A cancel arrives.
    pub fn on_cancel(&mut self, id: u64) -> Deed {
        match self.order(id) {
            Some(o) if o.status == Status::Working => {
                let rest = o.leaves();
                self.end(id, Status::Canceled);
                Deed::Ended(id, Status::Canceled, rest)
            }
            _ => Deed::TooLate(id),
        }
    }

    pub(super) fn end(&mut self, id: u64, status: Status) {
        if let Some(at) = self.index.get(&id) {
            self.orders[*at].status = status;
        }
    }

    pub(super) fn execute(&mut self, e: Execution) {
        if let Some(at) = self.index.get(&e.id) {
            let order = &mut self.orders[*at];
            order.filled += e.qty;
            if order.filled == order.qty {
                order.status = Status::Filled;
            }
        }
        self.executions.push(e);
    }

    /// Returns the next thing that is due, done.
    pub fn next_deed(&mut self, now: u64) -> Option<Deed> {
        for at in 0..self.orders.len() {
            let order = &mut self.orders[at];
            if order.status != Status::Working {
                continue;
            }
            if let Some((when, qty)) = order.plan.last().copied() {
                if when > now {
                    continue;
                }
                order.plan.pop();
                let exec_id = 1 + self.executions.len() as u64;
                let (id, px) = (order.id, order.px);
                let e = Execution { exec_id, id, qty, px, fee: 5_000_000 * qty };
                self.execute(e.clone());
                return Some(Deed::Executed(e));
            }
            if order.expires.is_some_and(|when| when <= now) {
                let (id, rest) = (order.id, order.leaves());
                order.status = Status::Expired;
                return Some(Deed::Ended(id, Status::Expired, rest));
            }
        }
        None
    }

    /// Rebuilds an order of the ledger.
    pub(super) fn order_of(fields: OrderFields) -> Order {
        let (id, venue_id, symbol, buy, qty, px, tif) = fields;
        Order {
            id,
            venue_id,
            symbol,
            buy,
            qty,
            px,
            tif,
            filled: 0,
            status: Status::Working,
            plan: Vec::new(),
            expires: None,
        }
    }
}

/// What the ledger keeps of an order: id, venue's id, symbol, buys, quantity, price, time in force.
pub(super) type OrderFields = (u64, u64, String, bool, i64, i64, u8);
