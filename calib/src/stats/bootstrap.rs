//! Block bootstrap: neighbours in time share their news, so whole blocks are drawn.

use super::{Parameter, TAIL, quantile_sorted, variance};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// Draws of circular moving blocks (Politis and Romano 1992).
#[derive(Clone, Debug)]
pub struct Blocks {
    rng: ChaCha12Rng,
    count: usize,
    block: usize,
}

/// Returns the usual block length of `count` dependent observations, `⌈count^(1/3)⌉`.
pub fn block_length(count: usize) -> usize {
    ((count as f64).cbrt().ceil() as usize).max(1)
}

impl Blocks {
    /// Returns a source of resamples of `count` observations in blocks of `block`.
    pub fn new(count: usize, block: usize, seed: u64) -> Blocks {
        Blocks { rng: ChaCha12Rng::seed_from_u64(seed), count, block: block.clamp(1, count.max(1)) }
    }

    /// Returns the indices of one resample, `count` of them.
    pub fn draw(&mut self) -> Vec<usize> {
        let mut picks = Vec::with_capacity(self.count + self.block);
        while picks.len() < self.count {
            let start = below(&mut self.rng, self.count);
            picks.extend((start..start + self.block).map(|i| i % self.count));
        }
        picks.truncate(self.count);
        picks
    }

    /// Returns how many whole blocks a resample has: the number of independent draws in it.
    pub fn independent(&self) -> usize {
        self.count / self.block
    }
}

/// Returns a uniform number below `n`.
pub fn below(rng: &mut ChaCha12Rng, n: usize) -> usize {
    ((u128::from(rng.next_u64()) * n as u128) >> 64) as usize
}

/// Returns a uniform number in (0, 1).
pub fn uniform(rng: &mut ChaCha12Rng) -> f64 {
    ((rng.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

/// Returns a standard normal number.
pub fn normal(rng: &mut ChaCha12Rng) -> f64 {
    Normal::standard().inverse_cdf(uniform(rng))
}

/// Returns the parameter of an estimate and its resampled values (at least ten finite ones, else
/// not identified). The plain percentile interval is too short for few draws: it is widened by
/// Student's over the normal quantile and √(n/(n−1)), with n the independent blocks.
pub fn parameter(value: f64, resampled: &[f64], independent: usize) -> Parameter {
    let mut finite: Vec<f64> = resampled.iter().copied().filter(|v| v.is_finite()).collect();
    if finite.len() < 10.max(resampled.len() / 2) || independent < 3 || !value.is_finite() {
        return Parameter::assumed(value, 0.0, "too few blocks to tell its spread");
    }
    finite.sort_by(f64::total_cmp);
    let n = independent as f64;
    let student = StudentsT::new(0.0, 1.0, n - 1.0).map_or(f64::NAN, |t| t.inverse_cdf(1.0 - TAIL));
    let widen = student / Normal::standard().inverse_cdf(1.0 - TAIL) * (n / (n - 1.0)).sqrt();
    let at = |p: f64| value + (quantile_sorted(&finite, p) - value) * widen;
    let (lower, upper) = (at(TAIL).min(value), at(1.0 - TAIL).max(value));
    Parameter::known(value, variance(&finite).sqrt() * widen, lower, upper)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::mean;

    #[test]
    fn blocks_are_whole_and_fill_the_sample() {
        let mut blocks = Blocks::new(10, 4, 1);
        for _ in 0..50 {
            let picks = blocks.draw();
            assert_eq!(picks.len(), 10);
            for pair in picks.windows(2).enumerate().filter(|(i, _)| (i + 1) % 4 != 0) {
                assert_eq!(pair.1[1], (pair.1[0] + 1) % 10);
            }
        }
        assert_eq!((block_length(1), block_length(27), block_length(1_000)), (1, 3, 10));
    }

    /// The interval of a mean of dependent numbers must cover the truth about as often as it
    /// says; single draws (blocks of one) must not.
    #[test]
    fn block_intervals_cover_the_mean_of_a_dependent_series() {
        let mut rng = ChaCha12Rng::seed_from_u64(3);
        let (mut by_block, mut single) = (0, 0);
        for run in 0..200 {
            let mut x = 0.0;
            let series: Vec<f64> = (0..240)
                .map(|_| {
                    x = 0.6 * x + normal(&mut rng);
                    x
                })
                .collect();
            for (length, covered) in [(16, &mut by_block), (1, &mut single)] {
                let mut blocks = Blocks::new(series.len(), length, run);
                let means: Vec<f64> = (0..200)
                    .map(|_| mean(&blocks.draw().iter().map(|&i| series[i]).collect::<Vec<_>>()))
                    .collect();
                let p = parameter(mean(&series), &means, blocks.independent());
                *covered += u32::from(p.lower <= 0.0 && 0.0 <= p.upper);
            }
        }
        assert!((178..=200).contains(&by_block), "{by_block} of 200");
        assert!(single < 160, "{single} of 200");
    }
}
