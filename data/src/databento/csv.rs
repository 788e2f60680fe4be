//! The CSV reader.

use super::columns::{Columns, Schema};
use super::mapping::Mapper;
use super::row::Parser;
use crate::input::{self, ByteStream, Input, LineReader, Progress};
use ijk_core::limits::INSTRUMENT_COUNT_MAX;
use ijk_core::{
    DepthKind, EventSource, FeedError, FeedErrorKind, Instrument, MarketEvent, RepairCounts, Symbol,
};
use std::io::Read;
use std::path::Path;

/// Events of one Databento CSV file.
pub struct CsvSource<R> {
    lines: LineReader<R>,
    parser: Parser,
    mapper: Mapper,
    progress: Option<Progress>,
}

/// Opens a CSV file (plain, gzip, zstd, or the one CSV of a zip archive). The file is read twice:
/// once for its symbols.
///
/// # Errors
/// As [`input::open`]; `Format` for a header without the needed columns, a file without rows or
/// with more than [`INSTRUMENT_COUNT_MAX`] symbols.
pub fn open(path: &Path) -> Result<CsvSource<ByteStream>, FeedError> {
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
    let instruments = symbols.iter().map(|&s| Instrument::us_equity(s)).collect();
    let mut parser = Parser::new(columns, instruments);
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
    let mut parser = Parser::new(columns, Vec::new());
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
