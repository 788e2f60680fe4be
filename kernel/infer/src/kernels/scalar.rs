//! Portable kernels, the reference for any other set.
//!
//! Plain loops over fixed-size arrays with independent accumulators, which the compiler turns
//! into vector code for whatever the build targets. The order of every sum is fixed by the
//! source, and nothing is contracted into fused operations, so the bits do not depend on it.

use super::exp::exp;
use super::{HeadKeys, HeadValues, Kernels, Norm, OUTPUT_BLOCK};
use crate::shape::{D_MODEL, FF, HEAD_DIM, NORM_EPS, WINDOW};

/// Accumulators of a sum or maximum over a vector.
const LANES: usize = 16;

const _: () = assert!(D_MODEL.is_multiple_of(LANES) && WINDOW.is_multiple_of(OUTPUT_BLOCK));

/// Portable f32 kernels.
#[derive(Clone, Copy, Debug)]
pub struct Scalar;

/// A linear layer in blocks of [`OUTPUT_BLOCK`] outputs, input-major inside a block.
#[derive(Clone, Debug)]
pub struct PackedLinear {
    /// (block, input) -> weights of the block's outputs.
    columns: Vec<[f32; OUTPUT_BLOCK]>,
    /// (block,) -> biases of the block's outputs.
    bias: Vec<[f32; OUTPUT_BLOCK]>,
    inputs: usize,
}

impl Kernels for Scalar {
    type Linear = PackedLinear;

    fn pack(weight: &[f32], bias: &[f32]) -> PackedLinear {
        let outputs = bias.len();
        assert!(outputs > 0 && weight.len().is_multiple_of(outputs), "Condition failed: (out, in)");
        let inputs = weight.len() / outputs;
        let blocks = outputs.div_ceil(OUTPUT_BLOCK);
        let mut packed = PackedLinear {
            columns: vec![[0.0; OUTPUT_BLOCK]; blocks * inputs],
            bias: vec![[0.0; OUTPUT_BLOCK]; blocks],
            inputs,
        };
        for o in 0..outputs {
            let (block, lane) = (o / OUTPUT_BLOCK, o % OUTPUT_BLOCK);
            packed.bias[block][lane] = bias[o];
            for i in 0..inputs {
                packed.columns[block * inputs + i][lane] = weight[o * inputs + i];
            }
        }
        packed
    }

    #[inline(always)]
    fn linear(layer: &PackedLinear, x: &[f32], y: &mut [f32]) {
        let (y, rest) = y.as_chunks_mut::<OUTPUT_BLOCK>();
        let fits = x.len() == layer.inputs && y.len() == layer.bias.len() && rest.is_empty();
        assert!(fits, "Invariant: buffers have the layer's shape");
        let blocks = layer.columns.chunks_exact(layer.inputs);
        for ((y, bias), columns) in y.iter_mut().zip(&layer.bias).zip(blocks) {
            let mut sum = *bias;
            for (&x, column) in x.iter().zip(columns) {
                for (sum, w) in sum.iter_mut().zip(column) {
                    *sum += x * w;
                }
            }
            *y = sum;
        }
    }

    #[inline(always)]
    fn layer_norm(x: &[f32; D_MODEL], norm: &Norm, y: &mut [f32; D_MODEL]) {
        let mean = sum(x) / D_MODEL as f32;
        let mut squares = [0.0; D_MODEL];
        for i in 0..D_MODEL {
            y[i] = x[i] - mean;
            squares[i] = y[i] * y[i];
        }
        let variance = sum(&squares) / D_MODEL as f32;
        let gain = 1.0 / (variance + NORM_EPS as f32).sqrt();
        for i in 0..D_MODEL {
            y[i] = y[i] * gain * norm.weight[i] + norm.bias[i];
        }
    }

    #[inline(always)]
    fn gelu(x: &mut [f32; FF]) {
        // (1 + tanh u) / 2 = 1 / (1 + e^(-2u))
        const MINUS_2_SQRT_2_OVER_PI: f32 = -1.595_769_2;
        for x in x {
            let u = *x + 0.044_715 * (*x * *x * *x);
            *x /= 1.0 + exp(MINUS_2_SQRT_2_OVER_PI * u);
        }
    }

    #[inline(always)]
    fn scores(
        q: &[f32; HEAD_DIM],
        keys: &HeadKeys,
        bias: &[f32; WINDOW],
        scores: &mut [f32; WINDOW],
    ) {
        const INV_SQRT_HEAD_DIM: f32 = 0.353_553_38;
        let (scores, _) = scores.as_chunks_mut::<OUTPUT_BLOCK>();
        let (bias, _) = bias.as_chunks::<OUTPUT_BLOCK>();
        for (block, (scores, bias)) in scores.iter_mut().zip(bias).enumerate() {
            let mut sum = *bias;
            for (q, keys) in q.iter().zip(keys) {
                let q = q * INV_SQRT_HEAD_DIM;
                let keys = &keys.as_chunks::<OUTPUT_BLOCK>().0[block];
                for (sum, k) in sum.iter_mut().zip(keys) {
                    *sum += q * k;
                }
            }
            *scores = sum;
        }
    }

    #[inline(always)]
    fn softmax(scores: &mut [f32; WINDOW], filled: usize) {
        assert!((1..=WINDOW).contains(&filled), "Invariant: the token itself is in the band");
        scores[filled..].fill(f32::NEG_INFINITY);
        let max = max(scores);
        for score in scores.iter_mut() {
            *score = exp(*score - max);
        }
        scores[filled..].fill(0.0);
        let scale = 1.0 / sum(scores);
        for score in scores {
            *score *= scale;
        }
    }

    #[inline(always)]
    fn mix(row: &[f32; WINDOW], values: &HeadValues, mixed: &mut [f32; HEAD_DIM]) {
        let mut sums = [[0.0; HEAD_DIM]; 4];
        let (row, _) = row.as_chunks::<4>();
        let (values, _) = values.as_chunks::<4>();
        for (row, values) in row.iter().zip(values) {
            for j in 0..4 {
                for d in 0..HEAD_DIM {
                    sums[j][d] += row[j] * values[j][d];
                }
            }
        }
        for d in 0..HEAD_DIM {
            mixed[d] = (sums[0][d] + sums[1][d]) + (sums[2][d] + sums[3][d]);
        }
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
