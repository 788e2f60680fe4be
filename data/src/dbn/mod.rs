//! Databento Binary Encoding: market by order, market by price (1 and 10 levels, TBBO), trades.
//!
//! Records are mapped as the rows of [`crate::databento`]; symbols come from the file's metadata.
//! A stream that ends inside a record is an error.

mod guard;
mod symbols;

use crate::databento::mapping::{Fault, Mapper, RawLevel, RawRow};
use crate::input::{self, ByteStream, Progress};
use ::dbn::decode::{DbnDecoder, DbnMetadata};
use ::dbn::{MboMsg, Mbp1Msg, Mbp10Msg, Record, RecordRef, Schema, TradeMsg, rtype};
use guard::Guard;
use ijk_core::{
    DepthKind, EventSource, FeedError, FeedErrorKind, Instrument, MarketEvent, RepairCounts,
};
use std::io::Read;
use std::path::Path;
use symbols::SymbolTable;

/// Alignment, and so a divisor of the size, of every record of the format.
const RECORD_ALIGN_BYTES: usize = align_of::<MboMsg>();

/// Events of one DBN stream.
pub struct DbnSource<R> {
    decoder: DbnDecoder<Guard<R>>,
    name: String,
    record: u64,
    bytes: u64,
    depth: DepthKind,
    symbols: SymbolTable,
    mapper: Mapper,
    progress: Option<Progress>,
}

/// Opens a DBN file, plain or zstd.
///
/// # Errors
/// As [`input::open`] and [`from_reader`].
pub fn open(path: &Path) -> Result<DbnSource<ByteStream>, FeedError> {
    let file = input::open_where(path, |member| member.contains(".dbn"))?;
    let mut source = from_reader(file.reader, &file.name)?;
    source.progress = Some(file.progress);
    Ok(source)
}

/// Reads a decompressed DBN stream; `name` stands in errors, with records counted from 1.
///
/// # Errors
/// `Format` if it is no DBN or its schema has no events of a book, `Truncated` if it ends in its
/// metadata, `Range` if it has more instruments than the kernel serves.
pub fn from_reader<R: Read + Send>(reader: R, name: &str) -> Result<DbnSource<R>, FeedError> {
    let guard = Guard::new(reader, name)?;
    // As it is: no record of these schemas changed its layout from version 1 to 3.
    let policy = ::dbn::VersionUpgradePolicy::AsIs;
    let decoder =
        DbnDecoder::with_upgrade_policy(guard, policy).map_err(|e| decode_error(&e, name, 0))?;
    let metadata = decoder.metadata();
    let depth = match metadata.schema {
        Some(Schema::Mbo) | None => DepthKind::L3,
        Some(Schema::Mbp1 | Schema::Mbp10 | Schema::Tbbo | Schema::Trades) => DepthKind::L2,
        Some(other) => return Err(no_events(name, 0, &format!("schema {other}"))),
    };
    let symbols = SymbolTable::from_metadata(metadata, name)?;
    let mut source = DbnSource {
        mapper: Mapper::new(symbols.instruments().len().max(1)),
        bytes: decoder.get_ref().metadata_bytes(),
        decoder,
        name: name.to_string(),
        record: 0,
        depth,
        symbols,
        progress: None,
    };
    if source.symbols.instruments().is_empty() {
        source.read_record()?;
        if source.symbols.instruments().is_empty() {
            let detail = "neither symbols in the metadata nor records";
            return Err(error(FeedErrorKind::Format, name, 0, "", detail.to_string()));
        }
    }
    Ok(source)
}

fn error(kind: FeedErrorKind, file: &str, line: u64, field: &str, detail: String) -> FeedError {
    FeedError { kind, file: file.to_string(), line, field: field.to_string(), detail }
}

#[cold]
fn no_events(name: &str, record: u64, what: &str) -> FeedError {
    let detail =
        format!("{what} carries no events of a book; mbo, mbp-1, mbp-10, tbbo and trades are read");
    error(FeedErrorKind::Format, name, record, "", detail)
}

#[cold]
fn decode_error(e: &::dbn::Error, name: &str, record: u64) -> FeedError {
    match e {
        ::dbn::Error::Io { source, .. } => input::stream_error(source, name, record),
        other => error(FeedErrorKind::Format, name, record, "", format!("no valid DBN: {other}")),
    }
}

impl<R: Read + Send> DbnSource<R> {
    /// Reads records until one has queued events; `false` at the end.
    fn read_record(&mut self) -> Result<bool, FeedError> {
        loop {
            let at = self.record + 1;
            let rec = match self.decoder.decode_ref() {
                Ok(Some(rec)) => rec,
                Ok(None) => return self.check_end().map(|()| false),
                Err(e) => return Err(decode_error(&e, &self.name, at)),
            };
            self.record = at;
            self.bytes += rec.record_size() as u64;
            // The decoder would read the record behind such a one from a place off its alignment.
            if !rec.record_size().is_multiple_of(RECORD_ALIGN_BYTES) {
                let detail = format!(
                    "expected a multiple of {RECORD_ALIGN_BYTES}, found {}",
                    rec.record_size()
                );
                return Err(error(FeedErrorKind::Field, &self.name, at, "length", detail));
            }
            let mapped = map(&rec, &mut self.symbols, &mut self.mapper);
            match mapped.map_err(|fault| locate(fault, &self.name, at))? {
                Mapped::Queued => return Ok(true),
                Mapped::Skipped => {}
                Mapped::Unsupported(rtype) => {
                    return Err(no_events(&self.name, at, &format!("record type {rtype:#04x}")));
                }
            }
        }
    }

