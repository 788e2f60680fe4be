//! A disk in memory that keeps what the device holds apart from what the system would show, and
//! fails on demand.

use super::rng::SimRng;
use crate::storage::{ReadStorage, Storage};
use std::collections::BTreeMap;
use std::io;

/// What a device writes whole or not at all, unless it is torn.
pub const SECTOR_BYTES: usize = 512;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// What a crash does to sectors written but not synced, in percent; the rest is garbled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashOdds {
    /// Reach the device.
    pub kept: u32,
    /// Are as they were before.
    pub lost: u32,
    /// Begin new and end old.
    pub torn: u32,
}

impl CrashOdds {
    /// Draws odds: 80 to 100 % of the pending sectors damaged, or in one case of three all as
    /// they were, or all as they should be.
    pub fn draw(rng: &mut SimRng) -> CrashOdds {
        match rng.below(6) {
            0 => CrashOdds { kept: 100, lost: 0, torn: 0 },
            1 => CrashOdds { kept: 0, lost: 100, torn: 0 },
            _ => {
                let kept = rng.below(21) as u32;
                let lost = rng.below(u64::from(101 - kept)) as u32;
                let torn = rng.below(u64::from(101 - kept - lost)) as u32;
                CrashOdds { kept, lost, torn }
            }
        }
    }
}

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Any operation: input/output error. A sync loses what was pending, or part of it, and
    /// believes itself clean from then on.
    Eio,
    /// Creating and writing: no space.
    Enospc,
    /// Writing: a part is taken, without an error.
    Short,
    /// Syncing: as for [`FaultKind::Eio`].
    SyncEio,
    /// Any operation: the machine goes down in it. Everything fails until
    /// [`FaultyDisk::crash`].
    Crash,
}

/// A fault to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Number of the operation, as [`FaultyDisk::ops`] counts.
    pub at: u64,
    /// What happens.
    pub kind: FaultKind,
    /// Whether it happens to every later operation too.
    pub persistent: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Op {
    Read,
    Create,
    Write,
    Sync,
    SyncDir,
    Other,
}

/// What a file's name is on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Durable,
    New,
    Removed,
}

#[derive(Clone, Debug)]
struct SimFile {
    /// What reads show.
    shown: Vec<u8>,
    /// What the device holds.
    device: Vec<u8>,
    /// Sectors written since the last sync.
    dirty: Vec<bool>,
    name: Name,
}

/// A disk in memory. Every operation is counted; the n-th can be made to fail.
#[derive(Clone, Debug)]
pub struct FaultyDisk {
    files: BTreeMap<u32, SimFile>,
    rng: SimRng,
    ops: u64,
    injected: u64,
    fault: Option<Fault>,
    capacity: Option<u64>,
    down: bool,
}

impl FaultyDisk {
    /// Returns an empty disk.
    pub fn new(seed: u64) -> FaultyDisk {
        FaultyDisk {
            files: BTreeMap::new(),
            rng: SimRng::new(seed),
            ops: 0,
            injected: 0,
            fault: None,
            capacity: None,
            down: false,
        }
    }

    /// Plans a fault, or none.
    pub fn set_fault(&mut self, fault: Option<Fault>) {
        self.fault = fault;
    }

    /// Lets chance take another course from here.
    pub fn reseed(&mut self, seed: u64) {
        self.rng = SimRng::new(seed);
    }

    /// Limits the bytes of all files together.
    pub fn set_capacity(&mut self, bytes: Option<u64>) {
        self.capacity = bytes;
    }

    /// Returns the operations so far.
    pub fn ops(&self) -> u64 {
        self.ops
    }

    /// Returns the faults that happened so far.
    pub fn injected(&self) -> u64 {
        self.injected
    }

    /// Returns what reads of a file would show.
    pub fn shown(&self, segment: u32) -> Option<&[u8]> {
        self.files.get(&segment).filter(|f| f.name != Name::Removed).map(|f| &f.shown[..])
    }

