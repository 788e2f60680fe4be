//! A plain, honest broker behind the link protocol, written from `docs/link.md` alone.
//!
//! It shares no code with the kernel: own bytes, own orders, own ledger. What it says is on its
//! device first, so its ledger is the truth whichever process is killed. Fills follow from a seed
//! and the order's id: at once or after a delay, whole, in parts, or not at all.

pub mod book;
pub mod ledger;
pub mod server;
pub mod wire;

pub use book::Book;
pub use ledger::Ledger;
pub use server::{BrokerOptions, run};
