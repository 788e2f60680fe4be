//! Layer norm and GELU.

use super::Norm;
use super::exp::exp2;
use super::vector::{LANES, Vector};
use crate::shape::{D_MODEL, NORM_EPS};

/// Vectors of the residual stream.
const CHUNKS: usize = D_MODEL / LANES;

const _: () = assert!(CHUNKS == 4 && D_MODEL.is_multiple_of(LANES));

/// `y = (x - mean) / sqrt(var + 1e-5) * weight + bias` with the biased variance (Ba, Kiros,
/// Hinton 2016, "Layer Normalization").
#[inline(always)]
pub fn layer_norm<V: Vector>(x: &[f32; D_MODEL], norm: &Norm, y: &mut [f32; D_MODEL]) {
    let mut x = loaded::<V>(x);
    let mean_of_x = mean(&x);
    let mut squares = x;
    for c in 0..CHUNKS {
        x[c] = x[c].sub(mean_of_x);
        squares[c] = x[c].mul(x[c]);
    }
    let variance = mean(&squares).first();
    let gain = V::splat(1.0 / (variance + NORM_EPS as f32).sqrt());
    let (weight, bias) = (loaded::<V>(&norm.weight), loaded::<V>(&norm.bias));
    let y = y.as_chunks_mut().0;
    for c in 0..CHUNKS {
        x[c].mul(gain).mul_add(weight[c], bias[c]).store(&mut y[c]);
    }
}

#[inline(always)]
fn loaded<V: Vector>(x: &[f32; D_MODEL]) -> [V; CHUNKS] {
    let chunks = x.as_chunks().0;
    [V::load(&chunks[0]), V::load(&chunks[1]), V::load(&chunks[2]), V::load(&chunks[3])]
}

/// The mean in every lane.
#[inline(always)]
fn mean<V: Vector>(x: &[V; CHUNKS]) -> V {
    let sum = x[0].add(x[1]).add(x[2].add(x[3]));
    sum.fold(V::add).mul(V::splat(1.0 / D_MODEL as f32))
}

/// Returns `x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))` (Hendrycks, Gimpel 2016, "Gaussian
/// Error Linear Units").
#[inline(always)]
pub fn gelu<V: Vector>(x: V) -> V {
    // (1 + tanh u) / 2 = 1 / (1 + 2^(-2 u log2(e)))
    const LINEAR: f32 = -2.302_208_2; // -2 sqrt(2/pi) log2(e)
    const CUBIC: f32 = -0.102_943_24; // the same times 0.044715
    let u = x.mul(x).mul_add(V::splat(CUBIC), V::splat(LINEAR)).mul(x);
    x.div(exp2(u).add(V::splat(1.0)))
}
