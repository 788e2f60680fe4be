//! The training loss: cross-entropy of the classes plus Gaussian negative log-likelihood of the
//! standardised labels, averaged over every token and horizon that has a label.

use crate::encoder::OUTPUTS_PER_HORIZON;
use crate::settings::ClassWeights;
use burn::tensor::activation::log_softmax;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use ijk_core::forecast::HORIZON_COUNT;

/// Bound of the standardised log variance, either side.
pub const LOG_VAR_BOUND: f64 = 10.0;

/// Share of the two terms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossWeights {
    /// Weight of the cross-entropy.
    pub class: f64,
    /// Weight of the negative log-likelihood.
    pub regression: f64,
}

/// How much each label counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabelWeights {
    /// Per horizon, in both terms.
    pub horizon: [f64; HORIZON_COUNT],
    /// Per horizon and true class, in the cross-entropy.
    pub class: ClassWeights,
    /// Share of the true class's weight given to all three alike.
    pub smoothing: f64,
}

impl Default for LabelWeights {
    /// Returns weights under which every label counts once.
    fn default() -> Self {
        let class = [[1.0; 3]; HORIZON_COUNT];
        LabelWeights { horizon: [1.0; HORIZON_COUNT], class, smoothing: 0.0 }
    }
}

/// What a batch should have been forecast as.
#[derive(Clone, Debug)]
pub struct Targets<B: Backend> {
    /// Standardised labels, `[batch, tokens, horizons]`; zero where missing.
    value: Tensor<B, 3>,
    /// The label's weight in the place of the true class, `[batch, tokens, horizons, 3]`; zeros
    /// where missing.
    one_hot: Tensor<B, 4>,
    /// The horizon's weight where the label exists, zero elsewhere,
    /// `[batch, tokens, horizons]`.
    present: Tensor<B, 3>,
    /// Labels present.
    pub count: usize,
}

impl<B: Backend> Targets<B> {
    /// Builds the tensors from rows of standardised labels (NaN where missing) and classes.
    pub fn new(
        values: &[[f32; HORIZON_COUNT]],
        classes: &[[u8; HORIZON_COUNT]],
        batch: usize,
        device: &B::Device,
    ) -> Targets<B> {
        Targets::weighted(values, classes, batch, &LabelWeights::default(), device)
    }

    /// The same with labels that count differently.
    pub fn weighted(
        values: &[[f32; HORIZON_COUNT]],
        classes: &[[u8; HORIZON_COUNT]],
        batch: usize,
        weights: &LabelWeights,
        device: &B::Device,
    ) -> Targets<B> {
        assert_eq!(values.len(), classes.len(), "one row of classes per row of labels");
        let tokens = values.len() / batch;
        let flat: Vec<f32> = values.iter().flatten().copied().collect();
        let horizon = |i: usize| weights.horizon[i % HORIZON_COUNT] as f32;
        let weigh = |(i, v): (usize, &f32)| if v.is_finite() { horizon(i) } else { 0.0 };
        let present: Vec<f32> = flat.iter().enumerate().map(weigh).collect();
        let mut one_hot = vec![0.0f32; flat.len() * 3];
        for (i, &class) in classes.iter().flatten().enumerate() {
            let weight = present[i] * weights.class[i % HORIZON_COUNT][usize::from(class)] as f32;
            let smooth = weights.smoothing as f32;
            one_hot[i * 3..][..3].fill(weight * smooth / 3.0);
            one_hot[i * 3 + usize::from(class)] += weight * (1.0 - smooth);
        }
        let count = flat.iter().filter(|v| v.is_finite()).count();
        let value = flat.iter().map(|v| if v.is_finite() { *v } else { 0.0 }).collect::<Vec<_>>();
        let shape = [batch, tokens, HORIZON_COUNT];
        Targets {
            value: Tensor::from_data(TensorData::new(value, shape), device),
            one_hot: Tensor::from_data(
                TensorData::new(one_hot, [batch, tokens, HORIZON_COUNT, 3]),
                device,
            ),
            present: Tensor::from_data(TensorData::new(present, shape), device),
            count,
        }
    }
}

