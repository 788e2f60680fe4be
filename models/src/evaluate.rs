//! Scores a weights file with the kernel's own streaming encoder.

use crate::labels::{LabelScale, class_of, labels};
use crate::metrics::{
    ClassScores, MeanScores, Scored, VarianceScores, class_scores, mean_scores, variance_scores,
};
use crate::ols::Ols;
use crate::scaler::Scaler;
use crate::session::Session;
use crate::slots::SlotSeries;
use crate::split::Segment;
use ijk_core::SlotUpdate;
use ijk_core::config::FeatureConfig;
use ijk_core::features::FEATURE_COUNT;
use ijk_core::forecast::{EnsembleForecast, HORIZON_COUNT, HORIZONS};
use ijk_infer::{Encoder, EncoderState, Weights};
use serde::{Deserialize, Serialize};

/// Scores at one horizon, always beside the baselines on the same rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HorizonReport {
    /// Horizon, tokens.
    pub horizon_tokens: u32,
    /// Rows scored.
    pub rows: usize,
    /// Class probabilities of the ensemble.
    pub class: ClassScores,
    /// Class shares of the training part, told for every row.
    pub class_prior: ClassScores,
    /// Mean of the ensemble.
    pub mean: MeanScores,
    /// Ordinary least squares on the token's features, where it was fitted.
    pub mean_ols: Option<MeanScores>,
    /// R² of each member alone.
    pub member_r2: Vec<f64>,
    /// Variance of the ensemble.
    pub variance: VarianceScores,
}

/// What is scored: forecasts of a run of tokens with what came of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Per token: the features, the ensemble's forecast and the labels.
    pub rows: Vec<RunRow>,
    /// Index of the session.
    pub session: usize,
    /// Token of the first row.
    pub first: usize,
}

/// One token of a [`Run`].
#[derive(Clone, Debug, PartialEq)]
pub struct RunRow {
    /// Unscaled features.
    pub features: [f64; ijk_core::features::FEATURE_COUNT],
    /// Forecast.
    pub forecast: EnsembleForecast,
    /// Labels, NaN where missing.
    pub labels: [f64; HORIZON_COUNT],
}

/// Tokens at a session's start that are not scored: the kernel does not trade on them either.
pub fn warm_up_tokens() -> usize {
    FeatureConfig::default().warm_up_tokens as usize
}

/// Streams every session from its first token and keeps the rows of `segments` past the warm-up.
/// `report` hears of the segments done.
pub fn forecast_runs(
    weights: &Weights,
    sessions: &[Session],
    segments: &[Segment],
    report: &mut dyn FnMut(usize, usize),
) -> Vec<Run> {
    forecast_runs_on(&Encoder::new(weights), sessions, segments, report)
}

/// As [`forecast_runs`], on an encoder that is packed already.
pub fn forecast_runs_on(
    encoder: &Encoder,
    sessions: &[Session],
    segments: &[Segment],
    report: &mut dyn FnMut(usize, usize),
) -> Vec<Run> {
    let mut state = EncoderState::new(encoder);
    let mut runs = Vec::with_capacity(segments.len());
    for (done, segment) in segments.iter().enumerate() {
        report(done, segments.len());
        let session = &sessions[segment.session];
        state.reset();
        // Labels of the segment alone: none sees a mid past its end.
        let labels = labels(&session.mids[segment.tokens.clone()]);
        let first = segment.tokens.start.max(warm_up_tokens());
        let mut rows = Vec::with_capacity(segment.tokens.len());
        let mut slots = SlotStream::new(encoder, session);
        for (k, features) in session.features[..segment.tokens.end].iter().enumerate() {
            let forecast = slots.step(&mut state, features, k);
            if k >= first {
                let labels = labels[k - segment.tokens.start];
                rows.push(RunRow { features: *features, forecast, labels });
            }
        }
        runs.push(Run { rows, session: segment.session, first });
    }
    report(segments.len(), segments.len());
    runs
}

/// Tells a streaming encoder what the slots of a session knew, token by token. A slot that the
/// model or the session does not have stays missing.
pub struct SlotStream<'a> {
    encoder: &'a Encoder,
    session: &'a Session,
    /// Slot of the model and series of the session, with the vectors told so far.
    told: Vec<(u16, &'a SlotSeries, usize)>,
}

