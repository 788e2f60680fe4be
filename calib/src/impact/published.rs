//! Expected cost of a large order in US shares: Almgren, Thum, Hauptmann, Li (2005), "Direct
//! estimation of equity market impact".
//!
//! Permanent impact `I = γσ(X/V)(Θ/V)^¼`, temporary impact `K = ησ|X/(VT)|^β`, cost of the whole
//! order against the arrival price `J = I/2 + K`: X shares of a stock with daily volume V,
//! shares outstanding Θ and daily volatility σ, at an even pace over T days of volume time.

/// A number with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Value.
    pub value: f64,
    /// Standard error, same unit.
    pub standard_error: f64,
}

const fn estimate(value: f64, standard_error: f64) -> Estimate {
    Estimate { value, standard_error }
}

/// Coefficients of the model, dimensionless.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ImpactModel {
    /// Permanent impact γ.
    pub gamma: Estimate,
    /// Temporary impact η.
    pub eta: Estimate,
    /// Exponent β of the trade rate.
    pub beta: Estimate,
}

/// Exponent of Θ/V, fixed at one quarter in the paper.
const INVERSE_TURNOVER_EXPONENT: f64 = 0.25;
/// The paper's tables show orders up to this part of the daily volume.
const TABULATED_FRACTION_MAX: f64 = 0.1;

/// One order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrderSize {
    /// Shares X, positive; the cost of buying and selling is the same.
    pub qty: f64,
    /// Shares V traded on an average day.
    pub daily_volume: f64,
    /// Shares outstanding Θ.
    pub shares_outstanding: f64,
    /// Daily volatility σ, basis points.
    pub volatility_bps_per_day: f64,
    /// Duration T, days of volume time (1 is a whole session).
    pub horizon_days: f64,
}

/// Expected cost in basis points of the order's value at arrival. The standard errors carry the
/// uncertainty of the coefficients alone (first order, taken as independent).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Permanent impact I.
    pub permanent_bps: Estimate,
    /// Temporary impact K.
    pub temporary_bps: Estimate,
    /// Cost J of the order: half the permanent impact and the temporary one.
    pub total_bps: Estimate,
    /// Standard deviation of one order's realised cost from the price's own movement at an even
    /// pace, σ√(T/3): usually far above the cost itself.
    pub one_order_noise_bps: f64,
}

/// Why no cost can be given.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum ImpactError {
    /// An input is not a positive finite number.
    #[error("{field} is {found}: expected a positive number")]
    NotPositive {
        /// Name of the input.
        field: &'static str,
        /// Its value.
        found: f64,
    },
}

impl ImpactModel {
    /// The coefficients published for US large-capitalisation shares.
    pub const ALMGREN_2005: ImpactModel = ImpactModel {
        gamma: estimate(0.314, 0.041),
        eta: estimate(0.142, 0.0062),
        beta: estimate(0.600, 0.038),
    };

    /// Returns the expected cost of `order`.
    ///
    /// # Errors
    /// [`ImpactError::NotPositive`] names the first input that is not a positive finite number.
    pub fn predict(&self, order: &OrderSize) -> Result<Cost, ImpactError> {
        order.check()?;
        let fraction = order.qty / order.daily_volume;
        let rate = fraction / order.horizon_days;
        let inverse_turnover = order.shares_outstanding / order.daily_volume;
        let sigma = order.volatility_bps_per_day;

        let permanent_unit = sigma * fraction * inverse_turnover.powf(INVERSE_TURNOVER_EXPONENT);
        let permanent =
            estimate(self.gamma.value * permanent_unit, self.gamma.standard_error * permanent_unit);

        let temporary_unit = sigma * rate.powf(self.beta.value);
        let temporary_value = self.eta.value * temporary_unit;
        let by_eta = temporary_unit * self.eta.standard_error;
        let by_beta = temporary_value * rate.ln() * self.beta.standard_error;
        let temporary = estimate(temporary_value, by_eta.hypot(by_beta));

        let total = estimate(
            0.5 * permanent.value + temporary.value,
            (0.5 * permanent.standard_error).hypot(temporary.standard_error),
        );
        Ok(Cost {
            permanent_bps: permanent,
            temporary_bps: temporary,
            total_bps: total,
            one_order_noise_bps: sigma * (order.horizon_days / 3.0).sqrt(),
        })
    }
}

impl OrderSize {
    fn check(&self) -> Result<(), ImpactError> {
        for (field, found) in [
            ("qty", self.qty),
            ("daily volume", self.daily_volume),
            ("shares outstanding", self.shares_outstanding),
            ("volatility", self.volatility_bps_per_day),
            ("horizon", self.horizon_days),
        ] {
            if !(found.is_finite() && found > 0.0) {
                return Err(ImpactError::NotPositive { field, found });
            }
        }
        Ok(())
    }

    /// Returns what a reader of the prediction must know, one sentence each.
    pub fn cautions(&self) -> Vec<&'static str> {
        let mut cautions = Vec::new();
        if self.qty / self.daily_volume > TABULATED_FRACTION_MAX {
            cautions.push("the order is larger than the paper's tabulated ones: extrapolated");
        }
        if self.horizon_days > 1.0 {
            cautions.push("the horizon is longer than one day: extrapolated");
        }
        if self.shares_outstanding < self.daily_volume {
            cautions.push("more than all shares outstanding trade in a day: check the inputs");
        }
        cautions
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ibm(horizon_days: f64) -> OrderSize {
        OrderSize {
            qty: 656_100.0,
            daily_volume: 6_561_000.0,
            shares_outstanding: 1_728_000_000.0,
            volatility_bps_per_day: 157.0,
            horizon_days,
        }
    }

