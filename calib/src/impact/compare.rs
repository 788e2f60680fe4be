//! Which model of cost predicts orders it has not seen.

use super::propagator::Kernel;
use super::response::Response;
use super::sample::{Basis, Sample};
use crate::stats::least_squares::Sums;
use crate::stats::{mean, minimise, variance};
use serde::{Deserialize, Serialize};

/// Folds: runs of neighbours in time, each predicted from the others.
const FOLD_COUNT: usize = 5;
/// Even slices in which the propagator trades an order.
const SLICE_COUNT: usize = 30;

/// How well one model predicts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// Name.
    pub model: String,
    /// Mean squared error of J/σ on orders not seen, weighted by 1/T, over that of the model
    /// that knows the spread alone; below 1 is better.
    pub relative_error: f64,
    /// Standard error of that ratio, from the folds.
    pub standard_error: f64,
}

/// The term beside the spread.
enum Term {
    None,
    /// `x^b`, b fitted.
    Power(fn(&Sample) -> f64),
    /// `x^b`, b given.
    Fixed(fn(&Sample) -> f64, f64),
    /// Known cost without any coefficient.
    Known(Box<dyn Fn(&Sample) -> f64>),
}

/// Returns the scores of all models, best first. `response` adds the two propagators, whose
/// coefficients come from the market's ticks and not from the orders.
pub fn scores(samples: &[Sample], basis: &Basis, response: Option<&Response>) -> Vec<Score> {
    let mut models: Vec<(&str, Term)> = vec![
        ("spread alone", Term::None),
        ("temporary, linear", Term::Fixed(|s| s.rate, 1.0)),
        ("temporary, power of the rate", Term::Power(|s| s.rate)),
        ("square root of the size", Term::Fixed(|s| s.size, 0.5)),
        ("power of the size", Term::Power(|s| s.size)),
    ];
    if let Some(r) = response {
        for (name, fit) in
            [("propagator, power kernel", &r.power), ("propagator, exponential", &r.exponential)]
        {
            let (kernel, delta, g) = (fit.kernel(), fit.delta.value, fit.prefactor.value);
            let session_s = basis.session_s;
            let cost = move |s: &Sample| propagated(kernel, delta, g, s, session_s);
            models.push((name, Term::Known(Box::new(cost))));
        }
    }
    let errors: Vec<Vec<f64>> = models.iter().map(|(_, term)| fold_errors(samples, term)).collect();
    let mut scores: Vec<Score> = models
        .iter()
        .zip(&errors)
        .map(|((name, _), e)| {
            let ratios: Vec<f64> = e.iter().zip(&errors[0]).map(|(a, b)| a / b).collect();
            Score {
                model: (*name).to_string(),
                relative_error: mean(e) / mean(&errors[0]),
                standard_error: (variance(&ratios) / ratios.len() as f64).sqrt(),
            }
        })
        .filter(|s| s.relative_error.is_finite())
        .collect();
    scores.sort_by(|a, b| a.relative_error.total_cmp(&b.relative_error));
    scores
}

/// Returns J/σ of an order traded evenly under a propagator.
pub fn propagated(kernel: Kernel, delta: f64, g: f64, s: &Sample, session_s: f64) -> f64 {
    let horizon_s = s.horizon * session_s;
    // The kernel was fitted to volume a second: what an order adds in one second of its own.
    let parts = SLICE_COUNT.min((horizon_s as usize).max(1));
    let even = vec![1.0 / parts as f64; parts];
    g * s.size.powf(delta) * kernel.cost(&even, horizon_s, delta)
}

fn fold_errors(samples: &[Sample], term: &Term) -> Vec<f64> {
    let n = samples.len();
    (0..FOLD_COUNT)
        .map(|k| {
            let held = k * n / FOLD_COUNT..(k + 1) * n / FOLD_COUNT;
            let (seen, unseen): (Vec<_>, Vec<_>) =
                samples.iter().enumerate().partition(|(i, _)| !held.contains(i));
            let seen: Vec<&Sample> = seen.into_iter().map(|x| x.1).collect();
            let Some(predict) = train(&seen, term) else { return f64::NAN };
            let squares: Vec<f64> = unseen
                .into_iter()
                .map(|(_, s)| (s.cost - predict(s)).powi(2) / s.horizon)
                .collect();
            mean(&squares)
        })
        .collect()
}

type Predictor<'a> = Box<dyn Fn(&Sample) -> f64 + 'a>;

