//! From sessions to weights and their model card.

use crate::calibrate::calibrate_variance;
use crate::card::{Card, CardSession, MemberCard};
use crate::encoder::{Encoder, EncoderShape};
use crate::evaluate::{forecast_runs, score};
use crate::export::{ExportMeta, export};
use crate::labels::{LabelRow, LabelScale, ScaleError, labels};
use crate::ols::Ols;
use crate::scaler::Scaler;
use crate::sequences::Part;
use crate::session::{Session, hex, sha256_of};
use crate::split::{Segment, Split, SplitError, split};
use crate::train::{MemberTask, Progress, TrainError, TrainSettings, train_member};
use burn::backend::{Autodiff, Flex};
use ijk_core::limits::MEMBER_COUNT_MAX;
use ijk_infer::{Weights, WeightsError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Every setting of a fit; one TOML file. Each has a default, unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FitSettings {
    /// Feeds, oldest first; `synth` stands for `sessions` of them.
    pub feed: Vec<String>,
    /// Synthetic sessions one `synth` feed stands for, with successive seeds.
    pub sessions: u32,
    /// Length of a synthetic session, minutes; the whole day where missing.
    pub minutes: Option<u32>,
    /// Source rows a token.
    pub stride: u32,
    /// Ensemble members, 1 to 5.
    pub members: usize,
    /// Seed of everything random; member `m` takes `seed + m`.
    pub seed: u64,
    /// Share of the feeds (or of the time, below three feeds) that validates.
    pub validation_fraction: f64,
    /// Share of the feeds (or of the time) that tests.
    pub test_fraction: f64,
    /// The training loop.
    pub train: TrainSettings,
}

impl Default for FitSettings {
    fn default() -> Self {
        FitSettings {
            feed: vec!["synth".into()],
            sessions: 18,
            minutes: None,
            stride: 10,
            members: 5,
            seed: 1,
            validation_fraction: 0.15,
            test_fraction: 0.15,
            train: TrainSettings::default(),
        }
    }
}

impl FitSettings {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`FitError::Setting`] names the first that cannot work.
    pub fn check(&self) -> Result<(), FitError> {
        let fail = |text: String| Err(FitError::Setting(text));
        if !(1..=MEMBER_COUNT_MAX).contains(&self.members) {
            return fail(format!("members must be 1 to {MEMBER_COUNT_MAX}"));
        }
        if self.sessions == 0 || self.stride == 0 || self.feed.is_empty() {
            return fail("feed, sessions and stride must not be empty or zero".into());
        }
        let fractions = [self.validation_fraction, self.test_fraction];
        if fractions.iter().any(|f| !(*f > 0.0 && *f < 0.5)) {
            return fail("validation_fraction and test_fraction must lie in (0, 0.5)".into());
        }
        self.train.check(&EncoderShape::default()).map_err(FitError::Setting)
    }
}

/// What the caller knows and the fit does not: provenance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Provenance {
    /// The command as given.
    pub command: String,
    /// ISO 8601.
    pub created: String,
    /// Version of the code.
    pub code_version: String,
}

/// Weights with their card.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// The ensemble, rounded to fp16.
    pub weights: Weights,
    /// What is known of it.
    pub card: Card,
}

