//! `infer.token.1`, `infer.token.5`: one token through the streaming encoder of one and of five
//! members (12 features, width 64, 6 layers, 8 heads, window 64), the window full.

use criterion::{Criterion, criterion_group, criterion_main};
use ijk_benches::{features, weights};
use ijk_core::HorizonForecast;
use ijk_infer::reference::{self, ReferenceForecast};
use ijk_infer::shape::WINDOW;
use ijk_infer::{Encoder, EncoderState, Weights};
use std::hint::black_box;

/// Largest difference to the f64 reference, as a fraction of the number or of one.
const TOLERANCE: f64 = 1e-4;

/// The streaming forecast is the reference's, past the length of the window.
fn check(weights: &Weights, encoder: &Encoder) {
    let tokens: Vec<_> = (0..WINDOW + 8).map(features).collect();
    let mut state = EncoderState::new(encoder);
    let mut forecast = None;
    for token in &tokens {
        forecast = Some(encoder.step(&mut state, token));
    }
    let forecast = forecast.expect("there are tokens");
    for (member, ours) in forecast.members[..encoder.member_count()].iter().enumerate() {
        let truth = reference::forward(weights, member, &tokens);
        let truth = truth.last().expect("there are tokens");
        for (ours, truth) in ours.iter().zip(truth) {
            for (a, b) in numbers(ours).into_iter().zip(reference_numbers(truth)) {
                assert!((a - b).abs() <= TOLERANCE * b.abs().max(1.0), "member {member}: {a} {b}");
            }
        }
    }
}

fn numbers(f: &HorizonForecast) -> [f64; 5] {
    [f.logits[0], f.logits[1], f.logits[2], f.mean_bps, f.log_var].map(f64::from)
}

fn reference_numbers(f: &ReferenceForecast) -> [f64; 5] {
    [f.logits[0], f.logits[1], f.logits[2], f.mean_bps, f.log_var]
}

fn token(c: &mut Criterion) {
    for (name, members) in [("infer.token.1", 1), ("infer.token.5", 5)] {
        let weights = weights(members);
        let encoder = Encoder::new(&weights);
        check(&weights, &encoder);
        let mut state = EncoderState::new(&encoder);
        for index in 0..WINDOW {
            encoder.step(&mut state, &features(index));
        }
        let tokens: [_; 7] = std::array::from_fn(features);
        let mut at = 0;
        c.bench_function(name, |b| {
            b.iter(|| {
                at = (at + 1) % tokens.len();
                encoder.step(&mut state, black_box(&tokens[at]))
            })
        });
    }
}

criterion_group!(benches, token);
criterion_main!(benches);
