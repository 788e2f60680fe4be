//! One row of a CSV file: its fields found, parsed and mapped.

use super::columns::{Columns, LevelColumns, Schema};
use super::mapping::{LEVEL_COUNT_MAX, Mapper, PX_UNDEFINED, RawLevel, RawRow, TS_UNDEFINED};
use super::time::parse_ns;
use crate::input::{self, Row};
use ijk_core::{FeedError, FeedErrorKind, Instrument, InstrumentId, Symbol};
use std::ops::Range;

/// What turns a row's text into a [`RawRow`]; its memory is reused.
pub(super) struct Parser {
    pub(super) columns: Columns,
    fields: Vec<Range<usize>>,
    pub(super) instruments: Vec<Instrument>,
    last_instrument: usize,
}

impl Parser {
    pub(super) fn new(columns: Columns, instruments: Vec<Instrument>) -> Parser {
        let fields = Vec::with_capacity(columns.names.len());
        Parser { columns, fields, instruments, last_instrument: 0 }
    }

    /// Finds the fields of a row.
    pub(super) fn split(&mut self, row: &Row<'_>) -> Result<(), FeedError> {
        self.fields.clear();
        let mut from = 0;
        for (at, &b) in row.bytes.iter().enumerate() {
            if b == b',' {
                self.fields.push(from..at);
                from = at + 1;
            }
        }
        self.fields.push(from..row.bytes.len());
        if self.fields.len() != self.columns.names.len() {
            return Err(row.column_error(self.columns.names.len()));
        }
        Ok(())
    }

