//! One run on the kernel thread: merges feed, venue, outside parents and timers by time, lets the
//! core act, journals every input and output.

mod external;
mod forecast;
mod sink;
mod slots;

use super::alloc::thread_allocations;
use super::counters::{Counter, Counters};
use super::desk::{Desk, DeskOrder};
use super::faults::Faults;
use super::forecaster::{Forecaster, PlaceReport};
use super::outbox::{Outbox, OutboxCounts};
use super::ports::{Clock, FeedPort, FeedState, JournalSink};
use super::pump::PumpShared;
use super::stages::StageClock;
use super::wait::{Waiter, pin};
use crate::decision::{Input, Kernel};
use ijk_core::config::{RuntimeConfig, VenueConfig};
use ijk_core::record::{ControlCommand, ControlKind, ParentCommand, RecordKind};
use ijk_core::{AlarmRecord, Block, CarryItem, MarketEvent, RecvTs, SlotUpdate};
use ijk_risk::TradingState;
use ijk_venue::{Venue, VenueMessage};
use rtrb::Producer;
use sink::Sink;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use zerocopy::IntoBytes;

/// Records on their way from the exchange to the kernel. When it is full the oldest is delivered
/// early and counted: nothing is lost.
const DELAY_SLOTS: usize = 1 << 16;
/// Least time between two timer inputs.
const TIMER_STEP_NS: u64 = 1_000_000;
/// Counters are stored every so many market records.
const PUBLISH_MASK: u64 = 0xff;
/// Rounds without work after which they are stored all the same.
const IDLE_PUBLISH: u64 = 256;
/// How long the end of a run waits for an outside venue to answer the last cancels.
const FINISH_NS: u64 = 10_000_000_000;
/// The clock must be sound for this long before orders pass again.
const CLOCK_QUIET_NS: u64 = 5_000_000_000;
/// Share of the feed's ring above which new orders stop, and below which they pass again.
const OVERLOAD: (f64, f64) = (0.5, 0.25);

/// Why a run cannot go on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The journal thread is gone: nothing may be decided that is not written down.
    #[error("the journal cannot be written any more; trading stopped")]
    JournalLost,
}

/// What a run needs.
pub struct Session<V: Venue, F, J, C> {
    /// The decision core.
    pub kernel: Kernel,
    /// The venue, behind its outbox.
    pub outbox: Outbox<V>,
    /// Market records.
    pub feed: F,
    /// The journal.
    pub journal: J,
    /// The clock, for venues that outlive the process.
    pub clock: C,
    /// What an earlier run left, ending with [`ijk_core::CarryKind::Done`].
    pub carry: Vec<CarryItem>,
    /// Alarms for a person; what does not fit is in the journal all the same.
    pub alarms: Option<Producer<AlarmRecord>>,
    /// What people and watchers outside say while the run is on.
    pub desk: Option<Desk>,
    /// Counters others read.
    pub counters: Arc<Counters>,
    /// What the feed thread tells of itself; published with the counters.
    pub pump: Arc<PumpShared>,
    /// Outside parents, sorted by time.
    pub parents: Vec<ParentCommand>,
    /// What other modalities knew, sorted by time.
    pub slots: Vec<SlotUpdate>,
    /// Who forecasts, for a kernel that was built for outside forecasts.
    pub forecaster: Option<Box<dyn Forecaster>>,
    /// Exchange to kernel, on top of the recorded receive time; simulated venues only.
    pub feed_latency_ns: u64,
    /// Threads and waiting.
    pub runtime: RuntimeConfig,
    /// Outside venue.
    pub venue: VenueConfig,
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
    /// Page faults of the kernel thread between warm-up and the feed's end; `None` as above, or
    /// where the system does not say.
    pub faults_after_warmup: Option<Faults>,
    /// Records delivered before their latency had passed, because the delay line was full.
    pub delay_overflows: u64,
    /// Times the kernel thread waited for the journal.
    pub journal_stalls: u64,
    /// Stage samples dropped.
    pub samples_dropped: u64,
    /// Whether an operator killed the run.
    pub killed: bool,
    /// What the outbox did.
    pub outbox: OutboxCounts,
    /// Where an encoder outside the core ran.
    pub place: Option<PlaceReport>,
    /// Time from the start to the first comparison of accounts, nanoseconds of the machine's
    /// clock; `None` where there was none.
    pub reconciled_ns: Option<u64>,
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// An input was taken.
    Worked,
    /// Nothing to do now.
    Idle,
    /// The feed has ended: close the run.
    Ended,
}

