//! How good a forecast was: classes, mean, variance, each beside a baseline.

use crate::rng::Stream;
use serde::{Deserialize, Serialize};

/// Tokens of one block of the bootstrap: long against the 20 tokens that labels overlap.
pub const BOOTSTRAP_BLOCK_TOKENS: usize = 200;
/// Resamples of the bootstrap.
pub const BOOTSTRAP_COUNT: usize = 1_000;
/// Half width, in standard deviations, of the interval whose coverage is reported: 90 % of a
/// normal law.
pub const COVERAGE_SD: f64 = 1.645;

/// One forecast and what came of it, at one horizon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// Label, basis points.
    pub label_bps: f64,
    /// Class of the label: 0 down, 1 flat, 2 up.
    pub class: u8,
    /// Probabilities of down, flat, up.
    pub probabilities: [f64; 3],
    /// Forecast mean, basis points.
    pub mean_bps: f64,
    /// Mean of the members' variances, squared basis points.
    pub aleatoric_var: f64,
    /// Variance of the members' means, squared basis points.
    pub epistemic_var: f64,
}

/// A number with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Estimate from all rows.
    pub value: f64,
    /// 2.5 % quantile of the block bootstrap.
    pub low: f64,
    /// 97.5 % quantile.
    pub high: f64,
}

/// Scores of class probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// Mean F1 over down, flat, up.
    pub macro_f1: f64,
    /// Mean negative logarithm of the true class's probability.
    pub log_loss: f64,
    /// Mean squared distance from the one-hot truth, 0 to 2.
    pub brier: f64,
}

/// Scores of the mean.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanScores {
    /// `1 - sum (y - m)^2 / sum y^2`: against the forecast "no change".
    pub r2: Interval,
    /// Pearson correlation of forecast and label.
    pub ic: Interval,
}

/// Scores of the variance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct VarianceScores {
    /// Share of labels within 1.645 predictive standard deviations; 0.90 if normal and calibrated.
    pub coverage_90: f64,
    /// Mean squared standardised error; 1 if calibrated.
    pub mean_z2: f64,
    /// Mean Gaussian negative log-likelihood, label in basis points.
    pub nll: f64,
    /// Root mean epistemic variance, basis points.
    pub epistemic_sd_bps: f64,
    /// Root mean aleatoric variance, basis points.
    pub aleatoric_sd_bps: f64,
    /// Standard deviation of the forecast mean, basis points: the size of what it says.
    pub forecast_sd_bps: f64,
    /// Root mean squared label, basis points.
    pub label_rms_bps: f64,
}

/// Scores class probabilities given by `of`; NaN without rows.
pub fn class_scores(rows: &[Scored], of: impl Fn(&Scored) -> [f64; 3]) -> ClassScores {
    let mut confusion = [[0.0f64; 3]; 3];
    let (mut log_loss, mut brier) = (0.0, 0.0);
    for row in rows {
        let p = of(row);
        let truth = usize::from(row.class);
        let guess = (0..3).fold(0, |best, c| if p[c] > p[best] { c } else { best });
        confusion[truth][guess] += 1.0;
        log_loss -= p[truth].max(1e-12).ln();
        brier += (0..3).map(|c| (p[c] - f64::from(u8::from(c == truth))).powi(2)).sum::<f64>();
    }
    let f1 = |c: usize| {
        let told: f64 = (0..3).map(|t| confusion[t][c]).sum();
        let were: f64 = confusion[c].iter().sum();
        if told + were > 0.0 { 2.0 * confusion[c][c] / (told + were) } else { 0.0 }
    };
    let n = rows.len() as f64;
    ClassScores {
        macro_f1: (0..3).map(f1).sum::<f64>() / 3.0,
        log_loss: log_loss / n,
        brier: brier / n,
    }
}

/// Sums from which R² and correlation follow; additive over blocks.
#[derive(Clone, Copy, Default)]
struct Moments {
    n: f64,
    y: f64,
    m: f64,
    yy: f64,
    mm: f64,
    ym: f64,
}

impl Moments {
    fn of(rows: &[Scored], mean: &impl Fn(&Scored) -> f64) -> Moments {
        rows.iter().fold(Moments::default(), |s, row| {
            let (y, m) = (row.label_bps, mean(row));
            s.plus(&Moments { n: 1.0, y, m, yy: y * y, mm: m * m, ym: y * m })
        })
    }

    fn plus(&self, o: &Moments) -> Moments {
        Moments {
            n: self.n + o.n,
            y: self.y + o.y,
            m: self.m + o.m,
            yy: self.yy + o.yy,
            mm: self.mm + o.mm,
            ym: self.ym + o.ym,
        }
    }

