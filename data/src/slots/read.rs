//! Reading a slot file: every row checked, nothing used of a file that has a bad one.

use super::EVERY_SYMBOL;
use crate::ticks::{error, guarded};
use ijk_core::limits::SLOT_WIDTH_MAX;
use ijk_core::slot::SLOT_VALUE_MAX;
use ijk_core::{FeedError, FeedErrorKind, InstrumentId, RecvTs, SlotShape, SlotUpdate};
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

/// Numbers that one slot file may hold: a quarter of a gigabyte of them.
pub const SLOT_NUMBERS_MAX: usize = 1 << 26;
/// Rows decoded at a time.
const BATCH_ROW_COUNT: usize = 1 << 12;
/// Names of the columns.
const NAMES: [&str; 4] = ["symbol", "slot", "known_from", "vector"];

/// Reads a slot file for a model with the slots `shapes`. The instrument of an update is the index
/// of its symbol in `symbols`, its slot the index of its name in `shapes`; a row for
/// [`EVERY_SYMBOL`] gives an update an instrument. Sorted by `known_from`.
///
/// # Errors
/// [`FeedError`] with the row (from 1) and the field: `Io`, `Truncated` and `Format` for a file
/// that is none, `Range` for an unknown symbol or slot, a time before 1970, another width, a
/// number that is not finite or above 1e4 in magnitude or missing, `UnsortedTime` where the rows
/// of one symbol and slot go back in time.
pub fn read_slots(
    path: &Path,
    shapes: &[SlotShape],
    symbols: &[String],
) -> Result<Vec<SlotUpdate>, FeedError> {
    let name = path.display().to_string();
    let fail = |kind, detail: String| error(&name, kind, 0, "", detail);
    let file =
        File::open(path).map_err(|e| fail(FeedErrorKind::Io, format!("cannot be opened: {e}")))?;
    let file = guarded(|| SerializedFileReader::new(file)).map_err(|e| {
        fail(FeedErrorKind::Truncated, format!("expected a complete Parquet file: {e}"))
    })?;
    let places = places(file.metadata()).map_err(|detail| fail(FeedErrorKind::Format, detail))?;
    let mut rows = Rows { name: &name, shapes, symbols, last: BTreeMap::new(), row: 0 };
    let mut updates = Vec::new();
    for group in 0..file.metadata().num_row_groups() {
        check_size(file.metadata(), group).map_err(|detail| fail(FeedErrorKind::Format, detail))?;
        let damaged = |row: u64, e: &ParquetError| {
            let detail = format!("the file is damaged: {e}");
            error(&name, FeedErrorKind::Truncated, row + 1, "", detail)
        };
        let opened = guarded(|| Columns::open(file.get_row_group(group)?.as_ref(), places));
        let mut columns = opened.map_err(|e| damaged(rows.row, &e))?;
        while columns.left > 0 {
            guarded(|| columns.fill()).map_err(|e| damaged(rows.row, &e))?;
            rows.take(&columns, &mut updates)?;
        }
    }
    updates.sort_by_key(|u| u.known_from);
    Ok(updates)
}

/// What is known while rows come in.
struct Rows<'a> {
    name: &'a str,
    shapes: &'a [SlotShape],
    symbols: &'a [String],
    /// Last time by symbol and slot.
    last: BTreeMap<(String, u16), u64>,
    row: u64,
}

impl Rows<'_> {
    /// Checks a batch and appends its updates.
    fn take(&mut self, batch: &Columns, updates: &mut Vec<SlotUpdate>) -> Result<(), FeedError> {
        for i in 0..batch.times.values.len() {
            self.row += 1;
            let row = self.row;
            let fail = |kind, field: &str, detail| error(self.name, kind, row, field, detail);
            let range = |field: &str, detail| fail(FeedErrorKind::Range, field, detail);
            let symbol = text(&batch.symbols.values[i]);
            let slot_name = text(&batch.slots.values[i]);
            let slot = self.shapes.iter().position(|s| s.name == slot_name).ok_or_else(|| {
                let known: Vec<&str> = self.shapes.iter().map(|s| s.name.as_str()).collect();
                range("slot", format!("expected one of {known:?}, found '{slot_name}'"))
            })?;
            let instrument = self.symbols.iter().position(|s| *s == symbol);
            let every = symbol == EVERY_SYMBOL;
            if instrument.is_none() && !every {
                let known = self.symbols.join(", ");
                let detail = format!("expected {known} or {EVERY_SYMBOL}, found '{symbol}'");
                return Err(range("symbol", detail));
            }
            let time = batch.times.values[i];
            let known_from_ns = u64::try_from(time).map_err(|_| {
                range("known_from", format!("expected nanoseconds since 1970, found {time}"))
            })?;
            let values = batch.vectors[i].clone();
            let width = self.shapes[slot].width;
            check_values(&values, width).map_err(|detail| range("vector", detail))?;
            let slot = slot as u16;
            let last = self.last.entry((symbol, slot)).or_insert(known_from_ns);
            if known_from_ns < *last {
                let detail = format!("expected {last} or later, found {known_from_ns}");
                return Err(fail(FeedErrorKind::UnsortedTime, "known_from", detail));
            }
            *last = known_from_ns;
            let ids = match instrument {
                Some(index) => index..index + 1,
                None => 0..self.symbols.len(),
            };
            updates.extend(ids.map(|index| SlotUpdate {
                known_from: RecvTs(known_from_ns),
                instrument: InstrumentId(index as u16),
                slot,
                values: values.clone(),
            }));
        }
        Ok(())
    }
}

