//! The market data thread: subscribes, listens, converts, and hands records to the ring.

use super::capture::CaptureWriter;
use super::clock::StampClock;
use super::convert::{Converter, Follow};
use super::details::Details;
use super::input::{Heard, Input};
use super::lines::Plan;
use super::monitor::FeedMonitor;
use super::pulse::{Act, Pulse};
use super::streams::{Streams, Told};
use crate::bucket::Weight;
use crate::codes::{Response, describe};
use crate::connection::{Connection, GatewaySettings, connect};
use ijk_core::MarketEvent;
use rtrb::Producer;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Rest of the thread when nothing came.
const REST: Duration = Duration::from_micros(200);
/// One tick-by-tick request an instrument in so long.
const TICKS_PAUSE: Duration = Duration::from_secs(15);
/// Depth that ended is asked for again after so long.
const DEPTH_PAUSE: Duration = Duration::from_secs(1);
/// Longest wait for a token of the message budget.
const TOKEN_WAIT: Duration = Duration::from_secs(5);

/// One instrument's line.
pub(super) struct Line {
    pub details: Details,
    pub plan: Plan,
    pub pulse: Pulse,
    pub streams: Streams,
    /// When depth, and ticks, may be asked for again.
    pub depth_at: Option<Instant>,
    pub ticks_at: Option<Instant>,
}

/// An open connection with its sign of life.
struct Link {
    connection: Connection,
    up: Arc<AtomicBool>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.up.store(false, Ordering::Relaxed);
        self.connection.client.disconnect();
    }
}

pub(super) struct Worker {
    pub settings: GatewaySettings,
    pub depth_rows: i32,
    pub clock: StampClock,
    pub converter: Converter,
    pub ring: Producer<MarketEvent>,
    pub monitor: Arc<FeedMonitor>,
    pub capture: Option<CaptureWriter>,
    pub lines: Vec<Line>,
    /// The feed ends then.
    pub end_ns: u64,
}

impl Worker {
    /// Works until the feed is dropped or its day is over.
    pub fn run(mut self, first: Connection) {
        let mut link = Some(self.watch(first));
        let mut heard = Vec::new();
        let mut told = Vec::new();
        // The reader learns what time it is before the market speaks.
        for at in 0..self.lines.len() {
            self.act(at, Act::SayAlive);
        }
        while !self.ring.is_abandoned() && self.clock.now_ns() < self.end_ns {
            if link.is_none() {
                link = self.reconnect();
            }
            let Some(open) = &link else { break };
            let mut busy = self.on_notices(open);
            let mut broken = !open.up.load(Ordering::Relaxed);
            for at in 0..self.lines.len() {
                self.lines[at].streams.poll(&mut |h| heard.push(h), &mut |t| told.push(t));
                busy |= !told.is_empty();
                broken |= told.contains(&Told::LinkOver);
                self.hear_all(at, &mut heard);
                self.follow_all(at, &mut told);
                self.keep_alive(at, open);
            }
            self.flush();
            if broken {
                link = None;
                self.lose_all("the connection broke");
            } else if !busy {
                std::thread::sleep(REST);
            }
        }
        if let Some(capture) = &mut self.capture {
            let _ = capture.flush();
        }
    }

    /// Hands what is ready to the ring, and the counts to whoever looks.
    fn flush(&mut self) {
        let ring = &mut self.ring;
        let room = ring.slots();
        self.converter.flush(room, &mut |event| {
            // There is room: it was counted, and nobody else pushes.
            let _ = ring.push(event);
        });
        self.monitor.set_counts(self.converter.counts());
    }

    fn hear_all(&mut self, at: usize, heard: &mut Vec<Heard>) {
        if heard.is_empty() {
            return;
        }
        for what in heard.drain(..) {
            self.hear(at, what);
        }
        self.hear(at, Heard::Settle);
    }

    fn hear(&mut self, at: usize, heard: Heard) {
        let input = Input { at_ns: self.clock.now_ns(), instrument: at as u16, heard };
        if let Some(capture) = &mut self.capture
            && let Err(e) = capture.write(&input)
        {
            self.monitor.note(format!("the capture ends: {e}"));
            self.capture = None;
        }
        let (shorts, con_id) = (&self.settings.shorts, self.lines[at].details.contract.contract_id);
        match heard {
            Heard::Shortable { level } => shorts.set_level(con_id, level),
            Heard::ShortShares { shares } => shorts.set_shares(con_id, shares),
            Heard::Lost => shorts.forget(con_id),
            _ => {}
        }
        let follow = self.converter.on(&input);
        if heard == Heard::Settle {
            self.flush();
        }
        if follow == Follow::DepthAgain {
            self.settings.bucket.count(self.lines[at].streams.close_depth());
            self.lines[at].depth_at = Some(Instant::now() + DEPTH_PAUSE);
            self.note(at, "depth is out of step: it is asked for again");
        }
    }

