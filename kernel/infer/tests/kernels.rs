//! Each kernel against its formula in f64.
#![allow(clippy::needless_range_loop)] // formulas by subscript

#[path = "common/head.rs"]
mod head;

use head::{attention, gelu};
use ijk_infer::kernels::{
    self, Bf16Linear, Dot, F32Linear, Gelu, Int8Linear, Keep, Linear, Norm, OUTPUT_BLOCK, Plain,
    Plain16, Plus, Vnni,
};
use ijk_infer::reference;
use ijk_infer::shape::{D_MODEL, FF, HEAD_DIM, NORM_EPS, WINDOW};
use proptest::prelude::*;

fn vector(len: usize, size: f32) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-size..size, len)
}

fn array<const N: usize>(values: &[f32]) -> [f32; N] {
    values.try_into().unwrap()
}

fn f64s(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

/// Vectors of outputs side by side in these tests.
const SIDE: usize = 2;

/// Softmax of these scores.
fn shares(scores: [f32; WINDOW]) -> Vec<f32> {
    let keys = [[0.0; WINDOW]; HEAD_DIM];
    let values = [[0.0; HEAD_DIM]; WINDOW];
    let (row, _, total) = attention([0.0; HEAD_DIM], keys, &values, &scores, WINDOW, 0);
    row.as_flattened().iter().map(|p| p / total).collect()
}

/// Softmax of the first `filled` scores in f64.
fn softmax(scores: &[f64], filled: usize) -> Vec<f64> {
    let scores = &scores[..filled];
    let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exps: Vec<f64> = scores.iter().map(|s| (s - max).exp()).collect();
    let total: f64 = exps.iter().sum();
    exps.iter().map(|e| e / total).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn linear_equals_naive(
        (inputs, outputs, weight, bias, x) in (1usize..80, 1usize..100).prop_flat_map(|(i, o)| {
            (Just(i), Just(o), vector(i * o, 2.0), vector(o, 2.0), vector(i, 4.0))
        })
    ) {
        let mut y = vec![9.0; outputs.next_multiple_of(OUTPUT_BLOCK)];
        F32Linear::pack(&weight, &bias, SIDE).apply::<Plain16, SIDE>(&x, &mut y, Keep);
        for o in 0..outputs {
            let row = &weight[o * inputs..][..inputs];
            let terms: Vec<f64> =
                row.iter().zip(&x).map(|(w, x)| f64::from(*w) * f64::from(*x)).collect();
            let exact = terms.iter().sum::<f64>() + f64::from(bias[o]);
            // Backward error bound of a sum of n terms: n u sum|terms|.
            let size = terms.iter().map(|t| t.abs()).sum::<f64>() + f64::from(bias[o].abs());
            let bound = (inputs + 2) as f64 * f64::from(f32::EPSILON) * size;
            prop_assert!((f64::from(y[o]) - exact).abs() <= bound);
        }
        prop_assert!(y[outputs..].iter().all(|&v| v == 0.0), "padding");
    }

    /// Both packings hold the same numbers and sum them in the same order.
    #[test]
    fn bf16_packing_gives_the_bits_of_f32_packing(
        (pairs, outputs, weight, bias, x) in (1usize..40, 1usize..200).prop_flat_map(|(p, o)| {
            (Just(p), Just(o), vector(2 * p * o, 2.0), vector(o, 2.0), vector(2 * p, 4.0))
        })
    ) {
        let bf16 = |w: &f32| f32::from_bits(w.to_bits() & 0xffff_0000);
        let weight: Vec<f32> = weight.iter().map(bf16).collect();
        prop_assert!(weight.iter().all(|&w| Bf16Linear::holds(w)));
        let mut wide = vec![9.0; outputs.next_multiple_of(OUTPUT_BLOCK)];
        let mut narrow = wide.clone();
        F32Linear::pack(&weight, &bias, SIDE).apply::<Plain16, SIDE>(&x, &mut wide, Keep);
        Bf16Linear::pack(&weight, &bias, SIDE).apply::<Plain16, SIDE>(&x, &mut narrow, Keep);
        let bits = |y: &[f32]| y.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&wide), bits(&narrow), "{} inputs", 2 * pairs);
    }

    /// Every number is off by at most half a step, of its row or of the vector.
    #[test]
    fn int8_packing_is_as_near_as_its_steps(
        (inputs, outputs, weight, bias, x) in (1usize..300, 1usize..150).prop_flat_map(|(i, o)| {
            (Just(i), Just(o), vector(i * o, 2.0), vector(o, 2.0), vector(i, 4.0))
        })
    ) {
        let mut y = vec![9.0; outputs.next_multiple_of(OUTPUT_BLOCK)];
        Int8Linear::<Plain>::pack(&weight, &bias, SIDE).apply::<Plain16, SIDE>(&x, &mut y, Keep);
        let largest = |v: &[f32]| v.iter().fold(0.0f32, |a, v| a.max(v.abs()));
        let x_step = f64::from(largest(&x)) / 127.0;
        for o in 0..outputs {
            let row = &weight[o * inputs..][..inputs];
            let w_step = f64::from(largest(row)) / 127.0;
            let (mut exact, mut bound) = (f64::from(bias[o]), 1e-5);
            for (w, x) in row.iter().zip(&x) {
                let (w, x) = (f64::from(*w), f64::from(*x));
                exact += w * x;
                bound += 0.501 * (x_step * w.abs() + w_step * x.abs() + 0.501 * x_step * w_step);
            }
            prop_assert!((f64::from(y[o]) - exact).abs() <= bound, "{} {exact} {bound}", y[o]);
        }
        prop_assert!(y[outputs..].iter().all(|&v| v == 0.0), "padding");
    }

    /// Sums of integers are exact: the machine's own dot products give the bits of plain ones.
    #[test]
    fn eight_bit_dot_products_give_the_bits_of_plain_ones(
        (outputs, weight, bias, x) in (1usize..513, 1usize..150).prop_flat_map(|(i, o)| {
            (Just(o), vector(i * o, 2.0), vector(o, 2.0), vector(i, 4.0))
        })
    ) {
        if Vnni::runs_here() {
            let mut plain = vec![9.0; outputs.next_multiple_of(OUTPUT_BLOCK)];
            let mut machine = plain.clone();
            let layer = Int8Linear::<Plain>::pack(&weight, &bias, SIDE);
            layer.apply::<Plain16, SIDE>(&x, &mut plain, Keep);
            let layer = Int8Linear::<Vnni>::pack(&weight, &bias, SIDE);
            layer.apply::<Plain16, SIDE>(&x, &mut machine, Keep);
            let bits = |y: &[f32]| y.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&plain), bits(&machine));
        }
    }

    #[test]
    fn layer_norm_equals_naive(
        x in vector(D_MODEL, 50.0), weight in vector(D_MODEL, 2.0), bias in vector(D_MODEL, 2.0),
        offset in -100.0f32..100.0,
    ) {
        let x: [f32; D_MODEL] = array(&x.iter().map(|v| v + offset).collect::<Vec<_>>());
        let norm = Norm { weight: array(&weight), bias: array(&bias) };
        let mut y = [0.0; D_MODEL];
        kernels::layer_norm::<Plain16>(&x, &norm, &mut y);
        let wide = f64s(&x);
        let mean = wide.iter().sum::<f64>() / 64.0;
        let variance = wide.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 64.0;
        for i in 0..D_MODEL {
            let exact = (wide[i] - mean) / (variance + NORM_EPS).sqrt() * f64::from(weight[i])
                + f64::from(bias[i]);
            prop_assert!((f64::from(y[i]) - exact).abs() < 2e-5, "{} {exact}", y[i]);
        }
    }

    #[test]
    fn gelu_equals_naive(x in vector(FF, 12.0)) {
        let y: [f32; FF] = gelu(&array(&x));
        for (x, y) in x.iter().zip(y) {
            let exact = reference::gelu(f64::from(*x));
            prop_assert!((f64::from(y) - exact).abs() < 1e-6 + 1e-6 * exact.abs(), "{x}: {y}");
        }
    }

    #[test]
    fn attention_equals_naive(
        q in vector(HEAD_DIM, 6.0), k in vector(HEAD_DIM * WINDOW, 6.0),
        v in vector(HEAD_DIM * WINDOW, 6.0), bias in vector(WINDOW, 6.0),
        filled in 1usize..=WINDOW,
    ) {
        let q: [f32; HEAD_DIM] = array(&q);
        let keys: [[f32; WINDOW]; HEAD_DIM] =
            std::array::from_fn(|d| array(&k[d * WINDOW..][..WINDOW]));
        let values: [[f32; HEAD_DIM]; WINDOW] =
            std::array::from_fn(|s| array(&v[s * HEAD_DIM..][..HEAD_DIM]));
        let newest = 5 % filled;
        let (row, mixed, total) = attention(q, keys, &values, &array(&bias), filled, newest);
        let dot = |s: usize| -> f64 {
            (0..HEAD_DIM).map(|d| f64::from(q[d]) * f64::from(keys[d][s])).sum()
        };
        let scores: Vec<f64> =
            (0..WINDOW).map(|s| dot(s) / 8f64.sqrt() + f64::from(bias[s])).collect();
        let exact_row = softmax(&scores, filled);
        let flat = row.as_flattened();
        for s in 0..WINDOW {
            let exact = exact_row.get(s).copied().unwrap_or(0.0);
            prop_assert!((f64::from(flat[s] / total) - exact).abs() < 2e-5, "{s}");
        }
        prop_assert!(flat[filled..].iter().all(|&p| p < 1e-37), "never written");
        for d in 0..HEAD_DIM {
            let exact: f64 = (0..filled).map(|s| exact_row[s] * f64::from(values[s][d])).sum();
            prop_assert!((f64::from(mixed[d]) - exact).abs() < 1e-4);
        }
    }

    /// Adding a constant to every score changes nothing that matters.
    #[test]
    fn softmax_is_shift_invariant(scores in vector(WINDOW, 8.0), shift in -64i32..64) {
        let plain: [f32; WINDOW] = array(&scores);
        let (a, b) = (shares(plain), shares(plain.map(|s| s + shift as f32)));
        for (a, b) in a.iter().zip(b) {
            prop_assert!((a - b).abs() < 2e-5);
        }
    }
}

