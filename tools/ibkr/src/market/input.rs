//! What the gateway said of one instrument, as the conversion takes it; also what a capture file
//! holds.

use serde::{Deserialize, Serialize};

/// One thing heard, with the time it was heard.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Receive time, nanoseconds UTC since 1970.
    pub at_ns: u64,
    /// Index of the instrument.
    pub instrument: u16,
    /// What it is.
    pub heard: Heard,
}

/// What was heard. Prices in currency, sizes in shares, as the protocol gives them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Heard {
    /// The best price of a side, with its size where the message had one.
    Touch {
        /// Bids (true) or asks.
        bid: bool,
        /// Price; not positive where the side is empty.
        px: f64,
        /// Size.
        qty: Option<f64>,
    },
    /// The size at the best price of a side.
    TouchQty {
        /// Bids (true) or asks.
        bid: bool,
        /// Size.
        qty: f64,
    },
    /// Both sides at once, tick by tick.
    BidAsk {
        /// Bid price.
        bid: f64,
        /// Bid size.
        bid_qty: f64,
        /// Ask price.
        ask: f64,
        /// Ask size.
        ask_qty: f64,
    },
    /// A trade.
    Trade {
        /// Price.
        px: f64,
        /// Size.
        qty: f64,
        /// When it happened, whole seconds UTC since 1970, where the message says so.
        time_s: Option<i64>,
    },
    /// The size of the last trade; new only where it differs from that of the trade before.
    LastQty {
        /// Size.
        qty: f64,
    },
    /// A change of one row of the book.
    Row {
        /// Bids (true) or asks.
        bid: bool,
        /// Row from the best price, from 0.
        position: u16,
        /// Insert (0), update (1) or delete (2).
        op: u8,
        /// Price.
        px: f64,
        /// Size.
        qty: f64,
    },
    /// The rows are void; new ones follow.
    RowsReset,
    /// What kind of data follows: 1 live, 2 frozen, 3 delayed, 4 delayed and frozen.
    DataKind {
        /// The number.
        kind: u8,
    },
    /// Trading is halted, or goes on.
    Halted {
        /// Whether it is.
        halted: bool,
    },
    /// Shares to sell short: above 2.5 at least a thousand, above 1.5 to be located, else none.
    Shortable {
        /// The level.
        level: f64,
    },
    /// How many shares there are to sell short.
    ShortShares {
        /// Their number.
        shares: f64,
    },
    /// Nothing heard so far is to be trusted any more.
    Lost,
    /// A new subscription begins: everything is told anew.
    Fresh,
    /// All is well, and nothing changed.
    Alive,
    /// What was heard belongs together: prices may go out.
    Settle,
}
