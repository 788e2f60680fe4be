//! What the operating system says of this process.

use std::fs::read_to_string;

/// Returns the largest resident memory of this process so far, bytes.
pub fn peak_rss_bytes() -> Option<u64> {
    let status = read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Returns CPU seconds of this process so far, all threads, user and system.
pub fn cpu_seconds() -> Option<f64> {
    // Field 1 of schedstat is nanoseconds on CPU, one file a thread; finished threads are gone,
    // so `stat` with its coarse clock is the one that counts everything.
    let stat = read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    // Linux reports these in 1/100 s on every architecture we build for.
    Some(ticks as f64 / 100.0)
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
