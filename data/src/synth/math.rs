//! Random deviates and elementary functions from exactly rounded operations only.
//!
//! `+ - * /` and square root are exactly rounded on every machine; the system's `ln` and `exp`
//! are not. A session must have the same bytes for ever, so both are written out here.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const LN_2: f64 = core::f64::consts::LN_2;

/// Returns the natural logarithm of a positive, finite, normal number (error below 1e-15
/// relative to max(1, |ln x|)).
pub(super) fn ln(x: f64) -> f64 {
    assert!(x.is_normal() && x > 0.0, "ln needs a positive normal number");
    let bits = x.to_bits();
    let mut exponent = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let mut mantissa = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | (1023 << 52));
    if mantissa > core::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    // ln m = 2 artanh((m-1)/(m+1)), |argument| <= 0.172.
    let y = (mantissa - 1.0) / (mantissa + 1.0);
    let y2 = y * y;
    let mut sum = 0.0;
    let mut k = 21;
    while k >= 1 {
        sum = sum * y2 + 1.0 / f64::from(k);
        k -= 2;
    }
    exponent as f64 * LN_2 + 2.0 * y * sum
}

/// Returns e to the power `x` for |x| <= 700 (clamped outside; error below 1e-14 relative).
pub(super) fn exp(x: f64) -> f64 {
    let x = x.clamp(-700.0, 700.0);
    let k = (x / LN_2 + if x < 0.0 { -0.5 } else { 0.5 }) as i64;
    let r = x - k as f64 * LN_2;
    let mut sum = 1.0;
    for n in (1..=14).rev() {
        sum = 1.0 + sum * r / f64::from(n);
    }
    sum * f64::from_bits(((k + 1023) as u64) << 52)
}

/// Returns the logistic function of `x`.
pub(super) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

/// A seeded stream of deviates.
#[derive(Clone, Debug)]
pub(super) struct Deviates {
    rng: ChaCha12Rng,
    spare: Option<f64>,
}

impl Deviates {
    /// Returns the stream number `stream` of `seed`. Streams are independent.
    pub(super) fn new(seed: u64, stream: u64) -> Deviates {
        let mut key = [0u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&stream.to_le_bytes());
        key[16..24].copy_from_slice(b"ijksynth");
        Deviates { rng: ChaCha12Rng::from_seed(key), spare: None }
    }

    /// Returns a uniform deviate in (0, 1).
    pub(super) fn uniform(&mut self) -> f64 {
        ((self.rng.next_u64() >> 12) as f64 + 0.5) * (1.0 / (1u64 << 52) as f64)
    }

    /// Returns a uniform integer below `bound`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "an empty range has no deviate");
        ((u128::from(self.rng.next_u64()) * bound as u128) >> 64) as usize
    }

    /// Returns true with probability `p`.
    pub(super) fn chance(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// Returns an exponential deviate of mean 1.
    pub(super) fn exponential(&mut self) -> f64 {
        -ln(self.uniform())
    }

    /// Returns a standard normal deviate (Marsaglia's polar method).
    pub(super) fn normal(&mut self) -> f64 {
        if let Some(value) = self.spare.take() {
            return value;
        }
        loop {
            let a = 2.0 * self.uniform() - 1.0;
            let b = 2.0 * self.uniform() - 1.0;
            let s = a * a + b * b;
            if s < 1.0 && s > 1e-300 {
                let scale = (-2.0 * ln(s) / s).sqrt();
                self.spare = Some(b * scale);
                return a * scale;
            }
        }
    }

    /// Returns a geometric-like integer with the heavy tail `P(X >= k) = (1 + k/c)^-a`.
    pub(super) fn lomax(&mut self, a: f64, c: f64, max: i64) -> i64 {
        let x = c * (exp(-ln(self.uniform()) / a) - 1.0);
        if x >= max as f64 { max } else { x as i64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elementary_functions_agree_with_the_system() {
        for i in 1..2000 {
            let x = f64::from(i) * 0.37e-1;
            assert!((ln(x) - x.ln()).abs() < 2e-15 * x.ln().abs().max(1.0), "ln {x}");
            let y = (f64::from(i) - 1000.0) * 0.11;
            assert!((exp(y) / y.exp() - 1.0).abs() < 1e-13, "exp {y}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(ln(1.0), 0.0);
    }

    #[test]
    fn deviates_have_their_moments_and_never_change() {
        let mut d = Deviates::new(7, 3);
        let n = 200_000;
        let (mut mean, mut square, mut exponential) = (0.0, 0.0, 0.0);
        for _ in 0..n {
            let z = d.normal();
            mean += z / f64::from(n);
            square += z * z / f64::from(n);
            exponential += d.exponential() / f64::from(n);
        }
        assert!(mean.abs() < 0.01 && (square - 1.0).abs() < 0.02, "{mean} {square}");
        assert!((exponential - 1.0).abs() < 0.01, "{exponential}");
        let first = Deviates::new(1, 0).below(1 << 40);
        assert_eq!(first, Deviates::new(1, 0).below(1 << 40));
        assert_ne!(first, Deviates::new(1, 1).below(1 << 40));
    }
}
