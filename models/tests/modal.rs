//! Slots end to end: a fit learns from an informative slot, and the kernel streams what Burn
//! evaluates.

use burn::backend::Flex;
use burn::tensor::{Tensor, TensorData};
use ijk_core::features::FEATURE_COUNT;
use ijk_core::forecast::HORIZON_COUNT;
use ijk_core::{EnsembleForecast, InstrumentId, RecvTs, SlotShape, SlotUpdate};
use ijk_data::open_feed;
use ijk_infer::{
    Encoder as Kernel, EncoderState, Weights, WeightsBuilder, WeightsSpec, slot_tensor_specs,
    tensor_specs,
};
use ijk_models::attention::Band;
use ijk_models::evaluate::{SlotStream, forecast_runs};
use ijk_models::export::{ExportMeta, export_modal, import_modal};
use ijk_models::fit::{FitError, FitSettings, Fitted, Provenance, fit};
use ijk_models::rng::Stream;
use ijk_models::scaler::{CLIP, Scaler};
use ijk_models::session::{Session, read_sessions};
use ijk_models::slots::{PartSlot, SlotBatch, SlotSeries, SlotSettings};
use ijk_models::split::Segment;
use ijk_models::train::TrainSettings;

/// Largest difference allowed between Burn and kernel, as in `parity.rs`.
const TOLERANCE: f32 = 2e-4;
const SECOND: u64 = 1_000_000_000;

fn session(seed: u64, minutes: u32) -> Session {
    let spec = format!("synth:{seed}:{minutes}").parse().unwrap();
    let mut source = open_feed(&spec, 1).unwrap();
    read_sessions("synth", seed as usize, source.as_mut(), 10).unwrap().remove(0)
}

fn shape(name: &str, width: usize, stale_after_s: f64) -> SlotShape {
    SlotShape { name: name.into(), width, stale_after_s }
}

fn update(known_from_ns: u64, values: Vec<f32>) -> SlotUpdate {
    let known_from = RecvTs(known_from_ns);
    SlotUpdate { known_from, instrument: InstrumentId(0), slot: 0, values }
}

/// Three slots: one of odd width that goes stale, one with few vectors, one that is never known.
fn three() -> Vec<SlotShape> {
    vec![shape("news", 7, 20.0), shape("options", 16, 1e5), shape("macro", 2, 1e5)]
}

/// Gives a session random histories of [`three`].
fn tell_three(session: &mut Session, seed: u64) {
    let mut rng = Stream::new(seed, "histories");
    let shapes = three();
    let (first, last) = (session.closes_ns[0], *session.closes_ns.last().unwrap());
    let mut history = |shape: &SlotShape, step_s: u64| {
        let mut updates = Vec::new();
        let mut t = first + 30 * SECOND;
        while t < last {
            let values = (0..shape.width).map(|_| 4.0 * rng.uniform() as f32 - 2.0).collect();
            updates.push(update(t, values));
            t += (step_s as f64 * (0.5 + rng.uniform()) * SECOND as f64) as u64;
        }
        SlotSeries::new(shape, updates)
    };
    let never = SlotSeries::new(&shapes[2], Vec::new());
    session.slots = vec![history(&shapes[0], 45), history(&shapes[1], 600), never];
}

/// Random weights of every kind, with the slots of [`three`].
fn random_weights(scaler: &Scaler, members: usize) -> Weights {
    let mut rng = Stream::new(5, "parity");
    let mut spec = WeightsSpec::new(members);
    (spec.scaler_mean, spec.scaler_scale) = (scaler.mean, scaler.scale);
    (spec.scaler_clip, spec.slots) = (CLIP, three());
    let mut builder = WeightsBuilder::new(spec);
    let mut values = |local: &str, shape: &[usize]| -> Vec<f32> {
        let fan_in = shape.get(1).copied().unwrap_or(1) as f64;
        let mut signed = || 2.0 * rng.uniform() - 1.0;
        let count = shape.iter().product();
        let mut value = || match local {
            l if l.contains("norm") && l.ends_with("weight") => 1.0 + 0.3 * signed(),
            l if l.ends_with("fading") => 0.5 * signed().abs(),
            l if l.ends_with("bias") => 0.3 * signed(),
            _ => signed() * (3.0 / fan_in).sqrt(),
        };
        (0..count).map(|_| value() as f32).collect()
    };
    for t in tensor_specs(members) {
        builder = builder.tensor(&t.name, t.shape, &values(&t.local, t.shape));
    }
    for t in slot_tensor_specs(members, &three()) {
        builder = builder.tensor(&t.name, &t.shape, &values(&t.local, &t.shape));
    }
    builder.finish().unwrap()
}

