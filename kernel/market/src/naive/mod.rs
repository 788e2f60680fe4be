//! Oracles: the books and the features once more, in the simplest way that can be right. They
//! allocate, recompute everything and share no code with what they check.

pub mod features;
pub mod l2;
pub mod l3;
