//! One session.

use super::audit::Audit;
use crate::sim::rng::Rng;
use ijk_core::config::{IbkrConfig, VenueConfig};
use ijk_core::{
    Block, CancelOrder, ClientOrderId, Fate, Instrument, InstrumentId, LinkEvent, LinkKind,
    NewOrder, OrderType, ParentId, Px, Qty, RecvTs, Side, Symbol, TimeInForce,
};
use ijk_engine::decision::{Effect, OrderTruth};
use ijk_ibkr::connection::{GatewaySettings, Money};
use ijk_ibkr::dead_man::stand_by;
use ijk_ibkr::orders::IbkrVenue;
use ijk_twsim::{Server, SimConfig};
use ijk_venue::{Venue, VenueMessage};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Simulated seconds a real one: the simulator's delays shrink, the adapter's do not.
const SPEED: f64 = 10.0;
/// Time in which things are done.
const ACTIVE: Duration = Duration::from_millis(2_500);
/// Time in which everything must have settled.
const SETTLE: Duration = Duration::from_secs(40);
const INSTRUMENTS: [&str; 2] = ["AAPL", "MSFT"];

/// What goes wrong with an order; none as often as all others together.
const ORDER_FAULTS: [&str; 25] = [
    "hold=3000",
    "inactive=200 reject=201",
    "inactive=200 revive=3000",
    "inactive=200",
    "warn-before=10349",
    "warn-after=399",
    "no-status no-open-order",
    "repeat=2",
    "exec-first",
    "commission=8000",
    "commission=never",
    "correct=4000",
    "pieces=4",
    "ack=1000",
    "ack=never",
    "swallow",
    "drop=before",
    "drop=after",
    "cancel=161",
    "cancel=fills",
    "cancel=ignored",
    "reject=201",
    "reject=103",
    "reject=110",
    "park",
];
/// What goes wrong with the link, and how it is mended.
const LINK_FAULTS: [(&str, &str); 15] = [
    ("link down", "link up kept"),
    ("link down lose", "link up kept"),
    ("link down lose", "link up lost"),
    ("drop", ""),
    ("drop 71 ghost", "unghost"),
    ("restart 3000", ""),
    ("restart 3000 rollback", ""),
    ("mute 12000", ""),
    ("drip 1", "drip off"),
    ("hang completed", "answer completed"),
    ("hang positions", "answer positions"),
    ("hang executions", "answer executions"),
    ("hang open", "answer open"),
    ("notice 2110", "notice 1102"),
    ("frame 3 ffffff", ""),
];

/// What a session was.
#[derive(Debug, Default)]
pub struct Lived {
    pub orders: u64,
    pub executions: u64,
    pub faults: u64,
    pub unknown: u64,
    pub failures: Vec<String>,
}

struct Session {
    server: Server,
    settings: GatewaySettings,
    venue: Option<IbkrVenue>,
    truth: OrderTruth,
    audit: Audit,
    rng: Rng,
    began: Instant,
    next_id: u64,
    blocks: u8,
    is_up: bool,
    /// Mends that are due.
    mends: Vec<(Instant, &'static str)>,
    /// Numbers were forgotten; a cancel was ignored.
    forgets: bool,
    ignores: bool,
    lived: Lived,
}

/// Lives the session of a seed.
pub fn live(seed: u64) -> Lived {
    match Session::new(seed) {
        Ok(mut session) => {
            session.run();
            let mut lived = session.lived;
            lived.failures.extend(session.audit.failures);
            lived.failures.iter_mut().for_each(|f| *f = format!("seed {seed}: {f}"));
            lived
        }
        Err(text) => Lived { failures: vec![format!("seed {seed}: {text}")], ..Lived::default() },
    }
}

impl Session {
    fn new(seed: u64) -> Result<Session, String> {
        let config = SimConfig { speed: SPEED, seed, ..SimConfig::default() };
        let server = Server::start(0, config).map_err(|e| e.to_string())?;
        let config = IbkrConfig {
            port: server.addr().port(),
            answer_timeout_ms: 700,
            backoff_min_ms: 20,
            backoff_max_ms: 100,
            ..IbkrConfig::default()
        };
        let settings = GatewaySettings::new(&config, Money::Paper, 300);
        let truth = VenueConfig {
            ack_timeout_ms: 400,
            snapshot_timeout_ms: 2_500,
            reconcile_interval_ms: 1_000,
            absent_quiet_ms: 1_500,
            ..VenueConfig::default()
        };
        let mut truth = OrderTruth::new(&truth, true);
        truth.set_epoch(1);
        let mut session = Session {
            server,
            settings,
            venue: None,
            truth,
            audit: Audit::default(),
            rng: Rng::new(seed, 77),
            began: Instant::now(),
            next_id: ClientOrderId::first_of(1).0,
            blocks: Block::Link.bit() | Block::Reconcile.bit(),
            is_up: false,
            mends: Vec::new(),
            forgets: false,
            ignores: false,
            lived: Lived::default(),
        };
        session.start()?;
        Ok(session)
    }

