//! `ijk-floors [WEIGHTS]`: how near one token of one member comes to what this core can do, all of
//! it measured in turns in one run, by the CPU time of the thread, best and median:
//!
//! - `fma`: fused multiply-additions in registers, with the widest vectors that safe code has here
//!   (256 bits; on Zen 4 as many operations a cycle as 512);
//! - `read`: bytes a second, read again and again from a block that fits the second-level cache,
//!   and from blocks as large as what a token touches in each format;
//! - the encoder with the weights in f32 and as narrow as holds them.
//!
//! A token's floor is the larger of two times: its weights and rings at the second-level cache's
//! speed, and its operations at the FMA peak. JSON on standard output.

#![forbid(unsafe_code)]

use ijk_benches::features;
use ijk_infer::shape::{D_MODEL, FF, LAYERS, ModelShape, OUTPUTS, WINDOW};
use ijk_infer::{Encoder, EncoderState, Level, Packing, Weights};
use pulp::{Arch, NullaryFnOnce};
use serde_json::{Value, json};
use std::hint::black_box;

/// Turns; everything is measured once in each.
const TURNS: usize = 200;
/// Steps of the FMA loop in a turn; each is [`CHAINS`] vectors of [`LANES`].
const FMA_STEPS: usize = 20_000;
const CHAINS: usize = 12;
const LANES: usize = 8;
/// Bytes read in a turn.
const READ_BYTES: usize = 1 << 24;
/// A block well inside a second-level cache of 1 MiB.
const L2_BLOCK: usize = 384 << 10;
/// Tokens in a turn.
const TOKENS: usize = 50;
/// Keys and values of one member, f32.
const RING_BYTES: usize = 2 * LAYERS * WINDOW * D_MODEL * size_of::<f32>();
const DEFAULT: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../models/weights/synth-5x.safetensors");

/// One line of the caches.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line([u64; 8]);

/// Nanoseconds of a turn, best and median.
#[derive(Default)]
struct Times(Vec<f64>);

