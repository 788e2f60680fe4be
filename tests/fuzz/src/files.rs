//! Inputs as files, for readers that must seek.

use std::path::PathBuf;
use std::sync::OnceLock;

/// Writes the input to this process's own file and returns its path.
///
/// # Panics
/// If the temporary folder cannot be written.
pub fn input_file(data: &[u8]) -> &'static PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let path = PATH.get_or_init(|| {
        std::env::temp_dir().join(format!("ijk-fuzz-input-{}", std::process::id()))
    });
    std::fs::write(path, data).expect("the temporary folder takes a file");
    path
}
