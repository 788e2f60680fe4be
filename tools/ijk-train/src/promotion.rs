//! Whether a challenger may become champion: nothing is promoted for its Sharpe ratio alone.
//!
//! - Deflated Sharpe ratio (Bailey and Lopez de Prado 2014): the probability that the true Sharpe
//!   ratio exceeds what the best of as many useless trials would show.
//! - Minimum track record length (Bailey and Lopez de Prado 2012).
//! - Probability of backtest overfitting by combinatorially symmetric cross-validation (Bailey,
//!   Borwein, Lopez de Prado and Zhu 2017).
//! - A paired test against the incumbent on the same stretches.
//!
//! Sharpe ratios here are per observation, not annualised.

use ijk_models::compare::diebold_mariano;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

/// Euler's constant.
const EULER: f64 = 0.577_215_664_901_532_9;
/// Confidence asked for.
pub const CONFIDENCE: f64 = 0.95;
/// Largest probability of overfitting.
pub const PBO_MAX: f64 = 0.5;
/// Blocks of the cross-validation.
const BLOCKS: usize = 10;

/// Moments of a series of returns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Observations.
    pub count: usize,
    /// Mean over standard deviation.
    pub sharpe: f64,
    /// Third standardised moment.
    pub skewness: f64,
    /// Fourth standardised moment: 3 for a normal law.
    pub kurtosis: f64,
}

impl Moments {
    /// Measures returns; a series that never varies has a Sharpe ratio of zero.
    pub fn of(returns: &[f64]) -> Moments {
        let n = returns.len() as f64;
        let mean = returns.iter().sum::<f64>() / n;
        let central = |p: i32| returns.iter().map(|r| (r - mean).powi(p)).sum::<f64>() / n;
        let variance = central(2);
        let (sharpe, skewness, kurtosis) = if variance > 0.0 {
            (mean / variance.sqrt(), central(3) / variance.powf(1.5), central(4) / variance.powi(2))
        } else {
            (0.0, 0.0, 3.0)
        };
        Moments { count: returns.len(), sharpe, skewness, kurtosis }
    }

    /// Variance of the estimated Sharpe ratio times the observations, at a true ratio of `at`.
    fn spread(&self, at: f64) -> f64 {
        1.0 - self.skewness * at + (self.kurtosis - 1.0) / 4.0 * at * at
    }

    /// Returns the probability that the true Sharpe ratio exceeds `benchmark`.
    pub fn probabilistic_sharpe(&self, benchmark: f64) -> f64 {
        let root = (self.count as f64 - 1.0).max(0.0).sqrt();
        let z = (self.sharpe - benchmark) * root / self.spread(self.sharpe).sqrt();
        if z.is_finite() { Normal::standard().cdf(z) } else { 0.0 }
    }

    /// Returns the observations needed for the ratio to exceed `benchmark` with `confidence`;
    /// infinite where it does not exceed it.
    pub fn minimum_track(&self, benchmark: f64, confidence: f64) -> f64 {
        if self.sharpe <= benchmark {
            return f64::INFINITY;
        }
        let z = Normal::standard().inverse_cdf(confidence) / (self.sharpe - benchmark);
        1.0 + self.spread(self.sharpe) * z * z
    }
}

/// Returns the Sharpe ratio that the best of `trials` useless ones is expected to show, where
/// their ratios have variance `variance`.
pub fn expected_best(variance: f64, trials: usize) -> f64 {
    if trials < 2 {
        return 0.0;
    }
    let (normal, n) = (Normal::standard(), trials as f64);
    let quantile = |p: f64| normal.inverse_cdf(1.0 - p);
    variance.sqrt() * ((1.0 - EULER) * quantile(1.0 / n) + EULER * quantile(1.0 / (n * 1f64.exp())))
}

