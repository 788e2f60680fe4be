//! The schedule of one parent, evaluated one slice at a time from what is really left.

use crate::almgren_chriss::remaining_fraction;
use ijk_core::RecvTs;

/// Slices of one parent. Nothing is planned further ahead than the end of the running slice:
/// each new slice plans what is really unfilled over the time that is really left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slices {
    start: RecvTs,
    tau_ns: u64,
    count: u64,
    /// κ per slice (dimensionless).
    kappa_tau: f64,
    /// Running slice; `None` before the first.
    index: Option<u64>,
    /// Left at the start of the running slice, fractional.
    before: f64,
    /// To be left at its end, fractional: the fraction of a lot is carried on.
    after: f64,
}

impl Slices {
    /// Returns the slices of a horizon: as many of about `interval_ns` as fit, at least one.
    /// `kappa_tau` is κτ, not negative.
    pub fn new(start: RecvTs, horizon_ns: u64, interval_ns: u64, kappa_tau: f64) -> Slices {
        let count = slice_count(horizon_ns, interval_ns);
        Slices {
            start,
            tau_ns: (horizon_ns / count).max(1),
            count,
            kappa_tau,
            index: None,
            before: 0.0,
            after: 0.0,
        }
    }

    /// Starts the slice of `now` if it has not started; returns whether it has now. `unfilled`
    /// is everything not filled and not given up, working or not.
    pub fn advance(&mut self, now: RecvTs, unfilled: i64, lot: i64) -> bool {
        let index = (now.since_ns(self.start) / self.tau_ns).min(self.count - 1);
        if self.index.is_some_and(|i| i >= index) {
            return false;
        }
        // On schedule, `unfilled` is `after` rounded to lots, and the rounding is carried on: a
        // parent of few lots over many slices would otherwise be held back to the very end.
        let carry = match self.index {
            Some(_) => self.after - round_lots(self.after, lot) as f64,
            None => 0.0,
        };
        let to_go = (self.count - index) as f64;
        self.before = (unfilled as f64 + carry).max(0.0);
        self.after = self.before * remaining_fraction(self.kappa_tau, to_go, to_go - 1.0);
        self.index = Some(index);
        true
    }

    /// Returns what the running slice holds back, whole lots; all before the first slice is
    /// `unfilled`, nothing in the last.
    pub fn held_back(&self, unfilled: i64, lot: i64) -> i64 {
        match self.index {
            None => unfilled,
            Some(i) if i + 1 == self.count => 0,
            Some(_) => round_lots(self.after, lot).clamp(0, unfilled),
        }
    }

    /// Returns what should be left unfilled at `now`, a straight line through the running slice.
    pub fn planned_left(&self, now: RecvTs) -> f64 {
        let Some(index) = self.index else { return f64::MAX };
        let into = now.since_ns(self.start).saturating_sub(index * self.tau_ns) as f64;
        let part = (into / self.tau_ns as f64).min(1.0);
        self.before + (self.after - self.before) * part
    }

    /// Returns when the next slice starts, or `None` in the last.
    pub fn next_start(&self) -> Option<RecvTs> {
        let next = self.index.map_or(0, |i| i + 1);
        (next < self.count).then(|| self.start.plus_ns(next * self.tau_ns))
    }
}

/// Returns how many slices of about `interval_ns` a horizon has, at least one.
pub fn slice_count(horizon_ns: u64, interval_ns: u64) -> u64 {
    (horizon_ns / interval_ns.max(1)).max(1)
}

fn round_lots(quantity: f64, lot: i64) -> i64 {
    (quantity / lot as f64).round() as i64 * lot
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Releases per slice when every release fills at once.
    fn releases(qty: i64, lot: i64, count: u64, kappa_tau: f64) -> Vec<i64> {
        let mut slices = Slices::new(RecvTs(7), count * 1_000, 1_000, kappa_tau);
        let mut unfilled = qty;
        (0..count)
            .map(|j| {
                assert!(slices.advance(RecvTs(7 + j * 1_000), unfilled, lot));
                let released = unfilled - slices.held_back(unfilled, lot);
                unfilled -= released;
                released
            })
            .collect()
    }

    #[test]
    fn without_risk_aversion_the_schedule_is_twap() {
        assert_eq!(releases(100, 1, 5, 0.0), [20; 5]);
        // Three lots over nine slices come evenly, not at the end.
        assert_eq!(releases(3, 1, 9, 0.0), [0, 1, 0, 0, 1, 0, 0, 1, 0]);
    }

    #[test]
    fn the_example_of_the_paper_in_shares() {
        let left = [541_956, 289_854, 147_897, 62_142, 0];
        let mut open = 1_000_000;
        let kappa = crate::almgren_chriss::kappa_from_squared(1e-6 * 0.95 * 0.95 / 2.375e-6, 1.0);
        for (released, left) in releases(1_000_000, 1, 5, kappa).into_iter().zip(left) {
            open -= released;
            assert_eq!(open, left);
        }
    }

    #[test]
    fn missed_slices_are_planned_over_what_is_left() {
        let mut slices = Slices::new(RecvTs(0), 10_000, 1_000, 0.0);
        slices.advance(RecvTs(0), 100, 1);
        assert_eq!(slices.held_back(100, 1), 90);
        // Nothing filled and five slices passed: a fifth of all, not six tenths at once.
        slices.advance(RecvTs(5_500), 100, 1);
        assert_eq!(slices.held_back(100, 1), 80);
        assert_eq!(slices.next_start(), Some(RecvTs(6_000)));
        slices.advance(RecvTs(99_000), 100, 1);
        assert_eq!((slices.held_back(100, 1), slices.next_start()), (0, None));
    }

    proptest! {
        #[test]
        fn releases_add_up_to_the_parent_in_whole_lots(
            lots in 1i64..5_000, lot in 1i64..200, count in 1u64..200, kappa in 0.0..3.0f64,
        ) {
            let r = releases(lots * lot, lot, count, kappa);
            prop_assert_eq!(r.iter().sum::<i64>(), lots * lot);
            prop_assert!(r.iter().all(|q| *q >= 0 && q % lot == 0));
        }

        #[test]
        fn without_urgency_no_release_is_a_lot_off_the_even_pace(
            lots in 1i64..5_000, count in 1u64..200,
        ) {
            let mut done = 0;
            for (j, q) in releases(lots, 1, count, 0.0).into_iter().enumerate() {
                done += q;
                let even = lots as f64 * (j + 1) as f64 / count as f64;
                prop_assert!((done as f64 - even).abs() <= 0.5 + 1e-6, "{} {}", done, even);
            }
        }

        #[test]
        fn more_urgency_is_never_later(
            lots in 1i64..5_000, count in 1u64..100, calm in 0.0..2.0f64, more in 0.0..2.0f64,
        ) {
            let (a, b) = (releases(lots, 1, count, calm), releases(lots, 1, count, calm + more));
            let (mut slow, mut fast) = (0, 0);
            for (x, y) in a.into_iter().zip(b) {
                slow += x;
                fast += y;
                prop_assert!(fast >= slow);
            }
        }
    }
}
