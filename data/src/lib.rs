//! Readers of market data, the Parquet tick store, slot files and synthetic sessions.
//!
//! [`FeedSpec`] names a feed as a user writes it; [`open_feed`] turns one into an
//! [`ijk_core::EventSource`]. Every reader works in bounded memory, takes compressed files as they
//! are, mends and counts what real feeds do wrong, and refuses what it cannot trust with file,
//! line and field.

#![forbid(unsafe_code)]

pub mod binance;
pub mod calendar;
pub mod databento;
pub mod dbn;
pub mod input;
pub mod lobster;
pub mod merge;
mod queue;
pub mod slots;
pub mod spec;
pub mod synth;
pub mod ticks;
pub mod whole;

pub use spec::{FeedSpec, FeedSpecError, open_feed, open_feeds};
