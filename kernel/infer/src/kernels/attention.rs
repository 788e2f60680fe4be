//! Attention of one token over the ring of one head.
//!
//! Scores are in bits, so that the softmax is of powers of two: queries are scaled by
//! [`SCORE_SCALE`] and biases by log2(e) before they meet. Nothing is divided by the sum of a row
//! before the values are mixed: one division a head instead of one a slot.

use super::exp::exp2_not_above;
use super::vector::{Chunk, LANES, Vector};
use super::{HeadKeys, HeadValues};
use crate::shape::{D_MODEL, HEAD_DIM, WINDOW};

/// What turns query times key into a score in bits: log2(e) / sqrt(8).
pub const SCORE_SCALE: f32 = 0.510_069_7;

/// Vectors in a row of scores.
const CHUNKS: usize = WINDOW / LANES;

const _: () = assert!(HEAD_DIM == 8 && LANES == 16 && WINDOW.is_multiple_of(LANES));

/// A row of attention, one number a slot.
pub type Row = [Chunk; CHUNKS];

/// Scales the queries of all heads, (head, dim), in place and returns what the newest token's own
/// keys score, without their bias, eight times each: `own[8 * head]` belongs to a head.
#[inline(always)]
pub fn own_scores<V: Vector>(q: &mut [f32; D_MODEL], k: &[f32; D_MODEL]) -> [f32; D_MODEL] {
    let mut own = [0.0; D_MODEL];
    let (q, k) = (q.as_chunks_mut().0, k.as_chunks().0);
    for ((own, q), k) in own.as_chunks_mut().0.iter_mut().zip(q).zip(k) {
        let scaled = V::load(q).mul(V::splat(SCORE_SCALE));
        scaled.store(q);
        scaled.mul(V::load(k)).fold_eights(V::add, false).store(own);
    }
    own
}

/// `row[slot] = q · keys[slot] + bias[slot]`, but `own + bias[slot]` in the slot `newest`, whose
/// key is not in the ring yet: a load that meets a fresh, narrower store waits for it. Returns
/// the largest score of each lane.
#[inline(always)]
pub fn scores<V: Vector>(
    q: &[f32; HEAD_DIM],
    keys: &HeadKeys,
    bias: &[f32; WINDOW],
    (newest, own): (usize, f32),
    row: &mut Row,
) -> V {
    let bias_of_newest = bias[newest];
    let bias = bias.as_chunks().0;
    let mut sums = [V::splat(0.0); CHUNKS];
    for c in 0..CHUNKS {
        sums[c] = V::load(&bias[c]);
    }
    for d in 0..HEAD_DIM {
        let q = V::splat(q[d]);
        let keys = keys[d].as_chunks().0;
        for c in 0..CHUNKS {
            sums[c] = V::load(&keys[c]).mul_add(q, sums[c]);
        }
    }
    let mut largest = V::splat(f32::NEG_INFINITY);
    for c in 0..CHUNKS {
        let lane = (newest as u32).wrapping_sub((c * LANES) as u32);
        let sum = sums[c].with(lane, own + bias_of_newest);
        sum.store(&mut row[c]);
        largest = sum.max(largest);
    }
    largest
}

/// Gives the slots from `filled` on, which were never written, a score that weighs nothing. Returns
/// what [`scores`] would have.
#[inline(always)]
pub fn forget<V: Vector>(row: &mut Row, filled: usize) -> V {
    row.as_flattened_mut()[filled..].fill(f32::NEG_INFINITY);
    let mut largest = V::splat(f32::NEG_INFINITY);
    for chunk in row {
        largest = V::load(chunk).max(largest);
    }
    largest
}

/// `row = 2^(row - max)` and the sum over slots of `row[slot] values[slot]`, not divided by the sum
/// of the row yet, which is returned lane by lane.
#[inline(always)]
pub fn weigh<V: Vector>(
    row: &mut Row,
    max: V,
    values: &HeadValues,
    mixed: &mut [f32; HEAD_DIM],
) -> V {
    const PAIRS: usize = LANES / 2;
    let (values, _) = values.as_flattened().as_chunks::<LANES>(); // a pair of slots each
    let (values, _) = values.as_chunks::<PAIRS>();
    let mut total = V::splat(0.0);
    let mut sums = [V::splat(0.0); 4];
    for c in 0..CHUNKS {
        let p = exp2_not_above(V::load(&row[c]).sub(max));
        p.store(&mut row[c]);
        total = total.add(p);
        for pair in 0..PAIRS {
            let p = p.spread(&row[c], pair);
            sums[pair % 4] = V::load(&values[c][pair]).mul_add(p, sums[pair % 4]);
        }
    }
    let sum = sums[0].add(sums[1]).add(sums[2].add(sums[3]));
    let mut by_parity = [0.0; LANES];
    sum.store(&mut by_parity);
    for d in 0..HEAD_DIM {
        mixed[d] = by_parity[d] + by_parity[d + HEAD_DIM];
    }
    total
}
