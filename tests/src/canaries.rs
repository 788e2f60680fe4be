//! Planted bugs: each must be found, by the lab that is there for it, within its budget; and where
//! nothing is planted nothing may be found. A lab that has become blind shows itself here.

use crate::sim::campaign::{self, Order, run_prepared};
use ijk_engine::canary as engine;
use ijk_journal::canary as journal;
use ijk_journal::sim::crash_images;
use ijk_risk::canary as risk;
use ijk_risk::oracle::compare;
use std::collections::BTreeSet;
use std::time::Instant;

/// Crash images a bug of the journal may survive.
const IMAGES: u64 = 20_000;
/// Steps of random streams a bug of the risk gates may survive.
const STEPS: u64 = 60_000;
/// Days a bug may survive.
const DAYS: u64 = 600;
const SEED: u64 = 3;

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// In the journal: for the crash lab.
    Journal(journal::Bug),
    /// In the gates: for the oracle.
    Risk(risk::Bug),
    /// In outbox, order truth or recovery: for simulated days.
    Engine(engine::Bug),
}

impl Bug {
    /// Returns every bug.
    pub fn all() -> Vec<Bug> {
        let journal = journal::Bug::ALL.into_iter().map(Bug::Journal);
        let risk = risk::Bug::ALL.into_iter().map(Bug::Risk);
        let engine = engine::Bug::ALL.into_iter().map(Bug::Engine);
        journal.chain(risk).chain(engine).collect()
    }

    /// Returns the name used in tables.
    pub fn name(self) -> String {
        match self {
            Bug::Journal(bug) => format!("journal/{bug:?}"),
            Bug::Risk(bug) => format!("risk/{bug:?}"),
            Bug::Engine(bug) => format!("engine/{bug:?}"),
        }
    }
}

/// Plants a bug in the calling thread, or digs all out.
pub fn plant(bug: Option<Bug>) {
    journal::set(match bug {
        Some(Bug::Journal(bug)) => Some(bug),
        _ => None,
    });
    risk::set(match bug {
        Some(Bug::Risk(bug)) => Some(bug),
        _ => None,
    });
    engine::set(match bug {
        Some(Bug::Engine(bug)) => Some(bug),
        _ => None,
    });
}

/// What became of one bug.
#[derive(Clone, Debug)]
pub struct Catch {
    /// The bug.
    pub bug: Bug,
    /// How it was found; `None`: it was missed.
    pub found: Option<String>,
    /// How long it lived, seconds.
    pub seconds: f64,
}

fn first_line(text: &str) -> String {
    text.trim().lines().next().unwrap_or("").chars().take(100).collect()
}

fn by_crash_lab() -> Option<String> {
    let report = crash_images(SEED, IMAGES);
    (report.failures > 0).then(|| {
        let first = report.described.first().map(|d| first_line(d)).unwrap_or_default();
        format!("crash lab: {first}")
    })
}

fn by_oracle() -> Option<String> {
    // A bug may also run into an assertion of the gate: that finds it as well.
    match std::panic::catch_unwind(|| compare(SEED, STEPS)) {
        Ok(Ok(_)) => None,
        Ok(Err(what)) => Some(format!("oracle: {}", first_line(&what))),
        Err(_) => Some("oracle: an assertion of the gate".to_string()),
    }
}

/// Lives days with the bug; a day that fails without it proves nothing.
fn by_days(bug: Bug, unsound: &BTreeSet<u64>) -> Option<String> {
    let mut seed = 1;
    while seed <= DAYS {
        let order = Order { stop_at_first: true, ..Order::days(seed, DAYS + 1 - seed) };
        let summary = run_prepared(&order, &|| plant(Some(bug)));
        let proof = summary.failures.iter().find(|f| !unsound.contains(&f.seed));
        if let Some(f) = proof {
            let line = first_line(&f.text);
            return Some(format!("day {}: {}: {line}", f.seed, f.rule));
        }
        // The first failure was one of a day that fails anyway: go on behind it.
        seed = summary.failures.iter().map(|f| f.seed).max()? + 1;
    }
    None
}

/// Looks for every bug. Returns what became of each, and what was found where nothing was planted.
pub fn hunt(wanted: &str) -> (Vec<Catch>, Vec<String>) {
    std::panic::set_hook(Box::new(|_| {})); // panics of planted bugs are findings, not news
    plant(None);
    let clean = campaign::run(&Order::days(1, DAYS));
    let unsound: BTreeSet<u64> = clean.failures.iter().map(|f| f.seed).collect();
    let mut alarms: Vec<String> = clean
        .failures
        .iter()
        .map(|f| format!("day {} without a bug: {}", f.seed, f.rule))
        .collect();
    alarms.extend(by_crash_lab().map(|f| format!("without a bug: {f}")));
    alarms.extend(by_oracle().map(|f| format!("without a bug: {f}")));
    let mut catches = Vec::new();
    for bug in Bug::all().into_iter().filter(|b| b.name().contains(wanted)) {
        let began = Instant::now();
        plant(Some(bug));
        let found = match bug {
            Bug::Journal(_) => by_crash_lab(),
            Bug::Risk(_) => by_oracle(),
            Bug::Engine(_) => None,
        };
        plant(None);
        let found = found.or_else(|| by_days(bug, &unsound));
        let seconds = began.elapsed().as_secs_f64();
        println!("{:<32} {:>7.2} s  {}", bug.name(), seconds, found.as_deref().unwrap_or("MISSED"));
        catches.push(Catch { bug, found, seconds });
    }
    let _ = std::panic::take_hook();
    (catches, alarms)
}
