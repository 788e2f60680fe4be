//! Checks and measures the encoder on the first CUDA device, one JSON document on stdout.
//! `scripts/gpu-check.sh` prints the table.
//!
//! `cargo run --release -p ijk-infer --features cuda --example gpu_check [SYMBOLS]`
//!
//! Without a device: `{"device": null, "why": "..."}` and exit code 0.

use ijk_core::infer_config::VRAM_BUDGET_BYTES;
use ijk_infer::cuda::plan::ring_bytes;
use ijk_infer::cuda::wire::{Entry, ROW, Wire};
use ijk_infer::cuda::{self, DeviceError, Native, TokenStep, probe};
use ijk_infer::shape::WINDOW;
use ijk_infer::{
    Encoder, EncoderState, ModelShape, Weights, WeightsBuilder, WeightsSpec, tensor_specs,
};
use serde_json::{Value, json};
use std::time::Instant;

/// Steps measured a batch size, after as many as fill the rings.
const STEPS: usize = 5_000;
const WARM_UP: usize = 200;
/// Steps of the comparison: three turns of the ring.
const COMPARED: usize = 3 * WINDOW + 7;

fn main() {
    let symbols = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(500);
    let document = match probe() {
        Err(e) => json!({ "device": null, "why": e.to_string() }),
        Ok((name, architecture)) => match measured(symbols) {
            Ok(found) => json!({ "device": name, "architecture": architecture, "results": found }),
            Err(e) => {
                eprintln!("gpu_check: {e}");
                std::process::exit(1);
            }
        },
    };
    println!("{document:#}");
}

fn measured(symbols: usize) -> Result<Value, DeviceError> {
    let mut rows = Vec::new();
    for (members, count) in [(1, 1), (5, 1), (5, 10), (5, 100), (5, symbols)] {
        let weights = model(members);
        let mut engine = cuda::open(&weights, count, VRAM_BUDGET_BYTES, None)?;
        let (plan, driver) = (engine.plan().clone(), engine.measured().clone());
        let worst = largest_difference(&weights, &mut engine, count.min(16))?;
        let mut nanos = latencies(&weights, &mut engine, count)?;
        nanos.sort_unstable();
        let at = |share: f64| nanos[((nanos.len() - 1) as f64 * share) as usize];
        rows.push(json!({
            "members": members, "symbols": count, "largest_difference": worst,
            "p50_ns": at(0.5), "p99_ns": at(0.99), "p999_ns": at(0.999), "max_ns": at(1.0),
            "processor_p50_ns": on_processor(&weights, count),
            "bytes_a_step": bytes_a_step(members, count),
            "arena_bytes": plan.arena_bytes, "plan_bytes": plan.device_bytes,
            "taken_bytes": driver.taken_bytes, "before_bytes": driver.before_bytes,
        }));
    }
    Ok(Value::Array(rows))
}

/// Bytes that one step must move at least: every weight once, every ring once.
fn bytes_a_step(members: usize, symbols: usize) -> u64 {
    let weights = 2 * ModelShape::parameters_per_member() as u64;
    members as u64 * (weights + symbols as u64 * ring_bytes(WINDOW as u64))
}

fn features(symbol: usize, step: usize) -> [f64; 12] {
    std::array::from_fn(|i| f64::from(draw(symbol * 131 + i, step)) / 256.0)
}

fn entries(wire: &Wire, count: usize, step: usize) -> Vec<Entry> {
    let one = |s: usize| wire.entry(s as u32, step as u64, &features(s, step));
    (0..count).filter_map(one).collect()
}

/// Largest difference of an output to the processor's, model units.
fn largest_difference(
    weights: &Weights,
    engine: &mut Native,
    count: usize,
) -> Result<f64, DeviceError> {
    let (encoder, wire) = (Encoder::new(weights), Wire::new(&weights.spec));
    let mut states = vec![EncoderState::new(&encoder); count];
    let members = weights.members().len();
    let mut rows = vec![0.0; count * members * ROW];
    let mut worst = 0.0f64;
    for step in 0..COMPARED {
        engine.step(&entries(&wire, count, step), &mut rows, &mut || false)?;
        for (s, rows) in rows.chunks(members * ROW).enumerate() {
            let truth = encoder.step(&mut states[s], &features(s, step));
            for (m, row) in rows.chunks(ROW).enumerate() {
                let ours = wire.forecast(row).unwrap_or_default();
                for (a, b) in ours.iter().zip(&truth.members[m]) {
                    let all = |f: &ijk_core::HorizonForecast| {
                        [f.logits[0], f.logits[1], f.logits[2], f.mean_bps, f.log_var]
                    };
                    for (a, b) in all(a).into_iter().zip(all(b)) {
                        worst = worst.max(f64::from((a - b).abs()));
                    }
                }
            }
        }
    }
    Ok(worst)
}

fn latencies(
    weights: &Weights,
    engine: &mut Native,
    count: usize,
) -> Result<Vec<u64>, DeviceError> {
    let wire = Wire::new(&weights.spec);
    let mut rows = vec![0.0; count * weights.members().len() * ROW];
    let mut nanos = Vec::with_capacity(STEPS);
    for step in 0..WARM_UP + STEPS {
        let entries = entries(&wire, count, step);
        let start = Instant::now();
        engine.step(&entries, &mut rows, &mut || start.elapsed().as_secs() > 1)?;
        if step >= WARM_UP {
            nanos.push(start.elapsed().as_nanos() as u64);
        }
    }
    Ok(nanos)
}

/// Median nanoseconds of the same step on this thread.
fn on_processor(weights: &Weights, count: usize) -> u64 {
    let encoder = Encoder::new(weights);
    let mut states = vec![EncoderState::new(&encoder); count];
    let mut nanos: Vec<u64> = (0..WINDOW + 20)
        .map(|step| {
            let start = Instant::now();
            for (s, state) in states.iter_mut().enumerate() {
                std::hint::black_box(encoder.step(state, &features(s, step)));
            }
            start.elapsed().as_nanos() as u64
        })
        .skip(WINDOW)
        .collect();
    nanos.sort_unstable();
    nanos[nanos.len() / 2]
}

/// 11 bits less 1024 (SplitMix64).
fn draw(name: usize, index: usize) -> i32 {
    let mut z = (name as u64) << 32 | index as u64;
    z = z.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 53) as i32 - 1024
}

/// A model that says something, exact in fp16.
fn model(members: usize) -> Weights {
    let mut builder = WeightsBuilder::new(WeightsSpec::new(members));
    for (n, t) in tensor_specs(members).into_iter().enumerate() {
        let gain = t.local.contains("norm") && t.local.ends_with("weight");
        let wide = t.local.contains("qkv") || t.local.starts_with("input");
        let divisor = if t.local.ends_with("age_bias") { 1024.0 } else { 8192.0 };
        let divisor = if wide { 4096.0 } else { divisor };
        let value = |i: usize| draw(n, i) as f32 / divisor + f32::from(u8::from(gain));
        let values: Vec<f32> = (0..t.value_count()).map(value).collect();
        builder = builder.tensor(&t.name, t.shape, &values);
    }
    match builder.finish() {
        Ok(weights) => weights,
        Err(e) => unreachable!("Invariant: the schema's own shapes: {e}"),
    }
}
