//! The one shape this kernel is compiled for, and its statement in the weights file.

use ijk_core::features::FEATURE_COUNT;
use ijk_core::forecast::{HORIZON_COUNT, HORIZONS};
use serde::{Deserialize, Serialize};

/// Width of the residual stream.
pub const D_MODEL: usize = 64;
/// Attention heads.
pub const HEADS: usize = 8;
/// Width of one head.
pub const HEAD_DIM: usize = D_MODEL / HEADS;
/// Pre-norm blocks.
pub const LAYERS: usize = 6;
/// Width of the feed-forward layer.
pub const FF: usize = 256;
/// Tokens in the attention band, the token itself included: ages 0 to 63.
pub const WINDOW: usize = 64;
/// Outputs of one horizon: logits of down, flat, up; mean; log-variance.
pub const OUTPUTS_PER_HORIZON: usize = 5;
/// Rows of the head.
pub const OUTPUTS: usize = OUTPUTS_PER_HORIZON * HORIZON_COUNT;
/// Epsilon of every layer norm.
pub const NORM_EPS: f64 = 1e-5;
/// The raw log-variance is clamped to `-LOG_VAR_MAX..=LOG_VAR_MAX` before it is given a unit.
pub const LOG_VAR_MAX: f64 = 10.0;

const _: () = assert!(HEADS * HEAD_DIM == D_MODEL);
// Ring slots are positions modulo the window.
const _: () = assert!(WINDOW.is_power_of_two());

/// Shape of a model as its weights file states it; every field but `members` must equal the
/// compiled constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelShape {
    /// Features of one token ([`FEATURE_COUNT`]).
    pub features: usize,
    /// Width of the residual stream ([`D_MODEL`]).
    pub d_model: usize,
    /// Attention heads ([`HEADS`]).
    pub heads: usize,
    /// Blocks ([`LAYERS`]).
    pub layers: usize,
    /// Feed-forward width ([`FF`]).
    pub ff: usize,
    /// Tokens in the band ([`WINDOW`]).
    pub window: usize,
    /// Horizons of the heads in tokens ([`HORIZONS`]).
    pub horizons: [u32; HORIZON_COUNT],
    /// Ensemble members in the file, 1 to [`ijk_core::limits::MEMBER_COUNT_MAX`].
    pub members: usize,
}

impl ModelShape {
    /// Returns the compiled shape with `members` ensemble members.
    pub const fn compiled(members: usize) -> ModelShape {
        ModelShape {
            features: FEATURE_COUNT,
            d_model: D_MODEL,
            heads: HEADS,
            layers: LAYERS,
            ff: FF,
            window: WINDOW,
            horizons: HORIZONS,
            members,
        }
    }

    /// Returns the parameters of one member.
    pub const fn parameters_per_member() -> usize {
        let block = 2 * D_MODEL
            + (D_MODEL + 1) * 3 * D_MODEL
            + HEADS * WINDOW
            + (D_MODEL + 1) * D_MODEL
            + 2 * D_MODEL
            + (D_MODEL + 1) * FF
            + (FF + 1) * D_MODEL;
        (FEATURE_COUNT + 1) * D_MODEL + LAYERS * block + 2 * D_MODEL + (D_MODEL + 1) * OUTPUTS
    }
}
