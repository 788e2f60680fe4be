//! What the forecast's own uncertainty is worth: intervals that hold what they say (split
//! conformal prediction with scores `|y - mean| / sd`; Vovk, Gammerman and Shafer 2005, Lei et al.
//! 2018), widths that follow the day where it leaves the calibration slice behind (the quantile
//! tracker of Angelopoulos, Candes and Tibshirani 2023, after Gibbs and Candes 2021), and the edge
//! of what the training features covered.

use crate::evaluate::{Run, RunRow};
use crate::metrics::{Interval, block_interval};
use crate::scaler::Scaler;
use ijk_core::features::FEATURE_COUNT;
use ijk_core::forecast::{HORIZON_COUNT, HORIZONS};
use ijk_infer::TrustRegion;
use ijk_infer::weights::TRIANGLE;
use serde::{Deserialize, Serialize};

/// Share of labels the interval should hold.
pub const COVERAGE: f64 = 0.9;
/// Share of calibration tokens inside the edge of what is known.
pub const KNOWN_SHARE: f64 = 0.995;

/// Step of the tracked widths, in their logarithm: a label outside widens by 0.9 of it, one
/// inside narrows by 0.1. Near a normal law the width forgets over about 300 tokens; chosen from
/// that, not from any result.
pub const TRACKING_STEP: f64 = 0.01;

/// What widths that follow the labels are worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tracked {
    /// Share of labels inside, per horizon.
    pub coverage: [Interval; HORIZON_COUNT],
    /// Mean half width in predictive standard deviations, per horizon.
    pub half_width: [f64; HORIZON_COUNT],
}

/// What the calibration slice gave and what the test part made of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// Tokens of the calibration slice.
    pub calibration_rows: usize,
    /// Half widths of the 90 % intervals in predictive standard deviations, per horizon.
    pub interval_z90: [f64; HORIZON_COUNT],
    /// Share of test labels inside those intervals.
    pub coverage: [Interval; HORIZON_COUNT],
    /// Share of test labels inside ±1.645 standard deviations, beside it.
    pub coverage_normal: [Interval; HORIZON_COUNT],
    /// Share of test tokens outside what is known.
    pub distrusted_share: f64,
    /// The same intervals with widths that follow the labels; absent in older cards.
    #[serde(default)]
    pub tracked: Option<Tracked>,
}

/// Returns the half width that holds `coverage` of new labels where they are exchangeable with
/// those of the scores: the `⌈(n + 1) coverage⌉`-th smallest. Infinite for too few scores.
pub fn conformal_quantile(mut scores: Vec<f64>, coverage: f64) -> f64 {
    scores.sort_by(f64::total_cmp);
    let rank = ((scores.len() + 1) as f64 * coverage).ceil() as usize;
    scores.get(rank.max(1) - 1).copied().unwrap_or(f64::INFINITY)
}

/// Returns `|label - mean| / sd` of a row, `None` without label or forecast.
fn score(row: &RunRow, h: usize) -> Option<f64> {
    let pooled = row.forecast.pooled(h)?;
    let sd = (pooled.aleatoric_var + pooled.epistemic_var).sqrt();
    let z = (row.labels[h] - pooled.mean_bps).abs() / sd;
    z.is_finite().then_some(z)
}

/// Returns the half widths from the calibration slice, `None` where a horizon has too few labels.
pub fn calibrate(runs: &[Run]) -> Option<[f64; HORIZON_COUNT]> {
    let z = std::array::from_fn(|h| {
        let scores = runs.iter().flat_map(|r| &r.rows).filter_map(|row| score(row, h)).collect();
        conformal_quantile(scores, COVERAGE)
    });
    z.iter().all(|z| z.is_finite() && *z > 0.0).then_some(z)
}

/// Returns the share of labels inside `±half_width` standard deviations per horizon, with block
/// bootstrap intervals.
pub fn coverage(runs: &[Run], half_width: [f64; HORIZON_COUNT]) -> [Interval; HORIZON_COUNT] {
    std::array::from_fn(|h| {
        let inside = |row: &RunRow| score(row, h).map(|z| f64::from(u8::from(z <= half_width[h])));
        let rows: Vec<Vec<f64>> =
            runs.iter().map(|r| r.rows.iter().filter_map(inside).collect()).collect();
        block_interval(&rows)
    })
}

