//! The logarithm of an age, from exactly rounded operations only: the same bits on every machine.

/// Largest error of [`ln_1p`] against the true value (a test measures it).
pub const LN_1P_ERROR_MAX: f64 = 1e-13;

/// Returns ln(1 + x) for a finite x of zero or more.
///
/// 1 + x = m 2^e with m around one; ln m = 2 artanh(s), s = (m - 1) / (m + 1), by its series
/// (Abramowitz and Stegun 1964, 4.1.27).
#[inline(always)]
pub fn ln_1p(x: f64) -> f64 {
    const TERMS: u32 = 10;
    let bits = (1.0 + x).to_bits();
    let mut exponent = (bits >> 52) as i64 - 1_023;
    let mut m = f64::from_bits(bits & 0x000f_ffff_ffff_ffff | 0x3ff0_0000_0000_0000);
    if m > std::f64::consts::SQRT_2 {
        m *= 0.5;
        exponent += 1;
    }
    let s = (m - 1.0) / (m + 1.0);
    let square = s * s;
    let mut sum = 0.0;
    for term in (0..TERMS).rev() {
        sum = sum * square + 1.0 / f64::from(2 * term + 1);
    }
    exponent as f64 * std::f64::consts::LN_2 + 2.0 * s * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_as_stated() {
        let mut worst = 0.0f64;
        for i in 0..2_000_000 {
            let x = (f64::from(i) * 2e-5).exp() - 1.0; // 0 to 2e17
            worst = worst.max((ln_1p(x) - x.ln_1p()).abs());
        }
        eprintln!("ln_1p: largest error {worst:e}");
        assert!(worst < LN_1P_ERROR_MAX, "{worst:e}");
        assert_eq!(ln_1p(0.0), 0.0);
    }
}
