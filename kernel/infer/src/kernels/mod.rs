//! The small kernels that the forward pass is written over.
//!
//! One source for every machine, over a [`Vector`] of sixteen numbers: [`crate::Level`] compiles it
//! for the registers at hand. Only the packing of linear layers differs, see [`Linear`].

mod attention;
pub mod exp;
mod int8;
mod linear;
pub mod log;
mod pointwise;
mod vector;
#[cfg(target_arch = "x86_64")]
pub(crate) mod x86;

pub use attention::{Row, SCORE_SCALE, forget, own_scores, scores, weigh};
pub use int8::{Dot, Int8Linear, Plain, Vnni};
pub use linear::{Bf16Linear, Epilogue, F32Linear, Gelu, Keep, Linear, OUTPUT_BLOCK, Plus};
pub use pointwise::{gelu, layer_norm};
pub use vector::{Chunk, LANES, Plain16, Vector};

use crate::shape::{D_MODEL, HEAD_DIM, WINDOW};

/// Keys of one head in its ring: (dim, slot), so that one vector holds consecutive slots.
pub type HeadKeys = [[f32; WINDOW]; HEAD_DIM];
/// Values of one head in its ring: (slot, dim).
pub type HeadValues = [[f32; HEAD_DIM]; WINDOW];

/// Gain and offset of a layer norm.
#[derive(Clone, Debug, PartialEq)]
pub struct Norm {
    /// Gain, (64,).
    pub weight: [f32; D_MODEL],
    /// Offset, (64,).
    pub bias: [f32; D_MODEL],
}
