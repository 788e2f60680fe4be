//! Market impact: the published model, and what own fills say.

pub mod calibrate;
pub mod compare;
pub mod fit;
pub mod pool;
pub mod predict;
pub mod propagator;
mod published;
pub mod response;
pub mod sample;

pub use published::{Cost, Estimate, ImpactError, ImpactModel, OrderSize};
