//! The no-trade region of a mean-variance investor with proportional costs.
//!
//! Holding fraction `w` over the forecast's horizon is worth `mean·w − variance·w²/(2·multiplier)`
//! (quadratic growth rate at fractional Kelly `multiplier`). Moving away from zero costs two
//! sides a unit, because what is opened must be closed again; moving towards zero costs one side.
//! The objective is concave, so the best target is: buy up to the fraction where the marginal
//! edge equals the marginal cost, sell down to the other such fraction, hold in between (Davis
//! and Norman 1990 for the shape, here for one period).

/// Edge and cost of one instrument over the forecast's horizon. Fractions, not basis points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    /// Signed mean that may be used to add risk: shrunk, and 0 where its lower bound does not
    /// cover the round trip. Never larger in size than `hold`, never of the other sign.
    pub entry: f64,
    /// Signed plain mean that judges a position already held: doubt is no reason to keep it.
    pub hold: f64,
    /// Cost of one side, at least 0.
    pub cost_side: f64,
    /// Predictive variance, positive.
    pub variance: f64,
    /// Fraction of full Kelly, (0, 1].
    pub multiplier: f64,
}

impl Edge {
    /// Returns the largest fraction it pays to build up in the direction `sign` from flat, not
    /// negative.
    pub fn build_up(&self, sign: f64) -> f64 {
        let beyond_cost = sign * self.entry - 2.0 * self.cost_side;
        (self.multiplier * beyond_cost / self.variance).max(0.0)
    }

    /// Returns the fraction to hold for a present fraction `position`; additions stop at
    /// `cap` (not negative).
    pub fn target(&self, position: f64, cap: f64) -> f64 {
        let sign = if position < 0.0 { -1.0 } else { 1.0 };
        let held = sign * position;
        let buy_up_to = self.build_up(sign).min(cap);
        let sell_down_to = self.multiplier * (sign * self.hold + self.cost_side) / self.variance;
        let target = if held < buy_up_to {
            buy_up_to
        } else if held <= sell_down_to {
            held
        } else if sell_down_to > 0.0 {
            sell_down_to
        } else {
            // The edge is against the position by more than the exit costs: close, and build up
            // the other side as far as it pays from flat.
            -self.build_up(-sign).min(cap)
        };
        sign * target
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn utility(e: &Edge, from: f64, w: f64) -> f64 {
        let (near, far) = (from.abs(), w.abs());
        let cost = if from * w < 0.0 {
            near + 2.0 * far
        } else if far > near {
            2.0 * (far - near)
        } else {
            near - far
        };
        e.hold * w - 0.5 * e.variance * w * w / e.multiplier - e.cost_side * cost
    }

    proptest! {
        /// Naive oracle: no point of a fine grid is worth more than the target.
        #[test]
        fn the_target_is_worth_no_less_than_any_other(
            mean in -20.0..20.0f64, cost in 0.0..8.0f64, sd in 1.0..40.0f64,
            position in -1.0..1.0f64, multiplier in 0.05..1.0f64,
        ) {
            let scale = 1e-4;
            let e = Edge {
                entry: mean * scale, hold: mean * scale, cost_side: cost * scale,
                variance: (sd * scale).powi(2) * 1e4, multiplier,
            };
            let target = e.target(position, f64::MAX);
            let best = utility(&e, position, target);
            for i in -400..=400 {
                let w = f64::from(i) * 0.005;
                prop_assert!(utility(&e, position, w) <= best + 1e-15, "{} beats {}", w, target);
            }
        }

        #[test]
        fn flipping_every_sign_flips_the_target(
            entry in 0.0..1.0f64, hold in -20.0..20.0f64, cost in 0.0..8.0f64,
            position in -1.0..1.0f64, cap in 0.0..1.0f64,
        ) {
            let e = Edge {
                entry: entry * hold, hold, cost_side: cost, variance: 20.0, multiplier: 0.25,
            };
            let f = Edge { entry: -e.entry, hold: -hold, ..e };
            if position != 0.0 {
                prop_assert_eq!(e.target(position, cap), -f.target(-position, cap));
            }
        }
    }
}
