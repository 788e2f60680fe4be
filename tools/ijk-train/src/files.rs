//! Output files appear whole or not at all: temporary name, fsync, rename, fsync of the folder.

use crate::exit::{Exit, USAGE};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Refuses to replace an existing file without `force`.
///
/// # Errors
/// Exit code 2 naming the file.
pub fn check_free(path: &Path, force: bool) -> Result<(), Exit> {
    if path.file_name().is_none() {
        return Err(Exit::file(USAGE, path, "is no file name"));
    }
    if path.exists() && !force {
        return Err(Exit::file(USAGE, path, "exists; use --force to replace it"));
    }
    Ok(())
}

/// Writes bytes as a whole file, replacing what is there.
///
/// # Errors
/// Exit code 2 with what the file system says; nothing is left behind.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Exit> {
    let temporary = temporary_name(path);
    let put = || -> std::io::Result<()> {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    put().map_err(|e| {
        // The error to tell is the first one.
        let _ = std::fs::remove_file(&temporary);
        Exit::file(USAGE, path, format!("cannot write: {e}"))
    })
}

fn temporary_name(path: &Path) -> PathBuf {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.{}.tmp", std::process::id()))
}

/// Prints text on stdout. A closed pipe is not an error.
pub fn print_text(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Prints one JSON document on stdout.
pub fn print_json(value: &serde_json::Value) {
    print_text(&format!("{value:#}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_appear_whole_and_existing_ones_need_force() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.bin");
        assert!(check_free(&path, false).is_ok());
        write_whole(&path, b"one").unwrap();
        assert_eq!(check_free(&path, false).unwrap_err().code, USAGE);
        assert!(check_free(&path, true).is_ok());
        write_whole(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert!(write_whole(&dir.path().join("no/such/w.bin"), b"x").is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
