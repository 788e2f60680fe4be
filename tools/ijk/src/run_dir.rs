//! Where runs live and what is in them.

use crate::exit::Exit;
use std::path::{Path, PathBuf};

/// Folder of all runs, below the working directory.
pub const RUNS: &str = "runs";
/// While this file exists no kernel starts.
pub const KILL_LATCH: &str = "runs/kill.latch";

/// Paths inside one run.
#[derive(Clone, Debug)]
pub struct RunDir {
    root: PathBuf,
}

impl RunDir {
    /// Creates the folder of a new run.
    ///
    /// # Errors
    /// Exit code 2 if it exists (without `force`) or cannot be made.
    pub fn create(root: &Path, force: bool) -> Result<RunDir, Exit> {
        if root.exists() {
            if !force {
                return Err(Exit::usage(format!(
                    "{}: exists; use --force to replace the run",
                    root.display()
                )));
            }
            let ours = root.join("manifest.json").exists() || root.join("journal").exists();
            let empty = std::fs::read_dir(root).is_ok_and(|mut d| d.next().is_none());
            if !ours && !empty {
                return Err(Exit::usage(format!(
                    "{}: holds no run; --force replaces runs only",
                    root.display()
                )));
            }
            std::fs::remove_dir_all(root).map_err(|e| Exit::output(root, e))?;
        }
        let dir = RunDir { root: root.to_path_buf() };
        std::fs::create_dir_all(dir.journal()).map_err(|e| Exit::output(root, e))?;
        Ok(dir)
    }

    /// Opens an existing run.
    ///
    /// # Errors
    /// Exit code 2 if there is no journal in it.
    pub fn open(root: &Path) -> Result<RunDir, Exit> {
        let dir = RunDir { root: root.to_path_buf() };
        if dir.journal().join(ijk_journal::segment_name(0)).exists() {
            return Ok(dir);
        }
        Err(Exit::usage(format!("{}: not a run (no journal/000000.ijkj)", root.display())))
    }

    /// Opens the run named, or the latest.
    ///
    /// # Errors
    /// As [`RunDir::open`].
    pub fn open_or_latest(root: Option<&Path>) -> Result<RunDir, Exit> {
        match root {
            Some(root) => RunDir::open(root),
            None => RunDir::open(&Path::new(RUNS).join("latest")),
        }
    }

    /// Points `latest` beside the run at it; best effort.
    pub fn mark_latest(&self) {
        let (Some(parent), Some(name)) = (self.root.parent(), self.root.file_name()) else {
            return;
        };
        let link = parent.join("latest");
        if link.is_symlink() || !link.exists() {
            let _ = std::fs::remove_file(&link);
            let _ = std::os::unix::fs::symlink(name, link);
        }
    }

    /// Root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Folder of the journal's segment files.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    /// The counters file.
    pub fn counters(&self) -> PathBuf {
        self.root.join("counters.ijkc")
    }

    /// Orders of people to the run.
    pub fn desk(&self) -> PathBuf {
        self.root.join("desk")
    }

    /// Stage samples.
    pub fn samples(&self) -> PathBuf {
        self.root.join("stages.bin")
    }

    /// A file of the run.
    pub fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}
