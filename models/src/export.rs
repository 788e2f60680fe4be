//! Between the Burn module and the kernel's weights file.
//!
//! Burn keeps a linear layer as (in, out), the file as (out, in); the file joins query, key and
//! value into one layer.

use crate::attention::BandedAttention;
use crate::encoder::{Block, Encoder, EncoderShape, OUTPUT_COUNT};
use crate::modal::{CrossModal, ModalEncoder, SlotProjection};
use crate::scaler::{CLIP, Scaler};
use crate::slots::SlotShape;
use burn::module::Param;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use ijk_core::features::FEATURE_COUNT;
use ijk_core::forecast::HORIZON_COUNT;
use ijk_infer::{
    MemberTensors, Weights, WeightsBuilder, WeightsError, WeightsSpec, slot_tensor_specs,
    tensor_specs,
};
use std::collections::BTreeMap;

/// What the file says beside the tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportMeta {
    /// Scaler of the features.
    pub scaler: Scaler,
    /// Basis points of one standardised label, per horizon.
    pub target_scale_bps: [f64; HORIZON_COUNT],
    /// SHA-256 of the training sessions.
    pub training_data_sha256: String,
    /// Version of this code.
    pub code_version: String,
    /// When it was made, ISO 8601.
    pub created: String,
    /// Free text.
    pub note: String,
}

/// Tensors of one member by local name, row-major (out, in).
type Tensors = BTreeMap<String, Vec<f32>>;

/// Rounds the members to what the kernel computes with and returns the checked weights: matrices
/// to bf16 (8 bits of significand, which fp16 holds exactly and a CPU unpacks for nothing), all
/// else to fp16. Whoever judges a model judges the rounded one.
///
/// # Errors
/// [`WeightsError`] if a number does not fit fp16 or the encoder has another shape than the
/// kernel.
pub fn export<B: Backend>(
    members: &[Encoder<B>],
    meta: &ExportMeta,
) -> Result<Weights, WeightsError> {
    build(members.iter().map(member_tensors).collect(), &[], meta)
}

/// As [`export`], for members with the slots `slots`.
///
/// # Errors
/// As [`export`]; a member of other slots lacks tensors or has too many.
pub fn export_modal<B: Backend>(
    members: &[ModalEncoder<B>],
    slots: &[SlotShape],
    meta: &ExportMeta,
) -> Result<Weights, WeightsError> {
    let tensors = |member: &ModalEncoder<B>| {
        let mut out = member_tensors(&member.encoder);
        member.cross.iter().for_each(|cross| cross_tensors(&mut out, cross));
        out
    };
    build(members.iter().map(tensors).collect(), slots, meta)
}

fn build(
    members: Vec<Tensors>,
    slots: &[SlotShape],
    meta: &ExportMeta,
) -> Result<Weights, WeightsError> {
    let mut spec = WeightsSpec::new(members.len());
    spec.slots = slots.to_vec();
    spec.scaler_mean = meta.scaler.mean;
    spec.scaler_scale = meta.scaler.scale;
    spec.scaler_clip = CLIP;
    spec.target_scale_bps = meta.target_scale_bps;
    spec.training_data_sha256.clone_from(&meta.training_data_sha256);
    spec.code_version.clone_from(&meta.code_version);
    spec.created.clone_from(&meta.created);
    spec.note.clone_from(&meta.note);
    let mut builder = WeightsBuilder::new(spec);
    // A name that is not there is told by `finish` as a missing tensor.
    for wanted in tensor_specs(members.len()) {
        if let Some(values) = members[wanted.member].get(&wanted.local) {
            builder = builder.tensor(&wanted.name, wanted.shape, values);
        }
    }
    for wanted in slot_tensor_specs(members.len(), slots) {
        if let Some(values) = members[wanted.member].get(&wanted.local) {
            builder = builder.tensor(&wanted.name, &wanted.shape, values);
        }
    }
    builder.finish()
}