/// What comes next in time.
enum Next {
    Venue(RecvTs),
    Delayed,
    Parent(ParentCommand),
    ParkParent,
    Timer(RecvTs),
    Slot(RecvTs),
    Feed,
    Wait,
    End,
}

/// A session under way.
pub struct Driver<V: Venue, F, J, C> {
    s: Session<V, F, J, C>,
    stage: StageClock,
    delayed: VecDeque<(RecvTs, MarketEvent)>,
    next_parent: usize,
    next_slot: usize,
    /// Parents whose time has come before their instrument had a market.
    parked: Vec<ParentCommand>,
    now: RecvTs,
    last_timer: RecvTs,
    last_feed: RecvTs,
    clock_bad_since: Option<RecvTs>,
    blocked: u8,
    external: bool,
    killed: bool,
    finishing: bool,
    finish_by: RecvTs,
    began: std::time::Instant,
    reconciled_ns: Option<u64>,
    allocs_at_warm_up: Option<u64>,
    /// Page faults at warm-up, then those since.
    faults: Option<Faults>,
    delay_overflows: u64,
}

impl<V: Venue, F: FeedPort, J: JournalSink, C: Clock> Driver<V, F, J, C> {
    /// Takes over what an earlier run left; nothing is asked of the venue yet.
    pub fn new(session: Session<V, F, J, C>) -> Driver<V, F, J, C> {
        let parent_count = session.parents.len();
        let external = session.outbox.outlives_process();
        let mut driver = Driver {
            s: session,
            stage: StageClock::new(),
            delayed: VecDeque::with_capacity(if external { 0 } else { DELAY_SLOTS }),
            next_parent: 0,
            next_slot: 0,
            parked: Vec::with_capacity(parent_count),
            now: RecvTs(0),
            last_timer: RecvTs(0),
            last_feed: RecvTs(0),
            clock_bad_since: None,
            blocked: 0,
            external,
            killed: false,
            finishing: false,
            finish_by: RecvTs(0),
            began: std::time::Instant::now(),
            reconciled_ns: None,
            allocs_at_warm_up: None,
            faults: None,
            delay_overflows: 0,
        };
        for item in std::mem::take(&mut driver.s.carry) {
            driver.input(RecordKind::Carry, item.as_bytes(), &Input::Carry(&item));
        }
        driver.tell_place();
        if external {
            // Until the first record of the feed there is neither data nor a time to go by.
            driver.set_block(Block::Data, true);
            driver.set_block(Block::Clock, true);
        }
        driver
    }

    /// Runs to the end of the feed on the calling thread.
    ///
    /// # Errors
    /// [`SessionError`]: what had been decided until then is in the journal.
    pub fn run(mut self) -> Result<SessionDone, SessionError> {
        pin(self.s.runtime.kernel_core);
        let mut waiter = Waiter::new(self.s.runtime.wait);
        // What stands before the first beat is there for whoever sees it.
        self.publish();
        let mut beats = 0u64;
        loop {
            beats += 1;
            self.s.counters.set(Counter::KernelBeat, beats);
            match self.step() {
                Step::Worked => waiter.reset(),
                Step::Idle => {
                    if beats.is_multiple_of(IDLE_PUBLISH) {
                        self.publish();
                    }
                    waiter.wait();
                }
                Step::Ended => break,
            }
        }
        let allocs = thread_allocations();
        self.faults = self.faults.and_then(|at| Some(Faults::of_thread()?.since(at)));
        while !self.wind_up() {
            beats += 1;
            self.s.counters.set(Counter::KernelBeat, beats);
            waiter.wait();
        }
        self.done(allocs)
    }

    /// Takes at most one input of the feed and everything the venue has said.
    pub fn step(&mut self) -> Step {
        if self.s.journal.has_failed() {
            return Step::Ended;
        }
        self.obey_kill();
        self.obey_desk();
        if self.external {
            return self.step_external();
        }
        match self.next() {
            Next::Venue(t) => self.deliver_reports(t),
            Next::Delayed => self.deliver_delayed(),
            Next::Parent(command) => self.deliver_parent(command),
            Next::ParkParent => self.park_parent(),
            Next::Timer(t) => self.deliver_timer(t),
            Next::Slot(t) => self.deliver_slot(t),
            Next::Feed => self.take_feed(),
            Next::Wait => return Step::Idle,
            Next::End => return Step::Ended,
        }
        Step::Worked
    }

