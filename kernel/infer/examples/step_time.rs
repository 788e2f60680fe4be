//! Prints the time of one token for one and five members: minimum and median over batches.
//!
//! `cargo run --release -p ijk-infer --example step_time`

use ijk_infer::{Encoder, EncoderState, Level, Weights, WeightsBuilder, WeightsSpec, tensor_specs};
use std::hint::black_box;
use std::time::Instant;

/// Tokens between two readings of the clock.
const BATCH: usize = 100;
const BATCHES: usize = 400;

fn main() {
    let levels: Vec<Level> = Level::all().collect();
    for (members, level) in [1, 5].into_iter().flat_map(|m| levels.iter().map(move |l| (m, *l))) {
        let encoder = Encoder::at(&model(members), level);
        let mut state = EncoderState::new(&encoder);
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
        let (min, median) = (nanos[0], nanos[BATCHES / 2]);
        println!("members {members} {:<8}: min {min} ns, median {median} ns a token", level.name());
    }
}

/// Small pseudo-random weights (Knuth's multiplicative hash), the norms' gains at one.
fn model(members: usize) -> Weights {
    let mut builder = WeightsBuilder::new(WeightsSpec::new(members));
    for tensor in tensor_specs(members) {
        let gain = tensor.name.contains("norm") && tensor.name.ends_with("weight");
        let value = |i: usize| {
            let bits = (i as u32 + 1).wrapping_mul(2_654_435_761) >> 16;
            (bits as f32 / 65_536.0 - 0.5) * 0.25 + f32::from(u8::from(gain))
        };
        let values: Vec<f32> = (0..tensor.value_count()).map(value).collect();
        builder = builder.tensor(&tensor.name, tensor.shape, &values);
    }
    builder.finish().expect("the schema's own shapes")
}
