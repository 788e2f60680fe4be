//! One start of the real kernel: it recovers what the last one left, trades, and ends in one of
//! many ways. The steps of a start are those of the live command.

use super::auditor::{Rule, What};
use super::desk::Desk;
use super::disk::{Disk, SharedDisk};
use super::faults::{Chaos, Fault};
use super::net::{Net, Wire};
use super::ports::{FeedQueue, Journal, SimClock, SimFeed, SimJournal};
use super::scene::Shared;
use ijk_core::config::Config;
use ijk_core::record::{ParentCommand, RecordKind};
use ijk_core::{CarryItem, DepthKind, Instrument, InstrumentId, RecvTs};
use ijk_engine::decision::recovery::{Recovery, Trace, nothing_to_carry};
use ijk_engine::decision::{Kernel, KernelParts};
use ijk_engine::runtime::counters::Counters;
use ijk_engine::runtime::desk::{DESK_SLOTS, DeskOrder};
use ijk_engine::runtime::outbox::Outbox;
use ijk_engine::runtime::pump::PumpShared;
use ijk_engine::runtime::session::{Driver, Session, Step};
use ijk_journal::{Durability, Frame, JournalError, Writer, WriterOptions, recover};
use ijk_risk::TradingState;
use ijk_venue::link::{LinkSettings, LinkVenue};
use rtrb::Producer;
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

/// What outlives every process of a day.
pub struct Machine {
    /// Time, clock, auditor.
    pub scene: Shared,
    /// The wire.
    pub net: Rc<RefCell<Net>>,
    /// Faults of the disk.
    pub disk_chaos: Rc<RefCell<Chaos>>,
    /// Faults of the process.
    pub chaos: Chaos,
    /// Time server and person.
    pub desk: Desk,
    /// Settings.
    pub config: Config,
    /// Instruments.
    pub instruments: Vec<Instrument>,
    /// Account at the broker.
    pub account: [u8; 16],
    /// Number of the last start.
    pub epoch: u32,
    /// Journal of the last run that had taken over what was before it.
    pub last: Option<SharedDisk>,
    /// The kill switch was pulled and not cleared.
    pub latched: bool,
    /// Number of the start that wrote `last`.
    pub last_epoch: u32,
    /// Kills up to this start were cleared by a person.
    pub cleared_epoch: u32,
    /// The journal cannot be used any more.
    pub refused: bool,
    /// File of the counters.
    pub counters_path: std::path::PathBuf,
}

type SimDriver = Driver<LinkVenue<Wire>, SimFeed, SimJournal, SimClock>;

/// A running kernel.
pub struct Process {
    driver: SimDriver,
    /// Its journal.
    pub journal: Rc<RefCell<Journal>>,
    /// The disk of its journal.
    pub disk: SharedDisk,
    /// The way of market records to it.
    pub feed: Rc<RefCell<FeedQueue>>,
    counters: Arc<Counters>,
    desk: Producer<DeskOrder>,
}

/// What a process says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// By instrument.
    pub positions: Vec<i64>,
    /// Orders it does not know the state of.
    pub unknown: usize,
    /// Orders alive.
    pub live: usize,
    /// Reasons not to trade.
    pub blocks: u8,
    /// Reasons not to trade single instruments, all together.
    pub instrument_blocks: u8,
    /// It stopped trading for a reason.
    pub halted: bool,
    /// Accounts were compared since the link came up.
    pub reconciled: bool,
}

/// Bytes of one journal segment here: small, so that segments change often.
const SEGMENT_BYTES: u64 = 96 * 1024;

impl Machine {
    /// Starts a process; `None` where the start failed and may be tried again.
    pub fn start(&mut self, parents: &[ParentCommand]) -> Option<Process> {
        self.epoch += 1; // on the device before anything else
        self.scene.borrow_mut().see(&What::Boot);
        let carry = self.recover()?;
        let disk = Disk::new(&self.disk_chaos, &self.scene);
        let options = WriterOptions {
            durability: Durability::Strict,
            segment_bytes: SEGMENT_BYTES,
            group_bytes: 64 * 1024,
            epoch: self.epoch,
        };
        let writer = Writer::begin(Rc::clone(&disk), options).ok()?;
        let journal = Journal::new(writer, &self.scene, &self.disk_chaos);
        let feed = Rc::new(RefCell::new(FeedQueue::default()));
        let counters = Counters::create(Path::new(&self.counters_path)).ok().map(Arc::new)?;
        if self.latched {
            counters.request_kill();
        }
        let (mut desk, heard) = rtrb::RingBuffer::new(DESK_SLOTS);
        self.desk.process_started();
        let now = self.scene.borrow().now;
        self.desk.speak(now, &self.config.risk, &mut desk);
        let mut session = self.session(parents, carry, &journal, &feed, &counters);
        session.desk = Some(heard);
        let driver = Driver::new(session);
        // The run's journal holds everything before it: from here on it is the one to recover.
        if self.chaos.strikes(Fault::CrashInFlight) {
            disk.borrow_mut().crash();
            return None;
        }
        journal.borrow_mut().commit();
        if journal.borrow().lost.is_some() {
            disk.borrow_mut().crash();
            return None;
        }
        self.last = Some(Rc::clone(&disk));
        self.last_epoch = self.epoch;
        let now = self.scene.borrow().now;
        self.net.borrow_mut().process_started(now);
        Some(Process { driver, journal, disk, feed, counters, desk })
    }

