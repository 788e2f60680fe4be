//! Which vector instructions the forward pass runs on, chosen when an encoder is built.
//!
//! Each level compiles the very same source again for wider registers. The source says which
//! multiplications and additions are fused and in which order sums go, so all levels give the same
//! bits: a run on one machine replays bit for bit on another. A machine without fused operations
//! computes them in software, right and some forty times slower.
#![allow(unsafe_code)] // calls of functions compiled for instructions that were found

use crate::encoder::AttentionProbe;
use crate::forward;
use crate::kernels::{Linear, Plain16};
use crate::pack::{Model, PackedModel, any_model};
use crate::state::EncoderState;
use ijk_core::SlotUpdate;
use ijk_core::features::FEATURE_COUNT;
use ijk_core::forecast::EnsembleForecast;

/// Vector instructions that this machine has. A value exists only where they were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// What every machine has.
    pub const PORTABLE: Level = Level(Kind::Portable);

    /// Returns every level of this machine, the slowest first.
    pub fn all() -> impl Iterator<Item = Level> {
        let mut levels = [Some(Level::PORTABLE), None, None];
        #[cfg(target_arch = "x86_64")]
        {
            let has_avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            levels[1] = has_avx2.then_some(Level(Kind::Avx2));
            let has_avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512bw");
            levels[2] = (has_avx2 && has_avx512).then_some(Level(Kind::Avx512));
        }
        levels.into_iter().flatten()
    }

    /// Returns the fastest level of this machine.
    pub fn best() -> Level {
        Level::all().last().unwrap_or(Level::PORTABLE)
    }

    /// Returns the name used in tables.
    pub const fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512",
        }
    }

    /// Returns how many vectors of outputs a linear layer computes side by side: two sums each
    /// must fit the registers, beside weights and inputs.
    pub(crate) const fn side(self) -> usize {
        match self.0 {
            Kind::Portable => 2,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => 2,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => 4,
        }
    }

    /// Returns whether this machine has dot products of eight-bit integers at this level.
    pub(crate) fn has_vnni(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return matches!(self.0, Kind::Avx512) && is_x86_feature_detected!("avx512vnni");
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// [`forward::step`] on these instructions.
    #[inline]
    pub(crate) fn step<P: AttentionProbe>(
        self,
        model: &Model,
        state: &mut EncoderState,
        features: &[f64; FEATURE_COUNT],
        at_ns: Option<u64>,
        probe: &mut P,
    ) -> EnsembleForecast {
        any_model!(model, model => self.step_packed(model, state, features, at_ns, probe))
    }

    #[inline]
    fn step_packed<L: Linear, P: AttentionProbe>(
        self,
        model: &PackedModel<L>,
        state: &mut EncoderState,
        features: &[f64; FEATURE_COUNT],
        at_ns: Option<u64>,
        probe: &mut P,
    ) -> EnsembleForecast {
        match self.0 {
            Kind::Portable => forward::step::<Plain16, 2, L>(model, state, features, at_ns, probe),
            // SAFETY: a level exists only where its instructions were found.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => unsafe { x86::step_avx2(model, state, features, at_ns, probe) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => unsafe { x86::step_avx512(model, state, features, at_ns, probe) },
        }
    }

    /// [`forward::know`] on these instructions.
    pub(crate) fn know(self, model: &Model, state: &mut EncoderState, update: &SlotUpdate) {
        any_model!(model, model => self.know_packed(model, state, update))
    }

    fn know_packed<L: Linear>(
        self,
        model: &PackedModel<L>,
        state: &mut EncoderState,
        update: &SlotUpdate,
    ) {
        match self.0 {
            Kind::Portable => forward::know::<Plain16, 2, L>(model, state, update),
            // SAFETY: a level exists only where its instructions were found.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => unsafe { x86::know_avx2(model, state, update) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => unsafe { x86::know_avx512(model, state, update) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::*;
    use crate::kernels::x86::{Avx2, Avx512};

    #[target_feature(enable = "avx2,fma")]
    pub fn step_avx2<L: Linear, P: AttentionProbe>(
        model: &PackedModel<L>,
        state: &mut EncoderState,
        features: &[f64; FEATURE_COUNT],
        at_ns: Option<u64>,
        probe: &mut P,
    ) -> EnsembleForecast {
        forward::step::<Avx2, 2, L>(model, state, features, at_ns, probe)
    }

    #[target_feature(enable = "avx2,fma,avx512f,avx512vl,avx512dq,avx512bw")]
    pub fn step_avx512<L: Linear, P: AttentionProbe>(
        model: &PackedModel<L>,
        state: &mut EncoderState,
        features: &[f64; FEATURE_COUNT],
        at_ns: Option<u64>,
        probe: &mut P,
    ) -> EnsembleForecast {
        forward::step::<Avx512, 4, L>(model, state, features, at_ns, probe)
    }

    #[target_feature(enable = "avx2,fma")]
    pub fn know_avx2<L: Linear>(
        model: &PackedModel<L>,
        state: &mut EncoderState,
        update: &SlotUpdate,
    ) {
        forward::know::<Avx2, 2, L>(model, state, update);
    }

    #[target_feature(enable = "avx2,fma,avx512f,avx512vl,avx512dq,avx512bw")]
    pub fn know_avx512<L: Linear>(
        model: &PackedModel<L>,
        state: &mut EncoderState,
        update: &SlotUpdate,
    ) {
        forward::know::<Avx512, 4, L>(model, state, update);
    }
}
