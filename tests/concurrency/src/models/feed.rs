//! Feed thread and kernel thread around the ring of market records.

use crate::product::ports::{FeedPort, FeedState};
use crate::product::pump::{PumpOptions, PumpShared, run};
use crate::product::rtrb::{Consumer, RingBuffer};
use crate::world::thread::{JoinHandle, spawn, yield_now};
use ijk_core::config::{Overload, WaitStrategy};
use ijk_core::{
    DepthKind, EventKind, EventSource, FeedError, Instrument, InstrumentId, MarketEvent, RecvTs,
    RepairCounts, RowFlags,
};
use std::sync::Arc;
use std::sync::atomic::Ordering;

const RING: usize = 2;

/// Rows `0..count`, one record each.
struct Rows {
    next: u64,
    count: u64,
}

impl EventSource for Rows {
    fn instruments(&self) -> &[Instrument] {
        &[]
    }

    fn depth_kind(&self, _: usize) -> DepthKind {
        DepthKind::L2
    }

    fn next_event(&mut self) -> Result<Option<MarketEvent>, FeedError> {
        if self.next == self.count {
            return Ok(None);
        }
        let mut ev = MarketEvent::new(EventKind::Status, InstrumentId(0));
        ev.row = self.next;
        ev.ts_receive = RecvTs(1 + self.next);
        ev.flags = RowFlags::ROW_END;
        self.next += 1;
        Ok(Some(ev))
    }

    fn repairs(&self) -> RepairCounts {
        RepairCounts::default()
    }
}

fn feed(
    count: u64,
    overload: Overload,
) -> (Arc<PumpShared>, Consumer<MarketEvent>, JoinHandle<()>) {
    let (ring, out) = RingBuffer::new(RING);
    let shared = Arc::new(PumpShared::default());
    let inner = Arc::clone(&shared);
    let options = PumpOptions {
        speed: f64::INFINITY,
        rows_max: u64::MAX,
        overload,
        wait: WaitStrategy::Yield,
        core: -1,
    };
    let thread = spawn(move || {
        assert!(run(Rows { next: 0, count }, ring, &options, &inner).is_ok());
    });
    (shared, out, thread)
}

/// Takes what comes until the feed has ended, as the session does.
fn take_all(out: &mut Consumer<MarketEvent>) -> Vec<MarketEvent> {
    let mut taken = Vec::new();
    loop {
        match FeedPort::peek(out) {
            FeedState::Ready(ts) => {
                let ev = FeedPort::pop(out).expect("what was seen is there");
                assert_eq!(ev.ts_receive, ts);
                taken.push(ev);
            }
            FeedState::Empty => yield_now(),
            FeedState::Ended => return taken,
        }
    }
}

pub fn ended(count: u64) {
    let (shared, mut out, thread) = feed(count, Overload::Block);
    let rows: Vec<u64> = take_all(&mut out).iter().map(|ev| ev.row).collect();
    assert_eq!(rows, (0..count).collect::<Vec<_>>(), "the end comes after the last record");
    thread.join().unwrap();
    assert_eq!(shared.rows.load(Ordering::Relaxed), count);
    assert_eq!(shared.dropped.load(Ordering::Relaxed), 0);
}

pub fn gaps(count: u64) {
    let (shared, mut out, thread) = feed(count, Overload::Gap);
    let taken = take_all(&mut out);
    thread.join().unwrap();
    let (mut next, mut announced, mut rows) = (0, false, 0);
    for ev in &taken {
        if ev.kind == EventKind::Gap {
            announced = true;
            continue;
        }
        assert!(ev.row >= next, "no row comes twice");
        assert!(ev.row == next || announced, "rows {next}..{} are missing", ev.row);
        (next, announced) = (ev.row + 1, false);
        rows += 1;
    }
    assert_eq!(rows + shared.dropped.load(Ordering::Relaxed), count);
}

/// The kernel takes one record and goes away with the ring full.
pub fn kernel_gone(count: u64) {
    let (shared, mut out, thread) = feed(count, Overload::Block);
    loop {
        if let FeedState::Ready(_) = FeedPort::peek(&mut out) {
            break;
        }
        yield_now();
    }
    assert!(FeedPort::pop(&mut out).is_some_and(|ev| ev.row == 0));
    assert!(out.fill() <= 1.0);
    drop(out);
    thread.join().unwrap();
    assert!(shared.rows.load(Ordering::Relaxed) <= count);
}
