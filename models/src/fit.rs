//! From sessions to weights and their model card.

use crate::calibrate::calibrate_variance;
use crate::card::{Card, CardSession, FoldCard, KnownShare, MemberCard, SlotsCard};
use crate::checkpoint::Checkpoints;
use crate::conformal::{Reliability, calibrate, coverage, track, trust_region};
use crate::encoder::EncoderShape;
use crate::evaluate::{HorizonReport, Run, forecast_runs, score};
use crate::export::{ExportMeta, export_modal};
use crate::labels::{LabelRow, LabelScale, ScaleError, labels};
use crate::loss::LabelWeights;
use crate::metrics::COVERAGE_SD;
use crate::modal::ModalEncoder;
use crate::ols::Ols;
use crate::rng::Stream;
use crate::scaler::Scaler;
use crate::sequences::{Mirror, Part};
use crate::session::{Session, hex, sha256_of};
use crate::slots::{NO_SLOTS, PartSlot, SlotSettings};
use crate::split::{Segment, Split, SplitError, split, walk_forward};
use crate::train::{MemberTask, Progress, TrainError, TrainSettings, train_member};
use burn::backend::{Autodiff, Flex};
use burn::tensor::backend::AutodiffBackend;
use ijk_core::features::FEATURE_COUNT;
use ijk_core::forecast::HORIZON_COUNT;
use ijk_core::limits::MEMBER_COUNT_MAX;
use ijk_infer::{TrustRegion, Weights, WeightsError};
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
    /// Copies of each training session cut into tokens at other rows, the original included; 1
    /// to the stride.
    pub phases: u32,
    /// Expanding walk-forward folds that are scored beside the final fit, one member each; 0
    /// for none.
    pub walk_forward_folds: usize,
    /// Shuffles the labels of training and validation in time: a fit without any truth to find,
    /// whose skill must be none.
    pub shuffle_labels: bool,
    /// Tokens of all sessions together, copies included, that may be held in memory.
    pub tokens_max: usize,
    /// The training loop.
    pub train: TrainSettings,
    /// Further modalities.
    pub slots: SlotSettings,
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
            phases: 1,
            walk_forward_folds: 0,
            shuffle_labels: false,
            tokens_max: 20_000_000,
            train: TrainSettings::default(),
            slots: SlotSettings::default(),
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
        if !(1..=self.stride).contains(&self.phases) {
            return fail(format!("phases must be 1 to the stride, {}", self.stride));
        }
        if self.walk_forward_folds > 20 {
            return fail("walk_forward_folds must be 0 to 20".into());
        }
        let fractions = [self.validation_fraction, self.test_fraction];
        if fractions.iter().any(|f| !(*f > 0.0 && *f < 0.5)) {
            return fail("validation_fraction and test_fraction must lie in (0, 0.5)".into());
        }
        self.slots.check().map_err(FitError::Setting)?;
        if self.train.mirror && !self.slots.slot.is_empty() {
            // Nobody knows what a vector would be in the mirrored market.
            return fail("train.mirror cannot be used with slots".into());
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
    /// SHA-256 of the program.
    pub code_sha256: String,
    /// Where it trained; empty where nobody says.
    pub device: String,
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
    trust: Option<TrustRegion>,
}

/// Fits an ensemble on `sessions` and scores it on the test part with the kernel's encoder.
///
/// The same sessions, settings and provenance give the same bytes, also where the fit was
/// interrupted and goes on from `checkpoints`.
///
/// # Errors
/// [`FitError`]; nothing but checkpoints is written by this function.
pub fn fit(
    sessions: &[Session],
    settings: &FitSettings,
    provenance: &Provenance,
    checkpoints: Option<&Checkpoints>,
    report: &mut dyn FnMut(&Progress),
) -> Result<Fitted, FitError> {
    fit_on::<Autodiff<Flex>>(
        sessions,
        settings,
        provenance,
        checkpoints,
        &Default::default(),
        report,
    )
}

/// As [`fit`], on the device of any backend. Other devices sum in another order: the bits are
/// their own.
///
/// # Errors
/// As [`fit`].
pub fn fit_on<B: AutodiffBackend>(
    sessions: &[Session],
    settings: &FitSettings,
    provenance: &Provenance,
    checkpoints: Option<&Checkpoints>,
    device: &B::Device,
    report: &mut dyn FnMut(&Progress),
) -> Result<Fitted, FitError> {
    settings.check()?;
    let wanted = settings.slots.slot.len();
    if sessions.iter().any(|s| s.slots.len() != wanted) {
        return Err(FitError::Setting(format!("every session must come with {wanted} slots")));
    }
    let split = split(sessions, settings.validation_fraction, settings.test_fraction)?;
    let folds = walk_forward(sessions, settings.walk_forward_folds)?;
    let run = Runner::<B> { sessions, settings, provenance, checkpoints, device };
    let mut fold_cards = Vec::new();
    for (i, fold) in folds.into_iter().enumerate() {
        let done = run.fit(fold, 1, &format!("fold{i}-"), report)?;
        fold_cards.push(done.fold_card());
    }
    let done = run.fit(split, settings.members, "", report)?;
    Ok(done.into_fitted(&run, fold_cards))
}

