//! Vectors in the registers of x86-64.
#![allow(unsafe_code)] // instructions that the functions these are used in were compiled for

use super::vector::{Chunk, HIGH, LANES, Vector};
use std::arch::x86_64::*;

/// Calls intrinsics of the machine.
macro_rules! machine {
    ($($body:tt)*) => {
        // SAFETY: vectors of this file are named only in `simd.rs`, in functions that are compiled
        // for their instructions and called where these were found. Loads and stores are of
        // references to as many numbers as they read or write and need no alignment.
        unsafe { $($body)* }
    };
}

/// Two registers of AVX2 with FMA.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(__m256, __m256);

impl Vector for Avx2 {
    #[inline(always)]
    fn load(from: &Chunk) -> Avx2 {
        machine! { Avx2(_mm256_loadu_ps(from.as_ptr()), _mm256_loadu_ps(from[8..].as_ptr())) }
    }
    #[inline(always)]
    fn store(self, to: &mut Chunk) {
        machine! {
            _mm256_storeu_ps(to.as_mut_ptr(), self.0);
            _mm256_storeu_ps(to[8..].as_mut_ptr(), self.1);
        }
    }
    #[inline(always)]
    fn splat(x: f32) -> Avx2 {
        machine! { Avx2(_mm256_set1_ps(x), _mm256_set1_ps(x)) }
    }
    #[inline(always)]
    fn first(self) -> f32 {
        machine! { _mm256_cvtss_f32(self.0) }
    }
    #[inline(always)]
    fn add(self, other: Avx2) -> Avx2 {
        machine! { Avx2(_mm256_add_ps(self.0, other.0), _mm256_add_ps(self.1, other.1)) }
    }
    #[inline(always)]
    fn sub(self, other: Avx2) -> Avx2 {
        machine! { Avx2(_mm256_sub_ps(self.0, other.0), _mm256_sub_ps(self.1, other.1)) }
    }
    #[inline(always)]
    fn mul(self, other: Avx2) -> Avx2 {
        machine! { Avx2(_mm256_mul_ps(self.0, other.0), _mm256_mul_ps(self.1, other.1)) }
    }
    #[inline(always)]
    fn div(self, other: Avx2) -> Avx2 {
        machine! { Avx2(_mm256_div_ps(self.0, other.0), _mm256_div_ps(self.1, other.1)) }
    }
    #[inline(always)]
    fn mul_add(self, factor: Avx2, summand: Avx2) -> Avx2 {
        machine! {
            let low = _mm256_fmadd_ps(self.0, factor.0, summand.0);
            Avx2(low, _mm256_fmadd_ps(self.1, factor.1, summand.1))
        }
    }
    #[inline(always)]
    fn max(self, other: Avx2) -> Avx2 {
        machine! { Avx2(_mm256_max_ps(self.0, other.0), _mm256_max_ps(self.1, other.1)) }
    }
    #[inline(always)]
    fn min(self, other: Avx2) -> Avx2 {
        machine! { Avx2(_mm256_min_ps(self.0, other.0), _mm256_min_ps(self.1, other.1)) }
    }
    #[inline(always)]
    fn halves(words: &[u32; LANES]) -> (Avx2, Avx2) {
        machine! {
            let (a, b) = words.split_at(8);
            let (a, b) = (a.as_ptr().cast(), b.as_ptr().cast());
            let (a, b) = (_mm256_loadu_si256(a), _mm256_loadu_si256(b));
            let low = (_mm256_slli_epi32::<16>(a), _mm256_slli_epi32::<16>(b));
            let mask = _mm256_set1_epi32(HIGH as i32);
            let high = (_mm256_and_si256(a, mask), _mm256_and_si256(b, mask));
            let low = Avx2(_mm256_castsi256_ps(low.0), _mm256_castsi256_ps(low.1));
            (low, Avx2(_mm256_castsi256_ps(high.0), _mm256_castsi256_ps(high.1)))
        }
    }
    #[inline(always)]
    fn raise(self, rounded: Avx2) -> Avx2 {
        machine! {
            let raise = |x, n| {
                let n = _mm256_slli_epi32::<23>(_mm256_castps_si256(n));
                _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), n))
            };
            Avx2(raise(self.0, rounded.0), raise(self.1, rounded.1))
        }
    }
    #[inline(always)]
    fn with(self, lane: u32, x: f32) -> Avx2 {
        machine! {
            let (lane, x) = (_mm256_set1_epi32(lane as i32), _mm256_set1_ps(x));
            let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            let place = |n| {
                let lanes = _mm256_add_epi32(lanes, _mm256_set1_epi32(n));
                _mm256_castsi256_ps(_mm256_cmpeq_epi32(lane, lanes))
            };
            let low = _mm256_blendv_ps(self.0, x, place(0));
            Avx2(low, _mm256_blendv_ps(self.1, x, place(8)))
        }
    }
    #[inline(always)]
    fn spread(self, from: &Chunk, pair: usize) -> Avx2 {
        let (low, high) = (&from[2 * pair], &from[2 * pair + 1]);
        machine! { Avx2(_mm256_broadcast_ss(low), _mm256_broadcast_ss(high)) }
    }
    #[inline(always)]
    fn fold_eights(self, op: impl Fn(Avx2, Avx2) -> Avx2, whole: bool) -> Avx2 {
        machine! {
            let x = if whole { op(self, Avx2(self.1, self.0)) } else { self };
            let halves = |x| _mm256_permute2f128_ps::<1>(x, x);
            let x = op(x, Avx2(halves(x.0), halves(x.1)));
            let pairs = |x| _mm256_permute_ps::<0b01_00_11_10>(x);
            let x = op(x, Avx2(pairs(x.0), pairs(x.1)));
            let singles = |x| _mm256_permute_ps::<0b10_11_00_01>(x);
            op(x, Avx2(singles(x.0), singles(x.1)))
        }
    }
}

