//! The model as the kernels want it, packed once from the fp16 weights.

use crate::kernels::{Kernels, Norm};
use crate::shape::{D_MODEL, HEADS, LAYERS, LOG_VAR_MAX, OUTPUTS_PER_HORIZON, WINDOW};
use crate::state::Band;
use crate::weights::{MemberTensors, Weights, WeightsSpec};
use ijk_core::features::FEATURE_COUNT;
use ijk_core::forecast::{HORIZON_COUNT, HorizonForecast};

/// All members and the scales around them.
#[derive(Clone, Debug)]
pub(crate) struct PackedModel<K: Kernels> {
    pub scaler: Scaler,
    pub target: Target,
    pub members: Vec<PackedMember<K>>,
}

/// One member.
#[derive(Clone, Debug)]
pub(crate) struct PackedMember<K: Kernels> {
    /// 12 -> 64
    pub input: K::Linear,
    pub blocks: Vec<PackedBlock<K>>,
    pub norm_f: Norm,
    /// 64 -> 20
    pub head: K::Linear,
}

/// One pre-norm block.
#[derive(Clone, Debug)]
pub(crate) struct PackedBlock<K: Kernels> {
    pub norm1: Norm,
    /// 64 -> 192: q, k, v, each (head, dim)
    pub qkv: K::Linear,
    pub age_bias: [AgeBias; HEADS],
    /// 64 -> 64
    pub out: K::Linear,
    pub norm2: Norm,
    /// 64 -> 256
    pub ff1: K::Linear,
    /// 256 -> 64
    pub ff2: K::Linear,
}

/// The bias by age of one head, laid out so that every rotation of the ring is a plain slice.
#[derive(Clone, Debug)]
pub(crate) struct AgeBias {
    /// Entry `j` belongs to age `(63 - j) mod 64`.
    reversed_twice: [f32; 2 * WINDOW],
}

impl AgeBias {
    fn new(by_age: &[f32]) -> AgeBias {
        let age = |j: usize| (2 * WINDOW - 1 - j) % WINDOW;
        AgeBias { reversed_twice: std::array::from_fn(|j| by_age[age(j)]) }
    }

    /// Returns the biases by slot while the newest token lies in `band.slot`.
    #[inline(always)]
    pub fn by_slot(&self, band: Band) -> &[f32; WINDOW] {
        let start = WINDOW - 1 - band.slot;
        let (slice, _) = self.reversed_twice[start..].split_first_chunk().expect("Invariant: 64");
        slice
    }
}

/// Brings features to the units the model was trained in.
#[derive(Clone, Debug)]
pub(crate) struct Scaler {
    mean: [f64; FEATURE_COUNT],
    scale: [f64; FEATURE_COUNT],
    clip: f64,
}

impl Scaler {
    /// Returns `clip((x - mean) / scale, ±clip)`, or `None` where a feature or its scaled value is
    /// not finite: clipping would make an ordinary number of it.
    #[inline(always)]
    pub fn scaled(&self, features: &[f64; FEATURE_COUNT]) -> Option<[f32; FEATURE_COUNT]> {
        let mut scaled = [0.0; FEATURE_COUNT];
        for i in 0..FEATURE_COUNT {
            let z = (features[i] - self.mean[i]) / self.scale[i];
            if !z.is_finite() {
                return None;
            }
            scaled[i] = z.clamp(-self.clip, self.clip) as f32;
        }
        Some(scaled)
    }
}

/// Gives the rows of the head their units.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    scale_bps: [f32; HORIZON_COUNT],
    /// 2 ln(scale), what a change of unit adds to a log-variance. The one value that takes a
    /// logarithm of the system's library: in f64, then rounded, so its last bits do not show.
    log_scale_squared: [f32; HORIZON_COUNT],
}

impl Target {
    #[inline(always)]
    pub fn forecast(&self, head: &[f32]) -> [HorizonForecast; HORIZON_COUNT] {
        std::array::from_fn(|h| {
            let row = &head[OUTPUTS_PER_HORIZON * h..][..OUTPUTS_PER_HORIZON];
            let log_var = row[4].clamp(-LOG_VAR_MAX as f32, LOG_VAR_MAX as f32);
            HorizonForecast {
                logits: [row[0], row[1], row[2]],
                mean_bps: row[3] * self.scale_bps[h],
                log_var: log_var + self.log_scale_squared[h],
            }
        })
    }
}

impl<K: Kernels> PackedModel<K> {
    pub fn new(weights: &Weights) -> PackedModel<K> {
        let WeightsSpec { scaler_mean, scaler_scale, scaler_clip, target_scale_bps, .. } =
            &weights.spec;
        PackedModel {
            scaler: Scaler { mean: *scaler_mean, scale: *scaler_scale, clip: *scaler_clip },
            target: Target {
                scale_bps: target_scale_bps.map(|s| s as f32),
                log_scale_squared: target_scale_bps.map(|s| (2.0 * s.ln()) as f32),
            },
            members: weights.members().iter().map(PackedMember::new).collect(),
        }
    }
}

impl<K: Kernels> PackedMember<K> {
    fn new(tensors: &MemberTensors) -> PackedMember<K> {
        PackedMember {
            input: linear::<K>(tensors, "input"),
            blocks: (0..LAYERS).map(|l| PackedBlock::new(tensors, l)).collect(),
            norm_f: norm(tensors, "norm_f"),
            head: linear::<K>(tensors, "head"),
        }
    }
}

impl<K: Kernels> PackedBlock<K> {
    fn new(tensors: &MemberTensors, layer: usize) -> PackedBlock<K> {
        let age_bias = tensors.widened(&format!("l{layer}.attn.age_bias")); // (head, age)
        PackedBlock {
            norm1: norm(tensors, &format!("l{layer}.norm1")),
            qkv: linear::<K>(tensors, &format!("l{layer}.attn.qkv")),
            age_bias: std::array::from_fn(|h| AgeBias::new(&age_bias[WINDOW * h..][..WINDOW])),
            out: linear::<K>(tensors, &format!("l{layer}.attn.out")),
            norm2: norm(tensors, &format!("l{layer}.norm2")),
            ff1: linear::<K>(tensors, &format!("l{layer}.ff1")),
            ff2: linear::<K>(tensors, &format!("l{layer}.ff2")),
        }
    }
}

fn linear<K: Kernels>(tensors: &MemberTensors, name: &str) -> K::Linear {
    let weight = tensors.widened(&format!("{name}.weight"));
    let bias = tensors.widened(&format!("{name}.bias"));
    K::pack(&weight, &bias)
}

fn norm(tensors: &MemberTensors, name: &str) -> Norm {
    let vector = |part| -> [f32; D_MODEL] {
        let values = tensors.widened(&format!("{name}.{part}"));
        values.try_into().expect("Invariant: checked weights have the schema's shapes")
    };
    Norm { weight: vector("weight"), bias: vector("bias") }
}
