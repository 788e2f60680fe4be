//! The golden cases of the processor's kernels on the first CUDA device. Only in builds with the
//! feature `cuda`; without a device it says so and passes.
#![cfg(feature = "cuda")]

mod common;

use ijk_core::EnsembleForecast;
use ijk_core::infer_config::VRAM_BUDGET_BYTES;
use ijk_infer::cuda::{self, Engine, Placed, SymbolToken, probe};
use ijk_infer::shape::WINDOW;
use ijk_infer::{Encoder, EncoderState, Weights};
use std::time::{Duration, Instant};

/// As in `emulation.rs`: fp16 keys and values against the processor's fp32, model units.
const TOLERANCE: f64 = 2e-3;

/// Returns a model on the device, or `None` with a word where there is none.
fn on_device(weights: &Weights, symbols: usize) -> Option<Placed<Engine>> {
    if let Err(e) = probe() {
        eprintln!("skipped: {e}");
        return None;
    }
    // A device that is there and does not take the model is a failure.
    let engine = cuda::open(weights, symbols, VRAM_BUDGET_BYTES, None).unwrap();
    Some(Placed::new(weights, symbols, Some(engine)))
}

/// Takes a batch; the device must not be left.
fn step(placed: &mut Placed<Engine>, batch: &[SymbolToken]) -> Vec<EnsembleForecast> {
    let (began, mut forecasts) = (Instant::now(), Vec::new());
    let mut gives_up = || began.elapsed() > Duration::from_secs(1);
    let left = placed.step(batch, &mut forecasts, &mut gives_up).unwrap();
    assert_eq!(left, None);
    forecasts
}

/// Every number of a member, the mean in units of the target's scale.
fn numbers(weights: &Weights, forecast: &EnsembleForecast, member: usize) -> Vec<f64> {
    let scales = weights.spec.target_scale_bps;
    let of = |(f, scale): (&ijk_core::HorizonForecast, f64)| {
        let [a, b, c] = f.logits.map(f64::from);
        [a, b, c, f64::from(f.mean_bps) / scale, f64::from(f.log_var)]
    };
    forecast.members[member].iter().zip(scales).flat_map(of).collect()
}

fn largest(ours: &[f64], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let differences = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, |all, d| if d.is_finite() { f64::max(all, d) } else { f64::INFINITY })
}

#[test]
fn the_device_passes_the_golden_cases() {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("golden/encoder.json")).unwrap();
    let golden = &golden["encoder"];
    let weights = common::model(1);
    let Some(mut placed) = on_device(&weights, 1) else { return };
    let count = golden["count"].as_u64().unwrap() as usize;
    let mut worst = 0.0f64;
    for (t, features) in common::tokens("golden.features", count).into_iter().enumerate() {
        let forecast = step(&mut placed, &[SymbolToken { symbol: 0, features }])[0];
        let Some(theirs) = golden["forecasts"].get(t.to_string()) else { continue };
        let theirs = theirs.as_array().unwrap().iter().map(|v| v.as_f64().unwrap());
        let scales = weights.spec.target_scale_bps;
        let unit = |i: usize| if i % 5 == 3 { scales[i / 5] } else { 1.0 };
        let theirs: Vec<f64> = theirs.enumerate().map(|(i, v)| v / unit(i)).collect();
        worst = worst.max(largest(&numbers(&weights, &forecast, 0), &theirs));
    }
    eprintln!("against torch: {worst:.1e}");
    assert!(worst < TOLERANCE, "{worst:e}");
}

/// Several symbols with tokens at different steps, five members, three turns of the ring.
#[test]
fn the_device_forecasts_as_the_processor_does() {
    let weights = common::model(5);
    let Some(mut placed) = on_device(&weights, 9) else { return };
    let encoder = Encoder::new(&weights);
    let mut states = vec![EncoderState::new(&encoder); 9];
    let tokens: Vec<_> =
        (0..9).map(|s| common::tokens(&format!("symbol.{s}"), 3 * WINDOW + 7)).collect();
    let (mut at, mut worst) = ([0; 9], 0.0f64);
    for turn in 0..3 * WINDOW {
        let takes_part = |s: &usize| !(turn + s).is_multiple_of(3);
        let batch: Vec<SymbolToken> = (0..9)
            .filter(takes_part)
            .map(|s| SymbolToken { symbol: s as u32, features: tokens[s][at[s]] })
            .collect();
        for (token, ours) in batch.iter().zip(step(&mut placed, &batch)) {
            let s = token.symbol as usize;
            at[s] += 1;
            let theirs = encoder.step(&mut states[s], &token.features);
            for m in 0..5 {
                let pair = [ours, theirs].map(|f| numbers(&weights, &f, m));
                worst = worst.max(largest(&pair[0], &pair[1]));
            }
        }
    }
    eprintln!("against the processor: {worst:.1e}");
    assert!(worst < TOLERANCE, "{worst:e}");
}
