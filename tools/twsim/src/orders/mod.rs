//! Orders: what was asked for, and how far it has come.

pub mod book;
pub mod rules;
pub mod terms;

pub use book::OrderBook;
pub use rules::OrderFaults;
pub use terms::{OrderType, Terms, Tif};

use crate::contracts::Inst;
use crate::num::Shares;
use crate::proto;

/// State of an order, with the protocol's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Received, not confirmed.
    PendingSubmit,
    /// Held: not triggered, market closed, or its parent not filled.
    PreSubmitted,
    /// At the exchange.
    Submitted,
    /// A cancel is under way.
    PendingCancel,
    /// Cancelled; what was filled stays filled.
    Cancelled,
    /// Filled in full.
    Filled,
    /// Put aside: refused after it was received, or waiting for somebody. It does not work, is
    /// still listed as open, and may come back to life.
    Inactive,
}

impl Status {
    /// Returns the protocol's name.
    pub fn name(self) -> &'static str {
        match self {
            Status::PendingSubmit => "PendingSubmit",
            Status::PreSubmitted => "PreSubmitted",
            Status::Submitted => "Submitted",
            Status::PendingCancel => "PendingCancel",
            Status::Cancelled => "Cancelled",
            Status::Filled => "Filled",
            Status::Inactive => "Inactive",
        }
    }

    /// Returns whether nothing more can happen to the order.
    pub fn is_final(self) -> bool {
        matches!(self, Status::Cancelled | Status::Filled)
    }

    /// Returns whether an order in this state may go on its way to the exchange.
    pub fn can_arrive(self) -> bool {
        !self.is_final() && !matches!(self, Status::PendingCancel | Status::Inactive)
    }
}

/// One order.
#[derive(Clone, Debug)]
pub struct LiveOrder {
    /// Number the account knows it by, for ever.
    pub perm_id: i64,
    /// Client that sent it.
    pub client_id: i32,
    /// That client's number of it.
    pub order_id: i32,
    /// Instrument.
    pub inst: Inst,
    /// Contract as answers give it.
    pub contract: proto::Contract,
    /// Order as answers give it.
    pub spec: proto::Order,
    /// What it asks for.
    pub terms: Terms,
    /// State.
    pub status: Status,
    /// Filled so far.
    pub filled: Shares,
    /// Sum of price (1e-9) times quantity (1e-8) of its fills.
    pub cost: i128,
    /// Price of the last fill, 1e-9.
    pub last_fill_px: i64,
    /// Why it is held, in the protocol's words.
    pub why_held: &'static str,
    /// Has been transmitted: an order without waits for one of its family.
    pub transmitted: bool,
    /// Reached the exchange.
    pub at_exchange: bool,
    /// Its stop, touch or trail condition has been met.
    pub triggered: bool,
    /// Trailing stop's present price, 1e-9.
    pub stop_px: Option<i64>,
    /// Quantity displayed before it at its price.
    pub queue_ahead: Shares,
    /// Order that must fill before it.
    pub parent: Option<i64>,
    /// Time of its end, where it has one.
    pub done_ns: u64,
    /// Why it ended, for the list of completed orders.
    pub done_text: String,
    /// What is to go wrong with it.
    pub faults: OrderFaults,
    /// Number of executions so far.
    pub exec_count: u32,
    /// Quantity it was placed with by its first request; a modification changes the terms.
    pub version: u32,
}

impl LiveOrder {
    /// Returns what is still open.
    pub fn remaining(&self) -> Shares {
        match self.status {
            Status::Cancelled | Status::Inactive => Shares(self.terms.total.0 - self.filled.0),
            _ => Shares((self.terms.total.0 - self.filled.0).max(0)),
        }
    }

    /// Returns the mean price of its fills, dollars.
    pub fn avg_price(&self) -> f64 {
        match self.filled.0 {
            0 => 0.0,
            filled => self.cost as f64 / filled as f64 / 1e9,
        }
    }

    /// Returns whether it can trade: at the exchange, transmitted, triggered, not ended.
    pub fn is_working(&self) -> bool {
        self.at_exchange
            && self.triggered
            && matches!(
                self.status,
                Status::Submitted | Status::PreSubmitted | Status::PendingCancel
            )
            && self.why_held.is_empty()
    }
}

/// One execution.
#[derive(Clone, Debug)]
pub struct Exec {
    /// Number, unique for ever; a correction has the same but for its last part.
    pub exec_id: String,
    /// Order it belongs to.
    pub perm_id: i64,
    /// Client the order belongs to.
    pub client_id: i32,
    /// That client's number of the order.
    pub order_id: i32,
    /// Instrument.
    pub inst: Inst,
    /// Whether it bought.
    pub buy: bool,
    /// Quantity.
    pub size: Shares,
    /// Price, 1e-9.
    pub px: i64,
    /// Time.
    pub ns: u64,
    /// Filled of the order after it.
    pub cum: Shares,
    /// Mean price of the order after it, dollars.
    pub avg_price: f64,
    /// Commission, dollars.
    pub commission: f64,
    /// Profit or loss realised by it, dollars, commission taken off; `None` where it opened.
    pub realized: Option<f64>,
    /// The order's own reference.
    pub order_ref: Option<String>,
    /// Whether it took liquidity (2) or gave it (1).
    pub liquidity: i32,
    /// Replaced by a later correction, or taken back.
    pub superseded: bool,
}
