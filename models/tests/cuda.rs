//! Training on a CUDA device against training on the processor: same seeds, same data, losses
//! that agree. Only in builds with the feature `cuda`; without a device it says so and passes.

#![cfg(feature = "cuda")]

use burn::backend::{Autodiff, Cuda, Flex};
use burn::tensor::backend::AutodiffBackend;
use ijk_models::device::{Choice, choose};
use ijk_models::encoder::EncoderShape;
use ijk_models::loss::LabelWeights;
use ijk_models::rng::Stream;
use ijk_models::sequences::Part;
use ijk_models::slots::SlotSettings;
use ijk_models::train::{MemberHistory, MemberTask, TrainSettings, train_member};

/// Largest difference of an epoch's losses, relative. Sums of 32-bit floats in another order
/// differ by 1e-6; each step of the optimiser passes the difference on.
const TOLERANCE: f64 = 1e-3;
const SHAPE: EncoderShape =
    EncoderShape { d_model: 64, heads: 8, layers: 2, d_ff: 256, window: 64 };

/// Tokens whose labels are the mean of feature 0 over the last eight.
fn part(tokens: usize, seed: u64) -> Part {
    let mut rng = Stream::new(seed, "cuda test");
    let mut normal = move || ((0..12).map(|_| rng.uniform()).sum::<f64>() - 6.0) as f32;
    let inputs: Vec<[f32; 12]> = (0..tokens).map(|_| std::array::from_fn(|_| normal())).collect();
    let label = |t: usize| {
        let Some(first) = t.checked_sub(7) else { return f32::NAN };
        inputs[first..=t].iter().map(|x| x[0]).sum::<f32>() / 8.0f32.sqrt()
    };
    let targets: Vec<[f32; 4]> = (0..tokens).map(|t| [label(t); 4]).collect();
    let class = |y: f32| 1 + u8::from(y > 0.5) - u8::from(y < -0.5);
    let classes = targets.iter().map(|row| row.map(class)).collect();
    Part { inputs, targets, classes, ..Part::default() }
}

fn train<B: AutodiffBackend>(device: &B::Device) -> MemberHistory {
    let (data, fresh) = (part(2_000, 1), part(800, 2));
    let settings = TrainSettings {
        epochs: 3,
        batch_sequences: 4,
        sequence_tokens: 128,
        ..TrainSettings::default()
    };
    let task = MemberTask {
        train: std::slice::from_ref(&data),
        validation: std::slice::from_ref(&fresh),
        shape: SHAPE,
        settings: &settings,
        weights: LabelWeights::default(),
        mirror: None,
        slots: &SlotSettings::default(),
        member: 0,
        seed: 7,
        bootstrap: true,
        checkpoints: None,
    };
    train_member::<B>(&task, device, &mut |_| {}).unwrap().1
}

#[test]
fn the_device_learns_what_the_processor_learns() {
    if let Err(e) = choose(Choice::Cuda) {
        eprintln!("skipped: {e}");
        return;
    }
    let here = train::<Autodiff<Flex>>(&Default::default());
    let there = train::<Autodiff<Cuda>>(&Default::default());
    assert_eq!(here.epochs.len(), there.epochs.len());
    assert_eq!((here.seed, here.steps), (there.seed, there.steps));
    for (epoch, (a, b)) in here.epochs.iter().zip(&there.epochs).enumerate() {
        let pairs = [(a.train_loss, b.train_loss), (a.validation_loss, b.validation_loss)];
        for (a, b) in pairs {
            let difference = (a - b).abs() / a.abs();
            eprintln!("epoch {epoch}: {a} on the processor, {b} on the device");
            assert!(difference < TOLERANCE, "epoch {epoch}: {a} and {b}");
        }
    }
}
