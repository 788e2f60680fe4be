//! Reading: batch by batch, every value checked.

use super::batch::{BadValue, Batch, MADE_COUNT};
use super::group::Columns;
use super::sums::Sums;
use super::write::depth_name;
use super::*;
use ijk_core::limits::INSTRUMENT_COUNT_MAX;
use ijk_core::{DepthKind, EventSource, FeedError, FeedErrorKind, Instrument, RepairCounts};
use parquet::basic::Type as Physical;
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, ParquetMetaData, ParquetMetaDataReader};
use std::collections::BTreeMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

/// Longest detail of an error, characters.
const DETAIL_CHARS_MAX: usize = 500;

/// Reads one tick file in bounded memory: the bytes of one row group and one batch of its records.
pub struct TickReader {
    file: Arc<File>,
    metadata: ParquetMetaData,
    /// One a row group, where the writer left them.
    sums: Option<Vec<Sums>>,
    name: String,
    instruments: Vec<Instrument>,
    depths: Vec<DepthKind>,
    repairs: RepairCounts,
    total: u64,
    group: usize,
    columns: Option<Columns>,
    batch: Batch,
    /// End of the batch's sound records, and what stands there.
    sound: usize,
    bad: Option<BadValue>,
    /// Records of the batch that are events by now.
    made: usize,
    /// The last of these, and how many of them have been given.
    events: Vec<MarketEvent>,
    given: usize,
    /// Records of earlier batches.
    before: u64,
    /// When the last event was received.
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
        let parsed = guarded(|| ParquetMetaDataReader::new().parse_and_finish(&file));
        let metadata = parsed.map_err(|e| {
            let detail = format!("expected a complete Parquet file: {e}");
            fail(FeedErrorKind::Truncated, detail)
        })?;
        check_schema(&metadata).map_err(|detail| fail(FeedErrorKind::Format, detail))?;
        let pairs = metadata.file_metadata().key_value_metadata();
        let tables = tables(pairs.map_or(&[], Vec::as_slice));
        let format = |(key, detail)| error(&name, FeedErrorKind::Format, 0, key, detail);
        let (instruments, depths, repairs) = tables.map_err(format)?;
        let groups = metadata.num_row_groups();
        let sums = sums(pairs.map_or(&[], Vec::as_slice), groups).map_err(format)?;
        let rows = metadata.row_groups().iter().map(|group| group.num_rows());
        let total = rows.map(|n| u64::try_from(n).unwrap_or(0)).fold(0, u64::saturating_add);
        Ok(TickReader {
            file: Arc::new(file),
            metadata,
            sums,
            instruments,
            depths,
            repairs,
            total,
            group: 0,
            columns: None,
            batch: Batch::new(),
            sound: 0,
            bad: None,
            made: 0,
            events: Vec::with_capacity(MADE_COUNT),
            given: 0,
            before: 0,
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
            if self.group == self.metadata.num_row_groups() {
                return Ok(false);
            }
            let group = self.metadata.row_group(self.group);
            let before = self.columns.take();
            let sums = self.sums.as_ref().and_then(|sums| sums.get(self.group));
            let mut field = "";
            let opened = guarded(|| Columns::open(&self.file, group, before, sums, &mut field));
            self.columns = Some(opened.map_err(|e| self.damaged(field, &e))?);
            self.group += 1;
        }
        let Some(columns) = self.columns.as_mut() else { return Ok(false) };
        let mut field = "";
        let read = guarded(|| self.batch.read(columns, &mut field));
        read.map_err(|e| self.damaged(field, &e))?;
        self.before += self.made as u64;
        self.made = 0;
        (self.sound, self.bad) = self.batch.check(self.instruments.len(), self.last);
        Ok(true)
    }

    /// Makes the next events, decoding a batch where there is none; false at the end.
    #[inline(never)]
    fn refill(&mut self) -> Result<bool, FeedError> {
        // A batch may be empty but for the value that is bad.
        while self.made == self.sound {
            if let Some(bad) = &self.bad {
                return Err(self.bad_value(bad));
            }
            if !self.fill()? {
                return Ok(false);
            }
        }
        let end = self.sound.min(self.made + MADE_COUNT);
        self.batch.make(self.made, end, &mut self.events);
        self.made = end;
        self.given = 0;
        self.last = self.events.last().map_or(self.last, |event| event.ts_receive);
        Ok(true)
    }

    /// Records given so far.
    fn record(&self) -> u64 {
        self.before + self.made as u64 - (self.events.len() - self.given) as u64
    }

    fn bad_value(&self, bad: &BadValue) -> FeedError {
        let unsorted = bad.field == "ts_receive";
        let kind = if unsorted { FeedErrorKind::UnsortedTime } else { FeedErrorKind::Range };
        error(&self.name, kind, self.record() + 1, bad.field, bad.detail.clone())
    }

    fn damaged(&self, field: &str, e: &ParquetError) -> FeedError {
        let detail = format!("the file is damaged: {e}");
        error(&self.name, FeedErrorKind::Truncated, self.record() + 1, field, detail)
    }
}

impl EventSource for TickReader {
    fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    fn depth_kind(&self, index: usize) -> DepthKind {
        self.depths[index]
    }

    #[inline]
    fn next_event(&mut self) -> Result<Option<MarketEvent>, FeedError> {
        if self.given == self.events.len() && !self.refill()? {
            return Ok(None);
        }
        let event = self.events[self.given];
        self.given += 1;
        Ok(Some(event))
    }

    fn repairs(&self) -> RepairCounts {
        self.repairs
    }

    /// Returns records read and in total, times their 64 bytes.
    fn progress(&self) -> Option<(u64, u64)> {
        Some((self.record().saturating_mul(64), self.total.saturating_mul(64)))
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

/// Returns the checksums of each row group, if there are any.
fn sums(pairs: &[KeyValue], groups: usize) -> Result<Option<Vec<Sums>>, (&'static str, String)> {
    let pair = pairs.iter().find(|pair| pair.key == SUMS_KEY);
    let Some(text) = pair.and_then(|pair| pair.value.as_deref()) else { return Ok(None) };
    let sums: Vec<Sums> = serde_json::from_str(text)
        .map_err(|e| (SUMS_KEY, format!("expected checksums as JSON: {e}")))?;
    if sums.len() != groups {
        let found = sums.len();
        return Err((SUMS_KEY, format!("expected {groups} lists of checksums, found {found}")));
    }
    Ok(Some(sums))
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