    fn r2(&self) -> f64 {
        1.0 - (self.yy - 2.0 * self.ym + self.mm) / self.yy
    }

    fn correlation(&self) -> f64 {
        let covariance = self.ym - self.y * self.m / self.n;
        let variances = (self.yy - self.y * self.y / self.n) * (self.mm - self.m * self.m / self.n);
        if variances > 0.0 { covariance / variances.sqrt() } else { 0.0 }
    }
}

/// Scores the mean given by `of` on contiguous runs of rows, with intervals from resampling
/// blocks of [`BOOTSTRAP_BLOCK_TOKENS`] (Kuensch 1989; here without overlap).
pub fn mean_scores(runs: &[Vec<Scored>], of: impl Fn(&Scored) -> f64) -> MeanScores {
    let blocks: Vec<Moments> = runs
        .iter()
        .flat_map(|run| run.chunks(BOOTSTRAP_BLOCK_TOKENS))
        .map(|block| Moments::of(block, &of))
        .collect();
    let all = blocks.iter().fold(Moments::default(), |s, b| s.plus(b));
    let mut rng = Stream::new(0, "block bootstrap");
    let mut r2 = Vec::with_capacity(BOOTSTRAP_COUNT);
    let mut ic = Vec::with_capacity(BOOTSTRAP_COUNT);
    for _ in 0..if blocks.is_empty() { 0 } else { BOOTSTRAP_COUNT } {
        let draw = (0..blocks.len())
            .fold(Moments::default(), |s, _| s.plus(&blocks[rng.below(blocks.len())]));
        r2.push(draw.r2());
        ic.push(draw.correlation());
    }
    MeanScores { r2: interval(all.r2(), r2), ic: interval(all.correlation(), ic) }
}

/// Mean of all values of contiguous runs, with an interval from resampling blocks of
/// [`BOOTSTRAP_BLOCK_TOKENS`]; NaN without values.
pub fn block_interval(runs: &[Vec<f64>]) -> Interval {
    let sum = |block: &[f64]| [block.iter().sum(), block.len() as f64];
    let blocks: Vec<[f64; 2]> =
        runs.iter().flat_map(|run| run.chunks(BOOTSTRAP_BLOCK_TOKENS)).map(sum).collect();
    resample(&blocks, |s| s[0] / s[1])
}

/// Returns a statistic of sums over blocks, with the interval of a bootstrap of those blocks.
/// The same blocks in the same order are drawn in every call, so that statistics of two models
/// on the same rows are paired.
pub fn resample<const N: usize>(
    blocks: &[[f64; N]],
    statistic: impl Fn(&[f64; N]) -> f64,
) -> Interval {
    let add = |mut a: [f64; N], b: &[f64; N]| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        a
    };
    let all = blocks.iter().fold([0.0; N], add);
    let mut rng = Stream::new(0, "block bootstrap");
    let count = if blocks.is_empty() { 0 } else { BOOTSTRAP_COUNT };
    let draws = (0..count)
        .map(|_| {
            let draw =
                (0..blocks.len()).fold([0.0; N], |s, _| add(s, &blocks[rng.below(blocks.len())]));
            statistic(&draw)
        })
        .collect();
    interval(statistic(&all), draws)
}

fn interval(value: f64, mut draws: Vec<f64>) -> Interval {
    draws.sort_by(f64::total_cmp);
    let quantile = |q: f64| {
        let last = draws.len().saturating_sub(1);
        draws.get((q * last as f64).round() as usize).copied().unwrap_or(f64::NAN)
    };
    Interval { value, low: quantile(0.025), high: quantile(0.975) }
}

