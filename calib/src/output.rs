//! Output files appear whole or not at all, and replace nothing unasked.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The file exists and replacing it was not asked for.
    #[error("{}: exists; use --force to replace it", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The path names no file.
    #[error("{}: not a file name", path.display())]
    NoName {
        /// The path.
        path: PathBuf,
    },
    /// The system refused.
    #[error("{}: cannot write: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Returns an error if writing to `path` later would be refused.
///
/// # Errors
/// [`OutputError::Exists`], [`OutputError::NoName`].
pub fn check(path: &Path, force: bool) -> Result<(), OutputError> {
    if path.file_name().is_none() {
        return Err(OutputError::NoName { path: path.to_path_buf() });
    }
    if path.exists() && !force {
        return Err(OutputError::Exists { path: path.to_path_buf() });
    }
    Ok(())
}

/// Writes `bytes` to `path`: temporary name beside it, force to the device, rename.
///
/// # Errors
/// [`OutputError`]; nothing is left behind.
pub fn write_whole(path: &Path, bytes: &[u8], force: bool) -> Result<(), OutputError> {
    check(path, force)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let put = || -> io::Result<()> {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    put().map_err(|source| {
        let _ = std::fs::remove_file(&temporary);
        OutputError::Io { path: path.to_path_buf(), source }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_replaced_without_force_and_nothing_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.toml");
        write_whole(&path, b"one", false).unwrap();
        let refused = write_whole(&path, b"two", false);
        assert!(matches!(refused, Err(OutputError::Exists { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        write_whole(&path, b"two", true).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        let nowhere = write_whole(&dir.path().join("no/a.toml"), b"x", false);
        assert!(matches!(nowhere, Err(OutputError::Io { .. })));
        // A folder cannot be replaced by a file: the temporary one must go.
        std::fs::create_dir(dir.path().join("b")).unwrap();
        assert!(write_whole(&dir.path().join("b"), b"x", true).is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
