//! The training loop of one member: AdamW, warm-up and cosine decay, clipped gradients, early
//! stopping on the validation loss.

use crate::attention::Band;
use crate::encoder::{Encoder, EncoderShape};
use crate::grads::{clip_global_norm, parameter_groups};
use crate::loss::{LossWeights, loss};
use crate::rng::Stream;
use crate::sequences::{Block, Part, batch, blocks, bootstrap};
use burn::module::AutodiffModule;
use burn::optim::{AdamWConfig, GradientsParams, Optimizer};
use burn::tensor::backend::{AutodiffBackend, Backend};

/// Settings of the loop; a member differs from another only by its seed.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainSettings {
    /// Passes over the training sequences, at most.
    pub epochs: usize,
    /// Sequences of one step.
    pub batch_sequences: usize,
    /// Tokens of one sequence; a multiple of the encoder's window.
    pub sequence_tokens: usize,
    /// Largest learning rate.
    pub learning_rate: f64,
    /// Learning rate at the end, fraction of the largest.
    pub learning_rate_end_fraction: f64,
    /// Part of all steps that raises the learning rate from zero.
    pub warm_up_fraction: f64,
    /// Decoupled weight decay of the matrices.
    pub weight_decay: f64,
    /// Largest norm of the whole gradient.
    pub clip_norm: f64,
    /// Weight of the cross-entropy in the loss.
    pub class_weight: f64,
    /// Weight of the negative log-likelihood in the loss.
    pub regression_weight: f64,
    /// Epochs without a better validation loss before stopping.
    pub patience_epochs: usize,
}

impl Default for TrainSettings {
    fn default() -> Self {
        TrainSettings {
            epochs: 5,
            batch_sequences: 8,
            sequence_tokens: 256,
            learning_rate: 1e-3,
            learning_rate_end_fraction: 0.02,
            warm_up_fraction: 0.05,
            weight_decay: 0.01,
            clip_norm: 1.0,
            class_weight: 1.0,
            regression_weight: 1.0,
            patience_epochs: 2,
        }
    }
}

impl TrainSettings {
    /// Returns the first setting that cannot work, and why.
    ///
    /// # Errors
    /// A sentence naming the setting and what it must be.
    pub fn check(&self, shape: &EncoderShape) -> Result<(), String> {
        let positive = [
            ("epochs", self.epochs as f64),
            ("batch_sequences", self.batch_sequences as f64),
            ("sequence_tokens", self.sequence_tokens as f64),
            ("learning_rate", self.learning_rate),
            ("clip_norm", self.clip_norm),
            ("patience_epochs", self.patience_epochs as f64),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, v)| !(*v > 0.0 && v.is_finite())) {
            return Err(format!("{name} must be positive"));
        }
        let fractions = [
            ("learning_rate_end_fraction", self.learning_rate_end_fraction),
            ("warm_up_fraction", self.warm_up_fraction),
            ("weight_decay", self.weight_decay),
        ];
        if let Some((name, _)) = fractions.iter().find(|(_, v)| !(0.0..=1.0).contains(v)) {
            return Err(format!("{name} must lie between 0 and 1"));
        }
        let weights = [self.class_weight, self.regression_weight];
        if weights.iter().any(|w| !(*w >= 0.0 && w.is_finite())) || weights == [0.0, 0.0] {
            return Err("class_weight and regression_weight must be at least 0, one above".into());
        }
        if !self.sequence_tokens.is_multiple_of(shape.window) {
            let window = shape.window;
            return Err(format!("sequence_tokens must be a multiple of the window, {window}"));
        }
        Ok(())
    }

    /// Returns the learning rate of `step` of `steps`: linear warm-up, then half a cosine.
    pub fn learning_rate_at(&self, step: usize, steps: usize) -> f64 {
        let warm_up = (self.warm_up_fraction * steps as f64).ceil();
        let done = step as f64 + 1.0;
        if done <= warm_up {
            return self.learning_rate * done / warm_up;
        }
        let through = (done - warm_up) / (steps as f64 - warm_up).max(1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * through.min(1.0)).cos());
        let end = self.learning_rate_end_fraction;
        self.learning_rate * (end + (1.0 - end) * cosine)
    }

    fn loss_weights(&self) -> LossWeights {
        LossWeights { class: self.class_weight, regression: self.regression_weight }
    }
}

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

