//! Checksums of column chunks: what is not compressed would not show most damage by itself.

use super::group::chunk_of;
use super::*;
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use std::fs::File;
use std::io::{self, Write};

/// CRC-32C of each column chunk of a row group, in file order.
pub(super) type Sums = [u32; COLUMN_COUNT];

/// Returns the checksums of a row group, of which `bytes` begins at `start` in the file.
pub(super) fn sums_of(
    group: &RowGroupMetaData,
    start: u64,
    bytes: &[u8],
) -> Result<Sums, ParquetError> {
    let mut sums = [0; COLUMN_COUNT];
    for (sum, chunk) in sums.iter_mut().zip(group.columns()) {
        *sum = crc32c::crc32c(chunk_of(chunk, start, bytes)?);
    }
    Ok(sums)
}

/// A file that keeps what is written to it until a row group is complete.
pub(super) struct Sink {
    file: File,
    /// Bytes written before.
    start: u64,
    bytes: Vec<u8>,
}

impl Sink {
    pub(super) fn new(file: File) -> Sink {
        Sink { file, start: 0, bytes: Vec::new() }
    }

    /// Returns the checksums of the row group that is held back.
    pub(super) fn sums(&self, group: &RowGroupMetaData) -> Result<Sums, ParquetError> {
        sums_of(group, self.start, &self.bytes)
    }

    /// Writes what is held back.
    pub(super) fn release(&mut self) -> io::Result<()> {
        self.file.write_all(&self.bytes)?;
        self.start += self.bytes.len() as u64;
        self.bytes.clear();
        Ok(())
    }

    /// Writes the rest and returns the file.
    pub(super) fn into_file(mut self) -> io::Result<File> {
        self.release()?;
        Ok(self.file)
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
