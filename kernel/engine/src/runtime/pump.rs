//! The feed thread: reads a source, paces it, and pushes records into the kernel's ring.

use super::wait::{Waiter, pin};
use ijk_core::config::{Overload, WaitStrategy};
use ijk_core::limits::INSTRUMENT_COUNT_MAX;
use ijk_core::{EventKind, EventSource, FeedError, MarketEvent, RepairCounts, RowFlags};
use rtrb::{Producer, PushError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How the feed thread works.
#[derive(Clone, Debug)]
pub struct PumpOptions {
    /// Data seconds a wall second; infinite is "as fast as it goes".
    pub speed: f64,
    /// Source rows after which it ends.
    pub rows_max: u64,
    /// What to do when the ring is full.
    pub overload: Overload,
    /// How to wait.
    pub wait: WaitStrategy,
    /// Core to run on; negative leaves it to the scheduler.
    pub core: i32,
}

/// What others may see of the feed thread while it runs.
#[derive(Debug, Default)]
pub struct PumpShared {
    /// Set from outside: end after the current row.
    pub stop: AtomicBool,
    /// Times the ring was full.
    pub stalls: AtomicU64,
    /// Records dropped.
    pub dropped: AtomicU64,
    /// Source rows delivered.
    pub rows: AtomicU64,
    /// Bytes read of the source, and bytes in all; 0 where unknown.
    pub bytes_read: AtomicU64,
    /// See `bytes_read`.
    pub bytes_total: AtomicU64,
}

/// Reads `source` to its end. Returns what was repaired.
///
/// # Errors
/// The source's first error; everything before it has been delivered.
pub fn run(
    mut source: impl EventSource,
    ring: Producer<MarketEvent>,
    options: &PumpOptions,
    shared: &Arc<PumpShared>,
) -> Result<RepairCounts, FeedError> {
    pin(options.core);
    let mut pusher = Pusher {
        ring,
        shared: Arc::clone(shared),
        overload: options.overload,
        wait: options.wait,
        lost: [false; INSTRUMENT_COUNT_MAX],
    };
    let mut pace = Pace { speed: options.speed, start: None };
    let mut rows = 0u64;
    while rows < options.rows_max {
        let Some(ev) = source.next_event()? else { break };
        pace.wait_for(ev.ts_receive.0);
        if !pusher.push(ev) {
            break;
        }
        if ev.ends_row() {
            rows += 1;
            if rows.is_multiple_of(1_024) {
                shared.rows.store(rows, Ordering::Relaxed);
                if let Some((read, total)) = source.progress() {
                    shared.bytes_read.store(read, Ordering::Relaxed);
                    shared.bytes_total.store(total, Ordering::Relaxed);
                }
            }
        }
        // A live feed may have no rows for hours; what says only that it lives stands alone.
        let stands_alone = ev.ends_row() || ev.kind == EventKind::Status;
        if stands_alone && shared.stop.load(Ordering::Relaxed) {
            break;
        }
    }
    shared.rows.store(rows, Ordering::Relaxed);
    Ok(source.repairs())
}

/// Holds records back until their time has come.
struct Pace {
    speed: f64,
    start: Option<(u64, Instant)>,
}

impl Pace {
    fn wait_for(&mut self, ts_ns: u64) {
        if !self.speed.is_finite() {
            return;
        }
        let (first_ns, began) = *self.start.get_or_insert_with(|| (ts_ns, Instant::now()));
        let due = Duration::from_nanos((ts_ns.saturating_sub(first_ns) as f64 / self.speed) as u64);
        if let Some(rest) = due.checked_sub(began.elapsed()) {
            std::thread::sleep(rest);
        }
    }
}

/// The ring with its overload policy.
struct Pusher {
    ring: Producer<MarketEvent>,
    shared: Arc<PumpShared>,
    overload: Overload,
    wait: WaitStrategy,
    /// Instruments with dropped records that no `Gap` has announced yet.
    lost: [bool; INSTRUMENT_COUNT_MAX],
}

impl Pusher {
    /// Returns false once the kernel is gone.
    fn push(&mut self, ev: MarketEvent) -> bool {
        if self.ring.is_abandoned() {
            return false;
        }
        match self.overload {
            Overload::Block => self.push_waiting(ev),
            Overload::Gap => {
                self.push_or_drop(ev);
                true
            }
        }
    }

    fn push_waiting(&mut self, ev: MarketEvent) -> bool {
        let mut ev = ev;
        let mut waiter = Waiter::new(self.wait);
        loop {
            match self.ring.push(ev) {
                Ok(()) => return true,
                Err(PushError::Full(back)) => ev = back,
            }
            if self.ring.is_abandoned() {
                return false;
            }
            self.shared.stalls.fetch_add(1, Ordering::Relaxed);
            waiter.wait();
        }
    }

    fn push_or_drop(&mut self, ev: MarketEvent) {
        let lost = &mut self.lost[ev.instrument.index()];
        if *lost {
            let mut gap = MarketEvent::new(EventKind::Gap, ev.instrument);
            gap.ts_exchange = ev.ts_exchange;
            gap.ts_receive = ev.ts_receive;
            gap.row = ev.row;
            gap.flags = RowFlags::DERIVED;
            if self.ring.push(gap).is_err() {
                self.shared.dropped.fetch_add(1, Ordering::Relaxed);
                return;
            }
            *lost = false;
        }
        if self.ring.push(ev).is_err() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            self.lost[ev.instrument.index()] = true;
        }
    }
}