/// Scores the predictive variance (aleatoric plus epistemic); NaN without rows.
pub fn variance_scores(rows: &[Scored]) -> VarianceScores {
    let n = rows.len() as f64;
    let mean = |f: &dyn Fn(&Scored) -> f64| rows.iter().map(f).sum::<f64>() / n;
    let variance = |r: &Scored| r.aleatoric_var + r.epistemic_var;
    let z2 = |r: &Scored| (r.label_bps - r.mean_bps).powi(2) / variance(r);
    let log_2_pi = (2.0 * std::f64::consts::PI).ln();
    let forecast_mean = mean(&|r| r.mean_bps);
    VarianceScores {
        coverage_90: mean(&|r| f64::from(u8::from(z2(r) <= COVERAGE_SD * COVERAGE_SD))),
        mean_z2: mean(&z2),
        nll: mean(&|r| 0.5 * (log_2_pi + variance(r).ln() + z2(r))),
        epistemic_sd_bps: mean(&|r| r.epistemic_var).sqrt(),
        aleatoric_sd_bps: mean(&|r| r.aleatoric_var).sqrt(),
        forecast_sd_bps: mean(&|r| (r.mean_bps - forecast_mean).powi(2)).sqrt(),
        label_rms_bps: mean(&|r| r.label_bps * r.label_bps).sqrt(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(label_bps: f64, mean_bps: f64, class: u8, probabilities: [f64; 3]) -> Scored {
        let (aleatoric_var, epistemic_var) = (0.75, 0.25);
        Scored { label_bps, class, probabilities, mean_bps, aleatoric_var, epistemic_var }
    }

    #[test]
    fn class_scores_by_hand() {
        let rows = [
            row(0.0, 0.0, 0, [0.5, 0.25, 0.25]),
            row(0.0, 0.0, 2, [0.5, 0.25, 0.25]),
            row(0.0, 0.0, 2, [0.25, 0.25, 0.5]),
        ];
        let s = class_scores(&rows, |r| r.probabilities);
        // F1: down 2/(2+1), flat 0, up 2/(1+2).
        assert!((s.macro_f1 - (2.0 / 3.0 + 2.0 / 3.0) / 3.0).abs() < 1e-12);
        assert!((s.log_loss - (2.0 * 2.0f64.ln() + 4.0f64.ln()) / 3.0).abs() < 1e-12);
        // 0.375 where right, 0.25 + 0.0625 + 0.5625 where wrong.
        assert!((s.brier - (0.375 + 0.875 + 0.375) / 3.0).abs() < 1e-12);
    }

    #[test]
    fn mean_scores_by_hand_and_in_the_limits() {
        let third = [1.0 / 3.0; 3];
        let run: Vec<Scored> =
            [(1.0, 1.0), (-1.0, 0.0), (2.0, 1.0)].map(|(y, m)| row(y, m, 1, third)).to_vec();
        let s = mean_scores(std::slice::from_ref(&run), |r| r.mean_bps);
        assert!((s.r2.value - (1.0 - 2.0 / 6.0)).abs() < 1e-12);
        // cov = 3 - 2*2/3 = 5/3; var y = 6 - 4/3 = 14/3; var m = 2 - 4/3 = 2/3.
        assert!((s.ic.value - (5.0 / 3.0) / (28.0f64 / 9.0).sqrt()).abs() < 1e-12);
        let perfect = mean_scores(std::slice::from_ref(&run), |r| r.label_bps);
        assert_eq!((perfect.r2.value, perfect.r2.low, perfect.r2.high), (1.0, 1.0, 1.0));
        let silent = mean_scores(&[run], |_| 0.0);
        assert_eq!((silent.r2.value, silent.ic.value), (0.0, 0.0));
    }

    #[test]
    fn intervals_hold_the_truth_and_shrink_with_data() {
        let mut rng = Stream::new(9, "metrics");
        let mut normal = move || (0..12).map(|_| rng.uniform()).sum::<f64>() - 6.0;
        let mut run = |n: usize| -> Vec<Scored> {
            (0..n)
                .map(|_| {
                    let m = 0.5 * normal();
                    row(m + normal(), m, 1, [1.0 / 3.0; 3])
                })
                .collect()
        };
        // R² = 0.25 / 1.25 = 0.2.
        let few = mean_scores(&[run(4_000)], |r| r.mean_bps).r2;
        let many = mean_scores(&[run(40_000)], |r| r.mean_bps).r2;
        for i in [few, many] {
            assert!(i.low < 0.2 && 0.2 < i.high, "{i:?}");
            assert!(i.low < i.value && i.value < i.high);
        }
        assert!(many.high - many.low < few.high - few.low, "{few:?} {many:?}");
        // Deviation of a squared correlation: 2 rho (1 - rho^2) / sqrt(n), times 2 * 1.96.
        let theory = 3.92 * 2.0 * 0.2f64.sqrt() * 0.8 / 200.0;
        assert!(((many.high - many.low) / theory - 1.0).abs() < 0.3, "{many:?} {theory}");
    }

    #[test]
    fn a_true_variance_is_found_calibrated() {
        let mut rng = Stream::new(11, "variance");
        let mut normal = move || (0..12).map(|_| rng.uniform()).sum::<f64>() - 6.0;
        let rows: Vec<Scored> =
            (0..20_000).map(|_| row(normal(), 0.0, 1, [1.0 / 3.0; 3])).collect();
        let s = variance_scores(&rows);
        assert!((s.coverage_90 - 0.90).abs() < 0.01, "{s:?}");
        assert!((s.mean_z2 - 1.0).abs() < 0.03, "{s:?}");
        assert!((s.nll - 0.5 * (1.0 + (2.0 * std::f64::consts::PI).ln())).abs() < 0.02);
        assert_eq!((s.epistemic_sd_bps, s.forecast_sd_bps), (0.5, 0.0));
    }
}