fn member_tensors<B: Backend>(encoder: &Encoder<B>) -> Tensors {
    let mut out = Tensors::new();
    put_linear(&mut out, "input", &encoder.input);
    for (l, block) in encoder.blocks.iter().enumerate() {
        let a = &block.attention;
        put_norm(&mut out, &format!("l{l}.norm1"), &block.norm_attention);
        let parts = [&a.query, &a.key, &a.value].map(linear_values);
        let (weights, biases): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        out.insert(format!("l{l}.attn.qkv.weight"), rounded_to_bf16(weights.concat()));
        out.insert(format!("l{l}.attn.qkv.bias"), biases.concat());
        out.insert(format!("l{l}.attn.age_bias"), values(a.age_bias.val()));
        put_linear(&mut out, &format!("l{l}.attn.out"), &a.output);
        put_norm(&mut out, &format!("l{l}.norm2"), &block.norm_feed_forward);
        put_linear(&mut out, &format!("l{l}.ff1"), &block.up);
        put_linear(&mut out, &format!("l{l}.ff2"), &block.down);
    }
    put_norm(&mut out, "norm_f", &encoder.norm);
    put_linear(&mut out, "head", &encoder.head);
    out
}

/// The file holds how fast a score falls itself, not its preimage under softplus.
fn cross_tensors<B: Backend>(out: &mut Tensors, cross: &CrossModal<B>) {
    put_norm(out, "cross.norm", &cross.norm);
    put_linear(out, "cross.query", &cross.query);
    put_linear(out, "cross.out", &cross.output);
    for (i, slot) in cross.slots.iter().enumerate() {
        put_linear(out, &format!("cross.s{i}.key"), &slot.key);
        put_linear(out, &format!("cross.s{i}.value"), &slot.value);
        let softplus = |v: f32| f64::from(v).exp().ln_1p() as f32;
        let fading = values(slot.fading.val()).into_iter().map(softplus).collect();
        out.insert(format!("cross.s{i}.fading"), fading);
        out.insert(format!("cross.s{i}.bias"), values(slot.bias.val()));
    }
}

/// Weight as (out, in) and bias.
fn linear_values<B: Backend>(linear: &Linear<B>) -> (Vec<f32>, Vec<f32>) {
    let [_, d_out] = linear.weight.dims();
    let bias = linear.bias.as_ref().map_or_else(|| vec![0.0; d_out], |b| values(b.val()));
    (values(linear.weight.val().transpose()), bias)
}

fn put_linear<B: Backend>(out: &mut Tensors, name: &str, linear: &Linear<B>) {
    let (weight, bias) = linear_values(linear);
    out.insert(format!("{name}.weight"), rounded_to_bf16(weight));
    out.insert(format!("{name}.bias"), bias);
}

/// To nearest, ties to even. Numbers under 2^-14 lose further bits in fp16 and stay bf16 there.
fn rounded_to_bf16(mut values: Vec<f32>) -> Vec<f32> {
    for v in &mut values {
        let bits = v.to_bits();
        let half = 0x7fff + (bits >> 16 & 1);
        *v = f32::from_bits(bits.wrapping_add(half) & 0xffff_0000);
    }
    values
}

fn put_norm<B: Backend>(out: &mut Tensors, name: &str, norm: &LayerNorm<B>) {
    let [d] = norm.gamma.dims();
    let bias = norm.beta.as_ref().map_or_else(|| vec![0.0; d], |b| values(b.val()));
    out.insert(format!("{name}.weight"), values(norm.gamma.val()));
    out.insert(format!("{name}.bias"), bias);
}

fn values<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().into_vec().unwrap_or_default()
}

