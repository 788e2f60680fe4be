//! The threads of a run: feed, kernel, journal; and what they left.

use super::Account;
use crate::cli::LiveArgs;
use crate::desk::{DeskFolder, ToKernel, tell};
use crate::exit::{self, Exit};
use crate::feeds::Feeds;
use crate::header::Header;
use crate::rehearsal::Rehearsal;
use crate::run_dir::RunDir;
use crate::service::{self, Service};
use crate::{progress, system, time_watch};
use ijk_core::config::RuntimeConfig;
use ijk_core::record::{ParentCommand, RecordKind};
use ijk_core::{
    AlarmRecord, CarryItem, FeedError, Instrument, MarketEvent, RecvTs, RepairCounts, SlotUpdate,
};
use ijk_engine::runtime::counters::Counters;
use ijk_engine::runtime::desk::{DESK_SLOTS, Desk, DeskOrder};
use ijk_engine::runtime::forecaster::Forecaster;
use ijk_engine::runtime::journal_port::{
    self, JournalDone, JournalPort, JournalThread, PortOptions,
};
use ijk_engine::runtime::outbox::Outbox;
use ijk_engine::runtime::ports::DataClock;
use ijk_engine::runtime::pump::{self, PumpOptions, PumpShared};
use ijk_engine::runtime::session::{Driver, Session, SessionDone, SessionError};
use ijk_journal::Durability;
use ijk_venue::Venue;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Alarms that may wait to be shown.
const ALARM_SLOTS: usize = 256;

/// What the threads left.
pub(super) struct Outcome {
    pub(super) done: SessionDone,
    pub(super) repairs: Result<RepairCounts, FeedError>,
    pub(super) shared: Arc<PumpShared>,
    pub(super) written: JournalDone,
    pub(super) cpu_s: f64,
    pub(super) wall_s: f64,
}

/// Everything that is settled before the threads start.
pub(super) struct Plan<'a> {
    pub(super) header: &'a Header,
    pub(super) parents: Vec<ParentCommand>,
    pub(super) slots: Vec<SlotUpdate>,
    /// The encoder on a device; `None`: the core runs it.
    pub(super) forecaster: Option<Box<dyn Forecaster>>,
    pub(super) carry: Vec<CarryItem>,
    pub(super) speed: f64,
    pub(super) account: Option<Account>,
}

