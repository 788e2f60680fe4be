//! Settings of the encoder.

use serde::{Deserialize, Serialize};

/// Memory that the encoder may hold on a CUDA device: a 6 GB card less 512 MB for the desktop and
/// others.
pub const VRAM_BUDGET_BYTES: u64 = (6 << 30) - (512 << 20);

/// The encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InferConfig {
    /// Device memory that weights, rings and the driver may take together, bytes; a plan beyond
    /// it is refused (`ijk vram`).
    pub vram_budget_bytes: u64,
}

impl Default for InferConfig {
    fn default() -> Self {
        InferConfig { vram_budget_bytes: VRAM_BUDGET_BYTES }
    }
}
