//! Calibration and its use before a trade: expected cost of an order, execution schedules, the
//! intraday volume curve.
//!
//! What a sample cannot tell is said to be not identified, and a sample below its floor is
//! refused; a number is never given without what it rests on.

#![forbid(unsafe_code)]

pub mod collect;
pub mod impact;
pub mod output;
pub mod profile;
pub mod schedule;
pub mod volume;
