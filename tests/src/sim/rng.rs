//! The one source of chance of a run: SplitMix64 (Steele, Lea, Flood 2014), which never changes
//! under us and can be split by purpose.

/// A stream of numbers that depends on its seed alone.
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
}

impl Rng {
    /// Returns the stream of `seed` for one `purpose`; different purposes are independent, so that
    /// one part drawing more often does not move the others.
    pub fn new(seed: u64, purpose: u64) -> Rng {
        let mut rng = Rng { state: seed ^ purpose.wrapping_mul(0xd134_2543_de82_ef95) };
        rng.next();
        rng
    }

    /// Returns the next 64 bits.
    #[allow(clippy::should_implement_trait)] // an endless stream needs no Option
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `n`; 0 for 0.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    /// Returns a number in `lo..=hi`.
    pub fn range(&mut self, lo: u64, hi: u64) -> u64 {
        lo + self.below(hi - lo + 1)
    }

    /// Returns true `ppm` times in a million.
    pub fn chance(&mut self, ppm: u32) -> bool {
        ppm > 0 && self.below(1_000_000) < u64::from(ppm)
    }

    /// Returns a number in `lo..=hi` whose logarithm is uniform: as often small as large.
    pub fn log_range(&mut self, lo: u64, hi: u64) -> u64 {
        assert!(0 < lo && lo <= hi);
        let (a, b) = (u64::from(lo.ilog2()), u64::from(hi.ilog2()));
        let low = 1u64 << self.range(a, b);
        (low + self.below(low)).clamp(lo, hi)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_purposes_differ() {
        let draw = |seed, purpose| {
            let mut rng = Rng::new(seed, purpose);
            (0..8).map(|_| rng.next()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
        assert_ne!(draw(1, 2), draw(2, 2));
    }

    #[test]
    fn splitmix_gives_its_published_numbers() {
        // The first outputs of the reference implementation from state 1234567.
        let mut rng = Rng { state: 1_234_567 };
        assert_eq!(rng.next(), 6_457_827_717_110_365_317);
        assert_eq!(rng.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn draws_stay_in_range_and_chances_come_out() {
        let mut rng = Rng::new(5, 0);
        let mut hits = 0;
        for _ in 0..100_000 {
            assert!((3..=9).contains(&rng.range(3, 9)));
            assert!((5..=900).contains(&rng.log_range(5, 900)));
            hits += u32::from(rng.chance(250_000));
        }
        assert!((24_000..26_000).contains(&hits), "{hits}");
        assert!(!rng.chance(0) && rng.chance(1_000_000));
    }
}
