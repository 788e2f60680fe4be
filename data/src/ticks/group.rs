//! One row group: its bytes, read at once, and the columns in them.

use super::column::AnyColumn;
use super::pages::damaged;
use super::sums::{Sums, sums_of};
use super::*;
use bytes::buf::Reader;
use bytes::{Buf, Bytes};
use parquet::column::page::PageReader;
use parquet::data_type::{Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

/// Row groups of more bytes are read page by page. The store's own have no more than 5 MB.
const GROUP_BYTES_MAX: u64 = 16 << 20;

/// A part of a file, addressed as in the file.
struct Part {
    start: u64,
    bytes: Bytes,
}

impl Part {
    fn from(&self, start: u64) -> Result<Bytes, ParquetError> {
        let at = start.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        let at = at.filter(|at| *at <= self.bytes.len());
        Ok(self.bytes.slice(at.ok_or_else(|| damaged("a page outside of its row group"))?..))
    }
}

impl Length for Part {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl ChunkReader for Part {
    type T = Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Reader<Bytes>, ParquetError> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let mut rest = self.from(start)?;
        if rest.len() < length {
            return Err(damaged("a page outside of its row group"));
        }
        rest.truncate(length);
        Ok(rest)
    }
}

/// The columns of the row group being read.
pub(super) struct Columns {
    pub(super) longs: Vec<AnyColumn<Int64Type>>,
    pub(super) shorts: Vec<AnyColumn<Int32Type>>,
    pub(super) left: usize,
    /// The row group's bytes, for its memory to be used again.
    bytes: Bytes,
}

impl Columns {
    /// Opens a row group, in the memory of the one before. `field` says afterwards which column
    /// has another checksum than `sums` says, if one has.
    pub(super) fn open(
        file: &Arc<File>,
        group: &RowGroupMetaData,
        before: Option<Columns>,
        sums: Option<&Sums>,
        field: &mut &'static str,
    ) -> Result<Columns, ParquetError> {
        let rows = group.num_rows();
        let left = usize::try_from(rows)
            .map_err(|_| ParquetError::General(format!("a row group of {rows} rows")))?;
        let (start, end) = range(group)?;
        let memory = before.map_or_else(Vec::new, Columns::into_memory);
        let part = match end - start {
            ..=GROUP_BYTES_MAX => Some(Arc::new(read(file, start, end, memory)?)),
            _ => None,
        };
        let bytes = part.as_ref().map_or_else(Bytes::new, |part| part.bytes.clone());
        if let Some(sums) = sums {
            if part.is_none() {
                return Err(damaged("a row group too large for its checksums"));
            }
            let found = sums_of(group, start, &bytes)?;
            if let Some(at) = (0..COLUMN_COUNT).find(|at| found[*at] != sums[*at]) {
                *field = name(at);
                return Err(damaged("another checksum than when it was written"));
            }
        }
        let pages = |index: usize| -> Result<Box<dyn PageReader>, ParquetError> {
            let chunk = group.column(index);
            Ok(match &part {
                Some(part) => {
                    Box::new(SerializedPageReader::new(Arc::clone(part), chunk, left, None)?)
                }
                None => Box::new(SerializedPageReader::new(Arc::clone(file), chunk, left, None)?),
            })
        };
        let (mut longs, mut shorts) = (Vec::new(), Vec::new());
        for index in 0..LONG_NAMES.len() {
            longs.push(AnyColumn::new(group.column(index), pages(index)?));
        }
        for index in LONG_NAMES.len()..COLUMN_COUNT {
            shorts.push(AnyColumn::new(group.column(index), pages(index)?));
        }
        Ok(Columns { longs, shorts, left, bytes })
    }

    /// Returns the memory of the bytes, if it is held by nobody else.
    fn into_memory(self) -> Vec<u8> {
        let Columns { longs, shorts, bytes, .. } = self;
        drop((longs, shorts));
        bytes.try_into_mut().map_or_else(|_| Vec::new(), Vec::from)
    }
}

/// Returns the first byte of a row group and that after its last.
fn range(group: &RowGroupMetaData) -> Result<(u64, u64), ParquetError> {
    let mut all = (u64::MAX, 0);
    for chunk in group.columns() {
        let (start, length) = chunk.byte_range();
        let end = start.checked_add(length).ok_or_else(|| damaged("a column without end"))?;
        all = (all.0.min(start), all.1.max(end));
    }
    if all.0 <= all.1 { Ok(all) } else { Err(damaged("a row group without columns")) }
}

/// Returns the bytes of a column chunk among those from `start` on in the file.
pub(super) fn chunk_of<'a>(
    chunk: &ColumnChunkMetaData,
    start: u64,
    bytes: &'a [u8],
) -> Result<&'a [u8], ParquetError> {
    let (at, length) = chunk.byte_range();
    let found = at.checked_sub(start).and_then(|at| {
        let (at, length) = (usize::try_from(at).ok()?, usize::try_from(length).ok()?);
        bytes.get(at..)?.get(..length)
    });
    found.ok_or_else(|| damaged("a column outside of its row group"))
}

fn read(mut file: &File, start: u64, end: u64, mut memory: Vec<u8>) -> Result<Part, ParquetError> {
    memory.clear();
    let length = usize::try_from(end - start)?;
    if end > file.metadata()?.len() {
        return Err(ParquetError::EOF("a row group beyond the end of the file".to_string()));
    }
    memory.reserve_exact(length);
    file.seek(SeekFrom::Start(start))?;
    file.take(end - start).read_to_end(&mut memory)?;
    Ok(Part { start, bytes: Bytes::from(memory) })
}