fn check_values(values: &[f32], width: usize) -> Result<(), String> {
    if values.len() != width {
        return Err(format!("expected {width} numbers, found {}", values.len()));
    }
    match values.iter().position(|v| !v.is_finite() || v.abs() > SLOT_VALUE_MAX) {
        None => Ok(()),
        Some(i) => Err(format!(
            "number {i}: expected a finite number of at most {SLOT_VALUE_MAX} in magnitude, \
             found {}",
            values[i]
        )),
    }
}

/// A text of the file as far as a message may show it; names are shorter.
fn text(bytes: &ByteArray) -> String {
    String::from_utf8_lossy(bytes.data()).chars().take(100).collect()
}

/// One flat column and its current batch.
struct Flat<T: DataType> {
    reader: ColumnReaderImpl<T>,
    nullable: bool,
    values: Vec<T::T>,
}

impl<T: DataType> Flat<T> {
    fn fill(&mut self, wanted: usize) -> Result<(), ParquetError> {
        self.values.clear();
        let mut defined = Vec::new();
        let mut read = 0;
        while read < wanted {
            let levels = self.nullable.then_some(&mut defined);
            let (records, ..) =
                self.reader.read_records(wanted - read, levels, None, &mut self.values)?;
            if records == 0 {
                return Err(ParquetError::EOF(format!(
                    "a column ends {} rows early",
                    wanted - read
                )));
            }
            read += records;
        }
        match self.values.len() == wanted {
            true => Ok(()),
            false => Err(ParquetError::General("a null where a value is expected".to_string())),
        }
    }
}

/// The column of the lists.
enum Numbers {
    Float(ColumnReaderImpl<parquet::data_type::FloatType>),
    Double(ColumnReaderImpl<parquet::data_type::DoubleType>),
}

/// The columns of the row group being read and their current batch.
struct Columns {
    symbols: Flat<ByteArrayType>,
    slots: Flat<ByteArrayType>,
    times: Flat<Int64Type>,
    numbers: Numbers,
    /// Level of definition of a number that is there.
    number_level: i16,
    vectors: Vec<Vec<f32>>,
    left: usize,
}

/// Index of each column of [`NAMES`] in the file, whether it may hold nulls, and the level of a
/// number that is there.
#[derive(Clone, Copy)]
struct Places {
    index: [usize; 4],
    nullable: [bool; 4],
    number_level: i16,
}

impl Columns {
    fn open(group: &dyn RowGroupReader, places: Places) -> Result<Columns, ParquetError> {
        let rows = group.metadata().num_rows();
        let left = usize::try_from(rows)
            .map_err(|_| ParquetError::General(format!("a row group of {rows} rows")))?;
        let changed = |i: usize| ParquetError::General(format!("'{}' changed its type", NAMES[i]));
        let bytes = |i: usize| match group.get_column_reader(places.index[i])? {
            ColumnReader::ByteArrayColumnReader(reader) => {
                Ok(Flat { reader, nullable: places.nullable[i], values: Vec::new() })
            }
            _ => Err(changed(i)),
        };
        let times = match group.get_column_reader(places.index[2])? {
            ColumnReader::Int64ColumnReader(reader) => {
                Flat { reader, nullable: places.nullable[2], values: Vec::new() }
            }
            _ => return Err(changed(2)),
        };
        let numbers = match group.get_column_reader(places.index[3])? {
            ColumnReader::FloatColumnReader(reader) => Numbers::Float(reader),
            ColumnReader::DoubleColumnReader(reader) => Numbers::Double(reader),
            _ => return Err(changed(3)),
        };
        let (symbols, slots) = (bytes(0)?, bytes(1)?);
        let number_level = places.number_level;
        Ok(Columns { symbols, slots, times, numbers, number_level, vectors: Vec::new(), left })
    }