impl<'a> SlotStream<'a> {
    /// Begins before the first token.
    pub fn new(encoder: &'a Encoder, session: &'a Session) -> SlotStream<'a> {
        let of = |(slot, shape): (usize, &ijk_core::SlotShape)| {
            let series = session.slots.iter().find(|s| s.name == shape.name)?;
            Some((slot as u16, series, 0))
        };
        let told = encoder.slots().iter().enumerate().filter_map(of).collect();
        SlotStream { encoder, session, told }
    }

    /// Takes token `k` of the session, with `features`.
    pub fn step(
        &mut self,
        state: &mut EncoderState,
        features: &[f64; FEATURE_COUNT],
        k: usize,
    ) -> EnsembleForecast {
        if self.told.is_empty() {
            return self.encoder.step(state, features);
        }
        let at_ns = self.session.closes_ns[k];
        for (slot, series, told) in &mut self.told {
            let known = series.updates().partition_point(|u| u.known_from.0 <= at_ns);
            // Of what became known since the last token only the newest can count.
            if known > *told {
                *told = known;
                let update = SlotUpdate { slot: *slot, ..series.updates()[known - 1].clone() };
                let taken = self.encoder.know(state, &update);
                debug_assert!(taken, "Invariant: the reader checked the vectors");
            }
        }
        self.encoder.step_at(state, features, at_ns)
    }
}

/// Scores runs at every horizon.
pub fn score(runs: &[Run], scale: &LabelScale, ols: Option<(&Scaler, &Ols)>) -> Vec<HorizonReport> {
    (0..HORIZON_COUNT).map(|h| score_horizon(runs, scale, ols, h)).collect()
}

fn score_horizon(
    runs: &[Run],
    scale: &LabelScale,
    ols: Option<(&Scaler, &Ols)>,
    h: usize,
) -> HorizonReport {
    let kept: Vec<Vec<(Scored, &RunRow)>> = runs
        .iter()
        .map(|run| {
            let scored = |row| Some((scored(row, scale, h)?, row));
            run.rows.iter().filter_map(scored).collect()
        })
        .collect();
    let map = |of: &dyn Fn(&Scored, &RunRow) -> f64| -> Vec<Vec<Scored>> {
        let with = |(s, row): &(Scored, &RunRow)| Scored { mean_bps: of(s, row), ..*s };
        kept.iter().map(|run| run.iter().map(with).collect()).collect()
    };
    let scores = |runs: &[Vec<Scored>]| mean_scores(runs, |s| s.mean_bps);
    let ensemble = map(&|s, _| s.mean_bps);
    let rows: Vec<Scored> = ensemble.concat();
    let members = runs.iter().flat_map(|r| r.rows.first()).map(|r| r.forecast.member_count).max();
    let member_r2 = (0..members.unwrap_or(0) as usize)
        .map(|m| scores(&map(&|_, row| f64::from(row.forecast.members[m][h].mean_bps))).r2.value);
    HorizonReport {
        horizon_tokens: HORIZONS[h],
        rows: rows.len(),
        class: class_scores(&rows, |s| s.probabilities),
        class_prior: class_scores(&rows, |_| scale.prior[h]),
        mean: scores(&ensemble),
        mean_ols: ols.map(|(scaler, ols)| {
            scores(&map(&|_, row| ols.forecast(&scaler.apply(&row.features), h)))
        }),
        member_r2: member_r2.collect(),
        variance: variance_scores(&rows),
    }
}

/// Returns the row's score, or `None` without a label or a finite forecast.
fn scored(row: &RunRow, scale: &LabelScale, h: usize) -> Option<Scored> {
    let label_bps = row.labels[h];
    let pooled = row.forecast.pooled(h)?;
    if !label_bps.is_finite() {
        return None;
    }
    let members = &row.forecast.members[..row.forecast.member_count as usize];
    let mut probabilities = [0.0; 3];
    for p in members.iter().map(|m| m[h].probabilities()) {
        (0..3).for_each(|c| probabilities[c] += f64::from(p[c]) / members.len() as f64);
    }
    Some(Scored {
        label_bps,
        class: class_of(label_bps, scale.threshold_bps[h]),
        probabilities,
        mean_bps: pooled.mean_bps,
        aleatoric_var: pooled.aleatoric_var,
        epistemic_var: pooled.epistemic_var,
    })
}
