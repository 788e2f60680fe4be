//! The small kernels that the forward pass is written over.
//!
//! One source for every machine: [`crate::Level`] compiles it again for wider registers. Only the
//! packing of linear layers differs, see [`Linear`].

pub mod exp;
mod int8;
mod linear;
pub mod log;
mod portable;

pub use int8::{Dot, Int8Linear, Plain, Vnni};
pub use linear::{Bf16Linear, F32Linear, Linear, OUTPUT_BLOCK};
pub use portable::{gelu, layer_norm, mix, scores, softmax};

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
