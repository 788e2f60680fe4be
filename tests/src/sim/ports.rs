//! What the kernel's session is driven through here: feed, journal and clock of the simulated
//! machine.

use super::auditor::What;
use super::broker::MS;
use super::disk::SharedDisk;
use super::faults::{Chaos, Fault};
use super::scene::Shared;
use ijk_core::record::RecordKind;
use ijk_core::{MarketEvent, RecvTs};
use ijk_engine::runtime::ports::{Clock, FeedPort, FeedState, JournalSink};
use ijk_engine::runtime::stages::StageSample;
use ijk_journal::Writer;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Records that fit on the way to the kernel.
pub const FEED_SLOTS: usize = 512;

/// Market records that have arrived.
#[derive(Default)]
pub struct FeedQueue {
    /// Oldest first.
    pub records: VecDeque<MarketEvent>,
    /// Nothing comes any more.
    pub ended: bool,
}

/// The kernel's end of the feed.
pub struct SimFeed(pub Rc<RefCell<FeedQueue>>);

impl FeedPort for SimFeed {
    fn peek(&mut self) -> FeedState {
        let queue = self.0.borrow();
        match queue.records.front() {
            Some(ev) => FeedState::Ready(ev.ts_receive),
            None if queue.ended => FeedState::Ended,
            None => FeedState::Empty,
        }
    }

    fn pop(&mut self) -> Option<MarketEvent> {
        self.0.borrow_mut().records.pop_front()
    }

    fn fill(&self) -> f64 {
        self.0.borrow().records.len() as f64 / FEED_SLOTS as f64
    }
}

/// The clock of the machine.
pub struct SimClock(pub Shared);

impl Clock for SimClock {
    fn now(&mut self, _data: Option<RecvTs>) -> RecvTs {
        RecvTs(self.0.borrow().clock())
    }

    fn is_sound(&mut self) -> bool {
        !std::mem::take(&mut self.0.borrow_mut().clock_jumped)
    }
}

/// The journal of one process: the real writer on the simulated disk; commits take their time.
pub struct Journal {
    writer: Writer<SharedDisk>,
    scene: Shared,
    chaos: Rc<RefCell<Chaos>>,
    commit_at: Option<u64>,
    frames: u64,
    /// Why it is lost.
    pub lost: Option<String>,
}

/// The kernel's end of the journal.
pub struct SimJournal(pub Rc<RefCell<Journal>>);

impl Journal {
    /// Wraps a writer.
    pub fn new(
        writer: Writer<SharedDisk>,
        scene: &Shared,
        chaos: &Rc<RefCell<Chaos>>,
    ) -> Rc<RefCell<Journal>> {
        let frames = writer.next_seq();
        Rc::new(RefCell::new(Journal {
            writer,
            scene: Rc::clone(scene),
            chaos: Rc::clone(chaos),
            commit_at: None,
            frames,
            lost: None,
        }))
    }

    /// Returns when the commit under way is done.
    pub fn next_due(&self) -> u64 {
        self.commit_at.unwrap_or(u64::MAX)
    }

    /// Does the commit that is due.
    pub fn commit(&mut self) {
        self.commit_at = None;
        if self.lost.is_none()
            && let Err(error) = self.writer.commit()
        {
            self.lost = Some(error.to_string());
        }
    }

    fn append(&mut self, now: RecvTs, kind: RecordKind, payload: &[u8]) -> bool {
        if self.lost.is_some() {
            return false;
        }
        if let Err(error) = self.writer.append(now.0, kind, payload) {
            self.lost = Some(error.to_string());
            return false;
        }
        self.frames += 1;
        let what = What::Record { kind: kind as u8, payload: payload.to_vec() };
        self.scene.borrow_mut().see(&what);
        if self.commit_at.is_none() {
            let mut chaos = self.chaos.borrow_mut();
            let mut wait = chaos.rng.range(MS / 20, MS / 2);
            if chaos.strikes(Fault::DiskSlow) {
                wait += chaos.rng.log_range(5 * MS, 2_000 * MS);
            }
            self.commit_at = Some(self.scene.borrow().now + wait);
        }
        true
    }
}

impl JournalSink for SimJournal {
    fn append(&mut self, now: RecvTs, kind: RecordKind, payload: &[u8]) -> bool {
        self.0.borrow_mut().append(now, kind, payload)
    }

    fn durable_seq(&self) -> u64 {
        self.0.borrow().writer.durable_seq()
    }

    fn frames(&self) -> u64 {
        self.0.borrow().frames
    }

    fn has_failed(&self) -> bool {
        self.0.borrow().lost.is_some()
    }

    fn sample(&mut self, _sample: StageSample) {}

    fn losses(&self) -> (u64, u64) {
        (0, 0)
    }
}