impl Times {
    fn best(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn median(&mut self) -> f64 {
        self.0.sort_by(f64::total_cmp);
        self.0[self.0.len() / 2]
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| DEFAULT.to_string());
    let weights = Weights::from_bytes(&std::fs::read(&path)?)?;
    let one = weights.single(0).ok_or("no members")?;
    let mut packings = vec![Packing::F32];
    packings.extend(Some(Packing::narrowest(&one)).filter(|p| *p != Packing::F32));
    let encoders: Vec<_> =
        packings.iter().map(|&p| Encoder::with(&one, Level::best(), p)).collect();
    let mut states: Vec<_> = encoders.iter().map(EncoderState::new).collect();
    let mut blocks = vec![L2_BLOCK];
    blocks.extend(packings.iter().map(|&p| bytes(p)));
    let memory = vec![Line([1; 8]); blocks.iter().max().copied().unwrap_or(0).div_ceil(64)];
    let arch = Arch::new();

    let mut fma = Times::default();
    let mut reads: Vec<Times> = blocks.iter().map(|_| Times::default()).collect();
    let mut steps: Vec<Times> = packings.iter().map(|_| Times::default()).collect();
    let tokens: [_; 7] = std::array::from_fn(features);
    let mut last = [0u32; 2];
    for turn in 0..TURNS {
        fma.0.push(timed(|| arch.dispatch(multiply_add)));
        for (block, times) in blocks.iter().zip(&mut reads) {
            let lines = &memory[..block / 64];
            times.0.push(timed(|| arch.dispatch(Read(lines))));
        }
        for (i, (encoder, state)) in encoders.iter().zip(&mut states).enumerate() {
            steps[i].0.push(timed(|| {
                for at in 0..TOKENS {
                    let forecast = encoder.step(state, black_box(&tokens[(turn + at) % 7]));
                    last[i] = forecast.members[0][0].mean_bps.to_bits();
                }
            }));
        }
    }
    // Two packings of the same numbers give the same bits.
    let same = packings.len() == 1 || last[0] == last[1];
    if !same {
        return Err(format!("the packings' forecasts differ: {last:x?}").into());
    }
    println!("{:#}", report(&mut fma, &blocks, &mut reads, &packings, &mut steps));
    Ok(())
}

/// What was measured, and each format over its floor.
fn report(
    fma: &mut Times,
    blocks: &[usize],
    reads: &mut [Times],
    packings: &[Packing],
    steps: &mut [Times],
) -> Value {
    let flops = (2 * FMA_STEPS * CHAINS * LANES) as f64;
    let peak = [flops / fma.best(), flops / fma.median()];
    let speed = |times: &mut Times, block: usize| {
        let whole = (READ_BYTES / block * block) as f64;
        [whole / times.best(), whole / times.median()]
    };
    let speeds: Vec<[f64; 2]> =
        reads.iter_mut().zip(blocks).map(|(times, &block)| speed(times, block)).collect();
    let formats: Vec<Value> = packings
        .iter()
        .zip(steps)
        .enumerate()
        .map(|(i, (&packing, times))| {
            let ns = [times.best() / TOKENS as f64, times.median() / TOKENS as f64];
            let operations = (2 * matrix_weights() + attention_operations()) as f64 / peak[0];
            let by_bytes = bytes(packing) as f64 / speeds[0][0];
            let floor = by_bytes.max(operations);
            json!({
                "format": packing.name(), "level": Level::best().name(), "bytes": bytes(packing),
                "ns_best": ns[0], "ns_median": ns[1],
                "floor_bytes_ns": by_bytes,
                "floor_bytes_at_this_size_ns": bytes(packing) as f64 / speeds[i + 1][0],
                "floor_operations_ns": operations,
                "over_floor_best": ns[0] / floor, "over_floor_median": ns[1] / floor,
            })
        })
        .collect();
    let read: Vec<Value> = blocks
        .iter()
        .zip(&speeds)
        .map(|(block, s)| json!({ "block_bytes": block, "gb_s_best": s[0], "gb_s_median": s[1] }))
        .collect();
    json!({
        "fma_gflop_s_best": peak[0], "fma_gflop_s_median": peak[1],
        "read": read,
        "operations_a_token": 2 * matrix_weights() + attention_operations(),
        "formats": formats,
    })
}

/// CPU nanoseconds of the thread.
fn timed(mut work: impl FnMut()) -> f64 {
    let now = || {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
    };
    let before = now();
    work();
    (now() - before).max(1) as f64
}

/// Chains of fused multiply-additions that do not wait for each other.
#[inline(always)]
fn multiply_add() {
    let mut chains = [[0.5f32; LANES]; CHAINS];
    let (by, plus) = (black_box(0.999_9f32), black_box(1e-4f32));
    for _ in 0..FMA_STEPS {
        for chain in &mut chains {
            for lane in chain {
                *lane = lane.mul_add(by, plus);
            }
        }
    }
    black_box(chains);
}

/// Reads the block until [`READ_BYTES`] are read, four lines side by side. (A closure would not be
/// compiled for the wide vectors.)
struct Read<'a>(&'a [Line]);

impl NullaryFnOnce for Read<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let mut sums = [[0u64; 4]; 8];
        for _ in 0..READ_BYTES / (self.0.len() * 64) {
            for four in black_box(self.0).as_chunks::<4>().0 {
                for (i, line) in four.iter().enumerate() {
                    for (half, words) in line.0.as_chunks::<4>().0.iter().enumerate() {
                        for (sum, word) in sums[2 * i + half].iter_mut().zip(words) {
                            *sum ^= word;
                        }
                    }
                }
            }
        }
        black_box(sums);
    }
}

/// Weights of the linear layers of one member.
const fn matrix_weights() -> usize {
    let block = D_MODEL * 3 * D_MODEL + D_MODEL * D_MODEL + 2 * D_MODEL * FF;
    ijk_core::features::FEATURE_COUNT * D_MODEL + LAYERS * block + D_MODEL * OUTPUTS
}

/// Multiplications and additions of scores and mixing.
const fn attention_operations() -> usize {
    2 * 2 * LAYERS * WINDOW * D_MODEL
}

/// Bytes that one token of one member must read: weights in the format, the rest in f32, rings.
fn bytes(packing: Packing) -> usize {
    let width = if packing == Packing::F32 { 4 } else { 2 };
    let others = ModelShape::parameters_per_member() - matrix_weights();
    width * matrix_weights() + 4 * others + RING_BYTES
}
