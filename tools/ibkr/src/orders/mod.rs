//! Orders at the broker: threads around one connection, and what is known of every order.
//!
//! ```text
//! kernel --commands--> ijk-ib-tx --submit, cancel--> gateway
//!   ^                      | questions, in turn
//!   |                      v
//!   +--messages-- desk <- ijk-ib-ctl: connects, compares, answers
//!                  ^ <--- ijk-ib-exec: the order stream, never made to wait by anything else
//!                  ^ <--- ijk-ib-note: notices;  ijk-ib-beat: signs of life
//! ```

pub mod build;
mod control;
pub mod ledger;
mod link;
pub mod listing;
mod position;
pub mod row;
pub mod shared;
mod tx;
mod venue;

pub use venue::{IbkrVenue, StartError};
