//! How soon a resting order is filled: an accelerated failure time model with Weibull times.
//!
//! `P(filled by t) = 1 − exp(−(t/λ)^k)`, `ln λ = b·x`, x = 1, ln(1 + queue in mean prints), ticks
//! behind the best, own side's share of the two best sizes less one half. An order that is
//! cancelled or still rests says only that it was not filled until then: it is censored, not
//! dropped.

use crate::observe::ChildObservation;
use crate::stats::Parameter;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// Orders below which nothing is fitted.
pub const CHILD_COUNT_MIN: usize = 50;
/// Fills below which nothing is fitted.
pub const FILL_COUNT_MIN: usize = 20;
/// Names of the covariates in the order of the coefficients.
pub const COVARIATES: [&str; 4] = ["intercept", "ln_queue", "behind_ticks", "own_share"];
const P: usize = COVARIATES.len() + 1;
/// Ticks behind the best that are told apart.
const BEHIND_MAX: f64 = 5.0;
const Z95: f64 = 1.959_963_985;

/// A fitted model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FillModel {
    /// Orders used.
    pub orders: usize,
    /// Of these, filled whole.
    pub filled: usize,
    /// Coefficients b in the order of [`COVARIATES`], then ln k.
    pub parameters: Vec<f64>,
    /// Their covariance (inverse of the observed information).
    pub covariance: Vec<Vec<f64>>,
    /// Log likelihood.
    pub log_likelihood: f64,
    /// Longest time seen, seconds: nothing is said beyond it.
    pub seconds_max: f64,
    /// Longest queue seen, mean prints.
    pub queue_prints_max: f64,
}

/// Why no model was fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    /// Too few.
    #[error(
        "{orders} resting orders with {filled} fills, expected at least {CHILD_COUNT_MIN} with \
         {FILL_COUNT_MIN}"
    )]
    TooFew {
        /// Orders.
        orders: usize,
        /// Fills.
        filled: usize,
    },
    /// The likelihood has no single top: covariates that do not vary or say the same.
    #[error("queues and times vary too little to tell their effects apart")]
    Flat,
}

/// Returns the covariates of an order.
pub fn covariates(queue_prints: f64, behind_ticks: f64, own_share: f64) -> [f64; 4] {
    let behind = behind_ticks.clamp(-BEHIND_MAX, BEHIND_MAX);
    [1.0, queue_prints.max(0.0).ln_1p(), behind, own_share.clamp(0.0, 1.0) - 0.5]
}

fn row(c: &ChildObservation) -> [f64; 4] {
    covariates(c.queue_prints, c.behind_ticks, c.own_share)
}

/// Returns log likelihood, gradient and Hessian of observations `(x, seconds, filled)`.
fn likelihood(
    rows: &[([f64; 4], f64, bool)],
    parameters: &DVector<f64>,
) -> (f64, DVector<f64>, DMatrix<f64>) {
    let a = parameters[P - 1];
    let k = a.exp();
    let (mut value, mut gradient, mut hessian) = (0.0, DVector::zeros(P), DMatrix::zeros(P, P));
    for (x, seconds, filled) in rows {
        let eta: f64 = x.iter().zip(parameters.iter()).map(|(x, b)| x * b).sum();
        let d = f64::from(u8::from(*filled));
        let u = k * (seconds.ln() - eta);
        let e = u.min(500.0).exp();
        value += d * (a - seconds.ln() + u) - e;
        let by_eta = k * (e - d);
        let by_eta_a = by_eta + k * u * e;
        for i in 0..P - 1 {
            gradient[i] += by_eta * x[i];
            for j in 0..P - 1 {
                hessian[(i, j)] -= k * k * e * x[i] * x[j];
            }
            hessian[(i, P - 1)] += by_eta_a * x[i];
            hessian[(P - 1, i)] += by_eta_a * x[i];
        }
        gradient[P - 1] += d * (1.0 + u) - u * e;
        hessian[(P - 1, P - 1)] += d * u - u * e - u * u * e;
    }
    (value, gradient, hessian)
}

