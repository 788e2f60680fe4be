//! All orders and executions of the account.

use super::{Exec, LiveOrder};
use std::collections::BTreeMap;

/// Most orders kept; beyond them new ones are refused.
pub const ORDER_COUNT_MAX: usize = 100_000;
/// Most executions kept; beyond them working orders no longer fill.
pub const EXEC_COUNT_MAX: usize = 400_000;

/// Orders by permanent number, and executions in their order.
#[derive(Clone, Debug, Default)]
pub struct OrderBook {
    orders: BTreeMap<i64, LiveOrder>,
    by_client: BTreeMap<(i32, i32), i64>,
    working: BTreeMap<i64, usize>,
    /// Executions.
    pub execs: Vec<Exec>,
    last_perm: i64,
}

/// First permanent number.
const PERM_FIRST: i64 = 1_500_000_001;

impl OrderBook {
    /// Returns a new permanent number.
    pub fn next_perm(&mut self) -> i64 {
        self.last_perm = (self.last_perm + 1).max(PERM_FIRST);
        self.last_perm
    }

    /// Returns whether another order fits.
    pub fn has_room(&self) -> bool {
        self.orders.len() < ORDER_COUNT_MAX && self.execs.len() < EXEC_COUNT_MAX
    }

    /// Takes an order.
    pub fn insert(&mut self, order: LiveOrder) {
        self.by_client.insert((order.client_id, order.order_id), order.perm_id);
        self.working.insert(order.perm_id, order.inst.stock);
        self.orders.insert(order.perm_id, order);
    }

    /// Takes an order beside another of the same number, which keeps its name.
    pub fn insert_twin(&mut self, order: LiveOrder) {
        self.working.insert(order.perm_id, order.inst.stock);
        self.orders.insert(order.perm_id, order);
    }

    /// Returns an order by permanent number.
    pub fn get(&self, perm_id: i64) -> Option<&LiveOrder> {
        self.orders.get(&perm_id)
    }

    /// Returns an order to be changed.
    pub fn get_mut(&mut self, perm_id: i64) -> Option<&mut LiveOrder> {
        self.orders.get_mut(&perm_id)
    }

    /// Returns the permanent number of a client's order.
    pub fn find(&self, client_id: i32, order_id: i32) -> Option<i64> {
        self.by_client.get(&(client_id, order_id)).copied()
    }

    /// Forgets which order a client's number stands for: it may be used again.
    pub fn forget_numbers(&mut self) {
        self.by_client.clear();
    }

    /// Returns the largest number a client used.
    pub fn largest_id(&self, client_id: i32) -> Option<i32> {
        let mut range = self.by_client.range((client_id, i32::MIN)..=(client_id, i32::MAX));
        range.next_back().map(|((_, id), _)| *id)
    }

    /// Returns all orders, by permanent number.
    pub fn iter(&self) -> impl Iterator<Item = &LiveOrder> {
        self.orders.values()
    }

    /// Returns the permanent numbers of orders that have not ended, of one stock if given.
    pub fn open(&self, stock: Option<usize>) -> Vec<i64> {
        let of_stock = |(_, s): &(&i64, &usize)| stock.is_none_or(|want| want == **s);
        self.working.iter().filter(of_stock).map(|(perm, _)| *perm).collect()
    }

    /// Returns whether a stock has an order that has not ended.
    pub fn any_open(&self) -> bool {
        !self.working.is_empty()
    }

    /// Notes that an order ended.
    pub fn ended(&mut self, perm_id: i64) {
        self.working.remove(&perm_id);
    }
}
