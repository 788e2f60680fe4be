//! Everything but the linear layers.
//!
//! Plain loops over fixed-size arrays with independent accumulators, which the compiler turns
//! into vector code for whatever a function is built for. The order of every sum is fixed by the
//! source; what is fused says so (`mul_add`) and nothing else is, so the bits do not depend on it.

use super::exp::exp;
use super::{HeadKeys, HeadValues, Norm};
use crate::shape::{D_MODEL, FF, HEAD_DIM, HEADS, NORM_EPS, WINDOW};

/// Accumulators of a sum or maximum over a vector.
const LANES: usize = 16;
/// Slots whose scores are summed side by side.
const SLOTS: usize = 32;

const _: () = assert!(D_MODEL.is_multiple_of(LANES) && WINDOW.is_multiple_of(SLOTS));

/// `y = (x - mean) / sqrt(var + 1e-5) * weight + bias` with the biased variance (Ba, Kiros,
/// Hinton 2016, "Layer Normalization").
#[inline(always)]
pub fn layer_norm(x: &[f32; D_MODEL], norm: &Norm, y: &mut [f32; D_MODEL]) {
    let mean = sum(x) / D_MODEL as f32;
    let mut squares = [0.0; D_MODEL];
    for i in 0..D_MODEL {
        y[i] = x[i] - mean;
        squares[i] = y[i] * y[i];
    }
    let variance = sum(&squares) / D_MODEL as f32;
    let gain = 1.0 / (variance + NORM_EPS as f32).sqrt();
    for i in 0..D_MODEL {
        y[i] = (y[i] * gain).mul_add(norm.weight[i], norm.bias[i]);
    }
}

/// `x = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))` in place (Hendrycks, Gimpel 2016,
/// "Gaussian Error Linear Units").
#[inline(always)]
pub fn gelu(x: &mut [f32; FF]) {
    // (1 + tanh u) / 2 = 1 / (1 + e^(-2u))
    const MINUS_2_SQRT_2_OVER_PI: f32 = -1.595_769_2;
    for x in x {
        let u = *x + 0.044_715 * (*x * *x * *x);
        *x /= 1.0 + exp(MINUS_2_SQRT_2_OVER_PI * u);
    }
}

/// `scores[slot] = q · keys[slot] / sqrt(8) + bias[slot]`.
#[inline(always)]
pub fn scores(
    q: &[f32; HEAD_DIM],
    keys: &HeadKeys,
    bias: &[f32; WINDOW],
    scores: &mut [f32; WINDOW],
) {
    const INV_SQRT_HEAD_DIM: f32 = 0.353_553_38;
    let (scores, _) = scores.as_chunks_mut::<SLOTS>();
    let (bias, _) = bias.as_chunks::<SLOTS>();
    for (block, (scores, bias)) in scores.iter_mut().zip(bias).enumerate() {
        let mut sum = *bias;
        for (q, keys) in q.iter().zip(keys) {
            let q = q * INV_SQRT_HEAD_DIM;
            let keys = &keys.as_chunks::<SLOTS>().0[block];
            for (sum, k) in sum.iter_mut().zip(keys) {
                *sum = k.mul_add(q, *sum);
            }
        }
        *scores = sum;
    }
}

/// Softmax of each head in place over the first `filled` slots (1 to 64); the others become zero.
///
/// Step by step over all heads: the chains of one head's maximum and sum are long, and eight
/// of them side by side fill the machine.
#[inline(always)]
pub fn softmax(scores: &mut [[f32; WINDOW]; HEADS], filled: usize) {
    assert!((1..=WINDOW).contains(&filled), "Invariant: the token itself is in the band");
    let mut maxima = [0.0; HEADS];
    for (row, max_of_row) in scores.iter_mut().zip(&mut maxima) {
        row[filled..].fill(f32::NEG_INFINITY);
        *max_of_row = max(row);
    }
    let mut scales = [0.0; HEADS];
    for ((row, max), scale) in scores.iter_mut().zip(&maxima).zip(&mut scales) {
        for score in row.iter_mut() {
            *score = exp(*score - max);
        }
        row[filled..].fill(0.0);
        *scale = sum(row);
    }
    for scale in &mut scales {
        *scale = 1.0 / *scale;
    }
    for (row, scale) in scores.iter_mut().zip(&scales) {
        for score in row {
            *score *= scale;
        }
    }
}

/// `mixed = sum over slots of row[slot] values[slot]`.
#[inline(always)]
pub fn mix(row: &[f32; WINDOW], values: &HeadValues, mixed: &mut [f32; HEAD_DIM]) {
    let mut sums = [[0.0; HEAD_DIM]; 4];
    let (row, _) = row.as_chunks::<4>();
    let (values, _) = values.as_chunks::<4>();
    for (row, values) in row.iter().zip(values) {
        for j in 0..4 {
            for d in 0..HEAD_DIM {
                sums[j][d] = values[j][d].mul_add(row[j], sums[j][d]);
            }
        }
    }
    for d in 0..HEAD_DIM {
        mixed[d] = (sums[0][d] + sums[1][d]) + (sums[2][d] + sums[3][d]);
    }
}

/// Sum by lanes, then by halving.
#[inline(always)]
fn sum<const N: usize>(x: &[f32; N]) -> f32 {
    let (chunks, _) = x.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *lane += v;
        }
    }
    halve(lanes, |a, b| a + b)
}

/// Maximum by lanes, then by halving; no entry is NaN.
#[inline(always)]
fn max(x: &[f32; WINDOW]) -> f32 {
    let (chunks, _) = x.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    for chunk in chunks {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*v, *lane);
        }
    }
    halve(lanes, larger)
}

#[inline(always)]
fn halve(mut lanes: [f32; LANES], op: impl Fn(f32, f32) -> f32) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] = op(lanes[i], lanes[i + width]);
        }
        width /= 2;
    }
    lanes[0]
}