/// Returns the loss of raw outputs `[batch, tokens, 20]`, one number; zero without labels.
pub fn loss<B: Backend>(
    outputs: Tensor<B, 3>,
    targets: &Targets<B>,
    weights: LossWeights,
) -> Tensor<B, 1> {
    let [batch, tokens, _] = outputs.dims();
    let rows = [batch, tokens, HORIZON_COUNT];
    let by_horizon = outputs.reshape([batch, tokens, HORIZON_COUNT, OUTPUTS_PER_HORIZON]);
    let columns = |from: usize, to: usize| {
        by_horizon.clone().slice([0..batch, 0..tokens, 0..HORIZON_COUNT, from..to])
    };
    let log_p = log_softmax(columns(0, 3), 3);
    let cross_entropy = (log_p * targets.one_hot.clone()).sum().neg();
    let mean = columns(3, 4).reshape(rows);
    let log_var = columns(4, 5).reshape(rows).clamp(-LOG_VAR_BOUND, LOG_VAR_BOUND);
    let error = targets.value.clone() - mean;
    let likelihood = log_var.clone() + error.clone() * error * log_var.neg().exp();
    let negative = (likelihood * targets.present.clone()).sum().mul_scalar(0.5);
    let total = cross_entropy.mul_scalar(weights.class) + negative.mul_scalar(weights.regression);
    total.div_scalar(targets.count.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::backend::Flex;

    #[test]
    fn loss_by_hand() {
        // One token. Horizon 0: logits 0, so ln 3; mean 1, log variance ln 4, label 3:
        // (ln 4 + (3 - 1)^2 / 4) / 2. The other horizons have no label.
        let device = Default::default();
        let mut out = vec![0.0f32; 20];
        (out[3], out[4]) = (1.0, 4.0f32.ln());
        let outputs = Tensor::<Flex, 3>::from_data(TensorData::new(out, [1, 1, 20]), &device);
        let nan = f32::NAN;
        let targets = Targets::new(&[[3.0, nan, nan, nan]], &[[2, 0, 0, 0]], 1, &device);
        assert_eq!(targets.count, 1);
        let of = |class, regression| {
            loss(outputs.clone(), &targets, LossWeights { class, regression }).into_scalar()
        };
        assert!((of(1.0, 0.0) - 3.0f32.ln()).abs() < 1e-6);
        assert!((of(0.0, 1.0) - 0.5 * (4.0f32.ln() + 1.0)).abs() < 1e-6);
        assert!((of(2.0, 3.0) - 2.0 * of(1.0, 0.0) - 3.0 * of(0.0, 1.0)).abs() < 1e-5);
    }

    #[test]
    fn weights_and_smoothing_by_hand() {
        // Logits 0, 1, 3 at horizon 1; true class up weighs 2, the horizon 3, smoothing 0.3:
        // 3 * 2 * (0.3 / 3 * (-lp0 - lp1 - lp2) - 0.7 * lp2).
        let device = Default::default();
        let mut out = vec![0.0f32; 20];
        (out[6], out[7]) = (1.0, 3.0);
        let outputs = Tensor::<Flex, 3>::from_data(TensorData::new(out, [1, 1, 20]), &device);
        let mut weights = LabelWeights { smoothing: 0.3, ..LabelWeights::default() };
        (weights.horizon[1], weights.class[1][2]) = (3.0, 2.0);
        let nan = f32::NAN;
        let rows = ([[nan, 0.5, nan, nan]], [[1, 2, 1, 1]]);
        let targets = Targets::weighted(&rows.0, &rows.1, 1, &weights, &device);
        let shares = LossWeights { class: 1.0, regression: 1.0 };
        let got: f32 = loss(outputs, &targets, shares).into_scalar();
        let norm = (1.0 + 1.0f32.exp() + 3.0f32.exp()).ln();
        let lp = [-norm, 1.0 - norm, 3.0 - norm];
        let class = 6.0 * (-0.1 * (lp[0] + lp[1] + lp[2]) - 0.7 * lp[2]);
        let expected = class + 3.0 * 0.5 * 0.25;
        assert!((got - expected).abs() < 1e-5, "{got} {expected}");
    }

    #[test]
    fn log_variance_is_bounded() {
        let device = Default::default();
        let mut out = vec![0.0f32; 20];
        out[4] = -50.0;
        let outputs = Tensor::<Flex, 3>::from_data(TensorData::new(out, [1, 1, 20]), &device);
        let nan = f32::NAN;
        let targets = Targets::new(&[[1.0, nan, nan, nan]], &[[1, 0, 0, 0]], 1, &device);
        let weights = LossWeights { class: 0.0, regression: 1.0 };
        let expected = 0.5 * (-10.0 + 10.0f32.exp());
        let got: f32 = loss(outputs, &targets, weights).into_scalar();
        assert!((got / expected - 1.0).abs() < 1e-5, "{got} {expected}");
    }
}
