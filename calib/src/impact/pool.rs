//! Symbols learn from each other: a prior pooled over those that tell a parameter, and what each
//! symbol is taken to be once its own estimate is weighed against that prior.
//!
//! The prior's centre and spread are the random-effects estimate of DerSimonian and Laird (1986).
//! With fewer than three symbols it is the published model's (Almgren et al. 2005) with half its
//! value as spread: it was fitted to other stocks in other years.

use super::ImpactModel;
use super::fit::{BETA, ETA, GAMMA, ImpactFit, PARAMETERS, SPREAD_PARTS};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// Symbols that must tell a parameter before their own pool is the prior.
const POOL_COUNT_MIN: usize = 3;

/// A normal prior, parameters independent, in the order of [`ImpactFit::vector`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prior {
    /// Centre.
    pub mean: Vec<f64>,
    /// Spread between symbols, with the uncertainty of the centre.
    pub sd: Vec<f64>,
    /// Where each comes from: `published` or `pooled over N symbols`.
    pub origin: Vec<String>,
}

/// What a symbol is taken to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Posterior {
    /// Parameters in the order of [`ImpactFit::vector`].
    pub mean: Vec<f64>,
    /// Their covariance.
    pub covariance: Vec<Vec<f64>>,
    /// Weight of the symbol's own estimate, 0 to 1, by parameter.
    pub own_weight: Vec<f64>,
}

impl Prior {
    /// Returns the published prior.
    pub fn published() -> Prior {
        let m = ImpactModel::ALMGREN_2005;
        let mut mean = SPREAD_PARTS.to_vec();
        mean.extend([m.gamma.value, m.eta.value, m.beta.value]);
        let mut sd = vec![1.0; 3];
        sd.extend([0.5 * m.gamma.value, 0.5 * m.eta.value, 0.15]);
        Prior { mean, sd, origin: vec!["published".to_string(); PARAMETERS] }
    }

    /// Returns the prior that `fits` of different symbols make together.
    pub fn pooled(fits: &[&ImpactFit]) -> Prior {
        let mut prior = Prior::published();
        for i in 0..PARAMETERS {
            let told: Vec<(f64, f64)> = fits
                .iter()
                .filter(|f| tells(f, i))
                .map(|f| (f.vector()[i], f.covariance[i][i].sqrt()))
                .filter(|(v, se)| v.is_finite() && *se > 0.0)
                .collect();
            if told.len() < POOL_COUNT_MIN {
                continue;
            }
            let (centre, centre_se, between) = random_effects(&told);
            // One symbol in three could always be another kind of symbol: never no spread.
            let floor = 0.1 * prior.sd[i];
            prior.mean[i] = centre;
            prior.sd[i] = (between * between + centre_se * centre_se).sqrt().max(floor);
            prior.origin[i] = format!("pooled over {} symbols", told.len());
        }
        prior
    }

    /// Returns the posterior of a symbol with fit `own`, or the prior itself without one.
    pub fn posterior(&self, own: Option<&ImpactFit>) -> Posterior {
        let precision = DMatrix::from_fn(PARAMETERS, PARAMETERS, |i, j| {
            if i == j { 1.0 / (self.sd[i] * self.sd[i]) } else { 0.0 }
        });
        let mean = DVector::from_vec(self.mean.clone());
        let mut both = precision.clone();
        let mut weighted = &precision * &mean;
        if let Some((own_precision, own_mean)) = own.and_then(likelihood) {
            weighted += &own_precision * own_mean;
            both += own_precision;
        }
        let covariance = match both.clone().cholesky() {
            Some(factor) => factor.inverse(),
            None => DMatrix::from_fn(PARAMETERS, PARAMETERS, |i, j| {
                if i == j { self.sd[i] * self.sd[i] } else { 0.0 }
            }),
        };
        let mean = &covariance * weighted;
        let row = |i: usize| (0..PARAMETERS).map(|j| covariance[(i, j)]).collect();
        let own_weight = (0..PARAMETERS)
            .map(|i| (1.0 - covariance[(i, i)] / (self.sd[i] * self.sd[i])).clamp(0.0, 1.0))
            .collect();
        Posterior {
            mean: mean.iter().copied().collect(),
            covariance: (0..PARAMETERS).map(row).collect(),
            own_weight,
        }
    }
}

/// Whether a fit may speak for parameter `i`.
fn tells(fit: &ImpactFit, i: usize) -> bool {
    match i {
        GAMMA => fit.gamma.identified,
        ETA => fit.eta.identified,
        BETA => fit.beta.identified,
        part => fit.spread_parts.get(part).is_some_and(|p| p.identified),
    }
}