impl Plan<'_> {
    /// Starts feed, kernel and journal threads and waits for them.
    pub(super) fn trade<V: Venue + Send + 'static>(
        self,
        venue: V,
        source: Feeds,
        dir: &RunDir,
        args: &LiveArgs,
    ) -> Result<Outcome, Exit> {
        let config = &self.header.config;
        let runtime = &config.runtime;
        let counters = Counters::create(&dir.counters());
        let counters = Arc::new(counters.map_err(|e| Exit::output(&dir.counters(), e))?);
        let (port, journal) = start_journal(self.header, dir, venue.outlives_process())?;
        let (producer, consumer) = rtrb::RingBuffer::new(runtime.feed_ring_slots.max(2));
        let (alarms, heard) = rtrb::RingBuffer::new(ALARM_SLOTS);
        // A service starts held, and so does every restart of it.
        let (to_kernel, desk) = start_desk(args.hold || service::is_managed());
        let mut people = DeskFolder::create(dir.desk())?;
        let shared = Arc::new(PumpShared::default());
        let heartbeats = (journal.heartbeat(), venue.heartbeat());
        let mut service = Service::start(Arc::clone(&counters), heartbeats.0, heartbeats.1);
        let instruments = &self.header.instruments;
        let session = Session {
            kernel: self.header.kernel()?,
            outbox: Outbox::new(venue, &config.venue, &config.risk, instruments),
            feed: consumer,
            journal: port,
            clock: DataClock::new(self.speed, config.venue.clock_step_max_ms),
            carry: self.carry,
            alarms: Some(alarms),
            desk: Some(desk),
            counters,
            pump: Arc::clone(&shared),
            parents: self.parents,
            slots: self.slots,
            forecaster: self.forecaster,
            feed_latency_ns: config.sim.feed_latency_us * 1_000,
            runtime: runtime.clone(),
            venue: config.venue.clone(),
        };
        stop_on_signal(&shared);
        let options = pump_options(runtime, self.speed, args);
        let (cpu_before, began) = (system::cpu_seconds(), Instant::now());
        let mut driver = Driver::new(session);
        let external = self.account.is_some();
        self.account.map_or(Ok(()), |account| take_over(&mut driver, account, dir))?;
        dir.mark_latest();
        let told = Arc::clone(&shared);
        let feed = spawn("ijk-feed", move || pump::run(source, producer, &options, &told))?;
        let kernel = start_kernel(self.header, driver)?;
        let clock = external.then(|| watch_clock(self.header, &to_kernel)).transpose()?;
        watch(&shared, &kernel, heard, instruments, args.json, &mut || {
            people.serve(instruments, &to_kernel);
            service.tick(Instant::now());
        });
        service.stops();
        drop(clock);
        let done = join(kernel).map_err(|e| Exit::new(exit::UNSAFE, e));
        let repairs = join(feed);
        let written = finish_journal(journal)?;
        let cpu_s = system::cpu_seconds() - cpu_before;
        Ok(Outcome {
            done: done?,
            repairs,
            shared,
            written,
            cpu_s,
            wall_s: began.elapsed().as_secs_f64(),
        })
    }
}

fn pump_options(runtime: &RuntimeConfig, speed: f64, args: &LiveArgs) -> PumpOptions {
    PumpOptions {
        speed,
        rows_max: args.events.unwrap_or(u64::MAX),
        overload: runtime.overload,
        wait: runtime.wait,
        core: runtime.feed_core,
    }
}

/// Makes the way to the kernel thread, with a hold on it where the run starts disarmed.
fn start_desk(hold: bool) -> (Arc<ToKernel>, Desk) {
    let (to_kernel, desk) = rtrb::RingBuffer::new(DESK_SLOTS);
    let to_kernel = Arc::new(ToKernel::new(to_kernel));
    if hold {
        tell(&to_kernel, DeskOrder::Hold(true));
    }
    (to_kernel, desk)
}

/// Starts the kernel thread, which rehearses before it runs.
fn start_kernel<V: Venue + Send + 'static>(
    header: &Header,
    driver: LiveDriver<V>,
) -> Result<JoinHandle<Result<SessionDone, SessionError>>, Exit> {
    let encoder = driver.kernel().encoder().cloned();
    let rehearsal = Rehearsal::new(&header.config, encoder);
    spawn("ijk-kernel", move || {
        if let Some(rehearsal) = rehearsal {
            rehearsal.run(driver.kernel().encoder());
        }
        driver.run()
    })
}

/// Starts the comparison of the clock, which ends when the sender is dropped.
fn watch_clock(header: &Header, to: &Arc<ToKernel>) -> Result<Sender<()>, Exit> {
    let (stop, stopped) = std::sync::mpsc::channel();
    let (venue, risk) = (header.config.venue.clone(), header.config.risk.clone());
    let to = Arc::clone(to);
    // Not joined: an answer may take its time, and nothing depends on it any more.
    spawn("ijk-time", move || time_watch::watch(&venue, &risk, &to, &stopped))?;
    Ok(stop)
}

