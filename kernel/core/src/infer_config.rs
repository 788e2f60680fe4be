//! Settings of the encoder.

use serde::{Deserialize, Serialize};

/// Memory that the encoder may hold on a CUDA device: a 6 GB card less 512 MB for the desktop and
/// others.
pub const VRAM_BUDGET_BYTES: u64 = (6 << 30) - (512 << 20);

/// How the weights of the encoder's linear layers are held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightPacking {
    /// As narrow as holds them exactly: the forecasts of the file, bit for bit.
    #[default]
    Exact,
    /// Eight bits a weight and an activation: a third faster, other forecasts, near them.
    Int8,
}

/// The encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InferConfig {
    /// Device memory that weights, rings and the driver may take together, bytes; a plan beyond
    /// it is refused (`ijk vram`).
    pub vram_budget_bytes: u64,
    /// How weights are held on the processor.
    pub packing: WeightPacking,
}

impl Default for InferConfig {
    fn default() -> Self {
        InferConfig { vram_budget_bytes: VRAM_BUDGET_BYTES, packing: WeightPacking::Exact }
    }
}