/// What every fit of one call has in common.
struct Runner<'a, B: AutodiffBackend> {
    sessions: &'a [Session],
    settings: &'a FitSettings,
    provenance: &'a Provenance,
    checkpoints: Option<&'a Checkpoints>,
    device: &'a B::Device,
}

/// A fit that is trained, calibrated and scored.
struct Done {
    prepared: Prepared,
    weights: Weights,
    members: Vec<MemberCard>,
    test: Vec<HorizonReport>,
    slots: Option<SlotsCard>,
    reliability: Option<Reliability>,
}

impl<B: AutodiffBackend> Runner<'_, B> {
    fn fit(
        &self,
        split: Split,
        members: usize,
        prefix: &str,
        report: &mut dyn FnMut(&Progress),
    ) -> Result<Done, FitError> {
        let prepared = prepare(self.sessions, self.settings, split)?;
        let mut encoders: Vec<ModalEncoder<B::InnerBackend>> = Vec::new();
        let mut cards: Vec<MemberCard> = Vec::new();
        for member in 0..members {
            let name = format!("{prefix}member{member}");
            let (encoder, card) = self.member(&prepared, member, members > 1, &name, report)?;
            encoders.push(encoder);
            cards.push(card);
        }
        let train = prepared.split.train.iter().map(|s| &self.sessions[s.session]);
        let meta = ExportMeta {
            scaler: prepared.scaler,
            target_scale_bps: prepared.scale.scale_bps,
            training_data_sha256: sha256_of(train),
            code_version: self.provenance.code_version.clone(),
            created: self.provenance.created.clone(),
            note: format!("made by: {}", self.provenance.command),
        };
        let mut weights = export_modal(&encoders, &self.settings.slots.slot, &meta)?;
        let stage = |name, report: &mut dyn FnMut(&Progress), done, total| {
            report(&Progress::Stage { name, done, total });
        };
        let calibration =
            forecast_runs(&weights, self.sessions, &prepared.split.calibration, &mut |d, t| {
                stage("calibrate", report, d, t);
            });
        weights.spec.interval_z90 = calibrate(&calibration);
        weights.spec.trust = prepared.trust;
        let runs = forecast_runs(&weights, self.sessions, &prepared.split.test, &mut |d, t| {
            stage("test", report, d, t);
        });
        let test = score(&runs, &prepared.scale, Some((&prepared.scaler, &prepared.ols)));
        let reliability = reliability(&weights, &calibration, &runs);
        let slots = (!weights.spec.slots.is_empty()).then(|| {
            // A model without its slots is the model while all of them are missing, to the bit.
            let without = weights.without_slots();
            let runs = forecast_runs(&without, self.sessions, &prepared.split.test, &mut |_, _| {});
            SlotsCard {
                missing: score(&runs, &prepared.scale, None),
                known: known_shares(self.sessions, &prepared.split),
            }
        });
        Ok(Done { prepared, weights, members: cards, test, slots, reliability })
    }

    fn member(
        &self,
        prepared: &Prepared,
        member: usize,
        bootstrap: bool,
        name: &str,
        report: &mut dyn FnMut(&Progress),
    ) -> Result<(ModalEncoder<B::InnerBackend>, MemberCard), FitError> {
        let train = &self.settings.train;
        let task = MemberTask {
            train: &prepared.train,
            validation: &prepared.validation,
            shape: EncoderShape::default(),
            settings: train,
            weights: LabelWeights {
                horizon: train.horizon_weights,
                class: train.class_weights(&prepared.scale.prior),
                smoothing: train.label_smoothing,
            },
            mirror: train.mirror.then(|| Mirror::new(&prepared.scaler)),
            slots: &self.settings.slots,
            member,
            seed: self.settings.seed + member as u64,
            bootstrap,
            checkpoints: self.checkpoints.map(|c| (c, name)),
        };
        let (mut model, history) = train_member::<B>(&task, self.device, report)?;
        let variance_factor =
            calibrate_variance(&mut model, &prepared.validation, train, self.device);
        Ok((model, MemberCard { history, variance_factor }))
    }
}

