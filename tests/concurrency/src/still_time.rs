//! Time that stands still: nothing may be right only because somebody waited long enough.

pub use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub struct Instant;

impl Instant {
    pub fn now() -> Instant {
        Instant
    }

    pub fn elapsed(self) -> Duration {
        Duration::ZERO
    }
}