fn meta(weights: &Weights) -> ExportMeta {
    let spec = &weights.spec;
    ExportMeta {
        scaler: Scaler { mean: spec.scaler_mean, scale: spec.scaler_scale },
        target_scale_bps: spec.target_scale_bps,
        training_data_sha256: String::new(),
        code_version: String::new(),
        created: String::new(),
        note: String::new(),
    }
}

/// The model rounded as models are exported, matrices to bf16.
fn exported(weights: &Weights) -> Weights {
    let device = Default::default();
    let slots = &weights.spec.slots;
    let members: Vec<_> =
        weights.members().iter().map(|m| import_modal::<Flex>(m, slots, &device)).collect();
    export_modal(&members, slots, &meta(weights)).unwrap()
}

/// Burn's raw outputs of every member, over the whole windows of the session.
fn batch_outputs(weights: &Weights, session: &Session) -> Vec<Vec<f32>> {
    let device = Default::default();
    let spec = &weights.spec;
    let scaler = Scaler { mean: spec.scaler_mean, scale: spec.scaler_scale };
    let count = session.features.len() / 64 * 64;
    let inputs: Vec<f32> = session.features[..count].iter().flat_map(|f| scaler.apply(f)).collect();
    let band = Band::new(64, count / 64, &device);
    let seen = |(shape, series): (&SlotShape, &SlotSeries)| {
        let part = PartSlot::new(shape.width, series, &session.closes_ns[..count]);
        SlotBatch::<Flex>::pack(shape.width, &[Some((&part, 0))], count, &device)
    };
    let slots: Vec<_> = spec.slots.iter().zip(&session.slots).map(seen).collect();
    let of = |member| {
        let model = import_modal::<Flex>(member, &spec.slots, &device);
        let x = TensorData::new(inputs.clone(), [1, count, FEATURE_COUNT]);
        let (y, _) = model.forward_banded(Tensor::from_data(x, &device), &slots, &band);
        y.into_data().to_vec::<f32>().unwrap()
    };
    weights.members().iter().map(of).collect()
}

fn streamed(weights: &Weights, session: &Session) -> Vec<EnsembleForecast> {
    let kernel = Kernel::new(weights);
    let mut state = EncoderState::new(&kernel);
    let mut slots = SlotStream::new(&kernel, session);
    let step = |(k, f): (usize, &[f64; FEATURE_COUNT])| slots.step(&mut state, f, k);
    session.features.iter().enumerate().map(step).collect()
}

/// What a member said, in the head's own units.
fn said(weights: &Weights, forecast: &EnsembleForecast, member: usize) -> Vec<f32> {
    let of = |(f, scale): (&ijk_core::HorizonForecast, &f64)| {
        let scale = *scale as f32;
        let log_var = f.log_var - 2.0 * scale.ln();
        [f.logits[0], f.logits[1], f.logits[2], f.mean_bps / scale, log_var]
    };
    let scales = &weights.spec.target_scale_bps;
    forecast.members[member].iter().zip(scales).flat_map(of).collect()
}

fn largest_difference(weights: &Weights, session: &Session) -> f32 {
    let forecasts = streamed(weights, session);
    let mut largest = 0.0f32;
    for (member, outputs) in batch_outputs(weights, session).iter().enumerate() {
        for (row, forecast) in outputs.chunks(5 * HORIZON_COUNT).zip(&forecasts) {
            for (a, b) in row.iter().zip(said(weights, forecast, member)) {
                largest = largest.max((a - b).abs());
            }
        }
    }
    largest
}

