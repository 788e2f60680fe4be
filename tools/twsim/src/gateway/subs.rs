//! Streams a client subscribed to.

use crate::contracts::Inst;
use crate::market::Bbo;
use crate::num::Shares;
use std::collections::BTreeSet;

/// One stream.
#[derive(Clone, Debug)]
pub struct Sub {
    /// Instrument.
    pub inst: Inst,
    /// Kind and state.
    pub kind: SubKind,
    /// The server forgot it (data lost over a broken link): nothing comes any more.
    pub dead: bool,
}

/// Kinds of streams.
#[derive(Clone, Debug)]
pub enum SubKind {
    /// Quotes and last trades at intervals.
    Quotes(Box<QuoteSub>),
    /// Rows of the book.
    Depth(DepthSub),
    /// Every trade or quote.
    Ticks(TickSub),
    /// Five-second bars.
    Bars(What),
    /// A history that is kept up to date: length of a bar, nanoseconds.
    Updates(What, u64),
}

/// State of a quote stream: what the client was told last.
#[derive(Clone, Debug, Default)]
pub struct QuoteSub {
    /// Generic ticks asked for.
    pub generic: BTreeSet<i32>,
    /// Quote told.
    pub bbo: Bbo,
    /// Time of the trade told.
    pub last_ns: u64,
    /// Volume told.
    pub volume: Shares,
    /// High, low, open and close told, 1e-9.
    pub day: [i64; 4],
    /// A timer for the next quotes runs.
    pub scheduled: bool,
    /// Time of the last quotes.
    pub told_ns: u64,
    /// Market data type told: 1 to 4.
    pub data_kind: i32,
    /// Halted state told.
    pub halted: Option<bool>,
    /// News told up to then.
    pub news_ns: u64,
}

impl QuoteSub {
    /// Returns whether prices are told as delayed ones.
    pub fn is_delayed(&self) -> bool {
        self.data_kind >= 3
    }
}

/// State of a depth stream.
#[derive(Clone, Debug, Default)]
pub struct DepthSub {
    /// Rows a side.
    pub rows: usize,
    /// All exchanges together.
    pub smart: bool,
    /// Rows told: bids, asks.
    pub shown: [Vec<(i64, Shares)>; 2],
}

/// State of a tick stream.
#[derive(Clone, Copy, Debug)]
pub struct TickSub {
    /// What is told.
    pub kind: TickKind,
    /// Quote told last.
    pub bbo: Bbo,
}

/// What a tick stream tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TickKind {
    /// Trades that count for the last price.
    Last,
    /// All trades.
    AllLast,
    /// Quotes.
    BidAsk,
    /// The middle of the quote.
    MidPoint,
}

impl TickKind {
    /// Reads the protocol's name.
    pub fn read(text: &str) -> Option<TickKind> {
        Some(match text {
            "Last" => TickKind::Last,
            "AllLast" => TickKind::AllLast,
            "BidAsk" => TickKind::BidAsk,
            "MidPoint" => TickKind::MidPoint,
            _ => return None,
        })
    }

    /// Returns the protocol's number.
    pub fn number(self) -> i32 {
        match self {
            TickKind::Last => 1,
            TickKind::AllLast => 2,
            TickKind::BidAsk => 3,
            TickKind::MidPoint => 4,
        }
    }
}

/// Which prices bars are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Trades.
    Trades,
    /// The middle of the quote.
    Midpoint,
    /// Bids.
    Bid,
    /// Asks.
    Ask,
    /// Bids and asks: the means.
    BidAsk,
    /// Volatilities and fees: a constant stands in.
    Constant,
}

impl What {
    /// Reads the protocol's name.
    pub fn read(text: &str) -> Option<What> {
        Some(match text {
            "TRADES" | "ADJUSTED_LAST" | "AGGTRADES" => What::Trades,
            "MIDPOINT" => What::Midpoint,
            "BID" => What::Bid,
            "ASK" => What::Ask,
            "BID_ASK" => What::BidAsk,
            "HISTORICAL_VOLATILITY" | "OPTION_IMPLIED_VOLATILITY" | "FEE_RATE" => What::Constant,
            _ => return None,
        })
    }

    /// Returns how far from the trades' prices these are, 1e-9.
    pub fn offset(self) -> i64 {
        match self {
            What::Bid => -10_000_000,
            What::Ask => 10_000_000,
            _ => 0,
        }
    }
}