/// Streams the rows with half widths that start at `start` in every run and follow the labels: a
/// label at horizon `h` speaks `h` tokens after its forecast, when its last mid is known.
///
/// Whatever the law of the data, the share outside comes to 10 % as the run grows: the sum of the
/// steps is the change of a logarithm that stays bounded.
pub fn track(runs: &[Run], start: [f64; HORIZON_COUNT]) -> Tracked {
    let streams: [Vec<(Vec<f64>, f64)>; HORIZON_COUNT] =
        std::array::from_fn(|h| runs.iter().map(|r| track_run(r, h, start[h])).collect());
    Tracked {
        coverage: std::array::from_fn(|h| {
            let inside: Vec<Vec<f64>> = streams[h].iter().map(|(i, _)| i.clone()).collect();
            block_interval(&inside)
        }),
        half_width: std::array::from_fn(|h| {
            let rows: usize = streams[h].iter().map(|(i, _)| i.len()).sum();
            streams[h].iter().map(|(_, sum)| sum).sum::<f64>() / rows.max(1) as f64
        }),
    }
}

/// Returns per labelled row whether it lay inside, and the sum of the half widths there.
fn track_run(run: &Run, h: usize, start: f64) -> (Vec<f64>, f64) {
    let late = HORIZONS[h] as usize;
    let mut log_width = start.ln();
    let mut told: Vec<Option<bool>> = Vec::with_capacity(run.rows.len());
    let mut sum = 0.0;
    for (t, row) in run.rows.iter().enumerate() {
        if let Some(outside) = t.checked_sub(late).and_then(|known| told[known]) {
            log_width += TRACKING_STEP * (f64::from(u8::from(outside)) - (1.0 - COVERAGE));
        }
        let width = log_width.exp();
        let outside = score(row, h).map(|z| z > width);
        sum += if outside.is_some() { width } else { 0.0 };
        told.push(outside);
    }
    let inside = told.iter().flatten().map(|o| f64::from(u8::from(!o))).collect();
    (inside, sum)
}

/// Returns the ellipsoid of scaled training features with the edge at [`KNOWN_SHARE`] of the
/// distances of `calibration`, or twice the features where that is less. `None` without rows.
pub fn trust_region<'a>(
    training: impl Iterator<Item = &'a [f32; FEATURE_COUNT]>,
    calibration: impl Iterator<Item = &'a [f64; FEATURE_COUNT]>,
    scaler: &Scaler,
) -> Option<TrustRegion> {
    let mut covariance = [[0.0; FEATURE_COUNT]; FEATURE_COUNT];
    let mut count = 0.0;
    for x in training {
        let z = x.map(f64::from);
        for i in 0..FEATURE_COUNT {
            for j in 0..=i {
                covariance[i][j] += z[i] * z[j];
            }
        }
        count += 1.0;
    }
    if count == 0.0 {
        return None;
    }
    for (i, row) in covariance.iter_mut().enumerate() {
        row.iter_mut().for_each(|v| *v /= count);
        // Features that never vary in training: any move is far away, but not infinitely.
        row[i] += 1e-3;
    }
    let whitening = inverse_factor(&covariance);
    let mut region = TrustRegion { whitening, limit: 1.0 };
    let distance = |f: &[f64; FEATURE_COUNT]| region.distrust(&scaler.apply(f).map(f64::from));
    let edge = conformal_quantile(calibration.map(distance).collect(), KNOWN_SHARE);
    // A short or calm slice must not make ordinary tokens strange.
    let floor = 2.0 * FEATURE_COUNT as f64;
    region.limit = if edge.is_finite() { edge.max(floor) } else { floor };
    Some(region)
}