    fn note(&self, at: usize, text: &str) {
        let symbol = self.lines[at].details.instrument.symbol;
        self.monitor.note(format!("{symbol}: {text}"));
    }

    /// Takes messages that belong to no request.
    fn on_notices(&mut self, link: &Link) -> bool {
        let mut any = false;
        while let Some(notice) = link.connection.notices.try_next() {
            any = true;
            self.settings.obey(notice.code);
            let info = describe(notice.code);
            if info.is_none_or(|i| i.severity > crate::codes::Severity::Info) {
                self.monitor.note(format!("{}: {}", notice.code, notice.message));
            }
            if notice.code == 1_300 {
                link.up.store(false, Ordering::Relaxed);
            }
            for at in 0..self.lines.len() {
                self.on_code(at, notice.code);
            }
        }
        any
    }

    fn on_code(&mut self, at: usize, code: i32) {
        let now = self.clock.now_ns();
        let act = self.lines[at].pulse.on_code(now, code);
        self.act(at, act);
    }

    fn act(&mut self, at: usize, act: Act) {
        match act {
            Act::Nothing | Act::Resubscribe => {}
            Act::SayAlive => {
                self.hear(at, Heard::Alive);
                self.hear(at, Heard::Settle);
            }
            Act::Lose => {
                self.settings.bucket.count(self.lines[at].streams.close());
                self.hear(at, Heard::Lost);
                self.hear(at, Heard::Settle);
            }
        }
    }

    fn follow_all(&mut self, at: usize, told: &mut Vec<Told>) {
        let now = self.clock.now_ns();
        for what in told.drain(..) {
            match what {
                Told::Tick => self.lines[at].pulse.heard(now),
                Told::Notice(code, text) => {
                    self.note(at, &format!("{code}: {text}"));
                    if describe(code).is_some_and(|i| i.response == Response::MarkDelayed) {
                        self.hear(at, Heard::DataKind { kind: 3 });
                        self.hear(at, Heard::Settle);
                    }
                    self.on_code(at, code);
                }
                Told::QuotesOver(code, text) => {
                    self.note(at, &format!("{code}: {text}: its data is void"));
                    let pulse = &mut self.lines[at].pulse;
                    let act = match pulse.on_code(now, code) {
                        Act::Nothing => pulse.ended(now),
                        act => act,
                    };
                    self.act(at, act);
                }
                Told::DepthOver(code, text) => self.depth_over(at, code, &text),
                Told::TicksOver(code, text) => {
                    // Quotes at intervals tell trades too.
                    self.note(at, &format!("{code}: {text}: no tick-by-tick stream"));
                    let line = &mut self.lines[at];
                    (line.plan.trades, line.plan.quotes) = (false, false);
                }
                Told::LinkOver => {}
            }
        }
    }

    fn depth_over(&mut self, at: usize, code: i32, text: &str) {
        let again = matches!(code, 316 | 0);
        self.hear(at, Heard::RowsReset);
        self.hear(at, Heard::Settle);
        if again {
            self.note(at, &format!("{code}: {text}: depth is asked for again"));
            self.lines[at].depth_at = Some(Instant::now() + DEPTH_PAUSE);
            return;
        }
        self.note(at, &format!("{code}: {text}: quotes instead of depth"));
        self.lines[at].plan.depth = false;
        self.converter.use_quotes(at);
        // Quotes were told before and only changes are told again.
        let now = self.clock.now_ns();
        let act = self.lines[at].pulse.on_code(now, 1_101);
        self.act(at, act);
    }

    /// Lets time pass for a stream, and subscribes what is due.
    fn keep_alive(&mut self, at: usize, link: &Link) {
        let now = self.clock.now_ns();
        let act = self.lines[at].pulse.on_time(now);
        if act == Act::Resubscribe {
            self.subscribe(at, link);
            return;
        }
        if act == Act::Lose {
            self.note(at, "silent: its data is void until it speaks again");
        }
        self.act(at, act);
        let instant = Instant::now();
        let line = &mut self.lines[at];
        if !line.pulse.is_live() {
            return;
        }
        if line.depth_at.is_some_and(|t| instant >= t) {
            line.depth_at = None;
            self.open_depth(at, link);
        }
        let line = &self.lines[at];
        if !line.streams.has_ticks() && line.ticks_at.is_some_and(|t| instant >= t) {
            self.open_ticks(at, link);
        }
    }

