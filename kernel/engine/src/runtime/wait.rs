//! How a thread waits for its ring, and where it runs.

use ijk_core::config::WaitStrategy;
use std::time::Duration;

/// Spins before the first yield.
const SPIN_COUNT: u32 = 128;
/// Yields before the first sleep.
const YIELD_COUNT: u32 = 64;
/// One sleep of [`WaitStrategy::Park`].
const PARK: Duration = Duration::from_micros(50);

/// One wait; `reset` after each success.
#[derive(Debug)]
pub struct Waiter {
    strategy: WaitStrategy,
    round: u32,
}

impl Waiter {
    /// Returns a waiter for the strategy.
    pub fn new(strategy: WaitStrategy) -> Waiter {
        Waiter { strategy, round: 0 }
    }

    /// Waits a little, longer the more often it was called since the last reset.
    pub fn wait(&mut self) {
        self.round = self.round.saturating_add(1);
        match self.strategy {
            WaitStrategy::Spin => std::hint::spin_loop(),
            _ if self.round <= SPIN_COUNT => std::hint::spin_loop(),
            WaitStrategy::Yield => std::thread::yield_now(),
            WaitStrategy::Park if self.round <= SPIN_COUNT + YIELD_COUNT => {
                std::thread::yield_now();
            }
            WaitStrategy::Park => std::thread::sleep(PARK),
        }
    }

    /// Starts over.
    pub fn reset(&mut self) {
        self.round = 0;
    }
}

/// Pins the calling thread to `core`; a negative number leaves it alone. Returns whether the
/// thread is where it should be.
pub fn pin(core: i32) -> bool {
    match usize::try_from(core) {
        Err(_) => true,
        Ok(id) => core_affinity::set_for_current(core_affinity::CoreId { id }),
    }
}
