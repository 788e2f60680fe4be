//! What is simulated.

use crate::greeting::{SERVER_VERSION_MAX, SERVER_VERSION_MIN};
use ijk_data::{FeedSpec, FeedSpecError};

/// Account the simulator manages; paper accounts begin with `DU`.
pub const ACCOUNT: &str = "DU0000001";

/// How many of each a client may have, as the real gateway allows by default. Zero: no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests in a simulated second, all clients together. Not counted while the clock stands.
    pub messages_per_s: u32,
    /// Market data subscriptions (error 101 beyond).
    pub lines: usize,
    /// Depth subscriptions (error 309 beyond).
    pub depth: usize,
    /// Tick-by-tick subscriptions (error 10190 beyond).
    pub ticks: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { messages_per_s: 50, lines: 100, depth: 5, ticks: 5 }
    }
}

/// Settings of a simulator.
#[derive(Clone, Debug, PartialEq)]
pub struct SimConfig {
    /// Server version, 213 to 226.
    pub server_version: u32,
    /// Seconds since 1970 at which the clock stands, until it is advanced by command; `None`
    /// lets it run.
    pub fixed_time_s: Option<i64>,
    /// The running clock begins at the real time, not at the feed's own.
    pub start_now: bool,
    /// Simulated seconds a real one, of a running clock.
    pub speed: f64,
    /// Seed of a synthetic feed without one of its own, of past prices and news.
    pub seed: u64,
    /// The market: a feed as `ijk` names it. `None`: a synthetic session of five known symbols.
    pub feed: Option<FeedSpec>,
    /// New names for the feed's symbols, in order.
    pub symbols: Vec<String>,
    /// Milliseconds between an order's receipt and its arrival at the exchange.
    pub order_delay_ms: u64,
    /// Milliseconds between an execution and its commission report.
    pub commission_delay_ms: u64,
    /// Shortest time between two quotes of one subscription, milliseconds.
    pub quote_interval_ms: u64,
    /// Cash at the start, dollars.
    pub cash_usd: f64,
    /// First order id told to clients.
    pub first_order_id: i32,
    /// Orders are refused (error 321), as with the gateway's read-only setting.
    pub read_only: bool,
    /// Numbers of clients.
    pub limits: Limits,
    /// Faults: lines of a script.
    pub script: Vec<String>,
}

impl Default for SimConfig {
    fn default() -> Self {
        SimConfig {
            server_version: SERVER_VERSION_MAX,
            fixed_time_s: None,
            start_now: false,
            speed: 1.0,
            seed: 1,
            feed: None,
            symbols: Vec::new(),
            order_delay_ms: 20,
            commission_delay_ms: 5,
            quote_interval_ms: 250,
            cash_usd: 1_000_000.0,
            first_order_id: 1,
            read_only: false,
            limits: Limits::default(),
            script: Vec::new(),
        }
    }
}

/// Why a simulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A version the simulator does not speak.
    #[error("server version {found}: expected 213 to 226")]
    Version {
        /// Version asked for.
        found: u32,
    },
    /// A setting outside its range.
    #[error("{field}: expected {expected}")]
    Setting {
        /// Name of the setting.
        field: &'static str,
        /// What it may be.
        expected: &'static str,
    },
    /// The feed cannot be read.
    #[error("{text}")]
    Feed {
        /// Where and what.
        text: String,
    },
    /// The feed's name is none.
    #[error(transparent)]
    FeedName(#[from] FeedSpecError),
    /// A line of the fault script.
    #[error("script line {line}: {text}")]
    Script {
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        text: String,
    },
}

impl SimConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`SetupError::Version`] and [`SetupError::Setting`].
    pub fn check(&self) -> Result<(), SetupError> {
        let found = self.server_version;
        if !(SERVER_VERSION_MIN..=SERVER_VERSION_MAX).contains(&found) {
            return Err(SetupError::Version { found });
        }
        let rules = [
            (self.speed > 0.0 && self.speed <= 100_000.0, "speed", "above 0, at most 100000"),
            (
                self.cash_usd.is_finite() && self.cash_usd.abs() <= 1e12,
                "cash",
                "dollars, at most 1e12",
            ),
            (
                self.fixed_time_s.is_none_or(|s| (0..=9_000_000_000).contains(&s)),
                "time",
                "seconds since 1970, at most 9e9",
            ),
            (self.first_order_id >= 0, "first order id", "0 or more"),
            (self.order_delay_ms <= 3_600_000, "order delay", "at most an hour, in milliseconds"),
            (
                self.commission_delay_ms <= 3_600_000,
                "commission delay",
                "at most an hour, in milliseconds",
            ),
            (self.quote_interval_ms <= 60_000, "quote interval", "at most 60000 milliseconds"),
        ];
        match rules.iter().find(|(ok, ..)| !ok) {
            Some(&(_, field, expected)) => Err(SetupError::Setting { field, expected }),
            None => Ok(()),
        }
    }
}
