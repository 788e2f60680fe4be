//! The encoder in Burn: training, evaluation and export to the weights file.
//!
//! ```text
//! feed ─▶ session ─▶ split ─▶ scaler, labels ─▶ sequences ─▶ train ─▶ calibrate ─▶ export
//!                                                                                    │
//!                                        card ◀─ metrics ◀─ evaluate (kernel's path) ◀
//! ```

#![forbid(unsafe_code)]

pub mod attention;
pub mod baselines;
pub mod calibrate;
pub mod card;
pub mod checkpoint;
pub mod compare;
pub mod conformal;
pub mod device;
pub mod encoder;
pub mod evaluate;
pub mod export;
pub mod feeds;
pub mod fi2010;
pub mod fit;
mod fused;
pub mod labels;
pub mod leakage;
pub mod loss;
pub mod metrics;
pub mod modal;
pub mod ols;
pub mod optimizer;
pub mod rng;
pub mod scaler;
pub mod sequences;
pub mod session;
pub mod settings;
pub mod slots;
pub mod split;
pub mod train;
