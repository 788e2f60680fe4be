//! Real processes, really killed: `ijk live` against a broker process, SIGKILL to either at any
//! moment, restart, reconcile, again and again; then the broker's ledger is held against the
//! journals' bytes.
//!
//! A session is a fresh account: some cycles, a last run that ends in order, and the judgement.
//! Everything random follows from the seed, but processes are not simulated: where exactly a kill
//! lands is up to the machine.

pub mod broker;
mod check;
mod journal;
pub mod processes;
pub mod session;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Cycles of one session: the account's day grows with each.
const CYCLES_PER_SESSION: u64 = 20;

/// What a lab run did.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Cycles done.
    pub cycles: u64,
    /// Times the kernel was killed.
    pub kernel_kills: u64,
    /// Times the broker was killed.
    pub broker_kills: u64,
    /// Kills by the operator that were on record when the process was killed, and held.
    pub latches: u64,
    /// Orders that journals held as intents.
    pub intents: u64,
    /// Orders the broker accepted.
    pub orders: u64,
    /// Executions, each known to the kernel exactly once.
    pub executions: u64,
    /// Times an order was declared UNKNOWN.
    pub unknown: u64,
    /// Times an order was found never to have arrived.
    pub never_sent: u64,
    /// Alarms in the journals, by code.
    pub alarms: BTreeMap<u8, u64>,
    /// From the start of a process to the broker's whole account, sorted.
    pub reconciled: Vec<Duration>,
    /// How long it all took.
    pub wall: Duration,
}

impl Report {
    /// Returns the given share of the times from start to reconciled.
    pub fn reconciled_at(&self, share: f64) -> Duration {
        let last = self.reconciled.len().saturating_sub(1);
        self.reconciled.get((share * last as f64) as usize).copied().unwrap_or_default()
    }

    /// Returns the cycles of one second.
    pub fn cycles_per_s(&self) -> f64 {
        self.cycles as f64 / self.wall.as_secs_f64().max(1e-9)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "kill -9: {} cycles in {:.1} s ({:.1}/s): kernel killed {}, broker killed {}, \
             operator's kills held {}",
            self.cycles,
            self.wall.as_secs_f64(),
            self.cycles_per_s(),
            self.kernel_kills,
            self.broker_kills,
            self.latches
        )?;
        writeln!(
            f,
            "  {} intents, {} orders, {} executions; unknown {}, never sent {}; none lost, \
             doubled or invented",
            self.intents, self.orders, self.executions, self.unknown, self.never_sent
        )?;
        let ms = |share| self.reconciled_at(share).as_secs_f64() * 1e3;
        writeln!(
            f,
            "  start to reconciled, {} starts: median {:.0} ms, 99 % {:.0} ms, longest {:.0} ms",
            self.reconciled.len(),
            ms(0.5),
            ms(0.99),
            ms(1.0)
        )
    }
}

/// What must not be, and where its files are.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Seed of the session.
    pub seed: u64,
    /// What was found.
    pub finding: String,
    /// Its processes' files.
    pub folder: PathBuf,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "kill -9: {} (session seed {}, files in {})",
            self.finding,
            self.seed,
            self.folder.display()
        )
    }
}

/// Runs `cycles` cycles.
///
/// # Errors
/// The first [`Failure`]; its folder stays.
///
/// # Panics
/// If the commands do not build or the temporary folder cannot be used.
pub fn run(cycles: u64, seed: u64) -> Result<Report, Failure> {
    let binaries = processes::Binaries::build();
    let mut report = Report::default();
    let began = Instant::now();
    let mut session_seed = seed;
    while report.cycles < cycles {
        let count = CYCLES_PER_SESSION.min(cycles - report.cycles);
        let name = format!("ijk-kill9-{}-{session_seed}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let failed = |finding| Failure { seed: session_seed, finding, folder: folder.clone() };
        session::run(&binaries, &folder, count, session_seed, &mut report).map_err(failed)?;
        std::fs::remove_dir_all(&folder).expect("our own folder can be removed");
        session_seed = session_seed.wrapping_add(1);
    }
    report.reconciled.sort();
    report.wall = began.elapsed();
    Ok(report)
}
