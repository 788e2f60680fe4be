//! One run on the kernel thread: merges feed, venue, outside parents and timers by time, lets the
//! core act, journals every input and output.

use super::alloc::thread_allocations;
use super::counters::{Counter, Counters};
use super::journal_port::JournalPort;
use super::pump::PumpShared;
use super::stages::StageClock;
use super::wait::{Waiter, pin};
use crate::decision::{Input, Kernel, Outputs};
use ijk_core::config::RuntimeConfig;
use ijk_core::record::{
    ControlCommand, ControlKind, DecisionRecord, ParentCommand, ParentRecord, RecordKind,
    RefusalRecord,
};
use ijk_core::{CancelOrder, MarketEvent, NewOrder, RecvTs};
use ijk_risk::Approved;
use ijk_venue::{Venue, VenueMessage};
use rtrb::Consumer;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use zerocopy::IntoBytes;

/// Records on their way from the exchange to the kernel. When it is full the oldest is delivered
/// early and counted: nothing is lost.
const DELAY_SLOTS: usize = 1 << 16;
/// Least virtual time between two timer inputs.
const TIMER_STEP_NS: u64 = 1_000_000;
/// Counters are stored every so many market records.
const PUBLISH_MASK: u64 = 0xff;

/// Why a run cannot go on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The journal thread is gone: nothing may be decided that is not written down.
    #[error("the journal cannot be written any more; trading stopped")]
    JournalLost,
}

/// What a run needs.
pub struct Session<V: Venue> {
    /// The decision core.
    pub kernel: Kernel,
    /// The venue.
    pub venue: V,
    /// Records from the feed thread.
    pub feed: Consumer<MarketEvent>,
    /// The journal.
    pub journal: JournalPort,
    /// Counters others read.
    pub counters: Arc<Counters>,
    /// What the feed thread tells of itself; published with the counters.
    pub pump: Arc<PumpShared>,
    /// Outside parents, sorted by time.
    pub parents: Vec<ParentCommand>,
    /// Exchange to kernel, on top of the recorded receive time.
    pub feed_latency_ns: u64,
    /// Threads and waiting.
    pub runtime: RuntimeConfig,
}

/// What a run left.
pub struct SessionDone {
    /// The core, for its ledger.
    pub kernel: Kernel,
    /// Stage histograms.
    pub clock: StageClock,
    /// Virtual time of the last input.
    pub now: RecvTs,
    /// Allocations of the kernel thread after warm-up; `None` for a run that ended before it.
    pub allocs_after_warmup: Option<u64>,
    /// Records delivered before their latency had passed, because the delay line was full.
    pub delay_overflows: u64,
    /// Times the kernel thread waited for the journal.
    pub journal_stalls: u64,
    /// Stage samples dropped.
    pub samples_dropped: u64,
    /// Whether an operator killed the run.
    pub killed: bool,
}

/// What comes next in time.
enum Next {
    Venue(RecvTs),
    Delayed,
    Parent(ParentCommand),
    ParkParent,
    Timer(RecvTs),
    Feed,
    Wait,
    End,
}

struct Runner<V: Venue> {
    s: Session<V>,
    clock: StageClock,
    delayed: VecDeque<(RecvTs, MarketEvent)>,
    next_parent: usize,
    /// Parents whose time has come before their instrument had a market.
    parked: Vec<ParentCommand>,
    now: RecvTs,
    last_timer: RecvTs,
    feed_ended: bool,
    killed: bool,
    allocs_at_warm_up: Option<u64>,
    delay_overflows: u64,
}

impl<V: Venue> Session<V> {
    /// Runs to the end of the feed on the calling thread.
    ///
    /// # Errors
    /// [`SessionError`]: what had been decided until then is in the journal.
    pub fn run(self) -> Result<SessionDone, SessionError> {
        pin(self.runtime.kernel_core);
        let parent_count = self.parents.len();
        let mut runner = Runner {
            s: self,
            clock: StageClock::new(),
            delayed: VecDeque::with_capacity(DELAY_SLOTS),
            next_parent: 0,
            parked: Vec::with_capacity(parent_count),
            now: RecvTs(0),
            last_timer: RecvTs(0),
            feed_ended: false,
            killed: false,
            allocs_at_warm_up: None,
            delay_overflows: 0,
        };
        runner.run_feed();
        let allocs = thread_allocations();
        runner.finish();
        runner.done(allocs)
    }
}

impl<V: Venue> Runner<V> {
    fn run_feed(&mut self) {
        let mut waiter = Waiter::new(self.s.runtime.wait);
        while !self.s.journal.has_failed() {
            self.obey_kill();
            match self.next() {
                Next::Venue(t) => self.deliver_reports(t),
                Next::Delayed => self.deliver_delayed(),
                Next::Parent(command) => self.deliver_parent(command),
                Next::ParkParent => {
                    self.parked.push(self.s.parents[self.next_parent]);
                    self.next_parent += 1;
                }
                Next::Timer(t) => self.deliver_timer(t),
                Next::Feed => self.take_feed(),
                Next::Wait => {
                    waiter.wait();
                    continue;
                }
                Next::End => break,
            }
            waiter.reset();
        }
    }