fn train<'a>(seen: &[&Sample], term: &'a Term) -> Option<Predictor<'a>> {
    let urgencies: Vec<usize> =
        (0..3).filter(|u| seen.iter().filter(|s| s.urgency == *u).count() >= 5).collect();
    let spread = move |s: &Sample| -> Vec<f64> {
        urgencies.iter().map(|&u| if s.urgency == u { s.half_spread } else { 0.0 }).collect()
    };
    let solve = |x: &dyn Fn(&Sample) -> Option<f64>, known: &dyn Fn(&Sample) -> f64| {
        let width = spread(seen.first()?).len() + usize::from(x(seen.first()?).is_some());
        let mut sums = Sums::new(width);
        for s in seen {
            let row: Vec<f64> = spread(s).into_iter().chain(x(s)).collect();
            sums.add(&row, s.cost - known(s), 1.0 / s.horizon);
        }
        sums.solve()
    };
    let dot = |row: Vec<f64>, c: &[f64]| row.iter().zip(c).map(|(a, b)| a * b).sum::<f64>();
    let nothing = |_: &Sample| 0.0;
    match term {
        Term::None => {
            let c = solve(&|_| None, &nothing)?.coefficients;
            Some(Box::new(move |s| dot(spread(s), &c)))
        }
        Term::Known(cost) => {
            let c = solve(&|_| None, &|s| cost(s))?.coefficients;
            Some(Box::new(move |s| dot(spread(s), &c) + cost(s)))
        }
        Term::Power(x) | Term::Fixed(x, _) => {
            let b = match term {
                Term::Fixed(_, b) => *b,
                _ => {
                    let loss = |b: f64| {
                        let found = solve(&|s| Some(x(s).powf(b)), &nothing);
                        found.map_or(f64::INFINITY, |s| s.residual_sum)
                    };
                    minimise::between(loss, 0.05, 1.5, 16).0
                }
            };
            let c = solve(&|s| Some(x(s).powf(b)), &nothing)?.coefficients;
            Some(Box::new(move |s| dot(spread(s).into_iter().chain([x(s).powf(b)]).collect(), &c)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::bootstrap::{normal, uniform};
    use rand_chacha::ChaCha12Rng;
    use rand_chacha::rand_core::SeedableRng;

    const BASIS: Basis = Basis {
        volatility_bps: 100.0,
        daily_volume: 1e6,
        session_s: 23_400.0,
        spread_bps: 1.0,
        price: 100.0,
        shares_outstanding: None,
    };

    #[test]
    fn the_model_that_made_the_costs_wins() {
        let mut rng = ChaCha12Rng::seed_from_u64(5);
        let samples: Vec<Sample> = (0..300)
            .map(|i| {
                let size = 1e-3 * (4.0 * uniform(&mut rng)).exp();
                let horizon = 0.01 * (3.0 * uniform(&mut rng)).exp();
                let rate = size / horizon;
                let noise = 0.02 * horizon.sqrt() * normal(&mut rng);
                Sample {
                    start_ns: i,
                    urgency: (i % 3) as usize,
                    size,
                    horizon,
                    rate,
                    half_spread: 0.01 * (1.0 + uniform(&mut rng)),
                    turnover: 1.0,
                    cost: 0.1 * rate.powf(0.6) + noise,
                    permanent: None,
                    volatility_bps: 100.0,
                }
            })
            .collect();
        let scores = scores(&samples, &BASIS, None);
        assert_eq!(scores[0].model, "temporary, power of the rate", "{scores:?}");
        let spread = scores.iter().find(|s| s.model == "spread alone").unwrap();
        assert!((spread.relative_error - 1.0).abs() < 1e-12);
        assert!(scores[0].relative_error < 0.5);
    }

    #[test]
    fn a_kernel_that_never_decays_costs_half_the_whole_impact() {
        let sample = Sample {
            start_ns: 0,
            urgency: 2,
            size: 0.04,
            horizon: 0.1,
            rate: 0.4,
            half_spread: 0.01,
            turnover: 1.0,
            cost: 0.0,
            permanent: None,
            volatility_bps: 100.0,
        };
        let forever = Kernel::Exponential { rho_per_s: 1e-12 };
        let cost = propagated(forever, 1.0, 3.0, &sample, 23_400.0);
        assert!((cost - 0.5 * 3.0 * 0.04).abs() < 1e-9, "{cost}");
    }
}
