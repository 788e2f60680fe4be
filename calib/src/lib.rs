//! Calibration and its use before a trade: market impact, volume, volatility, spread, latency and
//! fill probability from own fills and from ticks; the expected cost of an order with its
//! schedule; sizing from a track record.
//!
//! What a sample cannot tell is said to be not identified, and a sample below its floor is
//! refused; a number is never given without what it rests on.

#![forbid(unsafe_code)]

pub mod accuracy;
pub mod collect;
pub mod event_clock;
pub mod fill;
pub mod garch;
pub mod impact;
pub mod learn;
pub mod market;
pub mod observe;
pub mod orders;
pub mod plan;
pub mod profile;
pub mod record;
pub mod report;
pub mod schedule;
pub mod settings;
pub mod stats;
pub mod table;
pub mod volatility;
pub mod volume;
pub mod volume_file;