/// Returns the probability that the best trial in the sample is below the median outside it:
/// `returns[trial]` hold the same stretches for every trial. `None` for fewer than two trials or
/// twenty stretches.
pub fn overfitting(returns: &[Vec<f64>]) -> Option<f64> {
    let length = returns.iter().map(Vec::len).min()?;
    if returns.len() < 2 || length < 2 * BLOCKS {
        return None;
    }
    let block = length / BLOCKS;
    let (mut below, mut count) = (0.0, 0.0);
    for chosen in (0u32..1 << BLOCKS).filter(|c| c.count_ones() as usize == BLOCKS / 2) {
        let sharpe = |trial: &Vec<f64>, inside: bool| {
            let part: Vec<f64> = (0..BLOCKS)
                .filter(|b| (chosen >> b & 1 == 1) == inside)
                .flat_map(|b| trial[b * block..(b + 1) * block].iter().copied())
                .collect();
            Moments::of(&part).sharpe
        };
        let inside: Vec<f64> = returns.iter().map(|t| sharpe(t, true)).collect();
        let best = (0..inside.len()).fold(0, |b, i| if inside[i] > inside[b] { i } else { b });
        let outside: Vec<f64> = returns.iter().map(|t| sharpe(t, false)).collect();
        let worse = outside.iter().filter(|&&s| s < outside[best]).count() as f64;
        let ties = outside.iter().filter(|&&s| s == outside[best]).count() as f64;
        // Relative rank in (0, 1); its logit is at most 0 where it is at most one half.
        let rank = (worse + 0.5 * (ties + 1.0)) / (returns.len() + 1) as f64;
        below += f64::from(u8::from(rank <= 0.5));
        count += 1.0;
    }
    Some(below / count)
}

/// One condition of the gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// What is asked.
    pub name: String,
    /// What was found; absent where it cannot be told.
    pub found: Option<f64>,
    /// What is needed, in words.
    pub needed: String,
    /// Whether it holds; what cannot be told does not hold.
    pub holds: bool,
}

/// The verdict on a challenger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Every condition.
    pub conditions: Vec<Condition>,
    /// Whether all hold.
    pub promoted: bool,
}

