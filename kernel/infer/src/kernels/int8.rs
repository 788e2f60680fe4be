//! Linear layers of eight-bit weights and activations: a quarter of the bytes of f32, and not the
//! numbers of the file any more.
//!
//! A row of weights has one scale, a vector of activations another, both from its largest size
//! (symmetric linear quantization; Jacob et al. 2018, "Quantization and Training of Neural
//! Networks for Efficient Integer-Arithmetic-Only Inference"). Sums are integers and therefore
//! exact: every way to compute them gives the same bits.
#![allow(unsafe_code)] // eight-bit dot products of the machine, behind a constructor that looks

use super::linear::{Epilogue, Linear, OUTPUT_BLOCK, inputs_of, padded_biases};
use super::vector::Vector;
use crate::simd::Level;
use ijk_core::limits::SLOT_WIDTH_MAX;
use std::marker::PhantomData;

/// Largest quantized size.
const LARGEST: f32 = 127.0;
/// Activations smaller than this are zero: a reciprocal of less is not finite.
const ACTIVATION_MIN: f32 = 1e-30;
/// Most inputs of a layer.
const INPUTS_MAX: usize = SLOT_WIDTH_MAX;
/// Inputs of one step of a dot product.
const QUAD: usize = 4;
/// Adding this rounds to an integer and leaves it in the low bits of the sum: 1.5 * 2^23.
const ROUNDER: f32 = 12_582_912.0;

const _: () = assert!(INPUTS_MAX.is_multiple_of(64) && crate::shape::FF <= INPUTS_MAX);
// A sum is an integer that f32 holds.
const _: () = assert!((INPUTS_MAX as i64) * 127 * 127 < 1 << 24);

/// Weights of 64 outputs for four inputs, an output's four side by side.
pub type Quad = [[i8; QUAD]; OUTPUT_BLOCK];

/// How a layer of quantized numbers is computed.
pub trait Dot: Clone + std::fmt::Debug + Send + Sync + Sized {
    /// Returns whether this machine can.
    fn runs_here() -> bool;

    /// `y = (W (x - 128)) scale step + bias`; `x` is (quad, 4), `y` (block,). Only called where
    /// [`Dot::runs_here`].
    fn apply(layer: &Int8Linear<Self>, x: &[[u8; QUAD]], step: f32, y: &mut [[f32; OUTPUT_BLOCK]]);
}

/// Plain integer arithmetic, on every machine.
#[derive(Clone, Debug)]
pub struct Plain;

impl Dot for Plain {
    fn runs_here() -> bool {
        true
    }

    #[inline(always)]
    fn apply(
        layer: &Int8Linear<Plain>,
        x: &[[u8; QUAD]],
        step: f32,
        y: &mut [[f32; OUTPUT_BLOCK]],
    ) {
        let blocks = layer.quads.chunks_exact(x.len()).zip(&layer.rows);
        for (y, (quads, rows)) in y.iter_mut().zip(blocks) {
            let mut sums = rows.lowered;
            for (x, quad) in x.iter().zip(quads) {
                for (sum, w) in sums.iter_mut().zip(quad) {
                    for k in 0..QUAD {
                        *sum += i32::from(x[k]) * i32::from(w[k]);
                    }
                }
            }
            for o in 0..OUTPUT_BLOCK {
                y[o] = (sums[o] as f32).mul_add(rows.scale[o] * step, rows.bias[o]);
            }
        }
    }
}

/// `vpdpbusd` of AVX-512 VNNI: four products and their sum at once.
#[derive(Clone, Debug)]
pub struct Vnni;

impl Dot for Vnni {
    fn runs_here() -> bool {
        Level::all().any(Level::has_vnni)
    }

    #[inline(always)]
    fn apply(layer: &Int8Linear<Vnni>, x: &[[u8; QUAD]], step: f32, y: &mut [[f32; OUTPUT_BLOCK]]) {
        // SAFETY: a layer of this kind exists only where `runs_here` was true, see `pack`.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            x86::apply(layer, x, step, y);
        }
        #[cfg(not(target_arch = "x86_64"))]
        unreachable!("Invariant: no layer of this kind is packed here");
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Int8Linear, OUTPUT_BLOCK, QUAD, Vnni};
    use std::arch::x86_64::*;

    /// Numbers of 32 bits in a register.
    const LANES: usize = 16;
    /// Registers of a block of outputs.
    const REGISTERS: usize = OUTPUT_BLOCK / LANES;

    #[target_feature(enable = "avx512f,avx512vnni")]
    pub fn apply(
        layer: &Int8Linear<Vnni>,
        x: &[[u8; QUAD]],
        step: f32,
        y: &mut [[f32; OUTPUT_BLOCK]],
    ) {
        let step = _mm512_set1_ps(step);
        let blocks = layer.quads.chunks_exact(x.len()).zip(&layer.rows);
        for (y, (quads, rows)) in y.iter_mut().zip(blocks) {
            // SAFETY: 64 numbers of 32 bits are four registers; loads need no alignment.
            let mut sums: [__m512i; REGISTERS] = std::array::from_fn(|i| unsafe {
                _mm512_loadu_si512(rows.lowered.as_ptr().add(LANES * i).cast())
            });
            for (x, quad) in x.iter().zip(quads) {
                let x = _mm512_set1_epi32(i32::from_le_bytes(*x));
                for (i, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: 64 outputs of four bytes are four registers.
                    let w = unsafe { _mm512_loadu_si512(quad.as_ptr().add(LANES * i).cast()) };
                    *sum = _mm512_dpbusd_epi32(*sum, x, w);
                }
            }
            for (i, sum) in sums.into_iter().enumerate() {
                // SAFETY: `scale`, `bias` and `y` have 64 numbers each, as the sums.
                unsafe {
                    let scale = _mm512_loadu_ps(rows.scale.as_ptr().add(LANES * i));
                    let bias = _mm512_loadu_ps(rows.bias.as_ptr().add(LANES * i));
                    let sum = _mm512_cvtepi32_ps(sum);
                    let out = _mm512_fmadd_ps(sum, _mm512_mul_ps(scale, step), bias);
                    _mm512_storeu_ps(y.as_mut_ptr().add(LANES * i), out);
                }
            }
        }
    }
}

