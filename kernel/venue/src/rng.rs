//! A small seeded random number generator, so that a seed means the same stream for ever.

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014):
/// 64 bits of state, passes BigCrush, every seed is good.
#[derive(Clone, Debug)]
pub struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// Returns the generator for `seed`.
    pub const fn new(seed: u64) -> SplitMix64 {
        SplitMix64 { state: seed }
    }

    /// Returns the next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a number in `0..=max`, uniform up to a bias below `max / 2^64` (the high half of
    /// a 128-bit product, Lemire 2019, without its rejection step).
    pub const fn up_to(&mut self, max: u64) -> u64 {
        let bits = self.next_u64();
        ((bits as u128 * (max as u128 + 1)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_reference_stream() {
        // First outputs of the reference C code for seed 1234567 (Vigna, splitmix64.c).
        let mut r = SplitMix64::new(1_234_567);
        let got = [(); 5].map(|()| r.next_u64());
        assert_eq!(
            got,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821,
            ]
        );
    }

    #[test]
    fn bounds_hold_and_are_reached() {
        let mut r = SplitMix64::new(7);
        let mut seen = [0u32; 4];
        for _ in 0..4_000 {
            seen[r.up_to(3) as usize] += 1;
        }
        assert!(seen.iter().all(|&n| (800..1_200).contains(&n)), "{seen:?}");
        assert_eq!(r.up_to(0), 0);
        let _ = r.up_to(u64::MAX);
    }
}
