//! Sixteen numbers abreast, in plain arrays that the compiler turns into vectors.
//!
//! Every sum has one order whatever the machine's vectors: the same bits everywhere. Products are
//! added with one rounding (`mul_add`), which each x86-64 since 2013 and each AArch64 has.

/// Numbers abreast.
pub const LANES: usize = 16;
/// One vector.
pub type Lane = [f32; LANES];

/// Runs `f` compiled for the widest vectors of this machine.
pub fn widest<R>(f: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(f)
}

/// `acc + a b`, each apart.
#[inline(always)]
pub fn add_product(acc: &mut Lane, a: &Lane, b: &Lane) {
    for ((acc, a), b) in acc.iter_mut().zip(a).zip(b) {
        *acc = a.mul_add(*b, *acc);
    }
}

/// Returns the sum in a fixed tree.
#[inline(always)]
pub fn total(lane: &Lane) -> f32 {
    let mut rest = *lane;
    for half in [8, 4, 2, 1] {
        let (low, high) = rest.split_at_mut(half);
        for (low, high) in low.iter_mut().zip(high) {
            *low += *high;
        }
    }
    rest[0]
}

/// Returns the sum of `f` over pairs of numbers.
#[inline(always)]
pub fn sum_of(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut acc = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for ((acc, a), b) in acc.iter_mut().zip(a).zip(b) {
            *acc += f(*a, *b);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| f(*a, *b)).sum();
    total(&acc) + rest
}

/// `e^x` to about two units in the last place; the argument is taken as at least -87 and at most
/// 88. Reduction by `ln 2` in two parts and the polynomial of Cephes' `expf` (Moshier 1992).
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    /// Adding and taking away 1.5 * 2^23 rounds to a whole number.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = n.mul_add(-0.693_359_4, x);
    let r = n.mul_add(2.121_944_4e-4, r);
    let p = 1.987_569_1e-4f32;
    let p = p.mul_add(r, 1.398_199_9e-3);
    let p = p.mul_add(r, 8.333_452e-3);
    let p = p.mul_add(r, 4.166_579_6e-2);
    let p = p.mul_add(r, 1.666_666_5e-1);
    let p = p.mul_add(r, 0.5);
    let e = p.mul_add(r * r, r + 1.0);
    // 2^n by its exponent: n stands in the lowest bits of the rounded number.
    e * f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_exact_to_its_last_places() {
        for i in -8_700..=8_800 {
            let x = i as f32 / 100.0 + 0.003;
            let expected = f64::from(x.clamp(-87.0, 88.0)).exp();
            let error = (f64::from(exp(x)) / expected - 1.0).abs();
            assert!(error < 2.5e-7, "{x}: {error}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NEG_INFINITY) < 2e-38 && exp(f32::NAN).is_nan());
    }

    #[test]
    fn sums_take_every_number_once() {
        for n in [0, 1, 15, 16, 17, 64, 100] {
            let a: Vec<f32> = (0..n).map(|i| i as f32).collect();
            let sum = sum_of(&a, &a, |a, b| a + b);
            assert_eq!(sum, (n * n) as f32 - n as f32, "{n}");
        }
    }
}
