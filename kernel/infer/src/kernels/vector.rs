//! Sixteen numbers side by side: what the kernels are written over.
//!
//! Every operation is exactly rounded by IEEE 754 and each kernel says in which order it sums, so
//! all kinds of vectors give the same bits.

use std::array;

/// Numbers in a [`Vector`].
pub const LANES: usize = 16;

/// Numbers in memory, as a vector loads and stores them.
pub type Chunk = [f32; LANES];

/// Sixteen f32. The kinds that need instructions of a machine stay inside this crate, where
/// [`crate::Level`] uses them only in functions compiled for what was found.
pub trait Vector: Copy {
    /// Reads sixteen numbers.
    fn load(from: &Chunk) -> Self;
    /// Writes them.
    fn store(self, to: &mut Chunk);
    /// Returns one number sixteen times.
    fn splat(x: f32) -> Self;
    /// Returns the first number.
    fn first(self) -> f32;
    /// Returns `self + other`.
    fn add(self, other: Self) -> Self;
    /// Returns `self - other`.
    fn sub(self, other: Self) -> Self;
    /// Returns `self * other`.
    fn mul(self, other: Self) -> Self;
    /// Returns `self / other`.
    fn div(self, other: Self) -> Self;
    /// Returns `self * factor + summand`, rounded once.
    fn mul_add(self, factor: Self, summand: Self) -> Self;
    /// Returns `self` where it is greater and `other` everywhere else, so `other` where either is
    /// NaN.
    fn max(self, other: Self) -> Self;
    /// Returns `self` where it is less and `other` everywhere else.
    fn min(self, other: Self) -> Self;
    /// Returns two f32 for each word, from its low and from its high half, which are bf16.
    fn halves(words: &[u32; LANES]) -> (Self, Self);
    /// Adds the low nine bits of `rounded` to the sign and exponent: `self * 2^n` where `rounded`
    /// is `n + 1.5 * 2^23` and nothing leaves the range of normal numbers.
    fn raise(self, rounded: Self) -> Self;
    /// Returns `self` with `x` in lane `lane`; a lane of 16 or more changes nothing.
    fn with(self, lane: u32, x: f32) -> Self;
    /// Returns number `2 * pair` eight times, then number `2 * pair + 1` eight times. `from` holds
    /// what `self` holds: one machine is faster from memory, another from the register.
    fn spread(self, from: &Chunk, pair: usize) -> Self;
    /// Returns what `op` makes of all numbers, sixteen times. `op` must not care for the order of
    /// its two arguments. Numbers 8, then 4, then 2, then 1 apart meet.
    #[inline(always)]
    fn fold(self, op: impl Fn(Self, Self) -> Self) -> Self {
        self.fold_eights(&op, true)
    }
    /// As [`Vector::fold`] for the first eight and the last eight numbers on their own, or, if
    /// `whole`, after both halves met.
    fn fold_eights(self, op: impl Fn(Self, Self) -> Self, whole: bool) -> Self;
}

/// Plain numbers, on every machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plain16(Chunk);

impl Plain16 {
    #[inline(always)]
    fn zip(self, other: Plain16, op: impl Fn(f32, f32) -> f32) -> Plain16 {
        Plain16(array::from_fn(|i| op(self.0[i], other.0[i])))
    }
}

impl Vector for Plain16 {
    #[inline(always)]
    fn load(from: &Chunk) -> Plain16 {
        Plain16(*from)
    }
    #[inline(always)]
    fn store(self, to: &mut Chunk) {
        *to = self.0;
    }
    #[inline(always)]
    fn splat(x: f32) -> Plain16 {
        Plain16([x; LANES])
    }
    #[inline(always)]
    fn first(self) -> f32 {
        self.0[0]
    }
    #[inline(always)]
    fn add(self, other: Plain16) -> Plain16 {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, other: Plain16) -> Plain16 {
        self.zip(other, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, other: Plain16) -> Plain16 {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, other: Plain16) -> Plain16 {
        self.zip(other, |a, b| a / b)
    }
    #[inline(always)]
    fn mul_add(self, factor: Plain16, summand: Plain16) -> Plain16 {
        Plain16(array::from_fn(|i| self.0[i].mul_add(factor.0[i], summand.0[i])))
    }
    #[inline(always)]
    fn max(self, other: Plain16) -> Plain16 {
        self.zip(other, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn min(self, other: Plain16) -> Plain16 {
        self.zip(other, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn halves(words: &[u32; LANES]) -> (Plain16, Plain16) {
        let low = array::from_fn(|i| f32::from_bits(words[i] << 16));
        (Plain16(low), Plain16(array::from_fn(|i| f32::from_bits(words[i] & HIGH))))
    }
    #[inline(always)]
    fn raise(self, rounded: Plain16) -> Plain16 {
        let raise = |x: f32, n: f32| f32::from_bits(x.to_bits().wrapping_add(n.to_bits() << 23));
        self.zip(rounded, raise)
    }
    #[inline(always)]
    fn with(self, lane: u32, x: f32) -> Plain16 {
        Plain16(array::from_fn(|i| if i as u32 == lane { x } else { self.0[i] }))
    }
    #[inline(always)]
    fn spread(self, _: &Chunk, pair: usize) -> Plain16 {
        Plain16(array::from_fn(|i| self.0[2 * pair + i / 8]))
    }
    #[inline(always)]
    fn fold_eights(self, op: impl Fn(Plain16, Plain16) -> Plain16, whole: bool) -> Plain16 {
        let meet = |x: Plain16, apart: usize| op(x, Plain16(array::from_fn(|i| x.0[i ^ apart])));
        let x = if whole { meet(self, 8) } else { self };
        meet(meet(meet(x, 4), 2), 1)
    }
}

/// The upper half of an f32, which is a bf16.
pub const HIGH: u32 = 0xffff_0000;
