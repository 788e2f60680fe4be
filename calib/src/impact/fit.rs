//! Temporary and permanent impact from own fills, after Almgren, Thum, Hauptmann and Li (2005).
//!
//! Two regressions in units of daily volatility σ:
//! - permanent: `I/σ = γ·(X/V)·(Θ/V)^¼`, variance ∝ the time to the price taken after the end;
//! - temporary: `(J − I/2)/σ = cᵤ·s/(2σ) + η·(X/(VT))^β`, with cᵤ the part of the spread that
//!   orders of urgency u pay (the paper's orders had none of ours resting), and variance
//!   `v₀ + v₁·T/12·(4 − 3T/T_post)`, fitted to the residuals of a first pass.
//!
//! The square-root law `J/σ = cᵤ·s/(2σ) + Y·(X/V)^δ` is fitted beside them. Intervals come from
//! a block bootstrap over parents in time; one draw refits everything, so the parameters'
//! covariance comes with it.

use super::sample::Sample;
use crate::stats::bootstrap::{Blocks, block_length, parameter};
use crate::stats::least_squares::{Solution, Sums};
use crate::stats::{Parameter, minimise, variance};
use serde::{Deserialize, Serialize};
use statrs::distribution::{ChiSquared, ContinuousCDF};

/// Parents below which nothing is fitted.
pub const SAMPLE_COUNT_MIN: usize = 30;
/// Parents of one urgency below which its part of the spread is not fitted apart.
const URGENCY_COUNT_MIN: usize = 5;
/// Resamples.
const RESAMPLES: usize = 300;
/// Exponents searched.
const EXPONENT: (f64, f64) = (0.05, 1.5);
/// An exponent whose interval is wider than this says nothing.
const EXPONENT_WIDTH_MAX: f64 = 0.9;
/// Parts of half the spread that urgencies are taken to pay where too few tell.
pub const SPREAD_PARTS: [f64; 3] = [0.0, 0.5, 1.0];

/// Place of a parameter in [`ImpactFit::vector`].
pub const GAMMA: usize = 3;
/// See [`GAMMA`].
pub const ETA: usize = 4;
/// See [`GAMMA`].
pub const BETA: usize = 5;
/// Parameters in all: three parts of the spread, γ, η, β.
pub const PARAMETERS: usize = 6;

/// What fills say of one instrument.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImpactFit {
    /// Parents used.
    pub parents: usize,
    /// Parts of half the spread paid by passive, normal and urgent parents.
    pub spread_parts: Vec<Parameter>,
    /// Permanent impact γ.
    pub gamma: Parameter,
    /// Temporary impact η.
    pub eta: Parameter,
    /// Its exponent β.
    pub beta: Parameter,
    /// Prefactor Y of the square-root law.
    pub square_root_y: Parameter,
    /// Its exponent δ.
    pub square_root_delta: Parameter,
    /// Residual variance of one parent's cost: constant part, part per T; both over σ².
    pub noise: (f64, f64),
    /// p value of the Breusch-Pagan test that the weighted residuals' variance does not depend on
    /// rate and horizon any more.
    pub heteroscedasticity_p: f64,
    /// Covariance of the parameters over resamples, rows in the order of [`ImpactFit::vector`].
    pub covariance: Vec<Vec<f64>>,
}

impl ImpactFit {
    /// Returns parts of the spread, γ, η, β.
    pub fn vector(&self) -> Vec<f64> {
        let parts = self.spread_parts.iter().map(|p| p.value);
        parts.chain([self.gamma.value, self.eta.value, self.beta.value]).collect()
    }
}

/// Why nothing was fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// Too few parents.
    #[error("{found} parents, expected at least {SAMPLE_COUNT_MIN}")]
    TooFew {
        /// Parents found.
        found: usize,
    },
    /// The parents do not vary enough to tell anything apart.
    #[error("sizes, rates and spreads vary too little to tell spread and impact apart")]
    Collinear,
}

