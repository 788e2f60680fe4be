//! What the operating system says of this process.

use crate::exit::Exit;
use rustix::mm::{MlockAllFlags, mlockall};
use std::fs::read_to_string;

/// Returns the largest resident memory of this process so far, bytes.
pub fn peak_rss_bytes() -> Option<u64> {
    let status = read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Keeps every page of this process in memory, those to come included.
///
/// # Errors
/// Exit code 2 if the system does not allow it.
pub fn lock_memory() -> Result<(), Exit> {
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE).map_err(|e| {
        Exit::usage(format!(
            "runtime.lock_memory: {e}: raise the limit (LimitMEMLOCK=infinity in the unit, \
             ulimit -l) or set it to false"
        ))
    })
}

/// Returns CPU seconds of this process so far, all threads, user and system.
pub fn cpu_seconds() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}

/// Returns the name of the CPU.
pub fn cpu_name() -> String {
    read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|l| l.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_string())
        })
        .unwrap_or_else(|| "unknown".to_string())
}
