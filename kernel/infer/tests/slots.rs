//! Slots for further modalities: the streaming cross-modal attention and its part of the file.

mod common;

use ijk_core::features::FEATURE_COUNT;
use ijk_core::{EnsembleForecast, InstrumentId, RecvTs, SlotShape, SlotUpdate};
use ijk_infer::reference::{self, Sight};
use ijk_infer::{
    Encoder, EncoderState, Level, Packing, Weights, WeightsBuilder, WeightsError,
    slot_tensor_specs, tensor_specs,
};

/// Width and age limit; an odd width, and one that never takes part.
const SLOTS: [(&str, usize, f64); 3] = [("news", 5, 40.0), ("options", 8, 1e6), ("macro", 1, 1e6)];
const SECOND: u64 = 1_000_000_000;

fn shapes() -> Vec<SlotShape> {
    let shape = |(name, width, stale_after_s): (&str, usize, f64)| SlotShape {
        name: name.into(),
        width,
        stale_after_s,
    };
    SLOTS.map(shape).to_vec()
}

/// The formula model with slots whose every number is exact in bf16.
fn model(members: usize) -> Weights {
    build(members, &shapes(), |_, _| {}).unwrap()
}

fn build(
    members: usize,
    slots: &[SlotShape],
    mut change: impl FnMut(&str, &mut Vec<f32>),
) -> Result<Weights, WeightsError> {
    let mut spec = common::spec(members);
    spec.slots = slots.to_vec();
    let mut builder = WeightsBuilder::new(spec);
    for t in tensor_specs(members) {
        let values: Vec<f32> = (0..t.value_count()).map(|i| common::weight(&t.name, i)).collect();
        builder = builder.tensor(&t.name, t.shape, &values);
    }
    for t in slot_tensor_specs(members, slots) {
        let value = |i| {
            let u = common::draw(&t.name, i) as f32;
            match t.local.as_str() {
                l if l.ends_with("norm.weight") => 1.0 + (u / 8.0).floor() / 1024.0,
                l if l.ends_with("fading") => u.abs() / 2048.0,
                l if l.contains(".s") => u / 2048.0,
                _ => u / 4096.0,
            }
        };
        let mut values: Vec<f32> = (0..t.value_count()).map(value).collect();
        change(&t.name, &mut values);
        builder = builder.tensor(&t.name, &t.shape, &values);
    }
    builder.finish()
}

fn update(slot: u16, known_from_s: u64, values: &[f32]) -> SlotUpdate {
    SlotUpdate {
        known_from: RecvTs(known_from_s * SECOND),
        instrument: InstrumentId(0),
        slot,
        values: values.to_vec(),
    }
}

fn vector(slot: usize, number: usize) -> Vec<f32> {
    let name = format!("vector {number}");
    (0..SLOTS[slot].1).map(|i| common::draw(&name, i) as f32 / 512.0).collect()
}

/// What a stream hears: before token `t`, at `t` seconds, these vectors become known.
fn heard(t: usize) -> Vec<SlotUpdate> {
    let mut updates = Vec::new();
    if t >= 20 && t % 60 == 20 {
        updates.push(update(0, t as u64, &vector(0, t)));
    }
    if t == 30 || t == 150 {
        updates.push(update(1, t as u64 - 3, &vector(1, t)));
    }
    updates
}

/// The same, as the reference wants it.
fn sights(tokens: usize) -> Vec<Sight> {
    let mut held: [Option<(Vec<f32>, u64)>; 3] = [None, None, None];
    let at = |t: usize| {
        for u in heard(t) {
            held[usize::from(u.slot)] = Some((u.values.clone(), u.known_from.0 / SECOND));
        }
        let seen = |(slot, h): (usize, &Option<(Vec<f32>, u64)>)| {
            let (vector, since) = h.as_ref()?;
            let age_s = (t as u64 - since) as f64;
            (age_s <= SLOTS[slot].2).then(|| (vector.clone(), age_s))
        };
        held.iter().enumerate().map(seen).collect()
    };
    (0..tokens).map(at).collect()
}

