//! Sizing from a track record: what its mean is worth once its own uncertainty is counted.

use crate::stats::bootstrap::{Blocks, block_length, parameter};
use crate::stats::{Parameter, mean, variance};
use ijk_sizing::drawdown::{conformal_radius, constrained_fraction, risk_exponent};
use ijk_sizing::kelly::{kelly_fraction, shrinkage};
use ijk_sizing::region::Edge;
use serde::{Deserialize, Serialize};

/// Returns below which nothing is said.
pub const RETURN_COUNT_MIN: usize = 30;
/// Wealth may fall to this part of its start..
pub const LEVEL: f64 = 0.7;
/// ..with at most this probability.
pub const PROBABILITY: f64 = 0.1;
const RESAMPLES: usize = 1_000;

/// What a track record is worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KellySection {
    /// Returns used.
    pub returns: usize,
    /// Mean return of a period, with its block-bootstrap interval.
    pub mean: Parameter,
    /// Standard deviation of a period's return.
    pub sd: f64,
    /// Mean over variance: plain Kelly, leverage.
    pub plain: f64,
    /// Part of it that survives the mean's uncertainty (Baker and McHale 2013), 0 to 1.
    pub shrinkage: f64,
    /// Shrunk Kelly, leverage.
    pub shrunk: f64,
    /// Fraction that keeps a fall to [`LEVEL`] below [`PROBABILITY`] on this record.
    pub drawdown_bound: f64,
    /// What to use: the smallest of them, as a part of plain Kelly.
    pub multiplier: f64,
}

/// Too short a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} returns, expected at least {RETURN_COUNT_MIN} finite ones that vary")]
pub struct RecordError(pub usize);

/// Measures a track record of simple returns per period.
///
/// # Errors
/// [`RecordError`].
pub fn kelly(returns: &[f64], seed: u64) -> Result<KellySection, RecordError> {
    let (m, v) = (mean(returns), variance(returns));
    if returns.len() < RETURN_COUNT_MIN || !(v.is_finite() && v > 1e-20 * (m * m).max(1e-20)) {
        return Err(RecordError(returns.len()));
    }
    let mut blocks = Blocks::new(returns.len(), block_length(returns.len()), seed);
    let means: Vec<f64> = (0..RESAMPLES)
        .map(|_| mean(&blocks.draw().iter().map(|&i| returns[i]).collect::<Vec<_>>()))
        .collect();
    let estimate = parameter(m, &means, blocks.independent());
    let estimate = if estimate.lower <= 0.0 && 0.0 <= estimate.upper {
        estimate.not_identified("its interval holds zero")
    } else {
        estimate
    };
    let plain = kelly_fraction(m, v);
    let shrinkage = shrinkage(m, estimate.standard_error.powi(2).max(v / returns.len() as f64));
    let lambda = risk_exponent(LEVEL, PROBABILITY);
    let bound = constrained_fraction(returns, lambda, 100.0);
    let part = if plain > 0.0 { (bound / plain).min(shrinkage) } else { 0.0 };
    Ok(KellySection {
        returns: returns.len(),
        mean: estimate,
        sd: v.sqrt(),
        plain,
        shrinkage,
        shrunk: plain * shrinkage,
        drawdown_bound: bound,
        multiplier: part.clamp(0.0, 1.0),
    })
}

/// A way to size, by name.
pub const STRATEGIES: [&str; 7] = [
    "fixed",
    "plain kelly",
    "half kelly",
    "shrunk kelly",
    "shrunk, volatility target",
    "shrunk, drawdown bound",
    "shrunk, conformal bound",
];

/// How the study is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Study {
    /// Bootstrapped paths.
    pub paths: usize,
    /// Periods before the first bet, from which the first estimate comes.
    pub learn: usize,
    /// Periods of betting.
    pub periods: usize,
    /// Fixed fraction of wealth that the others are compared with.
    pub fixed: f64,
    /// Largest fraction of wealth.
    pub cap: f64,
    /// Cost of one side, fraction of what is traded.
    pub cost_side: f64,
    /// Length of the blocks drawn; 0 takes the cube root of the record.
    pub block: usize,
    /// Seed.
    pub seed: u64,
}