    fn start(&mut self) -> Result<(), String> {
        let table = INSTRUMENTS.map(|s| Symbol::new(s).map(Instrument::us_equity));
        let table: Vec<Instrument> = table.into_iter().flatten().collect();
        let began = Instant::now();
        loop {
            match IbkrVenue::start(&self.settings, &table, Arc::new(|_| {})) {
                Ok(venue) => break self.venue = Some(venue),
                // The gateway is down, or still holds the session that ended.
                Err(_) if began.elapsed() < Duration::from_secs(15) => {
                    self.mend(Instant::now());
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(e) => return Err(format!("no start: {e}")),
            }
        }
        Ok(())
    }

    fn now(&self) -> RecvTs {
        RecvTs(1 + self.began.elapsed().as_nanos() as u64)
    }

    fn run(&mut self) {
        while self.began.elapsed() < ACTIVE {
            self.act();
            let pause_ms = self.rng.range(1, 60);
            self.steps(Duration::from_millis(pause_ms));
            self.mend(Instant::now());
        }
        self.settle();
        self.lived.orders = self.next_id - ClientOrderId::first_of(1).0;
        self.lived.executions = self.server.with(|g| g.truth_execs()).len() as u64;
    }

    fn act(&mut self) {
        match self.rng.below(100) {
            0..60 => self.order(),
            60..85 => self.cancel_one(),
            85..97 => self.link_fault(),
            97..98 => self.restart(),
            _ => self.broker_cancels(),
        }
    }

    fn order(&mut self) {
        if self.blocks != 0 || !self.is_up {
            return;
        }
        if self.rng.below(2) == 0 {
            let fault = ORDER_FAULTS[self.rng.below(ORDER_FAULTS.len() as u64) as usize];
            if self.may(fault) {
                self.command(&format!("order {fault}"));
                self.lived.faults += 1;
            }
        }
        let side = if self.rng.below(2) == 0 { Side::Bid } else { Side::Ask };
        let px = match (self.rng.below(4), side) {
            (0, _) => None,
            (1, Side::Bid) => Some(110.0),
            (1, Side::Ask) => Some(90.0),
            (_, Side::Bid) => Some(100.0 - self.rng.below(30) as f64 / 10.0),
            (_, Side::Ask) => Some(100.0 + self.rng.below(30) as f64 / 10.0),
        };
        let tif = if self.rng.below(4) == 0 { TimeInForce::Ioc } else { TimeInForce::Day };
        let order = NewOrder {
            client_order_id: ClientOrderId(self.next_id),
            qty: Qty(self.rng.range(1, 30) as i64),
            px: px.and_then(Px::from_f64).unwrap_or(Px(0)),
            parent_id: ParentId(0),
            instrument: InstrumentId(self.rng.below(2) as u16),
            side,
            order_type: if px.is_some() { OrderType::Limit } else { OrderType::Market },
            tif,
            reserved: [0; 7],
        };
        self.next_id += 1;
        let now = self.now();
        self.audit.on_sent(&order);
        self.truth.on_sent(now, &order);
        if let Some(venue) = &mut self.venue {
            venue.send(now, &order);
        }
    }

    /// Returns whether a fault may be made: an order whose number is forgotten and whose cancels
    /// are ignored nobody could ever end.
    fn may(&mut self, fault: &str) -> bool {
        let (forgets, ignores) = (fault.ends_with("rollback"), fault == "cancel=ignored");
        if (forgets && self.ignores) || (ignores && self.forgets) {
            return false;
        }
        self.forgets |= forgets;
        self.ignores |= ignores;
        true
    }

    fn cancel_one(&mut self) {
        let open = self.audit.open();
        if open.is_empty() {
            return;
        }
        let order = open[self.rng.below(open.len() as u64) as usize];
        self.cancel(&order);
    }

    fn cancel(&mut self, order: &NewOrder) {
        let cancel = CancelOrder {
            client_order_id: order.client_order_id,
            instrument: order.instrument,
            reserved: [0; 6],
        };
        let now = self.now();
        self.truth.on_cancel_sent(now, order.client_order_id);
        if let Some(venue) = &mut self.venue {
            venue.cancel(now, cancel);
        }
    }

    fn link_fault(&mut self) {
        let (fault, mend) = LINK_FAULTS[self.rng.below(LINK_FAULTS.len() as u64) as usize];
        if !self.may(fault) {
            return;
        }
        self.command(fault);
        self.lived.faults += 1;
        let due = Instant::now() + Duration::from_millis(self.rng.range(20, 900));
        if !mend.is_empty() {
            self.mends.push((due, mend));
        }
    }

    /// The process ends and another takes its place, with everything in its journal.
    fn restart(&mut self) {
        self.venue = None;
        self.lived.faults += 1;
        if self.is_up {
            self.is_up = false;
            let now = self.now();
            self.truth.on_link(now, &LinkEvent::new(LinkKind::Down));
            self.act_on_effects();
        }
        if let Err(text) = self.start() {
            self.audit.failures.push(text);
        }
    }

    fn broker_cancels(&mut self) {
        let orders = self.server.with(|g| g.truth_orders());
        let of = |o: &&ijk_twsim::TruthOrder| o.status == "Submitted";
        if let Some(o) = orders.iter().find(of) {
            self.command(&format!("cancel {} {}", o.order_id, o.client_id));
            self.lived.faults += 1;
        }
    }

    fn command(&mut self, line: &str) {
        // An order may have ended in between.
        if let Err(e) = self.server.command(line)
            && !line.starts_with("cancel")
        {
            self.audit.failures.push(format!("{line}: {e}"));
        }
    }

    fn mend(&mut self, now: Instant) {
        for i in (0..self.mends.len()).rev() {
            if self.mends[i].0 <= now {
                let (_, line) = self.mends.remove(i);
                self.command(line);
            }
        }
    }

    fn steps(&mut self, length: Duration) {
        let end = Instant::now() + length;
        while Instant::now() < end {
            self.step();
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn step(&mut self) {
        let now = self.now();
        while let Some((_, message)) = self.venue.as_mut().and_then(|v| v.poll(now)) {
            match message {
                VenueMessage::Report(r) => self.truth.on_report(now, &r),
                VenueMessage::Link(event) => {
                    self.is_up = event.kind == LinkKind::Up;
                    self.truth.on_link(now, &event);
                }
                VenueMessage::Snapshot(item) => {
                    let held = |id: InstrumentId| self.audit.position(id);
                    self.truth.on_snapshot(now, &item, held);
                }
            }
            self.act_on_effects();
        }
        self.truth.on_time(now);
        self.act_on_effects();
    }

    fn act_on_effects(&mut self) {
        let mut index = 0;
        while let Some(effect) = self.truth.take(index) {
            index += 1;
            let now = self.now();
            match effect {
                Effect::Report { report, .. } => self.audit.on_booked(&report, &self.server),
                Effect::Cancel(cancel) => {
                    self.truth.on_cancel_sent(now, cancel.client_order_id);
                    if let Some(venue) = &mut self.venue {
                        venue.cancel(now, cancel);
                    }
                }
                Effect::Request(request) => {
                    if let Some(venue) = &mut self.venue {
                        venue.request_snapshot(now, request);
                    }
                }
                Effect::Fate(f) if f.fate == Fate::Unknown => self.lived.unknown += 1,
                Effect::Account { block, set } => {
                    self.blocks &= !block.bit();
                    self.blocks |= if set { block.bit() } else { 0 };
                    if block == Block::Operator && set {
                        self.audit.failures.push("a person was called for nothing".to_string());
                    }
                }
                Effect::Adopt { order, .. } if order.client_order_id.is_foreign() => {
                    self.audit.failures.push(format!("a stranger was made up: {order:?}"));
                }
                _ => {}
            }
        }
    }

    /// Mends everything, cancels everything, waits until nothing is in doubt.
    fn settle(&mut self) {
        let end = Instant::now() + SETTLE;
        self.mend(end + SETTLE);
        for line in ["link up kept", "unghost", "refuse off", "drip off", "mute 0"] {
            self.command(line);
        }
        let (mut next, mut round) = (Instant::now(), 0);
        let mut quiet_since: Option<Instant> = None;
        while Instant::now() < end {
            self.steps(Duration::from_millis(20));
            if Instant::now() >= next {
                next = Instant::now() + Duration::from_millis(700);
                round += 1;
                self.audit.open().iter().for_each(|o| self.cancel(o));
                // Orders whose cancels the broker does not do: a person calls it.
                if round >= 3 && round % 4 == 3 {
                    self.close_by_telephone();
                }
            }
            let settled = self.truth.live_count() == 0
                && self.truth.is_reconciled()
                && self.audit.open().is_empty()
                && self.blocks == 0;
            match (settled, quiet_since) {
                (false, _) => quiet_since = None,
                (true, None) => quiet_since = Some(Instant::now()),
                // Late commissions and corrections, and a comparison of accounts after them.
                (true, Some(t)) if t.elapsed() > Duration::from_millis(2_300) => break,
                (true, Some(_)) => {}
            }
        }
        if quiet_since.is_none() {
            let error = self.venue.as_ref().and_then(IbkrVenue::last_error);
            self.audit.failures.push(format!(
                "not settled: {} live, {} open, blocks {:#x}, up {}, {error:?}",
                self.truth.live_count(),
                self.audit.open().len(),
                self.blocks,
                self.is_up,
            ));
        }
        self.audit.finish(&self.server);
    }

    /// Ends what no cancel of ours can: orders whose cancels are ignored, and those whose number
    /// the gateway forgot over a restart. These only the global cancel reaches.
    fn close_by_telephone(&mut self) {
        if let Ok((reader, writer)) = std::io::pipe() {
            drop(writer);
            let settings = self.settings.clone();
            // The auditor sees what came of it.
            std::thread::spawn(move || drop(stand_by(&settings, reader, || {})));
        }
        let orders = self.server.with(|g| g.truth_orders());
        for o in orders {
            if !matches!(o.status, "Filled" | "Cancelled" | "Inactive") {
                self.command(&format!("cancel {} {}", o.order_id, o.client_id));
            }
        }
    }
}