    /// The machine goes down and comes up: what was not synced is kept, lost, torn or garbled,
    /// sector by sector and in no order; names not synced may be gone or back. No fault is
    /// planned any more.
    pub fn crash(&mut self, odds: CrashOdds) {
        let rng = &mut self.rng;
        self.files.retain(|_, file| match file.name {
            Name::Durable => true,
            Name::New | Name::Removed => rng.chance(50),
        });
        for file in self.files.values_mut() {
            file.crash(odds, rng);
        }
        self.restart();
    }

    /// The process ends and starts again; the machine stays up and forgets nothing. No fault is
    /// planned any more.
    pub fn restart(&mut self) {
        self.down = false;
        self.fault = None;
    }

    /// Counts an operation; says whether it is to be cut short.
    fn gate(&mut self, op: Op) -> io::Result<bool> {
        if self.down {
            return Err(io::Error::other("the machine is down"));
        }
        let number = self.ops;
        self.ops += 1;
        let Some(fault) = self.fault else { return Ok(false) };
        if number != fault.at && !(fault.persistent && number > fault.at) {
            return Ok(false);
        }
        let (hit, errno) = match fault.kind {
            FaultKind::Eio => (true, EIO),
            FaultKind::Enospc => (matches!(op, Op::Create | Op::Write), ENOSPC),
            FaultKind::SyncEio => (matches!(op, Op::Sync | Op::SyncDir), EIO),
            FaultKind::Short => {
                self.injected += u64::from(op == Op::Write);
                return Ok(op == Op::Write);
            }
            FaultKind::Crash => {
                self.down = true;
                (true, EIO)
            }
        };
        self.injected += u64::from(hit);
        if hit { Err(io::Error::from_raw_os_error(errno)) } else { Ok(false) }
    }

    fn file(&mut self, segment: u32) -> io::Result<&mut SimFile> {
        let file = self.files.get_mut(&segment).filter(|f| f.name != Name::Removed);
        file.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Returns how many of `bytes` at `offset` fit.
    fn fitting(&mut self, segment: u32, offset: u64, bytes: usize) -> io::Result<usize> {
        let Some(capacity) = self.capacity else { return Ok(bytes) };
        let used: u64 = self.files.values().map(|f| f.shown.len() as u64).sum();
        let len = self.file(segment)?.shown.len() as u64;
        let room = capacity.saturating_sub(used) + len.saturating_sub(offset);
        match (room as usize).min(bytes) {
            0 => {
                self.injected += 1;
                Err(io::Error::from_raw_os_error(ENOSPC))
            }
            n => Ok(n),
        }
    }
}

impl SimFile {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if self.shown.len() < end {
            self.shown.resize(end, 0);
        }
        self.shown[offset..end].copy_from_slice(bytes);
        let sectors = self.shown.len().div_ceil(SECTOR_BYTES);
        self.dirty.resize(sectors.max(self.dirty.len()), false);
        if !bytes.is_empty() {
            self.dirty[offset / SECTOR_BYTES..=(end - 1) / SECTOR_BYTES].fill(true);
        }
    }

    /// Takes sector `at` to the device as it is shown.
    fn keep(&mut self, at: usize) {
        let start = at * SECTOR_BYTES;
        let end = (start + SECTOR_BYTES).min(self.shown.len());
        if start < end {
            if self.device.len() < end {
                self.device.resize(end, 0);
            }
            self.device[start..end].copy_from_slice(&self.shown[start..end]);
        }
    }

    fn sync(&mut self) {
        self.device.resize(self.shown.len(), 0);
        for at in 0..self.dirty.len() {
            if std::mem::take(&mut self.dirty[at]) {
                self.keep(at);
            }
        }
    }

    /// A sync that failed: some sectors went, the others never will.
    fn fail_sync(&mut self, rng: &mut SimRng) {
        for at in 0..self.dirty.len() {
            if std::mem::take(&mut self.dirty[at]) && rng.chance(50) {
                self.keep(at);
            }
        }
    }

