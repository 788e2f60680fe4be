//! The exponential to base two, from additions and multiplications only.
//!
//! The mathematics library of a system may give other last bits on another system; these
//! operations are exactly rounded by IEEE 754, so the result is the same bits on every x86-64.
//! Base two, because what the kernels raise to a power they scale anyway: a factor of log2(e)
//! costs nothing there and a step here.

use super::vector::Vector;

/// Arguments are clamped to this range, inside which the result is a normal number.
pub const EXP2_RANGE: (f32, f32) = (-125.0, 126.0);

/// Largest relative error inside [`EXP2_RANGE`] (a test measures it).
pub const EXP2_RELATIVE_ERROR_MAX: f32 = 2e-7;

/// Adding this rounds to an integer and leaves it in the low bits of the sum: 1.5 * 2^23.
const ROUNDER: f32 = 12_582_912.0;

/// Coefficients of `exp2f` in the Cephes library (Moshier, 1989), the highest power first.
const COEFFICIENTS: [f32; 7] = [
    1.535_336_2e-4,
    1.339_887_5e-3,
    9.618_437e-3,
    5.550_332_5e-2,
    2.402_264_8e-1,
    6.931_472e-1,
    1.0,
];

/// Returns 2^x for x clamped to [`EXP2_RANGE`]; NaN gives NaN.
#[inline(always)]
pub fn exp2<V: Vector>(x: V) -> V {
    exp2_not_above(V::splat(EXP2_RANGE.1).min(x))
}

/// [`exp2`] of numbers that are known not to lie above the range.
///
/// x = n + r with |r| <= 1/2, and 2^r by a polynomial.
#[inline(always)]
pub fn exp2_not_above<V: Vector>(x: V) -> V {
    let x = V::splat(EXP2_RANGE.0).max(x);
    let rounder = V::splat(ROUNDER);
    let rounded = x.add(rounder);
    let r = x.sub(rounded.sub(rounder));
    let mut p = V::splat(COEFFICIENTS[0]);
    for c in &COEFFICIENTS[1..] {
        p = p.mul_add(r, V::splat(*c));
    }
    p.raise(rounded)
}

#[cfg(test)]
mod tests {
    use super::super::vector::Plain16;
    use super::*;

    fn exp2(x: f32) -> f32 {
        super::exp2(Plain16::splat(x)).first()
    }

    #[test]
    fn relative_error_is_as_stated() {
        let (mut worst, mut at) = (0.0f64, 0.0);
        // Every 61st float of either sign: 35 million points.
        for bits in (0..=EXP2_RANGE.1.to_bits()).step_by(61) {
            for x in [f32::from_bits(bits), -f32::from_bits(bits)] {
                if x < EXP2_RANGE.0 {
                    continue;
                }
                let truth = f64::from(x).exp2();
                let error = (f64::from(exp2(x)) / truth - 1.0).abs();
                if error > worst {
                    (worst, at) = (error, x);
                }
            }
        }
        eprintln!("exp2: largest relative error {worst:.3e} at {at}");
        assert!(worst < f64::from(EXP2_RELATIVE_ERROR_MAX), "{worst:e} at {at}");
    }

    #[test]
    fn whole_numbers_are_exact() {
        for n in EXP2_RANGE.0 as i32..=EXP2_RANGE.1 as i32 {
            assert_eq!(exp2(n as f32), 2f32.powi(n));
        }
    }

    #[test]
    fn ends_are_clamped() {
        let (least, most) = EXP2_RANGE;
        assert_eq!(exp2(f32::NEG_INFINITY), exp2(least));
        assert_eq!(exp2(-1e30), exp2(least));
        assert_eq!(exp2(f32::INFINITY), exp2(most));
        assert!(exp2(least) > 0.0 && exp2(least).is_normal() && exp2(most).is_finite());
        assert!(exp2(f32::NAN).is_nan());
    }
}