#[test]
fn batch_and_stream_agree_with_slots_in_every_format() {
    let mut session = session(77, 60);
    tell_three(&mut session, 1);
    let scaler = Scaler::fit(session.features.iter());
    let fp16 = random_weights(&scaler, 2);
    let bf16 = exported(&fp16);
    assert_eq!(exported(&bf16).to_bytes(), bf16.to_bytes(), "export and import are inverse");
    let (a, b) = (largest_difference(&fp16, &session), largest_difference(&bf16, &session));
    let tokens = session.features.len();
    eprintln!("{tokens} tokens with slots: fp16 {a:e}, bf16 {b:e}");
    assert!(a <= TOLERANCE && b <= TOLERANCE, "{a} {b}");
    assert!(a > 0.0, "two ways of summing agree to the bit: is it one way?");
    // f32 before rounding against the kernel's bf16: what rounding costs.
    let (exact, rounded) = (batch_outputs(&fp16, &session), batch_outputs(&bf16, &session));
    let apart = exact.iter().flatten().zip(rounded.iter().flatten());
    let c = apart.map(|(x, y)| (x - y).abs()).fold(0.0f32, f32::max);
    eprintln!("fp16 against its bf16 rounding: {c:e}");
    assert!(0.0 < c && c <= 0.2, "{c}");
    // The slots move the forecast where they are known, and nothing where they are not.
    let plain = streamed(&fp16.without_slots(), &session);
    let with = streamed(&fp16, &session);
    let known = |k: usize| session.slots.iter().any(|s| s.as_of(session.closes_ns[k]).is_some());
    for (k, (a, b)) in with.iter().zip(&plain).enumerate() {
        assert_eq!(a != b, known(k), "token {k}");
    }
    assert!((0..tokens).any(known) && !known(0));
}

/// A slot that tells the sign of what the mid does over the next tokens, with noise, as a
/// forecaster of another modality might; known from the close before.
fn informative(session: &Session, seed: u64) -> SlotSeries {
    let mut rng = Stream::new(seed, "informative");
    let ahead = |k: usize| {
        let mids = &session.mids;
        let next = mids[k + 1..(k + 21).min(mids.len())].iter().filter(|m| m.is_finite());
        let (sum, n) = next.fold((0.0, 0), |(s, n), m| (s + m, n + 1));
        if n == 0 { 0.0 } else { (1e4 * (sum / f64::from(n) / mids[k] - 1.0)).clamp(-5.0, 5.0) }
    };
    let at = |k: usize| {
        let lean = if session.mids[k].is_finite() { ahead(k) } else { 0.0 };
        let noise = rng.uniform() - 0.5;
        update(session.closes_ns[k], vec![lean as f32, noise as f32])
    };
    let updates: Vec<_> = (0..session.closes_ns.len()).step_by(4).map(at).collect();
    SlotSeries::new(&shape("lean", 2, 600.0), updates)
}

fn settings() -> FitSettings {
    FitSettings {
        members: 1,
        train: TrainSettings {
            epochs: 8,
            batch_sequences: 1,
            learning_rate: 3e-3,
            ..TrainSettings::default()
        },
        slots: SlotSettings {
            files: vec!["lean.parquet".into()],
            drop_probability: 0.2,
            slot: vec![shape("lean", 2, 600.0)],
        },
        ..FitSettings::default()
    }
}

fn days() -> Vec<Session> {
    (500..503)
        .map(|seed| {
            let mut day = session(seed, 60);
            day.slots = vec![informative(&day, seed)];
            day
        })
        .collect()
}

fn run(days: &[Session], settings: &FitSettings) -> Fitted {
    fit(days, settings, &Provenance::default(), None, &mut |_| {}).unwrap()
}

fn log_loss(fitted: &Fitted) -> f64 {
    fitted.card.test.iter().map(|h| h.class.log_loss).sum()
}

