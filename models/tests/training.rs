//! The loop learns, repeats and stops.

use burn::backend::{Autodiff, Flex};
use burn::module::Module;
use ijk_core::{InstrumentId, RecvTs, SlotUpdate};
use ijk_models::calibrate::{calibrate_variance, mean_squared_z};
use ijk_models::checkpoint::{CheckpointError, Checkpoints};
use ijk_models::encoder::{EncoderShape, alibi};
use ijk_models::loss::LabelWeights;
use ijk_models::modal::ModalEncoder;
use ijk_models::rng::Stream;
use ijk_models::sequences::Part;
use ijk_models::slots::{PartSlot, SlotSeries, SlotSettings, SlotShape};
use ijk_models::train::{
    MemberHistory, MemberTask, Progress, TrainError, TrainSettings, train_member,
};

const SMALL: EncoderShape = EncoderShape { d_model: 16, heads: 2, layers: 2, d_ff: 32, window: 8 };

/// Tokens whose label is the scaled mean of feature 0 over the last eight, plus `noise`: only
/// attention can know it.
fn averaged(tokens: usize, seed: u64, noise: f64) -> Part {
    let mut rng = Stream::new(seed, "training test");
    let mut normal = move || ((0..12).map(|_| rng.uniform()).sum::<f64>() - 6.0) as f32;
    let inputs: Vec<[f32; 12]> = (0..tokens).map(|_| std::array::from_fn(|_| normal())).collect();
    let label = |t: usize| {
        let Some(first) = t.checked_sub(7) else { return f32::NAN };
        inputs[first..=t].iter().map(|x| x[0]).sum::<f32>() / 8.0f32.sqrt()
    };
    let targets: Vec<[f32; 4]> =
        (0..tokens).map(|t| [label(t) + noise as f32 * normal(); 4]).collect();
    let class = |y: f32| {
        if y < -0.5 {
            0
        } else if y > 0.5 {
            2
        } else {
            1
        }
    };
    let classes = targets.iter().map(|row| row.map(class)).collect();
    Part { inputs, targets, classes, ..Part::default() }
}

/// The same tokens, a second apart, with a slot of two numbers known from every tenth on.
fn told(part: Part) -> Part {
    let update = |t: usize| SlotUpdate {
        known_from: RecvTs(1_000_000_000 * t as u64),
        instrument: InstrumentId(0),
        slot: 0,
        values: vec![part.inputs[t][1], part.targets[t][0].max(-1.0)],
    };
    let series =
        SlotSeries::new(&slot(), (10..part.inputs.len()).step_by(10).map(update).collect());
    let closes: Vec<u64> = (0..part.inputs.len() as u64).map(|t| 1_000_000_000 * t).collect();
    Part { slots: vec![PartSlot::new(2, &series, &closes)], ..part }
}

fn slot() -> SlotShape {
    SlotShape { name: "told".into(), width: 2, stale_after_s: 60.0 }
}

fn slots_of(part: &Part) -> SlotSettings {
    let slot = part.slots.iter().map(|_| slot()).collect();
    SlotSettings { files: Vec::new(), drop_probability: 0.3, slot }
}

fn settings() -> TrainSettings {
    TrainSettings {
        epochs: 40,
        batch_sequences: 4,
        sequence_tokens: 32,
        learning_rate: 5e-3,
        patience_epochs: 40,
        ..TrainSettings::default()
    }
}

fn train(
    train: &Part,
    validation: &Part,
    settings: &TrainSettings,
    seed: u64,
) -> Result<(ModalEncoder<Flex>, MemberHistory), TrainError> {
    train_kept(train, validation, settings, seed, None, &mut |_| {})
}

fn train_kept(
    train: &Part,
    validation: &Part,
    settings: &TrainSettings,
    seed: u64,
    checkpoints: Option<(&Checkpoints, &str)>,
    report: &mut dyn FnMut(&Progress),
) -> Result<(ModalEncoder<Flex>, MemberHistory), TrainError> {
    let task = MemberTask {
        train: std::slice::from_ref(train),
        validation: std::slice::from_ref(validation),
        shape: SMALL,
        settings,
        weights: LabelWeights::default(),
        mirror: None,
        slots: &slots_of(train),
        member: 0,
        seed,
        bootstrap: false,
        checkpoints,
    };
    train_member::<Autodiff<Flex>>(&task, &Default::default(), report)
}

