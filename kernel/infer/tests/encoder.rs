//! Laws of the streaming encoder.
#![allow(clippy::needless_range_loop)] // formulas by subscript

mod common;

use ijk_core::features::FEATURE_COUNT;
use ijk_core::forecast::HORIZON_COUNT;
use ijk_core::{EnsembleForecast, HorizonForecast};
use ijk_infer::reference::{self, ReferenceForecast};
use ijk_infer::shape::{HEADS, LAYERS, WINDOW};
use ijk_infer::{AttentionProbe, AttentionRow, Encoder, EncoderState, Level, Packing, Weights};

type Token = [f64; FEATURE_COUNT];

fn run(encoder: &Encoder, tokens: &[Token]) -> Vec<EnsembleForecast> {
    let mut state = EncoderState::new(encoder);
    tokens.iter().map(|t| encoder.step(&mut state, t)).collect()
}

fn numbers(member: &[HorizonForecast]) -> Vec<f32> {
    let five = |f: &HorizonForecast| [f.logits[0], f.logits[1], f.logits[2], f.mean_bps, f.log_var];
    member.iter().flat_map(five).collect()
}

/// Bits of everything a forecast says.
fn bits(forecast: &EnsembleForecast) -> Vec<u32> {
    let numbers = forecast.members.iter().flat_map(|m| numbers(m));
    numbers.map(f32::to_bits).chain([forecast.member_count]).collect()
}

fn largest_difference(
    forecasts: &[EnsembleForecast],
    member: usize,
    truth: &[[ReferenceForecast; HORIZON_COUNT]],
) -> f64 {
    let mut worst = 0.0f64;
    for (forecast, truth) in forecasts.iter().zip(truth) {
        for (f, t) in forecast.members[member].iter().zip(truth) {
            let ours = [f.logits[0], f.logits[1], f.logits[2], f.mean_bps, f.log_var];
            let theirs = [t.logits[0], t.logits[1], t.logits[2], t.mean_bps, t.log_var];
            for (a, b) in ours.into_iter().zip(theirs) {
                assert!(a.is_finite());
                worst = worst.max((f64::from(a) - b).abs());
            }
        }
    }
    worst
}

/// A run replays bit for bit on a machine with other vector instructions.
#[test]
fn every_level_and_packing_gives_the_same_bits() {
    let weights = common::model(2);
    let rounded = common::rounded_to_bf16(&weights);
    assert_eq!(Encoder::new(&weights).packing(), Packing::F32);
    assert_eq!(Encoder::new(&rounded).packing(), Packing::Bf16);
    let tokens = common::tokens("levels", 100);
    for (weights, packings) in
        [(&weights, &[Packing::F32][..]), (&rounded, &[Packing::F32, Packing::Bf16])]
    {
        let truth = run(&Encoder::with(weights, Level::PORTABLE, Packing::F32), &tokens);
        for (level, &packing) in Level::all().flat_map(|l| packings.iter().map(move |p| (l, p))) {
            let encoder = Encoder::with(weights, level, packing);
            assert_eq!((encoder.level(), encoder.packing()), (level, packing));
            for (i, (a, b)) in run(&encoder, &tokens).iter().zip(&truth).enumerate() {
                let name = (level.name(), packing.name());
                assert_eq!(bits(a), bits(b), "{name:?} token {i}");
            }
        }
    }
    assert!(Level::all().any(|l| l == Level::best()));
}

/// Eight bits give other forecasts, near those of the file, and the same ones on every level.
#[test]
fn int8_gives_the_same_bits_on_every_level_near_the_files_own() {
    let weights = common::model(2);
    let tokens = common::tokens("int8", 100);
    let int8 = |level| run(&Encoder::with(&weights, level, Packing::Int8), &tokens);
    let truth = int8(Level::PORTABLE);
    for level in Level::all() {
        for (i, (a, b)) in int8(level).iter().zip(&truth).enumerate() {
            assert_eq!(bits(a), bits(b), "{} token {i}", level.name());
        }
    }
    for member in 0..2 {
        let exact = reference::forward(&weights, member, &tokens);
        let worst = largest_difference(&truth, member, &exact);
        let size = exact.iter().flatten().map(|t| t.mean_bps.abs()).fold(0.0, f64::max);
        eprintln!("member {member}: largest error {worst:.2e}, largest |mean| {size:.2} bps");
        assert!(worst > 1e-4, "it is another model: {worst:e}");
        assert!(worst < 0.2 * size, "{worst:e} of {size:e}");
    }
}