/// Climbs to the top of the log likelihood (plus a normal prior, if given) by Newton steps that
/// are halved until they rise.
fn climb(
    rows: &[([f64; 4], f64, bool)],
    start: DVector<f64>,
    prior: Option<(&DVector<f64>, &DMatrix<f64>)>,
) -> Option<(DVector<f64>, DMatrix<f64>, f64)> {
    let at = |p: &DVector<f64>| {
        let (mut value, mut gradient, mut hessian) = likelihood(rows, p);
        if let Some((mean, precision)) = prior {
            let away = p - mean;
            let pull = precision * &away;
            value -= 0.5 * away.dot(&pull);
            gradient -= pull;
            hessian -= precision;
        }
        (value, gradient, hessian)
    };
    let mut p = start;
    let (mut value, mut gradient, mut hessian) = at(&p);
    for _ in 0..200 {
        let information = -hessian.clone();
        let ridge = 1e-9 * information.diagonal().amax().max(1e-9);
        // Far from the top the surface need not be concave: lean on the diagonal until it is.
        let step = (0..24).find_map(|i| {
            let lean = if i == 0 { 0.0 } else { ridge * 10f64.powi(i) };
            let m = &information + DMatrix::identity(P, P) * lean;
            m.cholesky().map(|c| c.solve(&gradient))
        })?;
        let mut scale = 1.0;
        let next = loop {
            let candidate = &p + &step * scale;
            let found = at(&candidate);
            if found.0.is_finite() && found.0 >= value {
                break Some((candidate, found));
            }
            scale *= 0.5;
            if scale < 1e-10 {
                break None;
            }
        };
        let Some((candidate, found)) = next else { break };
        let gained = found.0 - value;
        p = candidate;
        (value, gradient, hessian) = found;
        if gained < 1e-10 && step.amax() * scale < 1e-7 {
            break;
        }
    }
    let covariance = (-hessian).cholesky()?.inverse();
    (gradient.amax() < 1e-3 * (1.0 + value.abs())).then_some((p, covariance, value))
}

fn usable(children: &[ChildObservation]) -> Vec<([f64; 4], f64, bool)> {
    let sound = |c: &&ChildObservation| c.seconds > 0.0 && c.seconds.is_finite();
    children.iter().filter(sound).map(|c| (row(c), c.seconds, c.filled)).collect()
}

/// Fits the model.
///
/// # Errors
/// [`FillError`].
pub fn fit(children: &[ChildObservation]) -> Result<FillModel, FillError> {
    let rows = usable(children);
    let filled = rows.iter().filter(|r| r.2).count();
    if rows.len() < CHILD_COUNT_MIN || filled < FILL_COUNT_MIN {
        return Err(FillError::TooFew { orders: rows.len(), filled });
    }
    let exposure: f64 = rows.iter().map(|r| r.1).sum();
    let mut start = DVector::zeros(P);
    start[0] = (exposure / filled as f64).ln();
    let (p, covariance, log_likelihood) = climb(&rows, start, None).ok_or(FillError::Flat)?;
    let top = |get: fn(&ChildObservation) -> f64| children.iter().map(get).fold(0.0, f64::max);
    Ok(FillModel {
        orders: rows.len(),
        filled,
        parameters: p.iter().copied().collect(),
        covariance: to_rows(&covariance),
        log_likelihood,
        seconds_max: top(|c| c.seconds),
        queue_prints_max: top(|c| c.queue_prints),
    })
}

fn to_rows(m: &DMatrix<f64>) -> Vec<Vec<f64>> {
    (0..m.nrows()).map(|i| (0..m.ncols()).map(|j| m[(i, j)]).collect()).collect()
}

impl FillModel {
    /// Returns the probability of a whole fill within `seconds`.
    pub fn probability(&self, x: &[f64; 4], seconds: f64) -> f64 {
        let eta: f64 = x.iter().zip(&self.parameters).map(|(x, b)| x * b).sum();
        let k = self.parameters[P - 1].exp();
        -(-(k * (seconds.max(1e-9).ln() - eta)).exp()).exp_m1()
    }

    /// Returns the same with its 95 % interval, from the covariance by the delta method on the
    /// complementary log-log scale, where the probability stays a probability.
    pub fn probability_interval(&self, x: &[f64; 4], seconds: f64) -> (f64, f64, f64) {
        let eta: f64 = x.iter().zip(&self.parameters).map(|(x, b)| x * b).sum();
        let k = self.parameters[P - 1].exp();
        let u = k * (seconds.max(1e-9).ln() - eta);
        let mut gradient = [0.0; P];
        for i in 0..P - 1 {
            gradient[i] = -k * x[i];
        }
        gradient[P - 1] = u;
        let mut square = 0.0;
        for (i, a) in gradient.iter().enumerate() {
            for (j, b) in gradient.iter().enumerate() {
                square += a * b * self.covariance[i][j];
            }
        }
        let sd = square.max(0.0).sqrt();
        let p = |u: f64| -(-u.exp()).exp_m1();
        (p(u), p(u - Z95 * sd), p(u + Z95 * sd))
    }