/// Fits everything. `reacts` says whether the market the orders met could react to them; of one
/// that could not, permanent impact is not identified whatever the numbers. `seed` is of the
/// resampling.
///
/// # Errors
/// [`FitError`].
pub fn fit(samples: &[Sample], reacts: bool, seed: u64) -> Result<ImpactFit, FitError> {
    if samples.len() < SAMPLE_COUNT_MIN {
        return Err(FitError::TooFew { found: samples.len() });
    }
    let all: Vec<usize> = (0..samples.len()).collect();
    let point = Pass::run(samples, &all, None).ok_or(FitError::Collinear)?;
    let mut blocks = Blocks::new(samples.len(), block_length(samples.len()), seed);
    let draws: Vec<Pass> =
        (0..RESAMPLES).filter_map(|_| Pass::run(samples, &blocks.draw(), Some(&point))).collect();
    let n = blocks.independent();
    let of = |get: &dyn Fn(&Pass) -> f64| {
        parameter(get(&point), &draws.iter().map(get).collect::<Vec<_>>(), n)
    };
    let spread_parts = (0..3)
        .map(|u| match point.parts[u] {
            Some(_) => of(&|p: &Pass| p.parts[u].unwrap_or(f64::NAN)),
            None => Parameter::assumed(SPREAD_PARTS[u], 0.5, "too few parents of this urgency"),
        })
        .collect();
    let exponent = |p: Parameter| {
        let edge = p.value <= EXPONENT.0 + 1e-3 || p.value >= EXPONENT.1 - 1e-3;
        let wide = p.upper - p.lower > EXPONENT_WIDTH_MAX;
        if edge || wide { p.not_identified("rates or sizes vary too little") } else { p }
    };
    let eta = positive(of(&|p| p.eta), "costs do not rise with the rate");
    let mut beta = exponent(of(&|p| p.beta));
    if !eta.identified {
        beta = beta.not_identified("without a temporary impact it has no exponent");
    }
    let y = positive(of(&|p| p.square_root_y), "costs do not rise with the size");
    let gamma = match reacts {
        true => positive(of(&|p| p.gamma), "prices do not move with the size"),
        false => of(&|p| p.gamma).not_identified("a replayed market does not react"),
    };
    Ok(ImpactFit {
        parents: samples.len(),
        spread_parts,
        gamma,
        eta,
        beta,
        square_root_y: y,
        square_root_delta: exponent(of(&|p| p.square_root_delta)),
        noise: point.noise,
        heteroscedasticity_p: point.breusch_pagan(samples),
        covariance: covariance(&point, &draws),
    })
}

fn positive(p: Parameter, reason: &str) -> Parameter {
    if p.identified && p.lower <= 0.0 { p.not_identified(reason) } else { p }
}

/// One fit of everything to a (re)sample.
#[derive(Clone, Debug)]
struct Pass {
    parts: [Option<f64>; 3],
    gamma: f64,
    eta: f64,
    beta: f64,
    square_root_y: f64,
    square_root_delta: f64,
    noise: (f64, f64),
}

impl Pass {
    /// `weights` takes the variance function of an earlier pass.
    fn run(samples: &[Sample], picks: &[usize], weights: Option<&Pass>) -> Option<Pass> {
        let picked: Vec<&Sample> = picks.iter().map(|&i| &samples[i]).collect();
        let columns = Columns::of(samples);
        let mut noise = weights.map_or((0.0, 1.0), |p| p.noise);
        // A resample's exponent is near the point's: fewer places to look at first.
        let scan = if weights.is_some() { 7 } else { 16 };
        let power =
            |y: Observed, x: fn(&Sample) -> f64, noise| columns.power(&picked, y, x, noise, scan);
        let mut temporary = power(temporary_cost, |s| s.rate, noise)?;
        if weights.is_none() {
            noise = temporary.noise(&picked, &columns, temporary_cost);
            temporary = power(temporary_cost, |s| s.rate, noise)?;
        }
        let whole: Observed = |s| Some((s.cost, s.horizon / 3.0));
        let square_root = power(whole, |s| s.size, noise)?;
        let mut permanent = Sums::new(1);
        for s in &picked {
            if let Some((moved, days)) = s.permanent {
                permanent.add(&[s.size * s.turnover], moved, 1.0 / days.max(1e-9));
            }
        }
        let gamma = permanent.solve().map_or(f64::NAN, |s| s.coefficients[0]);
        Some(Pass {
            parts: columns.parts(&temporary.solution),
            gamma,
            eta: temporary.prefactor(),
            beta: temporary.exponent,
            square_root_y: square_root.prefactor(),
            square_root_delta: square_root.exponent,
            noise,
        })
    }

