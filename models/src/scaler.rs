//! Centre and scale of the twelve features, measured on the training part only.

use ijk_core::features::FEATURE_COUNT;

/// Scaled features are cut to ± this.
pub const CLIP: f64 = 8.0;

/// Maps a feature vector to `(x - mean) / scale`, cut to ±[`CLIP`]: the kernel's arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Scaler {
    /// Means, in the features' units.
    pub mean: [f64; FEATURE_COUNT],
    /// Standard deviations, positive; 1 where a feature never varies.
    pub scale: [f64; FEATURE_COUNT],
}

impl Scaler {
    /// Measures mean and standard deviation of `rows` in two passes.
    pub fn fit<'a>(rows: impl Iterator<Item = &'a [f64; FEATURE_COUNT]> + Clone) -> Scaler {
        let mut scaler = Scaler { mean: [0.0; FEATURE_COUNT], scale: [1.0; FEATURE_COUNT] };
        let n = rows.clone().count() as f64;
        if n == 0.0 {
            return scaler;
        }
        for i in 0..FEATURE_COUNT {
            let column = || rows.clone().map(|r| r[i]);
            let mean = column().sum::<f64>() / n;
            let deviation = (column().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
            scaler.mean[i] = mean;
            // Relative to the mean: rounding alone must not pass for variation.
            if deviation > 1e-9 * mean.abs().max(1e-9) {
                scaler.scale[i] = deviation;
            }
        }
        scaler
    }

    /// Returns the encoder's input for one token.
    pub fn apply(&self, features: &[f64; FEATURE_COUNT]) -> [f32; FEATURE_COUNT] {
        std::array::from_fn(|i| {
            ((features[i] - self.mean[i]) / self.scale[i]).clamp(-CLIP, CLIP) as f32
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_scale_by_hand() {
        // First feature 1, 3: mean 2, deviation 1. Second constant 5: scale stays 1.
        let mut a = [0.0; FEATURE_COUNT];
        let mut b = [0.0; FEATURE_COUNT];
        (a[0], b[0], a[1], b[1]) = (1.0, 3.0, 5.0, 5.0);
        let scaler = Scaler::fit([a, b].iter());
        assert_eq!((scaler.mean[0], scaler.scale[0]), (2.0, 1.0));
        assert_eq!((scaler.mean[1], scaler.scale[1]), (5.0, 1.0));
        assert_eq!(scaler.apply(&a)[..2], [-1.0, 0.0]);
        a[0] = 1e9;
        assert_eq!(scaler.apply(&a)[0], CLIP as f32);
    }

    #[test]
    fn scaled_training_rows_have_mean_zero_and_deviation_one() {
        let mut rng = crate::rng::Stream::new(3, "scaler");
        let rows: Vec<[f64; FEATURE_COUNT]> = (0..500)
            .map(|_| std::array::from_fn(|i| 1e3 * i as f64 + (i + 1) as f64 * rng.uniform()))
            .collect();
        let scaler = Scaler::fit(rows.iter());
        for i in 0..FEATURE_COUNT {
            let column: Vec<f64> = rows.iter().map(|r| f64::from(scaler.apply(r)[i])).collect();
            let mean = column.iter().sum::<f64>() / 500.0;
            let variance = column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 500.0;
            assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-6, "{i}: {mean} {variance}");
        }
    }
}
