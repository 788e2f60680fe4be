//! The schedule of one parent, evaluated one slice at a time from what is really left.

use crate::almgren_chriss::remaining_fraction;
use crate::curve::Curve;
use crate::resilience::edge_part;
use ijk_core::RecvTs;

/// How slices divide what is left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// Holdings fall as sinh: Almgren and Chriss, and TWAP where it is 0.
    Sinh {
        /// κτ, κ per slice, not negative.
        kappa_tau: f64,
    },
    /// Equal slices but for larger ones at both ends: Obizhaeva and Wang.
    Edges {
        /// Part of a slice's impact that is left at the next, [0, 1].
        a: f64,
    },
    /// The curve that goes with the parent.
    Curve,
    /// A part of the volume that trades, whatever the time.
    Volume {
        /// The part, (0, 1].
        rate: f64,
    },
}

/// Slices of one parent. Nothing is planned further ahead than the end of the running slice:
/// each new slice plans what is really unfilled over the time that is really left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slices {
    start: RecvTs,
    tau_ns: u64,
    count: u64,
    shape: Shape,
    /// Running slice; `None` before the first.
    index: Option<u64>,
    /// Since when the running slice is planned as it is: its start, or the last re-plan.
    from: RecvTs,
    /// Left then, fractional.
    before: f64,
    /// To be left at its end, fractional: the fraction of a lot is carried on.
    after: f64,
}

impl Slices {
    /// Returns the slices of a horizon: as many of about `interval_ns` as fit, at least one.
    pub fn new(start: RecvTs, horizon_ns: u64, interval_ns: u64, shape: Shape) -> Slices {
        let count = slice_count(horizon_ns, interval_ns);
        Slices {
            start,
            tau_ns: (horizon_ns / count).max(1),
            count,
            shape,
            index: None,
            from: start,
            before: 0.0,
            after: 0.0,
        }
    }

    /// Starts the slice of `now` if it has not started; returns whether it has now. `unfilled`
    /// is everything not filled and not given up, working or not; `curve` goes with the shape.
    pub fn advance(&mut self, now: RecvTs, unfilled: i64, lot: i64, curve: &Curve) -> bool {
        if now < self.start {
            return false;
        }
        let index = (now.since_ns(self.start) / self.tau_ns).min(self.count - 1);
        if self.index.is_some_and(|i| i >= index) {
            return false;
        }
        // On schedule, `unfilled` is `after` rounded to lots, and the rounding is carried on: a
        // parent of few lots over many slices would otherwise be held back to the very end.
        let carry = match (self.index, self.shape) {
            (Some(_), Shape::Sinh { .. } | Shape::Edges { .. } | Shape::Curve) => {
                self.after - round_lots(self.after, lot) as f64
            }
            _ => 0.0,
        };
        self.index = Some(index);
        self.from = self.start_of(index);
        self.before = (unfilled as f64 + carry).max(0.0);
        self.after = self.before * self.kept(index, curve);
        true
    }

    /// Plans what is unfilled anew from `now` on, with another shape: the rest of the running
    /// slice gets its part of the new plan, nothing of the old one is kept.
    pub fn replan(&mut self, now: RecvTs, unfilled: i64, shape: Shape, curve: &Curve) {
        self.shape = shape;
        let Some(index) = self.index else { return };
        self.from = now;
        self.before = unfilled as f64;
        self.after = match shape {
            // The large first trade is done: what the running slice holds back stays.
            Shape::Edges { .. } => self.after.min(self.before),
            _ => self.before * self.kept(index, curve),
        };
    }

    /// Follows the volume: `traded` since the parent's start of `qty`.
    pub fn follow_volume(&mut self, qty: i64, traded: i64) {
        if let Shape::Volume { rate } = self.shape {
            self.after = (qty as f64 - rate * traded as f64).max(0.0);
            self.before = self.after;
        }
    }

    /// Returns the part of `before` that is to be left at the end of slice `index`.
    fn kept(&self, index: u64, curve: &Curve) -> f64 {
        let to_go = (self.count - index) as f64;
        let into = self.from.since_ns(self.start_of(index)) as f64 / self.tau_ns as f64;
        match self.shape {
            Shape::Sinh { kappa_tau } => {
                remaining_fraction(kappa_tau, to_go - into.min(1.0), to_go - 1.0)
            }
            Shape::Edges { a } => self.edge_left(index + 1, a) / self.edge_left(index, a),
            Shape::Curve => curve.kept(self.from, self.start_of(index + 1)),
            Shape::Volume { .. } => 1.0,
        }
    }

    /// Part left after `done` trades of a schedule with larger ends.
    fn edge_left(&self, done: u64, a: f64) -> f64 {
        match done {
            0 => 1.0,
            _ if done >= self.count => 0.0,
            _ => {
                let edge = edge_part(self.count, a);
                1.0 - edge * (1.0 + (done - 1) as f64 * (1.0 - a))
            }
        }
    }