    /// The Breusch-Pagan statistic in Koenker's form, of weighted residuals on rate and horizon.
    fn breusch_pagan(&self, samples: &[Sample]) -> f64 {
        let mut sums = Sums::new(3);
        let mut squares = Vec::new();
        for s in samples {
            let Some((cost, days)) = temporary_cost(s) else { continue };
            let part = self.parts[s.urgency].unwrap_or(SPREAD_PARTS[s.urgency]);
            let e = cost - part * s.half_spread - self.eta * s.rate.powf(self.beta);
            let square = e * e / (self.noise.0 + self.noise.1 * days);
            sums.add(&[1.0, s.rate, s.horizon], square, 1.0);
            squares.push(square);
        }
        let total = variance(&squares) * (squares.len() as f64 - 1.0);
        let Some(solution) = sums.solve().filter(|_| total > 0.0) else { return f64::NAN };
        let statistic = squares.len() as f64 * (1.0 - solution.residual_sum / total).max(0.0);
        ChiSquared::new(2.0).map_or(f64::NAN, |d| 1.0 - d.cdf(statistic))
    }
}

/// J − I/2 over σ and the paper's T/12·(4 − 3T/T_post), the variance the market's own movement
/// gives it; `None` where the price after is not known.
fn temporary_cost(s: &Sample) -> Option<(f64, f64)> {
    let (moved, after) = s.permanent?;
    let part = (s.horizon / after.max(s.horizon)).min(1.0);
    Some((s.cost - 0.5 * moved, s.horizon / 12.0 * (4.0 - 3.0 * part)))
}

/// Which columns a regression has: urgencies seen often enough, then the impact term.
struct Columns {
    urgencies: Vec<usize>,
}

/// A regression with one power law in it.
struct Power {
    exponent: f64,
    solution: Solution,
}

impl Power {
    fn prefactor(&self) -> f64 {
        self.solution.coefficients.last().copied().unwrap_or(f64::NAN)
    }

    /// Fits the variance function v₀ + v₁·days to the squared residuals, both parts not negative.
    fn noise(&self, picked: &[&Sample], columns: &Columns, y: Observed) -> (f64, f64) {
        let mut sums = Sums::new(2);
        let mut ratio = (0.0, 0.0);
        for s in picked {
            let Some((cost, days)) = y(s) else { continue };
            let row = columns.row(s, s.rate.powf(self.exponent));
            let fitted: f64 = row.iter().zip(&self.solution.coefficients).map(|(a, b)| a * b).sum();
            let square = (cost - fitted).powi(2);
            // Squares scatter like their own mean: weighted by its inverse square.
            sums.add(&[1.0, days], square, 1.0 / (days * days).max(1e-18));
            ratio = (ratio.0 + square / days.max(1e-9), ratio.1 + 1.0);
        }
        let flat = (0.0, (ratio.0 / f64::max(ratio.1, 1.0)).max(1e-12));
        match sums.solve().map(|s| (s.coefficients[0], s.coefficients[1])) {
            Some((v0, v1)) if v0 >= 0.0 && v1 > 0.0 => (v0, v1),
            _ => flat,
        }
    }
}

