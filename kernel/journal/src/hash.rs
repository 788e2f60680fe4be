//! The hash of a journal's records, whatever groups and segments they were written in.

use ijk_core::record::RecordKind;
use sha2::{Digest, Sha256};

/// SHA-256 over the records in order. Each contributes, little endian: sequence number (u64),
/// the kernel's time (u64), kind (u32), payload length (u32), payload without padding.
#[derive(Clone, Debug, Default)]
pub struct StreamHasher(Sha256);

impl StreamHasher {
    /// Takes the next record.
    pub fn record(&mut self, seq: u64, ts: u64, kind: RecordKind, payload: &[u8]) {
        let mut head = [0; 24];
        head[..8].copy_from_slice(&seq.to_le_bytes());
        head[8..16].copy_from_slice(&ts.to_le_bytes());
        head[16..20].copy_from_slice(&u32::from(kind as u8).to_le_bytes());
        head[20..].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        self.0.update(head);
        self.0.update(payload);
    }

    /// Returns the hash of the records taken so far.
    pub fn sha256(&self) -> [u8; 32] {
        self.0.clone().finalize().into()
    }
}
