//! Prices before the session: no record of them exists, so a fixed smooth curve stands in that
//! meets the session's first price. Same seed, same stock, same time: same price.

use super::bars::Bar;
use crate::num::Shares;

/// Periods of the waves, seconds, and their amplitudes.
const WAVES: [(f64, f64); 6] = [
    (31_000_000.0, 0.12),
    (5_200_000.0, 0.05),
    (610_000.0, 0.02),
    (41_000.0, 0.006),
    (3_700.0, 0.0015),
    (410.0, 0.0005),
];

/// The curve of one stock.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    seed: u64,
    anchor_ns: u64,
    anchor_px: i64,
}

impl Past {
    /// Returns the curve that passes `anchor_px` (1e-9) at `anchor_ns`.
    pub fn new(seed: u64, anchor_ns: u64, anchor_px: i64) -> Past {
        Past { seed, anchor_ns, anchor_px }
    }

    fn log(&self, ns: u64) -> f64 {
        let s = ns as f64 / 1e9;
        let wave = |(i, (period, size)): (usize, &(f64, f64))| {
            let phase = (hash(self.seed, i as u64) % 10_000) as f64 / 10_000.0;
            size * ((s / period + phase) * std::f64::consts::TAU).sin()
        };
        WAVES.iter().enumerate().map(wave).sum()
    }

    /// Returns the price at a time, 1e-9 and on the cent.
    pub fn px(&self, ns: u64) -> i64 {
        let ratio = (self.log(ns) - self.log(self.anchor_ns)).exp();
        ((self.anchor_px as f64 * ratio / 1e7).round() as i64).max(1) * 10_000_000
    }

    /// Returns the bar of `from..to`.
    pub fn bar(&self, from: u64, to: u64) -> Bar {
        let length = to.saturating_sub(from);
        let mut bar = Bar::flat(from, self.px(from));
        for quarter in 1..=4 {
            bar.join(&Bar::flat(from, self.px(from + length / 4 * quarter)));
        }
        // Some wick beyond the curve, and volume in proportion to time.
        let noise = hash(self.seed ^ 0x5eed, from);
        bar.high_px += (noise % 5) as i64 * 10_000_000;
        bar.low_px = (bar.low_px - (noise / 5 % 5) as i64 * 10_000_000).max(10_000_000);
        let seconds = (length / 1_000_000_000).max(1) as i64;
        let shares = seconds.saturating_mul(20 + (noise / 25 % 30) as i64);
        bar.volume = Shares::whole(shares.min(1_000_000_000));
        bar.count = i32::try_from(shares / 80 + 1).unwrap_or(i32::MAX);
        bar.turnover =
            crate::num::price_f64((bar.open_px + bar.close_px) / 2) * bar.volume.as_f64();
        bar
    }
}

/// Returns a well-mixed number of two (SplitMix64's finaliser).
pub fn hash(a: u64, b: u64) -> u64 {
    let mut z =
        a.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(b.wrapping_mul(0xbf58_476d_1ce4_e5b9));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SECOND;

    #[test]
    fn the_past_meets_the_session_and_its_bars_hold_their_prices() {
        let now = 1_741_012_200 * SECOND;
        let past = Past::new(7, now, 100_000_000_000);
        assert_eq!(past.px(now), 100_000_000_000);
        for i in 0..500 {
            let from = now - (i + 1) * 3_600 * SECOND;
            let bar = past.bar(from, from + 3_600 * SECOND);
            assert!(bar.low_px <= bar.open_px.min(bar.close_px), "{bar:?}");
            assert!(bar.high_px >= bar.open_px.max(bar.close_px), "{bar:?}");
            assert_eq!(bar.open_px, past.px(from));
            assert!(bar.volume.0 > 0 && bar.low_px > 0);
        }
    }
}
