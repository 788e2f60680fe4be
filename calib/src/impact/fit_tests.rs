//! Recovery of known parameters from simulated fills.

use super::*;
use crate::stats::bootstrap::{normal, uniform};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;

/// Parameters of Almgren et al. (2005) with a fixed part of the spread for urgent orders.
const GAMMA_TRUE: f64 = 0.314;
const ETA_TRUE: f64 = 0.142;
const BETA_TRUE: f64 = 0.6;
const PART_TRUE: f64 = 0.8;

/// Parents over a market that moves like a random walk with what they add to it: J and I have the
/// paper's joint noise, not noise invented for the fit.
fn simulate(count: usize, seed: u64) -> Vec<Sample> {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let mut between =
        |low: f64, high: f64| -> f64 { (low.ln() + (high / low).ln() * uniform(&mut rng)).exp() };
    let mut drawn = Vec::new();
    for i in 0..count {
        let (size, horizon) = (between(2e-3, 0.2), between(0.02, 0.5));
        let (half_spread, turnover) = (between(0.005, 0.02), between(2.0, 5.0));
        drawn.push((i, size, horizon, half_spread, turnover));
    }
    let noise = |rng: &mut ChaCha12Rng| normal(rng);
    drawn
        .into_iter()
        .map(|(i, size, horizon, half_spread, turnover)| {
            let after = 1.5 * horizon;
            // End and time average of a Brownian path over T, then its move until T_post.
            let end = horizon.sqrt() * noise(&mut rng);
            let average = 0.5 * end + (horizon / 12.0).sqrt() * noise(&mut rng);
            let later = (after - horizon).sqrt() * noise(&mut rng);
            let permanent = GAMMA_TRUE * size * turnover;
            let rate = size / horizon;
            let temporary = ETA_TRUE * rate.powf(BETA_TRUE);
            Sample {
                start_ns: i as u64,
                urgency: 2,
                size,
                horizon,
                rate,
                half_spread,
                turnover,
                cost: PART_TRUE * half_spread + 0.5 * permanent + temporary + average,
                permanent: Some((permanent + end + later, after)),
                volatility_bps: 150.0,
            }
        })
        .collect()
}

#[test]
fn without_noise_the_parameters_are_exact() {
    let samples: Vec<Sample> = simulate(60, 1)
        .into_iter()
        .map(|s| {
            let permanent = GAMMA_TRUE * s.size * s.turnover;
            let temporary = ETA_TRUE * s.rate.powf(BETA_TRUE);
            let cost = PART_TRUE * s.half_spread + 0.5 * permanent + temporary;
            Sample { cost, permanent: Some((permanent, 1.5 * s.horizon)), ..s }
        })
        .collect();
    let fit = fit(&samples, true, 1).unwrap();
    for (found, truth) in [
        (&fit.gamma, GAMMA_TRUE),
        (&fit.eta, ETA_TRUE),
        (&fit.beta, BETA_TRUE),
        (&fit.spread_parts[2], PART_TRUE),
    ] {
        assert!((found.value / truth - 1.0).abs() < 1e-3, "{found:?} is not {truth}");
    }
}

/// 95 % intervals must hold the truth in at least 90 % of 200 runs, for each parameter.
#[test]
fn intervals_cover_the_truth_in_two_hundred_runs() {
    let mut covered = [0u32; 4];
    let runs = 200;
    for seed in 0..runs {
        let fit = fit(&simulate(250, 1_000 + seed), true, seed).unwrap();
        for (i, (p, truth)) in [
            (&fit.gamma, GAMMA_TRUE),
            (&fit.eta, ETA_TRUE),
            (&fit.beta, BETA_TRUE),
            (&fit.spread_parts[2], PART_TRUE),
        ]
        .into_iter()
        .enumerate()
        {
            covered[i] += u32::from(p.lower <= truth && truth <= p.upper);
        }
    }
    assert!(covered.iter().all(|&c| c >= 180), "{covered:?} of {runs}");
}

#[test]
fn thin_and_flat_samples_say_so() {
    let samples = simulate(29, 1);
    assert_eq!(fit(&samples, true, 1), Err(FitError::TooFew { found: 29 }));
    // One rate for all: its exponent cannot be told.
    let flat: Vec<Sample> =
        simulate(120, 2).into_iter().map(|s| Sample { rate: 0.1, size: 0.01, ..s }).collect();
    match fit(&flat, true, 1) {
        Ok(f) => assert!(!f.beta.identified, "{:?}", f.beta),
        Err(e) => assert_eq!(e, FitError::Collinear),
    }
    // Costs that do not depend on the order at all: no impact is found.
    let mut rng = ChaCha12Rng::seed_from_u64(9);
    let none: Vec<Sample> = simulate(200, 3)
        .into_iter()
        .map(|s| {
            let cost = s.horizon.sqrt() * normal(&mut rng) / 3f64.sqrt();
            Sample { cost, permanent: Some((0.0, s.horizon)), ..s }
        })
        .collect();
    let fit = fit(&none, false, 4).unwrap();
    assert!(!fit.gamma.identified && fit.gamma.reason.contains("does not react"));
    assert!(!fit.eta.identified || fit.eta.lower < 0.05, "{:?}", fit.eta);
    assert!(!fit.beta.identified, "{:?}", fit.beta);
}

#[test]
fn variance_that_grows_with_time_is_weighted_away() {
    let fit = fit(&simulate(400, 77), true, 1).unwrap();
    assert!(fit.heteroscedasticity_p > 0.01, "{}", fit.heteroscedasticity_p);
    assert!((0.4..2.5).contains(&fit.noise.1), "{:?}", fit.noise);
}
