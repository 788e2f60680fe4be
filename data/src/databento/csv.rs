//! The CSV reader.

use super::columns::{Columns, LevelColumns, Schema};
use super::mapping::{LEVEL_COUNT_MAX, Mapper, PX_UNDEFINED, RawLevel, RawRow, TS_UNDEFINED};
use super::time::parse_ns;
use crate::input::{self, Input, LineReader, Progress, Row};
use ijk_core::limits::INSTRUMENT_COUNT_MAX;
use ijk_core::{
    DepthKind, EventSource, FeedError, FeedErrorKind, Instrument, InstrumentId, MarketEvent,
    RepairCounts, Symbol,
};
use std::io::{BufRead, Read};
use std::ops::Range;
use std::path::Path;

/// Events of one Databento CSV file.
pub struct CsvSource<R> {
    lines: LineReader<R>,
    parser: Parser,
    mapper: Mapper,
    progress: Option<Progress>,
}

/// What turns a row's text into a [`RawRow`]; its memory is reused.
struct Parser {
    columns: Columns,
    fields: Vec<Range<usize>>,
    instruments: Vec<Instrument>,
    last_instrument: usize,
}

/// Opens a CSV file (plain, gzip, zstd, or the one CSV of a zip archive). The file is read twice:
/// once for its symbols.
///
/// # Errors
/// As [`input::open`]; `Format` for a header without the needed columns, a file without rows or
/// with more than [`INSTRUMENT_COUNT_MAX`] symbols.
pub fn open(path: &Path) -> Result<CsvSource<Box<dyn BufRead + Send>>, FeedError> {
    let symbols = scan_symbols(open_csv(path)?)?;
    let Input { reader, name, progress } = open_csv(path)?;
    let mut source = from_reader(reader, &name, &symbols)?;
    source.progress = Some(progress);
    Ok(source)
}

fn open_csv(path: &Path) -> Result<Input, FeedError> {
    input::open_where(path, |member| member.contains(".csv"))
}

/// Reads a CSV stream whose symbols are known; with none given, those of the first row. `name`
/// stands in errors.
///
/// # Errors
/// `Format` for a header without the needed columns and for a stream without rows.
pub fn from_reader<R: Read + Send>(
    reader: R,
    name: &str,
    symbols: &[Symbol],
) -> Result<CsvSource<R>, FeedError> {
    let mut lines = LineReader::new(reader, name);
    let columns = match lines.next_row()? {
        Some(header) => Columns::parse(&header)?,
        None => return Err(no_rows(name)),
    };
    let mut parser = Parser {
        fields: Vec::with_capacity(columns.names.len()),
        columns,
        instruments: symbols.iter().map(|&s| Instrument::us_equity(s)).collect(),
        last_instrument: 0,
    };
    if !parser.instruments.is_empty() {
        let mapper = Mapper::new(parser.instruments.len());
        return Ok(CsvSource { lines, parser, mapper, progress: None });
    }
    let Some(row) = lines.next_row()? else { return Err(no_rows(name)) };
    parser.split(&row)?;
    let symbol = parser.symbol(&row)?;
    parser.instruments.push(Instrument::us_equity(symbol));
    let mut mapper = Mapper::new(1);
    parser.map(&row, &mut mapper)?;
    Ok(CsvSource { lines, parser, mapper, progress: None })
}

fn no_rows(name: &str) -> FeedError {
    FeedError {
        kind: FeedErrorKind::Format,
        file: name.to_string(),
        line: 0,
        field: String::new(),
        detail: "the file has no rows; a header and at least one row were expected".to_string(),
    }
}

/// Collects the symbols of a file in the order of their first row.
fn scan_symbols(file: Input) -> Result<Vec<Symbol>, FeedError> {
    let mut lines = file.lines();
    let columns = match lines.next_row()? {
        Some(header) => Columns::parse(&header)?,
        None => return Err(no_rows(lines.name())),
    };
    let mut parser =
        Parser { fields: Vec::new(), columns, instruments: vec![], last_instrument: 0 };
    let mut seen: Vec<Vec<u8>> = Vec::new();
    let mut symbols = Vec::new();
    let mut last = usize::MAX;
    while let Some(row) = lines.next_row()? {
        let text = parser.symbol_text(&row);
        if seen.get(last).is_some_and(|s| s == text) {
            continue;
        }
        if let Some(at) = seen.iter().position(|s| s == text) {
            last = at;
            continue;
        }
        if seen.len() == INSTRUMENT_COUNT_MAX {
            let detail =
                format!("more than {INSTRUMENT_COUNT_MAX} symbols in one file; split it by symbol");
            return Err(row.error(FeedErrorKind::Range, "symbol", detail));
        }
        seen.push(text.to_vec());
        last = seen.len() - 1;
        parser.split(&row)?;
        symbols.push(parser.symbol(&row)?);
        // A file without the column has one instrument; there is nothing to look for.
        if parser.columns.symbol.is_none() {
            break;
        }
    }
    if symbols.is_empty() { Err(no_rows(lines.name())) } else { Ok(symbols) }
}

impl Parser {
    /// Finds the fields of a row.
    fn split(&mut self, row: &Row<'_>) -> Result<(), FeedError> {
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
    fn symbol_text<'a>(&self, row: &Row<'a>) -> &'a [u8] {
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
    fn symbol(&self, row: &Row<'_>) -> Result<Symbol, FeedError> {
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
    fn map(&mut self, row: &Row<'_>, mapper: &mut Mapper) -> Result<(), FeedError> {
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

impl<R: Read + Send> EventSource for CsvSource<R> {
    fn instruments(&self) -> &[Instrument] {
        &self.parser.instruments
    }

    fn depth_kind(&self, _index: usize) -> DepthKind {
        match self.parser.columns.schema {
            Schema::Mbo => DepthKind::L3,
            Schema::Mbp | Schema::Trades => DepthKind::L2,
        }
    }

    fn next_event(&mut self) -> Result<Option<MarketEvent>, FeedError> {
        loop {
            if let Some(record) = self.mapper.queue.pop() {
                return Ok(Some(record));
            }
            let Some(row) = self.lines.next_row()? else { return Ok(None) };
            self.parser.split(&row)?;
            self.parser.map(&row, &mut self.mapper)?;
        }
    }

    fn repairs(&self) -> RepairCounts {
        self.mapper.repairs
    }

    fn progress(&self) -> Option<(u64, u64)> {
        self.progress.as_ref().map(Progress::now)
    }
}
