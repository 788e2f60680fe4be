//! The training loop of one member: AdamW, warm-up and cosine decay, clipped gradients, early
//! stopping on the validation loss.

use crate::attention::Band;
use crate::encoder::{Encoder, EncoderShape};
use crate::loss::loss;
use crate::optimizer::SplitAdamW;
use crate::rng::Stream;
use crate::sequences::{Block, Part, batch, blocks, bootstrap};
use burn::module::AutodiffModule;
use burn::tensor::ElementConversion;
use burn::tensor::backend::{AutodiffBackend, Backend};

pub use crate::settings::TrainSettings;

/// What the loop reports while it runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// One optimiser step is done.
    Step {
        /// Member, from 0.
        member: usize,
        /// Steps done, of this member.
        step: usize,
        /// Steps planned, of this member.
        steps: usize,
        /// Loss of the step.
        loss: f64,
        /// Tokens of the step.
        tokens: usize,
    },
    /// One pass over the training sequences is done and validated.
    Epoch {
        /// Member, from 0.
        member: usize,
        /// The pass.
        epoch: EpochRecord,
    },
    /// Any other stage: its name and how far it is.
    Stage {
        /// Name, lower case.
        name: &'static str,
        /// Units done.
        done: usize,
        /// Units in total.
        total: usize,
    },
}

/// Losses of one epoch.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct EpochRecord {
    /// Number from 1.
    pub epoch: usize,
    /// Mean training loss while it ran.
    pub train_loss: f64,
    /// Validation loss at its end.
    pub validation_loss: f64,
    /// Mean norm of the gradient before clipping.
    pub gradient_norm: f64,
}

/// How one member came to be.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct MemberHistory {
    /// Seed of weights, bootstrap and order.
    pub seed: u64,
    /// Every epoch, in order.
    pub epochs: Vec<EpochRecord>,
    /// Epoch whose weights were kept.
    pub best_epoch: usize,
    /// Steps taken.
    pub steps: usize,
}

/// Why training stopped.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TrainError {
    /// No sequence fits.
    #[error("the {part} part has no run of {needed} tokens; give longer or more sessions")]
    TooShort {
        /// Which part.
        part: &'static str,
        /// Tokens of one sequence.
        needed: usize,
    },
    /// The loss is not a number.
    #[error(
        "the loss of member {member} is not finite at step {step}; lower learning_rate or clip_norm"
    )]
    Diverged {
        /// Member, from 0.
        member: usize,
        /// Step, from 1.
        step: usize,
    },
}

/// One member's training data and identity.
#[derive(Clone, Copy, Debug)]
pub struct MemberTask<'a> {
    /// Training parts.
    pub train: &'a [Part],
    /// Validation parts.
    pub validation: &'a [Part],
    /// Sizes.
    pub shape: EncoderShape,
    /// Settings.
    pub settings: &'a TrainSettings,
    /// Member, from 0.
    pub member: usize,
    /// Seed of weights, bootstrap and order.
    pub seed: u64,
    /// Whether to train on a bootstrap sample of the sequences instead of each once.
    pub bootstrap: bool,
}

/// Trains one member and returns the weights of its best epoch.
///
/// # Errors
/// [`TrainError`] where a part is too short or the loss diverges.
pub fn train_member<B: AutodiffBackend>(
    task: &MemberTask,
    device: &B::Device,
    report: &mut dyn FnMut(&Progress),
) -> Result<(Encoder<B::InnerBackend>, MemberHistory), TrainError> {
    let MemberTask { settings, member, .. } = *task;
    let length = settings.sequence_tokens;
    let all = require_blocks(task.train, length, "training")?;
    require_blocks(task.validation, length, "validation")?;
    let mut rng = Stream::new(task.seed, "order");
    let mut order = if task.bootstrap { bootstrap(&all, &mut rng) } else { all };
    let per_epoch = order.len().div_ceil(settings.batch_sequences);
    let steps = settings.epochs * per_epoch;

    let mut model = Encoder::<B>::new(&task.shape, task.seed, device);
    let mut optimizer = SplitAdamW::new(&model, settings);
    let band = Band::new(task.shape.window, length / task.shape.window, device);
    let mut history =
        MemberHistory { seed: task.seed, epochs: Vec::new(), best_epoch: 0, steps: 0 };
    let mut best: Option<(f64, Encoder<B::InnerBackend>)> = None;
    for epoch in 1..=settings.epochs {
        rng.shuffle(&mut order);
        let shift = rng.below(length);
        let (mut loss_sum, mut norm_sum) = (0.0, 0.0);
        for chosen in order.chunks(settings.batch_sequences) {
            let data = batch::<B>(task.train, chosen, length, shift, device);
            let outputs = model.forward_banded(data.inputs, &band);
            let loss = loss(outputs, &data.targets, settings.loss_weights());
            let value = scalar(loss.clone());
            history.steps += 1;
            if !value.is_finite() {
                return Err(TrainError::Diverged { member, step: history.steps });
            }
            let rate = settings.learning_rate_at(history.steps - 1, steps);
            let norm;
            (model, norm) = optimizer.step(model, loss, rate, settings.clip_norm);
            loss_sum += value;
            norm_sum += norm;
            let tokens = chosen.len() * length;
            report(&Progress::Step { member, step: history.steps, steps, loss: value, tokens });
        }
        let valid = model.valid();
        let record = EpochRecord {
            epoch,
            train_loss: loss_sum / per_epoch as f64,
            validation_loss: mean_loss(&valid, task.validation, settings, device),
            gradient_norm: norm_sum / per_epoch as f64,
        };
        history.epochs.push(record);
        report(&Progress::Epoch { member, epoch: record });
        if best.as_ref().is_none_or(|(loss, _)| record.validation_loss < *loss) {
            history.best_epoch = epoch;
            best = Some((record.validation_loss, valid));
        } else if epoch - history.best_epoch >= settings.patience_epochs {
            break;
        }
    }
    let (_, encoder) = best.ok_or(TrainError::Diverged { member, step: history.steps })?;
    Ok((encoder, history))
}

fn require_blocks(
    parts: &[Part],
    needed: usize,
    part: &'static str,
) -> Result<Vec<Block>, TrainError> {
    let all = blocks(parts, needed);
    if all.is_empty() { Err(TrainError::TooShort { part, needed }) } else { Ok(all) }
}

/// Returns the mean loss of a model over every block of `parts`, weighted by labels.
pub fn mean_loss<B: Backend>(
    model: &Encoder<B>,
    parts: &[Part],
    settings: &TrainSettings,
    device: &B::Device,
) -> f64 {
    let length = settings.sequence_tokens;
    let window = model.shape().window;
    let band = Band::new(window, length / window, device);
    let (mut sum, mut count) = (0.0, 0usize);
    for chosen in blocks(parts, length).chunks(settings.batch_sequences) {
        let data = batch::<B>(parts, chosen, length, 0, device);
        let outputs = model.forward_banded(data.inputs, &band);
        let value = scalar(loss(outputs, &data.targets, settings.loss_weights()));
        sum += value * data.targets.count as f64;
        count += data.targets.count;
    }
    sum / count.max(1) as f64
}

fn scalar<B: Backend>(one: burn::tensor::Tensor<B, 1>) -> f64 {
    one.into_scalar().elem::<f64>()
}
