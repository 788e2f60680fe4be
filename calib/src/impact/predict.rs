//! What an order will cost, from what was calibrated; nothing outside the calibrated range.

use super::fit::{BETA, ETA, GAMMA, PARAMETERS};
use super::pool::Posterior;
use super::sample::{Basis, Sample};
use crate::stats::quantile;
use serde::{Deserialize, Serialize};

/// Two-sided 95 % quantile of the normal distribution.
const Z95: f64 = 1.959_963_985;

/// An order before it is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Order {
    /// Quantity, whole units.
    pub qty: f64,
    /// Time it may take, seconds.
    pub horizon_s: f64,
    /// Index into [`crate::observe::URGENCIES`].
    pub urgency: usize,
    /// Spread now, basis points; `None` takes the calibrated mean.
    pub spread_bps: Option<f64>,
}

/// What the calibrated orders were like: between their 1 % and 99 % quantiles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// X/V.
    pub size: (f64, f64),
    /// X/(VT).
    pub rate: (f64, f64),
    /// Seconds.
    pub horizon_s: (f64, f64),
    /// Parents by urgency.
    pub parents: Vec<usize>,
}

/// Expected cost against the arrival mid, basis points.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// Part of half the spread.
    pub spread_bps: f64,
    /// Temporary impact.
    pub temporary_bps: f64,
    /// Permanent impact; half of it is paid.
    pub permanent_bps: f64,
    /// Expected cost: spread, temporary, half the permanent.
    pub total_bps: f64,
    /// 95 % interval of the expected cost.
    pub lower_bps: f64,
    /// See `lower_bps`.
    pub upper_bps: f64,
    /// Standard error of the expected cost.
    pub standard_error_bps: f64,
    /// Standard deviation of one order's cost around it, σ√(T/3).
    pub one_order_noise_bps: f64,
}

/// Why nothing is predicted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PredictError {
    /// Not a number that an order can have.
    #[error("{field} is {found}: expected a positive number")]
    NotPositive {
        /// Field.
        field: &'static str,
        /// Value.
        found: f64,
    },
    /// No order like this was calibrated.
    #[error(
        "{field} is {found:.6}, outside the calibrated range {low:.6} .. {high:.6}: no \
         prediction without orders like it"
    )]
    OutOfRange {
        /// Field.
        field: &'static str,
        /// Value.
        found: f64,
        /// Smallest calibrated.
        low: f64,
        /// Largest calibrated.
        high: f64,
    },
    /// No order of this urgency was calibrated.
    #[error("no {0} order was calibrated")]
    Urgency(&'static str),
}

impl Range {
    /// Returns the range of samples; `None` without any.
    pub fn of(samples: &[Sample], basis: &Basis) -> Option<Range> {
        let of = |get: fn(&Sample) -> f64| {
            let values: Vec<f64> = samples.iter().map(get).collect();
            (quantile(&values, 0.01), quantile(&values, 0.99))
        };
        let horizon = of(|s| s.horizon);
        let count = |u: usize| samples.iter().filter(|s| s.urgency == u).count();
        (!samples.is_empty()).then(|| Range {
            size: of(|s| s.size),
            rate: of(|s| s.rate),
            horizon_s: (horizon.0 * basis.session_s, horizon.1 * basis.session_s),
            parents: (0..3).map(count).collect(),
        })
    }

    /// Returns an error unless the order is inside.
    ///
    /// # Errors
    /// [`PredictError`].
    pub fn check(&self, order: &Order, basis: &Basis) -> Result<(), PredictError> {
        for (field, found) in [("qty", order.qty), ("horizon", order.horizon_s)] {
            if !(found.is_finite() && found > 0.0) {
                return Err(PredictError::NotPositive { field, found });
            }
        }
        let size = order.qty / basis.daily_volume;
        let rate = size * basis.session_s / order.horizon_s;
        for (field, found, (low, high)) in [
            ("horizon, seconds,", order.horizon_s, self.horizon_s),
            ("size as part of the daily volume", size, self.size),
            ("rate as part of the daily volume a day", rate, self.rate),
        ] {
            if !(low * (1.0 - 1e-9) <= found && found <= high * (1.0 + 1e-9)) {
                return Err(PredictError::OutOfRange { field, found, low, high });
            }
        }
        match self.parents.get(order.urgency).copied().unwrap_or(0) {
            0 => Err(PredictError::Urgency(crate::observe::URGENCIES[order.urgency.min(2)])),
            _ => Ok(()),
        }
    }
}

/// Returns the cost in daily volatilities and its derivatives by the parameters.
pub fn cost_and_gradient(
    parameters: &[f64],
    urgency: usize,
    half_spread: f64,
    size: f64,
    rate: f64,
    turnover: f64,
) -> (f64, [f64; PARAMETERS]) {
    let mut gradient = [0.0; PARAMETERS];
    gradient[urgency.min(2)] = half_spread;
    gradient[GAMMA] = 0.5 * size * turnover;
    gradient[ETA] = rate.powf(parameters[BETA]);
    gradient[BETA] = parameters[ETA] * gradient[ETA] * rate.ln();
    let linear = [urgency.min(2), GAMMA, ETA];
    (linear.iter().map(|&i| parameters[i] * gradient[i]).sum(), gradient)
}

