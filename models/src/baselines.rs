//! What the encoder has to beat, trained on the same rows: the majority class, multinomial
//! logistic regression and gradient-boosted trees on the twelve features of one token.

use forust_ml::Matrix;
use forust_ml::gradientbooster::GradientBooster;
use forust_ml::objective::ObjectiveType;
use ijk_core::features::FEATURE_COUNT;
use linfa::Dataset;
use linfa::traits::Fit;
use linfa_logistic::{MultiFittedLogisticRegression, MultiLogisticRegression};
use ndarray::{Array1, Array2, ArrayView2};

/// Weight of the squared coefficients of the logistic regression, against the sum of the losses.
const RIDGE: f64 = 1.0;
/// Trees a class; their depth and learning rate below: the usual choice for a few thousand noisy
/// rows, fixed before any result was seen.
const TREES: usize = 100;
const DEPTH: usize = 4;
const LEARNING_RATE: f32 = 0.05;
/// Smallest sum of hessians of a leaf, about four times as many rows.
const LEAF_WEIGHT: f32 = 20.0;

/// Why a baseline cannot be trained.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaselineError {
    /// A class never occurs.
    #[error("the training rows have no label of class {0} (0 down, 1 flat, 2 up)")]
    NoClass(u8),
    /// The optimiser failed.
    #[error("{model}: {reason}")]
    Failed {
        /// Which baseline.
        model: &'static str,
        /// What its library says.
        reason: String,
    },
}

/// The baselines at one horizon.
pub struct Baselines {
    prior: [f64; 3],
    logistic: MultiFittedLogisticRegression<f64, usize>,
    /// One against the rest, per class.
    boosted: Vec<GradientBooster>,
}

/// Names in the order of [`Baselines::probabilities`].
pub const NAMES: [&str; 3] = ["majority", "logistic", "boosted"];

impl Baselines {
    /// Trains on scaled features and their classes, row by row.
    ///
    /// # Errors
    /// [`BaselineError`] where a class never occurs or a library gives up.
    pub fn fit(inputs: &[[f32; FEATURE_COUNT]], classes: &[u8]) -> Result<Self, BaselineError> {
        assert_eq!(inputs.len(), classes.len(), "one class per row");
        let n = classes.len();
        let mut prior = [0.0; 3];
        classes.iter().for_each(|&c| prior[usize::from(c)] += 1.0 / n.max(1) as f64);
        if let Some(c) = (0..3u8).find(|&c| prior[usize::from(c)] == 0.0) {
            return Err(BaselineError::NoClass(c));
        }
        let rows: Vec<f64> = inputs.iter().flatten().map(|&v| f64::from(v)).collect();
        let failed = |model, reason: String| BaselineError::Failed { model, reason };
        let records = Array2::from_shape_vec((n, FEATURE_COUNT), rows)
            .map_err(|e| failed("logistic", e.to_string()))?;
        // Column by column, as the booster wants it.
        let columns: Vec<f64> = records.t().iter().copied().collect();
        let targets: Array1<usize> = classes.iter().map(|&c| usize::from(c)).collect();
        let logistic = MultiLogisticRegression::default()
            .alpha(RIDGE)
            .max_iterations(200)
            .fit(&Dataset::new(records, targets))
            .map_err(|e| failed("logistic", e.to_string()))?;
        let mut boosted = Vec::new();
        for class in 0..3u8 {
            let y: Vec<f64> = classes.iter().map(|&c| f64::from(u8::from(c == class))).collect();
            let mut booster = GradientBooster::default()
                .set_objective_type(ObjectiveType::LogLoss)
                .set_iterations(TREES)
                .set_max_depth(DEPTH)
                .set_learning_rate(LEARNING_RATE)
                .set_min_leaf_weight(LEAF_WEIGHT)
                .set_parallel(false);
            booster
                .fit_unweighted(&Matrix::new(&columns, n, FEATURE_COUNT), &y, None)
                .map_err(|e| failed("boosted", e.to_string()))?;
            boosted.push(booster);
        }
        Ok(Baselines { prior, logistic, boosted })
    }

