//! Does a fit without any truth to find find some? Labels shuffled in time, many seeds.
//!
//! One net proves nothing here. The direction in which a net leans before it learns anything is
//! arbitrary, its forecasts of twenty overlapping tokens move together, and one direction of the
//! features correlates with the labels of one test part by chance. So every number is a mean over
//! seeds, each with its own weights and its own shuffle, beside the same nets untrained.

use crate::compare::{compare, of_runs};
use crate::encoder::{Encoder, EncoderShape};
use crate::evaluate::forecast_runs;
use crate::export::{ExportMeta, export};
use crate::fit::{FitError, FitSettings, Fitted, Provenance, fit};
use crate::labels::{LabelScale, class_of};
use crate::session::Session;
use crate::split::{Segment, split};
use crate::train::Progress;
use burn::backend::Flex;
use ijk_core::forecast::{HORIZON_COUNT, HORIZONS};
use ijk_infer::Weights;
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Seeds below which a mean over them says little.
pub const SEEDS_MIN: usize = 5;

/// A mean over seeds with its 95 % interval (Student's t).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SeedMean {
    /// Mean.
    pub value: f64,
    /// Half of the interval.
    pub half: f64,
    /// Standard deviation of one seed.
    pub sd: f64,
    /// Seeds.
    pub seeds: usize,
}

impl SeedMean {
    /// Returns the mean of one number a seed, two or more of them.
    pub fn of(x: &[f64]) -> SeedMean {
        let n = x.len() as f64;
        let value = x.iter().sum::<f64>() / n;
        let sd = (x.iter().map(|x| (x - value).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
        let mean = SeedMean { value, half: 0.0, sd, seeds: x.len() };
        SeedMean { half: mean.quantile(0.975) * sd / n.sqrt(), ..mean }
    }

    /// Returns whether the mean is above zero, one-sided at `level`.
    pub fn above_zero(&self, level: f64) -> bool {
        self.value > self.quantile(1.0 - level) * self.sd / (self.seeds as f64).sqrt()
    }

    /// Returns the mean of the negated numbers.
    pub fn negated(&self) -> SeedMean {
        SeedMean { value: -self.value, ..*self }
    }

    fn quantile(&self, p: f64) -> f64 {
        let degrees = self.seeds as f64 - 1.0;
        StudentsT::new(0.0, 1.0, degrees).map_or(f64::NAN, |t| t.inverse_cdf(p))
    }
}

/// What one net is worth at one horizon.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Skill {
    /// Correlation of p(up) - p(down) and label.
    pub ic: f64,
    /// Log loss less the entropy of the rows' own class shares, which no constant forecast can
    /// beat: negative is skill, whatever the shares of the training part were.
    pub log_loss: f64,
}

/// What nets of several seeds are worth at one horizon.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Skills {
    /// Mean of [`Skill::ic`].
    pub ic: SeedMean,
    /// Mean of [`Skill::log_loss`].
    pub log_loss: SeedMean,
}

impl Skills {
    /// Returns whether there is skill: a mean IC above zero or a mean log loss below zero beyond
    /// chance, one in twenty for all horizons and both scores together (Bonferroni).
    pub fn any(&self) -> bool {
        let level = 0.05 / (2 * HORIZON_COUNT) as f64;
        self.ic.above_zero(level) || self.log_loss.negated().above_zero(level)
    }
}

/// The check at one horizon.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LeakageAt {
    /// Horizon, tokens.
    pub horizon_tokens: u32,
    /// Nets that learnt nothing.
    pub untrained: Skills,
    /// The same nets trained on shuffled labels.
    pub shuffled: Skills,
    /// The first nets trained on the labels in their places: what the check must be able to see.
    pub in_place: Skills,
}

/// The check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Leakage {
    /// Seeds of the shuffled nets.
    pub seeds: usize,
    /// Tokens that were scored.
    pub test_tokens: usize,
    /// Every horizon.
    pub horizons: [LeakageAt; HORIZON_COUNT],
}

impl Leakage {
    /// Returns the horizons, in tokens, at which shuffled labels gave skill, see [`Skills::any`].
    pub fn found(&self) -> Vec<u32> {
        self.horizons.iter().filter(|h| h.shuffled.any()).map(|h| h.horizon_tokens).collect()
    }

