//! Position sizing: Kelly under uncertainty, no-trade band, volatility target.
//!
//! [`Sizer::decide`] is a pure function of its input: no clock, no state, no allocation.

#![forbid(unsafe_code)]

pub mod drawdown;
pub mod kelly;
pub mod quantile;
pub mod region;
mod sizer;

pub use sizer::{Sizer, SizingConfigError, SizingInput, SizingOutcome};
