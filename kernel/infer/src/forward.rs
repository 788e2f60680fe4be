//! The forward pass of one token, top to bottom.

use crate::cross::{self, Known, SlotEntry};
use crate::encoder::{AttentionProbe, AttentionRow};
use crate::kernels::{self, Linear, OUTPUT_BLOCK};
use crate::pack::{PackedMember, PackedModel};
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
pub(crate) fn step<L: Linear>(
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
        let outputs = forward(member, rings, band, &scaled, slots, m, probe);
        forecast.members[m] = model.target.forecast(&outputs[..OUTPUTS]);
    }
    forecast.member_count = model.members.len() as u32;
    state.advance();
    forecast
}

/// One token through one member: stores its keys and values and returns the rows of the head.
#[inline(always)]
fn forward<L: Linear>(
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
    let mut rows = [[0.0; WINDOW]; HEADS]; //       (8, 64)      attention by head and slot
    let mut mixed = [[0.0; HEAD_DIM]; HEADS]; //    (8, 8)       mixed values by head
    let mut wide = [0.0; FF]; //                    (256,)       hidden feed-forward layer
    let mut outputs = [0.0; OUTPUTS_PADDED]; //     (20 of 64,)  rows of the head

    member.input.apply(features, &mut x);
    for (layer, (block, ring)) in member.blocks.iter().zip(rings).enumerate() {
        // x += out(attention(norm1(x)))
        kernels::layer_norm(&x, &block.norm1, &mut h);
        block.qkv.apply(&h, qkv.as_flattened_mut().as_flattened_mut());
        let [q, k, v] = &qkv;
        ring.store(band.slot, k, v);
        for head in 0..HEADS {
            let bias = block.age_bias[head].by_slot(band);
            kernels::scores(&q[head], &ring.keys[head], bias, &mut rows[head]);
        }
        kernels::softmax(&mut rows, band.filled);
        for (head, row) in rows.iter().enumerate() {
            probe.attention(&AttentionRow { member: member_index, layer, head, band, row });
            kernels::mix(row, &ring.values[head], &mut mixed[head]);
        }
        block.out.apply(mixed.as_flattened(), &mut h);
        add(&mut x, &h);

        // x += ff2(gelu(ff1(norm2(x))))
        kernels::layer_norm(&x, &block.norm2, &mut h);
        block.ff1.apply(&h, &mut wide);
        kernels::gelu(&mut wide);
        block.ff2.apply(&wide, &mut h);
        add(&mut x, &h);
    }
    // x += out(attention(norm(x)) to the slots), where any is known
    if known.count > 0
        && let Some(cross) = &member.cross
    {
        cross::attend(cross, entries, known, &mut x);
    }
    kernels::layer_norm(&x, &member.norm_f, &mut h);
    member.head.apply(&h, &mut outputs);
    outputs
}

/// Takes one vector of another modality, which must fit the model.
#[inline(always)]
pub(crate) fn know<L: Linear>(
    model: &PackedModel<L>,
    state: &mut EncoderState,
    update: &SlotUpdate,
) {
    let (_, memory) = state.parts();
    cross::know(model.members.iter().map(|m| m.cross.as_ref()), memory, update);
}

#[inline(always)]
fn add(x: &mut [f32; D_MODEL], h: &[f32; D_MODEL]) {
    for (x, h) in x.iter_mut().zip(h) {
        *x += h;
    }
}
