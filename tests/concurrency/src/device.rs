//! The device under the models: a journal's writer that notes what is on the device, a mapped
//! file of a few words, segments that can be laid out.

use crate::world::Mark;
use crate::world::atomic::AtomicU64;
use ijk_core::config::JournalBackend;
use ijk_core::record::RecordKind;
pub use ijk_journal::{
    Durability, Frame, JournalError, ReadStorage, Recovered, Salt, SpareJob, Storage, WriteFault,
    WriterOptions,
};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// What is on the device, one a model's execution.
pub struct Device {
    /// One a record or segment, set when it is on the device.
    pub on_device: Vec<Mark>,
    /// The commit (or segment) from which on everything fails.
    pub fails_at: u64,
    samples: Mutex<Vec<u8>>,
}

static CURRENT: Mutex<Option<Arc<Device>>> = Mutex::new(None);

/// Puts a new device in.
pub fn insert(marks: usize, fails_at: u64) -> Arc<Device> {
    let on_device = (0..marks).map(|_| Mark::new()).collect();
    let device = Arc::new(Device { on_device, fails_at, samples: Mutex::default() });
    *CURRENT.lock().unwrap() = Some(Arc::clone(&device));
    device
}

/// Returns the device that was put in last.
pub fn current() -> Arc<Device> {
    CURRENT.lock().unwrap().clone().expect("a device was put in")
}

impl Device {
    /// Notes a sample that was written.
    pub fn sample(&self, id: u8) {
        self.samples.lock().unwrap().push(id);
    }

    /// Returns the samples written.
    pub fn samples(&self) -> Vec<u8> {
        self.samples.lock().unwrap().clone()
    }
}

/// In place of the files.
#[derive(Clone)]
pub struct FsStorage(Arc<Device>);

impl FsStorage {
    pub fn new(_: &Path, _: JournalBackend) -> Result<FsStorage, JournalError> {
        Ok(FsStorage(current()))
    }

    pub fn backend_name(&self) -> &'static str {
        "model"
    }
}

impl ReadStorage for FsStorage {
    fn list(&mut self) -> io::Result<Vec<u32>> {
        Ok(Vec::new())
    }
    fn len(&mut self, _: u32) -> io::Result<u64> {
        Ok(0)
    }
    fn read_at(&mut self, _: u32, _: u64, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
}

impl Storage for FsStorage {
    fn create(&mut self, segment: u32) -> io::Result<()> {
        if u64::from(segment) >= self.0.fails_at {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }
    fn write_at(&mut self, _: u32, _: u64, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }
    fn sync(&mut self, segment: u32) -> io::Result<()> {
        self.0.on_device[segment as usize].set();
        Ok(())
    }
    fn truncate(&mut self, _: u32, _: u64) -> io::Result<()> {
        Ok(())
    }
    fn remove(&mut self, _: u32) -> io::Result<()> {
        Ok(())
    }
    fn sync_dir(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// In place of the spares, which have a model of their own.
pub struct NoSpares;

impl NoSpares {
    pub fn start<S>(inner: S, _: S, _: Arc<crate::world::atomic::AtomicBool>) -> io::Result<S> {
        Ok(inner)
    }
}

/// In place of the writer: records are on the device after the commit that follows them.
pub struct Writer<S> {
    _storage: S,
    device: Arc<Device>,
    durability: Durability,
    appended: u64,
    committed: u64,
    commits: u64,
}

/// What a complete journal is.
pub struct Finished {
    pub bytes: u64,
    pub records: u64,
    pub sha256: [u8; 32],
}

impl<S> Writer<S> {
    pub fn begin(storage: S, options: WriterOptions) -> Result<Writer<S>, JournalError> {
        Ok(Writer {
            _storage: storage,
            device: current(),
            durability: options.durability,
            appended: 0,
            committed: 0,
            commits: 0,
        })
    }

    /// Times and payloads are the record's number, so loss, doubling and disorder show.
    pub fn append(&mut self, ts: u64, _: RecordKind, payload: &[u8]) -> Result<u64, JournalError> {
        assert_eq!(ts, self.appended, "the next record is the next one pushed");
        assert_eq!(payload, [ts as u8; 3], "a record is whole");
        self.appended += 1;
        Ok(ts)
    }

    pub fn commit(&mut self) -> Result<u64, JournalError> {
        if self.commits >= self.device.fails_at {
            return Err(JournalError::AfterFailure);
        }
        self.commits += 1;
        for seq in self.committed..self.appended {
            self.device.on_device[seq as usize].set();
        }
        self.committed = self.appended;
        Ok(self.committed)
    }

    pub fn finish(mut self) -> Result<Finished, JournalError> {
        let records = self.commit()?;
        Ok(Finished { bytes: 0, records, sha256: [0; 32] })
    }

    pub fn durability(&self) -> Durability {
        self.durability
    }

    pub fn next_seq(&self) -> u64 {
        self.appended
    }
}

/// In place of a mapped file: as many words as the models touch.
#[derive(Clone)]
pub struct MmapRaw(Arc<Vec<AtomicU64>>);

impl MmapRaw {
    pub fn zeroed() -> MmapRaw {
        MmapRaw(Arc::new((0..17).map(|_| AtomicU64::new(0)).collect()))
    }

    pub fn word(&self, offset: usize) -> &AtomicU64 {
        &self.0[offset / 8]
    }
}

/// The models map nothing.
pub struct MmapOptions;

impl MmapOptions {
    pub fn new() -> MmapOptions {
        MmapOptions
    }

    pub fn len(self, _: usize) -> MmapOptions {
        self
    }

    pub fn map_raw(self, _: &std::fs::File) -> io::Result<MmapRaw> {
        Ok(MmapRaw::zeroed())
    }
}
