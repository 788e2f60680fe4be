//! Measures the journal on this machine's disk: `cargo run --release -p ijk-journal --example
//! durability [FOLDER]`. Commit latencies of small groups by interface, cost of an append, speed
//! of reading and of recovery. What it prints is of this disk under this load.

use ijk_core::config::{JournalBackend, JournalConfig};
use ijk_core::record::RecordKind;
use ijk_journal::{Durability, FsStorage, Reader, RecoveryMode, Writer, recover};
use std::path::Path;
use std::time::{Duration, Instant};

const COMMITS: usize = 3_000;
const RECORDS: u64 = 1_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let at = std::env::args().nth(1).unwrap_or_else(|| ".".into());
    let root = Path::new(&at).join(format!("ijk-durability-{}", std::process::id()));
    let result = measure(&root);
    std::fs::remove_dir_all(&root)?;
    result
}

fn measure(root: &Path) -> Result<(), Box<dyn std::error::Error>> {
    for backend in [JournalBackend::Plain, JournalBackend::Auto] {
        let dir = root.join(format!("{backend:?}"));
        std::fs::create_dir_all(&dir)?;
        let config = JournalConfig { backend, ..JournalConfig::default() };
        let start = Instant::now();
        let mut writer = Writer::create(&dir, &config, Durability::Strict)?;
        let (name, made) = (writer.storage().backend_name(), start.elapsed());
        let mut times: Vec<Duration> = Vec::with_capacity(COMMITS);
        for i in 0..COMMITS {
            writer.append(i as u64, RecordKind::Order, &[7; 64])?;
            let start = Instant::now();
            writer.commit()?;
            times.push(start.elapsed());
        }
        times.sort_unstable();
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(|q| times[((COMMITS - 1) as f64 * q) as usize]);
        println!("commit {name:<8} p50 {p50:?} p99 {p99:?} max {max:?} (two segments in {made:?})");
    }
    let dir = root.join("long");
    std::fs::create_dir_all(&dir)?;
    let mut writer = Writer::create(&dir, &JournalConfig::default(), Durability::Buffered)?;
    let start = Instant::now();
    for i in 0..RECORDS {
        writer.append(i, RecordKind::Market, &[7; 64])?;
    }
    println!("append {} ns a record", start.elapsed().as_nanos() / u128::from(RECORDS));
    let finished = writer.finish()?;
    let start = Instant::now();
    let mut reader = Reader::open(&dir, RecoveryMode::Strict)?;
    while reader.next()?.is_some() {}
    let s = start.elapsed().as_secs_f64();
    println!("read {RECORDS} records in {s:.3} s, {:.0} MB/s", finished.bytes as f64 / s / 1e6);
    let start = Instant::now();
    let mut storage = FsStorage::new(&dir, JournalBackend::Plain)?;
    let recovered = recover(&mut storage, |_| Ok(()))?;
    println!("recover {} records in {:?}", recovered.next_seq, start.elapsed());
    Ok(())
}
