//! What each parent teaches after it ended: a Bayesian update of the calibrated impact, off the
//! hot path, bounded, logged, reversible.
//!
//! The parameters are normal with the profile's mean and covariance; a parent's cost J/σ is its
//! predicted cost plus normal noise whose variance is the calibration's `v₀ + v₁·T/3` (σ²T/3
//! without one). Linearised at the mean this is one step of a Kalman filter. A surprise beyond
//! three standard deviations counts as three (one fat-fingered day must not move the model), and
//! no parameter moves by more than half its standard error at once.

use crate::fill::FillModel;
use crate::impact::fit::PARAMETERS;
use crate::impact::pool::Posterior;
use crate::impact::predict::cost_and_gradient;
use crate::impact::sample::Sample;
use crate::profile::{ImpactSection, Profile};
use serde::{Deserialize, Serialize};

/// Largest surprise that counts, standard deviations of what was expected.
const SURPRISE_MAX: f64 = 3.0;
/// Largest step of a parameter in one update, of its standard errors.
pub const STEP_MAX: f64 = 0.5;

/// One update, with everything needed to take it back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// Symbol.
    pub symbol: String,
    /// Start of the parent it learned from, nanoseconds UTC; of a fill update, of the run's
    /// first order.
    pub parent_ns: u64,
    /// What was expected, basis points; of a fill update, the orders learned from.
    pub expected: f64,
    /// What came, basis points; of a fill update, the fills among them.
    pub found: f64,
    /// Surprise in standard deviations, as found.
    pub surprise: f64,
    /// What the update was of.
    #[serde(flatten)]
    pub before: Before,
}

/// The model as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "snake_case")]
pub enum Before {
    /// Impact.
    Impact {
        /// See [`Posterior`].
        posterior: Posterior,
    },
    /// Fill probability.
    Fill {
        /// See [`FillModel`].
        fill: FillModel,
    },
}

/// Returns the posterior after one parent, and the surprise.
pub fn step(section: &ImpactSection, s: &Sample) -> (Posterior, f64, f64) {
    let old = &section.posterior;
    let (expected, mut gradient) =
        cost_and_gradient(&old.mean, s.urgency, s.half_spread, s.size, s.rate, s.turnover);
    let mut expected = expected;
    if section.simulated {
        // A replayed market does not react: its parents say nothing of permanent impact.
        let permanent = crate::impact::fit::GAMMA;
        expected -= old.mean[permanent] * gradient[permanent];
        gradient[permanent] = 0.0;
    }
    let (v0, v1) = section.fit.as_ref().map_or((0.0, 1.0), |f| f.noise);
    let noise = (v0 + v1 * s.horizon / 3.0).max(1e-12);
    let through: Vec<f64> = (0..PARAMETERS)
        .map(|i| (0..PARAMETERS).map(|j| old.covariance[i][j] * gradient[j]).sum())
        .collect();
    let spread: f64 = gradient.iter().zip(&through).map(|(a, b)| a * b).sum::<f64>() + noise;
    let surprise = (s.cost - expected) / spread.sqrt();
    let counted = surprise.clamp(-SURPRISE_MAX, SURPRISE_MAX) * spread.sqrt();
    let sd = |i: usize| old.covariance[i][i].max(0.0).sqrt();
    let mean = (0..PARAMETERS)
        .map(|i| {
            let step = through[i] / spread * counted;
            old.mean[i] + step.clamp(-STEP_MAX * sd(i), STEP_MAX * sd(i))
        })
        .collect();
    let covariance = (0..PARAMETERS)
        .map(|i| {
            (0..PARAMETERS)
                .map(|j| old.covariance[i][j] - through[i] * through[j] / spread)
                .collect()
        })
        .collect();
    let posterior = Posterior { mean, covariance, own_weight: old.own_weight.clone() };
    (posterior, expected, surprise)
}

/// Lets a profile learn from the parents of a symbol, each once, in order of their start. Returns
/// how many were new; parents of unknown symbols and outside the calibrated range teach nothing.
pub fn learn_impact(profile: &mut Profile, symbol: &str, samples: &[Sample]) -> usize {
    let Some(at) = profile.impact.iter().position(|s| s.symbol == symbol) else { return 0 };
    let last = profile.history.iter().filter(|u| u.symbol == symbol).map(|u| u.parent_ns).max();
    let mut learned = 0;
    for s in samples {
        let section = &mut profile.impact[at];
        let inside = section.range.as_ref().is_none_or(|r| {
            let within = |v: f64, (low, high): (f64, f64)| low <= v && v <= high;
            within(s.size, r.size) && within(s.rate, r.rate)
        });
        if last.is_some_and(|l| s.start_ns <= l) || !inside {
            continue;
        }
        let (posterior, expected, surprise) = step(section, s);
        let before = std::mem::replace(&mut section.posterior, posterior);
        profile.history.push(Update {
            symbol: symbol.to_string(),
            parent_ns: s.start_ns,
            expected: expected * s.volatility_bps,
            found: s.cost * s.volatility_bps,
            surprise,
            before: Before::Impact { posterior: before },
        });
        learned += 1;
    }
    learned
}

