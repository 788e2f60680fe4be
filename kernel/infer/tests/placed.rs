//! Placement and fallback, with devices that fail in every way a device can fail.

mod common;

use ijk_core::EnsembleForecast;
use ijk_core::forecast::HorizonForecast;
use ijk_infer::cuda::history::KEPT;
use ijk_infer::cuda::wire::{Entry, ROW};
use ijk_infer::cuda::{DeviceError, NoDevice, Placed, SymbolToken, TokenStep};
use ijk_infer::shape::{OUTPUTS_PER_HORIZON, WINDOW};
use ijk_infer::{Encoder, EncoderState, Weights, WeightsBuilder, WeightsSpec, tensor_specs};
use std::cell::Cell;
use std::rc::Rc;

const SYMBOLS: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Failure {
    /// The driver says no.
    Error,
    /// It never answers.
    Silence,
    /// It answers nonsense.
    Nonsense,
}

/// A device that computes with the processor's kernels, and fails at its `fails_at`th step.
struct Fake {
    encoder: Encoder,
    states: Vec<EncoderState>,
    members: usize,
    steps: usize,
    fails_at: usize,
    failure: Failure,
    /// Steps asked for, and whether it was let go; seen from outside.
    seen: Rc<(Cell<usize>, Cell<bool>)>,
}

impl TokenStep for Fake {
    fn step(
        &mut self,
        entries: &[Entry],
        rows: &mut [f32],
        gives_up: &mut dyn FnMut() -> bool,
    ) -> Result<(), DeviceError> {
        self.steps += 1;
        self.seen.0.set(self.steps);
        let fails = self.steps == self.fails_at;
        // What a device leaves behind half done must not be used.
        rows.fill(7.0);
        if fails && self.failure == Failure::Error {
            return Err(DeviceError::Driver { call: "step", said: "gone".into() });
        }
        if fails && self.failure == Failure::Silence {
            while !gives_up() {}
            return Err(DeviceError::Deadline);
        }
        for (entry, rows) in entries.iter().zip(rows.chunks_mut(self.members * ROW)) {
            let state = &mut self.states[entry.symbol as usize];
            assert_eq!(u64::from(entry.slot), state.token_count() % WINDOW as u64);
            let forecast = self.encoder.step(state, &entry.features.map(f64::from));
            for (member, row) in forecast.members.iter().zip(rows.chunks_mut(ROW)) {
                for (f, out) in member.iter().zip(row.chunks_mut(OUTPUTS_PER_HORIZON)) {
                    let [a, b, c] = f.logits;
                    out.copy_from_slice(&[a, b, c, f.mean_bps, f.log_var]);
                }
            }
        }
        if fails && self.failure == Failure::Nonsense {
            rows[ROW * (self.members - 1) + 3] = f32::NAN;
        }
        Ok(())
    }

    fn abandon(self) {
        self.seen.1.set(true);
    }
}

/// The same tensors in units of one, as the head has them.
fn unscaled(weights: &Weights) -> Weights {
    let members = weights.members();
    let mut builder = WeightsBuilder::new(WeightsSpec::new(members.len()));
    for t in tensor_specs(members.len()) {
        let values = members[t.member].tensor(&t.local).unwrap();
        let values: Vec<f32> = values.iter().map(|v| v.to_f32()).collect();
        builder = builder.tensor(&t.name, t.shape, &values);
    }
    builder.finish().unwrap()
}

fn fake(weights: &Weights, fails_at: usize, failure: Failure) -> Fake {
    let encoder = Encoder::new(&unscaled(weights));
    Fake {
        states: vec![EncoderState::new(&encoder); SYMBOLS],
        members: weights.members().len(),
        encoder,
        steps: 0,
        fails_at,
        failure,
        seen: Rc::default(),
    }
}

/// Batches of a session: symbol 0 has a token in each, 1 in two of three, 2 in one of five.
fn batches(count: usize) -> Vec<Vec<SymbolToken>> {
    let tokens: Vec<_> = (0..SYMBOLS).map(|s| common::tokens(&format!("p.{s}"), count)).collect();
    let part = |b: usize, s: usize| [true, b % 3 != 1, b.is_multiple_of(5)][s];
    (0..count)
        .map(|b| {
            let here = (0..SYMBOLS).filter(|&s| part(b, s));
            here.map(|s| SymbolToken { symbol: s as u32, features: tokens[s][b] }).collect()
        })
        .collect()
}

fn bits(forecast: &EnsembleForecast) -> Vec<u32> {
    let all = forecast.members.iter().flatten().flat_map(|f: &HorizonForecast| {
        [f.logits[0], f.logits[1], f.logits[2], f.mean_bps, f.log_var].map(f32::to_bits)
    });
    all.chain([forecast.member_count]).collect()
}

