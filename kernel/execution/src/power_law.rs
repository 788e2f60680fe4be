//! Implementation shortfall with power-law temporary impact, solved numerically.
//!
//! Trades `n_k` in N equal steps of τ days, holdings `x_k` after each: minimise
//! `Σ A n_k^(1+β) + λσ²τ Σ x_k²` with `A = ησ(Vτ)^(−β)`, the temporary impact of Almgren, Thum,
//! Hauptmann and Li (2005) and the risk of Almgren and Chriss (2000). Moving a little from one
//! trade to the next gives `(1+β)A(n_k^β − n_{k+1}^β) = 2λσ²τ x_k`, so the last trade decides
//! all others, and their sum rises with it: Newton's method on the logarithm finds the last trade
//! that makes them add up. β = 1 is the linear model.

/// Newton steps at most; it converges in about ten from above, the sum being log-convex.
const STEP_COUNT_MAX: usize = 100;

/// Impact and risk of one order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PowerLaw {
    /// Temporary impact η, dimensionless.
    pub eta: f64,
    /// Its exponent β, (0, 1].
    pub beta: f64,
    /// Daily volatility σ, currency a unit.
    pub sigma: f64,
    /// Daily volume V, units.
    pub volume: f64,
    /// Risk aversion λ, 1/currency.
    pub lambda: f64,
}

impl PowerLaw {
    fn coefficient(&self, tau: f64) -> f64 {
        self.eta * self.sigma * (self.volume * tau).powf(-self.beta)
    }

    /// Writes the optimal trades of `total` units in steps of `tau` days into `out`: their sum is
    /// `total` (to rounding), none is negative, none is larger than the one before.
    pub fn trades(&self, total: f64, tau: f64, out: &mut [f64]) {
        let n = out.len();
        if n == 0 {
            return;
        }
        let even = total / n as f64;
        let risk = 2.0 * self.lambda * self.sigma * self.sigma * tau;
        // Of trades as parts of the total: y_k^β = y_{k+1}^β + c·x_k.
        let c = risk * total.powf(1.0 - self.beta) / ((1.0 + self.beta) * self.coefficient(tau));
        if !(c > 0.0 && c.is_finite() && total > 0.0) {
            out.fill(even);
            return;
        }
        let mut last = -(n as f64).ln();
        for _ in 0..STEP_COUNT_MAX {
            let (sum, slope) = self.shoot(c, last, out);
            let off = sum.ln();
            if !off.is_finite() {
                // So urgent that the end of the schedule is beyond numbers: start from less.
                last -= 50.0;
                continue;
            }
            if off.abs() < 1e-13 {
                break;
            }
            last -= off * sum / slope;
        }
        let sum: f64 = out.iter().sum();
        out.iter_mut().for_each(|y| *y *= total / sum);
    }

    /// Builds the trades backwards from the logarithm of the last one; returns their sum and its
    /// derivative by that logarithm.
    fn shoot(&self, c: f64, last: f64, out: &mut [f64]) -> (f64, f64) {
        let inverse = 1.0 / self.beta;
        let mut z = (last * self.beta).exp();
        let mut dz = z * self.beta;
        let (mut left, mut dleft) = (0.0, 0.0);
        for slot in out.iter_mut().rev() {
            z += c * left;
            dz += c * dleft;
            let y = z.powf(inverse);
            let dy = inverse * y / z * dz;
            *slot = y;
            left += y;
            dleft += dy;
        }
        (left, dleft)
    }

    /// Returns expected temporary cost and variance of `trades`, currency and its square.
    pub fn cost_moments(&self, trades: &[f64], tau: f64) -> (f64, f64) {
        let a = self.coefficient(tau);
        let mut left: f64 = trades.iter().sum();
        let (mut cost, mut variance) = (0.0, 0.0);
        for n in trades {
            left -= n;
            cost += a * n.abs().powf(1.0 + self.beta);
            variance += self.sigma * self.sigma * tau * left * left;
        }
        (cost, variance)
    }
}
