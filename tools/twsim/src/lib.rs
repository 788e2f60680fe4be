//! A TWS and IB Gateway simulator. The protocol (`greeting`, `session`) has no sockets and no
//! clock; `server` gives it both, on loopback only. README.md says exactly what it answers.

#![forbid(unsafe_code)]

pub mod greeting;
pub mod server;
pub mod session;
pub mod wire;

pub use server::{Server, ServerError, SimConfig};
