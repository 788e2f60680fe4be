//! Seeded sessions of the Interactive Brokers adapter against the gateway simulator: random
//! orders, random faults, and an auditor who knows what really happened.
//!
//! The simulator runs on a clock of its own and the adapter on threads, so a seed repeats what is
//! done and not the moment of each frame: what is checked must hold in any order of them.

mod audit;
mod session;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Sessions at once: they wait most of the time.
const AT_ONCE: u64 = 6;

/// What sessions added up to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Sessions lived.
    pub sessions: u64,
    /// Orders handed to the adapter.
    pub orders: u64,
    /// Executions at the simulator.
    pub executions: u64,
    /// Faults made.
    pub faults: u64,
    /// Orders that were UNKNOWN at some time.
    pub unknown: u64,
    /// Violations, with the seed of their session.
    pub failures: Vec<String>,
}

/// Lives `count` sessions with the seeds from `seed` on.
pub fn run(count: u64, seed: u64) -> Summary {
    let next = AtomicU64::new(0);
    let sum = Mutex::new(Summary::default());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(count) {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        return;
                    }
                    let lived = session::live(seed.wrapping_add(n));
                    let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                    sum.sessions += 1;
                    sum.orders += lived.orders;
                    sum.executions += lived.executions;
                    sum.faults += lived.faults;
                    sum.unknown += lived.unknown;
                    sum.failures.extend(lived.failures);
                }
            });
        }
    });
    sum.into_inner().unwrap_or_else(PoisonError::into_inner)
}
