//! Layer norm of rows.

use super::lanes::{sum_of, widest};

/// What the backward pass needs of the forward pass.
#[derive(Debug)]
pub struct Normalised {
    /// `(x - mean) / sd`, row by row.
    rows: Vec<f32>,
    /// `1 / sd` of each row.
    inverse_sd: Vec<f32>,
}

/// Returns `gain (x - mean) / sqrt(var + epsilon) + shift` of every row as long as `gain`.
pub fn forward(x: &[f32], gain: &[f32], shift: &[f32], epsilon: f32) -> (Vec<f32>, Normalised) {
    let d = gain.len();
    let mut out = vec![0.0; x.len()];
    let mut rows = vec![0.0; x.len()];
    let mut inverse_sd = vec![0.0; x.len() / d];
    widest(
        #[inline(always)]
        || {
            let normal = rows.chunks_exact_mut(d).zip(&mut inverse_sd);
            for ((x, out), (normal, inverse)) in
                x.chunks_exact(d).zip(out.chunks_exact_mut(d)).zip(normal)
            {
                let mean = sum_of(x, x, |x, _| x) / d as f32;
                let var = sum_of(x, x, |x, _| (x - mean) * (x - mean)) / d as f32;
                *inverse = 1.0 / (var + epsilon).sqrt();
                for (n, x) in normal.iter_mut().zip(x) {
                    *n = (x - mean) * *inverse;
                }
                for (((o, n), g), s) in out.iter_mut().zip(&*normal).zip(gain).zip(shift) {
                    *o = n.mul_add(*g, *s);
                }
            }
        },
    );
    (out, Normalised { rows, inverse_sd })
}

/// Returns the gradients of inputs, gain and shift from that of the outputs.
pub fn backward(kept: &Normalised, gain: &[f32], upstream: &[f32]) -> [Vec<f32>; 3] {
    let d = gain.len();
    let mut of_x = vec![0.0; upstream.len()];
    let (mut of_gain, mut of_shift) = (vec![0.0; d], vec![0.0; d]);
    let mut scaled = vec![0.0; d];
    widest(
        #[inline(always)]
        || {
            let normal = kept.rows.chunks_exact(d).zip(&kept.inverse_sd);
            for ((of_x, up), (normal, inverse)) in
                of_x.chunks_exact_mut(d).zip(upstream.chunks_exact(d)).zip(normal)
            {
                for ((g, s), (u, n)) in
                    of_gain.iter_mut().zip(&mut of_shift).zip(up.iter().zip(normal))
                {
                    *g += u * n;
                    *s += u;
                }
                for ((z, u), g) in scaled.iter_mut().zip(up).zip(gain) {
                    *z = u * g;
                }
                let mean = sum_of(&scaled, &scaled, |z, _| z) / d as f32;
                let along = sum_of(&scaled, normal, |z, n| z * n) / d as f32;
                for ((x, z), n) in of_x.iter_mut().zip(&scaled).zip(normal) {
                    *x = inverse * (z - mean - n * along);
                }
            }
        },
    );
    [of_x, of_gain, of_shift]
}
