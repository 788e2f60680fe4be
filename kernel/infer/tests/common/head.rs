//! Kernels put together as the forward pass does, on plain vectors.

use ijk_infer::kernels::{self, LANES, Plain16, Row, Vector};
use ijk_infer::shape::{D_MODEL, HEAD_DIM, WINDOW};

pub fn gelu<const N: usize>(x: &[f32; N]) -> [f32; N] {
    let mut y = *x;
    for chunk in y.as_chunks_mut().0 {
        kernels::gelu(Plain16::load(chunk)).store(chunk);
    }
    y
}

/// One head as the forward pass runs it, the key of `newest` not in the ring: the row, the mixed
/// values divided by its sum, and that sum.
pub fn attention(
    q: [f32; HEAD_DIM],
    mut keys: [[f32; WINDOW]; HEAD_DIM],
    values: &[[f32; HEAD_DIM]; WINDOW],
    bias: &[f32; WINDOW],
    filled: usize,
    newest: usize,
) -> (Row, [f32; HEAD_DIM], f32) {
    let (mut qs, mut ks) = ([0.0; D_MODEL], [0.0; D_MODEL]);
    qs[..HEAD_DIM].copy_from_slice(&q);
    for d in 0..HEAD_DIM {
        ks[d] = keys[d][newest];
        keys[d][newest] = 1e6; // stale
    }
    let own = kernels::own_scores::<Plain16>(&mut qs, &ks)[0];
    let bias = bias.map(|b| b * std::f32::consts::LOG2_E);
    let mut row = [[0.0; LANES]; WINDOW / LANES];
    let q: [f32; HEAD_DIM] = *qs.first_chunk().unwrap();
    kernels::scores::<Plain16>(&q, &keys, &bias, (newest, own), &mut row);
    let max = kernels::forget::<Plain16>(&mut row, filled).fold(Plain16::max);
    let mut mixed = [0.0; HEAD_DIM];
    let total = kernels::weigh(&mut row, max, values, &mut mixed).fold(Plain16::add).first();
    (row, mixed.map(|m| m / total), total)
}
