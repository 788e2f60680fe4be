//! One row of text: its place for errors, and numbers out of its fields.

use ijk_core::num::{DecimalError, parse_decimal_e9};
use ijk_core::{FeedError, FeedErrorKind};
use std::ops::RangeInclusive;

/// A line with its place.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// File and member.
    pub file: &'a str,
    /// Line from 1.
    pub line: u64,
    /// The line without its end.
    pub bytes: &'a [u8],
}

/// Returns a field as it can stand in a message: lossy text, at most 40 characters.
pub fn show(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(160)]);
    let mut out: String = text.chars().take(40).flat_map(char::escape_debug).collect();
    if text.chars().count() > 40 || bytes.len() > 160 {
        out.push('…');
    }
    out
}

impl Row<'_> {
    /// Returns an error at this row. `field` is empty where the whole row is meant.
    #[cold]
    pub fn error(&self, kind: FeedErrorKind, field: &str, detail: String) -> FeedError {
        let file = self.file.to_string();
        FeedError { kind, file, line: self.line, field: field.to_string(), detail }
    }

    /// Returns the error "expected …, found …" of kind `Field` for a field's text.
    #[cold]
    pub fn field_error(&self, field: &str, expected: &str, found: &[u8]) -> FeedError {
        let detail = format!("expected {expected}, found '{}'", show(found));
        self.error(FeedErrorKind::Field, field, detail)
    }

    /// Returns the error for a value outside what can be.
    #[cold]
    pub fn range_error(&self, field: &str, expected: &str, found: &[u8]) -> FeedError {
        let detail = format!("expected {expected}, found '{}'", show(found));
        self.error(FeedErrorKind::Range, field, detail)
    }

    /// Returns the error for a row with a wrong number of fields.
    #[cold]
    pub fn column_error(&self, expected: usize) -> FeedError {
        let found = self.bytes.split(|&b| b == b',').count();
        let detail = format!("expected {expected} columns, found {found}");
        self.error(FeedErrorKind::ColumnCount, "", detail)
    }

    /// Parses a whole decimal integer inside `range`.
    ///
    /// # Errors
    /// `Field` if it is no integer, `Range` if it lies outside.
    pub fn int(
        &self,
        field: &str,
        text: &[u8],
        range: RangeInclusive<i64>,
    ) -> Result<i64, FeedError> {
        match parse_int(text) {
            Some(v) if range.contains(&v) => Ok(v),
            Some(_) => Err(self.range_error(field, &format!("{range:?}"), text)),
            None if is_int(text) => Err(self.range_error(field, &format!("{range:?}"), text)),
            None => Err(self.field_error(field, "an integer", text)),
        }
    }

    /// Parses an unsigned decimal integer.
    ///
    /// # Errors
    /// `Field` if it is no integer, `Range` if it is negative or does not fit.
    pub fn unsigned(&self, field: &str, text: &[u8]) -> Result<u64, FeedError> {
        let mut value = 0u64;
        for &b in text {
            let digit = b.wrapping_sub(b'0');
            let next = value.checked_mul(10).and_then(|v| v.checked_add(u64::from(digit)));
            match next {
                Some(v) if digit <= 9 => value = v,
                _ if is_int(text) => return Err(self.range_error(field, "0 to 2^64-1", text)),
                _ => return Err(self.field_error(field, "an unsigned integer", text)),
            }
        }
        if text.is_empty() {
            return Err(self.field_error(field, "an unsigned integer", text));
        }
        Ok(value)
    }

    /// Parses an exact decimal into 1e-9 units (see [`parse_decimal_e9`]).
    ///
    /// # Errors
    /// `Field` for what is no decimal (NaN, exponents, more than nine places), `Range` for what
    /// does not fit.
    pub fn decimal_e9(&self, field: &str, text: &[u8]) -> Result<i64, FeedError> {
        parse_decimal_e9(text).map_err(|e| match e {
            DecimalError::Syntax => self.field_error(field, "a decimal number", text),
            DecimalError::TooFine => self.field_error(field, "a multiple of 1e-9", text),
            DecimalError::Range => self.range_error(field, "at most ±9.2e9", text),
        })
    }
}

fn is_int(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

/// Parses an integer of at most eighteen digits, or `None`.
#[inline]
pub(crate) fn parse_int(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    if digits.len() > 18 {
        return std::str::from_utf8(text).ok()?.parse().ok().filter(|_| is_int(text));
    }
    let mut value = 0i64;
    for &b in digits {
        let digit = b.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROW: Row<'static> = Row { file: "f.csv", line: 7, bytes: b"1,2" };

    #[test]
    fn integers_parse_or_say_where_and_why() {
        assert_eq!(ROW.int("size", b"-12", -20..=0), Ok(-12));
        assert_eq!(ROW.unsigned("id", b"18446744073709551615"), Ok(u64::MAX));
        let table: [(&[u8], FeedErrorKind); 6] = [
            (b"", FeedErrorKind::Field),
            (b"-", FeedErrorKind::Field),
            (b"1.5", FeedErrorKind::Field),
            (b"\xff\xfe", FeedErrorKind::Field),
            (b"21", FeedErrorKind::Range),
            (b"99999999999999999999999", FeedErrorKind::Range),
        ];
        for (text, kind) in table {
            let e = ROW.int("size", text, 0..=20).unwrap_err();
            assert_eq!((e.kind, e.line, e.field.as_str()), (kind, 7, "size"), "{}", show(text));
        }
        assert_eq!(ROW.unsigned("id", b"-1").unwrap_err().kind, FeedErrorKind::Range);
        assert_eq!(
            ROW.unsigned("id", b"18446744073709551616").unwrap_err().kind,
            FeedErrorKind::Range
        );
        assert_eq!(ROW.unsigned("id", b"x").unwrap_err().kind, FeedErrorKind::Field);
        assert_eq!(ROW.decimal_e9("price", b"nan").unwrap_err().kind, FeedErrorKind::Field);
        let e = ROW.column_error(6).to_string();
        assert_eq!(e, "f.csv:7: expected 6 columns, found 2");
    }

    proptest! {
        #[test]
        fn integers_equal_the_standard_parser(v in any::<i64>()) {
            prop_assert_eq!(parse_int(v.to_string().as_bytes()), Some(v));
        }

        #[test]
        fn arbitrary_bytes_parse_as_the_standard_parser_does(text in "[-0-9+ .x]{0,22}") {
            let std_value = text.parse::<i64>().ok().filter(|_| !text.starts_with('+'));
            prop_assert_eq!(parse_int(text.as_bytes()), std_value);
        }
    }
}
