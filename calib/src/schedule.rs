//! Execution schedules of Almgren and Chriss (2000) in whole shares, with their expected cost
//! and risk.

use ijk_execution::almgren_chriss::{LinearImpact, holdings};

/// Most slices of one schedule.
const SLICE_COUNT_MAX: u32 = 100_000;

/// What is to be scheduled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScheduleInput {
    /// Shares, positive.
    pub qty: i64,
    /// Price at the start, currency.
    pub price: f64,
    /// Daily volatility, basis points.
    pub volatility_bps_per_day: f64,
    /// Time allowed, days.
    pub horizon_days: f64,
    /// Number of equal slices.
    pub slices: u32,
    /// Risk aversion λ, 1/currency; 0 minimises expected cost alone.
    pub risk_aversion_per_usd: f64,
    /// Impact coefficients.
    pub impact: ImpactCoefficients,
}

/// Coefficients of linear impact, in currency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ImpactCoefficients {
    /// Fixed cost of one share: half the spread and fees.
    pub epsilon: f64,
    /// Temporary impact: price move per (share a day).
    pub eta: f64,
    /// Permanent impact: price move per share.
    pub gamma: f64,
}

impl ImpactCoefficients {
    /// The rule of the paper's example: half the spread is paid always; each 1 % of the daily
    /// volume traded in a day moves the price temporarily by one spread, each 10 % permanently.
    pub fn from_spread_and_volume(spread: f64, daily_volume: f64) -> ImpactCoefficients {
        ImpactCoefficients {
            epsilon: 0.5 * spread,
            eta: spread / (0.01 * daily_volume),
            gamma: spread / (0.1 * daily_volume),
        }
    }
}

/// One slice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slice {
    /// Start, days from the order's start.
    pub start_days: f64,
    /// End.
    pub end_days: f64,
    /// Shares to trade in it.
    pub qty: i64,
    /// Shares left after it.
    pub left: i64,
}

/// A schedule and what it is expected to cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Slices in order; their quantities add up to the order exactly.
    pub slices: Vec<Slice>,
    /// Urgency κ, 1/day; 0 is an even pace.
    pub kappa_per_day: f64,
    /// Expected cost against the price at the start, currency.
    pub expected_cost: f64,
    /// Standard deviation of the cost, currency.
    pub cost_std: f64,
    /// The same two for an even pace, for comparison.
    pub even_pace: (f64, f64),
}

/// Why no schedule can be given.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum ScheduleError {
    /// An input is out of range.
    #[error("{field} is {found}: expected {expected}")]
    Range {
        /// Name of the input.
        field: &'static str,
        /// Its value.
        found: f64,
        /// What it may be.
        expected: &'static str,
    },
    /// Slices so long that permanent impact within one exceeds the temporary one: the model has
    /// no minimum.
    #[error(
        "temporary impact {eta} does not exceed half the permanent impact of one slice \
         ({half}): use more slices or check the coefficients"
    )]
    NoMinimum {
        /// η.
        eta: f64,
        /// γτ/2.
        half: f64,
    },
}

impl ScheduleInput {
    /// Returns the schedule that minimises expected cost plus λ times its variance.
    ///
    /// # Errors
    /// [`ScheduleError`].
    pub fn plan(&self) -> Result<Schedule, ScheduleError> {
        self.check()?;
        let tau = self.horizon_days / f64::from(self.slices);
        let ImpactCoefficients { epsilon, eta, gamma } = self.impact;
        let sigma = self.price * self.volatility_bps_per_day * 1e-4;
        let impact = LinearImpact { sigma, eta, gamma, epsilon, tau };
        let eta_tilde = impact.eta_tilde();
        if eta_tilde.is_nan() || eta_tilde <= 0.0 {
            return Err(ScheduleError::NoMinimum { eta, half: 0.5 * gamma * tau });
        }
        let kappa = impact.kappa(self.risk_aversion_per_usd);
        let mut left = vec![0.0; self.slices as usize + 1];
        holdings(self.qty as f64, 0.0, tau, &mut left);
        let (even_cost, even_variance) = impact.cost_moments(&left);
        holdings(self.qty as f64, kappa, tau, &mut left);
        let (expected_cost, variance) = impact.cost_moments(&left);
        Ok(Schedule {
            slices: whole_shares(&left, tau),
            kappa_per_day: kappa,
            expected_cost,
            cost_std: variance.sqrt(),
            even_pace: (even_cost, even_variance.sqrt()),
        })
    }

