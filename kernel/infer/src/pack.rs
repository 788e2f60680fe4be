//! The model as the kernels want it, packed once from the fp16 weights.

use crate::cross::{PackedCross, PackedSlot, SlotLimits, fits, padded};
use crate::kernels::{Bf16Linear, F32Linear, Int8Linear, Linear, Norm, Plain, Vnni};
use crate::shape::{D_MODEL, HEADS, LAYERS, LOG_VAR_MAX, OUTPUTS_PER_HORIZON, WINDOW};
use crate::simd::Level;
use crate::state::Band;
use crate::weights::{MemberTensors, Weights, WeightsSpec, slot_tensor_specs, tensor_specs};
use ijk_core::features::FEATURE_COUNT;
use ijk_core::forecast::{HORIZON_COUNT, HorizonForecast};
use ijk_core::{SlotShape, SlotUpdate};

/// How the weights of linear layers are held. But for [`Packing::Int8`] the numbers are those of
/// the file, and so are the forecasts, bit for bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Four bytes a weight, any number.
    F32,
    /// Two bytes a weight, for models that were rounded to bf16 when they were made.
    Bf16,
    /// One byte a weight and an activation: other forecasts than those of the file, near them.
    /// Never chosen unasked.
    Int8,
}

impl Packing {
    /// All of them, the widest first.
    pub const ALL: [Packing; 3] = [Packing::F32, Packing::Bf16, Packing::Int8];

    /// Returns the one of fewest bytes that holds these weights exactly.
    pub fn narrowest(weights: &Weights) -> Packing {
        let members = weights.members();
        let holds = |member: usize, local: &str, shape: &[usize]| {
            // Only the weights of linear layers are packed.
            shape.len() != 2
                || !local.ends_with(".weight")
                || members[member].widened(local).into_iter().all(Bf16Linear::holds)
        };
        let slots = slot_tensor_specs(members.len(), &weights.spec.slots);
        let bf16 = tensor_specs(members.len()).iter().all(|t| holds(t.member, &t.local, t.shape))
            && slots.iter().all(|t| holds(t.member, &t.local, &t.shape));
        if bf16 { Packing::Bf16 } else { Packing::F32 }
    }

    /// Returns the name used in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Packing::F32 => "f32",
            Packing::Bf16 => "bf16",
            Packing::Int8 => "int8",
        }
    }
}

/// A model packed one way or the other.
#[derive(Clone, Debug)]
pub(crate) enum Model {
    F32(PackedModel<F32Linear>),
    Bf16(PackedModel<Bf16Linear>),
    Int8(PackedModel<Int8Linear<Plain>>),
    Int8Vnni(PackedModel<Int8Linear<Vnni>>),
}

/// The same expression for every kind of model.
macro_rules! any_model {
    ($model:expr, $m:ident => $call:expr) => {
        match $model {
            $crate::pack::Model::F32($m) => $call,
            $crate::pack::Model::Bf16($m) => $call,
            $crate::pack::Model::Int8($m) => $call,
            $crate::pack::Model::Int8Vnni($m) => $call,
        }
    };
}
pub(crate) use any_model;

impl Model {
    pub fn new(weights: &Weights, packing: Packing, level: Level) -> Model {
        match packing {
            Packing::Int8 if level.has_vnni() => {
                Model::Int8Vnni(PackedModel::new(weights, level.side()))
            }
            Packing::Int8 => Model::Int8(PackedModel::new(weights, level.side())),
            Packing::F32 => Model::F32(PackedModel::new(weights, level.side())),
            Packing::Bf16 => Model::Bf16(PackedModel::new(weights, level.side())),
        }
    }

    pub fn packing(&self) -> Packing {
        match self {
            Model::F32(_) => Packing::F32,
            Model::Bf16(_) => Packing::Bf16,
            Model::Int8(_) | Model::Int8Vnni(_) => Packing::Int8,
        }
    }

    /// Returns whether the update is one of this model's slots.
    pub fn fits(&self, update: &SlotUpdate) -> bool {
        any_model!(self, model => fits(&model.slots, update))
    }

    pub fn member_count(&self) -> usize {
        any_model!(self, model => model.members.len())
    }
}

/// All members and the scales around them.
#[derive(Clone, Debug)]
pub(crate) struct PackedModel<L: Linear> {
    pub scaler: Scaler,
    pub target: Target,
    /// (slot,)
    pub slots: Vec<SlotLimits>,
    pub members: Vec<PackedMember<L>>,
}

/// One member.
#[derive(Clone, Debug)]
pub(crate) struct PackedMember<L: Linear> {
    /// 12 -> 64
    pub input: L,
    pub blocks: Vec<PackedBlock<L>>,
    /// Behind the last block, where the model has slots.
    pub cross: Option<PackedCross<L>>,
    pub norm_f: Norm,
    /// 64 -> 20
    pub head: L,
}

/// One pre-norm block.
#[derive(Clone, Debug)]
pub(crate) struct PackedBlock<L: Linear> {
    pub norm1: Norm,
    /// 64 -> 192: q, k, v, each (head, dim)
    pub qkv: L,
    pub age_bias: [AgeBias; HEADS],
    /// 64 -> 64
    pub out: L,
    pub norm2: Norm,
    /// 64 -> 256
    pub ff1: L,
    /// 256 -> 64
    pub ff2: L,
}

/// The bias by age of one head in bits, laid out so that every rotation of the ring is a plain
/// slice.
#[derive(Clone, Debug)]
pub(crate) struct AgeBias {
    /// Entry `j` belongs to age `(63 - j) mod 64`.
    reversed_twice: [f32; 2 * WINDOW],
}

