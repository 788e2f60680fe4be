//! Hashes of a finished journal.

use ijk_core::record::RecordKind;
use ijk_journal::{JournalError, Reader, RecoveryMode, StreamHasher};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::Path;

/// SHA-256 of a run, as lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunHashes {
    /// Over kind and payload of every output record: decisions, orders, cancels, refusals,
    /// parents.
    pub decisions: String,
    /// Over number, time, kind and payload of every record ([`StreamHasher`]), whatever groups
    /// and segments they were written in.
    pub journal: String,
}

/// Hashes the outputs of a run as they pass; the journal's own hash comes from its writer.
#[derive(Clone, Debug, Default)]
pub struct RunHasher(Sha256);

impl RunHasher {
    /// Takes the next record; inputs are none of its business.
    pub fn output(&mut self, kind: RecordKind, payload: &[u8]) {
        if kind.is_output() {
            self.0.update([kind as u8]);
            self.0.update(payload);
        }
    }

    /// Returns both hashes.
    pub fn finish(self, journal: &[u8]) -> RunHashes {
        RunHashes { decisions: hex(&self.0.finalize()), journal: hex(journal) }
    }
}

/// Reads a finished journal back, checks all of it, and hashes it.
///
/// # Errors
/// Any damage the reader finds, a torn tail included.
pub fn hash_run(journal: &Path) -> Result<RunHashes, JournalError> {
    let (mut decisions, mut stream) = (RunHasher::default(), StreamHasher::default());
    let mut reader = Reader::open(journal, RecoveryMode::Strict)?;
    while let Some(frame) = reader.next()? {
        decisions.output(frame.kind, frame.payload);
        stream.record(frame.seq, frame.ts, frame.kind, frame.payload);
    }
    Ok(decisions.finish(&stream.sha256()))
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

/// Returns bytes as lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, b| {
        let _ = write!(text, "{b:02x}");
        text
    })
}
