//! Schedules for a book that recovers: the price moves with each trade and comes back with time.
//!
//! Exponential recovery has the closed form of Obizhaeva and Wang (2013) in the discrete setting
//! of Alfonsi, Fruth and Schied (2010): equal trades but for larger ones at both ends. Any other
//! kernel G: cost `½ Σᵢⱼ nᵢ G(|i−j|τ) nⱼ` is least where `G n` is constant (Gatheral, Schied,
//! Slynko 2012); a convex falling kernel gives no negative trade.

use crate::curve::CURVE_INTERVAL_COUNT_MAX;

/// Returns the part of the whole that the first and the last of `count` trades take, with
/// `a = e^(−ρτ)` the part of a trade's impact that is left at the next one, [0, 1]:
/// `1/(2 + (N−1)(1−a))`, N = `count` − 1. Each trade between takes `1 − a` of that.
pub fn edge_part(count: u64, a: f64) -> f64 {
    if count <= 1 {
        return 1.0;
    }
    1.0 / (2.0 + (count - 2) as f64 * (1.0 - a.clamp(0.0, 1.0)))
}

/// Writes the trades that cost least under the kernel `g` (by lag in steps; `g(0)` the largest)
/// into `out`, parts of the whole that add up to 1. At most [`CURVE_INTERVAL_COUNT_MAX`] trades
/// are solved for, by Levinson's recursion; more are even. A kernel that is not positive definite
/// gives even trades.
pub fn propagator_trades(g: impl Fn(usize) -> f64, out: &mut [f64]) {
    let n = out.len();
    out.fill(1.0 / n.max(1) as f64);
    if n <= 2 || n > CURVE_INTERVAL_COUNT_MAX {
        return;
    }
    let mut r = [0.0; CURVE_INTERVAL_COUNT_MAX];
    for (lag, value) in r.iter_mut().enumerate().take(n) {
        *value = g(lag);
    }
    if !solve_ones(&r[..n], out) {
        out.fill(1.0 / n as f64);
        return;
    }
    out.iter_mut().for_each(|y| *y = y.max(0.0));
    let sum: f64 = out.iter().sum();
    out.iter_mut().for_each(|y| *y /= sum);
}

/// Solves `T x = 1` for the symmetric Toeplitz matrix with first row `r`; false where it is not
/// positive definite.
fn solve_ones(r: &[f64], x: &mut [f64]) -> bool {
    let n = r.len();
    // Backward vector of the leading block; the forward one is its mirror.
    let mut b = [0.0; CURVE_INTERVAL_COUNT_MAX];
    let mut previous = [0.0; CURVE_INTERVAL_COUNT_MAX];
    if r[0].is_nan() || r[0] <= 0.0 {
        return false;
    }
    b[0] = 1.0 / r[0];
    x[0] = 1.0 / r[0];
    for m in 1..n {
        let mut error = 0.0;
        for i in 0..m {
            error += r[i + 1] * b[i];
        }
        let scale = 1.0 / (1.0 - error * error);
        if !scale.is_finite() || scale <= 0.0 {
            return false;
        }
        previous[..m].copy_from_slice(&b[..m]);
        for i in 0..=m {
            let shifted = if i > 0 { previous[i - 1] } else { 0.0 };
            let mirrored = if i < m { previous[m - 1 - i] } else { 0.0 };
            b[i] = scale * (shifted - error * mirrored);
        }
        let mut residual = 0.0;
        for i in 0..m {
            residual += r[m - i] * x[i];
        }
        x[m] = 0.0;
        for i in 0..=m {
            x[i] += (1.0 - residual) * b[i];
        }
    }
    x.iter().all(|v| v.is_finite())
}