/// One register of AVX-512.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512(__m512);

impl Vector for Avx512 {
    #[inline(always)]
    fn load(from: &Chunk) -> Avx512 {
        machine! { Avx512(_mm512_loadu_ps(from.as_ptr())) }
    }
    #[inline(always)]
    fn store(self, to: &mut Chunk) {
        machine! { _mm512_storeu_ps(to.as_mut_ptr(), self.0) }
    }
    #[inline(always)]
    fn splat(x: f32) -> Avx512 {
        machine! { Avx512(_mm512_set1_ps(x)) }
    }
    #[inline(always)]
    fn first(self) -> f32 {
        machine! { _mm512_cvtss_f32(self.0) }
    }
    #[inline(always)]
    fn add(self, other: Avx512) -> Avx512 {
        machine! { Avx512(_mm512_add_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn sub(self, other: Avx512) -> Avx512 {
        machine! { Avx512(_mm512_sub_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn mul(self, other: Avx512) -> Avx512 {
        machine! { Avx512(_mm512_mul_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn div(self, other: Avx512) -> Avx512 {
        machine! { Avx512(_mm512_div_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn mul_add(self, factor: Avx512, summand: Avx512) -> Avx512 {
        machine! { Avx512(_mm512_fmadd_ps(self.0, factor.0, summand.0)) }
    }
    #[inline(always)]
    fn max(self, other: Avx512) -> Avx512 {
        machine! { Avx512(_mm512_max_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn min(self, other: Avx512) -> Avx512 {
        machine! { Avx512(_mm512_min_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn halves(words: &[u32; LANES]) -> (Avx512, Avx512) {
        machine! {
            let w = _mm512_loadu_si512(words.as_ptr().cast());
            let low = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(w));
            let high = _mm512_and_si512(w, _mm512_set1_epi32(HIGH as i32));
            (Avx512(low), Avx512(_mm512_castsi512_ps(high)))
        }
    }
    #[inline(always)]
    fn raise(self, rounded: Avx512) -> Avx512 {
        machine! {
            let n = _mm512_slli_epi32::<23>(_mm512_castps_si512(rounded.0));
            Avx512(_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(self.0), n)))
        }
    }
    #[inline(always)]
    fn with(self, lane: u32, x: f32) -> Avx512 {
        let mask = 1u32.checked_shl(lane).unwrap_or(0) as u16;
        machine! { Avx512(_mm512_mask_mov_ps(self.0, mask, _mm512_set1_ps(x))) }
    }
    #[inline(always)]
    fn spread(self, _: &Chunk, pair: usize) -> Avx512 {
        let (a, b) = (2 * pair as i32, 2 * pair as i32 + 1);
        machine! {
            let places = _mm512_setr_epi32(a, a, a, a, a, a, a, a, b, b, b, b, b, b, b, b);
            Avx512(_mm512_permutexvar_ps(places, self.0))
        }
    }
    #[inline(always)]
    fn fold_eights(self, op: impl Fn(Avx512, Avx512) -> Avx512, whole: bool) -> Avx512 {
        machine! {
            let x = if whole {
                op(self, Avx512(_mm512_shuffle_f32x4::<0b01_00_11_10>(self.0, self.0)))
            } else {
                self
            };
            let x = op(x, Avx512(_mm512_shuffle_f32x4::<0b10_11_00_01>(x.0, x.0)));
            let x = op(x, Avx512(_mm512_permute_ps::<0b01_00_11_10>(x.0)));
            op(x, Avx512(_mm512_permute_ps::<0b10_11_00_01>(x.0)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::vector::Plain16;
    use super::*;
    use proptest::prelude::*;

    /// Every operation of a kind of vector, as bits.
    fn operations<V: Vector>(a: &Chunk, b: &Chunk, lane: u32) -> Vec<[u32; LANES]> {
        let (x, y) = (V::load(a), V::load(b));
        let words = a.map(f32::to_bits);
        let (low, high) = V::halves(&words);
        let mut out = vec![
            x.add(y),
            x.sub(y),
            x.mul(y),
            x.div(y),
            x.mul_add(y, x),
            x.max(y),
            x.min(y),
            low,
            high,
            x.raise(y),
            x.with(lane, b[0]),
            x.fold(V::add),
            x.fold(V::max),
            x.fold_eights(V::add, false),
            V::splat(y.first()),
        ];
        out.extend((0..LANES / 2).map(|pair| x.spread(a, pair)));
        let bits = |v: V| {
            let mut chunk = [0.0; LANES];
            v.store(&mut chunk);
            // Which NaN comes out is not said anywhere.
            chunk.map(|v| if v.is_nan() { f32::NAN.to_bits() } else { v.to_bits() })
        };
        out.into_iter().map(bits).collect()
    }

    fn numbers() -> impl Strategy<Value = Chunk> {
        let ends = prop::sample::select(vec![0.0, -0.0, f32::INFINITY, f32::NAN, 1e-40, -3e38]);
        prop::array::uniform16(prop_oneof![4 => -9f32..9.0, 1 => ends, 1 => any::<f32>()])
    }

    proptest! {
        #[test]
        fn registers_give_the_bits_of_plain_numbers(
            a in numbers(), b in numbers(), lane in 0u32..40,
        ) {
            let plain = operations::<Plain16>(&a, &b, lane);
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                prop_assert_eq!(&operations::<Avx2>(&a, &b, lane), &plain);
            }
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
                prop_assert_eq!(&operations::<Avx512>(&a, &b, lane), &plain);
            }
        }
    }
}
