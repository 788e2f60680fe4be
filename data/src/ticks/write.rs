//! Writing: to a temporary name, whole or not at all.

use super::sums::{Sink, Sums};
use super::*;
use crate::whole::{OutputError, PendingFile};
use ijk_core::{DepthKind, EventSource, FeedError, Instrument, RepairCounts};
use parquet::basic::{Compression, Encoding, Repetition, Type as Physical};
use parquet::data_type::{DataType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnPath, Type, TypePtr};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a tick file was not written. Nothing stands under the target's name then.
#[derive(Debug, thiserror::Error)]
pub enum TickWriteError {
    /// The target is there already, or the system refused.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The Parquet library refused.
    #[error("{path}: {source}")]
    Parquet {
        /// File.
        path: PathBuf,
        /// The library's words.
        source: ParquetError,
    },
    /// The event breaks a law of the record: a fault of the source.
    #[error("record {record}: field '{field}': {detail}")]
    Event {
        /// Record from 1.
        record: u64,
        /// Field.
        field: &'static str,
        /// Expected and found.
        detail: String,
    },
    /// The number of depth kinds is not that of the instruments, or there are none.
    #[error("{instruments} instruments with {depths} depth kinds")]
    Tables {
        /// Instruments given.
        instruments: usize,
        /// Depth kinds given.
        depths: usize,
    },
    /// The source itself failed.
    #[error(transparent)]
    Feed(#[from] FeedError),
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickSummary {
    /// Records.
    pub records: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Writes one tick file. Dropped before [`TickWriter::finish`], it leaves nothing behind.
pub struct TickWriter {
    file: Option<SerializedFileWriter<Sink>>,
    pending: PendingFile,
    instruments: usize,
    sums: Vec<Sums>,
    longs: [Vec<i64>; LONG_NAMES.len()],
    shorts: [Vec<i32>; SHORT_NAMES.len()],
    records: u64,
    last: RecvTs,
}

impl TickWriter {
    /// Begins a file at `target`, under a temporary name in the same folder. `depths[i]` belongs
    /// to `instruments[i]`.
    ///
    /// # Errors
    /// [`TickWriteError::Output`], also if `target` is there and `force` is false;
    /// [`TickWriteError::Tables`] for tables that do not fit.
    pub fn create(
        target: &Path,
        instruments: &[Instrument],
        depths: &[DepthKind],
        force: bool,
    ) -> Result<TickWriter, TickWriteError> {
        if instruments.is_empty() || instruments.len() != depths.len() {
            let (instruments, depths) = (instruments.len(), depths.len());
            return Err(TickWriteError::Tables { instruments, depths });
        }
        let pending = PendingFile::new(target, force)?;
        let file = File::create(pending.path()).map_err(|e| OutputError::io(target, e))?;
        let mut writer = TickWriter {
            file: None,
            pending,
            instruments: instruments.len(),
            sums: Vec::new(),
            longs: Default::default(),
            shorts: Default::default(),
            records: 0,
            last: RecvTs(0),
        };
        let properties = Arc::new(properties(metadata(instruments, depths)));
        let parquet = SerializedFileWriter::new(Sink::new(file), schema(), properties);
        writer.file = Some(parquet.map_err(|e| writer.parquet_error(e))?);
        Ok(writer)
    }

    /// Appends one record.
    ///
    /// # Errors
    /// [`TickWriteError::Event`] for a record that breaks its laws (unknown instrument, negative
    /// quantity, receive time going backwards); `Output` and `Parquet` when a row group is flushed.
    pub fn push(&mut self, event: &MarketEvent) -> Result<(), TickWriteError> {
        check(event, self.instruments, self.last).map_err(|(field, detail)| {
            TickWriteError::Event { record: self.records + 1, field, detail }
        })?;
        let e = event;
        let longs = [
            e.ts_exchange.0 as i64,
            e.ts_receive.0 as i64,
            e.row as i64,
            e.order_id as i64,
            e.px.0,
            e.qty.0,
            e.sequence as i64,
        ];
        let shorts = [
            i32::from(e.instrument.0),
            i32::from(e.flags.0),
            i32::from(e.kind as u8),
            i32::from(e.side as u8),
        ];
        self.longs.iter_mut().zip(longs).for_each(|(column, value)| column.push(value));
        self.shorts.iter_mut().zip(shorts).for_each(|(column, value)| column.push(value));
        self.records += 1;
        self.last = event.ts_receive;
        if self.longs[0].len() == GROUP_ROW_COUNT { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), TickWriteError> {
        let (longs, shorts) = (&self.longs, &self.shorts);
        let write = |file: &mut SerializedFileWriter<Sink>| -> Result<Sums, ParquetError> {
            let mut group = file.next_row_group()?;
            longs.iter().try_for_each(|values| column::<Int64Type>(&mut group, values))?;
            shorts.iter().try_for_each(|values| column::<Int32Type>(&mut group, values))?;
            let group = group.close()?;
            file.flush()?;
            let sums = file.inner().sums(&group)?;
            file.inner_mut().release()?;
            Ok(sums)
        };
        let file = self.file.as_mut().expect("open until finished");
        let written = write(file);
        self.sums.push(written.map_err(|e| self.parquet_error(e))?);
        self.longs.iter_mut().for_each(Vec::clear);
        self.shorts.iter_mut().for_each(Vec::clear);
        Ok(())
    }

    /// Writes the footer with `repairs`, makes the file durable and gives it its name.
    ///
    /// # Errors
    /// [`TickWriteError`]: as `create` and `push`.
    pub fn finish(mut self, repairs: &RepairCounts) -> Result<TickSummary, TickWriteError> {
        if !self.longs[0].is_empty() {
            self.flush()?;
        }
        let mut file = self.file.take().expect("open until finished");
        let counts: serde_json::Map<String, serde_json::Value> =
            repairs.named().into_iter().map(|(name, n)| (name.to_string(), n.into())).collect();
        file.append_key_value_metadata(pair(REPAIRS_KEY, serde_json::Value::from(counts)));
        let sums = serde_json::to_value(&self.sums).expect("plain numbers");
        file.append_key_value_metadata(pair(SUMS_KEY, sums));
        let sink = file.into_inner().map_err(|e| self.parquet_error(e))?;
        let file = sink.into_file().map_err(|e| OutputError::io(self.pending.target(), e))?;
        let bytes = file.metadata().map_err(|e| OutputError::io(self.pending.target(), e))?.len();
        self.pending.commit()?;
        Ok(TickSummary { records: self.records, bytes })
    }

    fn parquet_error(&self, source: ParquetError) -> TickWriteError {
        TickWriteError::Parquet { path: self.pending.target().to_path_buf(), source }
    }
}

/// Writes all of `source` to `target`; `progress` is called every few thousand records with what
/// the source says of its progress.
///
/// # Errors
/// [`TickWriteError`], the source's own failures included.
pub fn write_source<S: EventSource + ?Sized>(
    source: &mut S,
    target: &Path,
    force: bool,
    mut progress: impl FnMut(Option<(u64, u64)>),
) -> Result<TickSummary, TickWriteError> {
    let instruments = source.instruments().to_vec();
    let depths: Vec<DepthKind> = (0..instruments.len()).map(|i| source.depth_kind(i)).collect();
    let mut writer = TickWriter::create(target, &instruments, &depths, force)?;
    while let Some(event) = source.next_event()? {
        writer.push(&event)?;
        if writer.records.is_multiple_of(1 << 13) {
            progress(source.progress());
        }
    }
    writer.finish(&source.repairs())
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Sink>,
    values: &[T::T],
) -> Result<(), ParquetError> {
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("the schema has too few columns".to_string()));
    };
    column.typed::<T>().write_batch(values, None, None)?;
    column.close()
}

fn schema() -> TypePtr {
    let field = |name: &str, physical: Physical| {
        let builder = Type::primitive_type_builder(name, physical);
        Arc::new(builder.with_repetition(Repetition::REQUIRED).build().expect("a valid column"))
    };
    let longs = LONG_NAMES.iter().map(|name| field(name, Physical::INT64));
    let shorts = SHORT_NAMES.iter().map(|name| field(name, Physical::INT32));
    let fields = longs.chain(shorts).collect();
    let group = Type::group_type_builder("ijk_ticks").with_fields(fields).build();
    Arc::new(group.expect("a valid schema"))
}

/// Nothing is compressed: unpacking steps and dictionary numbers takes less time than zstd does.
fn properties(metadata: Vec<KeyValue>) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_compression(Compression::UNCOMPRESSED)
        .set_dictionary_enabled(true)
        .set_max_row_group_row_count(Some(GROUP_ROW_COUNT))
        // One page a column and row group.
        .set_data_page_row_count_limit(GROUP_ROW_COUNT)
        .set_key_value_metadata(Some(metadata));
    for name in ["ts_exchange", "ts_receive", "row", "order_id", "sequence"] {
        let path = ColumnPath::from(name);
        builder = builder
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
    }
    builder.build()
}

fn metadata(instruments: &[Instrument], depths: &[DepthKind]) -> Vec<KeyValue> {
    let depths: Vec<&str> = depths.iter().map(|depth| depth_name(*depth)).collect();
    let instruments = serde_json::to_value(instruments).expect("plain numbers and texts");
    vec![
        KeyValue::new(FORMAT_KEY.to_string(), FORMAT.to_string()),
        KeyValue::new(VERSION_KEY.to_string(), VERSION.to_string()),
        pair(INSTRUMENTS_KEY, instruments),
        pair(DEPTH_KEY, depths.into()),
    ]
}

fn pair(key: &str, value: serde_json::Value) -> KeyValue {
    KeyValue::new(key.to_string(), value.to_string())
}

pub(super) fn depth_name(depth: DepthKind) -> &'static str {
    match depth {
        DepthKind::L3 => "L3",
        DepthKind::L2 => "L2",
    }
}
