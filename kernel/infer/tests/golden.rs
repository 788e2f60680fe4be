//! Against PyTorch in float64 (`scripts/golden/encoder.py`): each kernel, the streaming encoder
//! and the f64 reference.
#![allow(clippy::needless_range_loop)] // formulas by subscript

mod common;
#[path = "common/head.rs"]
mod head;

use head::{attention, gelu};
use ijk_infer::kernels::{self, Norm, Plain16};
use ijk_infer::reference;
use ijk_infer::shape::{FF, HEAD_DIM, WINDOW};
use ijk_infer::{Encoder, EncoderState};
use serde_json::Value;
use std::sync::LazyLock;

static GOLDEN: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("golden/encoder.json")).unwrap());

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn narrow<const N: usize>(value: &Value) -> [f32; N] {
    let values: Vec<f32> = numbers(value).iter().map(|&v| v as f32).collect();
    values.try_into().unwrap()
}

/// Rows by token number.
fn by_token(value: &Value) -> Vec<(usize, Vec<f64>)> {
    let rows = value.as_object().unwrap().iter();
    rows.map(|(t, row)| (t.parse().unwrap(), numbers(row))).collect()
}

fn largest_difference(ours: &[f64], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

#[test]
fn layer_norm() {
    let golden = &GOLDEN["layer_norm"];
    let norm = Norm { weight: narrow(&golden["weight"]), bias: narrow(&golden["bias"]) };
    let mut y = [0.0; 64];
    kernels::layer_norm::<Plain16>(&narrow(&golden["x"]), &norm, &mut y);
    let worst = largest_difference(&wide(&y), &numbers(&golden["y"]));
    assert!(worst < 1e-6, "{worst:e}");
}

#[test]
fn gelu_tanh() {
    let golden = &GOLDEN["gelu_tanh"];
    let (x, y) = (numbers(&golden["x"]), numbers(&golden["y"]));
    assert!(x.len() <= FF);
    let mut ours = [0.0f32; FF];
    for (ours, &x) in ours.iter_mut().zip(&x) {
        *ours = x as f32;
    }
    let ours = gelu(&ours);
    for ((x, theirs), ours) in x.iter().zip(&y).zip(ours) {
        let ours = f64::from(ours);
        assert!((ours - theirs).abs() <= 4e-7 * theirs.abs().max(1.0), "{x}: {ours} {theirs}");
        assert!((reference::gelu(*x) - theirs).abs() < 1e-13 * theirs.abs().max(1.0));
    }
}

/// One head streamed through a ring, 96 tokens: the ring turns once.
#[test]
fn attention_of_one_head() {
    let golden = &GOLDEN["attention"];
    let part = |name| wide_rows(&golden[name]);
    let (q, k, v) = (part("q"), part("k"), part("v"));
    let age_bias: [f32; WINDOW] = narrow(&golden["age_bias"]);
    let expected = by_token(&golden["y"]);
    assert!(expected.len() >= 12);
    let (mut keys, mut values) = ([[0.0; WINDOW]; HEAD_DIM], [[0.0; HEAD_DIM]; WINDOW]);
    let mut worst = 0.0f64;
    for t in 0..q.len() {
        let slot = t % WINDOW;
        (0..HEAD_DIM).for_each(|d| keys[d][slot] = k[t][d]);
        values[slot] = v[t];
        let bias = std::array::from_fn(|s| age_bias[(slot + WINDOW - s) % WINDOW]);
        let filled = (t + 1).min(WINDOW);
        let (_, mixed, _) = attention(q[t], keys, &values, &bias, filled, slot);
        if let Some((_, y)) = expected.iter().find(|(token, _)| *token == t) {
            worst = worst.max(largest_difference(&wide(&mixed), y));
        }
    }
    assert!(worst < 2e-6, "{worst:e}");
}

fn wide_rows(value: &Value) -> Vec<[f32; HEAD_DIM]> {
    let values: Vec<f32> = numbers(value).iter().map(|&v| v as f32).collect();
    values.as_chunks::<HEAD_DIM>().0.to_vec()
}

#[test]
fn whole_encoder() {
    let golden = &GOLDEN["encoder"];
    let count = golden["count"].as_u64().unwrap() as usize;
    let expected = by_token(&golden["forecasts"]);
    let weights = common::model(1);
    let tokens = common::tokens("golden.features", count);
    let encoder = Encoder::new(&weights);
    let mut state = EncoderState::new(&encoder);
    let ours: Vec<Vec<f64>> = tokens
        .iter()
        .map(|token| {
            let forecast = encoder.step(&mut state, token);
            let row = forecast.members[0].iter();
            let row =
                row.flat_map(|f| [f.logits[0], f.logits[1], f.logits[2], f.mean_bps, f.log_var]);
            row.map(f64::from).collect()
        })
        .collect();
    let truth = reference::forward(&weights, 0, &tokens);
    let truth: Vec<Vec<f64>> = truth
        .iter()
        .map(|row| {
            let row = row.iter();
            row.flat_map(|f| [f.logits[0], f.logits[1], f.logits[2], f.mean_bps, f.log_var])
                .collect()
        })
        .collect();
    let (mut worst, mut worst_reference) = (0.0f64, 0.0f64);
    for (t, theirs) in &expected {
        worst = worst.max(largest_difference(&ours[*t], theirs));
        worst_reference = worst_reference.max(largest_difference(&truth[*t], theirs));
    }
    eprintln!("against torch: streaming f32 {worst:.2e}, reference f64 {worst_reference:.2e}");
    assert!(worst < 1e-5, "{worst:e}");
    assert!(worst_reference < 1e-10, "{worst_reference:e}");
}