    /// Returns whether the same judgement finds skill at every horizon where the labels were left
    /// in their places: the check could fail.
    pub fn sees_skill(&self) -> bool {
        self.horizons.iter().all(|h| h.in_place.any())
    }
}

/// Fits one net a seed, from `settings.seed` on, on shuffled labels and scores it on the test part
/// beside the same net untrained; the first [`SEEDS_MIN`] also on labels in place.
///
/// # Errors
/// [`FitError`]; too few seeds are one of the settings.
pub fn check(
    sessions: &[Session],
    settings: &FitSettings,
    seeds: usize,
    report: &mut dyn FnMut(&Progress),
) -> Result<Leakage, FitError> {
    if seeds < SEEDS_MIN {
        return Err(FitError::Setting(format!("seeds must be at least {SEEDS_MIN}")));
    }
    let test = split(sessions, settings.validation_fraction, settings.test_fraction)?.test;
    let (mut untrained, mut shuffled, mut in_place) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..seeds {
        let seed = settings.seed + i as u64;
        let mut fit_labels = |shuffle_labels| {
            let settings = FitSettings {
                seed,
                shuffle_labels,
                members: 1,
                walk_forward_folds: 0,
                ..settings.clone()
            };
            fit(sessions, &settings, &Provenance::default(), None, report)
        };
        let fitted = fit_labels(true)?;
        let scale = &fitted.card.label_scale;
        let fresh = untrained_weights(&fitted, seed)?;
        untrained.push(skill(&fresh, sessions, &test, scale));
        shuffled.push(skill(&fitted.weights, sessions, &test, scale));
        if i < SEEDS_MIN {
            let fitted = fit_labels(false)?;
            in_place.push(skill(&fitted.weights, sessions, &test, &fitted.card.label_scale));
        }
        report(&Progress::Stage { name: "seeds", done: i + 1, total: seeds });
    }
    Ok(Leakage {
        seeds,
        test_tokens: test.iter().map(|s| s.tokens.len()).sum(),
        horizons: std::array::from_fn(|h| LeakageAt {
            horizon_tokens: HORIZONS[h],
            untrained: skills(&untrained, h),
            shuffled: skills(&shuffled, h),
            in_place: skills(&in_place, h),
        }),
    })
}

fn skills(nets: &[[Skill; HORIZON_COUNT]], h: usize) -> Skills {
    let mean =
        |of: fn(&Skill) -> f64| SeedMean::of(&nets.iter().map(|n| of(&n[h])).collect::<Vec<_>>());
    Skills { ic: mean(|s| s.ic), log_loss: mean(|s| s.log_loss) }
}

/// The net of `seed` as it was before its first step, with the fit's scaler and scales.
fn untrained_weights(fitted: &Fitted, seed: u64) -> Result<Weights, FitError> {
    let meta = ExportMeta {
        scaler: fitted.card.scaler,
        target_scale_bps: fitted.card.label_scale.scale_bps,
        training_data_sha256: String::new(),
        code_version: String::new(),
        created: String::new(),
        note: String::new(),
    };
    let fresh = Encoder::<Flex>::new(&EncoderShape::default(), seed, &Default::default());
    Ok(export(&[fresh], &meta)?)
}

/// Returns what weights are worth on `test`, at every horizon.
fn skill(
    weights: &Weights,
    sessions: &[Session],
    test: &[Segment],
    scale: &LabelScale,
) -> [Skill; HORIZON_COUNT] {
    let runs = forecast_runs(weights, sessions, test, &mut |_, _| {});
    let scores = compare(&runs, scale, &[of_runs("net", &runs)]);
    std::array::from_fn(|h| {
        let labels = runs.iter().flat_map(|r| &r.rows).map(|r| r.labels[h]);
        let mut counts = [0.0f64; 3];
        labels
            .filter(|l| l.is_finite())
            .for_each(|l| counts[usize::from(class_of(l, scale.threshold_bps[h]))] += 1.0);
        let rows: f64 = counts.iter().sum();
        let share = |n: &f64| n / rows;
        let entropy: f64 = counts.iter().map(share).filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum();
        let net = &scores[h].models[0];
        Skill { ic: net.ic.value, log_loss: net.log_loss.value - entropy }
    })
}