    fn crash(&mut self, odds: CrashOdds, rng: &mut SimRng) {
        let len = match rng.chance(50) {
            true => self.shown.len(),
            false => self.device.len(),
        };
        for at in 0..self.dirty.len() {
            if !std::mem::take(&mut self.dirty[at]) {
                continue;
            }
            let draw = rng.below(100) as u32;
            if draw < odds.kept {
                self.keep(at);
            } else if draw >= odds.kept + odds.lost {
                let torn = draw < odds.kept + odds.lost + odds.torn;
                self.damage(at, torn, rng);
            }
        }
        self.device.resize(len, 0);
        self.shown.clone_from(&self.device);
        self.dirty.clear();
        self.name = Name::Durable;
    }

    fn damage(&mut self, at: usize, torn: bool, rng: &mut SimRng) {
        let start = at * SECTOR_BYTES;
        let end = (start + SECTOR_BYTES).min(self.shown.len());
        if start >= end {
            return;
        }
        if self.device.len() < end {
            self.device.resize(end, 0);
        }
        let cut = start + rng.below((end - start) as u64) as usize;
        if torn {
            self.device[start..cut].copy_from_slice(&self.shown[start..cut]);
        } else {
            rng.fill(&mut self.device[start..end]);
        }
    }
}

impl ReadStorage for FaultyDisk {
    fn list(&mut self) -> io::Result<Vec<u32>> {
        self.gate(Op::Read)?;
        let there = self.files.iter().filter(|(_, f)| f.name != Name::Removed);
        Ok(there.map(|(n, _)| *n).collect())
    }

    fn len(&mut self, segment: u32) -> io::Result<u64> {
        self.gate(Op::Read)?;
        Ok(self.file(segment)?.shown.len() as u64)
    }

    fn read_at(&mut self, segment: u32, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.gate(Op::Read)?;
        let shown = &self.file(segment)?.shown;
        let rest = shown.get(offset as usize..).unwrap_or_default();
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }
}

impl Storage for FaultyDisk {
    fn create(&mut self, segment: u32) -> io::Result<()> {
        self.gate(Op::Create)?;
        if self.file(segment).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file =
            SimFile { shown: Vec::new(), device: Vec::new(), dirty: Vec::new(), name: Name::New };
        self.files.insert(segment, file);
        Ok(())
    }

    fn write_at(&mut self, segment: u32, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let gate = self.gate(Op::Write);
        let mut n = match gate {
            Ok(true) => 1 + self.rng.below((bytes.len() as u64 - 1).max(1)) as usize,
            Ok(false) => bytes.len(),
            // The machine went down in the middle of it.
            Err(_) if self.down && self.ops > 0 => self.rng.below(bytes.len() as u64 + 1) as usize,
            Err(e) => return Err(e),
        };
        n = self.fitting(segment, offset, n)?;
        self.file(segment)?.write(offset as usize, &bytes[..n]);
        gate.map(|_| n)
    }

    fn sync(&mut self, segment: u32) -> io::Result<()> {
        let gate = self.gate(Op::Sync);
        if self.down {
            return gate.map(|_| ());
        }
        let mut rng = self.rng.clone();
        rng.bits();
        let file = self.file(segment)?;
        match gate {
            Ok(_) => file.sync(),
            Err(_) => file.fail_sync(&mut rng),
        }
        self.rng = rng;
        gate.map(|_| ())
    }

    fn truncate(&mut self, segment: u32, len: u64) -> io::Result<()> {
        self.gate(Op::Other)?;
        let file = self.file(segment)?;
        file.shown.truncate(len as usize);
        file.dirty.truncate(file.shown.len().div_ceil(SECTOR_BYTES));
        Ok(())
    }

    fn remove(&mut self, segment: u32) -> io::Result<()> {
        self.gate(Op::Other)?;
        self.file(segment)?.name = Name::Removed;
        Ok(())
    }

    fn sync_dir(&mut self) -> io::Result<()> {
        self.gate(Op::SyncDir)?;
        self.files.retain(|_, f| f.name != Name::Removed);
        for file in self.files.values_mut() {
            file.name = Name::Durable;
        }
        Ok(())
    }