/// One strategy's result over all paths.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StudyRow {
    /// Name.
    pub strategy: String,
    /// Median terminal log growth, with a bootstrap interval over paths.
    pub median_log_growth: Parameter,
    /// Median of the largest drawdown, fraction of wealth.
    pub median_drawdown: f64,
    /// 95th percentile of the largest drawdown.
    pub drawdown_p95: f64,
    /// Median over that of fixed sizing, less 1, with an interval over paths (paired).
    pub gain: Parameter,
}

/// Bets every strategy on the same bootstrapped paths; each knows only the periods before.
///
/// # Errors
/// [`RecordError`].
pub fn study(returns: &[f64], s: &Study) -> Result<Vec<StudyRow>, RecordError> {
    kelly(returns, s.seed)?;
    let block = if s.block > 0 { s.block } else { block_length(returns.len()) };
    let length = s.learn + s.periods;
    let mut blocks = Blocks::new(returns.len(), block, s.seed);
    let mut results = vec![Vec::with_capacity(s.paths); STRATEGIES.len()];
    for _ in 0..s.paths {
        let mut path = Vec::with_capacity(length);
        while path.len() < length {
            path.extend(blocks.draw().iter().map(|&i| returns[i]));
        }
        path.truncate(length);
        for (i, result) in results.iter_mut().enumerate() {
            result.push(bet(&path, i, s));
        }
    }
    Ok(rows(&results, s.seed))
}

/// Returns terminal log growth and largest drawdown of one strategy on one path.
fn bet(path: &[f64], strategy: usize, s: &Study) -> (f64, f64) {
    let (mut wealth, mut peak, mut drawdown, mut held) = (1.0f64, 1.0f64, 0.0f64, 0.0f64);
    let (mut sum, mut squares) = (0.0, 0.0);
    for r in &path[..s.learn] {
        sum += r;
        squares += r * r;
    }
    let mut bound = f64::INFINITY;
    let mut radius = f64::INFINITY;
    for t in s.learn..path.len() {
        let n = t as f64;
        let m = sum / n;
        let v = ((squares - n * m * m) / (n - 1.0)).max(1e-18);
        // Slow estimates are renewed now and then.
        if (t - s.learn).is_multiple_of(21) {
            if strategy == 5 && (t - s.learn).is_multiple_of(126) {
                let lambda = risk_exponent(LEVEL, PROBABILITY);
                bound = constrained_fraction(&path[..t], lambda, s.cap);
            }
            if strategy == 6 {
                radius = mean_radius(&path[..t]);
            }
        }
        let wanted = fraction(strategy, m, v, n, held, bound, radius, s);
        let cost = s.cost_side * (wanted - held).abs();
        let growth = 1.0 + wanted * path[t] - cost;
        wealth *= growth.max(1e-9);
        // The position drifts with the price until the next bet.
        held = wanted * (1.0 + path[t]) / growth.max(1e-9);
        peak = peak.max(wealth);
        drawdown = drawdown.max(1.0 - wealth / peak);
        sum += path[t];
        squares += path[t] * path[t];
    }
    (wealth.ln(), drawdown)
}

/// The conformal radius of the mean: how far means of earlier stretches were from the mean of
/// everything before them.
fn mean_radius(past: &[f64]) -> f64 {
    const STRETCH: usize = 21;
    let mut errors: Vec<f64> = past
        .chunks_exact(STRETCH)
        .scan((0.0, 0.0), |(sum, n), stretch| {
            let before = if *n > 0.0 { *sum / *n } else { 0.0 };
            let found = mean(stretch);
            *sum += stretch.iter().sum::<f64>();
            *n += STRETCH as f64;
            Some((found - before).abs())
        })
        .skip(1)
        .collect();
    // The error of a mean of k stretches is that of one over √k.
    let k = errors.len().max(1) as f64;
    conformal_radius(&mut errors, 0.2) / k.sqrt()
}

#[allow(clippy::too_many_arguments)] // one period's state, used once
fn fraction(
    strategy: usize,
    m: f64,
    v: f64,
    n: f64,
    held: f64,
    bound: f64,
    radius: f64,
    s: &Study,
) -> f64 {
    if strategy == 0 {
        return s.fixed;
    }
    let plain = kelly_fraction(m, v).clamp(0.0, s.cap);
    if strategy == 1 {
        return plain;
    }
    if strategy == 2 {
        return 0.5 * plain;
    }
    let kept = match strategy {
        6 => (1.0 - radius / m.abs().max(1e-18)).max(0.0),
        _ => shrinkage(m, v / n),
    };
    // Costs inside the optimisation: within the no-trade region the position stands.
    let edge = Edge {
        entry: m.max(0.0) * kept,
        hold: m.max(0.0) * kept,
        // A position is held for about a month: its cost is spread over those periods.
        cost_side: s.cost_side / 21.0,
        variance: v,
        multiplier: 1.0,
    };
    let cap = match strategy {
        // The volatility of the fixed bet is the target.
        4 => s.cap.min(s.fixed),
        5 => s.cap.min(bound),
        _ => s.cap,
    };
    edge.target(held, cap).clamp(0.0, cap)
}