/// Returns precision and centre of what a fit says, over the parameters it may speak for; the
/// others have no precision. An η whose exponent is not told still speaks, with it.
fn likelihood(fit: &ImpactFit) -> Option<(DMatrix<f64>, DVector<f64>)> {
    let told: Vec<usize> = (0..PARAMETERS)
        .filter(|&i| match i {
            ETA | BETA => fit.eta.standard_error > 0.0,
            _ => tells(fit, i),
        })
        .collect();
    let n = told.len();
    let vector = fit.vector();
    let block = DMatrix::from_fn(n, n, |i, j| {
        let ridge = if i == j { 1.0 + 1e-9 } else { 1.0 };
        fit.covariance[told[i]][told[j]] * ridge
    });
    let inverse = block.cholesky()?.inverse();
    let mut precision = DMatrix::zeros(PARAMETERS, PARAMETERS);
    for (i, &a) in told.iter().enumerate() {
        for (j, &b) in told.iter().enumerate() {
            precision[(a, b)] = inverse[(i, j)];
        }
    }
    Some((precision, DVector::from_vec(vector)))
}

/// Returns centre, its standard error, and the spread between symbols.
fn random_effects(told: &[(f64, f64)]) -> (f64, f64, f64) {
    let sums = |between: f64| {
        let w: Vec<f64> = told.iter().map(|(_, se)| 1.0 / (se * se + between)).collect();
        let total: f64 = w.iter().sum();
        let centre = w.iter().zip(told).map(|(w, (v, _))| w * v).sum::<f64>() / total;
        (w, total, centre)
    };
    let (w, total, centre) = sums(0.0);
    let q: f64 = w.iter().zip(told).map(|(w, (v, _))| w * (v - centre).powi(2)).sum();
    let scale = total - w.iter().map(|w| w * w).sum::<f64>() / total;
    let between = ((q - (told.len() as f64 - 1.0)) / scale).max(0.0);
    let (_, total, centre) = sums(between);
    (centre, 1.0 / total.sqrt(), between.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Parameter;

    fn fit(eta: f64, se: f64, identified: bool) -> ImpactFit {
        let known = |v: f64, s: f64| Parameter::known(v, s, v - 2.0 * s, v + 2.0 * s);
        let told = known(eta, se);
        let told = if identified { told } else { told.not_identified("thin") };
        let mut covariance = vec![vec![0.0; PARAMETERS]; PARAMETERS];
        for (i, s) in [0.1, 0.1, 0.1, 0.1, se, 0.05].into_iter().enumerate() {
            covariance[i][i] = s * s;
        }
        ImpactFit {
            parents: 100,
            spread_parts: vec![known(0.1, 0.1), known(0.4, 0.1), known(0.9, 0.1)],
            gamma: known(0.3, 0.1).not_identified("a replayed market does not react"),
            eta: told,
            beta: known(0.6, 0.05),
            square_root_y: known(0.5, 0.1),
            square_root_delta: known(0.5, 0.1),
            noise: (0.0, 1.0),
            heteroscedasticity_p: 0.5,
            covariance,
        }
    }

    /// DerSimonian and Laird's formulas by hand: effects 1, 2, 4 with variances 1.
    #[test]
    fn random_effects_by_hand() {
        let (centre, se, between) = random_effects(&[(1.0, 1.0), (2.0, 1.0), (4.0, 1.0)]);
        assert!((centre - 7.0 / 3.0).abs() < 1e-12);
        // Q = 14/3, c = 3 - 1 = 2, τ² = (14/3 - 2)/2 = 4/3.
        assert!((between * between - 4.0 / 3.0).abs() < 1e-12);
        assert!((se * se - (1.0 + 4.0 / 3.0) / 3.0).abs() < 1e-12);
    }

    #[test]
    fn thin_symbols_move_to_the_pool_and_rich_ones_stay() {
        let rich = [fit(0.10, 0.01, true), fit(0.12, 0.01, true), fit(0.14, 0.01, true)];
        let prior = Prior::pooled(&rich.iter().collect::<Vec<_>>());
        assert!((prior.mean[ETA] - 0.12).abs() < 0.005, "{prior:?}");
        assert_eq!(prior.origin[ETA], "pooled over 3 symbols");
        assert_eq!(prior.origin[GAMMA], "published", "nobody tells it");
        let thin = prior.posterior(Some(&fit(0.60, 0.5, true)));
        assert!((thin.mean[ETA] - 0.12).abs() < 0.02 && thin.own_weight[ETA] < 0.1, "{thin:?}");
        let own = prior.posterior(Some(&fit(0.20, 0.002, true)));
        assert!((own.mean[ETA] - 0.20).abs() < 0.01 && own.own_weight[ETA] > 0.9);
        let none = prior.posterior(None);
        assert!(none.mean.iter().zip(&prior.mean).all(|(a, b)| (a - b).abs() < 1e-12));
        assert!(none.own_weight.iter().all(|w| *w < 1e-9));
        let told = own.own_weight[GAMMA];
        assert!(told < 1e-9, "what is not identified adds nothing: {told}");
    }
}
