//! A schedule as a line: what part of the quantity is left at each moment of the horizon.

use ijk_core::RecvTs;

/// Intervals a curve has at most.
pub const CURVE_INTERVAL_COUNT_MAX: usize = 64;

/// What is left of a quantity over a window of time: 1 at its start, 0 at its end, never rising,
/// straight between knots of equal distance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Curve {
    start: RecvTs,
    end: RecvTs,
    intervals: usize,
    left: [f64; CURVE_INTERVAL_COUNT_MAX + 1],
}

impl Curve {
    /// A straight line over no time.
    pub const EMPTY: Curve = Curve {
        start: RecvTs(0),
        end: RecvTs(0),
        intervals: 0,
        left: [0.0; CURVE_INTERVAL_COUNT_MAX + 1],
    };

    /// Draws the curve over `start..end` through what is left after each of `trades`, at most
    /// [`CURVE_INTERVAL_COUNT_MAX`] of them, of any unit. Negative or unusable trades count as
    /// nothing; where nothing is left to trade the line is straight.
    pub fn from_trades(start: RecvTs, end: RecvTs, trades: &[f64]) -> Curve {
        let usable = |v: f64| if v.is_finite() { v.max(0.0) } else { 0.0 };
        let intervals = trades.len().clamp(1, CURVE_INTERVAL_COUNT_MAX);
        let trades = &trades[..trades.len().min(CURVE_INTERVAL_COUNT_MAX)];
        let total: f64 = trades.iter().copied().map(usable).sum();
        let mut curve = Curve { start, end, intervals, ..Curve::EMPTY };
        let mut done = 0.0;
        for k in 0..=intervals {
            let even = 1.0 - k as f64 / intervals as f64;
            curve.left[k] = if total > 0.0 { (1.0 - done / total).clamp(0.0, 1.0) } else { even };
            done += trades.get(k).copied().map_or(0.0, usable);
        }
        curve.left[intervals] = 0.0;
        curve
    }

    /// Returns the part left at `at`: 1 before the start, 0 from the end on.
    pub fn left(&self, at: RecvTs) -> f64 {
        let length = self.end.since_ns(self.start);
        if at >= self.end || length == 0 {
            return 0.0;
        }
        let knots = at.since_ns(self.start) as f64 / length as f64 * self.intervals as f64;
        // A boundary between slices must not fall an ulp short of its knot.
        let near = knots.round();
        let knots = if (knots - near).abs() < 1e-6 { near } else { knots };
        let k = (knots as usize).min(self.intervals.saturating_sub(1));
        let part = knots - k as f64;
        self.left[k] + (self.left[k + 1] - self.left[k]) * part
    }

    /// Returns the part of what is left at `from` that is still left at `to`.
    pub fn kept(&self, from: RecvTs, to: RecvTs) -> f64 {
        let before = self.left(from);
        if before > 0.0 { (self.left(to) / before).clamp(0.0, 1.0) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_meets_its_knots_and_ends_at_nothing() {
        let c = Curve::from_trades(RecvTs(100), RecvTs(400), &[1.0, 0.0, 3.0]);
        for (at, left) in [(0, 1.0), (100, 1.0), (150, 0.875), (200, 0.75), (300, 0.75)] {
            assert_eq!(c.left(RecvTs(at)), left, "{at}");
        }
        assert_eq!(
            (c.left(RecvTs(350)), c.left(RecvTs(400)), c.left(RecvTs(900))),
            (0.375, 0., 0.)
        );
        assert_eq!(c.kept(RecvTs(200), RecvTs(350)), 0.5);
    }

    #[test]
    fn senseless_trades_give_a_straight_line_or_count_as_nothing() {
        let c = Curve::from_trades(RecvTs(0), RecvTs(10), &[]);
        assert_eq!(c.left(RecvTs(5)), 0.5);
        let c = Curve::from_trades(RecvTs(0), RecvTs(10), &[f64::NAN, -1.0]);
        assert_eq!(c.left(RecvTs(5)), 0.5);
        let c = Curve::from_trades(RecvTs(0), RecvTs(10), &[f64::INFINITY, 2.0]);
        assert_eq!((c.left(RecvTs(5)), c.left(RecvTs(10))), (1.0, 0.0));
        assert_eq!(Curve::EMPTY.left(RecvTs(0)), 0.0);
        let many = Curve::from_trades(RecvTs(0), RecvTs(64), &[1.0; 100]);
        assert_eq!(many.left(RecvTs(32)), 0.5);
    }
}
