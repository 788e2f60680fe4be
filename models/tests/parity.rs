//! Training and kernel compute the same function: Burn's batch forward against the streaming
//! encoder, on the same fp16 weights.

use burn::backend::Flex;
use burn::tensor::{Tensor, TensorData};
use ijk_core::features::FEATURE_COUNT;
use ijk_core::forecast::HORIZON_COUNT;
use ijk_data::open_feed;
use ijk_infer::{
    Encoder as Kernel, EncoderState, Weights, WeightsBuilder, WeightsSpec, tensor_specs,
};
use ijk_models::export::{ExportMeta, export, import};
use ijk_models::rng::Stream;
use ijk_models::scaler::Scaler;
use ijk_models::session::{Session, read_sessions};
use std::path::Path;

/// Largest difference allowed, in logits, standardised means and log variances. Measured: 3.2e-6
/// on random weights, 9.5e-7 on the bundled ones.
const TOLERANCE: f32 = 2e-4;

fn session(minutes: u32) -> Session {
    let spec = format!("synth:77:{minutes}").parse().unwrap();
    let mut source = open_feed(&spec, 1).unwrap();
    read_sessions("synth", 0, source.as_mut(), 10).unwrap().remove(0)
}

/// Random weights of every kind, biases and norms included; rows stay of order one.
fn random_weights(scaler: &Scaler) -> Weights {
    let mut rng = Stream::new(5, "parity");
    let mut spec = WeightsSpec::new(2);
    (spec.scaler_mean, spec.scaler_scale) = (scaler.mean, scaler.scale);
    spec.target_scale_bps = [0.5, 1.0, 2.0, 4.0];
    let mut builder = WeightsBuilder::new(spec);
    for t in tensor_specs(2) {
        let fan_in = t.shape.get(1).copied().unwrap_or(1) as f64;
        let mut signed = || 2.0 * rng.uniform() - 1.0;
        let values: Vec<f32> = (0..t.value_count())
            .map(|_| match t.local.as_str() {
                l if l.contains("norm") && l.ends_with("weight") => 1.0 + 0.3 * signed(),
                l if l.ends_with("bias") => 0.3 * signed(),
                _ => signed() * (3.0 / fan_in).sqrt(),
            } as f32)
            .collect();
        builder = builder.tensor(&t.name, t.shape, &values);
    }
    builder.finish().unwrap()
}

/// Largest difference between Burn and kernel over the session, in the head's own units.
fn largest_difference(weights: &Weights, session: &Session) -> f32 {
    let spec = &weights.spec;
    let scaler = Scaler { mean: spec.scaler_mean, scale: spec.scaler_scale };
    let inputs: Vec<f32> = session.features.iter().flat_map(|f| scaler.apply(f)).collect();
    let tokens = session.features.len();
    let kernel = Kernel::new(weights);
    let mut state = EncoderState::new(&kernel);
    let streamed: Vec<_> = session.features.iter().map(|f| kernel.step(&mut state, f)).collect();
    let mut largest = 0.0f32;
    for (m, member) in weights.members().iter().enumerate() {
        let encoder = import::<Flex>(member, &Default::default());
        let x = TensorData::new(inputs.clone(), [1, tokens, FEATURE_COUNT]);
        let y = encoder.forward(Tensor::from_data(x, &Default::default()));
        let y = y.into_data().to_vec::<f32>().unwrap();
        for (row, forecast) in y.chunks(20).zip(&streamed) {
            assert_eq!(forecast.member_count as usize, weights.members().len());
            for h in 0..HORIZON_COUNT {
                let f = &forecast.members[m][h];
                let scale = spec.target_scale_bps[h] as f32;
                let log_var = f.log_var - 2.0 * scale.ln();
                let said = [f.logits[0], f.logits[1], f.logits[2], f.mean_bps / scale, log_var];
                for (a, b) in row[5 * h..].iter().zip(said) {
                    largest = largest.max((a - b).abs());
                }
            }
        }
    }
    largest
}

#[test]
fn batch_and_stream_agree_on_random_weights() {
    let session = session(30);
    assert!(session.features.len() >= 500, "{} tokens", session.features.len());
    let scaler = Scaler::fit(session.features.iter());
    let difference = largest_difference(&random_weights(&scaler), &session);
    eprintln!("largest difference over {} tokens: {difference:e}", session.features.len());
    assert!(difference <= TOLERANCE, "{difference}");
    assert!(difference > 0.0, "two ways of summing agree to the bit: is it one way?");
}

#[test]
fn batch_and_stream_agree_on_the_bundled_weights() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/synth-5x.safetensors");
    let weights = Weights::from_bytes(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(weights.members().len(), 5);
    let session = session(30);
    let difference = largest_difference(&weights, &session);
    eprintln!("largest difference over {} tokens: {difference:e}", session.features.len());
    assert!(difference <= TOLERANCE, "{difference}");
}

#[test]
fn export_and_import_are_inverse() {
    let session = session(10);
    let weights = random_weights(&Scaler::fit(session.features.iter()));
    let members: Vec<_> =
        weights.members().iter().map(|m| import::<Flex>(m, &Default::default())).collect();
    let spec = &weights.spec;
    let meta = ExportMeta {
        scaler: Scaler { mean: spec.scaler_mean, scale: spec.scaler_scale },
        target_scale_bps: spec.target_scale_bps,
        training_data_sha256: String::new(),
        code_version: String::new(),
        created: String::new(),
        note: String::new(),
    };
    assert_eq!(export(&members, &meta).unwrap().to_bytes(), weights.to_bytes());
}
