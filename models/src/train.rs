//! The training loop of one member: AdamW, warm-up and cosine decay, clipped gradients, early
//! stopping on the validation loss.
//!
//! # Room for what comes next
//! - Adversarial training perturbs `Batch::inputs` between [`batch`] and the forward pass: the
//!   inner maximisation needs the loss as a function of the inputs, which
//!   [`ModalEncoder::forward_banded`] and [`loss`] give; `run_epoch` is where it goes in.
//! - A head-only update freezes `Encoder::embed` (the residual stream of a segment is computed
//!   once) and trains `Encoder::read`: `head` and `norm` are fields of their own, and the
//!   exporter takes any encoder, so an adapted head reaches the kernel as a new weights file.
//! - Recurrent policies train on the same streams: a rollout is the kernel's own streaming step
//!   in the simulated exchange, an update is a banded pass over the recorded tokens with another
//!   loss on `Encoder::embed`. `docs/models.md` states the environment's contract.

use crate::attention::Band;
use crate::checkpoint::{CheckpointError, Checkpoints, MemberState};
use crate::encoder::EncoderShape;
use crate::loss::{LabelWeights, loss};
use crate::modal::ModalEncoder;
use crate::optimizer::SplitAdamW;
use crate::rng::Stream;
use crate::sequences::{BatchPlan, Block, Mirror, Part, batch, blocks, bootstrap};
use crate::slots::SlotSettings;
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
    /// A checkpoint cannot be written or used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
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
    /// What labels count in training.
    pub weights: LabelWeights,
    /// The exchange of buyers and sellers, where the settings ask for it.
    pub mirror: Option<Mirror>,
    /// Slots of the model; [`crate::slots::NO_SLOTS`] for the order book alone.
    pub slots: &'a SlotSettings,
    /// Member, from 0.
    pub member: usize,
    /// Seed of weights, bootstrap and order.
    pub seed: u64,
    /// Whether to train on a bootstrap sample of the sequences instead of each once.
    pub bootstrap: bool,
    /// Where to keep states and under which name; kept nowhere where missing.
    pub checkpoints: Option<(&'a Checkpoints, &'a str)>,
}

/// Trains one member and returns the weights of its best epoch.
///
/// Everything random comes from streams known by seed and epoch, so a fit that was interrupted
/// and goes on from its checkpoint ends with the same bits.
///
/// # Errors
/// [`TrainError`] where a part is too short, the loss diverges or a checkpoint cannot be used.
pub fn train_member<B: AutodiffBackend>(
    task: &MemberTask,
    device: &B::Device,
    report: &mut dyn FnMut(&Progress),
) -> Result<(ModalEncoder<B::InnerBackend>, MemberHistory), TrainError> {
    let MemberTask { settings, member, .. } = *task;
    let length = settings.sequence_tokens;
    let all = require_blocks(task.train, length, "training")?;
    require_blocks(task.validation, length, "validation")?;
    let mut draws = Stream::new(task.seed, "bootstrap");
    let sample = if task.bootstrap { bootstrap(task.train, &all, &mut draws) } else { all };
    let mut state = begin::<B>(task, device)?;
    let steps = settings.epochs * sample.len().div_ceil(settings.batch_sequences);
    while !state.finished {
        let epoch = state.history.epochs.len() + 1;
        let (train_loss, gradient_norm);
        (state, train_loss, gradient_norm) =
            run_epoch(state, task, &sample, (epoch, steps), device, report)?;
        let valid = state.model.valid();
        let validation_loss = mean_loss(&valid, task.validation, settings, device);
        let record = EpochRecord { epoch, train_loss, validation_loss, gradient_norm };
        state.history.epochs.push(record);
        report(&Progress::Epoch { member, epoch: record });
        if state.best.as_ref().is_none_or(|(loss, _)| validation_loss < *loss) {
            state.history.best_epoch = epoch;
            state.best = Some((validation_loss, valid));
        }
        let patience = epoch - state.history.best_epoch >= settings.patience_epochs;
        state.finished = patience || epoch >= settings.epochs;
        if let Some((checkpoints, name)) = task.checkpoints {
            checkpoints.save(name, &state)?;
        }
    }
    let step = state.history.steps;
    let (_, model) = state.best.ok_or(TrainError::Diverged { member, step })?;
    Ok((model, state.history))
}

