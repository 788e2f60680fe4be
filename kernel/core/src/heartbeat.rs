//! A number that moves while a thread does: what a watchdog looks at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Shared by the one thread that beats and by whoever watches it.
#[derive(Clone, Debug, Default)]
pub struct Heartbeat(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    count: AtomicU64,
    has_ended: AtomicBool,
}

impl Heartbeat {
    /// Moves on. One thread calls this, at least every tenth of a second, however idle it is.
    #[inline]
    pub fn beat(&self) {
        if !self.0.has_ended.load(Ordering::Relaxed) {
            let count = self.0.count.load(Ordering::Relaxed);
            self.0.count.store(count.wrapping_add(1), Ordering::Relaxed);
        }
    }

    /// Returns how often it has moved. Only whether two answers differ means anything.
    pub fn count(&self) -> u64 {
        self.0.count.load(Ordering::Relaxed)
    }

    /// Stops it for good: a second thread, which does not beat, is gone.
    pub fn end(&self) {
        self.0.has_ended.store(true, Ordering::Relaxed);
    }

    /// Returns a guard that stops it for good when it is dropped, also by a panic.
    pub fn ends_with(&self) -> EndsWith {
        EndsWith(self.clone())
    }
}

/// See [`Heartbeat::ends_with`].
#[derive(Debug)]
pub struct EndsWith(Heartbeat);

impl Drop for EndsWith {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use super::Heartbeat;

    #[test]
    fn it_moves_until_a_guard_is_gone() {
        let beat = Heartbeat::default();
        let watched = beat.clone();
        beat.beat();
        assert_eq!(watched.count(), 1);
        let guard = beat.ends_with();
        beat.beat();
        assert_eq!(watched.count(), 2);
        let thread = std::thread::spawn(move || {
            let _guard = guard;
            panic!("on purpose");
        });
        assert!(thread.join().is_err());
        beat.beat();
        assert_eq!(watched.count(), 2);
    }
}
