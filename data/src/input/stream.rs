//! Opening one file: compression found by its first bytes, progress counted in stored bytes.

use super::archive;
use super::line::LineReader;
use flate2::bufread::MultiGzDecoder;
use ijk_core::{FeedError, FeedErrorKind};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes asked of a file at once.
const FILE_BUFFER_BYTES: usize = 1 << 17;

const MAGIC_GZIP: [u8; 2] = [0x1f, 0x8b];
const MAGIC_ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const MAGIC_ZIP: [u8; 4] = *b"PK\x03\x04";
const MAGIC_ZIP_EMPTY: [u8; 4] = *b"PK\x05\x06";
const MAGIC_7Z: [u8; 4] = [b'7', b'z', 0xbc, 0xaf];
const MAGIC_XZ: [u8; 4] = [0xfd, b'7', b'z', b'X'];

/// How far a stream has come, in bytes of the stored (compressed) file.
#[derive(Clone, Debug)]
pub struct Progress {
    read: Arc<AtomicU64>,
    total: u64,
}

impl Progress {
    pub(super) fn new(total: u64) -> Progress {
        Progress { read: Arc::new(AtomicU64::new(0)), total }
    }

    /// Returns bytes read and bytes in total.
    pub fn now(&self) -> (u64, u64) {
        (self.read.load(Ordering::Relaxed).min(self.total), self.total)
    }
}

/// A stream of decompressed bytes.
pub type ByteStream = Box<dyn BufRead + Send>;

/// An opened file: the decompressed stream, its name for errors, its progress.
pub struct Input {
    /// Decompressed bytes.
    pub reader: ByteStream,
    /// File, and member of an archive, as errors name it.
    pub name: String,
    /// Stored bytes read so far.
    pub progress: Progress,
}

impl core::fmt::Debug for Input {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Input").field("name", &self.name).field("progress", &self.progress).finish()
    }
}

impl Input {
    /// Returns the lines of this stream.
    pub fn lines(self) -> LineReader<ByteStream> {
        LineReader::new(self.reader, self.name)
    }
}

/// Counts the bytes that come out of a file.
pub(super) struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R> Counted<R> {
    pub(super) fn new(inner: R, progress: &Progress) -> Counted<R> {
        Counted { inner, read: Arc::clone(&progress.read) }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Opens `path` as a stream of decompressed bytes. Of a zip archive the only member is taken.
///
/// # Errors
/// `Io` if it cannot be read, `Truncated` if it is too short for its compression, `Format` if the
/// name promises a compression that the content is not, if the compression is not supported, or
/// if a zip archive does not hold exactly one file.
pub fn open(path: &Path) -> Result<Input, FeedError> {
    open_where(path, |_| true)
}

/// Opens `path` as [`open`] does; of a zip archive, the only member whose name `wanted` accepts.
///
/// # Errors
/// As [`open`].
pub fn open_where(path: &Path, wanted: impl Fn(&str) -> bool) -> Result<Input, FeedError> {
    let name = path.display().to_string();
    let (file, total) = open_file(path)?;
    let progress = Progress::new(total);
    let mut raw = BufReader::with_capacity(FILE_BUFFER_BYTES, Counted::new(file, &progress));
    let head = raw.fill_buf().map_err(|e| stream_error(&e, &name, 0))?;
    check_name(path, head)?;
    if is_zip(head) {
        return archive::open_member(path, wanted);
    }
    let reader = decompress(Box::new(raw), &name)?;
    Ok(Input { reader, name, progress })
}

pub(super) fn open_file(path: &Path) -> Result<(File, u64), FeedError> {
    let fail = |e: io::Error| FeedError {
        kind: FeedErrorKind::Io,
        file: path.display().to_string(),
        line: 0,
        field: String::new(),
        detail: format!("cannot be opened: {e}"),
    };
    let file = File::open(path).map_err(fail)?;
    let meta = file.metadata().map_err(fail)?;
    if meta.is_dir() {
        return Err(fail(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder")));
    }
    Ok((file, meta.len()))
}

/// Returns whether these first bytes are those of a zip archive.
pub(super) fn is_zip(head: &[u8]) -> bool {
    head.starts_with(&MAGIC_ZIP) || head.starts_with(&MAGIC_ZIP_EMPTY)
}

/// Undoes gzip or zstd if the first bytes say so, else gives the stream back.
pub(super) fn decompress(mut raw: ByteStream, name: &str) -> Result<ByteStream, FeedError> {
    let head = raw.fill_buf().map_err(|e| stream_error(&e, name, 0))?;
    if head.starts_with(&MAGIC_GZIP) {
        let gz = MultiGzDecoder::new(raw);
        return Ok(Box::new(BufReader::with_capacity(FILE_BUFFER_BYTES, gz)));
    }
    if head.starts_with(&MAGIC_ZSTD) {
        let zst =
            zstd::stream::read::Decoder::with_buffer(raw).map_err(|e| stream_error(&e, name, 0))?;
        return Ok(Box::new(BufReader::with_capacity(FILE_BUFFER_BYTES, zst)));
    }
    let unsupported = if head.starts_with(&MAGIC_7Z) {
        "7z"
    } else if head.starts_with(&MAGIC_XZ) {
        "xz"
    } else {
        return Ok(raw);
    };
    Err(format_error(
        name,
        format!(
            "{unsupported} archives are not read; unpack it and give the files (or .gz, .zip, .zst)"
        ),
    ))
}

/// Refuses a file whose name promises a compression that its first bytes are not.
pub(super) fn check_name(path: &Path, head: &[u8]) -> Result<(), FeedError> {
    let (what, good) = match path.extension().and_then(|e| e.to_str()) {
        Some("gz") => ("gzip", head.starts_with(&MAGIC_GZIP)),
        Some("zst") => ("zstd", head.starts_with(&MAGIC_ZSTD)),
        Some("zip") => ("zip", is_zip(head)),
        _ => return Ok(()),
    };
    let name = path.display().to_string();
    if good {
        Ok(())
    } else if head.len() < 4 {
        Err(FeedError {
            kind: FeedErrorKind::Truncated,
            file: name,
            line: 0,
            field: String::new(),
            detail: format!("{} bytes are no whole {what} file", head.len()),
        })
    } else {
        Err(format_error(&name, format!("named as {what}, but its first bytes are not {what}")))
    }
}

pub(super) fn format_error(name: &str, detail: String) -> FeedError {
    FeedError {
        kind: FeedErrorKind::Format,
        file: name.to_string(),
        line: 0,
        field: String::new(),
        detail,
    }
}

/// Returns the error for a failed read: `Io` where the system refused, `Truncated` where the
/// compressed stream itself is damaged or ends early. `line` is the line being read.
pub fn stream_error(e: &io::Error, name: &str, line: u64) -> FeedError {
    let system = e.raw_os_error().is_some();
    let (kind, detail) = if system {
        (FeedErrorKind::Io, format!("cannot be read: {e}"))
    } else {
        (FeedErrorKind::Truncated, format!("the compressed stream ends early or is damaged: {e}"))
    };
    FeedError { kind, file: name.to_string(), line, field: String::new(), detail }
}