    fn start_of(&self, index: u64) -> RecvTs {
        self.start.plus_ns(index.saturating_mul(self.tau_ns))
    }

    /// Returns what the running slice holds back, whole lots; all before the first slice is
    /// `unfilled`, nothing in the last (but what the volume has not earned yet).
    pub fn held_back(&self, unfilled: i64, lot: i64) -> i64 {
        match (self.index, self.shape) {
            (None, _) => unfilled,
            (Some(_), Shape::Volume { .. }) => {
                let earned = (unfilled as f64 - self.after).max(0.0);
                unfilled - (earned / lot as f64) as i64 * lot
            }
            (Some(i), _) if i + 1 == self.count => 0,
            (Some(_), _) => round_lots(self.after, lot).clamp(0, unfilled),
        }
    }

    /// Returns what should be left unfilled at `now`, a straight line through the running slice.
    pub fn planned_left(&self, now: RecvTs) -> f64 {
        let Some(index) = self.index else { return f64::MAX };
        let length = self.start_of(index + 1).since_ns(self.from).max(1) as f64;
        let part = (now.since_ns(self.from) as f64 / length).min(1.0);
        self.before + (self.after - self.before) * part
    }

    /// Returns what the running slice is to trade, fractional.
    pub fn slice_qty(&self) -> f64 {
        self.before - self.after
    }

    /// Returns when the next slice starts, or `None` in the last.
    pub fn next_start(&self) -> Option<RecvTs> {
        let next = self.index.map_or(0, |i| i + 1);
        let timed = !matches!(self.shape, Shape::Volume { .. }) || next == 0;
        (next < self.count && timed).then(|| self.start_of(next))
    }

    /// Returns whether the schedule follows volume instead of time.
    pub fn follows_volume(&self) -> bool {
        matches!(self.shape, Shape::Volume { .. })
    }

    /// Returns when the first slice starts.
    pub fn start(&self) -> RecvTs {
        self.start
    }

    /// Length of a slice, nanoseconds.
    pub fn tau_ns(&self) -> u64 {
        self.tau_ns
    }
}

/// Returns how many slices of about `interval_ns` a horizon has, at least one.
pub fn slice_count(horizon_ns: u64, interval_ns: u64) -> u64 {
    (horizon_ns / interval_ns.max(1)).max(1)
}

fn round_lots(quantity: f64, lot: i64) -> i64 {
    let lots = quantity / lot as f64;
    // Whole numbers from here on, and far from the largest one.
    if lots.abs() >= (1u64 << 52) as f64 {
        return lots.round() as i64 * lot;
    }
    // Half away from zero without a call: the rest is exact.
    let whole = lots as i64;
    let rest = lots - whole as f64;
    (whole + i64::from(rest >= 0.5) - i64::from(rest <= -0.5)) * lot
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lots_are_rounded_half_away_from_zero(
            quantity in prop_oneof![
                -1e4..1e4f64,
                -1e17..1e17f64,
                (-4_000i64..4_000).prop_map(|halves| halves as f64 / 2.0),
                (-20i64..20).prop_map(|n| f64::from_bits((n as f64 / 2.0).to_bits() + 1)),
                (1i64..20).prop_map(|n| f64::from_bits((n as f64 / 2.0).to_bits() - 1)),
            ],
            lot in prop_oneof![Just(1i64), Just(100)],
        ) {
            let plain = (quantity / lot as f64).round() as i64 * lot;
            prop_assert_eq!(round_lots(quantity, lot), plain);
        }
    }

    /// Releases per slice when every release fills at once.
    fn releases(qty: i64, lot: i64, count: u64, kappa_tau: f64) -> Vec<i64> {
        let mut slices = Slices::new(RecvTs(7), count * 1_000, 1_000, Shape::Sinh { kappa_tau });
        let mut unfilled = qty;
        (0..count)
            .map(|j| {
                assert!(slices.advance(RecvTs(7 + j * 1_000), unfilled, lot, &Curve::EMPTY));
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
        let mut slices = Slices::new(RecvTs(0), 10_000, 1_000, Shape::Sinh { kappa_tau: 0.0 });
        slices.advance(RecvTs(0), 100, 1, &Curve::EMPTY);
        assert_eq!(slices.held_back(100, 1), 90);
        // Nothing filled and five slices passed: a fifth of all, not six tenths at once.
        slices.advance(RecvTs(5_500), 100, 1, &Curve::EMPTY);
        assert_eq!(slices.held_back(100, 1), 80);
        assert_eq!(slices.next_start(), Some(RecvTs(6_000)));
        slices.advance(RecvTs(99_000), 100, 1, &Curve::EMPTY);
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