impl AgeBias {
    fn new(by_age: &[f32]) -> AgeBias {
        let age = |j: usize| (2 * WINDOW - 1 - j) % WINDOW;
        let bits = |bias: f32| bias * std::f32::consts::LOG2_E;
        AgeBias { reversed_twice: std::array::from_fn(|j| bits(by_age[age(j)])) }
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
    pub fn of(spec: &WeightsSpec) -> Scaler {
        Scaler { mean: spec.scaler_mean, scale: spec.scaler_scale, clip: spec.scaler_clip }
    }

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
    pub fn of(spec: &WeightsSpec) -> Target {
        Target {
            scale_bps: spec.target_scale_bps.map(|s| s as f32),
            log_scale_squared: spec.target_scale_bps.map(|s| (2.0 * s.ln()) as f32),
        }
    }

    #[inline(always)]
    pub fn forecast(&self, head: &[f32]) -> [HorizonForecast; HORIZON_COUNT] {
        let mut forecast = [HorizonForecast::default(); HORIZON_COUNT];
        for (h, forecast) in forecast.iter_mut().enumerate() {
            let row = &head[OUTPUTS_PER_HORIZON * h..][..OUTPUTS_PER_HORIZON];
            let log_var = row[4].clamp(-LOG_VAR_MAX as f32, LOG_VAR_MAX as f32);
            *forecast = HorizonForecast {
                logits: [row[0], row[1], row[2]],
                mean_bps: row[3] * self.scale_bps[h],
                log_var: log_var + self.log_scale_squared[h],
            };
        }
        forecast
    }
}

impl<L: Linear> PackedModel<L> {
    pub fn new(weights: &Weights, side: usize) -> PackedModel<L> {
        PackedModel {
            scaler: Scaler::of(&weights.spec),
            target: Target::of(&weights.spec),
            slots: weights.spec.slots.iter().map(limits).collect(),
            members: weights
                .members()
                .iter()
                .map(|member| PackedMember::new(member, &weights.spec.slots, side))
                .collect(),
        }
    }
}

impl<L: Linear> PackedMember<L> {
    fn new(tensors: &MemberTensors, slots: &[SlotShape], side: usize) -> PackedMember<L> {
        PackedMember {
            input: linear::<L>(tensors, "input", side),
            blocks: (0..LAYERS).map(|l| PackedBlock::new(tensors, l, side)).collect(),
            cross: (!slots.is_empty()).then(|| cross::<L>(tensors, slots, side)),
            norm_f: norm(tensors, "norm_f"),
            head: linear::<L>(tensors, "head", side),
        }
    }
}

impl<L: Linear> PackedBlock<L> {
    fn new(tensors: &MemberTensors, layer: usize, side: usize) -> PackedBlock<L> {
        let age_bias = tensors.widened(&format!("l{layer}.attn.age_bias")); // (head, age)
        PackedBlock {
            norm1: norm(tensors, &format!("l{layer}.norm1")),
            qkv: linear::<L>(tensors, &format!("l{layer}.attn.qkv"), side),
            age_bias: std::array::from_fn(|h| AgeBias::new(&age_bias[WINDOW * h..][..WINDOW])),
            out: linear::<L>(tensors, &format!("l{layer}.attn.out"), side),
            norm2: norm(tensors, &format!("l{layer}.norm2")),
            ff1: linear::<L>(tensors, &format!("l{layer}.ff1"), side),
            ff2: linear::<L>(tensors, &format!("l{layer}.ff2"), side),
        }
    }
}

fn linear<L: Linear>(tensors: &MemberTensors, name: &str, side: usize) -> L {
    let weight = tensors.widened(&format!("{name}.weight"));
    let bias = tensors.widened(&format!("{name}.bias"));
    L::pack(&weight, &bias, side)
}

fn limits(slot: &SlotShape) -> SlotLimits {
    SlotLimits { width: slot.width, stale_after_ns: slot.stale_after_ns() }
}

fn cross<L: Linear>(tensors: &MemberTensors, slots: &[SlotShape], side: usize) -> PackedCross<L> {
    let per_head = |name: String| -> [f32; HEADS] {
        let values = tensors.widened(&name);
        values.try_into().expect("Invariant: checked weights have the schema's shapes")
    };
    let slot = |(i, slot): (usize, &SlotShape)| PackedSlot {
        key: slot_linear::<L>(tensors, &format!("cross.s{i}.key"), slot.width, side),
        value: slot_linear::<L>(tensors, &format!("cross.s{i}.value"), slot.width, side),
        fading: per_head(format!("cross.s{i}.fading")),
        bias: per_head(format!("cross.s{i}.bias")),
    };
    PackedCross {
        norm: norm(tensors, "cross.norm"),
        query: linear::<L>(tensors, "cross.query", side),
        slots: slots.iter().enumerate().map(slot).collect(),
        out: linear::<L>(tensors, "cross.out", side),
    }
}

/// A layer of `width` inputs, with a zero weight behind each row where that is odd.
fn slot_linear<L: Linear>(tensors: &MemberTensors, name: &str, width: usize, side: usize) -> L {
    let weight = tensors.widened(&format!("{name}.weight"));
    let bias = tensors.widened(&format!("{name}.bias"));
    let zeros = vec![0.0; padded(width) - width];
    let rows: Vec<f32> =
        weight.chunks_exact(width).flat_map(|row| [row, &zeros].concat()).collect();
    L::pack(&rows, &bias, side)
}

fn norm(tensors: &MemberTensors, name: &str) -> Norm {
    let vector = |part| -> [f32; D_MODEL] {
        let values = tensors.widened(&format!("{name}.{part}"));
        values.try_into().expect("Invariant: checked weights have the schema's shapes")
    };
    Norm { weight: vector("weight"), bias: vector("bias") }
}
