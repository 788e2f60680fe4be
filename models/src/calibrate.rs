//! Sets the scale of the forecast variance on the validation part.
//!
//! Gaussian likelihood leaves a trained variance too small where the model overfits. One factor a
//! horizon, the mean squared standardised error on data that did not move the weights, is the
//! maximum-likelihood repair; it goes into the bias of the log-variance row.

use crate::attention::Band;
use crate::encoder::OUTPUTS_PER_HORIZON;
use crate::loss::LOG_VAR_BOUND;
use crate::modal::ModalEncoder;
use crate::sequences::{BatchPlan, Part, batch, blocks};
use crate::train::TrainSettings;
use burn::module::Param;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use ijk_core::forecast::HORIZON_COUNT;

/// Multiplies the variances of `model` so that its standardised errors on `parts` have mean
/// square one; returns the factors.
pub fn calibrate_variance<B: Backend>(
    model: &mut ModalEncoder<B>,
    parts: &[Part],
    settings: &TrainSettings,
    device: &B::Device,
) -> [f64; HORIZON_COUNT] {
    let factors = mean_squared_z(model, parts, settings, device);
    let head = &mut model.encoder.head;
    let Some(bias) = &head.bias else { return [1.0; HORIZON_COUNT] };
    let mut values = bias.val().into_data().convert::<f32>().into_vec().unwrap_or_default();
    for (h, factor) in factors.iter().enumerate() {
        values[h * OUTPUTS_PER_HORIZON + 4] += factor.ln() as f32;
    }
    let length = values.len();
    head.bias = Some(Param::from_data(TensorData::new::<f32, _>(values, [length]), device));
    factors
}

/// Mean squared standardised error per horizon; 1 where there is no label.
pub fn mean_squared_z<B: Backend>(
    model: &ModalEncoder<B>,
    parts: &[Part],
    settings: &TrainSettings,
    device: &B::Device,
) -> [f64; HORIZON_COUNT] {
    let length = settings.sequence_tokens;
    let window = model.encoder.shape().window;
    let band = Band::new(window, length / window, device);
    let (mut sum, mut count) = ([0.0f64; HORIZON_COUNT], [0.0f64; HORIZON_COUNT]);
    for chosen in blocks(parts, length).chunks(settings.batch_sequences) {
        let data = batch::<B>(parts, chosen, length, BatchPlan::default(), device);
        let (outputs, _): (Tensor<B, 3>, _) = model.forward_banded(data.inputs, &data.slots, &band);
        let outputs: Vec<f32> = outputs.into_data().convert::<f32>().into_vec().unwrap_or_default();
        let starts = chosen.iter().flat_map(|b| {
            (b.index * length..(b.index + 1) * length).map(|t| &parts[b.part].targets[t])
        });
        for (row, targets) in outputs.chunks(HORIZON_COUNT * OUTPUTS_PER_HORIZON).zip(starts) {
            for h in (0..HORIZON_COUNT).filter(|&h| targets[h].is_finite()) {
                let (mean, log_var) = (f64::from(row[h * 5 + 3]), f64::from(row[h * 5 + 4]));
                let log_var = log_var.clamp(-LOG_VAR_BOUND, LOG_VAR_BOUND);
                sum[h] += (f64::from(targets[h]) - mean).powi(2) * (-log_var).exp();
                count[h] += 1.0;
            }
        }
    }
    std::array::from_fn(|h| if count[h] > 0.0 { sum[h] / count[h] } else { 1.0 })
}