/// Streaming one token at a time is the batch forward with the banded mask.
#[test]
fn streaming_equals_the_banded_batch_forward() {
    let weights = common::model(2);
    let tokens = common::tokens("stream", 512);
    let forecasts = run(&Encoder::new(&weights), &tokens);
    for member in 0..2 {
        let truth = reference::forward(&weights, member, &tokens);
        let worst = largest_difference(&forecasts, member, &truth);
        let size = truth.iter().flatten().map(|t| t.mean_bps.abs()).fold(0.0, f64::max);
        eprintln!("member {member}: largest error {worst:.2e}, largest |mean| {size:.2} bps");
        assert!(size > 1.0, "the model says something");
        assert!(worst < 1e-5, "{worst:e}");
    }
}

/// The longer a state lives, the same it stays: no drift after many turns of the ring.
#[test]
fn error_does_not_grow_with_the_stream() {
    let weights = common::model(1);
    let encoder = Encoder::new(&weights);
    let tokens = common::tokens("long", 5000);
    let forecasts = run(&encoder, &tokens);
    // The last tokens depend on 6 * 63 tokens before them and nothing earlier.
    let reach = LAYERS * (WINDOW - 1);
    let from = tokens.len() - reach - 20;
    let truth = reference::forward(&weights, 0, &tokens[from..]);
    let worst = largest_difference(&forecasts[from + reach..], 0, &truth[reach..]);
    assert!(worst < 1e-5, "{worst:e}");
}

#[test]
fn later_tokens_do_not_change_earlier_forecasts() {
    let encoder = Encoder::new(&common::model(1));
    let tokens = common::tokens("causal", 200);
    let before = run(&encoder, &tokens);
    for cut in [1, 63, 64, 65, 130, 199] {
        let mut changed = tokens.clone();
        for (token, other) in changed[cut..].iter_mut().zip(common::tokens("other", 200)) {
            *token = other;
        }
        let after = run(&encoder, &changed);
        for t in 0..cut {
            assert_eq!(bits(&before[t]), bits(&after[t]), "cut {cut}, token {t}");
        }
        assert_ne!(bits(&before[cut]), bits(&after[cut]), "a token sees itself");
    }
}

/// Through L layers a token reaches L * 63 tokens on, and not one further.
#[test]
fn influence_ends_at_the_receptive_field() {
    let weights = common::model(1);
    let encoder = Encoder::new(&weights);
    let reach = LAYERS * (WINDOW - 1);
    let place = 30;
    let tokens = common::tokens("reach", place + reach + 150);
    let mut changed = tokens.clone();
    changed[place] = changed[place].map(|v| 1.0 - v);
    let (before, after) = (run(&encoder, &tokens), run(&encoder, &changed));
    for t in place + reach + 1..tokens.len() {
        assert_eq!(bits(&before[t]), bits(&after[t]), "token {t}");
    }
    let near = (place..place + 300).filter(|&t| bits(&before[t]) != bits(&after[t])).count();
    assert!(near > 250, "influence is real inside the field: {near}");
}

/// Switches off every block but the first, so that the band itself shows.
fn single_layer() -> Weights {
    common::build(1, |name, values| {
        let later = !name.starts_with("m0.l0.") && name.starts_with("m0.l");
        if later && (name.contains("attn.out") || name.contains("ff2")) {
            values.fill(0.0);
        }
    })
}

#[test]
fn age_63_counts_and_age_64_does_not() {
    let encoder = Encoder::new(&single_layer());
    let tokens = common::tokens("band", 300);
    for place in [0, 5, 100] {
        let mut changed = tokens.clone();
        changed[place] = changed[place].map(|v| 1.0 - v);
        let (before, after) = (run(&encoder, &tokens), run(&encoder, &changed));
        let differs = |age: usize| bits(&before[place + age]) != bits(&after[place + age]);
        assert!(differs(0) && differs(63), "place {place}");
        assert!((64..300 - place).all(|age| !differs(age)), "place {place}");
    }
}

