//! The broker's own books: the truth of the simulated world, in integers.

use std::collections::BTreeMap;

/// Where an order stands; the numbers are those of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// Working.
    Working = 0,
    /// Filled completely.
    Filled = 1,
    /// Cancelled.
    Canceled = 2,
    /// Ran out.
    Expired = 3,
    /// Refused.
    Rejected = 4,
}

/// An order in the books.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Client order id; 0 for one that came by other ways.
    pub id: u64,
    /// The broker's id.
    pub venue_id: u64,
    /// Index of the broker's instrument.
    pub instrument: usize,
    /// 0 buys, 1 sells.
    pub side: u8,
    /// Limit, 0 for a market order.
    pub px: i64,
    /// Rest is cancelled at once.
    pub at_once: bool,
    /// Total.
    pub qty: i64,
    /// Executed and not busted.
    pub filled: i64,
    /// Still working.
    pub leaves: i64,
    /// Where it stands.
    pub status: Status,
    /// When it came.
    pub ts: u64,
}

/// An execution in the books.
#[derive(Clone, Copy, Debug)]
pub struct Execution {
    /// Its id.
    pub exec_id: u64,
    /// Index of its order.
    pub order: usize,
    /// Price.
    pub px: i64,
    /// Quantity.
    pub qty: i64,
    /// Fee, all of it.
    pub fee: i64,
    /// Whether the fee has been told, or is in a report under way.
    pub fee_known: bool,
    /// It was cancelled.
    pub busted: bool,
    /// It added liquidity.
    pub maker: bool,
    /// When it happened.
    pub ts: u64,
}

/// Orders, executions, positions of the account's day.
#[derive(Clone, Debug)]
pub struct Books {
    /// In the order of their coming.
    pub orders: Vec<Order>,
    /// In the order of their happening.
    pub executions: Vec<Execution>,
    /// By instrument, signed.
    pub positions: Vec<i64>,
    by_id: BTreeMap<u64, usize>,
}

impl Books {
    /// Returns empty books.
    pub fn new(instruments: usize) -> Books {
        Books {
            orders: Vec::new(),
            executions: Vec::new(),
            positions: vec![0; instruments],
            by_id: BTreeMap::new(),
        }
    }

    /// Returns the order that has this client order id.
    pub fn find(&self, id: u64) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    /// Returns the highest client order id ever seen.
    pub fn highest_id(&self) -> u64 {
        self.by_id.last_key_value().map_or(0, |(&id, _)| id)
    }

    /// Enters an order as working; returns its index.
    pub fn enter(&mut self, mut order: Order) -> usize {
        let index = self.orders.len();
        order.venue_id = 1_000_000 + index as u64;
        order.leaves = order.qty;
        order.filled = 0;
        order.status = Status::Working;
        if order.id != 0 {
            let before = self.by_id.insert(order.id, index);
            assert!(before.is_none(), "an id is entered once");
        }
        self.orders.push(order);
        index
    }

    /// Executes `qty` of a working order; returns the execution's index.
    pub fn execute(&mut self, order: usize, now: u64, px: i64, qty: i64, maker: bool) -> usize {
        let o = &mut self.orders[order];
        assert!(o.status == Status::Working && 0 < qty && qty <= o.leaves && px > 0);
        o.leaves -= qty;
        o.filled += qty;
        if o.leaves == 0 {
            o.status = Status::Filled;
        }
        self.positions[o.instrument] += if o.side == 0 { qty } else { -qty };
        let index = self.executions.len();
        self.executions.push(Execution {
            exec_id: 5_000_000 + index as u64,
            order,
            px,
            qty,
            // Half a cent a share.
            fee: 5_000_000 * qty,
            fee_known: true,
            busted: false,
            maker,
            ts: now,
        });
        index
    }

    /// Ends a working order; returns what was left of it.
    pub fn end(&mut self, order: usize, status: Status) -> i64 {
        let o = &mut self.orders[order];
        assert!(o.status == Status::Working && status != Status::Working);
        o.status = status;
        std::mem::take(&mut o.leaves)
    }

    /// Cancels an execution. What it had filled does not come back to the order.
    pub fn bust(&mut self, execution: usize) {
        let e = &mut self.executions[execution];
        assert!(!e.busted, "an execution is busted once");
        e.busted = true;
        let o = &mut self.orders[e.order];
        o.filled -= e.qty;
        if o.status == Status::Filled {
            o.status = Status::Canceled;
        }
        self.positions[o.instrument] -= if o.side == 0 { e.qty } else { -e.qty };
    }

    /// Checks the books against themselves.
    ///
    /// # Panics
    /// If a sum does not come out: the simulator is wrong, not what it tests.
    pub fn check(&self) {
        let mut positions = vec![0; self.positions.len()];
        let mut filled = vec![0; self.orders.len()];
        for e in self.executions.iter().filter(|e| !e.busted) {
            let o = &self.orders[e.order];
            positions[o.instrument] += if o.side == 0 { e.qty } else { -e.qty };
            filled[e.order] += e.qty;
        }
        assert_eq!(positions, self.positions);
        for (o, &filled) in self.orders.iter().zip(&filled) {
            assert_eq!(o.filled, filled);
            assert!(
                o.filled + o.leaves <= o.qty && (o.leaves > 0) == (o.status == Status::Working)
            );
        }
    }
}
