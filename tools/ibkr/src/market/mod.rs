//! Market data of TWS or IB Gateway as records of the kernel: contracts, quotes, trades, depth,
//! halts; whether the streams live, and what to do when they do not.
//!
//! ```text
//! gateway ─▶ client library ─▶ [ streams ▸ inputs ▸ conversion ] ──ring──▶ feed ─▶ kernel
//!                                   (thread ijk-ib-md)   │
//!                                                        └──▶ capture file ─▶ replay
//! ```
//!
//! What cannot be trusted never looks like a price: delayed or frozen data, silence, a broken farm
//! or link turn an instrument's book into one that is not to be traded on (a `Gap` record) until
//! it has been told anew.

mod band;
mod capture;
mod clock;
mod convert;
mod details;
mod feed;
mod hours;
mod input;
mod lines;
mod monitor;
mod pulse;
mod rows;
mod streams;
mod worker;

pub use capture::{CaptureHeader, CaptureSource, CaptureWriter};
pub use convert::{ConvertCounts, Converter, Follow};
pub use details::{Details, resolve};
pub use feed::{IbkrFeed, OpenError};
pub use hours::{Hours, today};
pub use input::{Heard, Input};
pub use monitor::FeedMonitor;
