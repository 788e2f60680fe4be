//! One member of a zip archive as a stream: found through the archive's directory, read from its
//! own handle, checked against size and checksum at its end. Nothing is unpacked to disk.

use super::stream::{
    Counted, Input, Progress, check_name, decompress, format_error, is_zip, open_file, stream_error,
};
use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use ijk_core::{FeedError, FeedErrorKind};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use zip::{CompressionMethod, ZipArchive};

const MEMBER_BUFFER_BYTES: usize = 1 << 17;
/// Members an archive may list; feeds have a handful.
const MEMBER_COUNT_MAX: usize = 1 << 16;

/// Where one member lies and what it must turn out to be.
struct Member {
    name: String,
    offset: u64,
    stored_bytes: u64,
    bytes: u64,
    crc32: u32,
    method: CompressionMethod,
}

/// Returns whether the file at `path` is a zip archive, by its name or its first bytes.
///
/// # Errors
/// `Io` if the file cannot be read.
pub fn is_archive(path: &Path) -> Result<bool, FeedError> {
    let (file, _) = open_file(path)?;
    let mut head = Vec::with_capacity(4);
    let read = file.take(4).read_to_end(&mut head);
    read.map_err(|e| stream_error(&e, &path.display().to_string(), 0))?;
    let named = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zip"));
    Ok(named || is_zip(&head))
}

/// Returns the names of the files in the zip archive at `path`, in its directory's order.
///
/// # Errors
/// `Io` if the file cannot be read, `Truncated` if its directory is missing or damaged.
pub fn member_names(path: &Path) -> Result<Vec<String>, FeedError> {
    let (_, mut archive) = open_archive(path)?;
    let mut names = Vec::with_capacity(archive.len());
    for i in 0..archive.len() {
        let entry = archive.by_index_raw(i).map_err(|e| damaged(path, &e))?;
        if entry.is_file() {
            names.push(String::from_utf8_lossy(entry.name_raw()).into_owned());
        }
    }
    Ok(names)
}

/// Opens the one member of the zip archive at `path` whose name `wanted` accepts.
///
/// # Errors
/// As [`member_names`]; `Format` unless exactly one member fits, or if it is encrypted or stored
/// by a method other than deflate.
pub fn open_member(path: &Path, wanted: impl Fn(&str) -> bool) -> Result<Input, FeedError> {
    let (total, mut archive) = open_archive(path)?;
    let file_name = path.display().to_string();
    let member = find(path, &mut archive, wanted)?;
    let name = format!("{file_name}/{}", member.name);
    let (mut file, _) = open_file(path)?;
    file.seek(SeekFrom::Start(member.offset)).map_err(|e| stream_error(&e, &name, 0))?;
    let progress = Progress::new(member.stored_bytes.min(total));
    let stored = Counted::new(file, &progress).take(member.stored_bytes);
    let stored = BufReader::with_capacity(MEMBER_BUFFER_BYTES, stored);
    let checked: Box<dyn io::BufRead + Send> = match member.method {
        CompressionMethod::Stored => Box::new(checked(stored, &member)),
        CompressionMethod::Deflated => Box::new(checked(DeflateDecoder::new(stored), &member)),
        other => {
            let detail = format!("compressed with {other}; only stored and deflate are read");
            return Err(format_error(&name, detail));
        }
    };
    let reader = decompress(checked, &name)?;
    Ok(Input { reader, name, progress })
}

fn checked<R: Read>(inner: R, member: &Member) -> BufReader<Checked<R>> {
    let crc = Crc::new();
    let checked = Checked { inner, crc, left: member.bytes, crc32: member.crc32 };
    BufReader::with_capacity(MEMBER_BUFFER_BYTES, checked)
}

fn open_archive(path: &Path) -> Result<(u64, ZipArchive<BufReader<File>>), FeedError> {
    let (mut file, total) = open_file(path)?;
    let name = path.display().to_string();
    let mut head = Vec::with_capacity(4);
    Read::by_ref(&mut file)
        .take(4)
        .read_to_end(&mut head)
        .and_then(|_| file.rewind())
        .map_err(|e| stream_error(&e, &name, 0))?;
    check_name(path, &head)?;
    let archive = ZipArchive::new(BufReader::new(file)).map_err(|e| damaged(path, &e))?;
    if archive.len() > MEMBER_COUNT_MAX {
        let detail = format!("{} members; at most {MEMBER_COUNT_MAX} are read", archive.len());
        return Err(format_error(&name, detail));
    }
    Ok((total, archive))
}

fn find(
    path: &Path,
    archive: &mut ZipArchive<BufReader<File>>,
    wanted: impl Fn(&str) -> bool,
) -> Result<Member, FeedError> {
    let mut found: Option<Member> = None;
    let mut names = Vec::new();
    for i in 0..archive.len() {
        let entry = archive.by_index_raw(i).map_err(|e| damaged(path, &e))?;
        let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
        if !entry.is_file() || is_resource_fork(&name) {
            continue;
        }
        names.push(name.clone());
        if !wanted(&name) {
            continue;
        }
        if let Some(first) = &found {
            let detail = format!(
                "holds more than one file that fits ('{}' and '{name}'); unpack it and give one",
                first.name
            );
            return Err(format_error(&path.display().to_string(), detail));
        }
        if entry.encrypted() {
            let detail = format!("member '{name}' is encrypted; unpack it first");
            return Err(format_error(&path.display().to_string(), detail));
        }
        let Some(offset) = entry.data_start() else {
            let detail = format!("member '{name}' has no data");
            return Err(format_error(&path.display().to_string(), detail));
        };
        found = Some(Member {
            offset,
            stored_bytes: entry.compressed_size(),
            bytes: entry.size(),
            crc32: entry.crc32(),
            method: entry.compression(),
            name,
        });
    }
    found.ok_or_else(|| {
        let shown: Vec<&str> = names.iter().take(8).map(String::as_str).collect();
        let detail = format!("no member fits; it holds: {}", shown.join(", "));
        format_error(&path.display().to_string(), detail)
    })
}

/// Archives made on macOS carry a shadow of each file.
fn is_resource_fork(name: &str) -> bool {
    name.rsplit('/').next().is_some_and(|base| base.starts_with("._"))
}

fn damaged(path: &Path, e: &zip::result::ZipError) -> FeedError {
    let system = matches!(e, zip::result::ZipError::Io(io) if io.raw_os_error().is_some());
    FeedError {
        kind: if system { FeedErrorKind::Io } else { FeedErrorKind::Truncated },
        file: path.display().to_string(),
        line: 0,
        field: String::new(),
        detail: format!("the zip archive is damaged or ends early: {e}"),
    }
}

/// Compares a member with the size and checksum that the directory promises.
struct Checked<R> {
    inner: R,
    crc: Crc,
    left: u64,
    crc32: u32,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let n = self.inner.read(buf)?;
        if n == 0 {
            if self.left > 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "member ends early"));
            }
            if self.crc.sum() != self.crc32 {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "checksum differs"));
            }
            return Ok(0);
        }
        let Some(left) = self.left.checked_sub(n as u64) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "member is longer than stated"));
        };
        self.left = left;
        self.crc.update(&buf[..n]);
        Ok(n)
    }
}
