//! A TWS and IB Gateway simulator. [`Gateway`] is the whole of it without sockets and clocks;
//! [`Server`] gives it both, on loopback only. README.md says what it does and how to use it from
//! any language.

#![forbid(unsafe_code)]
#![recursion_limit = "512"]

pub mod account;
pub mod admin;
pub mod codes;
pub mod config;
pub mod contracts;
pub mod describe;
pub mod gateway;
pub mod greeting;
pub mod market;
pub mod num;
pub mod orders;
pub mod play;
pub mod proto;
pub mod scenarios;
pub mod server;
pub mod time;
pub mod wire;

pub use config::{ACCOUNT, Limits, SetupError, SimConfig};
pub use gateway::{ConnId, Gateway, Output, TruthExec, TruthOrder};
pub use scenarios::Scenario;
pub use server::{Server, ServerError};