/// Judges a challenger by its returns on untouched data, those of every trial on that data (the
/// challenger's among them), and those of the incumbent, stretch by stretch.
pub fn judge(challenger: &[f64], trials: &[Vec<f64>], incumbent: Option<&[f64]>) -> Verdict {
    let moments = Moments::of(challenger);
    let sharpes: Vec<f64> = trials.iter().map(|t| Moments::of(t).sharpe).collect();
    let mean = sharpes.iter().sum::<f64>() / sharpes.len().max(1) as f64;
    let variance = sharpes.iter().map(|s| (s - mean).powi(2)).sum::<f64>()
        / (sharpes.len() as f64 - 1.0).max(1.0);
    let deflated = moments.probabilistic_sharpe(expected_best(variance, trials.len()));
    let track = moments.minimum_track(0.0, CONFIDENCE);
    let count = moments.count as f64;
    let condition = |name: &str, found: Option<f64>, needed: String, holds: bool| Condition {
        name: name.into(),
        found: found.filter(|f| f.is_finite()),
        needed,
        holds,
    };
    let pbo = overfitting(trials);
    let mut conditions = vec![
        condition(
            "deflated Sharpe ratio",
            Some(deflated),
            format!("at least {CONFIDENCE} over {} trials", trials.len()),
            deflated >= CONFIDENCE,
        ),
        condition(
            "probability of backtest overfitting",
            pbo,
            format!("below {PBO_MAX}; needs two trials of {} stretches", 2 * BLOCKS),
            pbo.is_some_and(|p| p < PBO_MAX),
        ),
        condition(
            "minimum track record length",
            Some(track),
            format!("at most the {count} stretches there are"),
            track <= count,
        ),
    ];
    if let Some(incumbent) = incumbent {
        let same = incumbent.len() == challenger.len() && !challenger.is_empty();
        let gaps: Vec<f64> = challenger.iter().zip(incumbent).map(|(a, b)| a - b).collect();
        let better = gaps.iter().sum::<f64>() > 0.0;
        let p = same.then(|| diebold_mariano(&gaps, 1));
        conditions.push(condition(
            "paired test against the champion (two-sided p)",
            p,
            "better, with p below 0.05, on the same stretches".into(),
            better && p.is_some_and(|p| p < 1.0 - CONFIDENCE),
        ));
    }
    let promoted = conditions.iter().all(|c| c.holds);
    Verdict { conditions, promoted }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ijk_models::rng::Stream;

    fn normal(rng: &mut Stream) -> f64 {
        (0..12).map(|_| rng.uniform()).sum::<f64>() - 6.0
    }

    #[test]
    fn the_published_example_of_the_deflated_sharpe_ratio() {
        // Bailey and Lopez de Prado 2014: annual ratio 2.5 over five years of days, 100 trials
        // whose annual ratios have variance 1/2, skewness -3, kurtosis 10: SR0 = 0.1132,
        // DSR = 0.9004; with 46 trials 0.9505.
        let m =
            Moments { count: 1_250, sharpe: 2.5 / 250f64.sqrt(), skewness: -3.0, kurtosis: 10.0 };
        let best = expected_best(0.5 / 250.0, 100);
        assert!((best - 0.1132).abs() < 5e-5, "{best}");
        assert!((m.probabilistic_sharpe(best) - 0.9004).abs() < 5e-5);
        let fewer = m.probabilistic_sharpe(expected_best(0.5 / 250.0, 46));
        assert!((fewer - 0.9505).abs() < 5e-5, "{fewer}");
        assert_eq!(expected_best(1.0, 1), 0.0);
    }

    #[test]
    fn the_track_is_as_long_as_the_probability_needs() {
        let m = Moments { count: 1, sharpe: 0.1, skewness: -1.0, kurtosis: 5.0 };
        let track = m.minimum_track(0.02, 0.95);
        let then = Moments { count: track.round() as usize, ..m };
        assert!((then.probabilistic_sharpe(0.02) - 0.95).abs() < 1e-3);
        assert_eq!(m.minimum_track(0.1, 0.95), f64::INFINITY);
        let flat = Moments::of(&[0.0; 30]);
        assert_eq!((flat.sharpe, flat.probabilistic_sharpe(0.0)), (0.0, 0.5));
    }

    #[test]
    fn overfitting_is_a_coin_for_noise_and_rare_for_skill() {
        let mut rng = Stream::new(2, "pbo");
        let mut sum = 0.0;
        for _ in 0..20 {
            let trials: Vec<Vec<f64>> =
                (0..8).map(|_| (0..200).map(|_| normal(&mut rng)).collect()).collect();
            sum += overfitting(&trials).unwrap();
        }
        // Symmetric by construction: about one half on average over samples.
        assert!((sum / 20.0 - 0.5).abs() < 0.15, "{}", sum / 20.0);
        let mut trials: Vec<Vec<f64>> =
            (0..8).map(|_| (0..200).map(|_| normal(&mut rng)).collect()).collect();
        trials[3].iter_mut().for_each(|r| *r += 1.0);
        assert!(overfitting(&trials).unwrap() < 0.01);
        assert_eq!(overfitting(&trials[..1]), None);
    }

    #[test]
    fn only_skill_that_beats_the_champion_is_promoted() {
        let mut rng = Stream::new(3, "gate");
        let mut series =
            |mean: f64| -> Vec<f64> { (0..400).map(|_| mean + normal(&mut rng)).collect() };
        let useless: Vec<Vec<f64>> = (0..6).map(|_| series(0.0)).collect();
        let good = series(0.4);
        let mut trials = useless.clone();
        trials.push(good.clone());
        let v = judge(&good, &trials, Some(&useless[0]));
        assert!(v.promoted, "{v:#?}");
        assert!(!judge(&good, &trials, Some(&good)).promoted, "no better than itself");
        // The best of useless trials: its plain Sharpe ratio may look fine.
        let by =
            |a: &&Vec<f64>, b: &&Vec<f64>| Moments::of(a).sharpe.total_cmp(&Moments::of(b).sharpe);
        let lucky = useless.iter().max_by(by).unwrap();
        assert!(!judge(lucky, &useless, None).promoted);
        // A few stretches are no track; one trial tells nothing of overfitting.
        assert!(!judge(&good[..8], &[good[..8].to_vec()], None).promoted);
        assert!(!judge(&[], &[], None).promoted);
    }
}
