//! Settings of the training loop and the schedule of the learning rate.

use crate::encoder::EncoderShape;
use crate::loss::LossWeights;
use ijk_core::forecast::HORIZON_COUNT;

/// Weight of down, flat and up per horizon.
pub type ClassWeights = [[f64; 3]; HORIZON_COUNT];

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
    /// Share of the true class's weight given to all three alike (Szegedy et al. 2016).
    pub label_smoothing: f64,
    /// Classes weigh `share^-this` of the training part, scaled to mean one: 0 leaves them as
    /// they are (best log loss), 1 balances them.
    pub class_balance: f64,
    /// Weight of each horizon in the loss; at least 0, one above.
    pub horizon_weights: [f64; HORIZON_COUNT],
    /// Shows half of the sequences with buyers and sellers exchanged.
    pub mirror: bool,
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
            label_smoothing: 0.0,
            class_balance: 0.0,
            horizon_weights: [1.0; HORIZON_COUNT],
            mirror: false,
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
            ("label_smoothing", self.label_smoothing),
            ("class_balance", self.class_balance),
        ];
        if let Some((name, _)) = fractions.iter().find(|(_, v)| !(0.0..=1.0).contains(v)) {
            return Err(format!("{name} must lie between 0 and 1"));
        }
        let weights = [self.class_weight, self.regression_weight];
        if weights.iter().any(|w| !(*w >= 0.0 && w.is_finite())) || weights == [0.0, 0.0] {
            return Err("class_weight and regression_weight must be at least 0, one above".into());
        }
        let horizons = self.horizon_weights;
        if horizons.iter().any(|w| !(*w >= 0.0 && w.is_finite())) || horizons == [0.0; 4] {
            return Err("horizon_weights must be at least 0, one above".into());
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

    /// Returns the shares of the loss's two terms.
    pub fn loss_weights(&self) -> LossWeights {
        LossWeights { class: self.class_weight, regression: self.regression_weight }
    }

    /// Returns how much each class counts, per horizon, for training labels with these class
    /// shares. The mean over the training labels is one.
    pub fn class_weights(&self, prior: &[[f64; 3]; HORIZON_COUNT]) -> ClassWeights {
        prior.map(|shares| {
            let raw = shares.map(|s| s.max(1e-6).powf(-self.class_balance));
            let mean: f64 = raw.iter().zip(shares).map(|(w, s)| w * s).sum();
            raw.map(|w| w / mean)
        })
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
