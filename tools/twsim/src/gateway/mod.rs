//! The gateway without sockets and clocks: requests and times in, bytes out.
//!
//! Everything that happens is ordered by simulated time: events of the feed, arrivals of orders,
//! reports, faults of the script. [`Gateway::advance`] lets it happen; [`Gateway::request`]
//! answers a client; [`Gateway::take_output`] gives what its socket is to send. Same settings,
//! same calls: same bytes.

mod accounts;
mod aside;
mod bars;
mod command;
pub mod conn;
mod depth;
mod details;
mod dispatch;
mod exec;
mod faults;
mod history;
mod matching;
mod news;
mod optionreq;
mod orderreq;
mod query;
mod quotes;
mod script;
mod session;
mod subs;
mod tell;
mod ticks;
mod truth;

pub use conn::Output;
pub use truth::{TruthExec, TruthOrder};

use crate::config::{SetupError, SimConfig};
use crate::contracts::Universe;
use crate::market::Market;
use crate::market::past::Past;
use crate::num::Shares;
use crate::orders::OrderBook;
use crate::proto::ErrorMessage;
use crate::time::SECOND;
use crate::{account::Account, codes, wire};
use conn::Conn;
use faults::Faults;
use ijk_core::EventSource;
use ijk_data::FeedSpec;
use script::Script;
use std::collections::BTreeMap;

/// Names one connection.
pub type ConnId = u64;

/// Something that happens at a time of its own.
#[derive(Clone, Debug)]
enum Timer {
    /// An order reaches the exchange.
    Arrive(i64),
    /// The first word about an order.
    Acknowledge(i64),
    /// Shares to borrow were found.
    Located(i64),
    /// An order is put aside.
    PutAside(i64),
    /// An order put aside comes back to life.
    Revive(i64),
    /// A cancel reaches the exchange.
    CancelArrives(i64),
    /// A good-till-date order ends.
    Expire(i64),
    /// Commission of an execution.
    Commission(usize),
    /// An execution is told again at another price.
    Correct(usize),
    /// Quotes of a stream.
    Quotes(ConnId, i32),
    /// Every second: bars, results, summaries.
    Second,
    /// A line of the script.
    Line(usize),
    /// The gateway is up again after a restart.
    Up,
}

/// A simulated TWS or IB Gateway.
pub struct Gateway {
    config: SimConfig,
    start_ns: u64,
    now_ns: u64,
    universe: Universe,
    market: Market,
    pasts: Vec<Past>,
    orders: OrderBook,
    account: Account,
    conns: BTreeMap<ConnId, Conn>,
    conn_count: u64,
    timers: BTreeMap<(u64, u64), Timer>,
    timer_count: u64,
    faults: Faults,
    script: Script,
    exec_count: u64,
    message_times: std::collections::VecDeque<u64>,
}