/// Why a fit failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FitError {
    /// A setting cannot work.
    #[error("{0}")]
    Setting(String),
    /// Too little or repeated data.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// The labels say nothing.
    #[error(transparent)]
    Scale(#[from] ScaleError),
    /// Training stopped.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The weights cannot be written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

/// Everything measured on the training part, and the parts made with it.
struct Prepared {
    split: Split,
    scaler: Scaler,
    scale: LabelScale,
    ols: Ols,
    train: Vec<Part>,
    validation: Vec<Part>,
}

/// Fits an ensemble on `sessions` and scores it on the test part with the kernel's encoder.
///
/// The same sessions, settings and provenance give the same bytes.
///
/// # Errors
/// [`FitError`]; nothing is written by this function.
pub fn fit(
    sessions: &[Session],
    settings: &FitSettings,
    provenance: &Provenance,
    report: &mut dyn FnMut(&Progress),
) -> Result<Fitted, FitError> {
    settings.check()?;
    let prepared = prepare(sessions, settings)?;
    let mut encoders: Vec<Encoder<Flex>> = Vec::new();
    let mut members: Vec<MemberCard> = Vec::new();
    let device = Default::default();
    for member in 0..settings.members {
        let task = MemberTask {
            train: &prepared.train,
            validation: &prepared.validation,
            shape: EncoderShape::default(),
            settings: &settings.train,
            member,
            seed: settings.seed + member as u64,
            bootstrap: settings.members > 1,
        };
        let (mut encoder, history) = train_member::<Autodiff<Flex>>(&task, &device, report)?;
        let variance_factor =
            calibrate_variance(&mut encoder, &prepared.validation, &settings.train, &device);
        encoders.push(encoder);
        members.push(MemberCard { history, variance_factor });
    }
    let train_sessions = prepared.split.train.iter().map(|s| &sessions[s.session]);
    let meta = ExportMeta {
        scaler: prepared.scaler,
        target_scale_bps: prepared.scale.scale_bps,
        training_data_sha256: sha256_of(train_sessions),
        code_version: provenance.code_version.clone(),
        created: provenance.created.clone(),
        note: format!("made by: {}", provenance.command),
    };
    let weights = export(&encoders, &meta)?;
    let runs = forecast_runs(&weights, sessions, &prepared.split.test, &mut |done, total| {
        report(&Progress::Stage { name: "test", done, total });
    });
    let card = Card {
        provenance: provenance.into(),
        weights_sha256: hex(&Sha256::digest(weights.to_bytes())),
        training_data_sha256: meta.training_data_sha256,
        settings: settings.clone(),
        sessions: card_sessions(sessions, &prepared.split),
        scaler: prepared.scaler,
        label_scale: prepared.scale,
        members,
        test: score(&runs, &prepared.scale, Some((&prepared.scaler, &prepared.ols))),
    };
    Ok(Fitted { weights, card })
}

fn prepare(sessions: &[Session], settings: &FitSettings) -> Result<Prepared, FitError> {
    let split = split(sessions, settings.validation_fraction, settings.test_fraction)?;
    let features = |s: &Segment| &sessions[s.session].features[s.tokens.clone()];
    // Labels are made inside each segment: none sees a mid of another part.
    let label = |parts: &[Segment]| -> Vec<Vec<LabelRow>> {
        parts.iter().map(|s| labels(&sessions[s.session].mids[s.tokens.clone()])).collect()
    };
    let (train_labels, validation_labels) = (label(&split.train), label(&split.validation));
    let scaler = Scaler::fit(split.train.iter().flat_map(features));
    let scale = LabelScale::fit(train_labels.iter().flatten())?;
    let parts = |segments: &[Segment], labels: &[Vec<LabelRow>]| -> Vec<Part> {
        let part = |(s, l): (&Segment, &Vec<LabelRow>)| Part::new(features(s), l, &scaler, &scale);
        segments.iter().zip(labels).map(part).collect()
    };
    let train = parts(&split.train, &train_labels);
    let validation = parts(&split.validation, &validation_labels);
    let ols = Ols::fit(train.iter().zip(&train_labels).flat_map(|(p, l)| p.inputs.iter().zip(l)));
    Ok(Prepared { split, scaler, scale, ols, train, validation })
}

fn card_sessions(sessions: &[Session], split: &Split) -> Vec<CardSession> {
    let parts =
        [("training", &split.train), ("validation", &split.validation), ("test", &split.test)];
    let of = |(part, segments): (&'static str, &Vec<Segment>)| {
        let card = |s: &Segment| CardSession {
            name: sessions[s.session].name.clone(),
            part: part.into(),
            first_token: s.tokens.start,
            tokens: s.tokens.len(),
            sha256: hex(&sessions[s.session].sha256()),
        };
        segments.iter().map(card).collect::<Vec<_>>()
    };
    parts.into_iter().flat_map(of).collect()
}
