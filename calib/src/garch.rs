//! GARCH(1,1) with a constant mean (Bollerslev 1986) by maximum likelihood.
//!
//! `r = μ + e`, `σ²ₜ = ω + α·e²ₜ₋₁ + β·σ²ₜ₋₁`, e normal. The recursion starts, as in the Python
//! package `arch`, from the exponentially weighted mean (0.94) of the first 75 squared residuals
//! around the sample mean.

use crate::stats::{Parameter, mean, minimise, variance};
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// Returns below which nothing is fitted.
pub const RETURN_COUNT_MIN: usize = 250;
const DECAY: f64 = 0.94;
const START_COUNT: usize = 75;
const Z95: f64 = 1.959_963_985;

/// A fitted model, in the unit of the returns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Garch {
    /// Returns used.
    pub returns: usize,
    /// Mean μ.
    pub mu: Parameter,
    /// Constant ω.
    pub omega: Parameter,
    /// Reaction α.
    pub alpha: Parameter,
    /// Persistence β.
    pub beta: Parameter,
    /// Log likelihood.
    pub log_likelihood: f64,
    /// Variance expected of the next return.
    pub next_variance: f64,
}

/// Why no model was fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GarchError {
    /// Too few returns.
    #[error("{0} returns, expected at least {RETURN_COUNT_MIN}")]
    TooFew(usize),
    /// Returns that do not vary, or are not numbers.
    #[error("the returns do not vary or are not all numbers")]
    Degenerate,
    /// The likelihood has no top inside α, β ≥ 0, α + β < 1.
    #[error("volatility does not cluster enough in these returns to tell α and β")]
    NotIdentified,
}

/// Returns the conditional variances (one more than returns: the last is of the next one) and
/// each return's log likelihood.
fn path(returns: &[f64], p: &[f64; 4], start: f64) -> (Vec<f64>, Vec<f64>) {
    let [mu, omega, alpha, beta] = *p;
    let mut v = omega + (alpha + beta) * start;
    let (mut variances, mut likelihoods) = (vec![v], Vec::with_capacity(returns.len()));
    for r in returns {
        let e = r - mu;
        likelihoods.push(-0.5 * ((2.0 * std::f64::consts::PI).ln() + v.ln() + e * e / v));
        v = omega + alpha * e * e + beta * v;
        variances.push(v);
    }
    (variances, likelihoods)
}

fn start_variance(returns: &[f64]) -> f64 {
    let m = mean(returns);
    let (mut sum, mut weights, mut w) = (0.0, 0.0, 1.0);
    for r in returns.iter().take(START_COUNT) {
        sum += w * (r - m) * (r - m);
        weights += w;
        w *= DECAY;
    }
    sum / weights
}

/// Fits the model.
///
/// # Errors
/// [`GarchError`].
pub fn fit(returns: &[f64]) -> Result<Garch, GarchError> {
    if returns.len() < RETURN_COUNT_MIN {
        return Err(GarchError::TooFew(returns.len()));
    }
    let total = variance(returns);
    // A constant's variance is rounding, not movement.
    if !(total.is_finite() && total > 1e-20 * mean(returns).powi(2).max(1e-20)) {
        return Err(GarchError::Degenerate);
    }
    // Everything in standard deviations: one scale of steps serves any unit.
    let unit = total.sqrt();
    let scaled: Vec<f64> = returns.iter().map(|r| r / unit).collect();
    let start = start_variance(&scaled);
    // Search over μ, ln ω, and two numbers whose logistic map keeps α, β ≥ 0 and α + β < 1.
    let natural = |x: &[f64]| -> [f64; 4] {
        let persistence = 1.0 / (1.0 + (-x[2]).exp());
        let reaction = persistence / (1.0 + (-x[3]).exp());
        [x[0], x[1].exp(), reaction, persistence - reaction]
    };
    let loss = |x: &[f64]| -path(&scaled, &natural(x), start).1.iter().sum::<f64>();
    let mut best: Option<(Vec<f64>, f64)> = None;
    for (persistence, reaction) in [(0.98, 0.05), (0.9, 0.1), (0.6, 0.2)] {
        let logit = |p: f64| (p / (1.0 - p)).ln();
        let part = reaction / persistence;
        let x = [mean(&scaled), f64::ln(1.0 - persistence), logit(persistence), logit(part)];
        let found = minimise::from(loss, &x, &[0.1, 0.5, 0.5, 0.5]);
        if best.as_ref().is_none_or(|b| found.1 < b.1) {
            best = Some(found);
        }
    }
    let (x, _) = best.ok_or(GarchError::NotIdentified)?;
    let p = natural(&x);
    let inside = p[2] > 1e-4 && p[3] > 1e-4 && p[2] + p[3] < 0.9999;
    let errors = robust_errors(&scaled, &p, start).filter(|_| inside);
    let errors = errors.ok_or(GarchError::NotIdentified)?;
    let (variances, likelihoods) = path(&scaled, &p, start);
    let units = [unit, unit * unit, 1.0, 1.0];
    let of = |i: usize| {
        let (v, se) = (p[i] * units[i], errors[i] * units[i]);
        Parameter::known(v, se, v - Z95 * se, v + Z95 * se)
    };
    Ok(Garch {
        returns: returns.len(),
        mu: of(0),
        omega: of(1),
        alpha: of(2),
        beta: of(3),
        log_likelihood: likelihoods.iter().sum::<f64>() - returns.len() as f64 * unit.ln(),
        next_variance: variances[returns.len()] * unit * unit,
    })
}

