//! The hard cap on orders a second.

use crate::RiskCode;
use ijk_core::RecvTs;

/// Largest cap kept.
const CAP_MAX: usize = 4_096;
const SECOND_NS: u64 = 1_000_000_000;

/// At most twice what the first gate lets pass in a second, in any second: orders that waited
/// for the journal may leave closer together than they were approved.
#[derive(Debug)]
pub(super) struct HardRate {
    /// Times of the last orders, the oldest at `oldest` once it is full.
    times: Vec<u64>,
    oldest: usize,
    cap: usize,
}

impl HardRate {
    pub(super) fn new(per_s: u32, burst: u32) -> HardRate {
        let cap = cap(per_s, burst);
        HardRate { times: Vec::with_capacity(cap), oldest: 0, cap }
    }

    /// Takes over a lower cap; the latest orders stay counted.
    pub(super) fn tighten(&mut self, per_s: u32, burst: u32) {
        let lower = cap(per_s, burst);
        if lower >= self.cap {
            return;
        }
        self.times.rotate_left(self.oldest);
        self.times.drain(..self.times.len().saturating_sub(lower));
        (self.oldest, self.cap) = (0, lower);
    }

    pub(super) fn check(&self, now: RecvTs) -> Result<(), RiskCode> {
        let full = self.times.len() >= self.cap;
        match self.times.get(self.oldest) {
            Some(time) if full && now.0.saturating_sub(*time) >= SECOND_NS => Ok(()),
            _ if full => Err(RiskCode::MessageRate),
            _ => Ok(()),
        }
    }

    pub(super) fn count(&mut self, now: RecvTs) {
        if self.times.len() < self.cap {
            self.times.push(now.0);
        } else {
            self.times[self.oldest] = now.0;
            self.oldest = (self.oldest + 1) % self.cap;
        }
    }
}

fn cap(per_s: u32, burst: u32) -> usize {
    if per_s == 0 || burst == 0 {
        return 0;
    }
    (per_s.saturating_add(burst).saturating_mul(2) as usize).min(CAP_MAX)
}
