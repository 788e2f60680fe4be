//! Hashes of a finished journal.

use ijk_journal::{JournalError, Reader};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::Path;

/// SHA-256 of a run, as lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunHashes {
    /// Over kind and payload of every output record: decisions, orders, cancels, refusals,
    /// parents.
    pub decisions: String,
    /// Over the whole journal file.
    pub journal: String,
}

/// Reads a finished journal back, checks every frame, and hashes it.
///
/// # Errors
/// Any damage the reader finds.
pub fn hash_run(path: &Path) -> Result<RunHashes, JournalError> {
    let mut decisions = Sha256::new();
    let mut reader = Reader::open(path)?;
    while let Some(frame) = reader.next()? {
        if frame.kind.is_output() {
            decisions.update([frame.kind as u8]);
            decisions.update(frame.payload);
        }
    }
    let journal = hash_file(path)
        .map_err(|source| JournalError::Open { path: path.to_path_buf(), source })?;
    Ok(RunHashes { decisions: hex(&decisions.finalize()), journal })
}

/// Returns the SHA-256 of a file as lower-case hexadecimal.
///
/// # Errors
/// Whatever the file system says.
pub fn hash_file(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut block = vec![0u8; 1 << 16];
    loop {
        let n = file.read(&mut block)?;
        if n == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&block[..n]);
    }
}

/// Returns the SHA-256 of bytes as lower-case hexadecimal.
pub fn hash_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, b| {
        let _ = write!(text, "{b:02x}");
        text
    })
}
