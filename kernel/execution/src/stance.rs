//! Rest or take: which of the two is expected to cost less.
//!
//! All in half-spreads against the mid, positive a cost. Taking costs 1. Resting earns 1 less the
//! adverse selection where it fills, probability P; where it does not, the rest is done later at
//! what that costs on average, V, after the price went D further away:
//! `P(a − 1) + (1 − P)(V + D)`. P is that of a queue of `ahead + own` eaten at the rate of those
//! who trade against this side: `1 − exp(−θ·rate·time/(ahead + own))`, so a place far forward is
//! worth much and is not given up lightly. D is the signal, that is the imbalance at the touch (the
//! microprice: Stoikov 2018) and the order flow (Cont, Kukanov, Stoikov 2014), times how far the
//! mid of this instrument has lately gone with it. V rises from a half on
//! schedule to 1 a slice behind it: what is late will have to take, but not at once where a fill is
//! near or the price is coming.

/// A stance must be this much worse than the other before it is left.
const HYSTERESIS: f64 = 0.15;
/// What is late goes on resting where that costs less than this.
const WORTH_WAITING: f64 = 0.75;
/// Furthest that the signal is believed to move the price, half-spreads.
const DRIFT_MAX: f64 = 1.5;

/// What a parent does with what is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stance {
    /// Rests at its own touch.
    #[default]
    Rest,
    /// Takes at the far touch.
    Take,
}

/// What the choice depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Choice {
    /// Quantity before ours in the queue and ours.
    pub queue: f64,
    /// Volume a second that trades against our side.
    pub against_per_s: f64,
    /// Seconds that it may rest.
    pub time_s: f64,
    /// Imbalance at the touch and a quarter of the flow in touch sizes, [−1.5, 1.5], positive
    /// where the price is expected to leave us.
    pub signal: f64,
    /// Slices behind the schedule, negative ahead of it.
    pub slices_behind: f64,
    /// Fills a unit of volume, θ.
    pub hazard: f64,
    /// Half-spreads of drift a unit of signal.
    pub gain: f64,
    /// Adverse selection a, half-spreads.
    pub adverse: f64,
}

impl Choice {
    /// Probability that a resting order fills in time.
    pub fn fill_probability(&self) -> f64 {
        let eaten = self.hazard * self.against_per_s * self.time_s;
        -(-eaten / self.queue.max(1.0)).exp_m1()
    }

    /// Expected cost of resting, half-spreads.
    pub fn rest_cost(&self) -> f64 {
        let p = self.fill_probability();
        let drift = (self.gain * self.signal).clamp(-DRIFT_MAX, DRIFT_MAX);
        let later = (0.5 + 0.5 * self.slices_behind).clamp(0.0, 1.0);
        p * (self.adverse - 1.0) + (1.0 - p) * (later + drift)
    }
}

impl Choice {
    /// Returns whether what is late should go on resting a while.
    pub fn is_worth_waiting(&self) -> bool {
        self.rest_cost() < WORTH_WAITING
    }
}

impl Stance {
    /// Returns the stance after `choice`.
    pub fn next(self, choice: &Choice) -> Stance {
        let cost = choice.rest_cost();
        match self {
            Stance::Rest if cost > 1.0 + HYSTERESIS => Stance::Take,
            Stance::Take if cost < 1.0 - HYSTERESIS => Stance::Rest,
            stays => stays,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CALM: Choice = Choice {
        queue: 500.0,
        against_per_s: 20.0,
        time_s: 5.0,
        signal: 0.0,
        slices_behind: 0.0,
        hazard: 1.0,
        gain: 1.0,
        adverse: 0.5,
    };

    #[test]
    fn a_calm_market_is_rested_in_and_one_that_runs_away_is_taken() {
        assert_eq!(Stance::Rest.next(&CALM), Stance::Rest);
        let runs = Choice { signal: 1.4, ..CALM };
        assert_eq!(Stance::Rest.next(&runs), Stance::Take);
        // Late and nothing trades against us: the same signal weighs more.
        let some = Choice { signal: 0.5, ..CALM };
        assert_eq!(Stance::Rest.next(&some), Stance::Rest);
        let late = Choice { slices_behind: 1.0, against_per_s: 1.0, ..some };
        assert_eq!(Stance::Rest.next(&late), Stance::Take);
        // At the front of the queue the fill is near: stay.
        let front = Choice { queue: 10.0, ..runs };
        assert_eq!(Stance::Rest.next(&front), Stance::Rest);
    }

    #[test]
    fn what_is_late_waits_for_a_fill_or_a_price_that_comes() {
        let late = Choice { slices_behind: 2.0, against_per_s: 1.0, ..CALM };
        assert!(!late.is_worth_waiting());
        assert!(Choice { signal: -0.6, ..late }.is_worth_waiting());
        assert!(Choice { queue: 5.0, ..late }.is_worth_waiting());
        assert!(!Choice { signal: 0.6, ..late }.is_worth_waiting());
    }

    #[test]
    fn between_the_thresholds_nothing_changes() {
        let close = Choice { against_per_s: 0.0, slices_behind: 1.0, ..CALM };
        assert!((close.rest_cost() - 1.0).abs() < 1e-12);
        assert_eq!(Stance::Rest.next(&close), Stance::Rest);
        assert_eq!(Stance::Take.next(&close), Stance::Take);
    }

    proptest! {
        #[test]
        fn a_place_further_forward_never_makes_it_take(
            queue in 1.0..1e5f64, part in 0.0..1.0f64, rate in 0.0..1e3f64,
            signal in 0.0..1.0f64, behind in 0.0..3.0f64,
        ) {
            let back =
                Choice { queue, against_per_s: rate, signal, slices_behind: behind, ..CALM };
            let front = Choice { queue: queue * part, ..back };
            prop_assert!(front.fill_probability() >= back.fill_probability());
            prop_assert!(front.rest_cost() <= back.rest_cost() + 1e-12);
            prop_assert!((0.0..=1.0).contains(&back.fill_probability()));
        }
    }
}
