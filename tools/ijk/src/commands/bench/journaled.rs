//! What the journal costs the kernel thread: passes over the same records with and without it, by
//! turns, the journal's own thread and file beside them as in a session.

use super::Rows;
use super::measure::{Result1, pass, same};
use super::trading::Trading;
use crate::exit::Exit;
use hdrhistogram::Histogram;
use ijk_core::Config;
use ijk_core::config::{JournalConfig, RuntimeConfig};
use ijk_engine::runtime::journal_port::{self, JournalPort, JournalThread, PortOptions};
use ijk_journal::Durability;
use quanta::Clock;
use serde_json::{Value, json};
use std::path::Path;

/// Passes of each kind.
const TURNS: usize = 9;
/// Records of a pass.
const RECORDS_MAX: usize = 100_000;
const NAMES: [&str; 2] = ["kernel.journal_off", "kernel.journal_on"];

/// Both rows, and their ratios.
pub struct Journaled {
    /// Times of a record without and with the journal, all passes together; `cpu_best` is the
    /// least mean of a pass.
    pub results: [Result1; 2],
    /// On over off: medians over the passes of their p50 and their p99, and what the journal
    /// thread took in.
    pub ratio: Value,
}

/// Times the kernel thread's record (without the ensemble) with the journal on and off. On, each
/// record and all that follows from it is copied into the ring of the journal thread before it is
/// acted on; that thread frames, checks, hashes and writes it to a file meanwhile.
///
/// # Errors
/// 2 where no journal can be written, 70 where the journal changed what the kernel did.
pub fn journaled(rows: &Rows) -> Result<Journaled, Exit> {
    let records = &rows.records[..rows.records.len().min(RECORDS_MAX)];
    let dir = std::env::temp_dir().join(format!("ijk-bench-on-{}", std::process::id()));
    let (config, clock) = (Config::default(), Clock::new());
    let mut kinds = [Kind::default(), Kind::default()];
    let mut answer = None;
    let (port, thread) = journal(&dir)?;
    let mut port = Some(port);
    let mut stalls = 0;
    // The first two passes only touch the ring and everything else for the first time.
    for turn in 0..2 * (TURNS + 1) {
        let on = turn % 2 == 1;
        let mut trading = Trading::new(&config, &rows.instruments, &rows.depths, None)?;
        trading.keep(if on { port.take() } else { None });
        let take = |t: &mut Trading, i: usize| t.take(&records[i]);
        let settle = |t: &mut Trading, i: usize| t.settle(&records[i]);
        let [times, _] = pass(&clock, records.len(), &mut trading, take, settle);
        if turn >= 2 {
            kinds[turn % 2].add(&times);
        }
        let found = trading.answer();
        same(NAMES[turn % 2], *answer.get_or_insert(found), found)?;
        if on {
            port = trading.give_back();
            stalls = port.as_ref().map_or(0, |port| port.stalls);
        }
    }
    drop(port);
    let written = thread.join().map_err(|e| Exit::output(&dir, e))?.records;
    let _ = std::fs::remove_dir_all(&dir);
    let answer = answer.unwrap_or_default();
    let [off, on] = &mut kinds;
    let over = |a: f64, b: f64| a / b.max(1.0);
    let ratio = json!({
        "p50": over(median(&mut on.p50), median(&mut off.p50)),
        "p99": over(median(&mut on.p99), median(&mut off.p99)),
        "passes_each": TURNS,
        "journal_records": written,
        "ring_full": stalls,
    });
    let [off, on] = kinds;
    let result = |name, k: Kind| Result1::of_times(name, k.all, k.best, answer);
    Ok(Journaled { results: [result(NAMES[0], off), result(NAMES[1], on)], ratio })
}

/// What passes of one kind measured.
struct Kind {
    all: Histogram<u64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    best: f64,
}

impl Default for Kind {
    fn default() -> Kind {
        Kind { all: super::measure::times(), p50: Vec::new(), p99: Vec::new(), best: f64::INFINITY }
    }
}

impl Kind {
    fn add(&mut self, times: &Histogram<u64>) {
        self.all.add(times).expect("Invariant: the same bounds.");
        self.p50.push(times.value_at_quantile(0.5) as f64);
        self.p99.push(times.value_at_quantile(0.99) as f64);
        self.best = self.best.min(times.mean());
    }
}

fn journal(dir: &Path) -> Result<(JournalPort, JournalThread), Exit> {
    let _ = std::fs::remove_dir_all(dir);
    std::fs::create_dir_all(dir).map_err(|e| Exit::output(dir, e))?;
    let runtime = RuntimeConfig::default();
    let options = PortOptions {
        samples_path: dir.join("samples"),
        durability: Durability::Buffered,
        epoch: 1,
        ring_bytes: runtime.journal_ring_bytes,
        strategy: runtime.wait,
    };
    journal_port::start(dir, &JournalConfig::default(), options).map_err(|e| Exit::output(dir, e))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
