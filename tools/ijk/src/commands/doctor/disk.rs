//! The journal's way to the device, and how long that takes.

use super::Check;
use crate::run_dir::RUNS;
use hdrhistogram::Histogram;
use ijk_core::Config;
use ijk_core::config::{JournalBackend, JournalConfig};
use ijk_journal::{Durability, JournalError, Writer};
use std::fs::{File, read_to_string};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes of one group of the journal at least.
const BLOCK: usize = 4_096;
/// Writes measured at most, and how long that may take.
const WRITES: u64 = 400;
const PATIENCE: Duration = Duration::from_secs(3);
/// An order of a strict outbox waits this long for the device; above it, it grows old.
const P99_MS_MAX: f64 = 10.0;

/// Every check of the disk below `dir` (default: where runs are kept).
pub fn all(dir: Option<&Path>, config: &Config) -> Vec<Check> {
    let here = dir.map_or_else(default_dir, Path::to_path_buf);
    let folder = here.join(format!(".ijk-doctor-{}", std::process::id()));
    if let Err(e) = std::fs::create_dir_all(&folder) {
        let detail = format!("{}: {e}", folder.display());
        return vec![Check::needed("journal", false, detail, JOURNAL_FIX)];
    }
    let checks = vec![uring(), journal(&folder), latency(&folder, config)];
    let _ = std::fs::remove_dir_all(&folder);
    checks
}

const JOURNAL_FIX: &str = "free space, write permission, a local file system";

fn default_dir() -> PathBuf {
    let runs = Path::new(RUNS);
    if runs.is_dir() { runs.to_path_buf() } else { PathBuf::from(".") }
}

fn uring() -> Check {
    let setting = read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    let (ok, detail) = match setting.trim() {
        "0" => (true, "allowed"),
        "1" => (false, "only for members of kernel.io_uring_group"),
        "2" => (false, "disabled: the journal falls back to plain writes"),
        _ => (true, "the system has no switch for it"),
    };
    Check::advice("io_uring", ok, detail, "sysctl kernel.io_uring_disabled=0")
}

fn journal(folder: &Path) -> Check {
    let config = JournalConfig {
        backend: JournalBackend::Auto,
        segment_bytes: 1 << 16,
        ..JournalConfig::default()
    };
    let written = || -> Result<&'static str, JournalError> {
        let writer = Writer::create(folder, &config, Durability::Strict)?;
        let name = writer.storage().backend_name();
        writer.finish().map(|_| name)
    };
    match written() {
        Ok(name) => {
            Check::needed("journal", true, format!("writes and syncs through {name}"), JOURNAL_FIX)
        }
        Err(e) => Check::needed("journal", false, e.to_string(), JOURNAL_FIX),
    }
}

fn latency(folder: &Path, config: &Config) -> Check {
    let fix = "a local NVMe disk with power-loss protection for the folder of runs; not a network \
               or copy-on-write file system";
    let measured = match measure(&folder.join("latency")) {
        Ok(measured) => measured,
        Err(e) => return Check::advice("disk latency", false, e.to_string(), fix),
    };
    let ms = |q: f64| measured.value_at_quantile(q) as f64 * 1e-3;
    let detail = format!(
        "4 KiB write and fdatasync, n {}: p50 {:.2}, p99 {:.2}, max {:.2} ms (an intent older than \
         {} ms is withdrawn)",
        measured.len(),
        ms(0.50),
        ms(0.99),
        ms(1.0),
        config.venue.intent_age_max_ms
    );
    Check::advice("disk latency", ms(0.99) <= P99_MS_MAX, detail, fix)
}

/// Returns microseconds of single writes into a file whose blocks are there already, as those of
/// the journal's segments are.
fn measure(path: &Path) -> io::Result<Histogram<u64>> {
    let mut histogram = Histogram::new_with_bounds(1, 60_000_000, 3).map_err(io::Error::other)?;
    let file = File::options().create(true).truncate(true).read(true).write(true).open(path)?;
    let blocks = 64;
    file.write_all_at(&vec![0; blocks * BLOCK], 0)?;
    file.sync_all()?;
    let bytes = [0x5a; BLOCK];
    let began = Instant::now();
    for i in 0..WRITES {
        let at = Instant::now();
        file.write_all_at(&bytes, (i as usize % blocks * BLOCK) as u64)?;
        file.sync_data()?;
        histogram.saturating_record((at.elapsed().as_micros() as u64).max(1));
        if began.elapsed() > PATIENCE {
            break;
        }
    }
    Ok(histogram)
}

#[test]
fn a_folder_that_cannot_be_written_fails_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::default();
    let checks = all(Some(dir.path()), &config);
    assert_eq!(checks.len(), 3);
    assert!(checks.iter().all(|c| c.ok || !c.required));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    let file = dir.path().join("file");
    std::fs::write(&file, b"x").unwrap();
    let checks = all(Some(&file), &config);
    assert!(checks.iter().any(|c| c.required && !c.ok));
}