impl Gateway {
    /// Opens the feed and the script of `config`.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn new(config: SimConfig) -> Result<Gateway, SetupError> {
        Gateway::open_at(config, None)
    }

    /// As [`Gateway::new`], with the feed moved so that it begins at `start_ns`.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn open_at(config: SimConfig, start_ns: Option<u64>) -> Result<Gateway, SetupError> {
        let default = FeedSpec::Synth { seed: None, minutes: None, symbols: Some(5) };
        let spec = config.feed.clone().unwrap_or(default);
        let source = ijk_data::open_feed(&spec, config.seed)
            .map_err(|e| SetupError::Feed { text: e.to_string() })?;
        let mut config = config;
        if config.feed.is_none() && config.symbols.is_empty() {
            config.symbols = crate::contracts::KNOWN.iter().map(|k| k.0.to_string()).collect();
        }
        Gateway::with_source(config, source, start_ns)
    }

    /// Takes a feed that is open already. `start_ns`: when the clock begins, where neither the
    /// settings nor the feed are to say.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn with_source(
        config: SimConfig,
        source: Box<dyn EventSource>,
        start_ns: Option<u64>,
    ) -> Result<Gateway, SetupError> {
        config.check()?;
        let script = Script::read(&config.script)?;
        let fixed = config.fixed_time_s.and_then(|s| u64::try_from(s).ok()).map(|s| s * SECOND);
        let market = Market::new(source, fixed.or(start_ns))?;
        let start_ns = market.next_ns().unwrap_or(0);
        let named = |(i, s): (usize, &ijk_core::Instrument)| {
            let own = s.symbol.as_str().to_string();
            (config.symbols.get(i).cloned().unwrap_or(own), s.tick.0)
        };
        let symbols: Vec<_> = market.instruments().iter().enumerate().map(named).collect();
        let mut gateway = Gateway {
            universe: Universe::new(&symbols, start_ns),
            account: Account::new(config.cash_usd),
            pasts: Vec::new(),
            start_ns,
            now_ns: start_ns,
            market,
            orders: OrderBook::default(),
            conns: BTreeMap::new(),
            conn_count: 0,
            timers: BTreeMap::new(),
            timer_count: 0,
            faults: Faults::default(),
            script,
            exec_count: 0,
            message_times: std::collections::VecDeque::new(),
            config,
        };
        gateway.open();
        Ok(gateway)
    }

    /// Lets the first instant of the feed happen, and sets what hangs on its prices.
    fn open(&mut self) {
        while self.market.next_ns().is_some_and(|ns| ns <= self.start_ns) {
            self.market.step();
        }
        for i in 0..self.market.stocks().len() {
            let open_px = self.market.stocks()[i].open_px.max(10_000_000);
            self.universe.set_strikes(i, open_px);
            let seed = self.config.seed.wrapping_mul(1_000).wrapping_add(i as u64);
            self.pasts.push(Past::new(seed, self.start_ns, open_px));
        }
        self.timer(self.now_ns / SECOND * SECOND + SECOND, Timer::Second);
        for (i, ns) in self.script.times() {
            self.timer(self.start_ns.saturating_add(ns), Timer::Line(i));
        }
        self.advance(self.start_ns);
    }

    /// Returns the simulated time, nanoseconds since 1970.
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Returns when the simulation began.
    pub fn start_ns(&self) -> u64 {
        self.start_ns
    }

    /// Returns the settings.
    pub fn config(&self) -> &SimConfig {
        &self.config
    }

    /// Returns the instruments.
    pub fn universe(&self) -> &Universe {
        &self.universe
    }

    /// Returns when something next happens by itself.
    pub fn next_due(&self) -> Option<u64> {
        let timer = self.timers.first_key_value().map(|((ns, _), _)| *ns);
        let drip = self.conns.values().filter_map(Conn::next_drip).min();
        [timer, self.market.next_ns(), drip].into_iter().flatten().min()
    }

    /// Lets everything up to and including `to_ns` happen.
    pub fn advance(&mut self, to_ns: u64) {
        loop {
            let timer = self.timers.first_key_value().map(|((ns, _), _)| *ns);
            let market = self.market.next_ns();
            let market_first = market.is_some_and(|m| timer.is_none_or(|t| m <= t));
            let due = if market_first { market } else { timer };
            let Some(due) = due.filter(|ns| *ns <= to_ns) else { break };
            self.now_ns = self.now_ns.max(due);
            if market_first {
                self.market_event();
            } else if let Some((_, timer)) = self.timers.pop_first() {
                self.fire(timer);
            }
        }
        self.now_ns = self.now_ns.max(to_ns);
    }

    fn market_event(&mut self) {
        let Some(change) = self.market.step() else { return };
        self.match_stock(&change);
        self.quotes_changed(&change);
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Arrive(perm) => self.order_arrives(perm),
            Timer::Acknowledge(perm) => self.acknowledge(perm),
            Timer::Located(perm) => self.located(perm),
            Timer::PutAside(perm) => self.put_aside(perm),
            Timer::Revive(perm) => self.revive(perm),
            Timer::CancelArrives(perm) => self.cancel_arrives(perm),
            Timer::Expire(perm) => self.end_order(perm, "Expired"),
            Timer::Commission(exec) => self.tell_commission(exec),
            Timer::Correct(exec) => self.correct(exec),
            Timer::Quotes(conn, req) => self.quotes_due(conn, req),
            Timer::Second => self.every_second(),
            Timer::Line(i) => self.script_line(i),
            Timer::Up => self.faults.refuse = false,
        }
    }

    fn every_second(&mut self) {
        let next = self.now_ns / SECOND * SECOND + SECOND;
        self.timer(next, Timer::Second);
        let second = self.now_ns / SECOND;
        if second.is_multiple_of(5) {
            self.bars_due();
        }
        self.results_due();
        if second.is_multiple_of(180) {
            self.account_due();
        }
        if second.is_multiple_of(60) {
            self.news_due();
            self.session_due();
        }
    }

    fn timer(&mut self, ns: u64, timer: Timer) {
        self.timer_count += 1;
        self.timers.insert((ns, self.timer_count), timer);
    }

    fn timer_in(&mut self, delay_ms: u64, timer: Timer) {
        self.timer(self.now_ns.saturating_add(conn::ms(delay_ms)), timer);
    }

    /// Takes a new connection that agreed on `version`; `None` while a fault refuses them.
    pub fn connect(&mut self, version: u32) -> Option<ConnId> {
        if self.faults.refuse {
            return None;
        }
        self.conn_count += 1;
        self.conns.insert(self.conn_count, Conn::new(version));
        Some(self.conn_count)
    }

    /// Forgets a connection that its client closed. Its orders stay.
    pub fn hang_up(&mut self, conn: ConnId) {
        self.conns.remove(&conn);
    }

    /// Returns what a connection's socket is to send now. A connection that is not known is to
    /// close.
    pub fn take_output(&mut self, conn: ConnId) -> Output {
        let Some(c) = self.conns.get_mut(&conn) else {
            return Output { bytes: Vec::new(), close: true };
        };
        let output = c.take(self.now_ns);
        if output.close {
            self.conns.remove(&conn);
        }
        output
    }

    /// Returns how many bytes wait for a connection; `None` once it is to end.
    pub fn waiting(&self, conn: ConnId) -> Option<usize> {
        self.conns.get(&conn).filter(|c| !c.closing).map(Conn::waiting)
    }

    fn send(&mut self, conn: ConnId, id: u32, message: &impl prost::Message) {
        if let Some(c) = self.conns.get_mut(&conn) {
            c.push(self.now_ns, &wire::frame(id, message));
        }
    }

    fn send_raw(&mut self, conn: ConnId, frame: &[u8]) {
        if let Some(c) = self.conns.get_mut(&conn) {
            c.push(self.now_ns, frame);
        }
    }

    /// Sends an error message; `id` is the request or order it is about, -1 for none.
    fn error(&mut self, conn: ConnId, id: i32, code: i32, text: &str) {
        let message = self.error_message(id, code, text);
        self.send(conn, 4, &message);
    }

    /// Sends an error message with the text its code has.
    fn error_code(&mut self, conn: ConnId, id: i32, code: i32) {
        self.error(conn, id, code, codes::text(code));
    }

    fn error_message(&self, id: i32, code: i32, text: &str) -> ErrorMessage {
        ErrorMessage {
            id: Some(id),
            error_time: Some((self.now_ns / 1_000_000) as i64),
            error_code: Some(code),
            error_msg: Some(text.to_string()),
            advanced_order_reject_json: None,
        }
    }

    /// Tells every client that started a session.
    fn notice_all(&mut self, code: i32, text: &str) {
        for conn in self.started() {
            self.error(conn, -1, code, text);
        }
    }

    fn started(&self) -> Vec<ConnId> {
        let started = self.conns.iter().filter(|(_, c)| c.client_id.is_some() && !c.closing);
        started.map(|(id, _)| *id).collect()
    }

    /// Returns the connections of a client id.
    fn conns_of(&self, client_id: i32) -> Vec<ConnId> {
        let of = self.conns.iter().filter(|(_, c)| c.client_id == Some(client_id) && !c.closing);
        of.map(|(id, _)| *id).collect()
    }

    fn conn(&mut self, conn: ConnId) -> Option<&mut Conn> {
        self.conns.get_mut(&conn)
    }

    /// Gives the account a position from before the session.
    ///
    /// # Errors
    /// A sentence, if no stock has that symbol.
    pub fn endow(&mut self, symbol: &str, shares: Shares, price: f64) -> Result<(), String> {
        let stock = self.stock_named(symbol)?;
        self.account.endow(crate::contracts::Inst { stock, option: None }, shares, price);
        Ok(())
    }

    /// Returns the best quote of an instrument.
    pub fn best_quote(&self, inst: crate::contracts::Inst) -> crate::market::Bbo {
        self.quote(inst)
    }

    /// Returns the best levels of a stock's book, best first: price in 1e-9, size.
    pub fn levels(&self, stock: usize, side: ijk_core::Side, count: usize) -> Vec<(i64, Shares)> {
        self.market.stocks().get(stock).map_or_else(Vec::new, |s| s.levels(side, count))
    }

    fn stock_named(&self, symbol: &str) -> Result<usize, String> {
        let named = |s: &crate::contracts::Stock| s.symbol.eq_ignore_ascii_case(symbol);
        self.universe.stocks().iter().position(named).ok_or_else(|| {
            let all: Vec<&str> = self.universe.stocks().iter().map(|s| s.symbol.as_str()).collect();
            format!("no stock '{symbol}'; there are {}", all.join(", "))
        })
    }
}
