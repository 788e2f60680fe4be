//! What a session is driven through: feed, journal, clock. The threads behind them are the
//! runtime's; a simulation puts its own there and drives the same session on one thread.

use super::journal_port::JournalPort;
use super::stages::StageSample;
use ijk_core::record::RecordKind;
use ijk_core::{MarketEvent, RecvTs};
use rtrb::Consumer;
use std::time::{Instant, SystemTime};

/// What a feed has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedState {
    /// A record with this receive time.
    Ready(RecvTs),
    /// Nothing yet.
    Empty,
    /// Nothing any more.
    Ended,
}

/// Market records in order of receive time.
pub trait FeedPort {
    /// Returns what there is.
    fn peek(&mut self) -> FeedState;
    /// Takes the next record.
    fn pop(&mut self) -> Option<MarketEvent>;
    /// Returns how full the way here is, 0 to 1.
    fn fill(&self) -> f64;
}

impl FeedPort for Consumer<MarketEvent> {
    fn peek(&mut self) -> FeedState {
        if let Ok(ev) = Consumer::peek(self) {
            return FeedState::Ready(ev.ts_receive);
        }
        // Abandonment is asked first, emptiness again after it: nothing slips between.
        if self.is_abandoned() && self.is_empty() { FeedState::Ended } else { FeedState::Empty }
    }

    fn pop(&mut self) -> Option<MarketEvent> {
        Consumer::pop(self).ok()
    }

    fn fill(&self) -> f64 {
        self.slots() as f64 / self.buffer().capacity() as f64
    }
}

/// Where records go before anything is done about them.
pub trait JournalSink {
    /// Appends one record; false once the journal is lost.
    #[must_use]
    fn append(&mut self, now: RecvTs, kind: RecordKind, payload: &[u8]) -> bool;
    /// Returns the number of records that are on the device.
    fn durable_seq(&self) -> u64;
    /// Returns the number of records appended.
    fn frames(&self) -> u64;
    /// Returns whether the journal is lost.
    fn has_failed(&self) -> bool;
    /// Takes a stage sample, or drops it.
    fn sample(&mut self, sample: StageSample);
    /// Returns how often an append had to wait, and how many samples were dropped.
    fn losses(&self) -> (u64, u64);
}

impl JournalSink for JournalPort {
    fn append(&mut self, now: RecvTs, kind: RecordKind, payload: &[u8]) -> bool {
        JournalPort::append(self, now, kind, payload)
    }
    fn durable_seq(&self) -> u64 {
        JournalPort::durable_seq(self)
    }
    fn frames(&self) -> u64 {
        JournalPort::frames(self)
    }
    fn has_failed(&self) -> bool {
        JournalPort::has_failed(self)
    }
    fn sample(&mut self, sample: StageSample) {
        JournalPort::sample(self, sample);
    }
    fn losses(&self) -> (u64, u64) {
        (self.stalls, self.samples_dropped)
    }
}

/// What time it is. Only sessions with an outside venue ask; a simulated one lives in the time of
/// its data.
pub trait Clock {
    /// Returns the time; `data` is that of the record at hand, if any.
    fn now(&mut self, data: Option<RecvTs>) -> RecvTs;
    /// Returns whether the clock can be trusted since the last call.
    fn is_sound(&mut self) -> bool;
    /// The data has ended: from now on a second is a second, however fast the data went.
    fn data_ended(&mut self) {}
}

/// The machine's clock, moved to the time of the data: the first record is "now", and time runs
/// `speed` times as fast from there. With a live feed and speed 1 that is the time of day.
#[derive(Debug)]
pub struct DataClock {
    speed: f64,
    step_max_ns: i128,
    anchor: Option<(RecvTs, Instant)>,
    last: Option<(SystemTime, Instant)>,
    last_now: RecvTs,
}

impl DataClock {
    /// Returns a clock; `step_max_ms` is the largest jump of the wall clock against the
    /// monotonic one that is still trusted.
    pub fn new(speed: f64, step_max_ms: u64) -> DataClock {
        let step_max_ns = i128::from(step_max_ms) * 1_000_000;
        DataClock { speed, step_max_ns, anchor: None, last: None, last_now: RecvTs(0) }
    }

    /// Returns a clock for a run without data: it shows `now` at once.
    pub fn at(now: RecvTs, step_max_ms: u64) -> DataClock {
        DataClock { anchor: Some((now, Instant::now())), ..DataClock::new(1.0, step_max_ms) }
    }
}

impl Clock for DataClock {
    fn now(&mut self, data: Option<RecvTs>) -> RecvTs {
        if self.anchor.is_none() {
            self.anchor = data.map(|ts| (ts, Instant::now()));
        }
        let Some((ts, since)) = self.anchor else { return RecvTs(0) };
        let elapsed_ns = since.elapsed().as_nanos() as f64;
        let elapsed_ns = if self.speed.is_finite() { elapsed_ns * self.speed } else { elapsed_ns };
        self.last_now = self.last_now.max(ts.plus_ns(elapsed_ns as u64));
        self.last_now
    }

    fn data_ended(&mut self) {
        self.anchor = self.anchor.map(|_| (self.last_now, Instant::now()));
        self.speed = 1.0;
    }

    fn is_sound(&mut self) -> bool {
        let (wall, steady) = (SystemTime::now(), Instant::now());
        let Some((wall_before, steady_before)) = self.last.replace((wall, steady)) else {
            return true;
        };
        let wall_ns = match wall.duration_since(wall_before) {
            Ok(forward) => forward.as_nanos() as i128,
            Err(backward) => -(backward.duration().as_nanos() as i128),
        };
        let steady_ns = steady.duration_since(steady_before).as_nanos() as i128;
        (wall_ns - steady_ns).abs() <= self.step_max_ns
    }
}