    /// Returns the parameters for people: coefficients, then the shape k.
    pub fn table(&self) -> Vec<(&'static str, Parameter)> {
        (0..P)
            .map(|i| {
                let (v, se) = (self.parameters[i], self.covariance[i][i].max(0.0).sqrt());
                let p = Parameter::known(v, se, v - Z95 * se, v + Z95 * se);
                (COVARIATES.get(i).copied().unwrap_or("ln_shape"), p)
            })
            .collect()
    }

    /// Takes more orders in: the model so far is the prior, the new top is its successor. No
    /// parameter moves by more than `bound` of its standard errors in one update.
    #[must_use]
    pub fn learn(&self, children: &[ChildObservation], bound: f64) -> Option<FillModel> {
        let rows = usable(children);
        let mean = DVector::from_vec(self.parameters.clone());
        let covariance = DMatrix::from_fn(P, P, |i, j| self.covariance[i][j]);
        let precision = covariance.cholesky()?.inverse();
        let prior = Some((&mean, &precision));
        let (p, after, _) = climb(&rows, mean.clone(), prior)?;
        let bounded = |i: usize| {
            let sd = self.covariance[i][i].max(0.0).sqrt();
            mean[i] + (p[i] - mean[i]).clamp(-bound * sd, bound * sd)
        };
        let top = |old: f64, get: fn(&ChildObservation) -> f64| {
            children.iter().map(get).fold(old, f64::max)
        };
        Some(FillModel {
            orders: self.orders + rows.len(),
            filled: self.filled + rows.iter().filter(|r| r.2).count(),
            parameters: (0..P).map(bounded).collect(),
            covariance: to_rows(&after),
            log_likelihood: self.log_likelihood + likelihood(&rows, &p).0,
            seconds_max: top(self.seconds_max, |c| c.seconds),
            queue_prints_max: top(self.queue_prints_max, |c| c.queue_prints),
        })
    }
}

