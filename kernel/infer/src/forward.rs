//! The forward pass of one token, top to bottom.

use crate::cross::{self, Known, SlotEntry};
use crate::encoder::{AttentionProbe, AttentionRow};
use crate::kernels::{self, Gelu, Keep, Linear, OUTPUT_BLOCK, Plus, Row, Vector};
use crate::pack::{AgeBias, PackedMember, PackedModel};
use crate::shape::{D_MODEL, FF, HEAD_DIM, HEADS, OUTPUTS, WINDOW};
use crate::state::{Band, EncoderState, LayerRing};
use ijk_core::SlotUpdate;
use ijk_core::features::FEATURE_COUNT;
use ijk_core::forecast::EnsembleForecast;

/// Rows of the head, padded to what a kernel writes.
const OUTPUTS_PADDED: usize = OUTPUTS.next_multiple_of(OUTPUT_BLOCK);

/// Takes one token through every member. Features that are not finite give no forecast and leave
/// the state as it was: one bad token must not stay in the rings for 64 more. Slots are read as of
/// `at_ns`; without it none is.
#[inline(always)]
pub(crate) fn step<V: Vector, const SIDE: usize, L: Linear>(
    model: &PackedModel<L>,
    state: &mut EncoderState,
    features: &[f64; FEATURE_COUNT],
    at_ns: Option<u64>,
    probe: &mut impl AttentionProbe,
) -> EnsembleForecast {
    let mut forecast = EnsembleForecast::default();
    let Some(scaled) = model.scaler.scaled(features) else { return forecast };
    let band = Band::at(state.token_count());
    let (rings, memory) = state.parts();
    let known = memory.known(&model.slots, at_ns);
    let same = rings.len() == model.members.len();
    assert!(same, "Condition failed: the state was made for an encoder of this many members");
    for (m, (member, rings)) in model.members.iter().zip(rings).enumerate() {
        let slots = (memory.of_member(m), &known);
        let outputs = forward::<V, SIDE, L>(member, rings, band, &scaled, slots, m, probe);
        forecast.members[m] = model.target.forecast(&outputs[..OUTPUTS]);
    }
    forecast.member_count = model.members.len() as u32;
    state.advance();
    forecast
}

/// One token through one member: stores its keys and values and returns the rows of the head.
#[inline(always)]
fn forward<V: Vector, const SIDE: usize, L: Linear>(
    member: &PackedMember<L>,
    rings: &mut [LayerRing], // (layer,)
    band: Band,
    features: &[f32; FEATURE_COUNT],
    (entries, known): (&[SlotEntry], &Known), // (slot,)
    member_index: usize,
    probe: &mut impl AttentionProbe,
) -> [f32; OUTPUTS_PADDED] {
    let mut x = [0.0; D_MODEL]; //                  (64,)        residual stream
    let mut h = [0.0; D_MODEL]; //                  (64,)        a norm's or sublayer's output
    let mut qkv = [[[0.0; HEAD_DIM]; HEADS]; 3]; // (3, 8, 8)    query, key, value by head
    let mut rows = [Row::default(); HEADS]; //       (8, 64)      attention by head and slot
    let mut mixed = [[0.0; HEAD_DIM]; HEADS]; //    (8, 8)       mixed values by head
    let mut wide = [0.0; FF]; //                    (256,)       hidden feed-forward layer
    let mut outputs = [0.0; OUTPUTS_PADDED]; //     (20 of 64,)  rows of the head

    member.input.apply::<V, SIDE>(features, &mut x, Keep);
    for (layer, (block, ring)) in member.blocks.iter().zip(rings).enumerate() {
        // x += out(attention(norm1(x)))
        kernels::layer_norm::<V>(&x, &block.norm1, &mut h);
        block.qkv.apply::<V, SIDE>(&h, qkv.as_flattened_mut().as_flattened_mut(), Keep);
        let totals = attend::<V>(&block.age_bias, ring, band, &mut qkv, &mut rows, &mut mixed);
        for (head, (row, total)) in rows.iter().zip(totals).enumerate() {
            let member = member_index;
            probe.attention(&AttentionRow { member, layer, head, band, row, total });
        }
        block.out.apply::<V, SIDE>(mixed.as_flattened(), &mut h, Plus(&x));
        x = h;

        // x += ff2(gelu(ff1(norm2(x))))
        kernels::layer_norm::<V>(&x, &block.norm2, &mut h);
        block.ff1.apply::<V, SIDE>(&h, &mut wide, Gelu);
        block.ff2.apply::<V, SIDE>(&wide, &mut h, Plus(&x));
        x = h;
    }
    // x += out(attention(norm(x)) to the slots), where any is known
    if known.count > 0
        && let Some(cross) = &member.cross
    {
        cross::attend::<V, SIDE, L>(cross, entries, known, &mut x);
    }
    kernels::layer_norm::<V>(&x, &member.norm_f, &mut h);
    member.head.apply::<V, SIDE>(&h, &mut outputs, Keep);
    outputs
}

/// Attention of all heads over the ring, in which the newest key and value are stored. Leaves each
/// row as powers of two and returns what it must be divided by for a softmax.
#[inline(always)]
fn attend<V: Vector>(
    age_bias: &[AgeBias; HEADS],
    ring: &mut LayerRing,
    band: Band,
    [q, k, v]: &mut [[[f32; HEAD_DIM]; HEADS]; 3],
    rows: &mut [Row; HEADS],
    mixed: &mut [[f32; HEAD_DIM]; HEADS],
) -> [f32; HEADS] {
    ring.store_values(band.slot, v);
    let own = kernels::own_scores::<V>(flat_mut(q), flat_mut(k));
    // Step by step over all heads: the chains of one head's maximum and sum are long, and eight of
    // them side by side fill the machine.
    let mut maxima = [V::splat(0.0); HEADS];
    for head in 0..HEADS {
        let own = (band.slot, own[HEAD_DIM * head]);
        let bias = age_bias[head].by_slot(band);
        maxima[head] = kernels::scores(&q[head], &ring.keys[head], bias, own, &mut rows[head]);
    }
    ring.store_keys(band.slot, k);
    if band.filled < WINDOW {
        for (row, max) in rows.iter_mut().zip(&mut maxima) {
            *max = kernels::forget::<V>(row, band.filled);
        }
    }
    for max in &mut maxima {
        *max = max.fold(V::max);
    }
    let mut sums = maxima;
    for head in 0..HEADS {
        let values = &ring.values[head];
        sums[head] = kernels::weigh(&mut rows[head], maxima[head], values, &mut mixed[head]);
    }
    let mut totals = [0.0; HEADS];
    for head in 0..HEADS {
        totals[head] = sums[head].fold(V::add).first();
        let scale = 1.0 / totals[head];
        for m in &mut mixed[head] {
            *m *= scale;
        }
    }
    totals
}

#[inline(always)]
fn flat_mut(x: &mut [[f32; HEAD_DIM]; HEADS]) -> &mut [f32; D_MODEL] {
    x.as_flattened_mut().first_chunk_mut().expect("Invariant: eight heads of eight")
}

/// Takes one vector of another modality, which must fit the model.
#[inline(always)]
pub(crate) fn know<V: Vector, const SIDE: usize, L: Linear>(
    model: &PackedModel<L>,
    state: &mut EncoderState,
    update: &SlotUpdate,
) {
    let (_, memory) = state.parts();
    cross::know::<V, SIDE, L>(model.members.iter().map(|m| m.cross.as_ref()), memory, update);
}
