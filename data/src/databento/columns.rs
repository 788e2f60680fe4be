//! The header of a CSV file: which column holds what.

use super::mapping::LEVEL_COUNT_MAX;
use crate::input::Row;
use ijk_core::{FeedError, FeedErrorKind};

/// What the rows of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Schema {
    /// Market by order.
    Mbo,
    /// Market by price.
    Mbp,
    /// Trades without a book.
    Trades,
}

/// Columns of one level: bid price, bid size, ask price, ask size.
pub(super) type LevelColumns = [usize; 4];

/// Where each field stands.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) names: Vec<String>,
    pub(super) schema: Schema,
    pub(super) ts_event: usize,
    pub(super) ts_recv: Option<usize>,
    pub(super) publisher: Option<usize>,
    pub(super) action: usize,
    pub(super) side: usize,
    pub(super) price: usize,
    pub(super) size: usize,
    pub(super) order_id: Option<usize>,
    pub(super) flags: Option<usize>,
    pub(super) sequence: Option<usize>,
    /// The symbol, or the instrument's number where no column holds the symbol.
    pub(super) symbol: Option<usize>,
    pub(super) levels: Vec<LevelColumns>,
}

impl Columns {
    /// Reads a header row.
    pub(super) fn parse(row: &Row<'_>) -> Result<Columns, FeedError> {
        let bytes = row.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(row.bytes);
        let names: Vec<String> = bytes
            .split(|&b| b == b',')
            .map(|name| String::from_utf8_lossy(name.trim_ascii()).trim_matches('"').to_string())
            .collect();
        // A name used twice means its first column.
        let find = |name: &str| names.iter().position(|n| n == name);
        let need = |name: &str| find(name).ok_or_else(|| missing(row, name));
        let levels = level_columns(&find, &need)?;
        let schema = if !levels.is_empty() {
            Schema::Mbp
        } else if find("order_id").is_some() {
            Schema::Mbo
        } else {
            Schema::Trades
        };
        Ok(Columns {
            schema,
            ts_event: need("ts_event")?,
            ts_recv: find("ts_recv"),
            publisher: find("publisher_id"),
            action: need("action")?,
            side: need("side")?,
            price: need("price")?,
            size: need("size")?,
            order_id: find("order_id"),
            flags: find("flags"),
            sequence: find("sequence"),
            symbol: find("symbol").or_else(|| find("instrument_id")),
            levels,
            names,
        })
    }
}

fn level_columns(
    find: &impl Fn(&str) -> Option<usize>,
    need: &impl Fn(&str) -> Result<usize, FeedError>,
) -> Result<Vec<LevelColumns>, FeedError> {
    let mut levels = Vec::new();
    for i in 0..LEVEL_COUNT_MAX {
        let name = |field: &str| format!("{field}_{i:02}");
        if find(&name("bid_px")).is_none() && find(&name("ask_px")).is_none() {
            break;
        }
        levels.push([
            need(&name("bid_px"))?,
            need(&name("bid_sz"))?,
            need(&name("ask_px"))?,
            need(&name("ask_sz"))?,
        ]);
    }
    Ok(levels)
}

fn missing(row: &Row<'_>, name: &str) -> FeedError {
    let detail = "the header lacks this column; a Databento CSV of schema mbo, mbp-1, mbp-10, \
                  tbbo or trades was expected"
        .to_string();
    row.error(FeedErrorKind::Format, name, detail)
}
