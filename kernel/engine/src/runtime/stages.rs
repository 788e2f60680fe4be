//! Stage times: stamped by the kernel thread, kept in histograms, sampled per decision.

use crate::decision::{Probe, Stage};
use hdrhistogram::Histogram;
use quanta::Clock;

/// Longest time a histogram tells apart, nanoseconds; longer ones count as this.
const MAX_NS: u64 = 10_000_000_000;

/// Stage times of one decision, nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageSample {
    /// The decision.
    pub decision_id: u64,
    /// Time in each stage.
    pub stage_ns: [u32; Stage::COUNT],
    /// From the input's arrival to the last output.
    pub total_ns: u32,
}

impl StageSample {
    /// Bytes of the encoded form.
    pub const BYTES: usize = 8 + 4 * Stage::COUNT + 4;

    /// Encodes little endian.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut out = [0u8; Self::BYTES];
        out[..8].copy_from_slice(&self.decision_id.to_le_bytes());
        for (i, ns) in self.stage_ns.iter().chain([&self.total_ns]).enumerate() {
            out[8 + 4 * i..12 + 4 * i].copy_from_slice(&ns.to_le_bytes());
        }
        out
    }

    /// Decodes what [`StageSample::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> StageSample {
        let word = |i: usize| {
            let at = 8 + 4 * i;
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let mut id = [0u8; 8];
        id.copy_from_slice(&bytes[..8]);
        StageSample {
            decision_id: u64::from_le_bytes(id),
            stage_ns: std::array::from_fn(word),
            total_ns: word(Stage::COUNT),
        }
    }
}

/// The probe of a live run: a TSC stamp per stage boundary.
pub struct StageClock {
    clock: Clock,
    entered: u64,
    last: u64,
    current: StageSample,
    seen: [bool; Stage::COUNT],
    /// Per stage; a stage counts only in inputs that reach it.
    pub stages: [Histogram<u64>; Stage::COUNT],
    /// Inputs that closed no token.
    pub total_event: Histogram<u64>,
    /// Inputs that led to a decision.
    pub total_decision: Histogram<u64>,
    sample: Option<StageSample>,
}

impl StageClock {
    /// Takes the memory of all histograms and calibrates the clock.
    pub fn new() -> StageClock {
        StageClock {
            clock: Clock::new(),
            entered: 0,
            last: 0,
            current: StageSample::default(),
            seen: [false; Stage::COUNT],
            stages: std::array::from_fn(|_| histogram()),
            total_event: histogram(),
            total_decision: histogram(),
            sample: None,
        }
    }

    /// Returns and forgets the sample of the last input, if it led to a decision.
    pub fn take_sample(&mut self) -> Option<StageSample> {
        self.sample.take()
    }
}

impl Default for StageClock {
    fn default() -> Self {
        StageClock::new()
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MAX_NS, 3).expect("Invariant: constant bounds are valid.")
}

fn as_u32(ns: u64) -> u32 {
    u32::try_from(ns).unwrap_or(u32::MAX)
}

impl Probe for StageClock {
    fn enter(&mut self) {
        self.entered = self.clock.raw();
        self.last = self.entered;
        self.current = StageSample::default();
        self.seen = [false; Stage::COUNT];
    }

    fn stamp(&mut self, stage: Stage) {
        let now = self.clock.raw();
        self.current.stage_ns[stage as usize] = as_u32(self.clock.delta_as_nanos(self.last, now));
        self.seen[stage as usize] = true;
        self.last = now;
    }

    fn leave(&mut self, decision_id: u64) {
        let total = self.clock.delta_as_nanos(self.entered, self.clock.raw());
        for (i, histogram) in self.stages.iter_mut().enumerate() {
            if self.seen[i] {
                histogram.saturating_record(u64::from(self.current.stage_ns[i]).max(1));
            }
        }
        if decision_id == 0 {
            self.total_event.saturating_record(total.max(1));
        } else {
            self.total_decision.saturating_record(total.max(1));
            self.current.decision_id = decision_id;
            self.current.total_ns = as_u32(total);
            self.sample = Some(self.current);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_survive_their_encoding() {
        let sample =
            StageSample { decision_id: 9, stage_ns: [1, 2, 3, 4, 5, u32::MAX], total_ns: 77 };
        assert_eq!(StageSample::from_bytes(&sample.to_bytes()), sample);
    }

    #[test]
    fn only_stages_reached_are_counted() {
        let mut clock = StageClock::new();
        clock.enter();
        clock.stamp(Stage::Book);
        clock.leave(0);
        assert_eq!(clock.stages[Stage::Book as usize].len(), 1);
        assert_eq!(clock.stages[Stage::Encoder as usize].len(), 0);
        assert!(clock.take_sample().is_none());
        clock.enter();
        clock.stamp(Stage::Encoder);
        clock.leave(4);
        assert_eq!(clock.take_sample().map(|s| s.decision_id), Some(4));
        assert_eq!((clock.total_event.len(), clock.total_decision.len()), (1, 1));
    }
}