    fn token(&self) -> bool {
        self.settings.bucket.wait(Weight::Other, TOKEN_WAIT)
    }

    fn subscribe(&mut self, at: usize, link: &Link) {
        self.settings.bucket.count(self.lines[at].streams.close());
        if !self.token() {
            return;
        }
        self.hear(at, Heard::Fresh);
        let now = self.clock.now_ns();
        let line = &mut self.lines[at];
        line.pulse.subscribed(now);
        let client = &link.connection.client;
        if let Err(e) = line.streams.open_quotes(client, &line.details.contract) {
            self.note(at, &format!("quotes: {e}"));
            return;
        }
        self.open_depth(at, link);
        if self.lines[at].ticks_at.is_none_or(|t| Instant::now() >= t) {
            self.open_ticks(at, link);
        }
    }

    fn open_depth(&mut self, at: usize, link: &Link) {
        if !self.lines[at].plan.depth || !self.token() {
            return;
        }
        let line = &mut self.lines[at];
        let client = &link.connection.client;
        let opened = line.streams.open_depth(client, &line.details.contract, self.depth_rows);
        if let Err(e) = opened {
            self.note(at, &format!("depth: {e}"));
        }
    }

    fn open_ticks(&mut self, at: usize, link: &Link) {
        let plan = self.lines[at].plan;
        let wanted = plan.trades || plan.quotes;
        // Asked for too soon after a resubscription they would be refused; then quotes do.
        self.lines[at].ticks_at = wanted.then(|| Instant::now() + TICKS_PAUSE);
        if !wanted || !self.token() || (plan.trades && plan.quotes && !self.token()) {
            return;
        }
        let line = &mut self.lines[at];
        let client = &link.connection.client;
        if let Err(e) = line.streams.open_ticks(client, &line.details.contract, plan) {
            self.note(at, &format!("tick by tick: {e}"));
        }
    }

    fn lose_all(&mut self, why: &str) {
        self.monitor.note(format!("{why}: all data is void"));
        for at in 0..self.lines.len() {
            // Nothing leaves on a connection that is gone.
            self.lines[at].streams.close();
            let now = self.clock.now_ns();
            let act = self.lines[at].pulse.ended(now);
            self.act(at, act);
        }
        self.flush();
    }

    /// Connects again, as long as it takes.
    fn reconnect(&mut self) -> Option<Link> {
        let config = &self.settings.config;
        let longest = Duration::from_millis(config.backoff_max_ms.max(1));
        let mut pause = Duration::from_millis(config.backoff_min_ms.max(1)).min(longest);
        let mut said = String::new();
        while !self.ring.is_abandoned() && self.clock.now_ns() < self.end_ns {
            match connect(&self.settings, self.settings.config.data_client_id) {
                Ok(connection) => {
                    self.monitor.note("connected again".to_string());
                    for line in &mut self.lines {
                        if !line.pulse.is_over() {
                            line.pulse = line.pulse.anew();
                        }
                    }
                    return Some(self.watch(connection));
                }
                Err(e) => {
                    let text = e.to_string();
                    if text != said {
                        self.monitor.note(text.clone());
                        said = text;
                    }
                }
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(longest);
        }
        None
    }

    /// Starts the sign of life of a connection: two questions without an answer end it.
    fn watch(&self, connection: Connection) -> Link {
        let up = Arc::new(AtomicBool::new(true));
        let (flag, client) = (Arc::clone(&up), Arc::downgrade(&connection.client));
        let settings = self.settings.clone();
        let beat = move || {
            let mut missed = 0;
            while flag.load(Ordering::Relaxed) {
                std::thread::sleep(settings.heartbeat);
                let Some(client) = client.upgrade() else { return };
                if settings.bucket.take(Weight::Other) {
                    missed = match client.server_time() {
                        Ok(_) => 0,
                        // Whoever refuses, lives.
                        Err(ibapi::Error::Notice(n)) => {
                            settings.obey(n.code);
                            0
                        }
                        Err(_) => missed + 1,
                    };
                }
                if missed >= 2 {
                    flag.store(false, Ordering::Relaxed);
                }
            }
        };
        let named = std::thread::Builder::new().name("ijk-ib-beat".to_string());
        if named.spawn(beat).is_err() {
            self.monitor.note("no thread for the sign of life".to_string());
        }
        Link { connection, up }
    }
}