/// Returns the Kaplan-Meier estimate of the fill curve: `(seconds, filled by then)` at each fill.
pub fn kaplan_meier(children: &[ChildObservation]) -> Vec<(f64, f64)> {
    let mut times: Vec<(f64, bool)> = children.iter().map(|c| (c.seconds, c.filled)).collect();
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut at_risk, mut alive, mut curve) = (times.len(), 1.0, Vec::new());
    let mut i = 0;
    while i < times.len() {
        let same = times[i..].iter().take_while(|t| t.0 == times[i].0).count();
        let fills = times[i..i + same].iter().filter(|t| t.1).count();
        if fills > 0 {
            alive *= 1.0 - fills as f64 / at_risk as f64;
            curve.push((times[i].0, 1.0 - alive));
        }
        at_risk -= same;
        i += same;
    }
    curve
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::bootstrap::uniform;
    use rand_chacha::ChaCha12Rng;
    use rand_chacha::rand_core::SeedableRng;

    const TRUTH: [f64; 5] = [2.0, 0.8, 0.3, -0.5, -0.2];

    pub(crate) fn orders(count: usize, seed: u64) -> Vec<ChildObservation> {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        (0..count)
            .map(|i| {
                let queue_prints = 20.0 * uniform(&mut rng);
                let behind_ticks = (3.0 * uniform(&mut rng)).floor();
                let own_share = uniform(&mut rng);
                let x = covariates(queue_prints, behind_ticks, own_share);
                let eta: f64 = x.iter().zip(TRUTH).map(|(x, b)| x * b).sum();
                let t = eta.exp() * (-uniform(&mut rng).ln()).powf(1.0 / TRUTH[4].exp());
                let limit = 120.0 * uniform(&mut rng);
                ChildObservation {
                    placed_ns: i as u64,
                    queue_prints,
                    behind_ticks,
                    own_share,
                    seconds: t.min(limit).max(1e-3),
                    filled: t <= limit,
                }
            })
            .collect()
    }

    #[test]
    fn censored_times_give_the_truth_back_in_their_intervals() {
        let mut covered = [0; 5];
        for seed in 0..60 {
            let model = fit(&orders(400, seed)).unwrap();
            for (i, (_, p)) in model.table().iter().enumerate() {
                covered[i] += u32::from(p.lower <= TRUTH[i] && TRUTH[i] <= p.upper);
            }
        }
        assert!(covered.iter().all(|&c| c >= 52), "{covered:?} of 60");
    }

    #[test]
    fn probability_rises_with_time_and_falls_with_the_queue() {
        let model = fit(&orders(600, 1)).unwrap();
        let p = |queue: f64, t: f64| model.probability(&covariates(queue, 0.0, 0.5), t);
        assert!(p(1.0, 1.0) < p(1.0, 10.0) && p(1.0, 10.0) < p(1.0, 100.0));
        assert!(p(20.0, 10.0) < p(5.0, 10.0) && p(5.0, 10.0) < p(0.0, 10.0));
        let (mid, low, high) = model.probability_interval(&covariates(5.0, 0.0, 0.5), 10.0);
        assert!(0.0 < low && low < mid && mid < high && high < 1.0);
    }

    #[test]
    fn learning_in_parts_is_learning_at_once() {
        let all = orders(800, 3);
        let whole = fit(&all).unwrap();
        let mut grown = fit(&all[..400]).unwrap();
        for part in all[400..].chunks(40) {
            grown = grown.learn(part, 10.0).unwrap();
        }
        for i in 0..P {
            let sd = whole.covariance[i][i].sqrt();
            assert!((grown.parameters[i] - whole.parameters[i]).abs() < 0.6 * sd, "{i}");
        }
        let moved = fit(&all[..400]).unwrap();
        let lies: Vec<ChildObservation> = all[..40]
            .iter()
            .map(|c| ChildObservation { seconds: 1e-3, filled: true, ..*c })
            .collect();
        let bounded = moved.learn(&lies, 0.5).unwrap();
        for i in 0..P {
            let sd = moved.covariance[i][i].sqrt();
            assert!((bounded.parameters[i] - moved.parameters[i]).abs() <= 0.5 * sd + 1e-12);
        }
    }

    /// Against the Python package `lifelines` (`scripts/golden/fill.py`).
    #[test]
    fn fits_are_those_of_the_lifelines_package() {
        let text = include_str!("../../scripts/golden/fill.json");
        let case: serde_json::Value = serde_json::from_str(text).unwrap();
        let list = |key: &str| -> Vec<f64> {
            case[key].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
        };
        let (queue, behind, share) = (list("queue"), list("behind"), list("share"));
        let (seconds, filled) = (list("seconds"), list("filled"));
        let children: Vec<ChildObservation> = (0..queue.len())
            .map(|i| ChildObservation {
                placed_ns: i as u64,
                queue_prints: queue[i],
                behind_ticks: behind[i],
                own_share: share[i],
                seconds: seconds[i],
                filled: filled[i] == 1.0,
            })
            .collect();
        let model = fit(&children).unwrap();
        let (want, errors) = (list("parameters"), list("standard_errors"));
        for (i, (name, p)) in model.table().into_iter().enumerate() {
            assert!((p.value - want[i]).abs() < 1e-4, "{name}: {p:?} is not {}", want[i]);
            assert!((p.standard_error / errors[i] - 1.0).abs() < 1e-3, "{name}: {p:?}");
        }
        let likelihood = case["log_likelihood"].as_f64().unwrap();
        assert!((model.log_likelihood - likelihood).abs() < 1e-4, "{}", model.log_likelihood);
        let curve = kaplan_meier(&children);
        for point in case["kaplan_meier"].as_array().unwrap() {
            let (t, p) = (point[0].as_f64().unwrap(), point[1].as_f64().unwrap());
            let found = curve.iter().rev().find(|c| c.0 <= t).map_or(0.0, |c| c.1);
            assert!((found - p).abs() < 1e-9, "{t}: {found} is not {p}");
        }
    }

    #[test]
    fn thin_samples_are_refused() {
        assert!(matches!(fit(&orders(49, 1)), Err(FillError::TooFew { orders: 49, .. })));
        let none: Vec<ChildObservation> =
            orders(90, 1).into_iter().map(|c| ChildObservation { filled: false, ..c }).collect();
        assert!(matches!(fit(&none), Err(FillError::TooFew { filled: 0, .. })));
    }

    #[test]
    fn the_product_limit_by_hand() {
        let child = |seconds: f64, filled: bool| ChildObservation {
            placed_ns: 0,
            queue_prints: 0.0,
            behind_ticks: 0.0,
            own_share: 0.5,
            seconds,
            filled,
        };
        let c = [child(1.0, true), child(2.0, false), child(3.0, true), child(4.0, false)];
        assert_eq!(kaplan_meier(&c), vec![(1.0, 0.25), (3.0, 1.0 - 0.75 * 0.5)]);
    }
}
