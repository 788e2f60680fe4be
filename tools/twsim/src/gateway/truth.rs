//! What is really so at the exchange and in the account, whatever clients were told: for audits.

use super::Gateway;
use crate::num::price_f64;
use serde_json::json;

/// An order as it really is.
#[derive(Clone, Debug, PartialEq)]
pub struct TruthOrder {
    /// Permanent number.
    pub perm_id: i64,
    /// Client that sent it.
    pub client_id: i32,
    /// That client's number of it.
    pub order_id: i32,
    /// The client's reference.
    pub order_ref: Option<String>,
    /// Symbol.
    pub symbol: String,
    /// Whether it buys.
    pub buy: bool,
    /// Quantity, shares.
    pub total: f64,
    /// Filled, shares.
    pub filled: f64,
    /// State by the protocol's name.
    pub status: &'static str,
}

/// An execution as it really is.
#[derive(Clone, Debug, PartialEq)]
pub struct TruthExec {
    /// Number.
    pub exec_id: String,
    /// Order it belongs to.
    pub perm_id: i64,
    /// Quantity, shares.
    pub shares: f64,
    /// Price, dollars.
    pub price: f64,
    /// Commission, dollars.
    pub commission: f64,
    /// Time, nanoseconds since 1970.
    pub ns: u64,
    /// Replaced by a correction.
    pub superseded: bool,
}

impl Gateway {
    /// Returns every order.
    pub fn truth_orders(&self) -> Vec<TruthOrder> {
        let symbol = |stock: usize| self.universe.stocks().get(stock).map(|s| s.symbol.clone());
        let row = |o: &crate::orders::LiveOrder| TruthOrder {
            perm_id: o.perm_id,
            client_id: o.client_id,
            order_id: o.order_id,
            order_ref: o.spec.order_ref.clone(),
            symbol: symbol(o.inst.stock).unwrap_or_default(),
            buy: o.terms.buy,
            total: o.terms.total.as_f64(),
            filled: o.filled.as_f64(),
            status: o.status.name(),
        };
        self.orders.iter().map(row).collect()
    }

    /// Returns every execution, in their order.
    pub fn truth_execs(&self) -> Vec<TruthExec> {
        let row = |e: &crate::orders::Exec| TruthExec {
            exec_id: e.exec_id.clone(),
            perm_id: e.perm_id,
            shares: e.size.as_f64(),
            price: price_f64(e.px),
            commission: e.commission,
            ns: e.ns,
            superseded: e.superseded,
        };
        self.orders.execs.iter().map(row).collect()
    }

    /// Returns contract numbers, symbols and shares of every position that is not zero.
    pub fn truth_positions(&self) -> Vec<(i32, String, f64)> {
        let held = self.account.positions().filter(|(_, p)| p.shares.0 != 0);
        held.map(|(inst, p)| {
            let symbol = self.universe.stocks()[inst.stock].symbol.clone();
            (self.universe.con_id(inst), symbol, p.shares.as_f64())
        })
        .collect()
    }

    /// Returns cash, dollars.
    pub fn truth_cash(&self) -> f64 {
        self.account.cash
    }

    /// Returns all of it as one JSON document.
    pub fn truth_json(&self) -> String {
        let orders: Vec<_> = self
            .truth_orders()
            .into_iter()
            .map(|o| {
                json!({"perm_id": o.perm_id, "client_id": o.client_id, "order_id": o.order_id,
                   "order_ref": o.order_ref, "symbol": o.symbol, "buy": o.buy, "total": o.total,
                   "filled": o.filled, "status": o.status})
            })
            .collect();
        let execs: Vec<_> = self
            .truth_execs()
            .into_iter()
            .map(|e| {
                json!({"exec_id": e.exec_id, "perm_id": e.perm_id, "shares": e.shares,
                   "price": e.price, "commission": e.commission, "ns": e.ns,
                   "superseded": e.superseded})
            })
            .collect();
        let positions: Vec<_> = self.truth_positions().into_iter().map(|(con_id, symbol, shares)| {
            json!({"con_id": con_id, "symbol": symbol, "shares": shares})
        }).collect();
        let feed = self.market.failure();
        json!({"now_ns": self.now_ns, "cash_usd": self.account.cash, "orders": orders,
               "executions": execs, "positions": positions, "feed_failure": feed})
        .to_string()
    }
}