#[test]
fn a_fit_learns_from_an_informative_slot_and_not_from_noise() {
    let (days, settings) = (days(), settings());
    let with = run(&days, &settings);
    let plain_days: Vec<Session> =
        days.iter().map(|d| Session { slots: Vec::new(), ..d.clone() }).collect();
    let plain_settings = FitSettings { slots: SlotSettings::default(), ..settings.clone() };
    let without = run(&plain_days, &plain_settings);
    let (a, b) = (log_loss(&with), log_loss(&without));
    eprintln!("log loss over four horizons: {a:.4} with the slot, {b:.4} without");
    assert!(a < b - 0.1, "{a} {b}");

    // The card says so, and what is left when the slot goes missing.
    let card = with.card.slots.as_ref().unwrap();
    let missing: f64 = card.missing.iter().map(|h| h.class.log_loss).sum();
    assert!(missing > a + 0.1, "{missing} {a}");
    assert!(card.known[0].training > 0.9 && card.known[0].test > 0.9, "{card:?}");
    assert!(with.card.to_markdown("x").contains("## Slots"));
    assert!(without.card.slots.is_none());
    assert_ne!(with.card.training_data_sha256, without.card.training_data_sha256);

    // What the kernel says without the slot is what the model without it says, to the bit.
    let test = Segment { session: 2, tokens: 0..days[2].mids.len() };
    let of = |weights: &Weights, days: &[Session]| forecasts(weights, days, &test);
    let bare = of(&with.weights.without_slots(), &days);
    assert_eq!(of(&with.weights, &plain_days), bare);
    assert_ne!(of(&with.weights, &days), bare);
    // It streams as Burn evaluates it.
    let difference = largest_difference(&with.weights, &days[2]);
    eprintln!("trained: largest difference {difference:e}");
    assert!(difference <= TOLERANCE, "{difference}");

    // The same vectors told of other tokens: nothing to learn, so no better than without.
    let mut turned = days.clone();
    for day in &mut turned {
        let updates = day.slots[0].updates();
        let half = updates.len() / 2;
        let values = (0..updates.len()).map(|i| updates[(i + half) % updates.len()].values.clone());
        let moved = updates.iter().zip(values).map(|(u, v)| update(u.known_from.0, v)).collect();
        day.slots = vec![SlotSeries::new(&shape("lean", 2, 600.0), moved)];
    }
    let noise = log_loss(&run(&turned, &settings));
    eprintln!("log loss with a slot of noise: {noise:.4}");
    assert!(noise > b - 0.05, "{noise} {b}");
}

#[test]
fn settings_and_sessions_must_agree() {
    let days = days();
    let refused = |settings: &FitSettings, days: &[Session]| {
        fit(days, settings, &Provenance::default(), None, &mut |_| {}).unwrap_err()
    };
    let plain = FitSettings { slots: SlotSettings::default(), ..settings() };
    let e = refused(&plain, &days);
    assert!(matches!(&e, FitError::Setting(s) if s.contains("0 slots")), "{e}");
    let mirrored = TrainSettings { mirror: true, ..settings().train };
    let e = refused(&FitSettings { train: mirrored, ..settings() }, &days);
    assert!(e.to_string().contains("mirror"), "{e}");
    // Scores come again from the file's bytes.
    let weights = random_weights(&Scaler::fit(days[0].features.iter()), 1);
    let read = Weights::from_bytes(&weights.to_bytes()).unwrap();
    let test = Segment { session: 0, tokens: 0..1_000 };
    let known = forecasts(&read, &days, &test);
    assert!(known.len() > 500);
    assert_eq!(known, forecasts(&weights, &days, &test));
}

fn forecasts(weights: &Weights, days: &[Session], part: &Segment) -> Vec<EnsembleForecast> {
    let runs = forecast_runs(weights, days, std::slice::from_ref(part), &mut |_, _| {});
    runs.iter().flat_map(|r| &r.rows).map(|row| row.forecast).collect()
}