fn bits(encoder: &ModalEncoder<Flex>) -> Vec<u32> {
    struct Bits(Vec<u32>);
    impl burn::module::ModuleVisitor<Flex> for Bits {
        fn visit_float<const D: usize>(
            &mut self,
            param: &burn::module::Param<burn::tensor::Tensor<Flex, D>>,
        ) {
            let values = param.val().into_data().to_vec::<f32>().unwrap();
            self.0.extend(values.iter().map(|v| v.to_bits()));
        }
    }
    let mut bits = Bits(Vec::new());
    encoder.visit(&mut bits);
    bits.0
}

#[test]
fn a_rule_that_needs_attention_is_learnt() {
    let (data, fresh) = (averaged(1_100, 1, 0.0), averaged(600, 2, 0.0));
    let s = TrainSettings { regression_weight: 0.0, ..settings() };
    let (encoder, history) = train(&data, &fresh, &s, 1).unwrap();
    let first = history.epochs[0].train_loss;
    let best = history.epochs[history.best_epoch - 1].validation_loss;
    let last = history.epochs.last().unwrap().train_loss;
    // Cross-entropy of three classes starts near ln 3. It falls to a third where it is trained
    // and by a third on data never seen.
    assert!(last < first / 3.0 && best < first / 1.5, "{first} {last} {best}");
    for block in &encoder.encoder.blocks {
        let learnt = block.attention.age_bias.val().into_data().to_vec::<f32>().unwrap();
        assert_ne!(learnt, alibi(SMALL.heads, SMALL.window), "age biases take part");
    }
}

#[test]
fn the_variance_head_finds_the_noise_and_calibration_mends_its_scale() {
    let (data, fresh) = (averaged(2_100, 3, 0.5), averaged(1_100, 4, 0.5));
    let s = settings();
    let device = Default::default();
    let (mut encoder, _) = train(&data, &fresh, &s, 1).unwrap();
    // Fresh data twice as noisy: errors are larger than the forecast variance says.
    let noisy = [averaged(1_100, 5, 1.0)];
    let before = mean_squared_z(&encoder, &noisy, &s, &device);
    assert!(before.iter().all(|z| *z > 2.0), "{before:?}");
    let factors = calibrate_variance(&mut encoder, &noisy, &s, &device);
    assert_eq!(factors, before);
    let after = mean_squared_z(&encoder, &noisy, &s, &device);
    assert!(after.iter().all(|z| (z - 1.0).abs() < 1e-3), "{after:?}");
}