    /// Chooses the earliest of everything pending. Ties go to the venue, then slots, the delayed
    /// feed, parents, timers, and last the exchange itself, so that the order never depends on
    /// threads.
    fn next(&mut self) -> Next {
        let feed = match self.s.feed.peek() {
            FeedState::Ready(ts) => Some(ts),
            FeedState::Ended => None,
            FeedState::Empty => return Next::Wait,
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
        if let Some(t) = self.due_slot(feed)
            && t <= best.0
        {
            best = (t, Next::Slot(t));
        }
        if let Some(t) = self.s.outbox.next_due(self.now)
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
        let Some(ev) = self.s.feed.pop() else { return };
        self.s.outbox.on_market(&ev);
        if self.delayed.len() == DELAY_SLOTS {
            self.delay_overflows += 1;
            self.deliver_delayed();
        }
        self.delayed.push_back((ev.ts_receive.plus_ns(self.s.feed_latency_ns), ev));
    }

    fn deliver_delayed(&mut self) {
        let Some((t, ev)) = self.delayed.pop_front() else { return };
        self.now = self.now.max(t);
        self.deliver_market(&ev);
    }

    fn deliver_market(&mut self, ev: &MarketEvent) {
        self.input(RecordKind::Market, ev.as_bytes(), &Input::Market(ev));
        self.answer_token();
        let records = self.s.kernel.counts().market_records;
        if records & PUBLISH_MASK == 0 {
            self.publish();
        }
        if records == self.s.runtime.warm_up_events {
            // First the faults: reading them allocates.
            self.faults = Faults::of_thread();
            self.allocs_at_warm_up = Some(thread_allocations());
        }
    }

    fn deliver_reports(&mut self, t: RecvTs) {
        self.s.outbox.advance(t);
        let _ = self.deliver_messages(t);
    }

    /// Hands over everything the venue said up to `t`; returns whether there was anything.
    fn deliver_messages(&mut self, t: RecvTs) -> bool {
        let mut any = false;
        while let Some((due, message)) = self.s.outbox.poll(t) {
            any = true;
            self.now = self.now.max(due);
            match &message {
                VenueMessage::Report(report) => {
                    self.input(RecordKind::Report, report.as_bytes(), &Input::Report(report));
                }
                VenueMessage::Link(event) => {
                    self.input(RecordKind::Link, event.as_bytes(), &Input::Link(event));
                }
                VenueMessage::Snapshot(item) => {
                    self.input(RecordKind::Snapshot, item.as_bytes(), &Input::Snapshot(item));
                }
            }
        }
        if any && self.reconciled_ns.is_none() && self.s.kernel.truth().is_reconciled() {
            self.reconciled_ns = Some(self.began.elapsed().as_nanos() as u64);
        }
        any
    }

    fn park_parent(&mut self) {
        self.parked.push(self.s.parents[self.next_parent]);
        self.next_parent += 1;
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
            // First in memory, then on record, then the cancels.
            self.s.outbox.kill(self.now);
            self.control(ControlKind::Kill);
            self.publish();
        }
    }

    /// Takes everything that the desk has said.
    fn obey_desk(&mut self) {
        while let Some(order) = self.s.desk.as_mut().and_then(|desk| desk.pop().ok()) {
            match order {
                DeskOrder::Condition(condition) => {
                    let input = Input::Condition(&condition);
                    self.input(RecordKind::Condition, condition.as_bytes(), &input);
                    self.tell_last_check(Block::Clock);
                }
                DeskOrder::Limits(limits) => {
                    let input = Input::Limits(limits.config());
                    self.input(RecordKind::Limits, limits.text(), &input);
                    self.s.outbox.tighten(limits.config());
                }
                DeskOrder::Hold(hold) => self.set_block(Block::Operator, hold),
            }
            self.publish();
        }
    }

    /// Keeps the last check's view of a block the same as the gate's.
    fn tell_last_check(&mut self, block: Block) {
        let stands = self.s.kernel.gate().blocks() & block.bit() != 0;
        self.s.outbox.on_block(self.now, block, stands);
    }

    /// Writes the input down, then lets the core act on it: an input that is not in the journal
    /// never causes anything.
    fn input(&mut self, kind: RecordKind, payload: &[u8], input: &Input<'_>) {
        if !self.s.journal.append(self.now, kind, payload) {
            return;
        }
        let before = self.s.kernel.gate().state();
        let mut sink = Sink {
            journal: &mut self.s.journal,
            outbox: &mut self.s.outbox,
            counters: &self.s.counters,
            alarms: &mut self.s.alarms,
        };
        self.s.kernel.on_input(self.now, input, &mut sink, &mut self.stage);
        if let Some(sample) = self.stage.take_sample() {
            self.s.journal.sample(sample);
        }
        let state = self.s.kernel.gate().state();
        if state != before && state >= TradingState::Halted {
            self.s.outbox.withdraw_all(self.now);
        }
    }

