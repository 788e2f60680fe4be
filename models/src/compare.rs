//! Models beside each other on the same rows, with paired intervals.

use crate::baselines::{BaselineError, Baselines, NAMES};
use crate::evaluate::Run;
use crate::fit::training_rows;
use crate::labels::{LabelScale, class_of};
use crate::metrics::{BOOTSTRAP_BLOCK_TOKENS, Interval, resample};
use crate::scaler::Scaler;
use crate::session::Session;
use crate::split::Split;
use ijk_core::features::FEATURE_COUNT;
use ijk_core::forecast::{HORIZON_COUNT, HORIZONS};
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

/// Bins of the calibration curve.
pub const BINS: usize = 10;
/// Sums of one model over a block: confusion (truth, guess), log loss, Brier, rows, and the
/// moments of the signal `p(up) - p(down)` and the label.
const SUMS: usize = 17;
const LOG_LOSS: usize = 9;
const BRIER: usize = 10;
const ROWS: usize = 11;

/// Class probabilities of one model for every row, by run and horizon.
#[derive(Clone, Debug)]
pub struct Forecasts {
    /// Name of the model.
    pub name: String,
    /// `probabilities[run][row][horizon]`; not finite where it said nothing.
    pub probabilities: Vec<Vec<[[f64; 3]; HORIZON_COUNT]>>,
}

/// One bin of a calibration curve, all classes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Mean probability told.
    pub told: f64,
    /// Share of the truth.
    pub came: f64,
    /// Probabilities in the bin.
    pub count: usize,
}

/// One model at one horizon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelScore {
    /// Name of the model.
    pub name: String,
    /// Mean F1 over the classes.
    pub macro_f1: Interval,
    /// Mean negative logarithm of the true class's probability.
    pub log_loss: Interval,
    /// Mean squared distance from the truth, 0 to 2.
    pub brier: Interval,
    /// Correlation of `p(up) - p(down)` with the label.
    pub ic: Interval,
    /// Mean distance of told and come, weighted by count.
    pub calibration_error: f64,
    /// The curve.
    pub calibration: Vec<Bin>,
}

/// The first model against another, on the same rows and the same bootstrap draws.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Name of the other.
    pub against: String,
    /// Macro-F1 of the first less that of the other.
    pub macro_f1: Interval,
    /// Log loss of the first less that of the other: below zero is better.
    pub log_loss: Interval,
    /// Two-sided p of the Diebold-Mariano test of equal log loss, Newey-West variance.
    pub p_value: f64,
}

/// Everything at one horizon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Horizon in tokens.
    pub horizon_tokens: u32,
    /// Rows every model was scored on.
    pub rows: usize,
    /// The models, in the order given.
    pub models: Vec<ModelScore>,
    /// The first against each other.
    pub differences: Vec<Difference>,
}

/// Returns the ensemble's class probabilities: the mean over members.
pub fn of_runs(name: &str, runs: &[Run]) -> Forecasts {
    let row = |row: &crate::evaluate::RunRow| {
        let members = &row.forecast.members[..row.forecast.member_count as usize];
        std::array::from_fn(|h| {
            let mut mean = [0.0; 3];
            for p in members.iter().map(|m| m[h].probabilities()) {
                (0..3).for_each(|c| mean[c] += f64::from(p[c]) / members.len() as f64);
            }
            if members.is_empty() { [f64::NAN; 3] } else { mean }
        })
    };
    let probabilities = runs.iter().map(|r| r.rows.iter().map(row).collect()).collect();
    Forecasts { name: name.to_owned(), probabilities }
}

/// Trains the baselines on the split's training rows and returns their forecasts for `runs`.
///
/// # Errors
/// [`BaselineError`] of the first that cannot be trained.
pub fn baselines(
    sessions: &[Session],
    split: &Split,
    scaler: &Scaler,
    scale: &LabelScale,
    runs: &[Run],
) -> Result<Vec<Forecasts>, BaselineError> {
    let (inputs, labels) = training_rows(sessions, split, scaler);
    let scaled: Vec<Vec<[f32; FEATURE_COUNT]>> = runs
        .iter()
        .map(|r| r.rows.iter().map(|row| scaler.apply(&row.features)).collect())
        .collect();
    let empty = || -> Vec<Vec<[[f64; 3]; HORIZON_COUNT]>> {
        runs.iter().map(|r| vec![[[f64::NAN; 3]; HORIZON_COUNT]; r.rows.len()]).collect()
    };
    let mut all: Vec<Forecasts> = NAMES
        .iter()
        .map(|name| Forecasts { name: (*name).to_owned(), probabilities: empty() })
        .collect();
    for h in 0..HORIZON_COUNT {
        let labelled = inputs.iter().zip(&labels).filter(|(_, l)| l[h].is_finite());
        let (x, y): (Vec<[f32; FEATURE_COUNT]>, Vec<u8>) =
            labelled.map(|(x, l)| (*x, class_of(l[h], scale.threshold_bps[h]))).unzip();
        let fitted = Baselines::fit(&x, &y)?;
        for (run, scaled) in scaled.iter().enumerate() {
            for (model, p) in fitted.probabilities(scaled).into_iter().enumerate() {
                for (row, p) in p.into_iter().enumerate() {
                    all[model].probabilities[run][row][h] = p;
                }
            }
        }
    }
    Ok(all)
}

