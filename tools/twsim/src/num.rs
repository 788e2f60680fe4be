//! Numbers of the protocol as exact integers: shares as decimal text, prices as doubles.

use std::fmt;

/// A number of shares or contracts in units of 1e-8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shares(pub i64);

const UNIT: i64 = 100_000_000;
/// Largest quantity taken from a client, shares: two of them and their sums stay in range.
const SHARES_MAX: i64 = 10_000_000_000;

impl Shares {
    /// Nothing.
    pub const ZERO: Shares = Shares(0);

    /// Returns whole shares.
    pub const fn whole(count: i64) -> Shares {
        Shares(count * UNIT)
    }

    /// Reads a decimal of up to eight places; `None` for anything else and beyond ±1e10.
    pub fn parse(text: &str) -> Option<Shares> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
        let ok = !whole.is_empty() && whole.len() <= 11 && all_digits(whole) && all_digits(part);
        let part = part.trim_end_matches('0');
        if !ok || part.len() > 8 {
            return None;
        }
        let whole: i64 = whole.parse().ok()?;
        let padded: i64 = format!("{part:0<8}").parse().ok()?;
        let value = whole.checked_mul(UNIT)?.checked_add(padded)?;
        (whole <= SHARES_MAX).then_some(Shares(if negative { -value } else { value }))
    }

    /// Returns the quantity as a double.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / UNIT as f64
    }

    /// Returns whether this is a multiple of whole shares.
    pub const fn is_whole(self) -> bool {
        self.0 % UNIT == 0
    }
}

impl fmt::Display for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, part) =
            (self.0.unsigned_abs() / UNIT as u64, self.0.unsigned_abs() % UNIT as u64);
        if part == 0 {
            return write!(f, "{sign}{whole}");
        }
        let part = format!("{part:08}");
        write!(f, "{sign}{whole}.{}", part.trim_end_matches('0'))
    }
}

/// Returns a price of a request in 1e-9 units. `None`: absent, the protocol's "unset" (largest
/// double), not finite, or beyond ±1e9.
pub fn price(value: Option<f64>) -> Option<i64> {
    let value = value.filter(|v| v.is_finite() && v.abs() <= 1e9)?;
    Some((value * 1e9).round() as i64)
}

/// Returns a price in 1e-9 units as a double.
pub fn price_f64(px: i64) -> f64 {
    px as f64 / 1e9
}

/// Returns a decimal without trailing zeros.
pub fn plain(value: f64) -> String {
    format!("{value}")
}

/// Returns money with cents, as account values are written.
pub fn money(value: f64) -> String {
    // A negative zero would print its sign.
    format!("{:.2}", if value.abs() < 0.005 { 0.0 } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_are_exact() {
        for (text, value) in
            [("0", 0), ("100", 100 * UNIT), ("-2.5", -250_000_000), ("1.00000001", UNIT + 1)]
        {
            assert_eq!(Shares::parse(text), Some(Shares(value)), "{text}");
            assert_eq!(Shares(value).to_string(), text);
        }
        assert_eq!(Shares::parse("7.10"), Some(Shares(710_000_000)));
        let bad = ["", "-", ".5", "1e3", "1.000000001", "99999999999", "+1", " 1", "1-", "NaN"];
        for text in bad {
            assert_eq!(Shares::parse(text), None, "{text}");
        }
        assert_eq!(price(Some(f64::MAX)), None);
        assert_eq!(price(Some(f64::NAN)), None);
        assert_eq!(price(Some(101.23)), Some(101_230_000_000));
        assert_eq!((money(-0.001), money(-1.5)), ("0.00".to_string(), "-1.50".to_string()));
    }

    proptest! {
        #[test]
        fn shares_round_trip(value in -SHARES_MAX * UNIT..SHARES_MAX * UNIT / 2) {
            prop_assert_eq!(Shares::parse(&Shares(value).to_string()), Some(Shares(value)));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,24}") {
            let _ = Shares::parse(&text);
        }
    }
}