/// Returns what is explained and the days of market movement in it.
type Observed = fn(&Sample) -> Option<(f64, f64)>;

impl Columns {
    fn of(samples: &[Sample]) -> Columns {
        let count = |u: usize| samples.iter().filter(|s| s.urgency == u).count();
        let mut urgencies: Vec<usize> = (0..3).filter(|&u| count(u) >= URGENCY_COUNT_MIN).collect();
        if samples.iter().all(|s| s.half_spread <= 0.0) {
            urgencies.clear();
        }
        Columns { urgencies }
    }

    fn row(&self, s: &Sample, term: f64) -> Vec<f64> {
        let part = |&u: &usize| if s.urgency == u { s.half_spread } else { 0.0 };
        self.urgencies.iter().map(part).chain([term]).collect()
    }

    fn parts(&self, solution: &Solution) -> [Option<f64>; 3] {
        let place = |u: usize| self.urgencies.iter().position(|&x| x == u);
        std::array::from_fn(|u| place(u).map(|i| solution.coefficients[i]))
    }

    /// Fits `y = Σ parts + a·x^b` over b, linear in the rest.
    fn power(
        &self,
        picked: &[&Sample],
        y: Observed,
        x: fn(&Sample) -> f64,
        noise: (f64, f64),
        scan: usize,
    ) -> Option<Power> {
        let mut fixed = Sums::new(self.urgencies.len());
        // Per order: logarithm of x, its column (if it has one), its half spread, y, weight.
        let mut rows: Vec<(f64, Option<usize>, f64, f64, f64)> = Vec::with_capacity(picked.len());
        for s in picked {
            let Some((cost, days)) = y(s) else { continue };
            let column = self.urgencies.iter().position(|&u| u == s.urgency);
            let known = match column {
                Some(_) => 0.0,
                None => SPREAD_PARTS[s.urgency] * s.half_spread,
            };
            let weight = 1.0 / (noise.0 + noise.1 * days).max(1e-18);
            let row = self.row(s, 0.0);
            fixed.add(&row[..self.urgencies.len()], cost - known, weight);
            rows.push((x(s).ln(), column, s.half_spread, cost - known, weight));
        }
        let solve = |b: f64| {
            let mut cross = vec![0.0; self.urgencies.len()];
            let (mut square, mut with_y) = (0.0, 0.0);
            for &(ln_x, column, half_spread, y, weight) in &rows {
                let term = (b * ln_x).exp();
                square += weight * term * term;
                with_y += weight * term * y;
                if let Some(i) = column {
                    cross[i] += weight * term * half_spread;
                }
            }
            fixed.with_column(&cross, square, with_y).solve()
        };
        let loss = |b: f64| solve(b).map_or(f64::INFINITY, |s| s.residual_sum);
        let (exponent, _) = minimise::between(loss, EXPONENT.0, EXPONENT.1, scan);
        solve(exponent).map(|solution| Power { exponent, solution })
    }
}

fn covariance(point: &Pass, draws: &[Pass]) -> Vec<Vec<f64>> {
    let vector = |p: &Pass| -> [f64; PARAMETERS] {
        let part = |u: usize| p.parts[u].unwrap_or(SPREAD_PARTS[u]);
        [part(0), part(1), part(2), p.gamma, p.eta, p.beta]
    };
    let centre = vector(point);
    let rows: Vec<[f64; PARAMETERS]> = draws.iter().map(vector).collect();
    let entry = |i: usize, j: usize| {
        let products = rows.iter().map(|r| (r[i] - centre[i]) * (r[j] - centre[j]));
        let finite: Vec<f64> = products.filter(|v| v.is_finite()).collect();
        crate::stats::mean(&finite)
    };
    (0..PARAMETERS).map(|i| (0..PARAMETERS).map(|j| entry(i, j)).collect()).collect()
}

#[cfg(test)]
#[path = "fit_tests.rs"]
mod tests;