    fn dri(horizon_days: f64) -> OrderSize {
        OrderSize {
            qty: 192_900.0,
            daily_volume: 1_929_000.0,
            shares_outstanding: 168_000_000.0,
            volatility_bps_per_day: 226.0,
            horizon_days,
        }
    }

    /// The paper's two examples at a tenth of the daily volume, to two digits (the paper rounds
    /// them to whole basis points: 20; 22, 15, 8; 32, 25, 18 and 22; 32, 21, 12; 43, 32, 23).
    #[test]
    fn the_examples_of_the_paper() {
        let golden = [
            (ibm as fn(f64) -> OrderSize, 19.86, [22.29, 14.71, 8.49], [32.22, 24.64, 18.42]),
            (dri, 21.68, [32.09, 21.17, 12.22], [42.93, 32.01, 23.06]),
        ];
        for (order, permanent, temporary, total) in golden {
            for (i, horizon_days) in [0.1, 0.2, 0.5].into_iter().enumerate() {
                let cost = ImpactModel::ALMGREN_2005.predict(&order(horizon_days)).unwrap();
                for (found, expected) in [
                    (cost.permanent_bps, permanent),
                    (cost.temporary_bps, temporary[i]),
                    (cost.total_bps, total[i]),
                ] {
                    assert!(
                        (found.value - expected).abs() < 0.005_01,
                        "{found:?} is not {expected}"
                    );
                }
            }
        }
    }

    /// First-order errors against brute force: differences of the prediction itself.
    #[test]
    fn standard_errors_are_those_of_small_changes() {
        let base = ImpactModel::ALMGREN_2005;
        let order = ibm(0.2);
        let total = |m: ImpactModel| m.predict(&order).unwrap().total_bps.value;
        let h = 1e-6;
        let mut variance = 0.0;
        for (change, coefficient) in [
            ((|m, h| m.gamma.value += h) as fn(&mut ImpactModel, f64), base.gamma),
            (|m, h| m.eta.value += h, base.eta),
            (|m, h| m.beta.value += h, base.beta),
        ] {
            let (mut up, mut down) = (base, base);
            change(&mut up, h);
            change(&mut down, -h);
            let slope = (total(up) - total(down)) / (2.0 * h);
            variance += (slope * coefficient.standard_error).powi(2);
        }
        let cost = base.predict(&order).unwrap();
        let relative = cost.total_bps.standard_error / variance.sqrt() - 1.0;
        assert!(relative.abs() < 1e-6, "{relative}");
    }

    #[test]
    fn inputs_that_are_no_sizes_are_named() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let error = ImpactModel::ALMGREN_2005.predict(&OrderSize { qty: bad, ..ibm(0.1) });
            assert!(matches!(error, Err(ImpactError::NotPositive { field: "qty", .. })));
            let error = ImpactModel::ALMGREN_2005.predict(&ibm(bad));
            assert!(matches!(error, Err(ImpactError::NotPositive { field: "horizon", .. })));
        }
    }

    #[test]
    fn extrapolations_are_said() {
        assert!(ibm(0.5).cautions().is_empty());
        assert_eq!(OrderSize { qty: 1e6, ..ibm(0.5) }.cautions().len(), 1);
        assert_eq!(OrderSize { shares_outstanding: 1e6, ..ibm(2.0) }.cautions().len(), 2);
    }

    proptest! {
        #[test]
        fn laws_of_dimension_and_order(
            fraction in 1e-5..0.5f64,
            turnover in 10.0..1_000.0f64,
            sigma in 10.0..800.0f64,
            horizon_days in 0.01..2.0f64,
            split in 0.1..20.0f64,
        ) {
            let order = OrderSize {
                qty: fraction * 1e6,
                daily_volume: 1e6,
                shares_outstanding: turnover * 1e6,
                volatility_bps_per_day: sigma,
                horizon_days,
            };
            let model = ImpactModel::ALMGREN_2005;
            let cost = |o: &OrderSize| model.predict(o).unwrap();
            let close = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-9;
            let base = cost(&order);
            // A share split changes nothing.
            let after_split = cost(&OrderSize {
                qty: order.qty * split,
                daily_volume: order.daily_volume * split,
                shares_outstanding: order.shares_outstanding * split,
                ..order
            });
            prop_assert!(close(after_split.total_bps.value, base.total_bps.value));
            // Costs are in units of volatility.
            let calmer = cost(&OrderSize { volatility_bps_per_day: sigma / 2.0, ..order });
            prop_assert!(close(2.0 * calmer.total_bps.value, base.total_bps.value));
            let (calm, full) = (calmer.total_bps.standard_error, base.total_bps.standard_error);
            prop_assert!(close(2.0 * calm, full));
            // Twice the order: permanent linear, temporary with exponent 0.6; twice the time too.
            let larger = cost(&OrderSize { qty: 2.0 * order.qty, ..order });
            prop_assert!(close(larger.permanent_bps.value, 2.0 * base.permanent_bps.value));
            let factor = 2.0f64.powf(0.6);
            prop_assert!(close(larger.temporary_bps.value, factor * base.temporary_bps.value));
            let slower = cost(&OrderSize { horizon_days: 2.0 * horizon_days, ..order });
            prop_assert_eq!(slower.permanent_bps, base.permanent_bps);
            prop_assert!(close(factor * slower.temporary_bps.value, base.temporary_bps.value));
            prop_assert!(larger.total_bps.value > base.total_bps.value);
            prop_assert!(slower.total_bps.value < base.total_bps.value);
        }
    }
}