#[test]
fn gelu_at_the_ends() {
    let mut x = [0.0f32; FF];
    x[..8].copy_from_slice(&[-0.0, 1e-30, -1e-30, 1e4, -1e4, 1e30, -1e30, f32::MAX]);
    let x = gelu(&x);
    assert_eq!(x[0], 0.0);
    assert_eq!(x[1], 5e-31);
    assert_eq!(x[2], -5e-31);
    assert_eq!(x[3], 1e4);
    assert_eq!(x[5], 1e30);
    assert_eq!(x[7], f32::MAX);
    assert!(x[4].abs() < 1e-30 && x[6].abs() < 1e-7, "{} {}", x[4], x[6]);
}

#[test]
fn layer_norm_of_a_constant_is_the_offset() {
    let norm = Norm { weight: [3.0; D_MODEL], bias: [0.25; D_MODEL] };
    let mut y = [0.0; D_MODEL];
    kernels::layer_norm::<Plain16>(&[1234.5; D_MODEL], &norm, &mut y);
    assert_eq!(y, [0.25; D_MODEL]);
}

#[test]
fn equal_scores_share_equally() {
    for filled in 1..=WINDOW {
        let (values, keys) = ([[1.0; HEAD_DIM]; WINDOW], [[0.0; WINDOW]; HEAD_DIM]);
        let bias = [7.0; WINDOW];
        let (row, mixed, total) = attention([0.0; HEAD_DIM], keys, &values, &bias, filled, 0);
        for (s, p) in row.as_flattened().iter().enumerate() {
            let expected = if s < filled { 1.0 / filled as f32 } else { 0.0 };
            assert!((p / total - expected).abs() <= f32::EPSILON, "{filled} {s}");
        }
        assert!(mixed.iter().all(|m| (m - 1.0).abs() <= f32::EPSILON), "{filled}");
    }
}

