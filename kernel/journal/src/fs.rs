//! Segment files in a folder of the file system.

use crate::error::JournalError;
use crate::storage::{ReadStorage, Storage, WriteFault, segment_name};
use crate::uring::Uring;
use ijk_core::config::JournalBackend;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Folders above a journal that a run may have made: `runs/<id>/journal` lies in three.
const FOLDERS_NEW: usize = 3;

/// A folder of segment files, written through io_uring or by plain positioned writes.
pub struct FsStorage {
    dir: PathBuf,
    /// Only this segment file is seen: a single file was named.
    only: Option<(u32, PathBuf)>,
    open: Vec<(u32, File)>,
    uring: Option<Uring>,
    /// The names of the folders above may not be on the device.
    folders_new: bool,
}

impl FsStorage {
    /// Returns the journal folder `dir` for writing.
    ///
    /// # Errors
    /// [`JournalError::UringUnavailable`] if it was demanded.
    pub fn new(dir: &Path, backend: JournalBackend) -> Result<FsStorage, JournalError> {
        let uring = match backend {
            JournalBackend::Plain => None,
            JournalBackend::Auto => Uring::new().ok(),
            JournalBackend::Uring => {
                Some(Uring::new().map_err(|source| JournalError::UringUnavailable { source })?)
            }
        };
        let dir = dir.to_path_buf();
        Ok(FsStorage { dir, only: None, open: Vec::new(), uring, folders_new: true })
    }

    /// Returns a journal folder, or one segment file of it, for reading.
    ///
    /// # Errors
    /// [`JournalError::Open`] if there is nothing at `path`.
    pub fn read_only(path: &Path) -> Result<FsStorage, JournalError> {
        let open = |source| JournalError::Open { path: path.to_path_buf(), source };
        let mut storage = FsStorage {
            dir: path.to_path_buf(),
            only: None,
            open: Vec::new(),
            uring: None,
            folders_new: false,
        };
        if std::fs::metadata(path).map_err(open)?.is_file() {
            let number = segment_number(path.file_name().and_then(|n| n.to_str()).unwrap_or(""));
            storage.only = Some((number.unwrap_or(0), path.to_path_buf()));
        }
        Ok(storage)
    }

    /// Returns `io_uring` or `plain`: what the bytes go through.
    pub fn backend_name(&self) -> &'static str {
        if self.uring.is_some() { "io_uring" } else { "plain" }
    }

    /// Returns the folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns whether a single file was named.
    pub fn is_single_file(&self) -> bool {
        self.only.is_some()
    }

    fn path(&self, segment: u32) -> PathBuf {
        match &self.only {
            Some((number, path)) if *number == segment => path.clone(),
            _ => self.dir.join(segment_name(segment)),
        }
    }

    /// Returns the open file, opening it if need be.
    fn position(&mut self, segment: u32) -> io::Result<usize> {
        if let Some(at) = self.open.iter().position(|(n, _)| *n == segment) {
            return Ok(at);
        }
        let path = self.path(segment);
        let file = match File::options().read(true).write(true).open(&path) {
            // A journal may lie where this user must not write.
            Err(_) => File::open(&path)?,
            Ok(file) => file,
        };
        self.open.push((segment, file));
        Ok(self.open.len() - 1)
    }

    fn file(&mut self, segment: u32) -> io::Result<&File> {
        let at = self.position(segment)?;
        Ok(&self.open[at].1)
    }
}

/// Forces the names of the folders above to the device: a journal whose own folder is forgotten is
/// lost. Folders that this user must not read were not made by this run.
fn sync_parents(dir: &Path) -> io::Result<()> {
    for folder in dir.canonicalize()?.ancestors().skip(1).take(FOLDERS_NEW) {
        match File::open(folder) {
            Ok(folder) => folder.sync_all()?,
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Returns the number in a segment's file name.
fn segment_number(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".ijkj")?;
    let plain = digits.len() >= 6 && digits.bytes().all(|b| b.is_ascii_digit());
    let number: u32 = plain.then(|| digits.parse().ok())??;
    (segment_name(number) == name).then_some(number)
}

impl ReadStorage for FsStorage {
    fn list(&mut self) -> io::Result<Vec<u32>> {
        if let Some((number, _)) = &self.only {
            return Ok(vec![*number]);
        }
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            found.extend(segment_number(&entry?.file_name().to_string_lossy()));
        }
        found.sort_unstable();
        Ok(found)
    }

    fn len(&mut self, segment: u32) -> io::Result<u64> {
        Ok(self.file(segment)?.metadata()?.len())
    }

    fn read_at(&mut self, segment: u32, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.file(segment)?.read_at(buf, offset)
    }

    fn close(&mut self, segment: u32) {
        self.open.retain(|(n, _)| *n != segment);
    }
}

impl Storage for FsStorage {
    fn create(&mut self, segment: u32) -> io::Result<()> {
        let path = self.path(segment);
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        self.open.push((segment, file));
        Ok(())
    }

    fn write_at(&mut self, segment: u32, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let at = self.position(segment)?;
        let file = &self.open[at].1;
        match &mut self.uring {
            Some(uring) => uring.write(file, offset, bytes, false).map_err(|fault| match fault {
                WriteFault::Write(e) | WriteFault::Sync(e) => e,
            }),
            None => file.write_at(bytes, offset),
        }
    }

    fn sync(&mut self, segment: u32) -> io::Result<()> {
        self.file(segment)?.sync_data()
    }

    fn write_sync(&mut self, segment: u32, offset: u64, bytes: &[u8]) -> Result<usize, WriteFault> {
        let at = self.position(segment).map_err(WriteFault::Write)?;
        let file = &self.open[at].1;
        if let Some(uring) = &mut self.uring {
            return uring.write(file, offset, bytes, true);
        }
        let taken = file.write_at(bytes, offset).map_err(WriteFault::Write)?;
        if taken == bytes.len() {
            file.sync_data().map_err(WriteFault::Sync)?;
        }
        Ok(taken)
    }

    fn truncate(&mut self, segment: u32, len: u64) -> io::Result<()> {
        self.file(segment)?.set_len(len)
    }

    fn remove(&mut self, segment: u32) -> io::Result<()> {
        self.close(segment);
        std::fs::remove_file(self.path(segment))
    }

    fn sync_dir(&mut self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()?;
        if std::mem::take(&mut self.folders_new) {
            sync_parents(&self.dir)?;
        }
        Ok(())
    }

    fn drop_cache(&mut self, segment: u32) -> io::Result<()> {
        // What a killed process left in memory goes to the device first; what the device refused
        // before is then read as the device has it.
        let file = self.file(segment)?;
        file.sync_data()?;
        Ok(rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_segment_names_are_segments() {
        assert_eq!(segment_number("000000.ijkj"), Some(0));
        assert_eq!(segment_number("000123.ijkj"), Some(123));
        assert_eq!(segment_number("1000000.ijkj"), Some(1_000_000));
        for other in ["0.ijkj", "0000001.ijkj", "00000x.ijkj", "000001.ijkc", "000001", "+00001"] {
            assert_eq!(segment_number(other), None, "{other}");
        }
    }
}
