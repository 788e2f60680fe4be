//! Parent orders, Almgren-Chriss schedules, child slicing and the order state machine.

#![forbid(unsafe_code)]

pub mod almgren_chriss;
mod engine;
mod exec_ids;
mod intent;
#[cfg(test)]
mod memory_test;
mod order;
mod parent;
mod report;
pub mod schedule;
mod settings;
mod start;
mod tactics;

pub use engine::ExecutionEngine;
pub use exec_ids::ExecIds;
pub use intent::{Intent, IntentBuf, MarketView};
pub use order::{OrderEvent, OrderState};
pub use parent::{AbandonReason, CHILD_PER_PARENT_MAX, ParentError, ParentSpec};
pub use report::{ReportEffect, ReportError};
pub use settings::ExecutionConfigError;
