//! Models and features made by an exact formula, the same in `scripts/golden/encoder.py`.
#![allow(dead_code)] // each test binary uses its part

use ijk_core::features::FEATURE_COUNT;
use ijk_infer::{Weights, WeightsBuilder, WeightsSpec, tensor_specs};

/// Returns 11 random bits of value `index` of the sequence called `name`, less 1024: SplitMix64
/// seeded with the FNV-1a hash of the name.
pub fn draw(name: &str, index: usize) -> i32 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in name.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    let mut z = hash.wrapping_add((index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 53) as i32 - 1024
}

/// Returns one weight; every value is exact in fp16, so nothing depends on rounding.
pub fn weight(name: &str, index: usize) -> f32 {
    let u = draw(name, index) as f32;
    let local = name.split_once('.').map_or(name, |(_, local)| local);
    if local.contains("norm") && local.ends_with("weight") {
        1.0 + (u / 8.0).floor() / 1024.0
    } else if local.ends_with("age_bias") {
        u / 1024.0
    } else if local.contains("qkv") || local.starts_with("input") {
        u / 4096.0
    } else {
        u / 8192.0
    }
}

/// Metadata with a scaler that is not the identity, so that forgetting it shows.
pub fn spec(members: usize) -> WeightsSpec {
    let mut spec = WeightsSpec::new(members);
    for i in 0..FEATURE_COUNT {
        spec.scaler_mean[i] = i as f64 * 0.125 - 0.5;
        spec.scaler_scale[i] = 0.5 + i as f64 * 0.0625;
    }
    spec.scaler_clip = 4.0;
    spec.target_scale_bps = [0.5, 1.5, 2.5, 4.0];
    spec.training_data_sha256 = "0".repeat(64);
    spec.code_version = "test".to_owned();
    spec.created = "2026-01-02T03:04:05Z".to_owned();
    spec.note = "formula \"weights\" – not trained".to_owned();
    spec
}

/// Returns the model with every matrix cut to bf16.
pub fn rounded_to_bf16(weights: &Weights) -> Weights {
    let mut builder = WeightsBuilder::new(weights.spec.clone());
    for t in tensor_specs(weights.members().len()) {
        let values = weights.members()[t.member].tensor(&t.local).unwrap();
        let bf16 = |v: f32| f32::from_bits(v.to_bits() & 0xffff_0000);
        let values: Vec<f32> = values.iter().map(|v| bf16(v.to_f32())).collect();
        builder = builder.tensor(&t.name, t.shape, &values);
    }
    builder.finish().unwrap()
}

/// Builds a model, letting `change` alter the values of each tensor.
pub fn build(members: usize, mut change: impl FnMut(&str, &mut Vec<f32>)) -> Weights {
    let mut builder = WeightsBuilder::new(spec(members));
    for tensor in tensor_specs(members) {
        let count = tensor.value_count();
        let mut values: Vec<f32> = (0..count).map(|i| weight(&tensor.name, i)).collect();
        change(&tensor.name, &mut values);
        builder = builder.tensor(&tensor.name, tensor.shape, &values);
    }
    builder.finish().unwrap()
}

/// The formula model.
pub fn model(members: usize) -> Weights {
    build(members, |_, _| {})
}

/// Features of `count` tokens in raw units, within ±4.
pub fn tokens(name: &str, count: usize) -> Vec<[f64; FEATURE_COUNT]> {
    let value = |t: usize, i: usize| f64::from(draw(name, t * FEATURE_COUNT + i)) / 256.0;
    (0..count).map(|t| std::array::from_fn(|i| value(t, i))).collect()
}
