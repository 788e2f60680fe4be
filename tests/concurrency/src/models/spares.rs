//! Journal thread and the thread that lays segments out.

use crate::device::{self, FsStorage, JournalError, Salt, SpareJob, Storage};
use crate::product::spares::ColdSpares;
use crate::world::atomic::{AtomicBool, Ordering};
use ijk_core::config::JournalBackend;
use std::path::Path;
use std::sync::Arc;

fn storage() -> Result<FsStorage, JournalError> {
    FsStorage::new(Path::new("/"), JournalBackend::Plain)
}

/// Segments are asked for ahead and waited for one by one; the last cannot be laid out, and one
/// more is asked for and never waited for.
pub fn handshake(count: u64) {
    let device = device::insert(count as usize + 1, count - 1);
    let failed = Arc::new(AtomicBool::new(false));
    let (inner, cold) = (storage().unwrap(), storage().unwrap());
    let mut spares = ColdSpares::start(inner, cold, Arc::clone(&failed)).unwrap();
    for segment in 0..count as u32 {
        let job = SpareJob { salt: Salt { epoch: 1, segment }, segment_bytes: 4096 };
        spares.prepare_ahead(job).unwrap();
        let result = spares.wait_prepared(segment);
        if u64::from(segment) < count - 1 {
            assert!(result.is_ok());
            assert!(device.on_device[segment as usize].get(), "it is laid out");
        } else {
            assert!(result.is_err());
            assert!(failed.load(Ordering::Acquire), "the alarm comes before the result");
        }
    }
    let salt = Salt { epoch: 1, segment: count as u32 };
    spares.prepare_ahead(SpareJob { salt, segment_bytes: 4096 }).unwrap();
    // The thread ends although nobody takes its last result.
    drop(spares);
}