/// Starts the journal with its header record.
pub(super) fn start_journal(
    header: &Header,
    dir: &RunDir,
    strict: bool,
) -> Result<(JournalPort, JournalThread), Exit> {
    let config = &header.config;
    let options = PortOptions {
        samples_path: dir.samples(),
        durability: if strict { Durability::Strict } else { Durability::Buffered },
        epoch: header.epoch.max(1),
        ring_bytes: config.runtime.journal_ring_bytes,
        strategy: config.runtime.wait,
    };
    let (mut port, journal) = journal_port::start(&dir.journal(), &config.journal, options)
        .map_err(|e| Exit::new(exit::UNSAFE, e))?;
    let text = serde_json::to_vec(header).map_err(|e| Exit::new(exit::BUG, e))?;
    if !port.append(RecvTs(0), RecordKind::Header, &text) {
        return Err(Exit::new(exit::UNSAFE, "the journal cannot be written"));
    }
    Ok((port, journal))
}

/// Makes this run the one to recover from, once everything before it is in its journal.
pub(super) fn take_over<V: Venue>(
    driver: &mut LiveDriver<V>,
    mut account: Account,
    dir: &RunDir,
) -> Result<(), Exit> {
    let port = &mut driver.session_mut().journal;
    let records = port.frames();
    if !port.wait_durable(records) {
        return Err(Exit::new(exit::UNSAFE, "the journal cannot be written"));
    }
    account.state.point_at(dir.root())?;
    // The lock goes with the process.
    std::mem::forget(account);
    Ok(())
}

pub(super) type LiveDriver<V> = Driver<V, rtrb::Consumer<MarketEvent>, JournalPort, DataClock>;

fn finish_journal(journal: JournalThread) -> Result<journal_port::JournalDone, Exit> {
    let written = journal.join().map_err(|e| Exit::new(exit::UNSAFE, e))?;
    if let Some(error) = &written.sample_error {
        tracing::warn!("stage samples were not kept: {error}");
    }
    Ok(written)
}

fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Exit> {
    std::thread::Builder::new()
        .name(name.to_string())
        .spawn(body)
        .map_err(|e| Exit::new(exit::UNSAFE, format!("cannot start thread {name}: {e}")))
}

fn join<T>(handle: JoinHandle<T>) -> T {
    match handle.join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// First signal: end the feed, cancel what works, close the journal. Second: the default.
fn stop_on_signal(shared: &Arc<PumpShared>) {
    let shared = Arc::clone(shared);
    let handler = ctrlc::set_handler(move || {
        if shared.stop.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    if let Err(error) = handler {
        tracing::warn!("signals are not handled: {error}");
    }
}

fn watch<T>(
    shared: &PumpShared,
    kernel: &JoinHandle<T>,
    mut alarms: rtrb::Consumer<AlarmRecord>,
    instruments: &[Instrument],
    quiet: bool,
    serve: &mut dyn FnMut(),
) {
    let bar = progress::bar(Some(100), "live", quiet);
    loop {
        let finished = kernel.is_finished();
        while let Ok(alarm) = alarms.pop() {
            bar.suspend(|| show(&alarm, instruments));
        }
        if finished {
            break;
        }
        serve();
        std::thread::sleep(Duration::from_millis(20));
        let total = shared.bytes_total.load(Ordering::Relaxed);
        if let Some(percent) = (100 * shared.bytes_read.load(Ordering::Relaxed)).checked_div(total)
        {
            bar.set_position(percent);
        }
        bar.set_message(format!("{} events", shared.rows.load(Ordering::Relaxed)));
    }
    bar.finish_and_clear();
}

fn show(alarm: &AlarmRecord, instruments: &[Instrument]) {
    let symbol = instruments.get(alarm.instrument.index());
    let symbol = symbol.map_or(String::new(), |i| format!(" {}", i.symbol));
    let order = match alarm.client_order_id.0 {
        0 => String::new(),
        id => format!(" order {id}"),
    };
    let code = alarm.code;
    tracing::error!(
        alarm = code.name(),
        alarm_number = code as u8,
        symbol = symbol.trim_start(),
        order = alarm.client_order_id.0,
        "ALARM {}{symbol}{order}: {} {}",
        code.name(),
        code.cause(),
        code.action()
    );
}