/// Forecasts of a session, and at which batch the device was left and why.
fn run<D: TokenStep>(
    placed: &mut Placed<D>,
    batches: &[Vec<SymbolToken>],
) -> (Vec<Vec<u32>>, Option<(usize, DeviceError)>) {
    let (mut forecasts, mut left) = (Vec::new(), None);
    for (b, batch) in batches.iter().enumerate() {
        let asked = Cell::new(0);
        let mut gives_up = || {
            asked.set(asked.get() + 1);
            asked.get() > 100
        };
        let before = forecasts.len();
        if let Some(error) = placed.step(batch, &mut forecasts, &mut gives_up).unwrap() {
            assert!(left.is_none(), "a device is left once");
            left = Some((b, error));
        }
        assert_eq!(forecasts.len(), before + batch.len());
    }
    (forecasts.iter().map(bits).collect(), left)
}

/// Whatever the failure and whenever it comes, every forecast is the processor's from that very
/// token on, bit for bit; before it, the device's (which here computes the same bits).
#[test]
fn a_session_continues_on_the_processor_within_the_token() {
    let weights = common::model(2);
    let batches = batches(2 * KEPT);
    let (truth, never) = run(&mut Placed::<NoDevice>::new(&weights, SYMBOLS, None), &batches);
    assert_eq!(never, None);
    let failures = [Failure::Error, Failure::Silence, Failure::Nonsense];
    let places = [1, 2, 63, 64, 65, 66, 378, 379, 380, KEPT, KEPT + 1, KEPT + 77, 2 * KEPT];
    for (n, fails_at) in places.into_iter().enumerate() {
        let failure = failures[n % 3];
        let device = fake(&weights, fails_at, failure);
        let seen = Rc::clone(&device.seen);
        let mut placed = Placed::new(&weights, SYMBOLS, Some(device));
        assert!(placed.is_on_device());
        let (forecasts, left) = run(&mut placed, &batches);
        let (batch, error) = left.expect("the device was left");
        assert_eq!(batch + 1, fails_at, "at the step that failed");
        assert_eq!(error == DeviceError::Deadline, failure == Failure::Silence);
        assert!(!placed.is_on_device() && seen.1.get(), "it was let go");
        assert_eq!(seen.0.get(), fails_at, "and not asked again");
        let first = forecasts.iter().zip(&truth).position(|(a, b)| a != b);
        assert_eq!(first, None, "{failure:?} at step {fails_at}");
    }
}

/// A device that works is used for every token.
#[test]
fn a_device_that_works_is_kept() {
    let weights = common::model(1);
    let device = fake(&weights, usize::MAX, Failure::Error);
    let seen = Rc::clone(&device.seen);
    let mut placed = Placed::new(&weights, SYMBOLS, Some(device));
    let batches = batches(100);
    let (_, left) = run(&mut placed, &batches);
    assert_eq!((left, seen.0.get(), placed.is_on_device()), (None, 100, true));
    assert_eq!(placed.token_count(0), 100);
    assert_eq!(placed.token_count(2), 20);
}

/// A token that is not finite has no forecast and leaves no trace, before and after a failure.
#[test]
fn tokens_that_are_not_finite_are_refused_on_either_side() {
    let weights = common::model(1);
    let clean = batches(200);
    let mut broken = clean.clone();
    for b in (0..200).step_by(7) {
        broken[b][0].features[b % 12] = [f64::NAN, f64::INFINITY][b % 2];
    }
    let (truth, _) = run(&mut Placed::<NoDevice>::new(&weights, SYMBOLS, None), &broken);
    for fails_at in [1, 8, 120] {
        let device = fake(&weights, fails_at, Failure::Error);
        let (forecasts, left) = run(&mut Placed::new(&weights, SYMBOLS, Some(device)), &broken);
        assert!(left.is_some());
        assert_eq!(forecasts, truth, "failure at {fails_at}");
    }
}

#[test]
fn batches_that_cannot_be_are_refused_whole() {
    let weights = common::model(1);
    let mut placed = Placed::<NoDevice>::new(&weights, SYMBOLS, None);
    let token = |symbol| SymbolToken { symbol, features: [0.5; 12] };
    for wrong in [vec![token(0), token(3)], vec![token(1), token(2), token(1)]] {
        let mut forecasts = Vec::new();
        assert!(placed.step(&wrong, &mut forecasts, &mut || false).is_err());
        assert!(forecasts.is_empty() && (0..4).all(|s| placed.token_count(s) == 0));
    }
    let mut forecasts = Vec::new();
    let good = [token(2), token(0)];
    assert_eq!(placed.step(&good, &mut forecasts, &mut || false), Ok(None));
    assert_eq!(forecasts.len(), 2);
}
