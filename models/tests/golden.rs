//! The Burn modules against PyTorch in float64: norm, GELU, attention, the whole encoder,
//! cross-modal attention. Values and generators: `scripts/golden/encoder.py`, `cross_modal.py`.

#[path = "../../kernel/infer/tests/common/mod.rs"]
mod common;

use burn::backend::Flex;
use burn::module::Param;
use burn::nn::{LayerNormConfig, Linear};
use burn::tensor::{Tensor, TensorData};
use common::{draw, model, tokens};
use ijk_models::attention::{Band, BandedAttention};
use ijk_models::encoder::gelu_tanh;
use ijk_models::export::import;
use ijk_models::modal::CrossModal;
use ijk_models::slots::{SlotBatch, SlotShape};
use serde_json::Value;

/// The goldens are float64, the modules f32.
const TOLERANCE: f64 = 1e-5;

fn golden() -> Value {
    serde_json::from_str(include_str!("../../kernel/infer/tests/golden/encoder.json")).unwrap()
}

fn numbers(v: &Value) -> Vec<f32> {
    v.as_array().unwrap().iter().flat_map(leaves).collect()
}

fn leaves(v: &Value) -> Vec<f32> {
    v.as_f64().map_or_else(|| numbers(v), |x| vec![x as f32])
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<Flex, D> {
    Tensor::from_data(TensorData::new(values, shape), &Default::default())
}

fn close<const D: usize>(got: Tensor<Flex, D>, expected: &[f32], what: &str) {
    let got = got.into_data().to_vec::<f32>().unwrap();
    assert_eq!(got.len(), expected.len(), "{what}");
    for (i, (a, b)) in got.iter().zip(expected).enumerate() {
        let bound = TOLERANCE * f64::from(b.abs()).max(1.0);
        assert!((f64::from(*a) - f64::from(*b)).abs() <= bound, "{what} {i}: {a} is not {b}");
    }
}

#[test]
fn layer_norm_and_gelu_are_those_of_pytorch() {
    let all = golden();
    let g = &all["layer_norm"];
    let mut norm = LayerNormConfig::new(64).with_epsilon(1e-5).init::<Flex>(&Default::default());
    norm.gamma = Param::from_tensor(tensor(numbers(&g["weight"]), [64]));
    norm.beta = Some(Param::from_tensor(tensor(numbers(&g["bias"]), [64])));
    close(norm.forward(tensor(numbers(&g["x"]), [1, 64])), &numbers(&g["y"]), "norm");
    let g = &all["gelu_tanh"];
    let x = numbers(&g["x"]);
    let count = x.len();
    close(gelu_tanh(tensor(x, [1, count])), &numbers(&g["y"]), "gelu");
}

/// Burn's linear layer from `(in, out)` weights.
fn linear(weight: Vec<f32>, d_in: usize, bias: Vec<f32>) -> Linear<Flex> {
    let d_out = bias.len();
    Linear {
        weight: Param::from_tensor(tensor(weight, [d_in, d_out])),
        bias: Some(Param::from_tensor(tensor(bias, [d_out]))),
    }
}

#[test]
fn banded_attention_is_that_of_pytorch() {
    // One head of 8; queries, keys and values come from thirds of a 24-wide input.
    let g = &golden()["attention"];
    let count = g["count"].as_u64().unwrap() as usize;
    let parts = ["q", "k", "v"].map(|n| numbers(&g[n]));
    let row = |t: usize| (0..24).map(move |i| (t, i));
    let x = (0..count).flat_map(row).map(|(t, i)| parts[i / 8][t * 8 + i % 8]).collect::<Vec<_>>();
    let third = |n: usize, gain: f32| {
        let mut weight = vec![0.0; 24 * 24];
        (0..8).for_each(|i| weight[(8 * n + i) * 24 + i] = gain);
        linear(weight, 24, vec![0.0; 24])
    };
    let attention = BandedAttention {
        // The golden scales by the root of 8, a head of 24 by its own.
        query: third(0, 3.0f32.sqrt()),
        key: third(1, 1.0),
        value: third(2, 1.0),
        output: third(0, 1.0),
        age_bias: Param::from_tensor(tensor(numbers(&g["age_bias"]), [1, 64])),
    };
    let mut padded = x;
    padded.resize(128 * 24, 0.0);
    let band = Band::new(64, 2, &Default::default());
    let x = tensor(padded, [1, 128, 24]);
    let y = attention.forward(x.clone(), &band);
    for (t, expected) in g["y"].as_object().unwrap() {
        let t: usize = t.parse().unwrap();
        close(y.clone().slice([0..1, t..t + 1, 0..8]), &numbers(expected), &format!("token {t}"));
    }
    let (shown, weights) = attention.forward_shown(x, &band);
    assert_eq!(shown.into_data(), y.into_data(), "showing changes nothing");
    let sums = weights.clone().sum_dim(3).into_data().to_vec::<f32>().unwrap();
    assert!(sums.iter().all(|s| (s - 1.0).abs() < 1e-5));
    let weights = weights.into_data().to_vec::<f32>().unwrap();
    for t in [0, 5, 62] {
        assert!(weights[t * 64 + t + 1..(t + 1) * 64].iter().all(|&w| w == 0.0), "token {t}");
    }
}

#[test]
fn the_whole_encoder_is_that_of_pytorch() {
    let g = &golden()["encoder"];
    let count = g["count"].as_u64().unwrap() as usize;
    let weights = model(1);
    let encoder = import::<Flex>(&weights.members()[0], &Default::default());
    let spec = &weights.spec;
    let scaled = tokens("golden.features", count).into_iter().flatten().enumerate();
    let scaled: Vec<f32> = scaled
        .map(|(i, v)| {
            let z = (v - spec.scaler_mean[i % 12]) / spec.scaler_scale[i % 12];
            z.clamp(-spec.scaler_clip, spec.scaler_clip) as f32
        })
        .collect();
    let y = encoder.forward(tensor(scaled, [1, count, 12])).into_data().to_vec::<f32>().unwrap();
    for (t, expected) in g["forecasts"].as_object().unwrap() {
        let t: usize = t.parse().unwrap();
        for (i, e) in numbers(expected).into_iter().enumerate() {
            let scale = spec.target_scale_bps[i / 5] as f32;
            let got = match i % 5 {
                3 => y[t * 20 + i] * scale,
                4 => y[t * 20 + i].clamp(-10.0, 10.0) + 2.0 * scale.ln(),
                _ => y[t * 20 + i],
            };
            assert!((got - e).abs() <= 2e-5 * e.abs().max(1.0), "token {t}, {i}: {got} not {e}");
        }
    }
}

const TOKENS: usize = 12;
const WIDTHS: [usize; 3] = [4, 7, 3];

fn drawn(name: &str, count: usize, divisor: f32) -> Vec<f32> {
    (0..count).map(|i| draw(name, i) as f32 / divisor).collect()
}

/// A linear layer whose weight was drawn as (out, in).
fn drawn_linear(name: &str, d_in: usize, divisor: f32) -> Linear<Flex> {
    let weight = drawn(&format!("{name}.weight"), 64 * d_in, divisor);
    let turned = (0..d_in * 64).map(|i| weight[i % 64 * d_in + i / 64]).collect();
    linear(turned, d_in, drawn(&format!("{name}.bias"), 64, 4096.0))
}

fn known(token: usize, slot: usize) -> bool {
    let early = slot == 2 && token > 8;
    !(token == 5 || token == 6 || (slot == 1 && token.is_multiple_of(3)) || early)
}

fn cross_modal() -> CrossModal<Flex> {
    let shapes = WIDTHS.map(|width| SlotShape { name: "s".into(), width, stale_after_s: 1e9 });
    let mut cross = CrossModal::new(&shapes, 64, 8, 1, &Default::default());
    let gamma = drawn("slot.norm.weight", 64, 8192.0).iter().map(|v| 1.0 + v).collect();
    cross.norm.gamma = Param::from_tensor(tensor(gamma, [64]));
    cross.norm.beta = Some(Param::from_tensor(tensor(drawn("slot.norm.bias", 64, 4096.0), [64])));
    cross.query = drawn_linear("slot.query", 64, 4096.0);
    cross.output = drawn_linear("slot.output", 64, 4096.0);
    for (s, width) in WIDTHS.into_iter().enumerate() {
        cross.slots[s].key = drawn_linear(&format!("slot.{s}.key"), width, 1024.0);
        cross.slots[s].value = drawn_linear(&format!("slot.{s}.value"), width, 1024.0);
        let per_head = |n: &str| {
            let values = drawn(&format!("slot.{s}.{n}"), 8, 1024.0);
            Param::from_tensor(tensor(values, [8]))
        };
        cross.slots[s].fading = per_head("fading");
        cross.slots[s].bias = per_head("bias");
    }
    cross
}

fn slot(s: usize, known: impl Fn(usize) -> bool) -> SlotBatch<Flex> {
    let flags: Vec<f32> = (0..TOKENS).map(|t| f32::from(u8::from(known(t)))).collect();
    let age = drawn(&format!("slot.{s}.age"), TOKENS, 16.0);
    let vector = drawn(&format!("slot.{s}.vector"), TOKENS * WIDTHS[s], 512.0);
    SlotBatch {
        values: tensor(vector, [1, TOKENS, WIDTHS[s]]),
        log_age: tensor(age.iter().map(|a| a.abs().ln_1p()).collect(), [1, TOKENS, 1]),
        known: tensor(flags, [1, TOKENS, 1]),
    }
}

fn stream() -> Tensor<Flex, 3> {
    tensor(drawn("slot.stream", TOKENS * 64, 512.0), [1, TOKENS, 64])
}

#[test]
fn cross_modal_attention_is_that_of_pytorch() {
    let golden: Value = serde_json::from_str(include_str!("golden/cross_modal.json")).unwrap();
    let slots: Vec<_> = (0..3).map(|s| Some(slot(s, |t| known(t, s)))).collect();
    let (y, weights) = cross_modal().forward(stream(), &slots);
    close(y.clone(), &numbers(&golden["stream"]), "stream");
    close(weights.unwrap(), &numbers(&golden["weights"]), "weights");
    // Tokens that know nothing are what they were, to the bit.
    let (y, x) = (y.slice([0..1, 5..7, 0..64]), stream().slice([0..1, 5..7, 0..64]));
    assert_eq!(y.into_data(), x.into_data());
}

#[test]
fn a_missing_slot_changes_nothing_and_is_not_computed() {
    let cross = cross_modal();
    let (y, weights) = cross.forward(stream(), &[None, None, None]);
    assert!(weights.is_none());
    assert_eq!(y.into_data(), stream().into_data());
    // Absent, or present with an empty mask and rubbish inside: the same to rounding.
    let full = |s| Some(slot(s, |_| true));
    let (absent, _) = cross.forward(stream(), &[full(0), None, full(2)]);
    let (masked, weights) = cross.forward(stream(), &[full(0), Some(slot(1, |_| false)), full(2)]);
    close(masked, &absent.into_data().to_vec::<f32>().unwrap(), "masked");
    let w = weights.unwrap().into_data().to_vec::<f32>().unwrap();
    assert!(w.chunks(3).all(|row| row[1] == 0.0));
}
