//! The encoder as callers see it.

use crate::kernels::Row;
use crate::pack::{Model, Packing};
use crate::shape::WINDOW;
use crate::simd::Level;
use crate::state::{Band, EncoderState};
use crate::weights::{Weights, WeightsSpec};
use ijk_core::features::FEATURE_COUNT;
use ijk_core::forecast::EnsembleForecast;
use ijk_core::infer_config::WeightPacking;
use ijk_core::{SlotShape, SlotUpdate};

/// All members of a model, packed for this machine. Shared by any number of instruments, each
/// with its own [`EncoderState`].
#[derive(Clone, Debug)]
pub struct Encoder {
    model: Model,
    level: Level,
    spec: WeightsSpec,
}

impl Encoder {
    /// Packs the weights, as narrow as holds them exactly; the only place that allocates. Runs on
    /// the fastest instructions of this machine.
    pub fn new(weights: &Weights) -> Encoder {
        Encoder::with(weights, Level::best(), Packing::narrowest(weights))
    }

    /// Packs the weights as the settings say, for the fastest instructions of this machine.
    pub fn packed(weights: &Weights, packing: WeightPacking) -> Encoder {
        match packing {
            WeightPacking::Exact => Encoder::new(weights),
            WeightPacking::Int8 => Encoder::with(weights, Level::best(), Packing::Int8),
        }
    }

    /// As [`Encoder::new`], on the instructions of `level` and packed as `packing`; the forecasts
    /// are the same bits on every level, and for every packing but [`Packing::Int8`]. Panics if the
    /// packing is to hold the weights exactly and does not.
    pub fn with(weights: &Weights, level: Level, packing: Packing) -> Encoder {
        Encoder { model: Model::new(weights, packing, level), level, spec: weights.spec.clone() }
    }

    /// Returns how the weights are packed.
    pub fn packing(&self) -> Packing {
        self.model.packing()
    }

    /// Returns the instructions it runs on.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Returns how far a token lies from the training features, see [`WeightsSpec::distrust`].
    pub fn distrust(&self, features: &[f64; FEATURE_COUNT]) -> f64 {
        self.spec.distrust(features)
    }

    /// Returns the half width of the measured 90 % interval at horizon `h` (index), predictive
    /// standard deviations; `None` where the weights state none or there is no such horizon.
    pub fn interval_z90(&self, h: usize) -> Option<f64> {
        self.spec.interval_z90?.get(h).copied()
    }

    /// Returns the ensemble members.
    pub fn member_count(&self) -> usize {
        self.model.member_count()
    }

    /// Takes one token, `features` in the units of [`ijk_core::features`], through every member.
    ///
    /// The same weights and tokens give the same bits in every run and on every x86-64. A feature
    /// that is not finite is refused: the forecast then has `member_count` 0 and the state is as
    /// it was before.
    ///
    /// Panics if the state was made for an encoder with another number of members.
    pub fn step(
        &self,
        state: &mut EncoderState,
        features: &[f64; FEATURE_COUNT],
    ) -> EnsembleForecast {
        self.level.step(&self.model, state, features, None, &mut ())
    }

    /// As [`Encoder::step`], at the time `at_ns` (nanoseconds UTC), as of which the slots are read.
    /// [`Encoder::step`] itself reads none: its forecast is that of a token at which every slot is
    /// missing.
    pub fn step_at(
        &self,
        state: &mut EncoderState,
        features: &[f64; FEATURE_COUNT],
        at_ns: u64,
    ) -> EnsembleForecast {
        self.level.step(&self.model, state, features, Some(at_ns), &mut ())
    }

    /// Returns the slots of the model, in the order of their indices.
    pub fn slots(&self) -> &[SlotShape] {
        &self.spec.slots
    }

    /// Takes a vector of another modality: it counts from the next token on, at times not before
    /// its `known_from`. What the slot held is forgotten, unless that was known later. Keys and
    /// values are computed here, once. Returns false, and changes nothing, where the model has no
    /// such slot, the width is another, or a number is one that no slot may hold.
    ///
    /// Panics if the state was made for an encoder of another shape.
    pub fn know(&self, state: &mut EncoderState, update: &SlotUpdate) -> bool {
        let fits = self.model.fits(update);
        if fits {
            self.level.know(&self.model, state, update);
        }
        fits
    }

    /// As [`Encoder::step`], showing every row of attention to `probe`.
    pub fn step_probed(
        &self,
        state: &mut EncoderState,
        features: &[f64; FEATURE_COUNT],
        probe: &mut impl AttentionProbe,
    ) -> EnsembleForecast {
        self.level.step(&self.model, state, features, None, probe)
    }
}

/// Sees the attention of every head while a token is computed. `()` sees nothing and costs
/// nothing.
pub trait AttentionProbe {
    /// Called once a member, layer and head.
    fn attention(&mut self, row: &AttentionRow<'_>);
}

impl AttentionProbe for () {
    #[inline(always)]
    fn attention(&mut self, _: &AttentionRow<'_>) {}
}

/// Attention of one head over the band.
#[derive(Clone, Copy, Debug)]
pub struct AttentionRow<'a> {
    /// Ensemble member.
    pub member: usize,
    /// Block, from 0.
    pub layer: usize,
    /// Head, from 0.
    pub head: usize,
    pub(crate) band: Band,
    /// By slot of the ring, not divided yet.
    pub(crate) row: &'a Row,
    /// What the row sums to.
    pub(crate) total: f32,
}

impl AttentionRow<'_> {
    /// Returns the weights from age 0 (the token itself) to the oldest in the band; they are not
    /// negative and sum to one.
    pub fn by_age(&self) -> impl ExactSizeIterator<Item = f32> {
        let Band { slot, filled } = self.band;
        let row = self.row.as_flattened();
        (0..filled).map(move |age| row[(slot + WINDOW - age) % WINDOW] / self.total)
    }

    /// Returns the sum over every slot of the ring, those never written included.
    pub fn sum(&self) -> f64 {
        let row = self.row.as_flattened().iter();
        row.map(|&p| f64::from(p / self.total)).sum()
    }
}
