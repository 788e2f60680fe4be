//! A Parquet table built in memory.

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use std::sync::Arc;

/// A column under construction.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// 64-bit integers.
    Int(Vec<i64>),
    /// 64-bit floats, NaN where a value is missing.
    Float(Vec<f64>),
    /// UTF-8 texts.
    Text(Vec<String>),
}

/// Named columns of one length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    columns: Vec<(&'static str, Column)>,
}

impl Table {
    /// Returns an empty table.
    pub fn new() -> Table {
        Table::default()
    }

    /// Adds a column.
    #[must_use]
    pub fn with(mut self, name: &'static str, column: Column) -> Table {
        self.columns.push((name, column));
        self
    }

    /// Adds a column of floats.
    #[must_use]
    pub fn floats(self, name: &'static str, values: impl IntoIterator<Item = f64>) -> Table {
        self.with(name, Column::Float(values.into_iter().collect()))
    }

    /// Adds a column of integers.
    #[must_use]
    pub fn ints(self, name: &'static str, values: impl IntoIterator<Item = i64>) -> Table {
        self.with(name, Column::Int(values.into_iter().collect()))
    }

    /// Adds a column of texts.
    #[must_use]
    pub fn texts(self, name: &'static str, values: impl IntoIterator<Item = String>) -> Table {
        self.with(name, Column::Text(values.into_iter().collect()))
    }

    /// Returns the bytes of a Parquet file.
    ///
    /// # Errors
    /// [`ParquetError`] of the encoder, also for columns of different lengths.
    pub fn encode(&self) -> Result<Vec<u8>, ParquetError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        let schema = Arc::new(self.schema()?);
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
        let mut group = writer.next_row_group()?;
        for (_, column) in &self.columns {
            let Some(mut out) = group.next_column()? else { break };
            match column {
                Column::Int(v) => out.typed::<Int64Type>().write_batch(v, None, None)?,
                Column::Float(v) => out.typed::<DoubleType>().write_batch(v, None, None)?,
                Column::Text(v) => {
                    let v: Vec<ByteArray> = v.iter().map(|t| t.as_str().into()).collect();
                    out.typed::<ByteArrayType>().write_batch(&v, None, None)?
                }
            };
            out.close()?;
        }
        group.close()?;
        writer.into_inner()
    }

    fn schema(&self) -> Result<Type, ParquetError> {
        let fields = self.columns.iter().map(|(name, column)| {
            let (physical, logical) = match column {
                Column::Int(_) => (Physical::INT64, None),
                Column::Float(_) => (Physical::DOUBLE, None),
                Column::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            };
            Type::primitive_type_builder(name, physical)
                .with_repetition(Repetition::REQUIRED)
                .with_logical_type(logical)
                .build()
                .map(Arc::new)
        });
        let fields = fields.collect::<Result<Vec<_>, _>>()?;
        Type::group_type_builder("report").with_fields(fields).build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;
    use std::io::Write;

    #[test]
    fn what_is_written_reads_back() {
        let table = Table::new()
            .texts("symbol", ["A".to_string(), "B".to_string()])
            .ints("ts", [1, -2])
            .floats("cost_bps", [0.5, f64::INFINITY]);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&table.encode().unwrap()).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        let rows: Vec<Vec<(String, Field)>> =
            reader.get_row_iter(None).unwrap().map(|r| r.unwrap().into_columns()).collect();
        assert_eq!(rows[0][0], ("symbol".to_string(), Field::Str("A".to_string())));
        assert_eq!(rows[1][1].1, Field::Long(-2));
        assert_eq!(rows[1][2].1, Field::Double(f64::INFINITY));
        assert!(Table::new().ints("a", [1]).ints("b", [1, 2]).encode().is_err());
    }
}