#[test]
fn a_seed_gives_the_same_bits_and_another_seed_others() {
    let (data, fresh) = (averaged(300, 1, 0.1), averaged(100, 2, 0.1));
    let s = TrainSettings { epochs: 2, ..settings() };
    let run = |seed| bits(&train(&data, &fresh, &s, seed).unwrap().0);
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn noise_stops_early_and_the_best_epoch_is_kept() {
    // Labels have nothing to do with the inputs: after a few epochs only the training loss falls.
    let mut data = averaged(200, 1, 0.0);
    data.targets = averaged(200, 9, 0.0).targets;
    let mut fresh = averaged(300, 2, 0.0);
    fresh.targets = averaged(300, 8, 0.0).targets;
    let s = TrainSettings { epochs: 200, patience_epochs: 3, ..settings() };
    let (_, history) = train(&data, &fresh, &s, 1).unwrap();
    let n = history.epochs.len();
    assert!(n < 200, "{n} epochs");
    assert_eq!(n, history.best_epoch + 3);
    let best = history.epochs[history.best_epoch - 1].validation_loss;
    assert!(history.epochs.iter().all(|e| e.validation_loss >= best));
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let (short, long) = (averaged(31, 1, 0.0), averaged(100, 2, 0.0));
    let s = settings();
    let e = train(&short, &long, &s, 1).unwrap_err();
    assert_eq!(e, TrainError::TooShort { part: "training", needed: 32 });
    let e = train(&long, &short, &s, 1).unwrap_err();
    assert_eq!(e, TrainError::TooShort { part: "validation", needed: 32 });
    let mut broken = averaged(100, 1, 0.0);
    broken.inputs[40] = [f32::NAN; 12];
    let e = train(&broken, &long, &s, 1).unwrap_err();
    assert!(matches!(e, TrainError::Diverged { member: 0, .. }), "{e}");
}

#[test]
fn an_interrupted_training_ends_with_the_bits_of_an_uninterrupted_one() {
    let (data, fresh) = (averaged(400, 1, 0.1), averaged(100, 2, 0.1));
    goes_on(&data, &fresh);
    goes_on(&told(data), &told(fresh));
}

fn goes_on(data: &Part, fresh: &Part) {
    let s = TrainSettings { epochs: 5, ..settings() };
    let whole = train(data, fresh, &s, 1).unwrap();
    let per_epoch = whole.1.steps / 5;
    for stop in [1, per_epoch, per_epoch + 1, 3 * per_epoch + 2] {
        let dir = tempfile::tempdir().unwrap();
        let kept = Checkpoints::new(dir.path(), [7; 32]);
        // A kill in the middle of a step: nothing is told to the loop.
        let killed = std::panic::catch_unwind(|| {
            let mut report = |p: &Progress| {
                if matches!(p, Progress::Step { step, .. } if *step == stop) {
                    std::panic::resume_unwind(Box::new("killed"));
                }
            };
            let _ = train_kept(data, fresh, &s, 1, Some((&kept, "m0")), &mut report);
        });
        assert!(killed.is_err(), "stopped at {stop}");
        let mut first = None;
        let mut report = |p: &Progress| {
            if let Progress::Step { step, .. } = p {
                first.get_or_insert(*step);
            }
        };
        let (encoder, history) =
            train_kept(data, fresh, &s, 1, Some((&kept, "m0")), &mut report).unwrap();
        // The step reported is not yet in a checkpoint: its epoch runs again, no earlier one.
        assert_eq!(first, Some((stop - 1) / per_epoch * per_epoch + 1));
        assert_eq!(history, whole.1);
        assert_eq!(bits(&encoder), bits(&whole.0), "stopped at {stop}");
    }
}

#[test]
fn a_foreign_or_damaged_checkpoint_is_refused() {
    let (data, fresh) = (averaged(200, 1, 0.1), averaged(100, 2, 0.1));
    let s = TrainSettings { epochs: 1, ..settings() };
    let dir = tempfile::tempdir().unwrap();
    let kept = Checkpoints::new(dir.path(), [7; 32]);
    let go = |c: &Checkpoints| train_kept(&data, &fresh, &s, 1, Some((c, "m")), &mut |_| {});
    go(&kept).unwrap();
    let other = Checkpoints::new(dir.path(), [8; 32]);
    let e = go(&other).unwrap_err();
    assert!(matches!(e, TrainError::Checkpoint(CheckpointError::Foreign { .. })), "{e}");
    let path = dir.path().join("m.ckpt");
    let bytes = std::fs::read(&path).unwrap();
    for change in [0, 50, bytes.len() / 2, bytes.len() - 1] {
        let mut broken = bytes.clone();
        broken[change] ^= 1;
        std::fs::write(&path, broken).unwrap();
        let e = go(&kept).unwrap_err();
        assert!(matches!(e, TrainError::Checkpoint(CheckpointError::Damaged { .. })), "{e}");
    }
    for length in [0, 10, 72, bytes.len() - 5] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        assert!(go(&kept).is_err());
    }
}

#[test]
fn slots_leave_the_start_of_the_encoder_and_learn() {
    let device = Default::default();
    let plain = ModalEncoder::<Flex>::new(&SMALL, &[], 1, &device);
    let with = ModalEncoder::<Flex>::new(&SMALL, &[slot()], 1, &device);
    assert_eq!(bits(&plain), bits(&with)[..bits(&plain).len()]);
    // The label is told every ten tokens: with the slot the loss on fresh data is lower.
    let (data, fresh) = (averaged(700, 1, 0.5), averaged(300, 2, 0.5));
    let s = TrainSettings { epochs: 12, ..settings() };
    let best = |data: &Part, fresh: &Part| {
        let (_, history) = train(data, fresh, &s, 1).unwrap();
        history.epochs[history.best_epoch - 1].validation_loss
    };
    let without = best(&data, &fresh);
    let with = best(&told(data), &told(fresh));
    eprintln!("validation loss {with:.4} with the slot, {without:.4} without");
    assert!(with < without, "{with} {without}");
}
