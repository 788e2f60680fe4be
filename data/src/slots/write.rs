//! Writing a slot file: to a temporary name, whole or not at all.

use super::SlotRow;
use crate::ticks::TickWriteError;
use crate::whole::{OutputError, PendingFile};
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

const SCHEMA: &str = "message ijk_slots {
    REQUIRED BYTE_ARRAY symbol (UTF8);
    REQUIRED BYTE_ARRAY slot (UTF8);
    REQUIRED INT64 known_from;
    REQUIRED GROUP vector (LIST) { REPEATED GROUP list { REQUIRED FLOAT element; } }
}";

/// Writes `rows` as they are; what they must be is checked by whoever reads them.
///
/// # Errors
/// [`TickWriteError::Output`], also if `target` is there and `force` is false;
/// [`TickWriteError::Parquet`].
pub fn write_slots(target: &Path, rows: &[SlotRow], force: bool) -> Result<(), TickWriteError> {
    let pending = PendingFile::new(target, force)?;
    let file = File::create(pending.path()).map_err(|e| OutputError::io(target, e))?;
    let written = write(file, rows);
    let path = target.to_path_buf();
    written.map_err(|source| TickWriteError::Parquet { path, source })?;
    pending.commit()?;
    Ok(())
}

fn write(file: File, rows: &[SlotRow]) -> Result<(), ParquetError> {
    let level = ZstdLevel::try_new(3)?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let mut file = SerializedFileWriter::new(file, schema, Arc::new(properties))?;
    let mut group = file.next_row_group()?;
    let text = |pick: fn(&SlotRow) -> &String| -> Vec<ByteArray> {
        rows.iter().map(|r| ByteArray::from(pick(r).as_str())).collect()
    };
    let times: Vec<i64> = rows.iter().map(|r| r.known_from_ns as i64).collect();
    column::<ByteArrayType>(&mut group, &text(|r| &r.symbol), None)?;
    column::<ByteArrayType>(&mut group, &text(|r| &r.slot), None)?;
    column::<Int64Type>(&mut group, &times, None)?;
    // Of each list the first number begins a row; an empty list is one level without a number.
    let (mut numbers, mut defined, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        numbers.extend_from_slice(&row.values);
        let levels = row.values.len().max(1);
        defined.extend(std::iter::repeat_n(i16::from(!row.values.is_empty()), levels));
        repeated.extend((0..levels).map(|i| i16::from(i > 0)));
    }
    column::<FloatType>(&mut group, &numbers, Some((&defined, &repeated)))?;
    group.close()?;
    file.close().map(|_| ())
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: &[T::T],
    levels: Option<(&[i16], &[i16])>,
) -> Result<(), ParquetError> {
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("the schema has too few columns".to_string()));
    };
    let (defined, repeated) = levels.unzip();
    column.typed::<T>().write_batch(values, defined, repeated)?;
    column.close()
}