/// Standard errors that hold for returns that are not normal (Bollerslev and Wooldridge 1992).
fn robust_errors(returns: &[f64], p: &[f64; 4], start: f64) -> Option<[f64; 4]> {
    let step = |i: usize| 1e-4 * p[i].abs().max(1e-3);
    let moved = |changes: &[(usize, f64)]| {
        let mut q = *p;
        for (i, h) in changes {
            q[*i] += h;
        }
        path(returns, &q, start).1
    };
    let sum = |v: Vec<f64>| v.iter().sum::<f64>();
    let hessian = DMatrix::from_fn(4, 4, |i, j| {
        let (a, b) = (step(i), step(j));
        let f = |x: f64, y: f64| sum(moved(&[(i, x), (j, y)]));
        -(f(a, b) - f(a, -b) - f(-a, b) + f(-a, -b)) / (4.0 * a * b)
    });
    let scores: Vec<Vec<f64>> = (0..4)
        .map(|i| {
            let h = step(i);
            let (up, down) = (moved(&[(i, h)]), moved(&[(i, -h)]));
            up.iter().zip(&down).map(|(u, d)| (u - d) / (2.0 * h)).collect()
        })
        .collect();
    let outer =
        DMatrix::from_fn(4, 4, |i, j| scores[i].iter().zip(&scores[j]).map(|(a, b)| a * b).sum());
    let inverse = hessian.try_inverse()?;
    let covariance = &inverse * outer * &inverse;
    let errors = std::array::from_fn(|i| covariance[(i, i)].sqrt());
    errors.iter().all(|e: &f64| e.is_finite() && *e > 0.0).then_some(errors)
}

impl Garch {
    /// Returns the variances expected of the next `horizon` returns.
    pub fn forecast(&self, horizon: usize) -> Vec<f64> {
        let persistence = self.alpha.value + self.beta.value;
        let long_run = self.omega.value / (1.0 - persistence);
        (0..horizon)
            .map(|h| long_run + (self.next_variance - long_run) * persistence.powi(h as i32))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the Python package `arch` (`scripts/golden/garch.py`).
    #[test]
    fn fits_are_those_of_the_arch_package() {
        let text = include_str!("../../scripts/golden/garch.json");
        let cases: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
        let list = |v: &serde_json::Value| -> Vec<f64> {
            v.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
        };
        assert_eq!(cases.len(), 3);
        for case in cases {
            let g = fit(&list(&case["returns"])).unwrap();
            let want = list(&case["parameters"]);
            let errors = list(&case["robust"]);
            for (i, p) in [&g.mu, &g.omega, &g.alpha, &g.beta].into_iter().enumerate() {
                assert!((p.value - want[i]).abs() < 2e-3 * errors[i], "{i}: {p:?} {}", want[i]);
                assert!((p.standard_error / errors[i] - 1.0).abs() < 0.03, "{i}: {p:?}");
            }
            let likelihood = case["log_likelihood"].as_f64().unwrap();
            assert!((g.log_likelihood - likelihood).abs() < 1e-4, "{}", g.log_likelihood);
            for (a, b) in g.forecast(5).iter().zip(list(&case["forecast_variance"])) {
                assert!((a / b - 1.0).abs() < 1e-3, "{a} {b}");
            }
        }
    }

    #[test]
    fn useless_returns_are_refused() {
        assert_eq!(fit(&[0.1; 249]), Err(GarchError::TooFew(249)));
        assert_eq!(fit(&[0.1; 300]), Err(GarchError::Degenerate));
        let mut broken = [0.1, -0.1].repeat(200);
        broken[7] = f64::NAN;
        assert_eq!(fit(&broken), Err(GarchError::Degenerate));
    }
}
