//! The two processes and what is done to them.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The commands under test.
#[derive(Clone, Debug)]
pub struct Binaries {
    ijk: PathBuf,
    broker: PathBuf,
}

impl Binaries {
    /// Builds both in the profile of this build.
    ///
    /// # Panics
    /// If one does not build.
    pub fn build() -> Binaries {
        Binaries { ijk: crate::build("ijk"), broker: crate::build("ijk-broker") }
    }
}

/// A process that does not outlive its owner.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts a command that writes its errors to `log`.
    ///
    /// # Errors
    /// What the system says.
    pub fn spawn(command: &mut Command, log: &Path) -> Result<Process, String> {
        let log = File::options().create(true).append(true).open(log);
        let log = log.map_err(|e| format!("a log: {e}"))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command.spawn().map(Process).map_err(|e| format!("{command:?}: {e}"))
    }

    /// Kills it with SIGKILL; returns how it had ended if it was over before.
    pub fn kill9(&mut self) -> Option<ExitStatus> {
        if let Ok(Some(status)) = self.0.try_wait() {
            return Some(status);
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
        None
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If it does not end in time.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus, String> {
        let began = Instant::now();
        loop {
            match self.0.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) if began.elapsed() < limit => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Ok(None) => return Err(format!("no end after {limit:?}")),
                Err(e) => return Err(e.to_string()),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill9();
    }
}

/// Starts the broker of `folder`.
///
/// # Errors
/// What the system says.
pub fn broker(b: &Binaries, folder: &Path, seed: u64) -> Result<Process, String> {
    let mut command = Command::new(&b.broker);
    command.args(["s", "ledger", &seed.to_string(), "20000"]).current_dir(folder);
    Process::spawn(&mut command, &folder.join("broker.log"))
}

/// Starts a kernel in `folder` with this parents file; its run is `runs/NUMBER`.
///
/// # Errors
/// What the system says.
pub fn kernel(
    b: &Binaries,
    folder: &Path,
    number: u64,
    parents: &str,
    feed: &str,
) -> Result<Process, String> {
    let mut command = Command::new(&b.ijk);
    command
        .args(["live", "--config", "settings.toml", "--feed", feed, "--venue", "link:unix:s"])
        .args(["--weights", "none", "--parents", parents, "--speed", "60", "--json"])
        .args(["--state", "runs/account", "--out", &format!("runs/{number}")])
        .current_dir(folder);
    Process::spawn(&mut command, &folder.join(format!("kernel-{number}.log")))
}

/// Clears the kill latch as an operator does.
///
/// # Errors
/// If the command fails.
pub fn clear_latch(b: &Binaries, folder: &Path) -> Result<(), String> {
    let mut command = Command::new(&b.ijk);
    command.args(["kill", "--clear", "--json"]).current_dir(folder);
    let mut process = Process::spawn(&mut command, &folder.join("clear.log"))?;
    let status = process.wait(Duration::from_secs(20))?;
    if status.success() { Ok(()) } else { Err(format!("kill --clear: {status}")) }
}

/// Asks a running kernel to stop all trading, through its counters file alone: no latch is
/// written, so only the journal can remember. Returns whether it could be asked.
pub fn ask_to_kill(run: &Path) -> bool {
    let file = File::options().write(true).open(run.join("counters.ijkc"));
    file.is_ok_and(|f| f.write_all_at(&1u64.to_le_bytes(), 16).is_ok())
}
