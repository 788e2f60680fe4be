//! The encoder on a CUDA device.
//!
//! Always compiled: [`plan`] says what a device must hold before anything is taken, [`layout`]
//! packs the weights as the device reads them, [`source`] holds the text of the kernel, [`placed`]
//! chooses between processor and device and falls back. Only the engine that calls the driver
//! stands behind the feature `cuda`.
//!
//! ```text
//! Weights ──▶ layout::pack ──┐
//! plan::plan ──▶ one arena ──┴▶ engine (feature `cuda`) ──▶ TokenStep ──▶ placed::Placed
//! source::text ──▶ PTX ──────┘                                             ▲ Encoder (processor)
//! ```

pub mod layout;
pub mod plan;
pub mod source;
pub mod wire;
