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

pub mod device;
pub mod history;
pub mod layout;
pub mod placed;
pub mod plan;
pub mod source;
pub mod wire;

#[cfg(feature = "cuda")]
mod compile;
#[cfg(feature = "cuda")]
mod engine;
#[cfg(feature = "cuda")]
mod raw;

pub use device::{DeviceError, NoDevice, TokenStep};
#[cfg(feature = "cuda")]
pub use engine::{Engine, Measured, probe};
pub use placed::{Placed, SymbolToken, Timing};

use crate::weights::Weights;
use std::path::Path;

/// What this build can place an encoder on beside the processor.
#[cfg(feature = "cuda")]
pub type Native = Engine;
/// What this build can place an encoder on beside the processor: nothing.
#[cfg(not(feature = "cuda"))]
pub type Native = NoDevice;

/// Puts a model and the rings of `symbols` symbols on the first device, within a budget. `cache`
/// is a folder for compiled kernels.
///
/// # Errors
/// [`DeviceError`] says why not; in builds without the feature `cuda` always.
pub fn open(
    weights: &Weights,
    symbols: usize,
    vram_budget_bytes: u64,
    cache: Option<&Path>,
) -> Result<Native, DeviceError> {
    layout::check(weights)?;
    #[cfg(feature = "cuda")]
    return Engine::open(weights, symbols, vram_budget_bytes, cache);
    #[cfg(not(feature = "cuda"))]
    {
        let _ = (symbols, vram_budget_bytes, cache);
        Err(DeviceError::None("this build has no CUDA; build it with --features cuda".into()))
    }
}