/// Returns a member of a weights file as a Burn module: the numbers that the kernel computes
/// with, already rounded to fp16.
pub fn import<B: Backend>(member: &MemberTensors, device: &B::Device) -> Encoder<B> {
    let shape = EncoderShape::default();
    let d = shape.d_model;
    let get = |name: &str| -> Vec<f32> {
        let tensor = member.tensor(name).unwrap_or_default();
        tensor.iter().map(|v| v.to_f32()).collect()
    };
    let linear = |name: &str, d_in, d_out| {
        to_linear(
            &get(&format!("{name}.weight")),
            &get(&format!("{name}.bias")),
            d_in,
            d_out,
            device,
        )
    };
    let norm = |name: &str| {
        let mut norm = crate::encoder::norm(d, device);
        norm.gamma = vector(get(&format!("{name}.weight")), device);
        norm.beta = Some(vector(get(&format!("{name}.bias")), device));
        norm
    };
    let block = |l: usize| {
        let weight = get(&format!("l{l}.attn.qkv.weight"));
        let bias = get(&format!("l{l}.attn.qkv.bias"));
        let third = |i: usize| {
            let (weight, bias) = (&weight[i * d * d..][..d * d], &bias[i * d..][..d]);
            to_linear(weight, bias, d, d, device)
        };
        let age_bias =
            TensorData::new(get(&format!("l{l}.attn.age_bias")), [shape.heads, shape.window]);
        Block {
            norm_attention: norm(&format!("l{l}.norm1")),
            attention: BandedAttention {
                query: third(0),
                key: third(1),
                value: third(2),
                output: linear(&format!("l{l}.attn.out"), d, d),
                age_bias: Param::from_data(age_bias, device),
            },
            norm_feed_forward: norm(&format!("l{l}.norm2")),
            up: linear(&format!("l{l}.ff1"), d, shape.d_ff),
            down: linear(&format!("l{l}.ff2"), shape.d_ff, d),
        }
    };
    Encoder {
        input: linear("input", FEATURE_COUNT, d),
        blocks: (0..shape.layers).map(block).collect(),
        norm: norm("norm_f"),
        head: linear("head", d, OUTPUT_COUNT),
    }
}

/// As [`import`], with the member's part for the slots `slots`; none where that is empty.
pub fn import_modal<B: Backend>(
    member: &MemberTensors,
    slots: &[SlotShape],
    device: &B::Device,
) -> ModalEncoder<B> {
    let d = EncoderShape::default().d_model;
    let get = |name: &str| -> Vec<f32> {
        let tensor = member.tensor(name).unwrap_or_default();
        tensor.iter().map(|v| v.to_f32()).collect()
    };
    let linear = |name: &str, d_in| {
        let (weight, bias) = (get(&format!("{name}.weight")), get(&format!("{name}.bias")));
        to_linear(&weight, &bias, d_in, d, device)
    };
    let slot = |(i, slot): (usize, &SlotShape)| {
        let name = |part| format!("cross.s{i}.{part}");
        // Where softplus gives zero in f32, as the file says.
        let preimage = |v: f32| (f64::from(v).exp_m1().ln() as f32).max(-200.0);
        SlotProjection {
            key: linear(&name("key"), slot.width),
            value: linear(&name("value"), slot.width),
            fading: vector(get(&name("fading")).into_iter().map(preimage).collect(), device),
            bias: vector(get(&name("bias")), device),
        }
    };
    let cross = || {
        let mut norm = crate::encoder::norm(d, device);
        norm.gamma = vector(get("cross.norm.weight"), device);
        norm.beta = Some(vector(get("cross.norm.bias"), device));
        CrossModal {
            norm,
            query: linear("cross.query", d),
            slots: slots.iter().enumerate().map(slot).collect(),
            output: linear("cross.out", d),
        }
    };
    ModalEncoder { encoder: import(member, device), cross: (!slots.is_empty()).then(cross) }
}

/// A linear layer from a weight stored as (out, in).
fn to_linear<B: Backend>(
    weight: &[f32],
    bias: &[f32],
    d_in: usize,
    d_out: usize,
    device: &B::Device,
) -> Linear<B> {
    assert_eq!(weight.len(), d_in * d_out, "a checked weights file has every tensor");
    let turned = (0..d_in * d_out).map(|i| weight[i % d_out * d_in + i / d_out]).collect();
    Linear {
        weight: Param::from_data(TensorData::new::<f32, _>(turned, [d_in, d_out]), device),
        bias: Some(vector(bias.to_vec(), device)),
    }
}

fn vector<B: Backend>(values: Vec<f32>, device: &B::Device) -> Param<Tensor<B, 1>> {
    let length = values.len();
    Param::from_data(TensorData::new(values, [length]), device)
}