/// Compares models on the rows of `runs` that have a label and a forecast of every model.
pub fn compare(runs: &[Run], scale: &LabelScale, models: &[Forecasts]) -> Vec<Comparison> {
    (0..HORIZON_COUNT).map(|h| compare_at(runs, scale, models, h)).collect()
}

/// One row's label and the probabilities of every model.
struct Row {
    label: f64,
    class: usize,
    told: Vec<[f64; 3]>,
}

fn compare_at(runs: &[Run], scale: &LabelScale, models: &[Forecasts], h: usize) -> Comparison {
    let row = |r: usize, t: usize| -> Option<Row> {
        let label = runs[r].rows[t].labels[h];
        let told: Vec<[f64; 3]> = models.iter().map(|m| m.probabilities[r][t][h]).collect();
        let whole = label.is_finite() && told.iter().flatten().all(|p| p.is_finite());
        let class = usize::from(class_of(label, scale.threshold_bps[h]));
        whole.then_some(Row { label, class, told })
    };
    let rows: Vec<Vec<Row>> = (0..runs.len())
        .map(|r| (0..runs[r].rows.len()).filter_map(|t| row(r, t)).collect())
        .collect();
    let blocks: Vec<&[Row]> =
        rows.iter().flat_map(|run| run.chunks(BOOTSTRAP_BLOCK_TOKENS)).collect();
    let sums: Vec<Vec<[f64; SUMS]>> =
        (0..models.len()).map(|m| blocks.iter().map(|b| block_sums(b, m)).collect()).collect();
    let score = |m: usize| {
        let calibration = curve(&rows, m);
        let total: usize = calibration.iter().map(|b| b.count).sum();
        let gap = |b: &Bin| (b.told - b.came).abs() * b.count as f64;
        ModelScore {
            name: models[m].name.clone(),
            macro_f1: resample(&sums[m], |s| macro_f1(s)),
            log_loss: resample(&sums[m], |s| s[LOG_LOSS] / s[ROWS]),
            brier: resample(&sums[m], |s| s[BRIER] / s[ROWS]),
            ic: resample(&sums[m], correlation),
            calibration_error: calibration.iter().map(gap).sum::<f64>() / total.max(1) as f64,
            calibration,
        }
    };
    let difference = |m: usize| {
        let pairs: Vec<[f64; 2 * SUMS]> = sums[0]
            .iter()
            .zip(&sums[m])
            .map(|(a, b)| std::array::from_fn(|i| if i < SUMS { a[i] } else { b[i - SUMS] }))
            .collect();
        let loss = |row: &Row, m: usize| -row.told[m][row.class].max(1e-12).ln();
        let gaps: Vec<f64> = rows.iter().flatten().map(|row| loss(row, 0) - loss(row, m)).collect();
        Difference {
            against: models[m].name.clone(),
            macro_f1: resample(&pairs, |s| macro_f1(&s[..SUMS]) - macro_f1(&s[SUMS..])),
            log_loss: resample(&pairs, |s| (s[LOG_LOSS] - s[SUMS + LOG_LOSS]) / s[ROWS]),
            p_value: diebold_mariano(&gaps, HORIZONS[h] as usize),
        }
    };
    Comparison {
        horizon_tokens: HORIZONS[h],
        rows: rows.iter().map(Vec::len).sum(),
        models: (0..models.len()).map(score).collect(),
        differences: (1..models.len()).map(difference).collect(),
    }
}

