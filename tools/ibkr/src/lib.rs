//! The Interactive Brokers adapter: today a probe of the gateway's port and the table of message
//! codes with the response each one asks for. It sends no orders and reads no market data yet.

#![forbid(unsafe_code)]

pub mod codes;
pub mod handshake;
pub mod probe;

pub use codes::{CodeInfo, Response, Severity, describe};
pub use handshake::{GatewayInfo, HandshakeError};
pub use probe::{ProbeError, ProbeTimeouts, probe};
