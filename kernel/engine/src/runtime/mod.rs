//! Everything that touches the world: threads, rings, journal, counters, stage clocks.
//!
//! ```text
//! feed thread ──ring──▶ kernel thread ──byte ring──▶ journal thread ──▶ file
//!   (decode, merge,       (decision core, simulated   ──sample ring─▶   (stage samples)
//!    pace)                 exchange, counters)
//! ```
//!
//! The simulated exchange runs on the kernel thread in the time of the data, so the order in
//! which records, reports and timers meet does not depend on how threads are scheduled.

pub mod alloc;
pub mod counters;
pub mod desk;
mod entry;
pub mod faults;
pub mod forecaster;
pub mod hash;
pub mod journal_port;
pub mod outbox;
pub mod ports;
pub mod pump;
pub mod replay;
pub mod session;
pub mod socket;
pub mod spares;
pub mod stages;
pub mod wait;