fn scalar<B: Backend>(one: Tensor1<B>) -> f64 {
    use burn::tensor::ElementConversion;
    one.into_scalar().elem::<f64>()
}

type Tensor1<B> = burn::tensor::Tensor<B, 1>;

/// AdamW with weight decay on the matrices only; biases, norms and age biases have none.
struct SplitAdamW<B: AutodiffBackend> {
    decayed: burn::optim::adaptor::OptimizerAdaptor<burn::optim::AdamW, Encoder<B>, B>,
    plain: burn::optim::adaptor::OptimizerAdaptor<burn::optim::AdamW, Encoder<B>, B>,
    groups: crate::grads::ParameterGroups,
}

impl<B: AutodiffBackend> SplitAdamW<B> {
    fn new(model: &Encoder<B>, settings: &TrainSettings) -> SplitAdamW<B> {
        let config = AdamWConfig::new().with_beta_2(0.99).with_epsilon(1e-8);
        let decay = settings.weight_decay as f32;
        SplitAdamW {
            decayed: config.clone().with_weight_decay(decay).init(),
            plain: config.with_weight_decay(0.0).init(),
            groups: parameter_groups(model),
        }
    }

    /// One step down the clipped gradient; returns the gradient's norm before clipping.
    fn step(
        &mut self,
        model: Encoder<B>,
        loss: Tensor1<B>,
        rate: f64,
        clip_norm: f64,
    ) -> (Encoder<B>, f64) {
        let mut grads = loss.backward();
        let mut matrices =
            GradientsParams::from_params::<B, _>(&mut grads, &model, &self.groups.matrices);
        let mut rest = GradientsParams::from_params::<B, _>(&mut grads, &model, &self.groups.rest);
        let norm = clip_global_norm::<B>(&model, &mut [&mut matrices, &mut rest], clip_norm);
        let model = self.decayed.step(rate, model, matrices);
        (self.plain.step(rate, model, rest), norm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_learning_rate_rises_then_falls_to_its_end() {
        let s = TrainSettings { warm_up_fraction: 0.1, ..Default::default() };
        let rates: Vec<f64> = (0..100).map(|i| s.learning_rate_at(i, 100)).collect();
        assert!((rates[0] - 1e-4).abs() < 1e-12 && (rates[9] - 1e-3).abs() < 1e-12);
        assert!(rates[..10].windows(2).all(|w| w[0] < w[1]));
        assert!(rates[9..].windows(2).all(|w| w[0] > w[1]));
        assert!((rates[99] - 2e-5).abs() < 1e-12, "{}", rates[99]);
    }

    #[test]
    fn impossible_settings_are_named() {
        let shape = EncoderShape::default();
        let bad = |change: fn(&mut TrainSettings)| {
            let mut s = TrainSettings::default();
            change(&mut s);
            s.check(&shape).unwrap_err()
        };
        assert!(TrainSettings::default().check(&shape).is_ok());
        assert!(bad(|s| s.sequence_tokens = 100).contains("sequence_tokens"));
        assert!(bad(|s| s.learning_rate = f64::NAN).contains("learning_rate"));
        assert!(bad(|s| s.warm_up_fraction = 1.5).contains("warm_up_fraction"));
        assert!(bad(|s| s.epochs = 0).contains("epochs"));
        assert!(
            bad(|s| (s.class_weight, s.regression_weight) = (0.0, 0.0)).contains("class_weight")
        );
    }
}
