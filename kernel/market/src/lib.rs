//! Order books by level and by order, and the twelve streaming features.
//!
//! A [`Book`] takes every [`ijk_core::MarketEvent`] of one instrument; a [`FeatureEngine`] looks
//! at each record after the book did and closes a token at every `stride`-th source row. Neither
//! allocates after construction, reads a clock or panics on input.

#![forbid(unsafe_code)]

pub mod applied;
pub mod book;
pub mod features;
mod id_map;
pub mod l2;
pub mod l3;
mod ladder;
#[cfg(any(test, feature = "testing"))]
pub mod naive;
mod order_arena;
#[cfg(test)]
mod tests;

pub use applied::{Applied, BookCounts, Notes};
pub use book::{Book, BookConfig, Level};
pub use features::FeatureEngine;
pub use l2::L2Book;
pub use l3::{L3Book, OrderView};