/// A bias of +40 at one age makes the head copy exactly that token.
#[test]
fn age_bias_points_at_its_age() {
    struct Peak(Vec<f32>);
    impl AttentionProbe for Peak {
        fn attention(&mut self, row: &AttentionRow<'_>) {
            if row.layer == 0 && row.head == 3 {
                self.0 = row.by_age().collect();
            }
        }
    }
    let tokens = common::tokens("age", 150);
    for age in [0usize, 1, 17, 62, 63] {
        let weights = common::build(1, |name, values| {
            if name == "m0.l0.attn.age_bias" {
                values[3 * WINDOW + age] = 40.0;
            }
        });
        let encoder = Encoder::new(&weights);
        let mut state = EncoderState::new(&encoder);
        let mut probe = Peak(Vec::new());
        for (t, token) in tokens.iter().enumerate() {
            encoder.step_probed(&mut state, token, &mut probe);
            assert_eq!(probe.0.len(), (t + 1).min(WINDOW));
            if t >= age {
                assert!(probe.0[age] > 0.999, "age {age}, token {t}: {}", probe.0[age]);
            }
        }
    }
}

#[test]
fn attention_rows_sum_to_one() {
    #[derive(Default)]
    struct Sums {
        rows: usize,
        worst: f64,
    }
    impl AttentionProbe for Sums {
        fn attention(&mut self, row: &AttentionRow<'_>) {
            self.rows += 1;
            self.worst = self.worst.max((row.sum() - 1.0).abs());
            assert!(row.by_age().all(|p| (0.0..=1.000_001).contains(&p)));
            let in_band: f64 = row.by_age().map(f64::from).sum();
            assert!((in_band - row.sum()).abs() < 1e-12, "unwritten slots weigh nothing");
        }
    }
    let encoder = Encoder::new(&common::model(2));
    let mut state = EncoderState::new(&encoder);
    let mut plain = EncoderState::new(&encoder);
    let mut sums = Sums::default();
    for token in common::tokens("rows", 200) {
        let probed = encoder.step_probed(&mut state, &token, &mut sums);
        assert_eq!(bits(&probed), bits(&encoder.step(&mut plain, &token)), "only a look");
    }
    assert_eq!(sums.rows, 200 * 2 * LAYERS * HEADS);
    assert!(sums.worst < 1e-6, "{:e}", sums.worst);
}

#[test]
fn five_members_equal_five_single_runs() {
    let weights = common::model(5);
    let tokens = common::tokens("five", 150);
    let together = run(&Encoder::new(&weights), &tokens);
    assert!(together.iter().all(|f| f.member_count == 5));
    for member in 0..5 {
        let single = weights.single(member).unwrap();
        let single = Weights::from_bytes(&single.to_bytes()).unwrap();
        let alone = run(&Encoder::new(&single), &tokens);
        for (a, b) in together.iter().zip(&alone) {
            assert_eq!(b.member_count, 1);
            assert_eq!(numbers(&a.members[member]), numbers(&b.members[0]));
        }
    }
    assert_ne!(together[9].members[0], together[9].members[1]);
    assert!(weights.single(5).is_none());
}

#[test]
fn reset_equals_new() {
    let encoder = Encoder::new(&common::model(2));
    let tokens = common::tokens("reset", 130);
    let mut state = EncoderState::new(&encoder);
    for token in &tokens {
        encoder.step(&mut state, token);
    }
    assert_eq!(state.token_count(), 130);
    assert_ne!(state, EncoderState::new(&encoder));
    state.reset();
    assert_eq!(state, EncoderState::new(&encoder));
    let again: Vec<_> = tokens.iter().map(|t| bits(&encoder.step(&mut state, t))).collect();
    let fresh: Vec<_> = run(&encoder, &tokens).iter().map(bits).collect();
    assert_eq!(again, fresh);
}

