//! What happened to our orders: parents, children and latencies, folded from the records of a
//! run, whether it comes from a journal on disk or from a simulation in memory.

pub mod fold;
pub mod run;
pub mod simulate;

use crate::market::Market;
use ijk_core::time::NS_PER_S;

/// Everything one source of fills tells.
#[derive(Clone, Debug)]
pub struct Observations {
    /// Where it comes from, for people.
    pub source: String,
    /// Orders met a replayed market, which does not react: permanent impact cannot be seen.
    pub simulated: bool,
    /// Per instrument.
    pub symbols: Vec<SymbolObservations>,
    /// Order and report latencies.
    pub latencies: Vec<LatencyObservation>,
}

/// One instrument of a source.
#[derive(Clone, Debug)]
pub struct SymbolObservations {
    /// Its market.
    pub market: Market,
    /// Parents that ended, by start.
    pub parents: Vec<ParentObservation>,
    /// Children that rested, by arrival.
    pub children: Vec<ChildObservation>,
}

/// Urgencies in the order of their number.
pub const URGENCIES: [&str; 3] = ["passive", "normal", "urgent"];

/// A parent order and what it got.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParentObservation {
    /// Start, nanoseconds UTC.
    pub start_ns: u64,
    /// End of the time it was given, nanoseconds UTC.
    pub end_ns: u64,
    /// +1 buy, -1 sell.
    pub sign: f64,
    /// Index into [`URGENCIES`].
    pub urgency: usize,
    /// Quantity ordered, whole units.
    pub qty: f64,
    /// Quantity filled, whole units.
    pub filled: f64,
    /// Mid at the start.
    pub arrival_mid: f64,
    /// Spread at the start, basis points.
    pub spread_bps: f64,
    /// Mean fill price.
    pub average_px: f64,
}

impl ParentObservation {
    /// Returns the cost of the fills against the mid at the start, basis points; positive is a
    /// cost.
    pub fn cost_bps(&self) -> f64 {
        1e4 * self.sign * (self.average_px - self.arrival_mid) / self.arrival_mid
    }

    /// Returns the time given, seconds.
    pub fn horizon_s(&self) -> f64 {
        self.end_ns.saturating_sub(self.start_ns) as f64 / NS_PER_S as f64
    }
}

/// A child order that rested at its own side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChildObservation {
    /// When the venue had it, nanoseconds UTC.
    pub placed_ns: u64,
    /// Quantity displayed before it over the mean size of a print.
    pub queue_prints: f64,
    /// Distance behind the best of its side at arrival, ticks; negative inside the spread.
    pub behind_ticks: f64,
    /// Share of its own side in the two best sizes at arrival, 0 to 1.
    pub own_share: f64,
    /// Seconds until it was filled whole, or until nothing more was seen of it.
    pub seconds: f64,
    /// Whether it was filled whole; else the time is censored.
    pub filled: bool,
}

/// Time an order and the report of its arrival took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LatencyObservation {
    /// When it left, nanoseconds UTC.
    pub sent_ns: u64,
    /// To the venue, microseconds, by the venue's own stamp.
    pub order_us: f64,
    /// From the venue back, microseconds.
    pub report_us: f64,
    /// Volatility of the instrument in the minute before, basis points a root second.
    pub volatility: f64,
}

/// Why observations cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The feed.
    #[error(transparent)]
    Feed(#[from] ijk_core::FeedError),
    /// The journal.
    #[error("{path}: {source}")]
    Journal {
        /// The run.
        path: String,
        /// What its journal says.
        source: ijk_journal::JournalError,
    },
    /// The journal's header.
    #[error("{path}: the journal's header: {detail}")]
    Header {
        /// The run.
        path: String,
        /// What is wrong.
        detail: String,
    },
    /// The simulation.
    #[error("simulated orders: {0}")]
    Simulation(String),
}