/// Returns the member's state from its checkpoint, or a new one.
fn begin<B: AutodiffBackend>(
    task: &MemberTask,
    device: &B::Device,
) -> Result<MemberState<B>, TrainError> {
    let optimizer = |model: &ModalEncoder<B>| SplitAdamW::new(model, task.settings);
    let slots = &task.slots.slot;
    if let Some((checkpoints, name)) = task.checkpoints
        && let Some(state) = checkpoints.load(name, (&task.shape, slots), optimizer, device)?
    {
        return Ok(state);
    }
    let model = ModalEncoder::<B>::new(&task.shape, slots, task.seed, device);
    let history = MemberHistory { seed: task.seed, epochs: Vec::new(), best_epoch: 0, steps: 0 };
    Ok(MemberState { optimizer: optimizer(&model), model, history, best: None, finished: false })
}

/// Runs one epoch; returns the state, the mean loss and the mean norm of the gradient.
fn run_epoch<B: AutodiffBackend>(
    mut state: MemberState<B>,
    task: &MemberTask,
    sample: &[Block],
    (epoch, steps): (usize, usize),
    device: &B::Device,
    report: &mut dyn FnMut(&Progress),
) -> Result<(MemberState<B>, f64, f64), TrainError> {
    let MemberTask { settings, member, .. } = *task;
    let length = settings.sequence_tokens;
    let band = Band::new(task.shape.window, length / task.shape.window, device);
    let mut rng = Stream::new(task.seed, &format!("epoch {epoch}"));
    let mut order = sample.to_vec();
    rng.shuffle(&mut order);
    let shift = rng.below(length);
    let (mut loss_sum, mut norm_sum, mut count) = (0.0, 0.0, 0.0);
    for chosen in order.chunks(settings.batch_sequences) {
        let coins: Vec<bool> = chosen.iter().map(|_| rng.below(2) == 1).collect();
        let mirrored = task.mirror.as_ref().map(|m| (m, coins.as_slice()));
        let dropped = dropped(task.slots, chosen.len(), &mut rng);
        let plan = BatchPlan { shift, weights: Some(&task.weights), mirrored, dropped: &dropped };
        let data = batch::<B>(task.train, chosen, length, plan, device);
        let (outputs, _) = state.model.forward_banded(data.inputs, &data.slots, &band);
        let loss = loss(outputs, &data.targets, settings.loss_weights());
        let value = scalar(loss.clone());
        state.history.steps += 1;
        let step = state.history.steps;
        if !value.is_finite() {
            return Err(TrainError::Diverged { member, step });
        }
        let rate = settings.learning_rate_at(step - 1, steps);
        let norm;
        (state.model, norm) = state.optimizer.step(state.model, loss, rate, settings.clip_norm);
        (loss_sum, norm_sum, count) = (loss_sum + value, norm_sum + norm, count + 1.0);
        let tokens = chosen.len() * length;
        report(&Progress::Step { member, step, steps, loss: value, tokens });
    }
    Ok((state, loss_sum / count, norm_sum / count))
}

/// Draws which slots are missing in a batch; draws nothing where there are none.
fn dropped(slots: &SlotSettings, sequences: usize, rng: &mut Stream) -> Vec<bool> {
    (0..sequences * slots.slot.len()).map(|_| rng.uniform() < slots.drop_probability).collect()
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
    model: &ModalEncoder<B>,
    parts: &[Part],
    settings: &TrainSettings,
    device: &B::Device,
) -> f64 {
    let length = settings.sequence_tokens;
    let window = model.encoder.shape().window;
    let band = Band::new(window, length / window, device);
    let (mut sum, mut count) = (0.0, 0usize);
    for chosen in blocks(parts, length).chunks(settings.batch_sequences) {
        let data = batch::<B>(parts, chosen, length, BatchPlan::default(), device);
        let (outputs, _) = model.forward_banded(data.inputs, &data.slots, &band);
        let value = scalar(loss(outputs, &data.targets, settings.loss_weights()));
        sum += value * data.targets.count as f64;
        count += data.targets.count;
    }
    sum / count.max(1) as f64
}

fn scalar<B: Backend>(one: burn::tensor::Tensor<B, 1>) -> f64 {
    one.into_scalar().elem::<f64>()
}
