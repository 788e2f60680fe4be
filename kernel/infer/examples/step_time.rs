//! Prints the time of one token for one and five members, each level and packing: minimum and
//! median over batches.
//!
//! `cargo run --release -p ijk-infer --example step_time [LEVEL [PACKING [MEMBERS]]]`

use ijk_infer::{
    Encoder, EncoderState, Level, Packing, Weights, WeightsBuilder, WeightsSpec, tensor_specs,
};
use std::hint::black_box;
use std::time::Instant;

/// Tokens between two readings of the clock.
const BATCH: usize = 20;
const BATCHES: usize = 500;

fn main() {
    let wanted = std::env::args().nth(1);
    let wanted = |level: &Level| wanted.as_deref().is_none_or(|name| name == level.name());
    let levels: Vec<Level> = Level::all().filter(wanted).collect();
    let packing = std::env::args().nth(2);
    let wanted = |p: &Packing| packing.as_deref().is_none_or(|name| name == p.name());
    let members = std::env::args().nth(3).map(|m| m.parse().expect("a number of members"));
    let members = members.map_or(vec![1, 5], |m| vec![m]);
    for members in members {
        let weights = model(members);
        for &level in &levels {
            for packing in Packing::ALL.into_iter().filter(wanted) {
                let encoder = Encoder::with(&weights, level, packing);
                let (min, median) = nanos_a_token(&encoder);
                let (level, packing) = (level.name(), packing.name());
                print!("members {members} {level:<8} {packing:<4}: ");
                println!("min {min} ns, median {median} ns a token");
            }
        }
    }
}

fn nanos_a_token(encoder: &Encoder) -> (u128, u128) {
    let mut state = EncoderState::new(encoder);
    let mut nanos = Vec::with_capacity(BATCHES);
    for batch in 0..BATCHES {
        let start = Instant::now();
        for i in 0..BATCH {
            let features = std::array::from_fn(|f| ((batch * BATCH + i + f) % 7) as f64 - 3.0);
            black_box(encoder.step(&mut state, black_box(&features)));
        }
        nanos.push(start.elapsed().as_nanos() / BATCH as u128);
    }
    nanos.sort_unstable();
    (nanos[0], nanos[BATCHES / 2])
}

/// Small pseudo-random weights of 8 bits (Knuth's multiplicative hash), so that either packing
/// holds them; the norms' gains at one.
fn model(members: usize) -> Weights {
    let mut builder = WeightsBuilder::new(WeightsSpec::new(members));
    for tensor in tensor_specs(members) {
        let gain = tensor.name.contains("norm") && tensor.name.ends_with("weight");
        let value = |i: usize| {
            let bits = (i as u32 + 1).wrapping_mul(2_654_435_761) >> 24;
            (bits as f32 / 256.0 - 0.5) * 0.25 + f32::from(u8::from(gain))
        };
        let values: Vec<f32> = (0..tensor.value_count()).map(value).collect();
        builder = builder.tensor(&tensor.name, tensor.shape, &values);
    }
    builder.finish().expect("the schema's own shapes")
}
