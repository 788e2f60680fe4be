//! Output files appear whole or not at all: temporary name, sync, rename, sync of the folder.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a file was not written. Nothing of it stays behind.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The file exists and replacing it was not asked for.
    #[error("{}: exists; use --force to replace it", .0.display())]
    Exists(PathBuf),
    /// The path names no file.
    #[error("{}: not a file name", .0.display())]
    NoName(PathBuf),
    /// The system refused.
    #[error("{}: cannot write: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OutputError {
    /// Returns the system's refusal to write `path`.
    pub fn io(path: &Path, source: io::Error) -> OutputError {
        OutputError::Io { path: path.to_path_buf(), source }
    }
}

/// A file under a temporary name beside its place, to be put there by [`PendingFile::commit`].
/// Dropped without it, the temporary file is removed.
#[derive(Debug)]
pub struct PendingFile {
    target: PathBuf,
    temporary: PathBuf,
    force: bool,
    committed: bool,
}

/// Two files of one process never share a temporary name.
static COUNT: AtomicU64 = AtomicU64::new(0);

impl PendingFile {
    /// Reserves `target`; writes nothing yet.
    ///
    /// # Errors
    /// As [`check`].
    pub fn new(target: &Path, force: bool) -> Result<PendingFile, OutputError> {
        check(target, force)?;
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let temporary =
            target.with_file_name(format!(".{name}.{}-{count}.tmp", std::process::id()));
        Ok(PendingFile { target: target.to_path_buf(), temporary, force, committed: false })
    }

    /// Returns the name to write under.
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    /// Returns the place it is meant for.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Forces the written file to the device and puts it in place.
    ///
    /// # Errors
    /// [`OutputError::Exists`] where the place was taken meanwhile and may not be;
    /// [`OutputError::Io`].
    pub fn commit(mut self) -> Result<(), OutputError> {
        check(&self.target, self.force)?;
        let put = || -> io::Result<()> {
            File::open(&self.temporary)?.sync_all()?;
            std::fs::rename(&self.temporary, &self.target)?;
            let folder = self.target.parent().filter(|p| !p.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        };
        put().map_err(|e| OutputError::io(&self.target, e))?;
        self.committed = true;
        Ok(())
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if !self.committed {
            // Where nothing was written there is nothing to remove.
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

/// Returns an error if writing to `path` later would be refused.
///
/// # Errors
/// [`OutputError::Exists`] for anything under that name, a dangling link too, where `force` is
/// false; [`OutputError::NoName`].
pub fn check(path: &Path, force: bool) -> Result<(), OutputError> {
    if path.file_name().is_none() {
        return Err(OutputError::NoName(path.to_path_buf()));
    }
    if !force && path.symlink_metadata().is_ok() {
        return Err(OutputError::Exists(path.to_path_buf()));
    }
    Ok(())
}

/// Writes `bytes` to `path`.
///
/// # Errors
/// [`OutputError`].
pub fn write_whole(path: &Path, bytes: &[u8], force: bool) -> Result<(), OutputError> {
    let pending = PendingFile::new(path, force)?;
    let written = File::create(pending.path()).and_then(|mut f| f.write_all(bytes));
    written.map_err(|e| OutputError::io(path, e))?;
    pending.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_replaced_without_force_and_nothing_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.toml");
        write_whole(&path, b"one", false).unwrap();
        assert!(matches!(write_whole(&path, b"two", false), Err(OutputError::Exists(_))));
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        write_whole(&path, b"two", true).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        let nowhere = write_whole(&dir.path().join("no/a.toml"), b"x", false);
        assert!(matches!(nowhere, Err(OutputError::Io { .. })));
        assert!(matches!(check(Path::new("/"), true), Err(OutputError::NoName(_))));
        // A folder cannot be replaced by a file: the temporary one must go.
        std::fs::create_dir(dir.path().join("b")).unwrap();
        assert!(write_whole(&dir.path().join("b"), b"x", true).is_err());
        let abandoned = PendingFile::new(&path, true).unwrap();
        std::fs::write(abandoned.path(), b"half").unwrap();
        drop(abandoned);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_place_taken_meanwhile_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let pending = PendingFile::new(&path, false).unwrap();
        std::fs::write(pending.path(), b"mine").unwrap();
        std::fs::write(&path, b"theirs").unwrap();
        assert!(matches!(pending.commit(), Err(OutputError::Exists(_))));
        assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
