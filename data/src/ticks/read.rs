//! Reading: batch by batch, every value checked.

use super::batch::{BATCH_ROW_COUNT, BadValue, Batch};
use super::write::depth_name;
use super::*;
use ijk_core::limits::INSTRUMENT_COUNT_MAX;
use ijk_core::{DepthKind, EventSource, FeedError, FeedErrorKind, Instrument, RepairCounts};
use parquet::basic::Type as Physical;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{DataType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::collections::BTreeMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Longest detail of an error, characters.
const DETAIL_CHARS_MAX: usize = 500;
/// The columns of the row group being read.
struct Columns {
    longs: Vec<ColumnReaderImpl<Int64Type>>,
    shorts: Vec<ColumnReaderImpl<Int32Type>>,
    left: usize,
}

/// Reads one tick file in bounded memory: the open pages of eleven columns and one batch.
pub struct TickReader {
    file: SerializedFileReader<File>,
    name: String,
    instruments: Vec<Instrument>,
    depths: Vec<DepthKind>,
    repairs: RepairCounts,
    total: u64,
    group: usize,
    columns: Option<Columns>,
    batch: Batch,
    at: usize,
    /// What stands after the last event of the batch.
    bad: Option<BadValue>,
    record: u64,
    last: RecvTs,
}

impl TickReader {
    /// Opens a tick file and checks its schema and metadata.
    ///
    /// # Errors
    /// [`FeedError`]: `Io` if it cannot be opened, `Truncated` if its footer is missing or
    /// damaged, `Format` if it is a Parquet file of another kind or version.
    pub fn open(path: &Path) -> Result<TickReader, FeedError> {
        let name = path.display().to_string();
        let fail = |kind, detail: String| error(&name, kind, 0, "", detail);
        let file = File::open(path)
            .map_err(|e| fail(FeedErrorKind::Io, format!("cannot be opened: {e}")))?;
        let file = guarded(|| SerializedFileReader::new(file)).map_err(|e| {
            let detail = format!("expected a complete Parquet file: {e}");
            fail(FeedErrorKind::Truncated, detail)
        })?;
        check_schema(file.metadata()).map_err(|detail| fail(FeedErrorKind::Format, detail))?;
        let pairs = file.metadata().file_metadata().key_value_metadata();
        let tables = tables(pairs.map_or(&[], Vec::as_slice));
        let (instruments, depths, repairs) =
            tables.map_err(|(key, detail)| error(&name, FeedErrorKind::Format, 0, key, detail))?;
        let rows = file.metadata().row_groups().iter().map(|group| group.num_rows());
        let total = rows.map(|n| u64::try_from(n).unwrap_or(0)).fold(0, u64::saturating_add);
        Ok(TickReader {
            file,
            instruments,
            depths,
            repairs,
            total,
            group: 0,
            columns: None,
            batch: Batch::default(),
            at: 0,
            bad: None,
            record: 0,
            last: RecvTs(0),
            name,
        })
    }

    /// Returns the number of records that the file's footer states.
    pub fn record_count(&self) -> u64 {
        self.total
    }

    /// Decodes the next batch; false at the end.
    fn fill(&mut self) -> Result<bool, FeedError> {
        while self.columns.as_ref().is_none_or(|columns| columns.left == 0) {
            if self.group == self.file.metadata().num_row_groups() {
                return Ok(false);
            }
            let (file, group) = (&self.file, self.group);
            let opened = guarded(|| open_group(file, group));
            self.columns = Some(opened.map_err(|e| self.damaged(&e))?);
            self.group += 1;
        }
        let Some(columns) = self.columns.as_mut() else { return Ok(false) };
        let wanted = columns.left.min(BATCH_ROW_COUNT);
        let (longs, shorts) = (&mut self.batch.longs, &mut self.batch.shorts);
        let read = guarded(|| {
            for (reader, values) in columns.longs.iter_mut().zip(longs.iter_mut()) {
                read_column(reader, values, wanted)?;
            }
            for (reader, values) in columns.shorts.iter_mut().zip(shorts.iter_mut()) {
                read_column(reader, values, wanted)?;
            }
            Ok(())
        });
        columns.left -= wanted;
        read.map_err(|e| self.damaged(&e))?;
        self.at = 0;
        self.bad = self.batch.assemble(self.instruments.len(), self.last);
        Ok(true)
    }

    fn bad_value(&self, bad: &BadValue) -> FeedError {
        let unsorted = bad.field == "ts_receive";
        let kind = if unsorted { FeedErrorKind::UnsortedTime } else { FeedErrorKind::Range };
        error(&self.name, kind, self.record + 1, bad.field, bad.detail.clone())
    }

    fn damaged(&self, e: &ParquetError) -> FeedError {
        let detail = format!("the file is damaged: {e}");
        error(&self.name, FeedErrorKind::Truncated, self.record + 1, "", detail)
    }
}

impl EventSource for TickReader {
    fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    fn depth_kind(&self, index: usize) -> DepthKind {
        self.depths[index]
    }

    fn next_event(&mut self) -> Result<Option<MarketEvent>, FeedError> {
        // A batch may be empty but for the value that is bad.
        while self.at == self.batch.events.len() {
            if let Some(bad) = &self.bad {
                return Err(self.bad_value(bad));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
        let event = self.batch.events[self.at];
        self.at += 1;
        self.record += 1;
        self.last = event.ts_receive;
        Ok(Some(event))
    }

    fn repairs(&self) -> RepairCounts {
        self.repairs
    }

    /// Returns records read and in total, times their 64 bytes.
    fn progress(&self) -> Option<(u64, u64)> {
        Some((self.record.saturating_mul(64), self.total.saturating_mul(64)))
    }
}

/// Runs a call into the Parquet library, whose decoders may panic on damaged input; a panic
/// becomes an error, and the reader is not used further after one.
pub(crate) fn guarded<T>(
    call: impl FnOnce() -> Result<T, ParquetError>,
) -> Result<T, ParquetError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        Err(ParquetError::General("a value that no Parquet writer makes".to_string()))
    })
}

