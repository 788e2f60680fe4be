//! Which vector instructions the forward pass runs on, chosen when an encoder is built.
//!
//! Each level compiles the very same source again for wider registers. Nothing is contracted into
//! fused operations and the order of every sum is fixed, so all levels give the same bits: a run
//! on one machine replays bit for bit on another.
#![allow(unsafe_code)] // calls of functions compiled for instructions that were found

use crate::encoder::AttentionProbe;
use crate::forward;
use crate::kernels::Kernels;
use crate::pack::PackedModel;
use crate::state::EncoderState;
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
            let has_avx2 = is_x86_feature_detected!("avx2");
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

    /// [`forward::step`] on these instructions.
    #[inline]
    pub(crate) fn step<K: Kernels, P: AttentionProbe>(
        self,
        model: &PackedModel<K>,
        state: &mut EncoderState,
        features: &[f64; FEATURE_COUNT],
        probe: &mut P,
    ) -> EnsembleForecast {
        match self.0 {
            Kind::Portable => forward::step(model, state, features, probe),
            // SAFETY: a level exists only where its instructions were found.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => unsafe { x86::step_avx2(model, state, features, probe) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => unsafe { x86::step_avx512(model, state, features, probe) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::*;

    #[target_feature(enable = "avx2")]
    pub fn step_avx2<K: Kernels, P: AttentionProbe>(
        model: &PackedModel<K>,
        state: &mut EncoderState,
        features: &[f64; FEATURE_COUNT],
        probe: &mut P,
    ) -> EnsembleForecast {
        forward::step(model, state, features, probe)
    }

    #[target_feature(enable = "avx2,avx512f,avx512vl,avx512dq,avx512bw")]
    pub fn step_avx512<K: Kernels, P: AttentionProbe>(
        model: &PackedModel<K>,
        state: &mut EncoderState,
        features: &[f64; FEATURE_COUNT],
        probe: &mut P,
    ) -> EnsembleForecast {
        forward::step(model, state, features, probe)
    }
}
