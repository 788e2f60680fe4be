//! What outlives every run on one account: the boot epoch, the run to recover from, the kill.
//!
//! `boot.json` is replaced as a whole (temporary name, fsync, rename, fsync of the folder), so it
//! is the old or the new one after any crash. A lock keeps a second kernel off the account.

use crate::exit::{self, Exit};
use ijk_core::ids::BOOT_EPOCH_MAX;
use ijk_data::whole::write_whole;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Default folder.
pub const STATE: &str = "runs/account";

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Boot {
    /// Number of the last start; every start takes the next, so no order id comes twice.
    epoch: u32,
    /// The last run that took over what was before it.
    run: Option<PathBuf>,
    /// Epoch of the last kill that was turned into a latch: cleared latches stay cleared.
    latched: u32,
}

/// The folder of one account, locked.
#[derive(Debug)]
pub struct StateDir {
    root: PathBuf,
    boot: Boot,
    _lock: File,
}

impl StateDir {
    /// Opens, or makes, the folder and locks it.
    ///
    /// # Errors
    /// Exit code 78 if another kernel has it or `boot.json` cannot be understood.
    pub fn open(root: &Path) -> Result<StateDir, Exit> {
        let unsafe_to_start = |what: String| Exit::new(exit::UNSAFE, what);
        std::fs::create_dir_all(root).map_err(|e| Exit::output(root, e))?;
        let path = root.join("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|e| Exit::output(&path, e))?;
        lock.try_lock().map_err(|e| {
            unsafe_to_start(format!(
                "{}: {e}: another kernel trades this account; only one may",
                path.display()
            ))
        })?;
        let path = root.join("boot.json");
        let boot = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
                unsafe_to_start(format!(
                    "{}: {e}: the boot epoch is lost, so order ids could come twice; restore the \
                     file, or start with a new --state folder once nothing works at the venue",
                    path.display()
                ))
            })?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Boot::default(),
            Err(e) => return Err(unsafe_to_start(format!("{}: {e}", path.display()))),
        };
        Ok(StateDir { root: root.to_path_buf(), boot, _lock: lock })
    }

    /// Returns the run to recover from, and its epoch.
    pub fn run(&self) -> Option<&Path> {
        self.boot.run.as_deref()
    }

    /// Takes the next epoch; it is on the device when this returns.
    ///
    /// # Errors
    /// Exit code 78 if the epochs are used up, 2 if the file cannot be written.
    pub fn next_epoch(&mut self) -> Result<u32, Exit> {
        if self.boot.epoch >= BOOT_EPOCH_MAX {
            return Err(Exit::new(exit::UNSAFE, "all boot epochs are used up"));
        }
        self.boot.epoch += 1;
        self.write()?;
        Ok(self.boot.epoch)
    }

    /// Makes `run` the one to recover from: its journal holds everything before it.
    ///
    /// # Errors
    /// Exit code 2 if the file cannot be written.
    pub fn point_at(&mut self, run: &Path) -> Result<(), Exit> {
        let run = run.canonicalize().map_err(|e| Exit::output(run, e))?;
        self.boot.run = Some(run);
        self.write()
    }

    /// Notes that the journal's run was killed; returns whether that is news.
    ///
    /// # Errors
    /// Exit code 2 if the file cannot be written.
    pub fn latch(&mut self, epoch: u32) -> Result<bool, Exit> {
        if self.boot.latched >= epoch {
            return Ok(false);
        }
        self.boot.latched = epoch;
        self.write()?;
        Ok(true)
    }

    fn write(&self) -> Result<(), Exit> {
        let text = serde_json::to_vec(&self.boot).map_err(|e| Exit::new(exit::BUG, e))?;
        Ok(write_whole(&self.root.join("boot.json"), &text, true)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_rise_across_starts_and_one_kernel_has_the_account() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = StateDir::open(folder.path()).unwrap();
        assert_eq!(state.next_epoch().unwrap(), 1);
        assert_eq!(StateDir::open(folder.path()).unwrap_err().code, exit::UNSAFE);
        state.point_at(folder.path()).unwrap();
        assert!(state.latch(1).unwrap() && !state.latch(1).unwrap());
        drop(state);
        let mut state = StateDir::open(folder.path()).unwrap();
        assert_eq!(state.next_epoch().unwrap(), 2);
        assert!(state.run().is_some());
        assert!(!state.latch(1).unwrap(), "a cleared latch stays cleared");
    }

    #[test]
    fn a_lost_epoch_is_unsafe_to_start_with() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("boot.json"), b"{").unwrap();
        assert_eq!(StateDir::open(folder.path()).unwrap_err().code, exit::UNSAFE);
    }
}
