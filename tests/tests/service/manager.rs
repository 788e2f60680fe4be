//! The service manager's end of sd_notify(3), and what stops one thread of a process.

use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Collects every line that it is told.
pub struct Manager {
    path: PathBuf,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Manager {
    pub fn listen(path: &Path) -> Manager {
        let socket = UnixDatagram::bind(path).unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&lines);
        std::thread::spawn(move || {
            let mut buffer = [0; 4_096];
            while let Ok(n) = socket.recv(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
                heard.lock().unwrap().extend(text.lines().map(str::to_string));
            }
        });
        Manager { path: path.to_path_buf(), lines }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn count(&self, what: &str) -> usize {
        self.lines.lock().unwrap().iter().filter(|line| line.contains(what)).count()
    }

    pub fn forget(&self) {
        self.lines.lock().unwrap().clear();
    }

    /// Waits until a line that holds `what` has come.
    pub fn wait(&self, what: &str, patience: Duration) {
        let began = Instant::now();
        while self.count(what) == 0 {
            let heard = self.lines.lock().unwrap().join(" | ");
            assert!(began.elapsed() < patience, "'{what}' never came: {heard}");
            std::thread::sleep(Duration::from_millis(10));
        }
        // Consumed, so that the next wait is for the next one.
        self.lines.lock().unwrap().retain(|line| !line.contains(what));
    }
}

/// One thread of another process that stands still until this is dropped. The thread that makes
/// it must drop it.
pub struct StoppedThread(Pid);

impl StoppedThread {
    /// Stops the thread of that name; `None`, with a message, where the system does not let a
    /// test do that.
    pub fn stop(process: u32, name: &str) -> Option<StoppedThread> {
        let tid = thread(process, name);
        if let Err(error) = ptrace::seize(tid, ptrace::Options::empty()) {
            eprintln!("skipped: threads cannot be stopped here: {error}");
            return None;
        }
        ptrace::interrupt(tid).unwrap();
        waitpid(tid, Some(WaitPidFlag::__WALL)).unwrap();
        Some(StoppedThread(tid))
    }
}

impl Drop for StoppedThread {
    fn drop(&mut self) {
        // The process may be gone.
        let _ = ptrace::detach(self.0, None);
    }
}

fn thread(process: u32, name: &str) -> Pid {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let found = tasks.flatten().find(|task| {
        let comm = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        comm.trim() == name
    });
    let found = found.unwrap_or_else(|| panic!("no thread {name}"));
    Pid::from_raw(found.file_name().to_string_lossy().parse().unwrap())
}
