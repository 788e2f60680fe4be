//! Optimal execution trajectories of Almgren and Chriss (2000), "Optimal execution of portfolio
//! transactions", closed form for linear impact. Time is in days, quantity in units, money in
//! the price's currency.

/// Market and impact parameters of the linear model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearImpact {
    /// Volatility σ, currency a unit a square-root day.
    pub sigma: f64,
    /// Temporary impact η, currency a unit per (unit a day).
    pub eta: f64,
    /// Permanent impact γ, currency a unit per unit.
    pub gamma: f64,
    /// Fixed cost ε of trading one unit: half the spread and fees, currency.
    pub epsilon: f64,
    /// Time τ between two slices, days.
    pub tau: f64,
}

impl LinearImpact {
    /// Returns η̃ = η − γτ/2, the temporary impact of the discrete model.
    pub fn eta_tilde(&self) -> f64 {
        self.eta - 0.5 * self.gamma * self.tau
    }

    /// Returns the urgency κ in 1/day for risk aversion `lambda` (1/currency):
    /// `cosh(κτ) = 1 + τ²·λσ²/(2η̃)`. Zero for a risk-neutral trader.
    pub fn kappa(&self, lambda: f64) -> f64 {
        kappa_from_squared(lambda * self.sigma * self.sigma / self.eta_tilde(), self.tau)
    }

    /// Returns the expected cost E and its variance V of `holdings` (before the first slice,
    /// after it, .., after the last), currency and squared currency.
    pub fn cost_moments(&self, holdings: &[f64]) -> (f64, f64) {
        let total = holdings.first().copied().unwrap_or(0.0);
        let mut expected = 0.5 * self.gamma * total * total;
        let mut variance = 0.0;
        for pair in holdings.windows(2) {
            let traded = pair[0] - pair[1];
            expected += self.epsilon * traded.abs();
            expected += self.eta_tilde() / self.tau * traded * traded;
            variance += self.sigma * self.sigma * self.tau * pair[1] * pair[1];
        }
        (expected, variance)
    }
}

/// Returns κ from `κ̃² = λσ²/η̃` (1/day²) and the slice length `tau` (days):
/// `κ = arccosh(1 + κ̃²τ²/2)/τ`.
pub fn kappa_from_squared(kappa_squared: f64, tau: f64) -> f64 {
    let y = 0.5 * kappa_squared * tau * tau;
    if y.is_nan() || y <= 0.0 {
        return 0.0;
    }
    // arccosh(1 + y) without the cancellation at small y.
    (y + (y * (2.0 + y)).sqrt()).ln_1p() / tau
}

/// Returns `sinh(κ·after)/sinh(κ·before)`: the part of what is left with `before` days to go that
/// is still left with `after` days to go. 1 ≥ result ≥ 0 for `before ≥ after ≥ 0`.
pub fn remaining_fraction(kappa: f64, before: f64, after: f64) -> f64 {
    // Written so that NaN gives nothing left of no time, and a straight line of no urgency.
    let has_time = before > 0.0 && after > 0.0;
    if !has_time {
        return 0.0;
    }
    if kappa * before > 1e-6 {
        // With decaying exponentials: sinh itself overflows for an urgent, long order.
        let decay = (-kappa * (before - after)).exp();
        let ratio = (-2.0 * kappa * after).exp_m1() / (-2.0 * kappa * before).exp_m1();
        (decay * ratio).clamp(0.0, 1.0)
    } else {
        (after / before).min(1.0)
    }
}

/// Writes the holdings after each slice of a schedule of `total` units into `out`: entry `j` is
/// what is left after `j` of `out.len() − 1` slices.
pub fn holdings(total: f64, kappa: f64, tau: f64, out: &mut [f64]) {
    let slices = out.len().saturating_sub(1);
    for (j, x) in out.iter_mut().enumerate() {
        let left = (slices - j) as f64 * tau;
        *x = total * remaining_fraction(kappa, slices as f64 * tau, left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAPER: LinearImpact =
        LinearImpact { sigma: 0.95, eta: 2.5e-6, gamma: 2.5e-7, epsilon: 0.0625, tau: 1.0 };

    #[test]
    fn the_example_of_the_paper() {
        let kappa = PAPER.kappa(1e-6);
        assert!((kappa - 0.607076).abs() < 5e-7, "{kappa}");
        let mut x = [0.0; 6];
        holdings(1e6, kappa, 1.0, &mut x);
        let published = [1e6, 541_955.554, 289_854.219, 147_897.488, 62_141.802, 0.0];
        for (got, want) in x.iter().zip(published) {
            assert!((got - want).abs() < 1e-3, "{got} is not {want}");
        }
        let (e, v) = PAPER.cost_moments(&x);
        assert!((e - 911_226.99).abs() < 0.01 && (v.sqrt() - 603_430.67).abs() < 0.01);
    }

    #[test]
    fn twice_the_risk_aversion_and_none() {
        let kappa = PAPER.kappa(2e-6);
        assert!((kappa - 0.846297).abs() < 5e-7, "{kappa}");
        let mut x = [0.0; 6];
        holdings(1e6, kappa, 1.0, &mut x);
        assert!((x[1] - 428_598.846).abs() < 1e-3);
        let (e, v) = PAPER.cost_moments(&x);
        assert!((e - 1_140_715.17).abs() < 0.01 && (v.sqrt() - 449_367.65).abs() < 0.01);

        assert_eq!(PAPER.kappa(0.0), 0.0);
        holdings(1e6, 0.0, 1.0, &mut x);
        for (j, got) in x.iter().enumerate() {
            assert!((got - 2e5 * (5 - j) as f64).abs() < 1e-6);
        }
        let (e, v) = PAPER.cost_moments(&x);
        assert!((e - 662_500.0).abs() < 1e-6 && (v.sqrt() - 1_040_672.86).abs() < 0.01);
    }

    #[test]
    fn extremes_stay_in_range() {
        assert_eq!(remaining_fraction(1e9, 1.0, 0.5), 0.0);
        assert_eq!(remaining_fraction(1.0, 1.0, 1.0), 1.0);
        assert_eq!(remaining_fraction(1.0, 0.0, 0.0), 0.0);
        assert_eq!(remaining_fraction(f64::NAN, 2.0, 1.0), 0.5);
        assert_eq!(kappa_from_squared(f64::NAN, 1.0), 0.0);
        let (near, far) = (remaining_fraction(1.0001e-6, 1.0, 0.3), 0.3);
        assert!((near - far).abs() < 1e-9);
    }
}
