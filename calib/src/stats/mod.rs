//! The little statistics that calibration needs over `nalgebra`, `statrs` and `argmin`.

pub mod bootstrap;
pub mod least_squares;
pub mod minimise;

use serde::{Deserialize, Serialize};

/// One-sided tail of the 95 % intervals.
pub const TAIL: f64 = 0.025;

/// An estimated number with its uncertainty, or the reason why the sample does not tell it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Best value; where not identified, what the model falls back to.
    pub value: f64,
    /// Standard error, same unit.
    pub standard_error: f64,
    /// Lower end of the 95 % interval.
    pub lower: f64,
    /// Upper end of the 95 % interval.
    pub upper: f64,
    /// Whether the sample tells it.
    pub identified: bool,
    /// Why not, or empty.
    pub reason: String,
}

impl Parameter {
    /// Returns an identified parameter.
    pub fn known(value: f64, standard_error: f64, lower: f64, upper: f64) -> Parameter {
        Parameter { value, standard_error, lower, upper, identified: true, reason: String::new() }
    }

    /// Returns the same numbers marked as not identified.
    #[must_use]
    pub fn not_identified(mut self, reason: impl Into<String>) -> Parameter {
        self.identified = false;
        self.reason = reason.into();
        self
    }

    /// Returns a parameter of which nothing is known but what it is taken to be.
    pub fn assumed(value: f64, standard_error: f64, reason: impl Into<String>) -> Parameter {
        let half = 1.959_963_985 * standard_error;
        Parameter::known(value, standard_error, value - half, value + half).not_identified(reason)
    }

    /// Returns the number for people.
    pub fn show(&self) -> String {
        let Parameter { value, standard_error, lower, upper, .. } = self;
        if self.identified {
            format!("{value:.4} ± {standard_error:.4} ({lower:.4} .. {upper:.4})")
        } else {
            format!("not identified: {}", self.reason)
        }
    }
}

/// Returns the mean, 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// Returns the unbiased variance, 0 of fewer than two.
pub fn variance(values: &[f64]) -> f64 {
    let (n, m) = (values.len() as f64, mean(values));
    if values.len() < 2 {
        return 0.0;
    }
    values.iter().map(|v| (v - m) * (v - m)).sum::<f64>() / (n - 1.0)
}

/// Returns the `p` quantile of unsorted values by linear interpolation (type 7, as NumPy), NaN of
/// nothing.
pub fn quantile(values: &[f64], p: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile_sorted(&sorted, p)
}

/// As [`quantile`], of ascending values.
pub fn quantile_sorted(sorted: &[f64], p: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = p.clamp(0.0, 1.0) * last as f64;
    let low = at.floor() as usize;
    let high = (low + 1).min(last);
    sorted[low] + (sorted[high] - sorted[low]) * (at - low as f64)
}

/// Returns Spearman's rank correlation of pairs, ties sharing their mean rank; 0 where a side
/// does not vary.
pub fn spearman(a: &[f64], b: &[f64]) -> f64 {
    pearson(&ranks(a), &ranks(b))
}

/// Returns Pearson's correlation; 0 where a side does not vary.
pub fn pearson(a: &[f64], b: &[f64]) -> f64 {
    let (ma, mb) = (mean(a), mean(b));
    let covariance: f64 = a.iter().zip(b).map(|(x, y)| (x - ma) * (y - mb)).sum();
    let square = |v: &[f64], m: f64| v.iter().map(|x| (x - m) * (x - m)).sum::<f64>();
    let scale = (square(a, ma) * square(b, mb)).sqrt();
    if scale > 0.0 { covariance / scale } else { 0.0 }
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    let mut from = 0;
    while from < order.len() {
        let tied = order[from..].iter().take_while(|&&i| values[i] == values[order[from]]).count();
        for &i in &order[from..from + tied] {
            ranks[i] = from as f64 + (tied as f64 - 1.0) / 2.0;
        }
        from += tied;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate_as_numpy_does() {
        let v = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(quantile(&v, 0.0), 1.0);
        assert_eq!(quantile(&v, 0.5), 2.5);
        assert!((quantile(&v, 0.95) - 3.85).abs() < 1e-12);
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn rank_correlation_ignores_the_scale_and_shares_ties() {
        let a = [1.0, 2.0, 3.0, 4.0];
        assert!((spearman(&a, &[1.0, 8.0, 27.0, 64.0]) - 1.0).abs() < 1e-12);
        assert_eq!(ranks(&[5.0, 1.0, 5.0]), [1.5, 0.0, 1.5]);
        assert_eq!(spearman(&a, &[1.0; 4]), 0.0);
        assert!((variance(&a) - 5.0 / 3.0).abs() < 1e-12);
    }
}
