//! Interactive Brokers as a source of market records.

use super::capture::{CaptureHeader, CaptureWriter};
use super::clock::{StampClock, machine_ns};
use super::details::{Details, resolve};
use super::lines::plan;
use super::monitor::FeedMonitor;
use super::pulse::{Pulse, PulseTimes};
use super::streams::Streams;
use super::worker::{Line, Worker};
use crate::connection::{ConnectError, Connection, GatewaySettings, connect};
use crate::price_steps::PriceRules;
use ijk_core::config::IbkrClock;
use ijk_core::{
    DepthKind, EventSource, FeedError, FeedErrorKind, Instrument, MarketEvent, RepairCounts,
    Session, Symbol,
};
use rtrb::{Consumer, RingBuffer};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Records between the market data thread and the reader.
const RING_SLOTS: usize = 1 << 14;
/// Difference of gateway and machine that is taken for another day, not for a slow clock.
const APART_NS_MAX: u64 = 60_000_000_000;
/// Looks at an empty ring before the reader rests.
const SPIN_COUNT: u32 = 2_000;
/// Rest of a reader without records.
const REST: Duration = Duration::from_micros(100);

/// Why a feed does not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// No contract.
    #[error(transparent)]
    Details(#[from] crate::contracts::ContractError),
    /// The gateway did not say what time it is.
    #[error("the gateway does not say what time it is: {0}")]
    Time(String),
    /// The gateway lives on another day.
    #[error(
        "the gateway's clock and this machine's are {apart_s} s apart: a simulator needs \
         venue.ibkr.data.clock = \"gateway\""
    )]
    ClockApart {
        /// Distance, seconds.
        apart_s: u64,
    },
    /// Symbols that cannot be one feed.
    #[error("{0}")]
    Symbols(String),
    /// The capture file cannot be made.
    #[error("{path}: cannot write the capture: {text}")]
    Capture {
        /// File of the settings.
        path: String,
        /// What the system said.
        text: String,
    },
    /// The system gives no thread.
    #[error("no thread for market data: {0}")]
    Thread(std::io::Error),
}

/// A live feed. Dropped, it ends its connection.
pub struct IbkrFeed {
    instruments: Vec<Instrument>,
    details: Vec<Details>,
    ring: Option<Consumer<MarketEvent>>,
    thread: Option<JoinHandle<()>>,
    monitor: Arc<FeedMonitor>,
    opened_ns: u64,
}

impl IbkrFeed {
    /// Connects, finds the contracts of `symbols` and starts the market data thread. `speed` is
    /// that of a simulated gateway's clock, 1 for real ones.
    ///
    /// # Errors
    /// [`OpenError`]; nothing is left open then.
    pub fn open(
        settings: &GatewaySettings,
        symbols: &[Symbol],
        speed: f64,
    ) -> Result<IbkrFeed, OpenError> {
        check_symbols(symbols)?;
        let data = &settings.config.data;
        let connection = connect(settings, settings.config.data_client_id)?;
        let mut clock = clock_for(&connection, data.clock, speed)?;
        let opened_ns = clock.now_ns();
        let mut details = Vec::with_capacity(symbols.len());
        let mut rules = PriceRules::default();
        for symbol in symbols {
            let extended = settings.config.outside_rth;
            let client = &connection.client;
            details.push(resolve(client, &mut rules, symbol, opened_ns, extended, settings)?);
        }
        let instruments: Vec<Instrument> = details.iter().map(|d| d.instrument).collect();
        let depth_lines = if data.depth_rows == 0 { 0 } else { data.depth_lines as usize };
        let plans = plan(symbols.len(), depth_lines, data.tick_lines as usize);
        let by_rows: Vec<bool> = plans.iter().map(|p| p.depth).collect();
        let rows = (data.depth_rows as usize).clamp(1, super::rows::ROW_COUNT_MAX);
        let header = CaptureHeader::new(&instruments, &by_rows, rows, data.price_band_fraction);
        let capture =
            match data.capture.as_str() {
                "" => None,
                path => Some(CaptureWriter::create(Path::new(path), &header).map_err(|e| {
                    OpenError::Capture { path: path.to_string(), text: e.to_string() }
                })?),
            };
        let (ring, reader) = RingBuffer::new(RING_SLOTS);
        let monitor = Arc::new(FeedMonitor::default());
        details.iter_mut().filter_map(|d| d.note.take()).for_each(|n| monitor.note(n));
        let times = pulse_times(settings, speed);
        let line = |(details, plan): (&Details, _)| Line {
            details: details.clone(),
            plan,
            pulse: Pulse::new(times),
            streams: Streams::default(),
            depth_at: None,
            ticks_at: None,
        };
        let worker = Worker {
            settings: settings.clone(),
            depth_rows: rows as i32,
            clock,
            converter: header.converter(),
            ring,
            monitor: Arc::clone(&monitor),
            capture,
            lines: details.iter().zip(plans).map(line).collect(),
            end_ns: end_of(&instruments, data.end_after_close_s),
        };
        let named = std::thread::Builder::new().name("ijk-ib-md".to_string());
        let thread = named.spawn(move || worker.run(connection)).map_err(OpenError::Thread)?;
        let (ring, thread) = (Some(reader), Some(thread));
        Ok(IbkrFeed { instruments, details, ring, thread, monitor, opened_ns })
    }