fn rows(results: &[Vec<(f64, f64)>], seed: u64) -> Vec<StudyRow> {
    let median = |v: &[f64]| crate::stats::quantile(v, 0.5);
    let growth: Vec<Vec<f64>> = results.iter().map(|r| r.iter().map(|x| x.0).collect()).collect();
    let mut blocks = Blocks::new(growth[0].len(), 1, seed);
    let picks: Vec<Vec<usize>> = (0..RESAMPLES).map(|_| blocks.draw()).collect();
    let of = |i: usize, p: &[usize]| median(&p.iter().map(|&k| growth[i][k]).collect::<Vec<_>>());
    let base = median(&growth[0]);
    let bases: Vec<f64> = picks.iter().map(|p| of(0, p)).collect();
    STRATEGIES
        .iter()
        .enumerate()
        .map(|(i, name)| {
            let drawdowns: Vec<f64> = results[i].iter().map(|x| x.1).collect();
            let medians: Vec<f64> = picks.iter().map(|p| of(i, p)).collect();
            let gains: Vec<f64> =
                medians.iter().zip(&bases).map(|(a, b)| (a - b) / b.abs()).collect();
            let n = blocks.independent();
            let middle = median(&growth[i]);
            StudyRow {
                strategy: (*name).to_string(),
                median_log_growth: parameter(middle, &medians, n),
                median_drawdown: median(&drawdowns),
                drawdown_p95: crate::stats::quantile(&drawdowns, 0.95),
                gain: parameter((middle - base) / base.abs(), &gains, n),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::bootstrap::normal;
    use rand_chacha::ChaCha12Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn series(mu: f64, sd: f64, n: usize) -> Vec<f64> {
        let mut rng = ChaCha12Rng::seed_from_u64(5);
        (0..n).map(|_| mu + sd * normal(&mut rng)).collect()
    }

    #[test]
    fn a_record_shrinks_by_its_own_uncertainty() {
        let long = kelly(&series(2e-3, 1e-2, 4_000), 1).unwrap();
        assert!(long.shrinkage > 0.95 && long.mean.identified, "{long:?}");
        assert!((long.plain / 20.0 - 1.0).abs() < 0.25, "{long:?}");
        let none = kelly(&series(0.0, 1e-2, 100), 1).unwrap();
        assert!(!none.mean.identified && none.shrinkage < 0.7, "{none:?}");
        assert!(none.shrunk.abs() <= none.plain.abs() && (0.0..=1.0).contains(&none.multiplier));
        assert_eq!(kelly(&[0.1; 100], 1), Err(RecordError(100)));
        assert_eq!(kelly(&series(0.0, 1.0, 29), 1), Err(RecordError(29)));
    }

    #[test]
    fn all_bet_on_the_same_paths_and_know_only_the_past() {
        let s = Study {
            paths: 200,
            learn: 100,
            periods: 250,
            fixed: 1.0,
            cap: 3.0,
            cost_side: 1e-4,
            block: 0,
            seed: 2,
        };
        let rows = study(&series(1e-3, 1e-2, 600), &s).unwrap();
        assert_eq!(rows.len(), STRATEGIES.len());
        assert_eq!(rows[0].gain.value, 0.0);
        assert!(rows.iter().all(|r| (0.0..1.0).contains(&r.median_drawdown)));
        assert!(rows[2].median_drawdown < rows[1].median_drawdown, "half bets fall less");
        assert!(rows[5].median_drawdown <= rows[3].median_drawdown + 1e-9);
        let path = series(1e-3, 1e-2, 350);
        let mut changed = path.clone();
        changed[349] = 0.0;
        for i in 0..STRATEGIES.len() {
            let cut = Study { periods: 249, ..s };
            assert_eq!(bet(&path[..349], i, &cut), bet(&changed[..349], i, &cut));
        }
    }
}