/// Returns a record that ends nothing and changes nothing, for tests of the ring.
#[cfg(test)]
fn status(row: u64, ts: u64) -> MarketEvent {
    let mut ev = MarketEvent::new(EventKind::Status, ijk_core::InstrumentId(0));
    ev.row = row;
    ev.ts_receive = ijk_core::RecvTs(ts);
    ev.flags = RowFlags::ROW_END;
    ev
}

#[cfg(test)]
mod tests {
    use super::*;
    use ijk_core::{DepthKind, Instrument};
    use rtrb::RingBuffer;

    struct Rows(u64);

    impl EventSource for Rows {
        fn instruments(&self) -> &[Instrument] {
            &[]
        }
        fn depth_kind(&self, _: usize) -> DepthKind {
            DepthKind::L2
        }
        fn next_event(&mut self) -> Result<Option<MarketEvent>, FeedError> {
            self.0 += 1;
            Ok((self.0 <= 100).then(|| status(self.0 - 1, self.0)))
        }
        fn repairs(&self) -> RepairCounts {
            RepairCounts::default()
        }
    }

    fn options(overload: Overload) -> PumpOptions {
        PumpOptions {
            speed: f64::INFINITY,
            rows_max: u64::MAX,
            overload,
            wait: WaitStrategy::Park,
            core: -1,
        }
    }

    #[test]
    fn blocking_delivers_every_record_in_order() {
        let (producer, mut consumer) = RingBuffer::new(4);
        let shared = Arc::new(PumpShared::default());
        let inner = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            run(Rows(0), producer, &options(Overload::Block), &inner).map(|_| ())
        });
        let mut rows = Vec::new();
        while rows.len() < 100 {
            match consumer.pop() {
                Ok(ev) => rows.push(ev.row),
                Err(_) => std::thread::yield_now(),
            }
        }
        assert_eq!(rows, (0..100).collect::<Vec<_>>());
        assert_eq!(thread.join().unwrap(), Ok(()));
        assert_eq!(shared.dropped.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn dropping_counts_and_announces_the_gap() {
        let (producer, mut consumer) = RingBuffer::new(4);
        let shared = Arc::new(PumpShared::default());
        let mut pusher = Pusher {
            ring: producer,
            shared: Arc::clone(&shared),
            overload: Overload::Gap,
            wait: WaitStrategy::Yield,
            lost: [false; INSTRUMENT_COUNT_MAX],
        };
        (0..6).for_each(|row| assert!(pusher.push(status(row, row))));
        assert_eq!(shared.dropped.load(Ordering::Relaxed), 2);
        while consumer.pop().is_ok() {}
        assert!(pusher.push(status(6, 6)));
        assert_eq!(consumer.pop().map(|e| e.kind), Ok(EventKind::Gap));
        assert_eq!(consumer.pop().map(|e| e.row), Ok(6));
    }

    #[test]
    fn ends_after_the_rows_asked_for() {
        let (producer, mut consumer) = RingBuffer::new(256);
        let shared = Arc::new(PumpShared::default());
        let mut limited = options(Overload::Block);
        limited.rows_max = 7;
        assert!(run(Rows(0), producer, &limited, &shared).is_ok());
        assert_eq!(std::iter::from_fn(|| consumer.pop().ok()).count(), 7);
    }
}
