//! What the encoder learns to forecast: smoothed returns over four horizons, their classes and
//! their scale.

use ijk_core::forecast::{HORIZON_COUNT, HORIZONS};

/// Tokens a label looks ahead at most: parts of a split lie at least this far apart.
pub const EMBARGO_TOKENS: usize = HORIZONS[HORIZON_COUNT - 1] as usize;

/// One token's labels in basis points; NaN where a mid inside the horizon is missing.
pub type LabelRow = [f64; HORIZON_COUNT];

/// Returns `1e4 (mean(m[k+1..=k+h]) / m[k] - 1)` for every token `k` and horizon `h`.
///
/// A mid that is NaN (a book without two sides) or lies past the end leaves NaN in every label
/// that needs it.
pub fn labels(mids: &[f64]) -> Vec<LabelRow> {
    let label = |k: usize, horizon: usize| {
        let Some(future) = mids.get(k + 1..=k + horizon) else { return f64::NAN };
        let mean = future.iter().sum::<f64>() / horizon as f64;
        1e4 * (mean / mids[k] - 1.0)
    };
    (0..mids.len()).map(|k| HORIZONS.map(|h| label(k, h as usize))).collect()
}

/// Down, flat and up as numbers 0, 1, 2.
pub fn class_of(label_bps: f64, threshold_bps: f64) -> u8 {
    if label_bps < -threshold_bps {
        0
    } else if label_bps > threshold_bps {
        2
    } else {
        1
    }
}

/// What the training labels say of the labels' size: every number per horizon.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LabelScale {
    /// Class threshold θ: half the mean absolute label, basis points.
    pub threshold_bps: [f64; HORIZON_COUNT],
    /// Standard deviation, basis points: the unit of the mean head.
    pub scale_bps: [f64; HORIZON_COUNT],
    /// Mean, basis points.
    pub mean_bps: [f64; HORIZON_COUNT],
    /// Share of down, flat and up.
    pub prior: [[f64; 3]; HORIZON_COUNT],
}

/// Why labels give no scale.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ScaleError {
    /// Nothing to measure.
    #[error("the training part has no complete label at horizon {horizon} tokens; give more data")]
    NoLabels {
        /// Horizon in tokens.
        horizon: u32,
    },
    /// The price never moves.
    #[error("every training label at horizon {horizon} tokens is the same; the data never moves")]
    Constant {
        /// Horizon in tokens.
        horizon: u32,
    },
}

impl LabelScale {
    /// Measures the labels of the training part.
    ///
    /// # Errors
    /// [`ScaleError`] where a horizon has no label or no variance.
    pub fn fit<'a>(
        rows: impl Iterator<Item = &'a LabelRow> + Clone,
    ) -> Result<LabelScale, ScaleError> {
        let mut out = LabelScale {
            threshold_bps: [0.0; HORIZON_COUNT],
            scale_bps: [0.0; HORIZON_COUNT],
            mean_bps: [0.0; HORIZON_COUNT],
            prior: [[0.0; 3]; HORIZON_COUNT],
        };
        for (h, &horizon) in HORIZONS.iter().enumerate() {
            let column = || rows.clone().map(|r| r[h]).filter(|l| l.is_finite());
            let n = column().count() as f64;
            if n == 0.0 {
                return Err(ScaleError::NoLabels { horizon });
            }
            let mean = column().sum::<f64>() / n;
            let variance = column().map(|l| (l - mean).powi(2)).sum::<f64>() / n;
            if variance <= 0.0 {
                return Err(ScaleError::Constant { horizon });
            }
            let threshold = column().map(f64::abs).sum::<f64>() / n / 2.0;
            column().for_each(|l| out.prior[h][usize::from(class_of(l, threshold))] += 1.0 / n);
            out.threshold_bps[h] = threshold;
            out.scale_bps[h] = variance.sqrt();
            out.mean_bps[h] = mean;
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_by_hand() {
        // m = 100, 101, 99, 102, 98, 100: horizon 1 is the plain return, horizon 5 the mean of
        // the next five (101 + 99 + 102 + 98 + 100) / 5 = 100 against 100.
        let rows = labels(&[100.0, 101.0, 99.0, 102.0, 98.0, 100.0]);
        assert!((rows[0][0] - 100.0).abs() < 1e-9);
        assert!((rows[1][0] - 1e4 * (99.0 / 101.0 - 1.0)).abs() < 1e-9);
        assert!(rows[0][1].abs() < 1e-9);
        assert!(rows[1][1].is_nan(), "only four mids follow");
        assert!(rows[0][2].is_nan() && rows[5][0].is_nan());
    }

    #[test]
    fn a_missing_mid_spoils_exactly_the_labels_that_need_it() {
        let mut mids = vec![100.0; 40];
        mids[25] = f64::NAN;
        let rows = labels(&mids);
        for (k, row) in rows.iter().enumerate() {
            for (h, &horizon) in HORIZONS.iter().enumerate() {
                let last = k + horizon as usize;
                let whole = last < 40 && !(k..=last).contains(&25);
                assert_eq!(row[h].is_finite(), whole, "token {k} horizon {horizon}");
            }
        }
    }

    #[test]
    fn classes_and_scale_by_hand() {
        // |l| = 4, 0, 2, 2: mean 2, θ = 1. Mean of l = 1, variance = (9 + 1 + 9 + 1) / 4 = 5.
        let rows: Vec<LabelRow> = [4.0, 0.0, -2.0, 2.0].map(|l| [l; HORIZON_COUNT]).to_vec();
        let scale = LabelScale::fit(rows.iter()).unwrap();
        assert_eq!(scale.threshold_bps, [1.0; 4]);
        assert_eq!(scale.mean_bps, [1.0; 4]);
        assert!((scale.scale_bps[0] - 5.0f64.sqrt()).abs() < 1e-12);
        assert_eq!(scale.prior[0], [0.25, 0.25, 0.5]);
        assert_eq!([-1.1, -1.0, 1.0, 1.1].map(|l| class_of(l, 1.0)), [0, 1, 1, 2]);
    }

    #[test]
    fn empty_and_constant_labels_are_refused() {
        let none: Vec<LabelRow> = vec![[f64::NAN; HORIZON_COUNT]; 3];
        assert_eq!(LabelScale::fit(none.iter()), Err(ScaleError::NoLabels { horizon: 1 }));
        let flat: Vec<LabelRow> = vec![[0.0; HORIZON_COUNT]; 3];
        assert_eq!(LabelScale::fit(flat.iter()), Err(ScaleError::Constant { horizon: 1 }));
    }
}