fn open_group(file: &SerializedFileReader<File>, group: usize) -> Result<Columns, ParquetError> {
    let reader = file.get_row_group(group)?;
    let rows = reader.metadata().num_rows();
    let left = usize::try_from(rows)
        .map_err(|_| ParquetError::General(format!("a row group of {rows} rows")))?;
    let (mut longs, mut shorts) = (Vec::new(), Vec::new());
    for index in 0..LONG_NAMES.len() + SHORT_NAMES.len() {
        match reader.get_column_reader(index)? {
            ColumnReader::Int64ColumnReader(column) => longs.push(column),
            ColumnReader::Int32ColumnReader(column) => shorts.push(column),
            _ => return Err(ParquetError::General(format!("column {index} changed its type"))),
        }
    }
    if (longs.len(), shorts.len()) != (LONG_NAMES.len(), SHORT_NAMES.len()) {
        return Err(ParquetError::General("a column changed its type".to_string()));
    }
    Ok(Columns { longs, shorts, left })
}

fn read_column<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    values: &mut Vec<T::T>,
    wanted: usize,
) -> Result<(), ParquetError> {
    values.clear();
    while values.len() < wanted {
        let (records, _, _) = reader.read_records(wanted - values.len(), None, None, values)?;
        if records == 0 {
            let found = values.len();
            let detail = format!("a column ends {} rows early", wanted - found);
            return Err(ParquetError::EOF(detail));
        }
    }
    if values.len() > wanted {
        return Err(ParquetError::General("a column with too many values".to_string()));
    }
    Ok(())
}