    /// Decodes the next batch of rows.
    fn fill(&mut self) -> Result<(), ParquetError> {
        let wanted = self.left.min(BATCH_ROW_COUNT);
        self.left -= wanted;
        self.symbols.fill(wanted)?;
        self.slots.fill(wanted)?;
        self.times.fill(wanted)?;
        self.vectors = match &mut self.numbers {
            Numbers::Float(reader) => lists(reader, wanted, self.number_level, |v: &f32| *v),
            Numbers::Double(reader) => lists(reader, wanted, self.number_level, |v| *v as f32),
        }?;
        Ok(())
    }
}

/// Decodes `wanted` lists. A null, and an empty list, is a list without numbers; a null among
/// numbers is not a number. Of a list longer than any slot the first numbers are kept.
fn lists<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    wanted: usize,
    number_level: i16,
    number: impl Fn(&T::T) -> f32,
) -> Result<Vec<Vec<f32>>, ParquetError> {
    let (mut defined, mut repeated, mut values) = (Vec::new(), Vec::new(), Vec::new());
    let mut read = 0;
    while read < wanted {
        let levels = (Some(&mut defined), Some(&mut repeated));
        let (records, ..) = reader.read_records(wanted - read, levels.0, levels.1, &mut values)?;
        if records == 0 {
            return Err(ParquetError::EOF(format!("'vector' ends {} rows early", wanted - read)));
        }
        read += records;
    }
    let mut lists: Vec<Vec<f32>> = Vec::with_capacity(wanted);
    let mut values = values.iter();
    for (defined, repeated) in defined.iter().zip(&repeated) {
        if *repeated == 0 {
            lists.push(Vec::new());
        }
        let value = match *defined {
            level if level == number_level => values.next().map(&number),
            // Inside a list: the list is there, its number is not.
            level if level == number_level - 1 && number_level == 3 => Some(f32::NAN),
            _ => None,
        };
        let Some(list) = lists.last_mut() else {
            return Err(ParquetError::General("a list without a beginning".to_string()));
        };
        list.extend(value.filter(|_| list.len() <= SLOT_WIDTH_MAX));
    }
    match lists.len() == wanted {
        true => Ok(lists),
        false => Err(ParquetError::General("lists and rows differ in number".to_string())),
    }
}

/// Finds the columns, or says what is expected.
fn places(metadata: &ParquetMetaData) -> Result<Places, String> {
    let schema = metadata.file_metadata().schema_descr();
    let expected = "expected the columns symbol and slot (text), known_from (INT64 nanoseconds), \
                    vector (list of float or double)";
    let mut places = Places { index: [0; 4], nullable: [false; 4], number_level: 0 };
    if schema.num_columns() != NAMES.len() {
        return Err(format!("{expected}; found {} columns", schema.num_columns()));
    }
    for (i, name) in NAMES.iter().enumerate() {
        let of_name =
            |at: &usize| schema.column(*at).path().parts().first().is_some_and(|p| p == name);
        let at = (0..NAMES.len()).find(of_name);
        let Some(at) = at else { return Err(format!("{expected}; found no '{name}'")) };
        let column = schema.column(at);
        let (repeated, defined) = (column.max_rep_level(), column.max_def_level());
        let flat = repeated == 0 && defined <= 1;
        let plain = match column.logical_type_ref() {
            None => column.converted_type() == ConvertedType::NONE,
            Some(LogicalType::Timestamp(time)) => matches!(time.unit, TimeUnit::NANOS),
            Some(_) => false,
        };
        let fits = match (i, column.physical_type()) {
            (0 | 1, Physical::BYTE_ARRAY) => flat,
            (2, Physical::INT64) => flat && plain,
            (3, Physical::FLOAT | Physical::DOUBLE) => repeated == 1 && (1..=3).contains(&defined),
            _ => false,
        };
        if !fits {
            return Err(format!("{expected}; '{name}' is of another type"));
        }
        (places.index[i], places.nullable[i]) = (at, defined > 0);
        places.number_level = defined;
    }
    Ok(places)
}

/// Refuses a row group whose lists would not fit, before anything of it is decoded.
fn check_size(metadata: &ParquetMetaData, group: usize) -> Result<(), String> {
    let columns = metadata.row_group(group).columns();
    let most = columns.iter().map(|c| c.num_values()).max().unwrap_or(0);
    let all: i64 = metadata.row_groups().iter().map(|g| g.num_rows()).fold(0, i64::saturating_add);
    let limit = SLOT_NUMBERS_MAX as i64;
    match (0..=limit).contains(&most) && (0..=limit).contains(&all) {
        true => Ok(()),
        false => Err(format!("expected at most {limit} numbers, found {}", most.max(all))),
    }
}