    fn drop_cache(&mut self, segment: u32) -> io::Result<()> {
        self.sync(segment)?;
        let file = self.file(segment)?;
        file.shown.clone_from(&file.device);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file(seed: u64) -> FaultyDisk {
        let mut disk = FaultyDisk::new(seed);
        disk.create(0).unwrap();
        disk.write_at(0, 0, &[1; 2048]).unwrap();
        disk.sync(0).unwrap();
        disk.sync_dir().unwrap();
        disk
    }

    #[test]
    fn what_was_synced_survives_any_crash() {
        for seed in 0..200 {
            let mut disk = with_file(seed);
            disk.write_at(0, 1024, &[2; 512]).unwrap();
            disk.crash(CrashOdds { kept: 0, lost: 0, torn: 50 });
            let shown = disk.shown(0).unwrap();
            assert_eq!(shown[..1024], [1; 1024]);
            assert_eq!(shown[1536..2048], [1; 512]);
        }
    }

    #[test]
    fn what_was_not_synced_can_be_kept_lost_torn_and_garbled() {
        let (mut kept, mut lost, mut torn, mut garbled, mut gone) = (0, 0, 0, 0, 0);
        for seed in 0..400 {
            let mut disk = with_file(seed);
            disk.write_at(0, 512, &[2; 512]).unwrap();
            disk.create(1).unwrap();
            disk.crash(CrashOdds { kept: 25, lost: 25, torn: 25 });
            let sector = &disk.shown(0).unwrap()[512..1024];
            let twos = sector.iter().filter(|b| **b == 2).count();
            let ones = sector.iter().filter(|b| **b == 1).count();
            match (twos, ones) {
                (512, 0) => kept += 1,
                (0, 512) => lost += 1,
                _ if twos + ones == 512 => torn += 1,
                _ => garbled += 1,
            }
            gone += u32::from(disk.shown(1).is_none());
        }
        for n in [kept, lost, torn, garbled, gone] {
            assert!(n > 50, "{kept} {lost} {torn} {garbled} {gone}");
        }
    }

    #[test]
    fn a_failed_sync_loses_and_the_next_one_lies() {
        let mut losses = 0;
        for seed in 0..50 {
            let mut disk = with_file(seed);
            disk.write_at(0, 0, &[2; 2048]).unwrap();
            disk.set_fault(Some(Fault {
                at: disk.ops(),
                kind: FaultKind::SyncEio,
                persistent: false,
            }));
            assert!(disk.sync(0).is_err());
            assert!(disk.sync(0).is_ok());
            assert_eq!(disk.shown(0).unwrap(), [2; 2048], "reads show what is not there");
            disk.drop_cache(0).unwrap();
            losses += u32::from(disk.shown(0).unwrap() != [2; 2048]);
        }
        assert!(losses > 30);
    }

    #[test]
    fn faults_hit_the_operation_they_are_planned_for() {
        let fault = |at, kind, persistent| Some(Fault { at, kind, persistent });
        let mut disk = with_file(1);
        let at = disk.ops();
        disk.set_fault(fault(at + 1, FaultKind::Enospc, false));
        assert_eq!(disk.write_at(0, 0, &[3; 8]).unwrap(), 8);
        assert_eq!(disk.write_at(0, 0, &[3; 8]).unwrap_err().raw_os_error(), Some(28));
        assert_eq!(disk.write_at(0, 0, &[3; 8]).unwrap(), 8);
        disk.set_fault(fault(disk.ops(), FaultKind::Short, true));
        assert!((1..8).contains(&disk.write_at(0, 0, &[3; 8]).unwrap()));
        assert_eq!(disk.write_at(0, 0, &[3; 1]).unwrap(), 1);
        disk.set_capacity(Some(3000));
        disk.set_fault(None);
        assert_eq!(disk.write_at(0, 2048, &[3; 2000]).unwrap(), 952);
        assert_eq!(disk.write_at(0, 3000, &[3; 1]).unwrap_err().raw_os_error(), Some(28));
        disk.set_fault(fault(disk.ops(), FaultKind::Crash, false));
        assert!(disk.sync(0).is_err());
        assert!(disk.list().is_err(), "the machine is down");
        disk.crash(CrashOdds { kept: 100, lost: 0, torn: 0 });
        assert_eq!(disk.list().unwrap(), [0]);
    }
}