/// Two instruments on one encoder do not see each other.
#[test]
fn instruments_are_independent() {
    let encoder = Encoder::new(&common::model(1));
    let (a, b) = (common::tokens("a", 100), common::tokens("b", 100));
    let (mut state_a, mut state_b) = (EncoderState::new(&encoder), EncoderState::new(&encoder));
    let (alone_a, alone_b) = (run(&encoder, &a), run(&encoder, &b));
    for t in 0..100 {
        assert_eq!(bits(&encoder.step(&mut state_a, &a[t])), bits(&alone_a[t]));
        assert_eq!(bits(&encoder.step(&mut state_b, &b[t])), bits(&alone_b[t]));
    }
}

#[test]
fn features_that_are_not_finite_are_refused_and_leave_no_trace() {
    let encoder = Encoder::new(&common::model(2));
    let tokens = common::tokens("nan", 90);
    let mut state = EncoderState::new(&encoder);
    for (t, token) in tokens.iter().enumerate() {
        let before = state.clone();
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut broken = *token;
            broken[t % FEATURE_COUNT] = bad;
            let refused = encoder.step(&mut state, &broken);
            assert_eq!(refused, EnsembleForecast::default());
            assert!(refused.pooled(0).is_none());
        }
        assert_eq!(state, before);
        encoder.step(&mut state, token);
    }
    let mut clean = EncoderState::new(&encoder);
    for token in &tokens {
        encoder.step(&mut clean, token);
    }
    assert_eq!(state, clean);
}

/// Outliers are clipped, as large as they may be.
#[test]
fn huge_features_are_clipped() {
    let encoder = Encoder::new(&common::model(1));
    let spec = common::spec(1);
    let at_clip: Token =
        std::array::from_fn(|i| spec.scaler_mean[i] + spec.scaler_clip * spec.scaler_scale[i]);
    let huge = run(&encoder, &[[1e300; FEATURE_COUNT]]);
    assert_eq!(bits(&huge[0]), bits(&run(&encoder, &[at_clip])[0]));
    assert!(huge[0].members[0].iter().all(|f| f.is_finite()));
}

/// The largest finite weights still give finite forecasts, so no ring can hold a NaN.
#[test]
fn extreme_weights_stay_finite() {
    type Sign = fn(&str, usize) -> bool;
    let signs: [Sign; 3] = [|_, _| true, |_, i| i % 2 == 0, |name, i| common::draw(name, i) >= 0];
    for positive in signs {
        let weights = common::build(1, |name, values| {
            for (i, v) in values.iter_mut().enumerate() {
                *v = if positive(name, i) { 65504.0 } else { -65504.0 };
            }
        });
        for forecast in run(&Encoder::new(&weights), &common::tokens("extreme", 100)) {
            assert!(forecast.members[0].iter().all(|f| f.is_finite()), "{forecast:?}");
        }
    }
}

/// The raw log-variance is clamped to ±10 and moves with the unit.
#[test]
fn log_variance_is_clamped_and_scaled() {
    for (bias, raw) in [(1000.0, 10.0), (-1000.0, -10.0)] {
        let weights = common::build(1, |name, values| {
            if name == "m0.head.bias" {
                (0..HORIZON_COUNT).for_each(|h| values[5 * h + 4] = bias);
            }
        });
        let forecast = run(&Encoder::new(&weights), &common::tokens("clamp", 1))[0];
        for (f, scale) in forecast.members[0].iter().zip(common::spec(1).target_scale_bps) {
            let expected = raw + 2.0 * scale.ln();
            assert!((f64::from(f.log_var) - expected).abs() < 2e-6);
        }
    }
}

#[test]
#[should_panic(expected = "Condition failed: the state was made for an encoder")]
fn a_state_of_another_encoder_is_refused() {
    let (one, two) = (Encoder::new(&common::model(1)), Encoder::new(&common::model(2)));
    one.step(&mut EncoderState::new(&two), &[0.0; FEATURE_COUNT]);
}

/// The portable kernels give these bits in any build and on any x86-64. A change here means
/// that recorded sessions no longer replay bit for bit.
#[test]
fn portable_bits_are_pinned() {
    let tokens = common::tokens("bits", 200);
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for forecast in run(&Encoder::new(&common::model(2)), &tokens) {
        for word in bits(&forecast) {
            hash = (hash ^ u64::from(word)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    assert_eq!(hash, 0x796c_ac5e_b68d_2f2c, "found {hash:#018x}");
}
