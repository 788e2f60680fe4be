//! GELU in its tanh form, `x sigmoid(2 u)` with `u = sqrt(2/pi) (x + 0.044715 x^3)`.

use super::lanes::{exp, widest};

/// `2 sqrt(2/pi)`.
const TWICE: f32 = 1.595_769_2;
/// Coefficient of the cube.
const CUBE: f32 = 0.044_715;

/// Returns the function of every input.
pub fn forward(x: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    widest(
        #[inline(always)]
        || {
            for (out, x) in out.iter_mut().zip(x) {
                *out = x * sigmoid(*x);
            }
        },
    );
    out
}

/// Returns the gradient of every input from that of the outputs.
pub fn backward(x: &[f32], upstream: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    widest(
        #[inline(always)]
        || {
            for ((out, x), up) in out.iter_mut().zip(x).zip(upstream) {
                let s = sigmoid(*x);
                let slope = TWICE * (3.0 * CUBE * x * x + 1.0);
                *out = up * (s + x * s * (1.0 - s) * slope);
            }
        },
    );
    out
}

/// `sigmoid(2 u(x))`.
#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    let twice_u = TWICE * x * (CUBE * x * x + 1.0);
    1.0 / (1.0 + exp(-twice_u))
}