    /// Returns the probabilities of down, flat and up of every row, per baseline in the order of
    /// [`NAMES`].
    pub fn probabilities(&self, inputs: &[[f32; FEATURE_COUNT]]) -> [Vec<[f64; 3]>; 3] {
        let n = inputs.len();
        let rows: Vec<f64> = inputs.iter().flatten().map(|&v| f64::from(v)).collect();
        let columns: Vec<f64> =
            (0..FEATURE_COUNT).flat_map(|i| inputs.iter().map(move |r| f64::from(r[i]))).collect();
        let majority = vec![self.prior; n];
        let logistic = ArrayView2::from_shape((n, FEATURE_COUNT), &rows)
            .map(|x| self.logistic.predict_probabilities(&x))
            .map(|p| p.rows().into_iter().map(|r| std::array::from_fn(|c| r[c])).collect())
            .unwrap_or_default();
        let matrix = Matrix::new(&columns, n, FEATURE_COUNT);
        let odds: Vec<Vec<f64>> = self.boosted.iter().map(|b| b.predict(&matrix, false)).collect();
        let boosted = (0..n).map(|i| {
            let p: [f64; 3] = std::array::from_fn(|c| 1.0 / (1.0 + (-odds[c][i]).exp()));
            let sum: f64 = p.iter().sum();
            p.map(|v| v / sum)
        });
        [majority, logistic, boosted.collect()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    fn rows(n: usize, seed: u64) -> Vec<[f32; FEATURE_COUNT]> {
        let mut rng = Stream::new(seed, "baselines");
        (0..n).map(|_| std::array::from_fn(|_| 4.0 * rng.uniform() as f32 - 2.0)).collect()
    }

    fn log_loss(p: &[[f64; 3]], classes: &[u8]) -> f64 {
        let loss = |(p, &c): (&[f64; 3], &u8)| -p[usize::from(c)].ln();
        p.iter().zip(classes).map(loss).sum::<f64>() / p.len() as f64
    }

    #[test]
    fn each_finds_what_it_can() {
        // A linear rule for the logistic regression; an exclusive or for the trees.
        let linear = |x: &[f32; FEATURE_COUNT]| match x[0] + x[3] {
            v if v < -0.7 => 0,
            v if v > 0.7 => 2,
            _ => 1,
        };
        let xor = |x: &[f32; FEATURE_COUNT]| match (x[0] > 0.0, x[1] > 0.0) {
            (true, true) => 0,
            (false, false) => 2,
            _ => 1,
        };
        let (train, fresh) = (rows(3_000, 1), rows(1_000, 2));
        let of = |rule: &dyn Fn(&[f32; FEATURE_COUNT]) -> u8| {
            let classes: Vec<u8> = train.iter().map(rule).collect();
            let truth: Vec<u8> = fresh.iter().map(rule).collect();
            let model = Baselines::fit(&train, &classes).unwrap();
            let all = model.probabilities(&fresh);
            for p in all.iter().flatten() {
                assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            }
            all.map(|p| log_loss(&p, &truth))
        };
        let [majority, logistic, boosted] = of(&linear);
        assert!(logistic < 0.3 * majority && boosted < 0.5 * majority, "{logistic} {boosted}");
        let [majority, logistic, boosted] = of(&xor);
        assert!(boosted < 0.25 * majority && boosted < 0.5 * logistic, "{logistic} {boosted}");
    }

    #[test]
    fn rows_without_a_class_are_refused() {
        let inputs = rows(10, 3);
        let e = Baselines::fit(&inputs, &[1; 10]).err().unwrap();
        assert_eq!(e, BaselineError::NoClass(0));
        assert_eq!(Baselines::fit(&[], &[]).err().unwrap(), BaselineError::NoClass(0));
    }
}