/// What epilogues do is done to every output, in its place.
#[test]
fn epilogues_follow_the_outputs() {
    let outputs = 2 * OUTPUT_BLOCK;
    let weight: Vec<f32> = (0..outputs * 4).map(|i| (i % 11) as f32 - 5.0).collect();
    let bias: Vec<f32> = (0..outputs).map(|i| i as f32 / 64.0).collect();
    let x = [1.0, -0.5, 0.25, 2.0];
    let layer = F32Linear::pack(&weight, &bias, SIDE);
    let plus: Vec<f32> = (0..outputs).map(|i| 100.0 + i as f32).collect();
    let (mut kept, mut added, mut gelued) =
        (vec![0.0; outputs], vec![0.0; outputs], vec![0.0; outputs]);
    layer.apply::<Plain16, SIDE>(&x, &mut kept, Keep);
    layer.apply::<Plain16, SIDE>(&x, &mut added, Plus(&plus));
    layer.apply::<Plain16, SIDE>(&x, &mut gelued, Gelu);
    for o in 0..outputs {
        assert_eq!(added[o], kept[o] + plus[o], "{o}");
    }
    assert_eq!(gelued, gelu::<{ 2 * OUTPUT_BLOCK }>(&array(&kept)));
    let mut eight = vec![0.0; outputs];
    Int8Linear::<Plain>::pack(&weight, &bias, SIDE).apply::<Plain16, SIDE>(&x, &mut kept, Keep);
    Int8Linear::<Plain>::pack(&weight, &bias, SIDE).apply::<Plain16, SIDE>(
        &x,
        &mut eight,
        Plus(&plus),
    );
    for o in 0..outputs {
        assert_eq!(eight[o], kept[o] + plus[o], "{o}");
    }
}

#[test]
fn other_weights_than_bf16_are_not_packed_as_such() {
    assert!(Bf16Linear::holds(-0.00390625) && !Bf16Linear::holds(0.1));
    assert!(std::panic::catch_unwind(|| Bf16Linear::pack(&[0.1, 0.5], &[0.0], SIDE)).is_err());
    assert!(std::panic::catch_unwind(|| Bf16Linear::pack(&[0.5], &[0.0], SIDE)).is_err(), "odd");
}

/// A vector of zeros, rows of zeros, the largest numbers: no division by nothing.
#[test]
fn int8_packing_at_its_ends() {
    let mut y = [9.0; OUTPUT_BLOCK];
    let layer =
        Int8Linear::<Plain>::pack(&[0.0, 0.0, 3.0, -3.0, 1e-38, 1e38], &[1.0, 2.0, 3.0], SIDE);
    for zero in [[0.0, 0.0], [1e-40, -1e-40]] {
        layer.apply::<Plain16, SIDE>(&zero, &mut y, Keep);
        assert_eq!(y[..4], [1.0, 2.0, 3.0, 0.0]);
    }
    layer.apply::<Plain16, SIDE>(&[5.0, -5.0], &mut y, Keep);
    assert_eq!(y[..2], [1.0, 32.0]);
    assert_eq!(y[2], f32::NEG_INFINITY);
}