fn check_schema(metadata: &ParquetMetaData) -> Result<(), String> {
    let schema = metadata.file_metadata().schema_descr();
    let longs = LONG_NAMES.iter().map(|name| (*name, Physical::INT64));
    let shorts = SHORT_NAMES.iter().map(|name| (*name, Physical::INT32));
    let wanted: Vec<_> = longs.chain(shorts).collect();
    let fits = schema.num_columns() == wanted.len()
        && schema.columns().iter().zip(&wanted).all(|(column, (name, physical))| {
            column.path().string() == *name
                && column.physical_type() == *physical
                && column.max_def_level() == 0
                && column.max_rep_level() == 0
        });
    let names = || wanted.iter().map(|column| column.0).collect::<Vec<_>>().join(", ");
    if fits { Ok(()) } else { Err(format!("no tick file: expected the columns {}", names())) }
}

type Tables = (Vec<Instrument>, Vec<DepthKind>, RepairCounts);

fn tables(pairs: &[KeyValue]) -> Result<Tables, (&'static str, String)> {
    let find = |key: &'static str| {
        let found = pairs.iter().find(|pair| pair.key == key);
        found.and_then(|pair| pair.value.as_deref()).ok_or((key, "missing metadata".to_string()))
    };
    for (key, wanted) in [(FORMAT_KEY, FORMAT), (VERSION_KEY, VERSION)] {
        let found = find(key)?;
        if found != wanted {
            return Err((key, format!("expected {wanted}, found {found}")));
        }
    }
    let instruments: Vec<Instrument> = serde_json::from_str(find(INSTRUMENTS_KEY)?)
        .map_err(|e| (INSTRUMENTS_KEY, format!("expected instruments as JSON: {e}")))?;
    let names: Vec<String> = serde_json::from_str(find(DEPTH_KEY)?)
        .map_err(|e| (DEPTH_KEY, format!("expected depth kinds as JSON: {e}")))?;
    let kinds = [DepthKind::L3, DepthKind::L2];
    let kind_of = |name: &String| kinds.into_iter().find(|kind| depth_name(*kind) == name);
    let depths: Option<Vec<DepthKind>> = names.iter().map(kind_of).collect();
    let depths = depths.ok_or((DEPTH_KEY, format!("expected L3 or L2, found {names:?}")))?;
    let n = instruments.len();
    if n == 0 || n > INSTRUMENT_COUNT_MAX || n != depths.len() {
        let detail = format!("{n} instruments with {} depth kinds", depths.len());
        return Err((INSTRUMENTS_KEY, detail));
    }
    let valid = |i: &Instrument| i.tick.0 > 0 && i.lot.0 > 0 && i.qty_unit_e9 > 0;
    if !instruments.iter().all(valid) {
        let detail = "expected positive tick, lot and quantity unit".to_string();
        return Err((INSTRUMENTS_KEY, detail));
    }
    Ok((instruments, depths, repairs(find(REPAIRS_KEY)?)?))
}

fn repairs(text: &str) -> Result<RepairCounts, (&'static str, String)> {
    let found: BTreeMap<String, u64> = serde_json::from_str(text)
        .map_err(|e| (REPAIRS_KEY, format!("expected counts as JSON: {e}")))?;
    let count = |name: &str| found.get(name).copied().unwrap_or(0);
    Ok(RepairCounts {
        levels_revealed: count("levels_revealed"),
        unknown_orders: count("unknown_orders"),
        time_reversals: count("time_reversals"),
        sequence_gaps: count("sequence_gaps"),
        crossed_books: count("crossed_books"),
        stale_quotes: count("stale_quotes"),
        level_mismatches: count("level_mismatches"),
    })
}

pub(crate) fn error(
    name: &str,
    kind: FeedErrorKind,
    line: u64,
    field: &str,
    detail: String,
) -> FeedError {
    // What stands in a file's metadata may be long; a message is not.
    let detail = detail.chars().take(DETAIL_CHARS_MAX).collect();
    FeedError { kind, file: name.to_string(), line, field: field.to_string(), detail }
}
