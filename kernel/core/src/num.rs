//! Fixed-point prices and quantities.

use core::fmt;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, TryFromBytes};

/// Units of one currency unit (or one whole quantity) in the 1e-9 fixed-point scale.
pub const E9: i64 = 1_000_000_000;

/// A price in units of 1e-9 of the instrument's currency (the scale of DBN).
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    serde::Serialize,
    serde::Deserialize,
)]
#[repr(transparent)]
pub struct Px(pub i64);

/// A quantity in the instrument's own integer unit: shares, or 1e-9 of a coin
/// (see [`crate::Instrument::qty_unit_e9`]).
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    serde::Serialize,
    serde::Deserialize,
)]
#[repr(transparent)]
pub struct Qty(pub i64);

/// Side of the book or of an order. `Bid` buys, `Ask` sells.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    TryFromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
#[repr(u8)]
pub enum Side {
    /// Buy side.
    Bid = 0,
    /// Sell side.
    Ask = 1,
}

impl Side {
    /// Returns the other side.
    pub const fn opposite(self) -> Side {
        match self {
            Side::Bid => Side::Ask,
            Side::Ask => Side::Bid,
        }
    }

    /// Returns +1 for a buy and -1 for a sell.
    pub const fn sign(self) -> i64 {
        match self {
            Side::Bid => 1,
            Side::Ask => -1,
        }
    }

    /// Returns whether price `a` has priority over `b` on this side of the book.
    pub const fn better(self, a: Px, b: Px) -> bool {
        match self {
            Side::Bid => a.0 > b.0,
            Side::Ask => a.0 < b.0,
        }
    }
}

impl Px {
    /// Returns the price in currency units.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / E9 as f64
    }

    /// Returns the nearest fixed-point price, or `None` outside the representable range or for
    /// NaN.
    pub fn from_f64(v: f64) -> Option<Px> {
        let scaled = (v * E9 as f64).round();
        (scaled.abs() < 9.0e18).then_some(Px(scaled as i64))
    }
}

impl Qty {
    /// No quantity.
    pub const ZERO: Qty = Qty(0);
}

impl fmt::Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let abs = self.0.unsigned_abs();
        let frac = format!("{:09}", abs % E9 as u64);
        let frac = frac.trim_end_matches('0');
        let frac = if frac.len() < 2 { format!("{frac:0<2}") } else { frac.to_string() };
        write!(f, "{sign}{}.{frac}", abs / E9 as u64)
    }
}

/// A decimal text that is not a fixed-point number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// The text is empty or holds something other than digits, one sign and one point.
    #[error("not a decimal number")]
    Syntax,
    /// More than nine significant digits after the point: the value is not a multiple of 1e-9.
    #[error("finer than 1e-9")]
    TooFine,
    /// The value does not fit 64 bits at the 1e-9 scale (about ±9.2e9).
    #[error("out of range")]
    Range,
}

/// Parses a decimal such as `-12.345` into 1e-9 units, exactly.
///
/// Accepts an optional sign, digits, and an optional fraction; no exponent. Digits beyond the
/// ninth after the point must be zero.
///
/// # Errors
/// [`DecimalError`] says what is wrong; nothing is rounded.
pub fn parse_decimal_e9(text: &[u8]) -> Result<i64, DecimalError> {
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    let mut value: i64 = 0;
    let mut seen = 0usize;
    let mut frac_digits: Option<u32> = None;
    for &b in digits {
        match b {
            b'0'..=b'9' => {
                seen += 1;
                match &mut frac_digits {
                    Some(9) if b != b'0' => return Err(DecimalError::TooFine),
                    Some(9) => continue,
                    Some(n) => *n += 1,
                    None => {}
                }
                value = value
                    .checked_mul(10)
                    .and_then(|v| v.checked_add(i64::from(b - b'0')))
                    .ok_or(DecimalError::Range)?;
            }
            b'.' if frac_digits.is_none() => frac_digits = Some(0),
            _ => return Err(DecimalError::Syntax),
        }
    }
    if seen == 0 {
        return Err(DecimalError::Syntax);
    }
    let scale = 10i64.pow(9 - frac_digits.unwrap_or(0));
    let value = value.checked_mul(scale).ok_or(DecimalError::Range)?;
    Ok(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_parse_exactly_or_say_why() {
        assert_eq!(parse_decimal_e9(b"0"), Ok(0));
        assert_eq!(parse_decimal_e9(b"5.510000000"), Ok(5_510_000_000));
        assert_eq!(parse_decimal_e9(b"-1.5"), Ok(-1_500_000_000));
        assert_eq!(parse_decimal_e9(b".5"), Ok(500_000_000));
        assert_eq!(parse_decimal_e9(b"1.0000000000"), Ok(E9));
        assert_eq!(parse_decimal_e9(b"1.0000000001"), Err(DecimalError::TooFine));
        for bad in ["", "-", ".", "1e5", "1.2.3", "nan", "1,5", " 1"] {
            assert_eq!(parse_decimal_e9(bad.as_bytes()), Err(DecimalError::Syntax), "{bad}");
        }
        assert_eq!(parse_decimal_e9(b"9999999999"), Err(DecimalError::Range));
        assert_eq!(parse_decimal_e9(&[b'9'; 40]), Err(DecimalError::Range));
    }

    #[test]
    fn prices_print_with_at_least_two_places() {
        assert_eq!(Px(5_510_000_000).to_string(), "5.51");
        assert_eq!(Px(-1).to_string(), "-0.000000001");
        assert_eq!(Px(100 * E9).to_string(), "100.00");
    }

    proptest! {
        #[test]
        fn printed_prices_parse_back(raw in (-9 * E9 * E9)..(9 * E9 * E9)) {
            prop_assert_eq!(parse_decimal_e9(Px(raw).to_string().as_bytes()), Ok(raw));
        }
    }
}