/// Predicts the cost of an order. The range is the caller's to check.
pub fn predict(posterior: &Posterior, basis: &Basis, order: &Order) -> Prediction {
    let sigma = basis.volatility_bps;
    let half = 0.5 * order.spread_bps.unwrap_or(basis.spread_bps) / sigma;
    let size = order.qty / basis.daily_volume;
    let days = order.horizon_s / basis.session_s;
    let turnover = basis.turnover_factor();
    let (cost, gradient) =
        cost_and_gradient(&posterior.mean, order.urgency, half, size, size / days, turnover);
    let mut square = 0.0;
    for (i, a) in gradient.iter().enumerate() {
        for (j, b) in gradient.iter().enumerate() {
            square += a * b * posterior.covariance[i][j];
        }
    }
    let total_bps = sigma * cost;
    let standard_error_bps = sigma * square.max(0.0).sqrt();
    Prediction {
        spread_bps: sigma * posterior.mean[order.urgency.min(2)] * half,
        temporary_bps: sigma * posterior.mean[ETA] * gradient[ETA],
        permanent_bps: sigma * 2.0 * posterior.mean[GAMMA] * gradient[GAMMA],
        total_bps,
        lower_bps: total_bps - Z95 * standard_error_bps,
        upper_bps: total_bps + Z95 * standard_error_bps,
        standard_error_bps,
        one_order_noise_bps: sigma * (days / 3.0).sqrt(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::impact::pool::Prior;
    use crate::impact::{ImpactModel, OrderSize};

    const BASIS: Basis = Basis {
        volatility_bps: 157.0,
        daily_volume: 6_561_000.0,
        session_s: 23_400.0,
        spread_bps: 2.0,
        price: 100.0,
        shares_outstanding: Some(1_728_000_000.0),
    };

    fn order(days: f64) -> Order {
        Order { qty: 656_100.0, horizon_s: days * 23_400.0, urgency: 0, spread_bps: Some(0.0) }
    }

    /// With the published coefficients and no spread it is the published prediction: IBM in
    /// Almgren et al. (2005).
    #[test]
    fn the_published_example_by_the_calibrated_path() {
        let posterior = Prior::published().posterior(None);
        for days in [0.1, 0.2, 0.5] {
            let found = predict(&posterior, &BASIS, &order(days));
            let published = ImpactModel::ALMGREN_2005
                .predict(&OrderSize {
                    qty: 656_100.0,
                    daily_volume: BASIS.daily_volume,
                    shares_outstanding: 1_728_000_000.0,
                    volatility_bps_per_day: 157.0,
                    horizon_days: days,
                })
                .unwrap();
            assert!((found.permanent_bps - published.permanent_bps.value).abs() < 1e-9);
            assert!((found.temporary_bps - published.temporary_bps.value).abs() < 1e-9);
            assert!((found.total_bps - published.total_bps.value).abs() < 1e-9);
            assert!((found.one_order_noise_bps - published.one_order_noise_bps).abs() < 1e-9);
            assert!(found.lower_bps < found.total_bps && found.total_bps < found.upper_bps);
        }
    }

    #[test]
    fn derivatives_are_those_of_small_changes() {
        let p = [0.1, 0.4, 0.9, 0.3, 0.14, 0.6];
        let at = |p: &[f64]| cost_and_gradient(p, 2, 0.02, 0.05, 0.3, 3.0);
        let (_, gradient) = at(&p);
        for i in 0..PARAMETERS {
            let h = 1e-6;
            let (mut up, mut down) = (p, p);
            up[i] += h;
            down[i] -= h;
            let slope = (at(&up).0 - at(&down).0) / (2.0 * h);
            assert!((slope - gradient[i]).abs() < 1e-8, "{i}: {slope} {}", gradient[i]);
        }
    }

    #[test]
    fn orders_outside_the_range_are_refused_by_name() {
        let range = Range {
            size: (0.001, 0.2),
            rate: (0.05, 2.0),
            horizon_s: (60.0, 12_000.0),
            parents: vec![10, 0, 10],
        };
        assert_eq!(range.check(&order(0.2), &BASIS), Ok(()));
        let refused = |o: Order, text: &str| {
            let error = range.check(&o, &BASIS).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        };
        refused(Order { qty: 1e7, ..order(0.2) }, "size as part of the daily volume is 1.52");
        refused(Order { horizon_s: 10.0, ..order(0.2) }, "horizon, seconds, is 10.0000");
        refused(Order { urgency: 1, ..order(0.2) }, "no normal order");
        refused(Order { qty: f64::NAN, ..order(0.2) }, "qty is NaN");
        refused(Order { qty: 7_000.0, ..order(0.5) }, "rate as part");
    }
}
