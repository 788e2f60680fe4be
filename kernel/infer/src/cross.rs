//! Cross-modal attention: behind the last block a token asks what the other modalities knew.
//!
//! It reads the residual stream of the token alone, so the band of the encoder stays as it is. The
//! key and the value of a slot depend on its vector only: they are computed when the vector
//! arrives, not at every token. A token at which no slot is known skips all of it, and its
//! forecast is that of the same model without slots, to the bit.

use crate::kernels::exp::exp2_not_above;
use crate::kernels::log::ln_1p;
use crate::kernels::{Keep, Linear, Norm, Plus, Vector, layer_norm};
use crate::shape::{D_MODEL, HEAD_DIM, HEADS};
use ijk_core::SlotUpdate;
use ijk_core::limits::{SLOT_COUNT_MAX, SLOT_WIDTH_MAX};
use ijk_core::slot::SLOT_VALUE_MAX;

/// One member's cross-modal attention.
#[derive(Clone, Debug)]
pub(crate) struct PackedCross<L: Linear> {
    pub norm: Norm,
    /// 64 -> 64
    pub query: L,
    pub slots: Vec<PackedSlot<L>>,
    /// 64 -> 64
    pub out: L,
}

/// One slot of one member.
#[derive(Clone, Debug)]
pub(crate) struct PackedSlot<L: Linear> {
    /// Width rounded up to even -> 64
    pub key: L,
    /// Width rounded up to even -> 64
    pub value: L,
    /// By how much a head's score falls with `ln(1 + age in seconds)`.
    pub fading: [f32; HEADS],
    /// A head's score of the slot as such.
    pub bias: [f32; HEADS],
}

/// Key and value of one slot's newest vector, for one member.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub(crate) struct SlotEntry {
    key: [f32; D_MODEL],
    value: [f32; D_MODEL],
}

impl SlotEntry {
    const EMPTY: SlotEntry = SlotEntry { key: [0.0; D_MODEL], value: [0.0; D_MODEL] };
}

/// What one instrument knows of its slots. All memory is taken at construction.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SlotMemory {
    /// From when each slot's newest vector was known; none before the first.
    known_from_ns: [Option<u64>; SLOT_COUNT_MAX],
    /// Slots of the model.
    count: usize,
    /// (member, slot)
    entries: Vec<SlotEntry>,
}

impl SlotMemory {
    pub fn new(members: usize, slots: usize) -> SlotMemory {
        let entries = vec![SlotEntry::EMPTY; members * slots];
        SlotMemory { known_from_ns: [None; SLOT_COUNT_MAX], count: slots, entries }
    }

    pub fn reset(&mut self) {
        self.known_from_ns = [None; SLOT_COUNT_MAX];
        self.entries.fill(SlotEntry::EMPTY);
    }

    /// Returns the slots that are known and fresh at `at_ns`.
    #[inline(always)]
    pub fn known(&self, shapes: &[SlotLimits], at_ns: Option<u64>) -> Known {
        let mut known =
            Known { count: 0, slot: [0; SLOT_COUNT_MAX], log_age: [0.0; SLOT_COUNT_MAX] };
        let Some(at_ns) = at_ns else { return known };
        for (slot, (limits, since)) in shapes.iter().zip(&self.known_from_ns).enumerate() {
            let age_ns = since.and_then(|since| at_ns.checked_sub(since));
            if let Some(age_ns) = age_ns.filter(|age_ns| *age_ns <= limits.stale_after_ns) {
                known.slot[known.count] = slot;
                known.log_age[known.count] = log_age(age_ns);
                known.count += 1;
            }
        }
        known
    }

    /// Returns the entries of one member, (slot,).
    #[inline(always)]
    pub fn of_member(&self, member: usize) -> &[SlotEntry] {
        &self.entries[member * self.count..][..self.count]
    }
}

/// What the model says of one slot beside its tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotLimits {
    pub width: usize,
    pub stale_after_ns: u64,
}

