//! Reads the values of one column chunk, page by page, into the caller's memory.

use super::pages::{Entries, Steps, damaged};
use super::unpack::{GROUP, Value};
use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageReader};
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;

/// How the values of a page stand there.
enum Form {
    Plain { at: usize },
    Steps(Steps),
    Entries(Entries),
}

/// A column chunk of the encodings that the tick store writes.
pub(super) struct Column<T> {
    pages: Box<dyn PageReader>,
    dictionary: Vec<T>,
    page: Bytes,
    form: Form,
    /// Values wanted yet of the page.
    left: usize,
    /// Values decoded before they were wanted.
    spare: [T; GROUP],
    spare_at: usize,
    spare_end: usize,
}

impl<T: Value> Column<T> {
    pub(super) fn new(pages: Box<dyn PageReader>) -> Column<T> {
        Column {
            pages,
            dictionary: Vec::new(),
            page: Bytes::new(),
            form: Form::Plain { at: 0 },
            left: 0,
            spare: [T::default(); GROUP],
            spare_at: 0,
            spare_end: 0,
        }
    }

    /// Fills `out` with the next values.
    pub(super) fn read(&mut self, out: &mut [T]) -> Result<(), ParquetError> {
        let mut done = 0;
        while done < out.len() {
            if self.left == 0 {
                let wanted = out.len() - done;
                if !self.next_page()? {
                    return Err(ParquetError::EOF(format!("a column ends {wanted} rows early")));
                }
                continue;
            }
            let end = out.len().min(done + self.left);
            let count = self.read_some(&mut out[done..end])?;
            done += count;
            self.left -= count;
        }
        Ok(())
    }

    /// Fills the beginning of `out`, at least one value of the page.
    fn read_some(&mut self, out: &mut [T]) -> Result<usize, ParquetError> {
        if self.spare_at < self.spare_end {
            let spare = &self.spare[self.spare_at..self.spare_end];
            let count = spare.len().min(out.len());
            out[..count].copy_from_slice(&spare[..count]);
            self.spare_at += count;
            return Ok(count);
        }
        let (page, table, left) = (&self.page[..], &self.dictionary, self.left);
        let mut decode = |out: &mut [T]| match &mut self.form {
            Form::Plain { at } => plain(page, at, out),
            Form::Steps(steps) => steps.read(page, out, left),
            Form::Entries(entries) => entries.read(page, table, out, left),
        };
        let count = decode(out)?;
        if count > 0 {
            return Ok(count);
        }
        // Less room than a group has values.
        self.spare_end = decode(&mut self.spare)?;
        self.spare_at = 0;
        let count = self.spare_end.min(out.len());
        out[..count].copy_from_slice(&self.spare[..count]);
        self.spare_at = count;
        Ok(count)
    }

    fn next_page(&mut self) -> Result<bool, ParquetError> {
        let Some(page) = self.pages.get_next_page()? else { return Ok(false) };
        let (buf, count, encoding) = match page {
            Page::DictionaryPage { buf, num_values, encoding, .. } => {
                if !matches!(encoding, Encoding::PLAIN | Encoding::PLAIN_DICTIONARY) {
                    return Err(damaged("a dictionary of an unknown encoding"));
                }
                let bytes = num_values as usize * T::BYTE_COUNT;
                let bytes = buf.get(..bytes).ok_or_else(|| damaged("a dictionary cut short"))?;
                self.dictionary = vec![T::default(); num_values as usize];
                T::read_plain(bytes, &mut self.dictionary);
                return Ok(true);
            }
            Page::DataPage { buf, num_values, encoding, .. } => (buf, num_values, encoding),
            Page::DataPageV2 {
                buf,
                num_values,
                encoding,
                def_levels_byte_len: definition,
                rep_levels_byte_len: repetition,
                ..
            } => {
                let levels = definition as usize + repetition as usize;
                if levels > buf.len() {
                    return Err(damaged("a page ends within its levels"));
                }
                (buf.slice(levels..), num_values, encoding)
            }
        };
        self.left = count as usize;
        (self.spare_at, self.spare_end) = (0, 0);
        self.form = match encoding {
            Encoding::PLAIN => Form::Plain { at: 0 },
            Encoding::DELTA_BINARY_PACKED => Form::Steps(Steps::new(&buf, self.left)?),
            _ if is_known(encoding) => Form::Entries(Entries::new(&buf)?),
            _ => return Err(damaged("a page of an encoding that its column does not name")),
        };
        self.page = buf;
        Ok(true)
    }
}

fn is_known(encoding: Encoding) -> bool {
    use Encoding::{DELTA_BINARY_PACKED, PLAIN, PLAIN_DICTIONARY, RLE_DICTIONARY};
    matches!(encoding, PLAIN | DELTA_BINARY_PACKED | PLAIN_DICTIONARY | RLE_DICTIONARY)
}

/// Writers name the encoding of the levels too, even where there are none.
#[allow(deprecated)]
fn is_of_levels(encoding: Encoding) -> bool {
    matches!(encoding, Encoding::RLE | Encoding::BIT_PACKED)
}

fn plain<T: Value>(page: &[u8], at: &mut usize, out: &mut [T]) -> Result<usize, ParquetError> {
    let length = out.len() * T::BYTE_COUNT;
    let bytes = page.get(*at..).and_then(|rest| rest.get(..length));
    T::read_plain(bytes.ok_or_else(|| damaged("a page ends within its values"))?, out);
    *at += length;
    Ok(out.len())
}

/// A column chunk, whoever wrote it.
pub(super) enum AnyColumn<D: DataType> {
    Known(Column<D::T>),
    /// With encodings that the tick store does not write: decoded by the library.
    Foreign(Box<ColumnReaderImpl<D>>),
}

impl<D: DataType<T: Value>> AnyColumn<D> {
    pub(super) fn new(chunk: &ColumnChunkMetaData, pages: Box<dyn PageReader>) -> AnyColumn<D> {
        if chunk.encodings().all(|encoding| is_known(encoding) || is_of_levels(encoding)) {
            AnyColumn::Known(Column::new(pages))
        } else {
            let reader = ColumnReaderImpl::new(chunk.column_descr_ptr(), pages);
            AnyColumn::Foreign(Box::new(reader))
        }
    }

    /// Fills `out` with the next values.
    pub(super) fn read(&mut self, out: &mut [D::T]) -> Result<(), ParquetError> {
        match self {
            AnyColumn::Known(column) => column.read(out),
            AnyColumn::Foreign(column) => read_foreign(column, out),
        }
    }
}

fn read_foreign<D: DataType>(
    column: &mut ColumnReaderImpl<D>,
    out: &mut [D::T],
) -> Result<(), ParquetError> {
    let mut values = Vec::with_capacity(out.len());
    while values.len() < out.len() {
        let wanted = out.len() - values.len();
        let (records, _, _) = column.read_records(wanted, None, None, &mut values)?;
        if records == 0 {
            return Err(ParquetError::EOF(format!("a column ends {wanted} rows early")));
        }
    }
    if values.len() > out.len() {
        return Err(damaged("a column with too many values"));
    }
    out.clone_from_slice(&values);
    Ok(())
}