    /// Chooses the earliest of everything pending. Ties go to the venue, then the delayed feed,
    /// parents, timers, and last the exchange itself, so that the order never depends on threads.
    fn next(&mut self) -> Next {
        let feed = match self.s.feed.peek() {
            Ok(ev) => Some(ev.ts_receive),
            Err(_) if self.feed_ended => None,
            Err(_) => {
                // Abandonment is asked first, emptiness again after it: nothing slips between.
                self.feed_ended = self.s.feed.is_abandoned() && self.s.feed.is_empty();
                return Next::Wait;
            }
        };
        let mut best = (feed.unwrap_or(RecvTs(u64::MAX)), Next::Feed);
        if feed.is_none() {
            best.1 = Next::End;
        }
        let delayed = self.delayed.front().map(|d| d.0);
        // Parents and timers need a market: they wait for the first record.
        if self.now.0 > 0 && feed.is_some() {
            if let Some(t) = self.s.kernel.next_deadline() {
                let t = t.max(self.last_timer.plus_ns(TIMER_STEP_NS)).max(self.now);
                if t <= best.0 {
                    best = (t, Next::Timer(t));
                }
            }
            best = self.due_parent(best);
        }
        if let Some(t) = delayed
            && t <= best.0
        {
            best = (t, Next::Delayed);
        }
        if let Some(t) = self.s.venue.next_due()
            && t <= best.0
        {
            best = (t, Next::Venue(t));
        }
        best.1
    }

    /// Puts a parent before `best` where one is due: first those that waited for a market, then
    /// the next of the file, which is parked while its instrument has none.
    fn due_parent(&self, best: (RecvTs, Next)) -> (RecvTs, Next) {
        let tradable = |p: &&ParentCommand| self.s.kernel.is_tradable(p.instrument);
        if let Some(p) = self.parked.iter().find(tradable) {
            return (self.now, Next::Parent(*p));
        }
        match self.s.parents.get(self.next_parent) {
            Some(p) if p.ts <= best.0 && tradable(&p) => (p.ts, Next::Parent(*p)),
            Some(p) if p.ts <= self.now => (self.now, Next::ParkParent),
            _ => best,
        }
    }

    fn take_feed(&mut self) {
        let Ok(ev) = self.s.feed.pop() else { return };
        self.s.venue.on_market(&ev);
        if self.delayed.len() == DELAY_SLOTS {
            self.delay_overflows += 1;
            self.deliver_delayed();
        }
        self.delayed.push_back((ev.ts_receive.plus_ns(self.s.feed_latency_ns), ev));
    }

    fn deliver_delayed(&mut self) {
        let Some((t, ev)) = self.delayed.pop_front() else { return };
        self.now = self.now.max(t);
        self.input(RecordKind::Market, ev.as_bytes(), &Input::Market(&ev));
        let records = self.s.kernel.counts().market_records;
        if records & PUBLISH_MASK == 0 {
            self.publish();
        }
        if records == self.s.runtime.warm_up_events {
            self.allocs_at_warm_up = Some(thread_allocations());
        }
    }

    fn deliver_reports(&mut self, t: RecvTs) {
        self.s.venue.advance(t);
        while let Some((due, message)) = self.s.venue.poll(t) {
            let VenueMessage::Report(report) = message else { continue };
            self.now = self.now.max(due);
            self.input(RecordKind::Report, report.as_bytes(), &Input::Report(&report));
        }
    }

    fn deliver_parent(&mut self, command: ParentCommand) {
        match self.parked.iter().position(|p| *p == command) {
            Some(at) => {
                self.parked.remove(at);
            }
            None => self.next_parent += 1,
        }
        self.now = self.now.max(command.ts);
        self.input(RecordKind::Parent, command.as_bytes(), &Input::Parent(&command));
    }

    fn deliver_timer(&mut self, t: RecvTs) {
        self.now = self.now.max(t);
        self.last_timer = self.now;
        self.input(RecordKind::Timer, &[], &Input::Timer);
    }

    fn control(&mut self, kind: ControlKind) {
        let command = ControlCommand::plain(kind);
        self.input(RecordKind::Control, command.as_bytes(), &Input::Control(&command));
    }

    fn obey_kill(&mut self) {
        if !self.killed && self.s.counters.kill_requested() {
            self.killed = true;
            self.control(ControlKind::Kill);
            self.publish();
        }
    }