/// The slots that take part at one token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// How many; the rest of both arrays means nothing.
    pub count: usize,
    slot: [usize; SLOT_COUNT_MAX],
    log_age: [f32; SLOT_COUNT_MAX],
}

/// Returns `ln(1 + age in seconds)`, what a score falls with: the same bits in training and
/// streaming, on every machine.
pub fn log_age(age_ns: u64) -> f32 {
    ln_1p(age_ns as f64 / 1e9) as f32
}

/// Returns whether a model with these slots can take the update.
pub(crate) fn fits(limits: &[SlotLimits], update: &SlotUpdate) -> bool {
    let good = |v: &f32| v.abs() <= SLOT_VALUE_MAX;
    let shape = limits.get(usize::from(update.slot));
    shape.is_some_and(|s| s.width == update.values.len()) && update.values.iter().all(good)
}

/// Computes keys and values of a vector that became known. One that was known earlier than what
/// the slot holds already changes nothing. The update must fit.
#[inline(always)]
pub(crate) fn know<'a, V: Vector, const SIDE: usize, L: Linear + 'a>(
    members: impl Iterator<Item = Option<&'a PackedCross<L>>>,
    memory: &mut SlotMemory,
    update: &SlotUpdate,
) {
    let slot = usize::from(update.slot);
    let known_from_ns = update.known_from.0;
    if memory.known_from_ns[slot].is_some_and(|held| held > known_from_ns) {
        return;
    }
    memory.known_from_ns[slot] = Some(known_from_ns);
    let mut vector = [0.0; SLOT_WIDTH_MAX];
    vector[..update.values.len()].copy_from_slice(&update.values);
    let vector = &vector[..padded(update.values.len())];
    let entries = memory.entries.chunks_exact_mut(memory.count);
    for (cross, entries) in members.flatten().zip(entries) {
        cross.slots[slot].key.apply::<V, SIDE>(vector, &mut entries[slot].key, Keep);
        cross.slots[slot].value.apply::<V, SIDE>(vector, &mut entries[slot].value, Keep);
    }
}

/// Inputs of a slot's layers: the packings take an even number.
pub(crate) const fn padded(width: usize) -> usize {
    width.next_multiple_of(2)
}

/// `x += out(attention(norm(x)))` over the known slots; at least one.
#[inline(always)]
pub(crate) fn attend<V: Vector, const SIDE: usize, L: Linear>(
    cross: &PackedCross<L>,
    entries: &[SlotEntry], // (slot,)
    known: &Known,
    x: &mut [f32; D_MODEL],
) {
    const INV_SQRT_HEAD_DIM: f32 = 0.353_553_38;
    let mut h = [0.0; D_MODEL];
    let mut q = [0.0; D_MODEL];
    let mut mixed = [0.0; D_MODEL];
    layer_norm::<V>(x, &cross.norm, &mut h);
    cross.query.apply::<V, SIDE>(&h, &mut q, Keep);
    for head in 0..HEADS {
        let at = head * HEAD_DIM;
        let mut row = [f32::NEG_INFINITY; SLOT_COUNT_MAX];
        let mut max = f32::NEG_INFINITY;
        for n in 0..known.count {
            let (slot, key) = (&cross.slots[known.slot[n]], &entries[known.slot[n]].key);
            let mut score = slot.bias[head] - slot.fading[head] * known.log_age[n];
            for d in at..at + HEAD_DIM {
                score = key[d].mul_add(q[d] * INV_SQRT_HEAD_DIM, score);
            }
            row[n] = score;
            max = if score > max { score } else { max };
        }
        let mut total = 0.0;
        for score in &mut row[..known.count] {
            *score = exp2_not_above(V::splat((*score - max) * std::f32::consts::LOG2_E)).first();
            total += *score;
        }
        let scale = 1.0 / total;
        for n in 0..known.count {
            let value = &entries[known.slot[n]].value;
            for d in at..at + HEAD_DIM {
                mixed[d] = value[d].mul_add(row[n] * scale, mixed[d]);
            }
        }
    }
    cross.out.apply::<V, SIDE>(&mixed, &mut h, Plus(x));
    *x = h;
}
