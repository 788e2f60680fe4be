//! Parquet tables, written row by row in bounded memory with the low-level writer.

use crate::exit::Exit;
use ijk_data::whole::PendingFile;
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows of one row group.
const GROUP_ROWS: usize = 1 << 15;

/// Type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 64-bit integer.
    Int,
    /// 64-bit float; NaN where a value is missing.
    Float,
    /// UTF-8 text.
    Text,
}

enum Values {
    Int(Vec<i64>),
    Float(Vec<f64>),
    Text(Vec<ByteArray>),
}

/// One table on its way to a file.
pub struct Table {
    pending: PendingFile,
    target: PathBuf,
    writer: SerializedFileWriter<File>,
    columns: Vec<Values>,
    next: usize,
    rows_in_group: usize,
    rows: u64,
}

impl Table {
    /// Starts a table with the given columns.
    ///
    /// # Errors
    /// Exit code 2 if the file exists (without `force`) or cannot be written.
    pub fn create(
        path: &Path,
        columns: &[(impl AsRef<str>, Kind)],
        force: bool,
    ) -> Result<Table, Exit> {
        let pending = PendingFile::new(path, force)?;
        let file = File::create(pending.path()).map_err(|e| Exit::output(path, e))?;
        let schema = schema(columns).map_err(|e| Exit::new(crate::exit::BUG, e))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        let writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))
            .map_err(|e| Exit::output(path, e))?;
        let columns = columns
            .iter()
            .map(|(_, kind)| match kind {
                Kind::Int => Values::Int(Vec::with_capacity(GROUP_ROWS)),
                Kind::Float => Values::Float(Vec::with_capacity(GROUP_ROWS)),
                Kind::Text => Values::Text(Vec::with_capacity(GROUP_ROWS)),
            })
            .collect();
        let target = path.to_path_buf();
        Ok(Table { pending, target, writer, columns, next: 0, rows_in_group: 0, rows: 0 })
    }

    fn column(&mut self) -> &mut Values {
        let at = self.next;
        self.next += 1;
        &mut self.columns[at]
    }

    /// Adds an integer to the current row.
    pub fn int(&mut self, v: i64) -> &mut Self {
        match self.column() {
            Values::Int(c) => c.push(v),
            _ => unreachable!("Invariant: cells are added in the order of the columns."),
        }
        self
    }

    /// Adds a float to the current row.
    pub fn float(&mut self, v: f64) -> &mut Self {
        match self.column() {
            Values::Float(c) => c.push(v),
            _ => unreachable!("Invariant: cells are added in the order of the columns."),
        }
        self
    }

    /// Adds a text to the current row.
    pub fn text(&mut self, v: &str) -> &mut Self {
        match self.column() {
            Values::Text(c) => c.push(ByteArray::from(v)),
            _ => unreachable!("Invariant: cells are added in the order of the columns."),
        }
        self
    }

    /// Ends the current row.
    ///
    /// # Errors
    /// If a full group cannot be written.
    pub fn end_row(&mut self) -> Result<(), Exit> {
        assert_eq!(self.next, self.columns.len(), "Invariant: a row fills every column.");
        self.next = 0;
        self.rows += 1;
        self.rows_in_group += 1;
        if self.rows_in_group == GROUP_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Exit> {
        if self.rows_in_group == 0 {
            return Ok(());
        }
        self.rows_in_group = 0;
        write_group(&mut self.writer, &mut self.columns).map_err(|e| Exit::output(&self.target, e))
    }

    /// Completes the file and puts it in place. Returns the number of rows.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn finish(mut self) -> Result<u64, Exit> {
        self.flush()?;
        self.writer.close().map_err(|e| Exit::output(&self.target, e))?;
        self.pending.commit()?;
        Ok(self.rows)
    }
}

fn schema(columns: &[(impl AsRef<str>, Kind)]) -> Result<Type, ParquetError> {
    let fields = columns
        .iter()
        .map(|(name, kind)| {
            let (physical, logical) = match kind {
                Kind::Int => (Physical::INT64, None),
                Kind::Float => (Physical::DOUBLE, None),
                Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            };
            Type::primitive_type_builder(name.as_ref(), physical)
                .with_repetition(Repetition::REQUIRED)
                .with_logical_type(logical)
                .build()
                .map(Arc::new)
        })
        .collect::<Result<Vec<_>, _>>()?;
    Type::group_type_builder("table").with_fields(fields).build()
}

fn write_group(
    writer: &mut SerializedFileWriter<File>,
    columns: &mut [Values],
) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    for column in columns {
        let Some(mut out) = group.next_column()? else { break };
        match column {
            Values::Int(v) => {
                out.typed::<Int64Type>().write_batch(v, None, None)?;
                v.clear();
            }
            Values::Float(v) => {
                out.typed::<DoubleType>().write_batch(v, None, None)?;
                v.clear();
            }
            Values::Text(v) => {
                out.typed::<ByteArrayType>().write_batch(v, None, None)?;
                v.clear();
            }
        }
        out.close()?;
    }
    group.close()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    #[test]
    fn what_is_written_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.parquet");
        let columns = [("n", Kind::Int), ("x", Kind::Float), ("s", Kind::Text)];
        let mut table = Table::create(&path, &columns, false).unwrap();
        let rows = GROUP_ROWS as i64 + 3;
        for i in 0..rows {
            table.int(i).float(i as f64 / 2.0).text(if i % 2 == 0 { "even" } else { "odd" });
            table.end_row().unwrap();
        }
        assert!(!path.exists(), "a file appears only when it is complete");
        assert_eq!(table.finish().unwrap(), rows as u64);
        let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
        assert_eq!(reader.num_row_groups(), 2);
        for (i, row) in reader.get_row_iter(None).unwrap().enumerate() {
            let row = row.unwrap();
            assert_eq!(row.get_long(0).unwrap(), i as i64);
            assert_eq!(row.get_double(1).unwrap(), i as f64 / 2.0);
            assert_eq!(row.get_string(2).unwrap(), ["even", "odd"][i % 2]);
        }
    }
}
