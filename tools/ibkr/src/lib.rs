//! The Interactive Brokers adapter: orders, executions and accounts of TWS or IB Gateway as a
//! [`ijk_venue::Venue`]; a probe of the gateway's port; the table of message codes with the
//! response each one asks for.
//!
//! The only crate that knows the client library `ibapi`. Nothing here was ever run against a real
//! gateway: it is checked against `ijk-twsim`.

#![forbid(unsafe_code)]

pub mod bucket;
pub mod check;
pub mod codes;
pub mod connection;
pub mod contracts;
pub mod dead_man;
pub mod handshake;
pub mod identity;
pub mod market;
pub mod orders;
pub mod price_steps;
pub mod probe;
pub mod shorts;

pub use codes::{CodeInfo, Response, Severity, describe};
pub use handshake::{GatewayInfo, HandshakeError};
pub use probe::{ProbeError, ProbeTimeouts, probe};