fn stream(encoder: &Encoder, tokens: &[[f64; FEATURE_COUNT]]) -> Vec<EnsembleForecast> {
    let mut state = EncoderState::new(encoder);
    let step = |(t, features): (usize, &[f64; FEATURE_COUNT])| {
        for u in heard(t) {
            assert!(encoder.know(&mut state, &u));
        }
        encoder.step_at(&mut state, features, t as u64 * SECOND)
    };
    tokens.iter().enumerate().map(step).collect()
}

fn bits(f: &EnsembleForecast) -> Vec<u32> {
    let of = |h: &ijk_core::HorizonForecast| {
        [h.logits[0], h.logits[1], h.logits[2], h.mean_bps, h.log_var].map(f32::to_bits)
    };
    f.members.iter().flatten().flat_map(of).chain([f.member_count]).collect()
}

#[test]
fn streaming_with_slots_is_the_reference() {
    let weights = model(2);
    let tokens = common::tokens("slots", 220);
    let forecasts = stream(&Encoder::new(&weights), &tokens);
    let plain = stream_plain(&weights, &tokens);
    let sights = sights(tokens.len());
    let (mut worst, mut moved) = (0.0f64, 0.0f64);
    for member in 0..2 {
        let truth = reference::forward_seeing(&weights, member, &tokens, &sights);
        for (t, (ours, truth)) in forecasts.iter().zip(&truth).enumerate() {
            for (h, truth) in truth.iter().enumerate() {
                let f = &ours.members[member][h];
                worst = worst.max((f64::from(f.mean_bps) - truth.mean_bps).abs());
                worst = worst.max((f64::from(f.log_var) - truth.log_var).abs());
                let logit = |i: usize| (f64::from(f.logits[i]) - truth.logits[i]).abs();
                worst = worst.max(logit(0)).max(logit(1)).max(logit(2));
                let without = &plain[t].members[member][h];
                moved = moved.max(f64::from((f.mean_bps - without.mean_bps).abs()));
            }
        }
    }
    eprintln!("largest error {worst:.2e}; the slots move a mean by up to {moved:.2} bps");
    assert!(worst < 1e-5, "{worst:e}");
    assert!(moved > 0.1, "the slots say something");
    // Before the first vector and where all are stale the forecast is the plain one, to the bit.
    for (t, sight) in sights.iter().enumerate() {
        let missing = sight.iter().all(Option::is_none);
        assert_eq!(bits(&forecasts[t]) == bits(&plain[t]), missing, "token {t}");
    }
    assert!(sights[..20].iter().flatten().all(Option::is_none));
}

fn stream_plain(weights: &Weights, tokens: &[[f64; FEATURE_COUNT]]) -> Vec<EnsembleForecast> {
    let encoder = Encoder::new(&weights.without_slots());
    assert!(encoder.slots().is_empty());
    let mut state = EncoderState::new(&encoder);
    tokens.iter().map(|t| encoder.step(&mut state, t)).collect()
}

#[test]
fn every_level_and_packing_gives_the_same_bits() {
    let weights = model(2);
    let rounded = build(2, &shapes(), |_, _| {}).unwrap();
    let tokens = common::tokens("levels", 100);
    let cut = |w: &Weights| {
        let mut builder = WeightsBuilder::new(w.spec.clone());
        let bf16 = |v: f32| f32::from_bits(v.to_bits() & 0xffff_0000);
        let mut put = |name: &str, shape: &[usize], values: &[half::f16]| {
            let values: Vec<f32> = values.iter().map(|v| bf16(v.to_f32())).collect();
            builder = std::mem::replace(&mut builder, WeightsBuilder::new(common::spec(1)))
                .tensor(name, shape, &values);
        };
        for t in tensor_specs(2) {
            put(&t.name, t.shape, w.members()[t.member].tensor(&t.local).unwrap());
        }
        for t in slot_tensor_specs(2, &w.spec.slots) {
            put(&t.name, &t.shape, w.members()[t.member].tensor(&t.local).unwrap());
        }
        builder.finish().unwrap()
    };
    let rounded = cut(&rounded);
    assert_eq!(Encoder::new(&weights).packing(), Packing::F32);
    assert_eq!(Encoder::new(&rounded).packing(), Packing::Bf16);
    for (weights, packings) in
        [(&weights, &[Packing::F32][..]), (&rounded, &[Packing::F32, Packing::Bf16])]
    {
        let truth = stream(&Encoder::with(weights, Level::PORTABLE, Packing::F32), &tokens);
        for (level, &packing) in Level::all().flat_map(|l| packings.iter().map(move |p| (l, p))) {
            let found = stream(&Encoder::with(weights, level, packing), &tokens);
            for (t, (a, b)) in found.iter().zip(&truth).enumerate() {
                assert_eq!(bits(a), bits(b), "{} {} token {t}", level.name(), packing.name());
            }
        }
    }
}