/// Returns the comparisons as two tables for people.
pub fn to_markdown(all: &[Comparison]) -> String {
    let show = |i: &Interval| format!("{:.4} [{:.4}, {:.4}]", i.value, i.low, i.high);
    let mut out = String::from(
        "| horizon | model | macro-F1 | log loss | Brier | IC | calibration error |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for c in all {
        for m in &c.models {
            out.push_str(&format!(
                "| {} | {} | {} | {} | {} | {} | {:.4} |\n",
                c.horizon_tokens,
                m.name,
                show(&m.macro_f1),
                show(&m.log_loss),
                show(&m.brier),
                show(&m.ic),
                m.calibration_error
            ));
        }
    }
    out.push_str("\n| horizon | first less | macro-F1 | log loss | p |\n|---|---|---|---|---|\n");
    for c in all {
        for d in &c.differences {
            out.push_str(&format!(
                "| {} | {} | {} | {} | {:.2e} |\n",
                c.horizon_tokens,
                d.against,
                show(&d.macro_f1),
                show(&d.log_loss),
                d.p_value
            ));
        }
    }
    out
}

fn block_sums(rows: &[Row], m: usize) -> [f64; SUMS] {
    let mut s = [0.0; SUMS];
    for row in rows {
        let p = row.told[m];
        let guess = (0..3).fold(0, |best, c| if p[c] > p[best] { c } else { best });
        s[3 * row.class + guess] += 1.0;
        s[LOG_LOSS] -= p[row.class].max(1e-12).ln();
        let square = |c: usize| (p[c] - f64::from(u8::from(c == row.class))).powi(2);
        s[BRIER] += (0..3).map(square).sum::<f64>();
        s[ROWS] += 1.0;
        let (x, y) = (p[2] - p[0], row.label);
        for (sum, v) in s[ROWS + 1..].iter_mut().zip([x, y, x * x, y * y, x * y]) {
            *sum += v;
        }
    }
    s
}

/// Mean F1 over the classes from sums whose first nine are (truth, guess) counts.
fn macro_f1(s: &[f64]) -> f64 {
    let f1 = |c: usize| {
        let told: f64 = (0..3).map(|t| s[3 * t + c]).sum();
        let were: f64 = s[3 * c..3 * c + 3].iter().sum();
        if told + were > 0.0 { 2.0 * s[4 * c] / (told + were) } else { 0.0 }
    };
    (0..3).map(f1).sum::<f64>() / 3.0
}

fn correlation(s: &[f64; SUMS]) -> f64 {
    let n = s[ROWS];
    let [x, y, xx, yy, xy] = std::array::from_fn(|i| s[ROWS + 1 + i]);
    let (vx, vy) = (xx - x * x / n, yy - y * y / n);
    // What never varies has no correlation; rounding leaves a little variance.
    if vx > 1e-12 * xx && vy > 1e-12 * yy { (xy - x * y / n) / (vx * vy).sqrt() } else { 0.0 }
}

fn curve(rows: &[Vec<Row>], m: usize) -> Vec<Bin> {
    let mut bins = vec![Bin::default(); BINS];
    for row in rows.iter().flatten() {
        for (c, p) in row.told[m].into_iter().enumerate() {
            let bin = &mut bins[((p * BINS as f64) as usize).min(BINS - 1)];
            bin.told += p;
            bin.came += f64::from(u8::from(c == row.class));
            bin.count += 1;
        }
    }
    for bin in bins.iter_mut().filter(|b| b.count > 0) {
        bin.told /= bin.count as f64;
        bin.came /= bin.count as f64;
    }
    bins
}

