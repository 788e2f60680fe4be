//! Parent orders, their schedules, adaptive child slicing and the order state machine.

#![forbid(unsafe_code)]

pub mod almgren_chriss;
mod choose;
mod curve;
mod engine;
mod exec_ids;
mod intent;
#[cfg(test)]
mod memory_test;
mod order;
mod parent;
pub mod plan;
pub mod power_law;
mod regime;
mod replan;
mod report;
pub mod resilience;
pub mod schedule;
mod settings;
mod stance;
mod start;
mod tactics;
mod volume_curve;

pub use curve::{CURVE_INTERVAL_COUNT_MAX, Curve};
pub use engine::ExecutionEngine;
pub use exec_ids::ExecIds;
pub use intent::{Intent, IntentBuf, MarketView};
pub use order::{OrderEvent, OrderState};
pub use parent::{AbandonReason, CHILD_PER_PARENT_MAX, ParentError, ParentSpec};
pub use report::{ReportEffect, ReportError};
pub use settings::ExecutionConfigError;
pub use volume_curve::{VOLUME_PART_COUNT_MAX, VolumeCurve};
