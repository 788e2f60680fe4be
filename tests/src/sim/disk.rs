//! A disk in memory that fails: short writes, errors, a full device, syncs that fail and forget,
//! and crashes that tear what was not synced.

use super::auditor::What;
use super::faults::{Chaos, Fault};
use super::scene::Shared;
use ijk_journal::{ReadStorage, Storage};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

/// Bytes that a device writes as a whole or tears.
const SECTOR: usize = 512;

#[derive(Default)]
struct File {
    data: Vec<u8>,
    durable_len: usize,
    /// What the device holds of sectors that differ from `data`.
    dirty: BTreeMap<usize, Vec<u8>>,
    /// Sectors that a failed sync forgot: the device keeps these bytes whatever comes.
    forgotten: BTreeMap<usize, Vec<u8>>,
    /// Writes since the last sync, for the auditor.
    unsynced: Vec<Vec<u8>>,
    named: bool,
}

/// The disk of one journal. It outlives the process.
pub struct Disk {
    files: BTreeMap<u32, File>,
    chaos: Rc<RefCell<Chaos>>,
    scene: Shared,
    full: bool,
    die_in_sync: bool,
}

/// A handle that a writer owns while the world keeps another.
pub type SharedDisk = Rc<RefCell<Disk>>;

fn broken() -> io::Error {
    io::Error::other("the device failed")
}

impl Disk {
    /// Returns an empty disk.
    pub fn new(chaos: &Rc<RefCell<Chaos>>, scene: &Shared) -> SharedDisk {
        Rc::new(RefCell::new(Disk {
            files: BTreeMap::new(),
            chaos: Rc::clone(chaos),
            scene: Rc::clone(scene),
            full: false,
            die_in_sync: false,
        }))
    }

    /// Fills the device up, or frees it.
    pub fn set_full(&mut self, full: bool) {
        self.full = full;
    }

    /// The next sync does not return: its write is under way when the process dies.
    pub fn die_in_sync(&mut self) {
        self.die_in_sync = true;
    }

    /// The machine loses power: of what was not synced each sector is old, new, zero or garbage,
    /// names that were not synced may be gone.
    pub fn crash(&mut self) {
        self.die_in_sync = false;
        let mut chaos = self.chaos.borrow_mut();
        let unsynced = self.files.values().any(|f| !f.dirty.is_empty());
        let torn = unsynced && chaos.strikes(Fault::DiskTorn);
        let all_new = chaos.rng.chance(500_000);
        self.files.retain(|_, f| f.named || chaos.rng.chance(500_000));
        for file in self.files.values_mut() {
            for (at, old) in std::mem::take(&mut file.dirty) {
                let fate = match torn {
                    true => chaos.rng.below(4),
                    false => u64::from(all_new),
                };
                let end = (at + SECTOR).min(file.data.len());
                let sector = &mut file.data[at..end];
                match fate {
                    0 => sector.copy_from_slice(&old[..end - at]),
                    1 => {}
                    2 => sector.fill(0),
                    _ => sector.iter_mut().for_each(|b| *b = chaos.rng.next() as u8),
                }
            }
            for (at, old) in std::mem::take(&mut file.forgotten) {
                let end = (at + old.len()).min(file.data.len());
                file.data[at..end].copy_from_slice(&old[..end - at]);
            }
            file.unsynced.clear();
            if chaos.rng.chance(500_000) {
                file.data.truncate(file.durable_len);
            }
        }
    }

    fn file(&mut self, segment: u32) -> io::Result<&mut File> {
        self.files.get_mut(&segment).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn strikes(&self, fault: Fault) -> bool {
        self.chaos.borrow_mut().strikes(fault)
    }
}

impl ReadStorage for Disk {
    fn list(&mut self) -> io::Result<Vec<u32>> {
        Ok(self.files.keys().copied().collect())
    }

    fn len(&mut self, segment: u32) -> io::Result<u64> {
        Ok(self.file(segment)?.data.len() as u64)
    }

    fn read_at(&mut self, segment: u32, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let file = self.file(segment)?;
        let at = (offset as usize).min(file.data.len());
        let n = buf.len().min(file.data.len() - at);
        buf[..n].copy_from_slice(&file.data[at..at + n]);
        Ok(n)
    }
}

impl Storage for Disk {
    fn create(&mut self, segment: u32) -> io::Result<()> {
        if self.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if self.files.contains_key(&segment) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.files.insert(segment, File::default());
        Ok(())
    }

    fn write_at(&mut self, segment: u32, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        if self.full && offset as usize + bytes.len() > self.file(segment)?.data.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if self.strikes(Fault::DiskWriteError) {
            return Err(broken());
        }
        let mut n = bytes.len();
        if n > 1 && self.strikes(Fault::DiskShortWrite) {
            n = self.chaos.borrow_mut().rng.range(1, n as u64 - 1) as usize;
        }
        let (at, end) = (offset as usize, offset as usize + n);
        let file = self.file(segment)?;
        if file.data.len() < end {
            file.data.resize(end, 0);
        }
        for sector in (at / SECTOR * SECTOR..end).step_by(SECTOR) {
            let data = &file.data;
            file.dirty.entry(sector).or_insert_with(|| {
                let mut old = data[sector..(sector + SECTOR).min(data.len())].to_vec();
                old.resize(SECTOR, 0);
                old
            });
        }
        file.data[at..end].copy_from_slice(&bytes[..n]);
        file.unsynced.push(bytes[..n].to_vec());
        Ok(n)
    }

    fn sync(&mut self, segment: u32) -> io::Result<()> {
        if std::mem::take(&mut self.die_in_sync) {
            return Err(broken());
        }
        let fails = self.strikes(Fault::DiskWriteError);
        let scene = Rc::clone(&self.scene);
        let chaos = Rc::clone(&self.chaos);
        let file = self.file(segment)?;
        if fails {
            // The system marks the pages clean all the same; some never reach the device.
            for (at, old) in std::mem::take(&mut file.dirty) {
                if chaos.borrow_mut().rng.chance(500_000) {
                    file.forgotten.entry(at).or_insert(old);
                }
            }
            file.unsynced.clear();
            return Err(broken());
        }
        file.dirty.clear();
        file.durable_len = file.data.len();
        // Pieces of one write that came in two are one for the auditor.
        let bytes = std::mem::take(&mut file.unsynced).concat();
        // Zeros laid out ahead tell the auditor nothing.
        if bytes.iter().any(|&b| b != 0) {
            scene.borrow_mut().see(&What::Device { bytes });
        }
        Ok(())
    }

    fn truncate(&mut self, segment: u32, len: u64) -> io::Result<()> {
        let file = self.file(segment)?;
        file.data.truncate(len as usize);
        file.durable_len = file.durable_len.min(len as usize);
        file.dirty.retain(|&at, _| at < len as usize);
        Ok(())
    }

    fn remove(&mut self, segment: u32) -> io::Result<()> {
        self.files.remove(&segment).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&mut self) -> io::Result<()> {
        self.files.values_mut().for_each(|f| f.named = true);
        Ok(())
    }
}
