//! Settings of Interactive Brokers: the gateway, its market data.

use serde::{Deserialize, Serialize};

/// Where TWS or IB Gateway listens and who we are there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IbkrConfig {
    /// Host name or address.
    pub host: String,
    /// API port: 4002 and 4001 are the gateway's for paper and live, 7497 and 7496 those of TWS.
    pub port: u16,
    /// Client id of the connection that carries orders. Keep it: only this id can cancel them.
    pub client_id: i32,
    /// Client id of the connection that carries market data.
    pub data_client_id: i32,
    /// Client id of the process that cancels everything when the kernel dies.
    pub dead_man_client_id: i32,
    /// Account to trade; empty takes the only one there is.
    pub account: String,
    /// Accounts that `ibkr-live` may trade; no other account ever gets an order from it.
    pub live_accounts: Vec<String>,
    /// Orders may fill outside regular hours.
    pub outside_rth: bool,
    /// A short sale needs shares that the market data feed says are at hand; where it says nothing,
    /// false leaves the question to the broker.
    pub require_located: bool,
    /// Most messages within any second to the gateway, all connections together; it allows 50.
    pub messages_per_s: u32,
    /// Of these, what orders leave free for cancels.
    pub cancel_reserve: u32,
    /// Longest wait for the answer to one question, milliseconds.
    pub answer_timeout_ms: u64,
    /// Least and longest pause before a new connection, milliseconds.
    pub backoff_min_ms: u64,
    /// See `backoff_min_ms`.
    pub backoff_max_ms: u64,
    /// Market data.
    pub data: IbkrDataConfig,
}

impl Default for IbkrConfig {
    fn default() -> Self {
        IbkrConfig {
            host: "127.0.0.1".to_string(),
            port: 4_002,
            client_id: 71,
            data_client_id: 72,
            dead_man_client_id: 73,
            account: String::new(),
            live_accounts: Vec::new(),
            outside_rth: false,
            require_located: false,
            messages_per_s: 45,
            cancel_reserve: 10,
            answer_timeout_ms: 2_000,
            backoff_min_ms: 250,
            backoff_max_ms: 10_000,
            data: IbkrDataConfig::default(),
        }
    }
}

/// Which clock stamps what is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IbkrClock {
    /// This machine's; a gateway that is more than a minute off is refused.
    Machine,
    /// The gateway's, for simulated ones, which live on another day.
    Gateway,
}

/// Market data of TWS or IB Gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IbkrDataConfig {
    /// Rows of the book a side, 0 for quotes alone.
    pub depth_rows: u32,
    /// Instruments with depth at most, the first ones of the feed; the others have quotes. A
    /// login with the usual hundred market data lines has three.
    pub depth_lines: u32,
    /// Tick-by-tick streams at most; what has none is told by quotes at intervals.
    pub tick_lines: u32,
    /// A stream without a tick for so long is not called alive any more, milliseconds.
    pub quiet_ms: u64,
    /// A stream without a tick for so long is given up and subscribed again, milliseconds.
    pub silence_ms: u64,
    /// Silence allowed while a data farm is away, or after it is said to be back, milliseconds.
    pub farm_silence_ms: u64,
    /// Shortest pause before a stream that does not answer is subscribed again, milliseconds; it
    /// doubles each time.
    pub retry_min_ms: u64,
    /// Longest such pause, milliseconds.
    pub retry_max_ms: u64,
    /// Prices further than this from the last ones are not believed at first, parts of the price;
    /// 0 believes all.
    pub price_band_fraction: f64,
    /// Clock of the receive stamps.
    pub clock: IbkrClock,
    /// Seconds after the last session's end at which the feed ends.
    pub end_after_close_s: u64,
    /// File that everything heard is written to, `ibkr-capture:FILE` replays it; empty for none.
    pub capture: String,
}

impl Default for IbkrDataConfig {
    fn default() -> Self {
        IbkrDataConfig {
            depth_rows: 10,
            depth_lines: 3,
            tick_lines: 3,
            quiet_ms: 2_000,
            silence_ms: 10_000,
            farm_silence_ms: 5_000,
            retry_min_ms: 5_000,
            retry_max_ms: 60_000,
            price_band_fraction: 0.5,
            clock: IbkrClock::Machine,
            end_after_close_s: 60,
            capture: String::new(),
        }
    }
}
