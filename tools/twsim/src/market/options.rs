//! Option values: Black and Scholes (J. Political Economy 81, 1973) without dividends.

use statrs::distribution::{Continuous, ContinuousCDF, Normal};

/// Interest rate assumed, a year.
const RATE: f64 = 0.04;
/// Shortest time to expiry counted, years: one hour.
const YEARS_MIN: f64 = 1.0 / (365.0 * 24.0);

/// An option to be valued.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Price of the underlying, dollars.
    pub under: f64,
    /// Strike, dollars.
    pub strike: f64,
    /// Days to expiry.
    pub days: f64,
    /// Whether it is a call.
    pub call: bool,
}

/// Value and sensitivities of an option.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value {
    /// Value, dollars a share.
    pub price: f64,
    /// Dollars a dollar.
    pub delta: f64,
    /// Change of delta a dollar.
    pub gamma: f64,
    /// Dollars a percent of volatility.
    pub vega: f64,
    /// Dollars a day.
    pub theta: f64,
}

impl Terms {
    /// Returns the value at a volatility (a year, 0.3 is 30 %); `None` for terms without one.
    pub fn value(&self, vol: f64) -> Option<Value> {
        let Terms { under, strike, days, call } = *self;
        let positive = |x: f64| x.is_finite() && x > 0.0;
        if !positive(under) || !positive(strike) || !positive(vol) || !days.is_finite() {
            return None;
        }
        let years = (days / 365.0).max(YEARS_MIN);
        let normal = Normal::standard();
        let root = years.sqrt();
        let d1 = ((under / strike).ln() + (RATE + vol * vol / 2.0) * years) / (vol * root);
        let d2 = d1 - vol * root;
        let discounted = strike * (-RATE * years).exp();
        let sign = if call { 1.0 } else { -1.0 };
        let (n1, n2) = (normal.cdf(sign * d1), normal.cdf(sign * d2));
        let density = normal.pdf(d1);
        let decay = -under * density * vol / (2.0 * root) - sign * RATE * discounted * n2;
        Some(Value {
            price: (sign * (under * n1 - discounted * n2)).max(0.0),
            delta: sign * n1,
            gamma: density / (under * vol * root),
            vega: under * density * root / 100.0,
            theta: decay / 365.0,
        })
    }

    /// Returns the volatility at which the option is worth `price`, by bisection; `None` where
    /// there is none between 0.1 % and 1000 %.
    pub fn implied_vol(&self, price: f64) -> Option<f64> {
        let (mut low, mut high) = (0.001, 10.0);
        if !(self.value(low)?.price..=self.value(high)?.price).contains(&price) {
            return None;
        }
        for _ in 0..60 {
            let middle = (low + high) / 2.0;
            if self.value(middle)?.price < price { low = middle } else { high = middle }
        }
        Some((low + high) / 2.0)
    }

    /// Returns the volatility the simulated market quotes: a smile about 30 %.
    pub fn quoted_vol(&self) -> f64 {
        let moneyness = (self.strike / self.under.max(0.01)).ln();
        0.30 + 0.2 * moneyness * moneyness - 0.05 * moneyness
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_textbook() {
        // Hull, Options, Futures, and Other Derivatives, with 4 % here: parity and a known value.
        let terms = Terms { under: 100.0, strike: 100.0, days: 365.0, call: true };
        let call = terms.value(0.2).unwrap();
        let put = Terms { call: false, ..terms }.value(0.2).unwrap();
        let parity = 100.0 - 100.0 * (-RATE).exp();
        assert!((call.price - put.price - parity).abs() < 1e-9);
        assert!((call.price - 9.925_053_717_274_43).abs() < 1e-6, "{}", call.price);
        assert!((call.delta - put.delta - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_implied_volatility_gives_the_price_back() {
        for (strike, call, vol) in [(90.0, true, 0.2), (110.0, true, 0.5), (120.0, false, 1.1)] {
            let terms = Terms { under: 100.0, strike, days: 30.0, call };
            let price = terms.value(vol).unwrap().price;
            assert!((terms.implied_vol(price).unwrap() - vol).abs() < 1e-6);
        }
        let terms = Terms { under: 100.0, strike: 100.0, days: 30.0, call: true };
        assert_eq!(terms.implied_vol(150.0), None);
        assert_eq!(terms.value(f64::NAN), None);
        assert_eq!(Terms { under: 0.0, ..terms }.value(0.2), None);
    }
}