/// Lower triangle of `L⁻¹` for a positive definite `L Lᵀ` given by its lower half.
// The loops index as the formula does.
#[allow(clippy::needless_range_loop)]
fn inverse_factor(a: &[[f64; FEATURE_COUNT]; FEATURE_COUNT]) -> [f64; TRIANGLE] {
    const N: usize = FEATURE_COUNT;
    let mut l = *a;
    for i in 0..N {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| l[i][k] * l[j][k]).sum();
            let rest = l[i][j] - dot;
            l[i][j] = if i == j { rest.max(1e-12).sqrt() } else { rest / l[j][j] };
        }
    }
    let mut inverse = [[0.0; N]; N];
    let mut out = [0.0; TRIANGLE];
    let mut at = 0;
    for i in 0..N {
        for j in 0..=i {
            let one = f64::from(u8::from(i == j));
            let dot: f64 = (j..i).map(|k| l[i][k] * inverse[k][j]).sum();
            inverse[i][j] = (one - dot) / l[i][i];
            out[at] = inverse[i][j];
            at += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn the_quantile_is_the_rank_of_the_theorem() {
        let scores: Vec<f64> = (1..=9).map(f64::from).collect();
        // (9 + 1) 0.9 = 9: the largest. One score fewer gives no finite interval.
        assert_eq!(conformal_quantile(scores.clone(), 0.9), 9.0);
        assert_eq!(conformal_quantile(scores[..8].to_vec(), 0.9), f64::INFINITY);
        assert_eq!(conformal_quantile(scores, 0.5), 5.0);
    }

    #[test]
    fn coverage_holds_for_every_law() {
        // Split conformal covers at least 0.9 and at most 0.9 + 1 / (n + 1) on average, whatever
        // the law: here one with heavy tails.
        let mut rng = Stream::new(3, "conformal");
        let mut heavy = || (std::f64::consts::PI * (rng.uniform() - 0.5)).tan().abs();
        let (mut inside, trials) = (0.0, 4_000);
        for _ in 0..trials {
            let q = conformal_quantile((0..99).map(|_| heavy()).collect(), 0.9);
            inside += f64::from(u8::from(heavy() <= q));
        }
        let share = inside / f64::from(trials);
        // Three standard errors of 4,000 draws: 0.0142.
        assert!((share - 0.9).abs() < 0.0143 + 0.01, "{share}");
    }

    /// Rows of mean 0 and variance 1 with these labels.
    fn labelled(labels: impl Iterator<Item = f64>) -> Run {
        // Zeros throughout: mean 0, log variance 0.
        let forecast = ijk_core::EnsembleForecast { member_count: 1, ..Default::default() };
        let row = |y| RunRow { features: [0.0; FEATURE_COUNT], forecast, labels: [y; 4] };
        Run { rows: labels.map(row).collect(), session: 0, first: 0 }
    }

    #[test]
    fn tracked_widths_cover_where_the_law_moves_away() {
        // Uniform labels whose spread doubles halfway: 0.9 of +-1 is right, then 0.9 of +-2.
        let mut rng = Stream::new(8, "tracked");
        let spread = |t: usize| if t < 3_000 { 1.0 } else { 2.0 };
        let run = labelled((0..6_000).map(|t| spread(t) * (2.0 * rng.uniform() - 1.0)));
        let runs = [run];
        let still = coverage(&runs, [0.9; 4]);
        let tracked = track(&runs, [0.9; 4]);
        for ((still, got), width) in still.iter().zip(&tracked.coverage).zip(tracked.half_width) {
            assert!((still.value - 0.675).abs() < 0.02, "{still:?}");
            // ln 2 of widening at 0.01 a step costs 0.69 / 0.01 / 6000 = 0.0116 of the rows.
            assert!((got.value - (0.9 - 0.0116)).abs() < 0.004, "{got:?}");
            assert!((width - 1.35).abs() < 0.06, "{width}");
        }
    }

    #[test]
    fn a_tracked_width_knows_no_label_before_its_time() {
        // Two streams that differ in the label of row 100 alone: at horizon h the widths may
        // differ from row 100 + h on.
        let quiet = |t: usize| if t.is_multiple_of(7) { 3.0 } else { 0.5 };
        let widths = |odd: f64, h: usize, rows: usize| {
            let run = labelled((0..rows).map(|t| if t == 100 { odd } else { quiet(t) }));
            track_run(&run, h, 1.0).1
        };
        for (h, late) in HORIZONS.into_iter().enumerate() {
            let first = 100 + late as usize;
            assert_eq!(widths(0.1, h, first), widths(9.0, h, first));
            assert!(widths(0.1, h, first + 1) < widths(9.0, h, first + 1));
        }
    }

    #[test]
    fn the_region_knows_its_training_and_nothing_far_from_it() {
        let mut rng = Stream::new(4, "trust");
        let mut normal = || (0..12).map(|_| rng.uniform()).sum::<f64>() - 6.0;
        let mut row = || -> [f64; FEATURE_COUNT] {
            let common = normal();
            std::array::from_fn(|i| if i < 2 { common + 0.1 * normal() } else { normal() })
        };
        let train: Vec<_> = (0..4_000).map(|_| row()).collect();
        let fresh: Vec<_> = (0..2_000).map(|_| row()).collect();
        let scaler = Scaler::fit(train.iter());
        let scaled: Vec<_> = train.iter().map(|f| scaler.apply(f)).collect();
        let region = trust_region(scaled.iter(), fresh.iter(), &scaler).unwrap();
        let distrust = |f: &[f64; 12]| region.distrust(&scaler.apply(f).map(f64::from));
        let outside = fresh.iter().filter(|f| distrust(f) >= 1.0).count();
        assert!(outside <= 15, "{outside} of 2000 at an edge of 0.5 %");
        // Each feature is ordinary, the pair is not: only a distance that knows the covariance
        // sees it.
        let mut odd = [0.0; FEATURE_COUNT];
        (odd[0], odd[1]) = (2.0, -2.0);
        assert!(distrust(&odd) > 1.0);
        (odd[0], odd[1]) = (2.0, 2.0);
        assert!(distrust(&odd) < 1.0);
        assert!(trust_region([].iter(), fresh.iter(), &scaler).is_none());
    }
}
