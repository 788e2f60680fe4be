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
    let weights = rounded_to_bf16(&random_weights(&Scaler::fit(session.features.iter())));
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

/// Weights with matrices rounded to bf16 (8 bits of significand; to nearest, ties to even), as
/// models are exported.
fn rounded_to_bf16(weights: &Weights) -> Weights {
    let mut builder = WeightsBuilder::new(weights.spec.clone());
    for t in tensor_specs(weights.members().len()) {
        let values = weights.members()[t.member].tensor(&t.local).unwrap();
        let rounded: Vec<f32> = values
            .iter()
            .map(|v| {
                let bits = v.to_f32().to_bits();
                if !t.local.ends_with(".weight") || t.shape.len() != 2 {
                    return v.to_f32();
                }
                let odd = (bits >> 16) & 1;
                f32::from_bits((bits + 0x7fff + odd) & 0xffff_0000)
            })
            .collect();
        builder = builder.tensor(&t.name, t.shape, &rounded);
    }
    builder.finish().unwrap()
}

/// Burn's raw outputs of member 0 over the session.
fn batch_outputs(encoder: &ijk_models::encoder::Encoder<Flex>, inputs: &[f32]) -> Vec<f32> {
    let shape = [1, inputs.len() / FEATURE_COUNT, FEATURE_COUNT];
    let x = Tensor::from_data(TensorData::new(inputs.to_vec(), shape), &Default::default());
    encoder.forward(x).into_data().to_vec::<f32>().unwrap()
}

#[test]
fn a_whole_day_streams_as_it_was_evaluated_in_every_format() {
    let spec = "synth:78".parse().unwrap();
    let mut source = open_feed(&spec, 1).unwrap();
    let day = read_sessions("synth", 0, source.as_mut(), 10).unwrap().remove(0);
    assert!(day.features.len() >= 5_000, "{} tokens", day.features.len());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/synth-5x.safetensors");
    let bundled = Weights::from_bytes(&std::fs::read(path).unwrap()).unwrap().single(0).unwrap();
    let random = random_weights(&Scaler::fit(day.features.iter())).single(0).unwrap();
    for weights in [&bundled, &random] {
        // On the same numbers kernel and Burn agree whatever the format they were rounded to.
        let fp16 = largest_difference(weights, &day);
        let bf16 = largest_difference(&rounded_to_bf16(weights), &day);
        eprintln!("{} tokens: fp16 {fp16:e}, bf16 {bf16:e}", day.features.len());
        assert!(fp16 <= TOLERANCE && bf16 <= TOLERANCE, "{fp16} {bf16}");
    }
    // f32 before rounding against the kernel's bf16: what rounding costs. The training weights
    // are the file's, moved by less than half a unit in the last place.
    let bundled = rounded_to_bf16(&bundled);
    let scaler = Scaler { mean: bundled.spec.scaler_mean, scale: bundled.spec.scaler_scale };
    let inputs: Vec<f32> = day.features.iter().flat_map(|f| scaler.apply(f)).collect();
    let exact = import::<Flex>(&bundled.members()[0], &Default::default());
    let moved = jitter(exact.clone());
    let (a, b) = (batch_outputs(&exact, &inputs), batch_outputs(&moved, &inputs));
    let largest = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0f32, f32::max);
    eprintln!("f32 against its bf16 rounding: {largest:e}");
    assert!(0.0 < largest && largest <= 0.03, "{largest}");
    let back = export(&[moved], &meta_of(&bundled)).unwrap();
    assert_eq!(back.members(), bundled.members(), "the moved weights round to the file's");
}

fn meta_of(weights: &Weights) -> ExportMeta {
    ExportMeta {
        scaler: Scaler { mean: weights.spec.scaler_mean, scale: weights.spec.scaler_scale },
        target_scale_bps: weights.spec.target_scale_bps,
        training_data_sha256: String::new(),
        code_version: String::new(),
        created: String::new(),
        note: String::new(),
    }
}

/// Moves every weight by up to 0.45 units in the last place of fp16.
fn jitter(encoder: ijk_models::encoder::Encoder<Flex>) -> ijk_models::encoder::Encoder<Flex> {
    use burn::module::{Module, ModuleMapper, Param};
    struct Jitter(Stream);
    impl ModuleMapper<Flex> for Jitter {
        fn map_float<const D: usize>(
            &mut self,
            param: Param<Tensor<Flex, D>>,
        ) -> Param<Tensor<Flex, D>> {
            let (id, tensor, mapper) = param.consume();
            let shape = tensor.dims();
            let values = tensor.into_data().to_vec::<f32>().unwrap();
            let moved: Vec<f32> = values
                .iter()
                .map(|&v| {
                    // A unit in the last place: 2^-10 of the power of two below, at least 2^-24.
                    let ulp = (v.abs().log2().floor().max(-14.0) - 10.0).exp2();
                    // At a power of two the neighbour below is half as far.
                    v + 0.22 * ulp * (2.0 * self.0.uniform() as f32 - 1.0)
                })
                .collect();
            let data = TensorData::new(moved, shape);
            Param::from_mapped_value(id, Tensor::from_data(data, &Default::default()), mapper)
        }
    }
    encoder.map(&mut Jitter(Stream::new(3, "jitter")))
}

#[test]
fn the_attention_returned_is_the_kernels() {
    use ijk_infer::{AttentionProbe, AttentionRow};
    use ijk_models::attention::Band;
    struct Rows(Vec<Vec<f32>>);
    impl AttentionProbe for Rows {
        fn attention(&mut self, row: &AttentionRow<'_>) {
            assert_eq!(self.0.len() % 48, row.layer * 8 + row.head);
            self.0.push(row.by_age().collect());
        }
    }
    let session = session(30);
    let count = 128;
    let scaler = Scaler::fit(session.features.iter());
    let weights = random_weights(&scaler).single(0).unwrap();
    let kernel = Kernel::new(&weights);
    let mut state = EncoderState::new(&kernel);
    let mut rows = Rows(Vec::new());
    for f in &session.features[..count] {
        kernel.step_probed(&mut state, f, &mut rows);
    }
    let inputs: Vec<f32> = session.features[..count].iter().flat_map(|f| scaler.apply(f)).collect();
    let encoder = import::<Flex>(&weights.members()[0], &Default::default());
    let device = Default::default();
    let x = Tensor::from_data(TensorData::new(inputs, [1, count, FEATURE_COUNT]), &device);
    let (_, shown) = encoder.forward_shown(x, &Band::new(64, count / 64, &device));
    assert_eq!(shown.len(), 6);
    let mut largest = 0.0f32;
    for (layer, weights) in shown.into_iter().enumerate() {
        let weights = weights.into_data().to_vec::<f32>().unwrap();
        for (i, row) in weights.chunks(64).enumerate() {
            let (head, t) = (i / count, i % count);
            let streamed = &rows.0[t * 48 + layer * 8 + head];
            assert_eq!(streamed.len(), (t + 1).min(64));
            for (age, w) in row.iter().enumerate() {
                let said = streamed.get(age).copied().unwrap_or(0.0);
                largest = largest.max((w - said).abs());
            }
        }
    }
    assert!(largest < 1e-5, "{largest}");
}
