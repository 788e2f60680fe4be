//! The world under shuttle: many more steps and threads than loom can go through, in random
//! orders; every load returns the last store.

pub mod atomic {
    pub use shuttle::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize};
    pub use std::sync::atomic::Ordering;
}

pub mod sync {
    pub use shuttle::sync::{Condvar, Mutex, MutexGuard};
    pub use std::sync::{Arc, PoisonError};
}

pub mod thread {
    pub use shuttle::thread::{Builder, JoinHandle, spawn, yield_now};
    use std::time::Duration;

    /// The journal thread's pause never ends: being asked must be enough.
    pub fn late() -> bool {
        false
    }

    pub fn park_timeout(_: Duration) {
        yield_now();
    }

    pub fn sleep(_: Duration) {
        yield_now();
    }
}

pub(crate) use crate::still_time as time;

/// The order of touches is loom's business.
#[derive(Debug)]
pub struct Cells;

impl Cells {
    pub fn new(_: usize) -> Cells {
        Cells
    }

    pub fn read(&self, _: usize) {}

    pub fn write(&self, _: usize) {}
}

/// Memory that one thread sets once and another reads; each touch is a step.
pub struct Mark(atomic::AtomicBool);

impl Mark {
    pub fn new() -> Mark {
        Mark(atomic::AtomicBool::new(false))
    }

    pub fn set(&self) {
        self.0.store(true, atomic::Ordering::Relaxed);
    }

    pub fn get(&self) -> bool {
        self.0.load(atomic::Ordering::Relaxed)
    }
}
