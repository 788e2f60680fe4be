//! Where the model has been before: distance to the features it was trained on.

use super::WeightsError;
use ijk_core::features::FEATURE_COUNT;

/// Numbers of the lower triangle, row by row.
pub const TRIANGLE: usize = FEATURE_COUNT * (FEATURE_COUNT + 1) / 2;

/// An ellipsoid around the training features, in scaled units.
///
/// The squared Mahalanobis distance of scaled features `z` is `|W z|²`, `W` the lower triangle of
/// the inverse Cholesky factor of their training covariance (Mahalanobis 1936; as a test for
/// inputs unlike the training data: Lee et al. 2018).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrustRegion {
    /// `W`, row by row; finite.
    pub whitening: [f64; TRIANGLE],
    /// Squared distance that counts as the edge of what is known; finite and positive.
    pub limit: f64,
}

impl TrustRegion {
    /// Returns the squared distance of scaled features over the limit: below 1 inside what the
    /// model was trained on, from 1 on outside; not a number where a feature is none.
    pub fn distrust(&self, scaled: &[f64; FEATURE_COUNT]) -> f64 {
        let mut sum = 0.0;
        let mut row = 0;
        for i in 0..FEATURE_COUNT {
            let mut dot = 0.0;
            for j in 0..=i {
                dot += self.whitening[row + j] * scaled[j];
            }
            sum += dot * dot;
            row += i + 1;
        }
        sum / self.limit
    }

    /// Checks the numbers.
    pub(super) fn validate(&self) -> Result<(), WeightsError> {
        let bad =
            |key, reason: &str| Err(WeightsError::BadMetadata { key, reason: reason.to_owned() });
        if self.whitening.iter().any(|v| !v.is_finite()) {
            return bad("trust_whitening", "every value must be finite");
        }
        if !(self.limit > 0.0 && self.limit.is_finite()) {
            return bad("trust_limit", "must be finite and positive");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_is_that_of_the_ellipsoid() {
        // W = diag(1, 1/2, 1, ..) with W[1][0] = 3: W z = (1, 3 + 1, 0, ..) for z = (1, 2, 0, ..).
        let mut region = TrustRegion { whitening: [0.0; TRIANGLE], limit: 34.0 };
        let mut at = 0;
        for i in 0..FEATURE_COUNT {
            region.whitening[at + i] = if i == 1 { 0.5 } else { 1.0 };
            at += i + 1;
        }
        region.whitening[1] = 3.0;
        let mut z = [0.0; FEATURE_COUNT];
        (z[0], z[1]) = (1.0, 2.0);
        assert_eq!(region.distrust(&z), 17.0 / 34.0);
        assert_eq!(region.distrust(&[0.0; FEATURE_COUNT]), 0.0);
        z[5] = f64::NAN;
        assert!(region.distrust(&z).is_nan());
    }
}