    /// Returns the symbol's text by counting columns from the nearer end; empty if absent.
    pub(super) fn symbol_text<'a>(&self, row: &Row<'a>) -> &'a [u8] {
        let Some(column) = self.columns.symbol else { return b"" };
        let behind = self.columns.names.len() - 1 - column;
        let is_comma = |b: &u8| *b == b',';
        if behind < column {
            row.bytes.rsplit(is_comma).nth(behind).unwrap_or(b"")
        } else {
            row.bytes.split(is_comma).nth(column).unwrap_or(b"")
        }
    }

    /// Returns the row's symbol, or one made of the instrument's number or the file's name.
    pub(super) fn symbol(&self, row: &Row<'_>) -> Result<Symbol, FeedError> {
        let Some(column) = self.columns.symbol else {
            let base = row.file.rsplit('/').next().unwrap_or("");
            let stem = base.split(['_', '.', '-']).next().unwrap_or("");
            return Symbol::new(stem).map_err(|e| {
                let detail = format!("no such column, and the file's name gives none: {e}");
                row.error(FeedErrorKind::Format, "symbol", detail)
            });
        };
        let text = &row.bytes[self.fields[column].clone()];
        let name = &self.columns.names[column];
        std::str::from_utf8(text)
            .ok()
            .and_then(|t| Symbol::new(t).ok())
            .ok_or_else(|| row.field_error(name, "1 to 16 printable characters", text))
    }

    fn instrument(&mut self, row: &Row<'_>) -> Result<InstrumentId, FeedError> {
        let Some(column) = self.columns.symbol else { return Ok(InstrumentId(0)) };
        let text = &row.bytes[self.fields[column].clone()];
        let is = |i: &Instrument| i.symbol.as_str().as_bytes() == text;
        if !self.instruments.get(self.last_instrument).is_some_and(is) {
            let at = self.instruments.iter().position(is);
            self.last_instrument = at.ok_or_else(|| {
                let detail = format!("symbol '{}' was not announced", input::show(text));
                row.error(FeedErrorKind::Inconsistent, &self.columns.names[column], detail)
            })?;
        }
        Ok(InstrumentId(self.last_instrument as u16))
    }

    /// Parses the row found by [`Parser::split`] and queues its records.
    pub(super) fn map(&mut self, row: &Row<'_>, mapper: &mut Mapper) -> Result<(), FeedError> {
        let raw = self.raw_row(row)?;
        let mapped = match self.columns.schema {
            Schema::Mbo => mapper.mbo(&raw),
            Schema::Trades => mapper.trade(&raw),
            Schema::Mbp => {
                let mut levels = [NO_LEVEL; LEVEL_COUNT_MAX];
                let count = self.columns.levels.len();
                for (level, columns) in levels.iter_mut().zip(&self.columns.levels) {
                    *level = self.level(row, columns)?;
                }
                mapper.mbp(&raw, &levels[..count])
            }
        };
        mapped.map_err(|fault| row.error(fault.kind, fault.field, fault.detail))
    }

    fn raw_row(&mut self, row: &Row<'_>) -> Result<RawRow, FeedError> {
        let instrument = self.instrument(row)?;
        let c = &self.columns;
        let text = |column: usize| &row.bytes[self.fields[column].clone()];
        let name = |column: usize| c.names[column].as_str();
        let whole = |column: Option<usize>| match column {
            Some(i) => row.unsigned(name(i), text(i)),
            None => Ok(0),
        };
        let ts = |i: usize| {
            let ns = parse_ns(text(i));
            ns.ok_or_else(|| row.field_error(name(i), "ISO 8601 or nanoseconds", text(i)))
        };
        let letter = |i: usize| match text(i) {
            &[b] => Ok(b),
            other => Err(row.field_error(name(i), "one letter", other)),
        };
        let flags = match c.flags {
            Some(i) => row.int(name(i), text(i), 0..=255)? as u8,
            // Without flags every row stands for itself.
            None => 1 << 7,
        };
        Ok(RawRow {
            ts_event: ts(c.ts_event)?,
            ts_recv: match c.ts_recv {
                Some(i) if !text(i).is_empty() => ts(i)?,
                _ => TS_UNDEFINED,
            },
            instrument,
            publisher: match c.publisher {
                Some(i) => row.int(name(i), text(i), 0..=i64::from(u16::MAX))? as u16,
                None => 0,
            },
            action: letter(c.action)?,
            side: letter(c.side)?,
            px: price(row, name(c.price), text(c.price))?,
            size: row.int(name(c.size), text(c.size), 0..=i64::from(u32::MAX))?,
            order_id: whole(c.order_id)?,
            flags,
            sequence: whole(c.sequence)?,
        })
    }

    fn level(&self, row: &Row<'_>, columns: &LevelColumns) -> Result<RawLevel, FeedError> {
        let text = |column: usize| &row.bytes[self.fields[column].clone()];
        let name = |column: usize| self.columns.names[column].as_str();
        let px = |column: usize| price(row, name(column), text(column));
        let qty = |column: usize| match text(column) {
            b"" => Ok(0),
            digits => row.int(name(column), digits, 0..=i64::from(u32::MAX)),
        };
        let [bid_px, bid_qty, ask_px, ask_qty] = *columns;
        Ok(RawLevel {
            bid_px: px(bid_px)?,
            bid_qty: qty(bid_qty)?,
            ask_px: px(ask_px)?,
            ask_qty: qty(ask_qty)?,
        })
    }
}

const NO_LEVEL: RawLevel =
    RawLevel { bid_px: PX_UNDEFINED, bid_qty: 0, ask_px: PX_UNDEFINED, ask_qty: 0 };

/// Parses a price: a decimal, an integer of 1e-9, or nothing.
fn price(row: &Row<'_>, name: &str, text: &[u8]) -> Result<i64, FeedError> {
    if text.is_empty() {
        Ok(PX_UNDEFINED)
    } else if text.contains(&b'.') {
        row.decimal_e9(name, text)
    } else {
        let px = row.int(name, text, i64::MIN..=i64::MAX);
        px.map_err(|e| match e.kind {
            FeedErrorKind::Field => row.field_error(name, "a decimal or an integer of 1e-9", text),
            _ => e,
        })
    }
}