    fn check(&self) -> Result<(), ScheduleError> {
        let range = |field, found, expected| Err(ScheduleError::Range { field, found, expected });
        if !(1..1 << 53).contains(&self.qty) {
            return range("qty", self.qty as f64, "a positive number of shares");
        }
        if !(1..=SLICE_COUNT_MAX).contains(&self.slices) {
            return range("slices", f64::from(self.slices), "1 to 100000");
        }
        for (field, found) in [
            ("price", self.price),
            ("volatility", self.volatility_bps_per_day),
            ("horizon", self.horizon_days),
            ("eta", self.impact.eta),
        ] {
            if !(found.is_finite() && found > 0.0) {
                return range(field, found, "a positive number");
            }
        }
        for (field, found) in [
            ("risk aversion", self.risk_aversion_per_usd),
            ("epsilon", self.impact.epsilon),
            ("gamma", self.impact.gamma),
        ] {
            if !(found.is_finite() && found >= 0.0) {
                return range(field, found, "zero or a positive number");
            }
        }
        Ok(())
    }
}

/// Rounds what is left after each slice to whole shares: what is traded adds up exactly.
fn whole_shares(left: &[f64], tau: f64) -> Vec<Slice> {
    let rounded = |x: f64| x.round() as i64;
    left.windows(2)
        .enumerate()
        .map(|(i, pair)| Slice {
            start_days: i as f64 * tau,
            end_days: (i + 1) as f64 * tau,
            qty: rounded(pair[0]) - rounded(pair[1]),
            left: rounded(pair[1]),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The example of Almgren and Chriss (2000), section 3.4.
    const PAPER: ScheduleInput = ScheduleInput {
        qty: 1_000_000,
        price: 50.0,
        volatility_bps_per_day: 190.0,
        horizon_days: 5.0,
        slices: 5,
        risk_aversion_per_usd: 1e-6,
        impact: ImpactCoefficients { epsilon: 0.0625, eta: 2.5e-6, gamma: 2.5e-7 },
    };

    #[test]
    fn the_papers_rule_gives_the_papers_coefficients() {
        let rule = ImpactCoefficients::from_spread_and_volume(0.125, 5e6);
        let paper = PAPER.impact;
        for (a, b) in
            [(rule.epsilon, paper.epsilon), (rule.eta, paper.eta), (rule.gamma, paper.gamma)]
        {
            assert!((a / b - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn the_papers_schedule_cost_and_risk() {
        let schedule = PAPER.plan().unwrap();
        let left: Vec<i64> = schedule.slices.iter().map(|s| s.left).collect();
        assert_eq!(left, [541_956, 289_854, 147_897, 62_142, 0]);
        assert!((schedule.kappa_per_day - 0.607_076).abs() < 5e-7);
        assert!((schedule.expected_cost - 911_226.99).abs() < 0.01);
        assert!((schedule.cost_std - 603_430.67).abs() < 0.01);
        assert!((schedule.even_pace.0 - 662_500.0).abs() < 1e-6);
        assert!((schedule.even_pace.1 - 1_040_672.86).abs() < 0.01);
    }

    #[test]
    fn bad_inputs_are_named() {
        for (input, field) in [
            (ScheduleInput { qty: 0, ..PAPER }, "qty is 0"),
            (ScheduleInput { slices: 0, ..PAPER }, "slices is 0"),
            (ScheduleInput { slices: 200_000, ..PAPER }, "slices is 200000"),
            (ScheduleInput { price: f64::NAN, ..PAPER }, "price is NaN"),
            (ScheduleInput { risk_aversion_per_usd: -1.0, ..PAPER }, "risk aversion is -1"),
        ] {
            let error = input.plan().unwrap_err().to_string();
            assert!(error.starts_with(field), "{error}");
        }
        let steep = ImpactCoefficients { gamma: 5e-6, ..PAPER.impact };
        let error = ScheduleInput { impact: steep, ..PAPER }.plan();
        assert!(matches!(error, Err(ScheduleError::NoMinimum { .. })));
    }

    proptest! {
        #[test]
        fn shares_add_up_and_risk_aversion_buys_less_risk_for_more_cost(
            qty in 1i64..5_000_000,
            slices in 1u32..200,
            lambda in 0.0..1e-4f64,
        ) {
            let input =
                ScheduleInput { qty, slices, risk_aversion_per_usd: lambda, ..PAPER };
            let schedule = input.plan().unwrap();
            prop_assert_eq!(schedule.slices.iter().map(|s| s.qty).sum::<i64>(), qty);
            prop_assert!(schedule.slices.iter().all(|s| s.qty >= 0 && s.left >= 0));
            prop_assert_eq!(schedule.slices[slices as usize - 1].left, 0);
            let (cost, std) = schedule.even_pace;
            prop_assert!(schedule.expected_cost >= cost * (1.0 - 1e-12));
            prop_assert!(schedule.cost_std <= std * (1.0 + 1e-12) + 1e-12);
        }
    }
}