    /// The decoder ends quietly inside a record: every byte must belong to one.
    fn check_end(&self) -> Result<(), FeedError> {
        let stream = self.decoder.get_ref().bytes();
        if stream == self.bytes {
            return Ok(());
        }
        let detail = format!(
            "the stream ends inside a record: {} bytes follow the last whole one",
            stream.saturating_sub(self.bytes)
        );
        Err(error(FeedErrorKind::Truncated, &self.name, self.record + 1, "", detail))
    }
}

#[cold]
fn locate(fault: Fault, name: &str, record: u64) -> FeedError {
    error(fault.kind, name, record, fault.field, fault.detail)
}

/// The messages share these fields by name only.
macro_rules! raw_row {
    ($m:expr, $instrument:expr, $ts_event:expr, $order_id:expr) => {
        RawRow {
            ts_event: $ts_event,
            ts_recv: $m.ts_recv,
            instrument: $instrument,
            publisher: $m.hd.publisher_id,
            action: $m.action as u8,
            side: $m.side as u8,
            px: $m.price,
            size: i64::from($m.size),
            order_id: $order_id,
            flags: $m.flags.raw(),
            sequence: u64::from($m.sequence),
        }
    };
}
enum Mapped {
    Queued,
    /// A record beside the book: definitions, statistics, messages of the gateway.
    Skipped,
    Unsupported(u8),
}

fn map(
    rec: &RecordRef<'_>,
    symbols: &mut SymbolTable,
    mapper: &mut Mapper,
) -> Result<Mapped, Fault> {
    let header = rec.header();
    // The decoder's own accessors take a length for granted that the stream states.
    let needed = match header.rtype {
        rtype::MBO => size_of::<MboMsg>(),
        rtype::MBP_0 => size_of::<TradeMsg>(),
        rtype::MBP_1 => size_of::<Mbp1Msg>(),
        rtype::MBP_10 => size_of::<Mbp10Msg>(),
        rtype::STATUS
        | rtype::INSTRUMENT_DEF
        | rtype::IMBALANCE
        | rtype::ERROR
        | rtype::SYMBOL_MAPPING
        | rtype::SYSTEM
        | rtype::STATISTICS => return Ok(Mapped::Skipped),
        other => return Ok(Mapped::Unsupported(other)),
    };
    if rec.record_size() < needed {
        return Err(Fault {
            kind: FeedErrorKind::Field,
            field: "length",
            detail: format!("expected {needed} bytes or more, found {}", rec.record_size()),
        });
    }
    let instrument = symbols.instrument(header.instrument_id)?;
    let ts_event = header.ts_event;
    if let Some(m) = rec.get::<MboMsg>() {
        mapper.mbo(&raw_row!(m, instrument, ts_event, m.order_id))?;
    } else if let Some(m) = rec.get::<Mbp10Msg>() {
        mapper.mbp(&raw_row!(m, instrument, ts_event, 0), &m.levels.each_ref().map(level))?;
    } else if let Some(m) = rec.get::<Mbp1Msg>() {
        mapper.mbp(&raw_row!(m, instrument, ts_event, 0), &m.levels.each_ref().map(level))?;
    } else if let Some(m) = rec.get::<TradeMsg>() {
        mapper.trade(&raw_row!(m, instrument, ts_event, 0))?;
    } else {
        return Ok(Mapped::Unsupported(header.rtype));
    }
    Ok(Mapped::Queued)
}

fn level(pair: &::dbn::BidAskPair) -> RawLevel {
    RawLevel {
        bid_px: pair.bid_px,
        bid_qty: i64::from(pair.bid_sz),
        ask_px: pair.ask_px,
        ask_qty: i64::from(pair.ask_sz),
    }
}

impl<R: Read + Send> EventSource for DbnSource<R> {
    fn instruments(&self) -> &[Instrument] {
        self.symbols.instruments()
    }

    fn depth_kind(&self, _index: usize) -> DepthKind {
        self.depth
    }

    fn next_event(&mut self) -> Result<Option<MarketEvent>, FeedError> {
        loop {
            if let Some(record) = self.mapper.queue.pop() {
                return Ok(Some(record));
            }
            if !self.read_record()? {
                return Ok(None);
            }
        }
    }

    fn repairs(&self) -> RepairCounts {
        self.mapper.repairs
    }

    fn progress(&self) -> Option<(u64, u64)> {
        self.progress.as_ref().map(Progress::now)
    }
}