#[test]
fn a_vector_counts_from_its_time_until_it_is_stale_and_never_for_an_older_one() {
    let weights = model(1);
    let encoder = Encoder::new(&weights);
    let plain = Encoder::new(&weights.without_slots());
    let token = common::tokens("one", 1)[0];
    let without = bits(&plain.step(&mut EncoderState::new(&plain), &token));
    // The forecast of a first token, so that only the slots differ.
    let at = |updates: &[SlotUpdate], at_ns: u64| {
        let mut state = EncoderState::new(&encoder);
        updates.iter().for_each(|u| assert!(encoder.know(&mut state, u)));
        bits(&encoder.step_at(&mut state, &token, at_ns))
    };
    let news = update(0, 100, &vector(0, 1));
    assert_eq!(at(std::slice::from_ref(&news), 100 * SECOND - 1), without, "not yet known");
    let fresh = at(std::slice::from_ref(&news), 100 * SECOND);
    assert_ne!(fresh, without);
    assert_ne!(at(std::slice::from_ref(&news), 140 * SECOND), without, "forty seconds are fresh");
    assert_eq!(at(std::slice::from_ref(&news), 140 * SECOND + 1), without, "stale");
    // An update known earlier does not replace a later one; one of the same time does.
    let older = update(0, 99, &vector(0, 2));
    assert_eq!(at(&[news.clone(), older], 100 * SECOND), fresh);
    let same = update(0, 100, &vector(0, 2));
    assert_eq!(at(&[news.clone(), same.clone()], 100 * SECOND), at(&[same], 100 * SECOND));
    // Without a time, and after a reset, nothing is known.
    let mut state = EncoderState::new(&encoder);
    assert!(encoder.know(&mut state, &news));
    assert_eq!(bits(&encoder.step(&mut state.clone(), &token)), without);
    state.reset();
    assert_eq!(state, EncoderState::new(&encoder));
    assert_eq!(bits(&encoder.step_at(&mut state, &token, 100 * SECOND)), without);
}

#[test]
fn an_update_that_does_not_fit_changes_nothing() {
    let encoder = Encoder::new(&model(1));
    let mut state = EncoderState::new(&encoder);
    assert!(encoder.know(&mut state, &update(0, 1, &vector(0, 1))));
    let before = state.clone();
    for bad in [
        update(3, 2, &[0.0]),
        update(u16::MAX, 2, &[0.0]),
        update(0, 2, &[0.0; 4]),
        update(0, 2, &[0.0; 6]),
        update(0, 2, &[0.0, 0.0, f32::NAN, 0.0, 0.0]),
        update(0, 2, &[0.0, 0.0, 1.1e4, 0.0, 0.0]),
    ] {
        assert!(!encoder.know(&mut state, &bad), "{bad:?}");
        assert_eq!(state, before);
    }
    let plain = Encoder::new(&common::model(1));
    let mut state = EncoderState::new(&plain);
    assert!(!plain.know(&mut state, &update(0, 2, &[0.0; 5])), "a model without slots");
    // The largest numbers that a file may hold leave every forecast finite.
    let largest = |name: &str, values: &mut Vec<f32>| {
        let sign = if name.ends_with("fading") { 0.0 } else { 65_504.0 };
        values.fill(sign);
    };
    let encoder = Encoder::new(&build(1, &shapes(), largest).unwrap());
    let mut state = EncoderState::new(&encoder);
    assert!(encoder.know(&mut state, &update(1, 0, &[1e4; 8])));
    let forecast = encoder.step_at(&mut state, &common::tokens("x", 1)[0], 1);
    assert!(forecast.members[0].iter().all(|h| h.mean_bps.is_finite() && h.log_var.is_finite()));
}