    /// Writes the input down, then lets the core act on it: an input that is not in the journal
    /// never causes anything.
    fn input(&mut self, kind: RecordKind, payload: &[u8], input: &Input<'_>) {
        if !self.s.journal.append(self.now, kind, payload) {
            return;
        }
        let mut sink = Sink {
            journal: &mut self.s.journal,
            venue: &mut self.s.venue,
            counters: &self.s.counters,
        };
        self.s.kernel.on_input(self.now, input, &mut sink, &mut self.clock);
        if let Some(sample) = self.clock.take_sample() {
            self.s.journal.sample(sample);
        }
    }

    /// Ends the run: cancels what works, lets the venue answer, accounts for every parent.
    fn finish(&mut self) {
        self.control(ControlKind::Finish);
        self.drain_venue();
        self.s.venue.finish(self.now);
        self.drain_venue();
        // Parents that never had a market, or came after the data's end, are refused on record.
        while let Some(&command) = self.parked.first() {
            self.deliver_parent(command);
        }
        while let Some(&command) = self.s.parents.get(self.next_parent) {
            self.deliver_parent(command);
        }
        let end = self.s.kernel.counts();
        let _ = self.s.journal.append(self.now, RecordKind::End, end.as_bytes());
        self.publish();
        self.s.counters.set(Counter::Finished, 1);
    }

    fn drain_venue(&mut self) {
        while let Some(t) = self.s.venue.next_due() {
            if self.s.journal.has_failed() {
                return;
            }
            self.deliver_reports(t);
        }
    }

    fn publish(&self) {
        let counts = self.s.kernel.counts();
        let gate = self.s.kernel.gate();
        let c = &self.s.counters;
        c.set(Counter::NowNs, self.now.0);
        c.set(Counter::MarketRecords, counts.market_records);
        c.set(Counter::Rows, counts.rows);
        c.set(Counter::Tokens, counts.tokens);
        c.set(Counter::Decisions, counts.decisions);
        c.set(Counter::Orders, counts.orders);
        c.set(Counter::Fills, counts.fills);
        c.set(Counter::WorkingOrders, gate.working_count() as u64);
        c.set(Counter::TradingState, gate.state() as u64);
        c.set(Counter::PnlMicroUsd, (gate.pnl_usd() * 1e6) as i64 as u64);
        c.set(Counter::FeesMicroUsd, (gate.fees_usd() * 1e6) as i64 as u64);
        c.set(Counter::JournalFrames, self.s.journal.frames());
        c.set(Counter::JournalStalls, self.s.journal.stalls);
        c.set(Counter::FeedStalls, self.s.pump.stalls.load(Ordering::Relaxed));
        c.set(Counter::FeedDropped, self.s.pump.dropped.load(Ordering::Relaxed));
        c.set(Counter::SamplesDropped, self.s.journal.samples_dropped);
        c.set(Counter::DelayOverflows, self.delay_overflows);
        if let Some(at) = self.allocs_at_warm_up {
            c.set(Counter::AllocsAfterWarmUp, thread_allocations() - at);
        }
    }

    fn done(self, allocs_at_end: u64) -> Result<SessionDone, SessionError> {
        if self.s.journal.has_failed() {
            return Err(SessionError::JournalLost);
        }
        Ok(SessionDone {
            clock: self.clock,
            now: self.now,
            allocs_after_warmup: self.allocs_at_warm_up.map(|at| allocs_at_end - at),
            delay_overflows: self.delay_overflows,
            journal_stalls: self.s.journal.stalls,
            samples_dropped: self.s.journal.samples_dropped,
            killed: self.killed,
            kernel: self.s.kernel,
        })
    }
}

/// Where the core's actions go: into the journal first, then to the venue.
struct Sink<'a, V: Venue> {
    journal: &'a mut JournalPort,
    venue: &'a mut V,
    counters: &'a Counters,
}

impl<V: Venue> Outputs for Sink<'_, V> {
    fn decision(&mut self, now: RecvTs, record: &DecisionRecord) {
        let _ = self.journal.append(now, RecordKind::Decision, record.as_bytes());
    }

    fn order(&mut self, now: RecvTs, order: Approved<NewOrder>) {
        if self.journal.append(now, RecordKind::Order, order.get().as_bytes()) {
            self.venue.submit(now, order);
        }
    }

    fn cancel(&mut self, now: RecvTs, cancel: CancelOrder) {
        // A cancel reduces risk: it leaves even when it cannot be written down.
        let _ = self.journal.append(now, RecordKind::Cancel, cancel.as_bytes());
        self.counters.add(Counter::Cancels, 1);
        self.venue.cancel(now, cancel);
    }

    fn refusal(&mut self, now: RecvTs, record: &RefusalRecord) {
        self.counters.add(Counter::Refusals, 1);
        let _ = self.journal.append(now, RecordKind::Refusal, record.as_bytes());
    }

    fn parent(&mut self, now: RecvTs, record: &ParentRecord) {
        let _ = self.journal.append(now, RecordKind::ParentState, record.as_bytes());
    }
}
