//! The sans-IO decision core and the pinned runtime that feeds it.
//!
//! [`decision`] is a state machine: inputs (market records, venue reports, commands, time) in,
//! outputs (decisions, orders, cancels, refusals) out. It holds no clock, file, socket, thread or
//! random number, so the same inputs give the same outputs, bit for bit, in a replay, in a
//! simulation and live. [`runtime`] owns everything that touches the world: threads, rings, the
//! journal, counters, stage clocks.

pub mod canary;
pub mod decision;
pub mod runtime;

pub use decision::{Input, Kernel, KernelError, KernelParts, NoProbe, Outputs, Probe, Stage};