/// Two-sided p value of a zero mean of `gaps` (Diebold and Mariano 1995), with the
/// autocovariances of Newey and West (1987) up to the larger of twice the horizon and the cube
/// root of the count: labels that overlap make losses that do.
pub fn diebold_mariano(gaps: &[f64], horizon: usize) -> f64 {
    let n = gaps.len() as f64;
    let mean = gaps.iter().sum::<f64>() / n;
    let lags = (2 * horizon).max(n.cbrt() as usize).min(gaps.len().saturating_sub(1));
    let covariance = |lag: usize| {
        gaps.iter().zip(&gaps[lag..]).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / n
    };
    let bartlett = |lag: usize| 1.0 - lag as f64 / (lags + 1) as f64;
    let long_run =
        covariance(0) + 2.0 * (1..=lags).map(|lag| bartlett(lag) * covariance(lag)).sum::<f64>();
    let z = mean / (long_run / n).sqrt();
    if z.is_finite() { 2.0 * Normal::standard().sf(z.abs()) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::RunRow;
    use crate::rng::Stream;
    use ijk_core::EnsembleForecast;

    fn scale() -> LabelScale {
        LabelScale {
            threshold_bps: [0.5; HORIZON_COUNT],
            scale_bps: [1.0; HORIZON_COUNT],
            mean_bps: [0.0; HORIZON_COUNT],
            prior: [[1.0 / 3.0; 3]; HORIZON_COUNT],
        }
    }

    /// Labels -1, 0, 1 in equal shares, a model that knows and one that does not.
    fn setting(n: usize) -> (Vec<Run>, [Forecasts; 2]) {
        let mut rng = Stream::new(5, "compare");
        let mut rows = Vec::new();
        let (mut knows, mut guesses) = (Vec::new(), Vec::new());
        for _ in 0..n {
            let class = rng.below(3);
            let forecast = EnsembleForecast::default();
            let labels = [class as f64 - 1.0; HORIZON_COUNT];
            rows.push(RunRow { features: [0.0; FEATURE_COUNT], forecast, labels });
            let mut p = [0.2; 3];
            p[if rng.uniform() < 0.6 { class } else { rng.below(3) }] = 0.6;
            knows.push([p; HORIZON_COUNT]);
            let mut p = [0.3; 3];
            p[rng.below(3)] = 0.4;
            guesses.push([p; HORIZON_COUNT]);
        }
        let of = |name: &str, p| Forecasts { name: name.into(), probabilities: vec![p] };
        (vec![Run { rows, session: 0, first: 0 }], [of("knows", knows), of("guesses", guesses)])
    }

    #[test]
    fn the_better_model_is_found_and_its_scores_are_those_by_hand() {
        let (runs, models) = setting(6_000);
        let c = &compare(&runs, &scale(), &models)[1];
        assert_eq!((c.horizon_tokens, c.rows), (5, 6_000));
        let [good, bad] = [&c.models[0], &c.models[1]];
        // Told right in 0.6 + 0.4 / 3 = 0.7333 of the rows, classes alike.
        assert!((good.macro_f1.value - 0.7333).abs() < 0.02, "{:?}", good.macro_f1);
        let expected = -(0.7333 * 0.6f64.ln() + 0.2667 * 0.2f64.ln());
        assert!((good.log_loss.value - expected).abs() < 0.02);
        // Its interval is as wide as that of a share: 3.92 sqrt(0.7333 * 0.2667 / 6000) = 0.0224.
        let width = good.macro_f1.high - good.macro_f1.low;
        assert!((width / 0.0224 - 1.0).abs() < 0.4, "{:?}", good.macro_f1);
        // Told 0.6 and 0.2, came 0.7333 and 0.1333: the mean gap is 0.0889.
        assert!((good.calibration_error - 0.0889).abs() < 0.01);
        assert!(bad.ic.low < 0.0 && 0.0 < bad.ic.high && good.ic.low > 0.5);
        let d = &c.differences[0];
        assert!(d.macro_f1.low > 0.3 && d.log_loss.high < -0.1 && d.p_value < 1e-6, "{d:?}");
        let same = compare(&runs, &scale(), &[models[0].clone(), models[0].clone()]);
        let d = &same[0].differences[0];
        assert_eq!((d.macro_f1.low, d.macro_f1.high, d.p_value), (0.0, 0.0, 1.0));
    }

    #[test]
    fn the_test_of_equal_loss_keeps_its_level_under_overlap() {
        // Gaps with the autocorrelation of 5 overlapping tokens and mean zero: about 5 % of the
        // samples are called different, not the 50 % a test that ignores the overlap would.
        let mut rng = Stream::new(9, "dm");
        let mut normal = || (0..12).map(|_| rng.uniform()).sum::<f64>() - 6.0;
        let mut called = 0;
        for _ in 0..400 {
            let noise: Vec<f64> = (0..604).map(|_| normal()).collect();
            let gaps: Vec<f64> = noise.windows(5).map(|w| w.iter().sum()).collect();
            called += usize::from(diebold_mariano(&gaps, 5) < 0.05);
        }
        assert!((8..=48).contains(&called), "{called} of 400");
    }

    #[test]
    fn rows_without_label_or_forecast_are_left_out_for_all() {
        let (mut runs, mut models) = setting(500);
        runs[0].rows[3].labels[0] = f64::NAN;
        models[1].probabilities[0][7][0] = [f64::NAN; 3];
        let all = compare(&runs, &scale(), &models);
        assert_eq!((all[0].rows, all[1].rows), (498, 500));
    }
}