/// Lets the fill model learn from the resting orders of a run. Returns whether it did.
pub fn learn_fill(profile: &mut Profile, children: &[crate::observe::ChildObservation]) -> bool {
    let (Some(model), Some(first)) = (&profile.fill, children.first()) else { return false };
    let known =
        |u: &Update| matches!(u.before, Before::Fill { .. }) && u.parent_ns >= first.placed_ns;
    if profile.history.iter().any(known) {
        return false;
    }
    let Some(after) = model.learn(children, STEP_MAX) else { return false };
    let update = Update {
        symbol: String::new(),
        parent_ns: first.placed_ns,
        expected: children.len() as f64,
        found: children.iter().filter(|c| c.filled).count() as f64,
        surprise: 0.0,
        before: Before::Fill { fill: model.clone() },
    };
    profile.fill = Some(after);
    profile.history.push(update);
    true
}

/// Takes the last `count` updates back; returns how many there were.
pub fn undo(profile: &mut Profile, count: usize) -> usize {
    let mut undone = 0;
    while undone < count {
        let Some(update) = profile.history.pop() else { break };
        match update.before {
            Before::Impact { posterior } => {
                if let Some(s) = profile.impact.iter_mut().find(|s| s.symbol == update.symbol) {
                    s.posterior = posterior;
                }
            }
            Before::Fill { fill } => profile.fill = Some(fill),
        }
        undone += 1;
    }
    undone
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::impact::fit::{BETA, ETA};
    use crate::impact::pool::Prior;
    use crate::impact::sample::Basis;
    use crate::stats::bootstrap::{normal, uniform};
    use rand_chacha::ChaCha12Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn profile() -> Profile {
        let mut p = Profile::new("2026-11-22T20:00:00Z".to_string(), 30);
        p.impact.push(ImpactSection {
            symbol: "AAA".to_string(),
            simulated: false,
            parents: 0,
            notes: Vec::new(),
            basis: Basis {
                volatility_bps: 100.0,
                daily_volume: 1e6,
                session_s: 23_400.0,
                spread_bps: 2.0,
                price: 100.0,
                shares_outstanding: None,
            },
            posterior: Prior::published().posterior(None),
            range: None,
            fit: None,
            response: None,
            model: Vec::new(),
        });
        p
    }

    /// Parents of a world where η is 0.25 instead of the prior's 0.142.
    fn samples(count: usize) -> Vec<Sample> {
        let mut rng = ChaCha12Rng::seed_from_u64(4);
        (0..count)
            .map(|i| {
                let size = 1e-3 * (4.0 * uniform(&mut rng)).exp();
                let horizon = 0.01 * (2.0 * uniform(&mut rng)).exp();
                let rate = size / horizon;
                let walk = (horizon / 3.0).sqrt() * normal(&mut rng);
                Sample {
                    start_ns: 10 + i as u64,
                    urgency: 2,
                    size,
                    horizon,
                    rate,
                    half_spread: 0.01,
                    turnover: 1.0,
                    cost: 0.01 + 0.5 * 0.314 * size + 0.25 * rate.powf(0.6) + walk,
                    permanent: None,
                    volatility_bps: 100.0,
                }
            })
            .collect()
    }

    #[test]
    fn parents_teach_once_and_are_taken_back_exactly() {
        let mut p = profile();
        let before = p.clone();
        let samples = samples(400);
        assert_eq!(learn_impact(&mut p, "AAA", &samples), 400);
        assert_eq!(learn_impact(&mut p, "AAA", &samples), 0, "known parents teach nothing");
        assert_eq!(learn_impact(&mut p, "BBB", &samples), 0);
        let (m, c) = (&p.impact[0].posterior.mean, &p.impact[0].posterior.covariance);
        let cost = |rate: f64| m[ETA] * rate.powf(m[BETA]);
        for rate in [0.3, 1.0] {
            let truth = 0.25 * f64::powf(rate, 0.6);
            assert!((cost(rate) / truth - 1.0).abs() < 0.25, "{rate}: {} {truth}", cost(rate));
        }
        let old = &before.impact[0].posterior.covariance;
        assert!((0..PARAMETERS).all(|i| c[i][i] <= old[i][i] + 1e-15 && c[i][i] > 0.0));
        // The log is in the file.
        let text = p.seal().unwrap();
        let mut p = Profile::open("p", &text).unwrap();
        assert_eq!(undo(&mut p, 1), 1);
        assert_eq!(undo(&mut p, 10_000), 399);
        assert_eq!(p.impact, before.impact);
    }

    #[test]
    fn one_wild_parent_moves_nothing_far() {
        let p = profile();
        let wild = Sample { cost: 1e3, ..samples(1)[0] };
        let (after, _, surprise) = step(&p.impact[0], &wild);
        assert!(surprise > 100.0);
        let old = &p.impact[0].posterior;
        for i in 0..PARAMETERS {
            let moved = (after.mean[i] - old.mean[i]).abs();
            assert!(moved <= STEP_MAX * old.covariance[i][i].sqrt() + 1e-12, "{i}: {moved}");
        }
    }
}