    fn session(
        &self,
        parents: &[ParentCommand],
        carry: Vec<CarryItem>,
        journal: &Rc<RefCell<Journal>>,
        feed: &Rc<RefCell<FeedQueue>>,
        counters: &Arc<Counters>,
    ) -> Session<LinkVenue<Wire>, SimFeed, SimJournal, SimClock> {
        let config = &self.config;
        let depths = vec![DepthKind::L2; self.instruments.len()];
        let kernel = Kernel::new(KernelParts {
            config,
            instruments: &self.instruments,
            depths: &depths,
            encoder: None,
            outside_forecasts: false,
            epoch: self.epoch,
            external_venue: true,
        })
        .expect("the simulator's settings are sound");
        let settings = LinkSettings {
            client_number: 1,
            boot_epoch: self.epoch,
            account: self.account,
            heartbeat_ns: config.venue.heartbeat_ms * 1_000_000,
        };
        let wire = Wire(Rc::clone(&self.net));
        let venue = LinkVenue::new(wire, settings, &self.instruments);
        let clock = self.scene.borrow().clock();
        Session {
            kernel,
            outbox: Outbox::new(venue, &config.venue, &config.risk, &self.instruments),
            feed: SimFeed(Rc::clone(feed)),
            journal: SimJournal(Rc::clone(journal)),
            clock: SimClock(Rc::clone(&self.scene)),
            carry,
            alarms: None,
            desk: None,
            counters: Arc::clone(counters),
            pump: Arc::new(PumpShared::default()),
            parents: parents.iter().filter(|p| p.ts.0 > clock).copied().collect(),
            slots: Vec::new(),
            forecaster: None,
            feed_latency_ns: 0,
            runtime: config.runtime.clone(),
            venue: config.venue.clone(),
        }
    }

    /// Reads the journal of the last run.
    fn recover(&mut self) -> Option<Vec<CarryItem>> {
        let Some(disk) = self.last.clone() else { return Some(nothing_to_carry()) };
        let mut recovery = Recovery::new(&self.config, &self.instruments, 0)
            .expect("the simulator's settings are sound");
        let mut storage = disk;
        match recover(&mut storage, |frame| trace(&mut recovery, frame)) {
            Ok(_) => {}
            Err(error @ JournalError::Corrupt { .. }) => {
                self.refused = true;
                let text = error.to_string();
                self.scene.borrow_mut().accuse(Rule::JournalRefused, text);
                return None;
            }
            Err(_) => return None,
        }
        if !recovery.took_over() {
            self.refused = true;
            let text = "what was taken over is not in the journal".to_string();
            self.scene.borrow_mut().accuse(Rule::JournalRefused, text);
            return None;
        }
        self.latched |= recovery.was_killed() && self.last_epoch > self.cleared_epoch;
        Some(recovery.finish())
    }
}

/// Hands a record of the journal to the recovery.
fn trace(recovery: &mut Recovery, frame: &Frame<'_>) -> Result<(), JournalError> {
    let now = RecvTs(frame.ts);
    macro_rules! hand {
        ($($kind:ident => $trace:ident),*) => {
            match frame.kind {
                $(RecordKind::$kind => recovery.on_trace(now, &Trace::$trace(&frame.read()?)),)*
                _ => {}
            }
        };
    }
    hand!(
        Order => Order, Cancel => Cancel, Report => Report, Link => Link, Snapshot => Snapshot,
        Carry => Carry, Parent => Parent, ParentState => ParentState, Control => Control,
        Request => Request, Alarm => Alarm
    );
    Ok(())
}

impl Process {
    /// Lets the kernel work until it has nothing to do. Returns whether it lives on.
    pub fn work(&mut self, scene: &Shared) -> bool {
        for _ in 0..20_000 {
            match self.driver.step() {
                Step::Worked => scene.borrow_mut().now += 2_000,
                Step::Idle => return true,
                Step::Ended => return false,
            }
        }
        true
    }

    /// Lets the kernel end its day; call until it returns true.
    pub fn wind_up(&mut self) -> bool {
        self.driver.wind_up()
    }

    /// Returns by how much the kernel's time is ahead of its clock: it never runs backwards.
    pub fn lag_ns(&self, scene: &Shared) -> u64 {
        self.driver.now().0.saturating_sub(scene.borrow().clock())
    }

    /// Lets time server and person say what they have to say.
    pub fn hear(&mut self, desk: &mut Desk, now: u64, config: &Config) {
        desk.speak(now, &config.risk, &mut self.desk);
    }

    /// Pulls the kill switch.
    pub fn kill(&self) {
        self.counters.request_kill();
    }

    /// Returns when the kernel next wants to be woken, in true time.
    pub fn next_due(&self, scene: &Shared) -> u64 {
        let scene = scene.borrow();
        let wake = self.driver.kernel().next_deadline().map_or(u64::MAX, |t| {
            t.0.saturating_sub(scene.clock()).saturating_add(scene.now).max(scene.now + 1_000_000)
        });
        wake.min(self.journal.borrow().next_due())
    }

    /// Returns what the kernel says of itself.
    pub fn claim(&self, instruments: usize) -> Claim {
        let kernel = self.driver.kernel();
        let (gate, truth) = (kernel.gate(), kernel.truth());
        let ids = || (0..instruments).map(|i| InstrumentId(i as u16));
        Claim {
            positions: ids().map(|i| gate.position(i).0).collect(),
            unknown: truth.unknown_count(),
            live: truth.live_count(),
            blocks: gate.blocks(),
            instrument_blocks: ids().fold(0, |set, i| set | gate.instrument_blocks(i)),
            halted: gate.state() >= TradingState::Halted,
            reconciled: truth.is_reconciled(),
        }
    }
}
