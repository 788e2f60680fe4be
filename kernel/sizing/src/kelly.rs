//! Kelly arithmetic as pure functions. Returns are fractions (not basis points) over one
//! holding period; variances are squared fractions over the same period.

/// Returns the growth-optimal fraction `mean / variance` of the quadratic (diffusion) growth
/// rate (Merton 1969; Kelly 1956 to second order), or 0 where the variance is not positive or a
/// number is not finite.
pub fn kelly_fraction(mean: f64, variance: f64) -> f64 {
    let f = mean / variance;
    if variance > 0.0 && f.is_finite() { f } else { 0.0 }
}

/// Returns the growth rate `f·mean − f²·variance/2` of holding fraction `f`.
pub fn growth_rate(f: f64, mean: f64, variance: f64) -> f64 {
    f * mean - 0.5 * f * f * variance
}

/// Returns the factor `mean² / (mean² + variance_of_mean)` by which an estimated mean shrinks
/// towards zero so that the plug-in Kelly bet loses least from estimation error (Baker and
/// McHale 2013, "Optimal betting under parameter uncertainty"). In [0, 1]; 0 where the mean is 0.
pub fn shrinkage(mean: f64, variance_of_mean: f64) -> f64 {
    let k = mean * mean / (mean * mean + variance_of_mean);
    if k.is_finite() { k.clamp(0.0, 1.0) } else { 0.0 }
}

/// Returns the probability that wealth ever falls to `level` (in (0, 1]) of its start when a
/// fraction `c` (in (0, 2)) of the Kelly bet is held for ever: `level^(2/c − 1)` (Thorp 2006).
pub fn ruin_probability(level: f64, c: f64) -> f64 {
    level.powf(2.0 / c - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shrinkage_of_an_estimated_mean_is_the_published_table() {
        let table = [(50.0, 0.1111), (250.0, 0.3846), (1000.0, 0.7143), (5000.0, 0.9259)];
        for (n, expected) in table {
            let k = shrinkage(5e-4, 1e-2 * 1e-2 / n);
            assert!((k - expected).abs() < 5e-5, "n={n}: {k} is not {expected}");
        }
    }

    #[test]
    fn half_kelly_grows_at_three_quarters_of_the_best_rate() {
        let (mean, variance) = (7e-4, 3e-4);
        let f = kelly_fraction(mean, variance);
        let ratio = growth_rate(0.5 * f, mean, variance) / growth_rate(f, mean, variance);
        assert!((ratio - 0.75).abs() < 1e-12);
    }

    #[test]
    fn wealth_halves_with_the_known_probability() {
        assert!((ruin_probability(0.5, 1.0) - 0.5).abs() < 1e-15);
        assert!((ruin_probability(0.5, 0.5) - 0.125).abs() < 1e-15);
    }

    #[test]
    fn useless_numbers_give_no_bet() {
        for (m, v) in [(1.0, 0.0), (1.0, -1.0), (f64::NAN, 1.0), (1.0, f64::NAN), (f64::MAX, 1e-9)]
        {
            assert_eq!(kelly_fraction(m, v), 0.0);
        }
        assert_eq!(shrinkage(0.0, 0.0), 0.0);
        assert_eq!(shrinkage(f64::NAN, 1.0), 0.0);
        assert_eq!(shrinkage(1.0, f64::INFINITY), 0.0);
    }
}