    /// Returns notes and counts of the market data thread, which live on without the feed.
    pub fn monitor(&self) -> Arc<FeedMonitor> {
        Arc::clone(&self.monitor)
    }

    /// Returns the contracts, in the order of the instruments.
    pub fn details(&self) -> &[Details] {
        &self.details
    }

    /// Returns the time of the stamps' clock at the opening, nanoseconds UTC since 1970.
    pub fn opened_ns(&self) -> u64 {
        self.opened_ns
    }

    /// Returns a record if there is one.
    pub fn try_next(&mut self) -> Option<MarketEvent> {
        self.ring.as_mut()?.pop().ok()
    }
}

impl Drop for IbkrFeed {
    fn drop(&mut self) {
        self.ring = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has shown itself already.
            let _ = thread.join();
        }
    }
}

fn check_symbols(symbols: &[Symbol]) -> Result<(), OpenError> {
    let most = ijk_core::limits::INSTRUMENT_COUNT_MAX;
    if symbols.is_empty() || symbols.len() > most {
        return Err(OpenError::Symbols(format!("expected 1 to {most} symbols")));
    }
    for (at, symbol) in symbols.iter().enumerate() {
        if symbols[..at].contains(symbol) {
            return Err(OpenError::Symbols(format!("{symbol} is named twice")));
        }
    }
    Ok(())
}

fn clock_for(
    connection: &Connection,
    clock: IbkrClock,
    speed: f64,
) -> Result<StampClock, OpenError> {
    let told = connection.client.server_time_millis();
    let told = told.map_err(|e| OpenError::Time(e.to_string()))?;
    let gateway_ns = u64::try_from(told.unix_timestamp_nanos()).unwrap_or(0);
    if clock == IbkrClock::Gateway {
        return Ok(StampClock::gateway(gateway_ns, speed));
    }
    let apart_ns = gateway_ns.abs_diff(machine_ns());
    match apart_ns > APART_NS_MAX {
        true => Err(OpenError::ClockApart { apart_s: apart_ns / 1_000_000_000 }),
        false => Ok(StampClock::machine()),
    }
}

fn pulse_times(settings: &GatewaySettings, speed: f64) -> PulseTimes {
    let data = &settings.config.data;
    // Times are those of the stamps, which may run faster than the machine's.
    let ns = |ms: u64| (ms as f64 * 1e6 * speed.max(1.0)) as u64;
    PulseTimes {
        quiet_ns: ns(data.quiet_ms),
        silence_ns: ns(data.silence_ms),
        farm_ns: ns(data.farm_silence_ms),
        retry_min_ns: ns(data.retry_min_ms),
        retry_max_ns: ns(data.retry_max_ms),
    }
}

fn end_of(instruments: &[Instrument], after_s: u64) -> u64 {
    let close = |i: &Instrument| match i.session {
        Session::ALWAYS => u64::MAX,
        session => session.close_ns,
    };
    let last = instruments.iter().map(close).max().unwrap_or(u64::MAX);
    last.saturating_add(after_s.saturating_mul(1_000_000_000))
}

impl EventSource for IbkrFeed {
    fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    fn depth_kind(&self, _: usize) -> DepthKind {
        DepthKind::L2
    }

    /// Waits for a record; `None` after the last session's end.
    fn next_event(&mut self) -> Result<Option<MarketEvent>, FeedError> {
        let mut looks = 0u32;
        loop {
            let Some(ring) = &mut self.ring else { return Ok(None) };
            if let Ok(event) = ring.pop() {
                return Ok(Some(event));
            }
            if ring.is_abandoned() && ring.is_empty() {
                return self.ended();
            }
            looks = looks.saturating_add(1);
            if looks < SPIN_COUNT {
                std::hint::spin_loop();
            } else {
                std::thread::sleep(REST);
            }
        }
    }

    fn repairs(&self) -> RepairCounts {
        let counts = self.monitor.counts();
        RepairCounts { sequence_gaps: counts.out_of_step, ..Default::default() }
    }
}

impl IbkrFeed {
    fn ended(&mut self) -> Result<Option<MarketEvent>, FeedError> {
        self.ring = None;
        match self.thread.take().map(JoinHandle::join) {
            None | Some(Ok(())) => Ok(None),
            Some(Err(_)) => Err(FeedError {
                kind: FeedErrorKind::Io,
                file: "ibkr".to_string(),
                line: 0,
                field: String::new(),
                detail: "the market data thread died".to_string(),
            }),
        }
    }
}