impl Done {
    fn fold_card(&self) -> FoldCard {
        let tokens = |s: &[Segment]| s.iter().map(|s| s.tokens.len()).sum();
        FoldCard {
            train_tokens: tokens(&self.prepared.split.train),
            test_tokens: tokens(&self.prepared.split.test),
            test: self.test.clone(),
        }
    }

    fn into_fitted<B: AutodiffBackend>(
        self,
        run: &Runner<'_, B>,
        walk_forward: Vec<FoldCard>,
    ) -> Fitted {
        let Done { prepared, weights, members, test, slots, reliability } = self;
        let card = Card {
            provenance: run.provenance.into(),
            weights_sha256: hex(&Sha256::digest(weights.to_bytes())),
            training_data_sha256: weights.spec.training_data_sha256.clone(),
            settings: run.settings.clone(),
            sessions: card_sessions(run.sessions, &prepared.split),
            scaler: prepared.scaler,
            label_scale: prepared.scale,
            members,
            test,
            slots,
            reliability,
            comparison: Vec::new(),
            walk_forward,
        };
        Fitted { weights, card }
    }
}

/// Returns what the calibration slice gave and the test part made of it.
fn reliability(weights: &Weights, calibration: &[Run], test: &[Run]) -> Option<Reliability> {
    let interval_z90 = weights.spec.interval_z90?;
    let rows = || test.iter().flat_map(|r| &r.rows);
    let distrusted = rows().filter(|r| weights.spec.distrust(&r.features) >= 1.0).count();
    Some(Reliability {
        calibration_rows: calibration.iter().map(|r| r.rows.len()).sum(),
        interval_z90,
        coverage: coverage(test, interval_z90),
        coverage_normal: coverage(test, [COVERAGE_SD; HORIZON_COUNT]),
        distrusted_share: distrusted as f64 / rows().count().max(1) as f64,
        tracked: Some(track(test, interval_z90)),
    })
}

fn prepare(
    sessions: &[Session],
    settings: &FitSettings,
    split: Split,
) -> Result<Prepared, FitError> {
    let features = |s: &Segment| &sessions[s.session].features[s.tokens.clone()];
    // Labels are made inside each segment: none sees a mid of another part.
    let label = |parts: &[Segment]| -> Vec<Vec<LabelRow>> {
        parts.iter().map(|s| labels(&sessions[s.session].mids[s.tokens.clone()])).collect()
    };
    let (mut train_labels, mut validation_labels) = (label(&split.train), label(&split.validation));
    if settings.shuffle_labels {
        let mut rng = Stream::new(settings.seed, "shuffled labels");
        let parts = train_labels.iter_mut().chain(&mut validation_labels);
        parts.for_each(|rows| rng.shuffle(rows));
    }
    let scaler = Scaler::fit(split.train.iter().flat_map(features));
    let scale = LabelScale::fit(train_labels.iter().flatten())?;
    let parts = |segments: &[Segment], labels: &[Vec<LabelRow>]| -> Vec<Part> {
        let part = |(s, l): (&Segment, &Vec<LabelRow>)| Part {
            market: market(sessions, s.session),
            slots: part_slots(&sessions[s.session], s, &settings.slots),
            ..Part::new(features(s), l, &scaler, &scale)
        };
        segments.iter().zip(labels).map(part).collect()
    };
    let train = parts(&split.train, &train_labels);
    let validation = parts(&split.validation, &validation_labels);
    let ols = Ols::fit(train.iter().zip(&train_labels).flat_map(|(p, l)| p.inputs.iter().zip(l)));
    let inputs = train.iter().flat_map(|p| &p.inputs);
    let trust = trust_region(inputs, split.calibration.iter().flat_map(features), &scaler);
    Ok(Prepared { split, scaler, scale, ols, train, validation, trust })
}

/// What each token of a segment knew of the slots.
fn part_slots(session: &Session, segment: &Segment, slots: &SlotSettings) -> Vec<PartSlot> {
    if slots.slot.is_empty() {
        return Vec::new();
    }
    let closes_ns = &session.closes_ns[segment.tokens.clone()];
    let all = slots.slot.iter().zip(&session.slots);
    all.map(|(shape, series)| PartSlot::new(shape.width, series, closes_ns)).collect()
}