    /// Ends the run: cancels what works, lets the venue answer, accounts for every parent. Call
    /// until it returns true.
    pub fn wind_up(&mut self) -> bool {
        if !self.finishing {
            self.finishing = true;
            self.s.clock.data_ended();
            self.control(ControlKind::Finish);
            self.finish_by = self.now.plus_ns(FINISH_NS);
        }
        if self.external && !self.s.journal.has_failed() {
            self.now = self.now.max(self.s.clock.now(None));
            self.s.outbox.release(self.now, self.s.journal.durable_seq());
            let _ = self.deliver_messages(self.now);
            if self.s.kernel.next_deadline().is_some_and(|t| t <= self.now)
                && self.now.since_ns(self.last_timer) >= TIMER_STEP_NS
            {
                self.deliver_timer(self.now);
            }
            if !self.s.kernel.is_settled() && self.now < self.finish_by {
                return false;
            }
        } else {
            self.drain_venue();
            self.s.outbox.finish(self.now);
            self.drain_venue();
        }
        self.close_books();
        true
    }

    /// Parents that never had a market, or came after the data's end, are refused on record.
    fn close_books(&mut self) {
        while let Some(&command) = self.parked.first() {
            self.deliver_parent(command);
        }
        while let Some(&command) = self.s.parents.get(self.next_parent) {
            self.deliver_parent(command);
        }
        let end = self.s.kernel.counts();
        let _ = self.s.journal.append(self.now, RecordKind::End, end.as_bytes());
        self.publish();
        let faults = self.faults.unwrap_or_default();
        self.s.counters.set(Counter::MinorFaultsAfterWarmUp, faults.minor);
        self.s.counters.set(Counter::MajorFaultsAfterWarmUp, faults.major);
        self.s.counters.set(Counter::Finished, 1);
        self.s.counters.show();
    }

    fn drain_venue(&mut self) {
        while let Some(t) = self.s.outbox.next_due(self.now) {
            if self.s.journal.has_failed() {
                return;
            }
            self.deliver_reports(t);
        }
    }

    /// Returns the kernel, for a look.
    pub fn kernel(&self) -> &Kernel {
        &self.s.kernel
    }

    /// Returns the session's parts, for the simulation that drives them.
    pub fn session_mut(&mut self) -> &mut Session<V, F, J, C> {
        &mut self.s
    }

    /// Returns the kernel's time.
    pub fn now(&self) -> RecvTs {
        self.now
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
        let (stalls, samples_dropped) = self.s.journal.losses();
        c.set(Counter::JournalStalls, stalls);
        c.set(Counter::FeedStalls, self.s.pump.stalls.load(Ordering::Relaxed));
        c.set(Counter::FeedDropped, self.s.pump.dropped.load(Ordering::Relaxed));
        c.set(Counter::SamplesDropped, samples_dropped);
        c.set(Counter::UnknownOrders, self.s.kernel.truth().unknown_count() as u64);
        c.set(Counter::Blocks, u64::from(gate.blocks()));
        c.set(Counter::OrdersWithdrawn, self.s.outbox.counts().withdrawn);
        c.set(Counter::DelayOverflows, self.delay_overflows);
        if let Some(at) = self.allocs_at_warm_up {
            c.set(Counter::AllocsAfterWarmUp, thread_allocations() - at);
        }
    }

    /// Ends the run; `allocs_at_end` was counted when the feed ended.
    ///
    /// # Errors
    /// [`SessionError`] where the journal was lost.
    pub fn done(self, allocs_at_end: u64) -> Result<SessionDone, SessionError> {
        if self.s.journal.has_failed() {
            return Err(SessionError::JournalLost);
        }
        let (journal_stalls, samples_dropped) = self.s.journal.losses();
        Ok(SessionDone {
            clock: self.stage,
            now: self.now,
            allocs_after_warmup: self.allocs_at_warm_up.map(|at| allocs_at_end - at),
            faults_after_warmup: self.allocs_at_warm_up.and(self.faults),
            delay_overflows: self.delay_overflows,
            journal_stalls,
            samples_dropped,
            killed: self.killed,
            outbox: self.s.outbox.counts(),
            place: self.s.forecaster.as_ref().map(|f| f.report()),
            reconciled_ns: self.reconciled_ns,
            kernel: self.s.kernel,
        })
    }
}
