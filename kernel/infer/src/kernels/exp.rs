//! The exponential, from additions and multiplications only.
//!
//! The mathematics library of a system may give other last bits on another system; these
//! operations are exactly rounded by IEEE 754, so the result is the same bits on every x86-64.

/// Arguments are clamped to this range, inside which the result is a normal number.
pub const EXP_RANGE: (f32, f32) = (-87.0, 88.0);

/// Largest relative error inside [`EXP_RANGE`] (a test measures it).
pub const EXP_RELATIVE_ERROR_MAX: f32 = 2e-7;

/// Adding this rounds to an integer and leaves it in the low bits of the sum: 1.5 * 2^23.
const ROUNDER: f32 = 12_582_912.0;
/// ln 2 in two parts; the first has few enough bits that its product with the exponent is exact.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;

/// Returns e^x for x clamped to [`EXP_RANGE`]; NaN gives NaN.
///
/// Range reduction and coefficients of `expf` in the Cephes library (Moshier, 1989):
/// x = n ln 2 + r with |r| <= ln 2 / 2, e^r = 1 + r + r^2 P(r) with P of degree 5.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let x = x.clamp(EXP_RANGE.0, EXP_RANGE.1);
    let rounded = x.mul_add(std::f32::consts::LOG2_E, ROUNDER);
    let n = rounded - ROUNDER;
    let r = n.mul_add(-LN2_LOW, n.mul_add(-LN2_HIGH, x));
    let mut p = 1.987_569_1e-4f32;
    p = p.mul_add(r, 1.398_199_9e-3);
    p = p.mul_add(r, 8.333_452e-3);
    p = p.mul_add(r, 4.166_579_6e-2);
    p = p.mul_add(r, 1.666_666_5e-1);
    p = p.mul_add(r, 5e-1);
    let mantissa = p.mul_add(r * r, r) + 1.0;
    // 2^n: the low bits of `rounded` are n, its high bits leave with the shift.
    let power = f32::from_bits((rounded.to_bits() << 23).wrapping_add(0x3f80_0000));
    mantissa * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_error_is_as_stated() {
        let (mut worst, mut at) = (0.0f64, 0.0);
        // Every 61st float of either sign: 35 million points.
        for bits in (0..=88.0f32.to_bits()).step_by(61) {
            for x in [f32::from_bits(bits), -f32::from_bits(bits)] {
                if x < EXP_RANGE.0 {
                    continue;
                }
                let truth = f64::from(x).exp();
                let error = (f64::from(exp(x)) / truth - 1.0).abs();
                if error > worst {
                    (worst, at) = (error, x);
                }
            }
        }
        eprintln!("exp: largest relative error {worst:.3e} at {at}");
        assert!(worst < f64::from(EXP_RELATIVE_ERROR_MAX), "{worst:e} at {at}");
    }

    #[test]
    fn ends_are_clamped() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), exp(-87.0));
        assert_eq!(exp(-1e30), exp(-87.0));
        assert_eq!(exp(f32::INFINITY), exp(88.0));
        assert!(exp(-87.0) > 0.0 && exp(-87.0).is_normal() && exp(88.0).is_finite());
        assert!(exp(f32::NAN).is_nan());
    }
}
