//! One row of a LOBSTER order book file.

use super::LEVEL_COUNT_MAX;
use super::message::{PX_NONE, QTY_MAX};
use crate::input::Row;
use ijk_core::{FeedError, FeedErrorKind, Side};

/// A price level: price in 1e-4 dollars, quantity positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) px: i64,
    pub(super) qty: i64,
}

/// The visible levels of both sides, best first, empty levels left out.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    bids: Vec<Level>,
    asks: Vec<Level>,
    /// The row parsed last: most rows of deep files repeat most of the one before.
    text: Vec<u8>,
}

impl Snapshot {
    /// Returns the levels of one side, best first.
    pub(super) fn side(&self, side: Side) -> &[Level] {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    /// Parses a row of `levels` levels (`ask px, ask size, bid px, bid size` each); 0 takes the
    /// number of levels from the row. Returns the number of levels.
    pub(super) fn parse(&mut self, row: &Row<'_>, levels: usize) -> Result<usize, FeedError> {
        if levels > 0 && row.bytes == self.text {
            return Ok(levels);
        }
        let levels = if levels == 0 { count_levels(row)? } else { levels };
        self.bids.clear();
        self.asks.clear();
        let mut rest = row.bytes;
        for index in 0..levels {
            for side in [Side::Ask, Side::Bid] {
                let level = parse_level(row, &mut rest, index, side, levels)?;
                let (out, other) = match side {
                    Side::Ask => (&mut self.asks, "ask"),
                    Side::Bid => (&mut self.bids, "bid"),
                };
                push_level(row, out, level, index, other, side)?;
            }
        }
        // `parse_level` leaves what follows the comma; a full row leaves nothing.
        if !rest.is_empty() || row.bytes.ends_with(b",") {
            return Err(row.column_error(4 * levels));
        }
        self.text.clear();
        self.text.extend_from_slice(row.bytes);
        Ok(levels)
    }
}

fn count_levels(row: &Row<'_>) -> Result<usize, FeedError> {
    let columns = row.bytes.split(|&b| b == b',').count();
    let levels = columns / 4;
    if columns % 4 != 0 || levels > LEVEL_COUNT_MAX {
        let detail = format!(
            "expected four columns a level and at most {LEVEL_COUNT_MAX} levels, \
             found {columns} columns"
        );
        return Err(row.error(FeedErrorKind::ColumnCount, "", detail));
    }
    Ok(levels)
}

/// Takes one level's two fields off `rest`; `None` is an empty level.
#[inline]
fn parse_level(
    row: &Row<'_>,
    rest: &mut &[u8],
    index: usize,
    side: Side,
    levels: usize,
) -> Result<Option<Level>, FeedError> {
    if rest.is_empty() {
        return Err(missing(row, levels));
    }
    let (px, px_text) = take_int(rest);
    if rest.is_empty() {
        return Err(missing(row, levels));
    }
    let (qty, qty_text) = take_int(rest);
    match (px, qty) {
        (Some(px), Some(0)) if px.abs() == PX_NONE => Ok(None),
        (Some(px), Some(qty)) if (1..PX_NONE).contains(&px) && (1..=QTY_MAX).contains(&qty) => {
            Ok(Some(Level { px, qty }))
        }
        _ => Err(bad_level(row, index, side, px_text, qty_text)),
    }
}

/// The row ends before its last field.
#[cold]
fn missing(row: &Row<'_>, levels: usize) -> FeedError {
    if row.bytes.split(|&b| b == b',').count() == 4 * levels {
        return row.field_error("", "an integer in the last column", b"");
    }
    row.column_error(4 * levels)
}

#[cold]
fn bad_level(row: &Row<'_>, index: usize, side: Side, px: &[u8], qty: &[u8]) -> FeedError {
    let name = if side == Side::Ask { "ask" } else { "bid" };
    let field = format!("{name} price {}", index + 1);
    if let Err(e) = row.int(&field, px, -PX_NONE..=PX_NONE) {
        return e;
    }
    let field = format!("{name} size {}", index + 1);
    if let Err(e) = row.int(&field, qty, 0..=QTY_MAX) {
        return e;
    }
    let field = format!("{name} price {}", index + 1);
    let expected = "a positive price with a positive size, or ±9999999999 with size 0";
    row.range_error(&field, expected, px)
}

fn push_level(
    row: &Row<'_>,
    out: &mut Vec<Level>,
    level: Option<Level>,
    index: usize,
    name: &str,
    side: Side,
) -> Result<(), FeedError> {
    let Some(level) = level else { return Ok(()) };
    let gap = out.len() < index;
    let unsorted = out.last().is_some_and(|last| !worse(side, level.px, last.px));
    if gap || unsorted {
        let field = format!("{name} price {}", index + 1);
        let what = if gap { "a level after an empty one" } else { "levels not best first" };
        return Err(row.error(FeedErrorKind::Inconsistent, &field, what.to_string()));
    }
    out.push(level);
    Ok(())
}

/// Returns whether price `a` has less priority than `b` on this side.
#[inline]
pub(super) fn worse(side: Side, a: i64, b: i64) -> bool {
    match side {
        Side::Bid => a < b,
        Side::Ask => a > b,
    }
}

/// Takes an integer and the comma behind it off `rest`; gives the field's text too.
#[inline]
fn take_int<'a>(rest: &mut &'a [u8]) -> (Option<i64>, &'a [u8]) {
    let text: &'a [u8] = rest;
    let negative = text.first() == Some(&b'-');
    let from = usize::from(negative);
    let mut value = 0i64;
    let mut at = from;
    while let Some(digit) = text.get(at).map(|b| b.wrapping_sub(b'0')).filter(|&d| d <= 9) {
        // Wrapping is harmless: a field of more than eighteen digits is refused below.
        value = value.wrapping_mul(10).wrapping_add(i64::from(digit));
        at += 1;
    }
    let well_formed = at > from && at - from <= 18 && matches!(text.get(at), None | Some(b','));
    let end =
        if well_formed { at } else { text.iter().position(|&b| b == b',').unwrap_or(text.len()) };
    *rest = text.get(end + 1..).unwrap_or(&[]);
    (well_formed.then_some(if negative { -value } else { value }), &text[..end])
}