/// Returns the share of training and test tokens at which each slot was known.
fn known_shares(sessions: &[Session], split: &Split) -> Vec<KnownShare> {
    let share = |segments: &[Segment], slot: usize| {
        let (mut known, mut all) = (0, 0);
        for s in segments {
            let session = &sessions[s.session];
            let at = |t: &&u64| session.slots[slot].as_of(**t).is_some();
            known += session.closes_ns[s.tokens.clone()].iter().filter(at).count();
            all += s.tokens.len();
        }
        known as f64 / all.max(1) as f64
    };
    let of = |slot: usize| KnownShare {
        name: sessions[0].slots[slot].name.clone(),
        training: share(&split.train, slot),
        test: share(&split.test, slot),
    };
    (0..sessions.first().map_or(0, |s| s.slots.len())).map(of).collect()
}

/// Returns the scaled features and the labels of every training token of a split: the rows that
/// the encoder trained on, for models that are held against it.
pub fn training_rows(
    sessions: &[Session],
    split: &Split,
    scaler: &Scaler,
) -> (Vec<[f32; FEATURE_COUNT]>, Vec<LabelRow>) {
    let (mut inputs, mut rows) = (Vec::new(), Vec::new());
    for s in &split.train {
        let session = &sessions[s.session];
        inputs.extend(session.features[s.tokens.clone()].iter().map(|f| scaler.apply(f)));
        rows.extend(labels(&session.mids[s.tokens.clone()]));
    }
    (inputs, rows)
}

/// Returns the number of the first session that is cut from the same market.
fn market(sessions: &[Session], session: usize) -> usize {
    let s = &sessions[session];
    let same = |o: &Session| o.feed == s.feed && o.name == s.name;
    sessions.iter().position(same).unwrap_or(session)
}

fn card_sessions(sessions: &[Session], split: &Split) -> Vec<CardSession> {
    let parts = [
        ("training", &split.train),
        ("validation", &split.validation),
        ("calibration", &split.calibration),
        ("test", &split.test),
    ];
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

/// A classification task of any origin on the twelve features.
#[derive(Clone, Copy, Debug)]
pub struct ClassTask<'a> {
    /// Rows that train.
    pub train: &'a Part,
    /// Rows that choose the epoch.
    pub validation: &'a Part,
    /// Scaler of both.
    pub scaler: &'a Scaler,
    /// Passes at most.
    pub epochs: usize,
    /// Ensemble members, 1 to 5.
    pub members: usize,
    /// Seed of the first member.
    pub seed: u64,
}

/// Trains an ensemble on classes alone and returns its probabilities for `features` (unscaled) at
/// the four horizons, computed by the kernel's streaming encoder.
///
/// # Errors
/// [`FitError`].
pub fn classify(
    task: &ClassTask<'_>,
    features: &[[f64; FEATURE_COUNT]],
    report: &mut dyn FnMut(&Progress),
) -> Result<Vec<[[f64; 3]; HORIZON_COUNT]>, FitError> {
    if !(1..=MEMBER_COUNT_MAX).contains(&task.members) || task.epochs == 0 {
        return Err(FitError::Setting(format!(
            "members must be 1 to {MEMBER_COUNT_MAX}, epochs at least 1"
        )));
    }
    let settings =
        TrainSettings { epochs: task.epochs, regression_weight: 0.0, ..TrainSettings::default() };
    let mut encoders: Vec<ModalEncoder<Flex>> = Vec::new();
    for member in 0..task.members {
        let member_task = MemberTask {
            train: std::slice::from_ref(task.train),
            validation: std::slice::from_ref(task.validation),
            shape: EncoderShape::default(),
            settings: &settings,
            weights: LabelWeights::default(),
            mirror: None,
            slots: &NO_SLOTS,
            member,
            seed: task.seed + member as u64,
            bootstrap: task.members > 1,
            checkpoints: None,
        };
        let device = Default::default();
        encoders.push(train_member::<Autodiff<Flex>>(&member_task, &device, report)?.0);
    }
    let meta = ExportMeta {
        scaler: *task.scaler,
        target_scale_bps: [1.0; HORIZON_COUNT],
        training_data_sha256: String::new(),
        code_version: String::new(),
        created: String::new(),
        note: String::new(),
    };
    let kernel = ijk_infer::Encoder::new(&export_modal(&encoders, &[], &meta)?);
    let mut state = ijk_infer::EncoderState::new(&kernel);
    let pooled = |f: &[f64; FEATURE_COUNT]| {
        let forecast = kernel.step(&mut state, f);
        let members = &forecast.members[..forecast.member_count as usize];
        std::array::from_fn(|h| {
            let mut mean = [0.0; 3];
            for p in members.iter().map(|m| m[h].probabilities()) {
                (0..3).for_each(|c| mean[c] += f64::from(p[c]) / members.len() as f64);
            }
            mean
        })
    };
    Ok(features.iter().map(pooled).collect())
}
