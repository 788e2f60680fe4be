//! The world under loom: every order of the threads' steps that its bounds allow, and every value
//! that the memory model lets a load return.

pub mod atomic {
    pub use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize};
    pub use std::sync::atomic::Ordering;
}

pub mod sync {
    pub use loom::sync::{Condvar, Mutex, MutexGuard};
    pub use std::sync::{Arc, PoisonError};
}

pub mod thread {
    pub use loom::thread::{Builder, JoinHandle, spawn};
    use std::cell::Cell;
    use std::time::Duration;

    loom::thread_local! {
        static WAITS: Cell<u32> = Cell::new(0);
    }

    /// Returns whether the longest pause of the journal thread is over: it has waited twice.
    /// Loom lets two threads overwrite each other's flag for ever; the pause ends that.
    pub fn late() -> bool {
        WAITS.with(Cell::get) >= 2
    }

    /// Waits of a thread up to which its orders are gone through. Loom may let two waiting threads
    /// run for ever while a third, ready, is left out: that tree has no end. After so many waits
    /// the threads take fair turns, and the execution ends.
    const WAITS_MAX: u32 = 20;

    pub fn yield_now() {
        let waits = WAITS.with(|waits| waits.replace(waits.get() + 1));
        if waits >= WAITS_MAX {
            loom::skip_branch();
        }
        loom::thread::yield_now();
    }

    pub fn park_timeout(_: Duration) {
        yield_now();
    }

    pub fn sleep(_: Duration) {
        yield_now();
    }
}

pub(crate) use crate::still_time as time;

/// What the threads do to the slots of a ring: a touch that is not ordered after the other
/// thread's last one is a race.
pub struct Cells(Vec<loom::cell::UnsafeCell<()>>);

impl Cells {
    pub fn new(count: usize) -> Cells {
        Cells((0..count).map(|_| loom::cell::UnsafeCell::new(())).collect())
    }

    pub fn read(&self, at: usize) {
        self.0[at].with(|_| ());
    }

    pub fn write(&self, at: usize) {
        self.0[at].with_mut(|_| ());
    }
}

impl std::fmt::Debug for Cells {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} cells", self.0.len())
    }
}

/// Plain memory that one thread sets once and another reads: a read that is not ordered after the
/// setting is a race.
pub struct Mark(loom::cell::UnsafeCell<bool>);

// SAFETY: loom stops the model at the first access that is not ordered.
unsafe impl Sync for Mark {}

impl Mark {
    pub fn new() -> Mark {
        Mark(loom::cell::UnsafeCell::new(false))
    }

    pub fn set(&self) {
        // SAFETY: as above; the threads of a model run one at a time.
        self.0.with_mut(|cell| unsafe { *cell = true });
    }

    pub fn get(&self) -> bool {
        // SAFETY: as above.
        self.0.with(|cell| unsafe { *cell })
    }
}
