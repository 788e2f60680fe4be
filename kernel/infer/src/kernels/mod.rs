//! The small kernels that the forward pass is written over.
//!
//! The forward pass is generic over [`Kernels`]; an implementation brings its own
//! packing of linear layers and its own loops, never another order of operations in the model.
//! [`scalar`] is always compiled and is what any other implementation is tested against.

pub mod exp;
pub mod scalar;

pub use scalar::Scalar;

use crate::shape::{D_MODEL, FF, HEAD_DIM, WINDOW};

/// Keys of one head in its ring: (dim, slot), so that one vector holds consecutive slots.
pub type HeadKeys = [[f32; WINDOW]; HEAD_DIM];
/// Values of one head in its ring: (slot, dim).
pub type HeadValues = [[f32; HEAD_DIM]; WINDOW];

/// Outputs of a linear layer are padded to a multiple of this.
pub const OUTPUT_BLOCK: usize = 32;

/// Gain and offset of a layer norm.
#[derive(Clone, Debug, PartialEq)]
pub struct Norm {
    /// Gain, (64,).
    pub weight: [f32; D_MODEL],
    /// Offset, (64,).
    pub bias: [f32; D_MODEL],
}

/// One set of kernels. No method allocates but [`Kernels::pack`].
pub trait Kernels {
    /// A linear layer, packed for [`Kernels::linear`].
    type Linear: Clone + std::fmt::Debug + Send + Sync;

    /// Packs a layer of `bias.len()` outputs; `weight` is row-major (out, in).
    fn pack(weight: &[f32], bias: &[f32]) -> Self::Linear;

    /// `y = W x + b`. The length of `y` is the outputs rounded up to [`OUTPUT_BLOCK`]; what lies
    /// past the outputs becomes zero.
    fn linear(layer: &Self::Linear, x: &[f32], y: &mut [f32]);

    /// `y = (x - mean) / sqrt(var + 1e-5) * weight + bias` with the biased variance (Ba, Kiros,
    /// Hinton 2016, "Layer Normalization").
    fn layer_norm(x: &[f32; D_MODEL], norm: &Norm, y: &mut [f32; D_MODEL]);

    /// `x = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))` in place (Hendrycks, Gimpel 2016,
    /// "Gaussian Error Linear Units").
    fn gelu(x: &mut [f32; FF]);

    /// `scores[slot] = q · keys[slot] / sqrt(8) + bias[slot]`.
    fn scores(
        q: &[f32; HEAD_DIM],
        keys: &HeadKeys,
        bias: &[f32; WINDOW],
        scores: &mut [f32; WINDOW],
    );

    /// Softmax in place over the first `filled` slots (1 to 64); the others become zero.
    fn softmax(scores: &mut [f32; WINDOW], filled: usize);

    /// `mixed = sum over slots of row[slot] values[slot]`.
    fn mix(row: &[f32; WINDOW], values: &HeadValues, mixed: &mut [f32; HEAD_DIM]);
}