/// What a block of outputs has beside its weights.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Rows {
    /// -128 times the sum of an output's weights: activations are stored 128 higher.
    lowered: [i32; OUTPUT_BLOCK],
    /// What one step of an output's weights is worth.
    scale: [f32; OUTPUT_BLOCK],
    bias: [f32; OUTPUT_BLOCK],
}

/// Weights of eight bits, with one scale an output.
#[derive(Clone, Debug)]
pub struct Int8Linear<D> {
    /// (block, quad of inputs)
    quads: Vec<Quad>,
    /// (block,)
    rows: Vec<Rows>,
    inputs: usize,
    dot: PhantomData<D>,
}

impl<D: Dot> Linear for Int8Linear<D> {
    fn pack(weight: &[f32], bias: &[f32], _: usize) -> Int8Linear<D> {
        let inputs = inputs_of(weight, bias);
        assert!(D::runs_here(), "Condition failed: instructions that this machine has");
        assert!(inputs <= INPUTS_MAX, "Condition failed: at most {INPUTS_MAX} inputs");
        let quad_count = inputs.div_ceil(QUAD);
        let rows = |bias| Rows { lowered: [0; OUTPUT_BLOCK], scale: [0.0; OUTPUT_BLOCK], bias };
        let mut rows: Vec<Rows> = padded_biases(bias).into_iter().map(rows).collect();
        let mut quads = vec![[[0; QUAD]; OUTPUT_BLOCK]; rows.len() * quad_count];
        for (o, row) in weight.chunks_exact(inputs).enumerate() {
            let (block, at) = (o / OUTPUT_BLOCK, o % OUTPUT_BLOCK);
            let step = row.iter().fold(0.0f32, |largest, w| largest.max(w.abs())) / LARGEST;
            if step == 0.0 {
                continue;
            }
            rows[block].scale[at] = step;
            for (i, w) in row.iter().enumerate() {
                let q = (w / step).round_ties_even().clamp(-LARGEST, LARGEST) as i8;
                quads[block * quad_count + i / QUAD][at][i % QUAD] = q;
                rows[block].lowered[at] -= 128 * i32::from(q);
            }
        }
        Int8Linear { quads, rows, inputs, dot: PhantomData }
    }

    #[inline(always)]
    fn apply<V: Vector, const SIDE: usize>(
        &self,
        x: &[f32],
        y: &mut [f32],
        epilogue: impl Epilogue,
    ) {
        let (y, rest) = y.as_chunks_mut::<OUTPUT_BLOCK>();
        let fits = x.len() == self.inputs && y.len() == self.rows.len() && rest.is_empty();
        assert!(fits, "Invariant: buffers have the layer's shape");
        let mut bytes = [128; INPUTS_MAX];
        let step = quantize(x, &mut bytes);
        D::apply(self, &bytes.as_chunks::<QUAD>().0[..self.inputs.div_ceil(QUAD)], step, y);
        for (c, y) in y.as_flattened_mut().as_chunks_mut().0.iter_mut().enumerate() {
            epilogue.of(c, V::load(y)).store(y);
        }
    }
}

/// Writes `x` in steps of its largest size over 127, rounded to the nearest and raised by 128, and
/// returns the step.
#[inline(always)]
fn quantize(x: &[f32], bytes: &mut [u8; INPUTS_MAX]) -> f32 {
    const LANES: usize = 16;
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    let (chunks, rest) = x.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *lane = larger(v.abs(), *lane);
        }
    }
    for (lane, v) in lanes.iter_mut().zip(rest) {
        *lane = larger(v.abs(), *lane);
    }
    let largest = lanes.into_iter().fold(0.0, larger);
    if largest < ACTIVATION_MIN {
        return 0.0;
    }
    let steps = LARGEST / largest;
    for (byte, v) in bytes.iter_mut().zip(x) {
        // The low byte of the rounded sum is the integer in two's complement; a flipped sign bit
        // raises it by 128.
        *byte = (v.mul_add(steps, ROUNDER)).to_bits() as u8 ^ 0x80;
    }
    largest / LARGEST
}
