//! Output files appear whole or not at all: temporary name, fsync, rename, fsync of the folder.

use crate::exit::Exit;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A file under a temporary name, to be put in place by [`PendingFile::commit`]. Dropped without
/// it, the temporary file is removed.
pub struct PendingFile {
    target: PathBuf,
    temporary: PathBuf,
    committed: bool,
}

impl PendingFile {
    /// Reserves `target`.
    ///
    /// # Errors
    /// Exit code 2 if the target exists and `force` is false.
    pub fn new(target: &Path, force: bool) -> Result<PendingFile, Exit> {
        if target.exists() && !force {
            return Err(Exit::usage(format!(
                "{}: exists; use --force to replace it",
                target.display()
            )));
        }
        let name = target.file_name().map(|n| n.to_string_lossy().into_owned());
        let Some(name) = name else {
            return Err(Exit::usage(format!("{}: not a file name", target.display())));
        };
        let temporary = target.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
        Ok(PendingFile { target: target.to_path_buf(), temporary, committed: false })
    }

    /// Returns the name to write under.
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    /// Syncs the written file and puts it in place.
    ///
    /// # Errors
    /// Exit code 2 with what the file system says.
    pub fn commit(mut self) -> Result<(), Exit> {
        let put = || -> std::io::Result<()> {
            File::open(&self.temporary)?.sync_all()?;
            std::fs::rename(&self.temporary, &self.target)?;
            let folder = self.target.parent().filter(|p| !p.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        };
        put().map_err(|e| Exit::output(&self.target, e))?;
        self.committed = true;
        Ok(())
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if !self.committed {
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

/// Writes bytes as a whole file.
///
/// # Errors
/// As [`PendingFile`].
pub fn write_whole(path: &Path, bytes: &[u8], force: bool) -> Result<(), Exit> {
    let pending = PendingFile::new(path, force)?;
    File::create(pending.path())
        .and_then(|mut f| f.write_all(bytes))
        .map_err(|e| Exit::output(path, e))?;
    pending.commit()
}

/// Prints one JSON document on stdout. A closed pipe is not an error.
pub fn print_json(value: &serde_json::Value) {
    print_text(&format!("{value:#}\n"));
}

/// Prints text on stdout. A closed pipe is not an error.
pub fn print_text(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_replaced_without_force_and_nothing_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        write_whole(&path, b"one", false).unwrap();
        assert_eq!(write_whole(&path, b"two", false).unwrap_err().code, crate::exit::USAGE);
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        write_whole(&path, b"two", true).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        let abandoned = PendingFile::new(&path, true).unwrap();
        std::fs::write(abandoned.path(), b"half").unwrap();
        drop(abandoned);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
