//! A simulator, a feed on it, and books that follow the feed's records as the kernel's do.

use ijk_core::config::{IbkrClock, IbkrConfig, IbkrDataConfig};
use ijk_core::{EventKind, MarketEvent, RowFlags, Side, Symbol};
use ijk_ibkr::connection::{GatewaySettings, Money};
use ijk_ibkr::market::{IbkrFeed, OpenError};
use ijk_twsim::{Server, SimConfig};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Longest wait for anything, on a machine with much else to do.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A book by the records of a feed.
#[derive(Clone, Debug, Default)]
pub struct Book {
    pub sides: [BTreeMap<i64, i64>; 2],
    pub trusted: bool,
    pub halted: bool,
    pub gaps: u64,
    pub clears: u64,
    pub trades: u64,
    pub alive: u64,
    pub quotes: u64,
}

impl Book {
    pub fn apply(&mut self, ev: &MarketEvent) {
        match ev.kind {
            EventKind::Clear => {
                self.sides.iter_mut().for_each(BTreeMap::clear);
                self.trusted = true;
                self.clears += 1;
            }
            EventKind::Gap => {
                self.trusted = false;
                self.gaps += 1;
            }
            EventKind::LevelSet => {
                let side = &mut self.sides[ev.side as usize];
                match ev.qty.0 {
                    0 => _ = side.remove(&ev.px.0),
                    qty => _ = side.insert(ev.px.0, qty),
                }
            }
            EventKind::Trade => self.trades += 1,
            EventKind::Halt => self.halted = true,
            EventKind::Resume => self.halted = false,
            EventKind::Status => self.alive += 1,
            other => panic!("no {other:?} from this feed"),
        }
        self.quotes += u64::from(ev.kind == EventKind::LevelSet && ev.ends_row());
        assert!(ev.kind != EventKind::LevelSet || ev.flags.0 & !31 == 0 || ev.ends_row());
        assert!(!ev.flags.has(RowFlags::SNAPSHOT) || self.trusted);
    }

    pub fn best(&self, side: Side) -> Option<(i64, i64)> {
        let levels = &self.sides[side as usize];
        let level = match side {
            Side::Bid => levels.last_key_value(),
            Side::Ask => levels.first_key_value(),
        };
        level.map(|(p, q)| (*p, *q))
    }

    /// Whether an order could be priced on it.
    pub fn is_priced(&self) -> bool {
        let both = self.best(Side::Bid).zip(self.best(Side::Ask));
        self.trusted && !self.halted && both.is_some_and(|(b, a)| b.0 < a.0)
    }
}

pub struct Rig {
    pub server: Server,
    pub feed: IbkrFeed,
    pub books: Vec<Book>,
    pub notes: Vec<String>,
    last_ns: u64,
}

pub fn symbol(text: &str) -> Symbol {
    Symbol::new(text).expect("a symbol")
}

pub fn data() -> IbkrDataConfig {
    IbkrDataConfig {
        depth_rows: 0,
        tick_lines: 0,
        quiet_ms: 1_000,
        silence_ms: 4_000,
        farm_silence_ms: 1_500,
        retry_min_ms: 300,
        retry_max_ms: 1_500,
        clock: IbkrClock::Gateway,
        ..IbkrDataConfig::default()
    }
}

pub fn settings(server: &Server, data: IbkrDataConfig) -> GatewaySettings {
    let config = IbkrConfig {
        host: server.addr().ip().to_string(),
        port: server.addr().port(),
        answer_timeout_ms: 2_000,
        backoff_min_ms: 50,
        backoff_max_ms: 500,
        data,
        ..IbkrConfig::default()
    };
    GatewaySettings::new(&config, Money::Paper, 500)
}

pub fn sim(script: &[&str]) -> SimConfig {
    SimConfig { script: script.iter().map(|l| l.to_string()).collect(), ..SimConfig::default() }
}

impl Rig {
    pub fn start(config: SimConfig, data: IbkrDataConfig, symbols: &[&str]) -> Rig {
        Rig::try_start(config, data, symbols).unwrap_or_else(|e| panic!("{e}"))
    }

    pub fn try_start(
        config: SimConfig,
        data: IbkrDataConfig,
        symbols: &[&str],
    ) -> Result<Rig, OpenError> {
        let speed = config.speed;
        let server = Server::start(0, config).expect("a free loopback port");
        let list: Vec<Symbol> = symbols.iter().map(|s| symbol(s)).collect();
        let feed = IbkrFeed::open(&settings(&server, data), &list, speed)?;
        let books = vec![Book::default(); symbols.len()];
        Ok(Rig { server, feed, books, notes: Vec::new(), last_ns: 0 })
    }

    pub fn command(&self, line: &str) {
        self.server.command(line).unwrap_or_else(|e| panic!("{line}: {e}"));
    }

    /// Takes the records there are.
    pub fn drain(&mut self) -> usize {
        let mut count = 0;
        while let Some(ev) = self.feed.try_next() {
            assert!(ev.ts_receive.0 >= self.last_ns, "receive times go on");
            self.last_ns = ev.ts_receive.0;
            self.books[ev.instrument.index()].apply(&ev);
            count += 1;
        }
        self.notes.extend(self.feed.monitor().take_notes());
        count
    }

    /// Waits until `is_so`.
    pub fn until(&mut self, what: &str, is_so: impl Fn(&Rig) -> bool) {
        let end = Instant::now() + PATIENCE;
        loop {
            self.drain();
            if is_so(self) {
                return;
            }
            assert!(Instant::now() < end, "{what}: {:?}\n{:#?}", self.books, self.notes);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Lets time pass.
    pub fn for_ms(&mut self, ms: u64) {
        let end = Instant::now() + Duration::from_millis(ms);
        while Instant::now() < end {
            self.drain();
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn until_priced(&mut self, at: usize) {
        self.until("a price", |r| r.books[at].is_priced());
    }

    pub fn noted(&self, text: &str) -> bool {
        self.notes.iter().any(|n| n.contains(text))
    }
}