#[test]
fn a_file_with_slots_reads_back_and_an_older_one_has_none() {
    let weights = model(2);
    let bytes = weights.to_bytes();
    assert_eq!(Weights::from_bytes(&bytes).unwrap(), weights);
    assert_eq!(weights.spec.slots, shapes());
    let read = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(read.len(), 2 * (84 + 6 + 3 * 6));
    let plain = weights.without_slots();
    assert_eq!(plain.to_bytes(), common::model(2).to_bytes(), "the old file to the byte");
    assert!(Weights::from_bytes(&plain.to_bytes()).unwrap().spec.slots.is_empty());
    let alone = weights.single(1).unwrap();
    assert_eq!(Weights::from_bytes(&alone.to_bytes()).unwrap(), alone);
}

#[test]
fn hostile_slots_are_named() {
    let shape =
        |name: &str, width, stale_after_s| SlotShape { name: name.into(), width, stale_after_s };
    let refused = |slots: &[SlotShape]| build(1, slots, |_, _| {}).unwrap_err().to_string();
    assert!(refused(&[shape("a", 513, 1.0)]).contains("width must be 1 to 512"));
    assert!(refused(&[shape("a", 1, f64::NAN)]).contains("stale_after_s"));
    assert!(refused(&[shape("a\"b", 1, 1.0)]).contains("name must be"));
    assert!(refused(&[shape("a", 1, 1.0), shape("a", 1, 1.0)]).contains("twice"));
    let negative = build(1, &shapes(), |name, values| {
        if name == "m0.cross.s1.fading" {
            values[3] = -0.5;
        }
    });
    let e = negative.unwrap_err();
    assert!(matches!(&e, WeightsError::NegativeFading { index: 3, .. }), "{e}");
    let infinite = build(1, &shapes(), |name, values| {
        if name == "m0.cross.query.weight" {
            values[7] = f32::INFINITY;
        }
    });
    assert!(matches!(infinite, Err(WeightsError::NonFinite { index: 7, .. })));

    // The same file with other words about its slots.
    let bytes = model(1).to_bytes();
    let with = |from: &str, to: &str| {
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header = std::str::from_utf8(&bytes[8..8 + length]).unwrap().trim_end();
        assert!(header.contains(from), "{header}");
        let changed = header.replacen(from, to, 1);
        let mut file = (changed.len() as u64).to_le_bytes().to_vec();
        file.extend_from_slice(changed.as_bytes());
        file.extend_from_slice(&bytes[8 + length..]);
        Weights::from_bytes(&file).unwrap_err().to_string()
    };
    assert!(with(r#"\"width\":5"#, r#"\"width\":6"#).contains("cross.s0.key.weight"));
    assert!(with(r#"\"width\":5"#, r#"\"width\":-5"#).contains("metadata `slots`"));
    assert!(with(r#"\"width\":5"#, r#"\"width\":9999999"#).contains("width must be"));
    assert!(with(r#"\"width\":5"#, r#"\"depth\":5"#).contains("metadata `slots`"));
    assert!(with(r#""slots":"["#, r#""slots":"[["#).contains("metadata `slots`"));
    assert!(with(r#""slots":"#, r#""slats":"#).contains("does not belong to this model"));
    assert!(with("m0.cross.s2.fading", "m0.cross.s3.fading").contains("cross.s2.fading"));
}
