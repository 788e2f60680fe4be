//! The adapter against the gateway simulator, in one process. Every wait is bounded.

use ijk_core::config::IbkrConfig;
use ijk_core::{
    CancelOrder, ClientOrderId, ExecId, Instrument, InstrumentId, LinkKind, NewOrder, OrderType,
    ParentId, Px, Qty, RecvTs, ReportKind, Side, SnapshotItem, SnapshotKind, SnapshotRequest,
    Symbol, TimeInForce, VenueReport,
};
use ijk_ibkr::connection::{GatewaySettings, Money};
use ijk_ibkr::orders::IbkrVenue;
use ijk_twsim::{Server, SimConfig};
use ijk_venue::{Venue, VenueMessage};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

const NOW: RecvTs = RecvTs(1);
const DEADLINE: Duration = Duration::from_secs(20);

/// What the reports say of one order.
#[derive(Clone, Debug, Default)]
pub struct Told {
    pub kinds: Vec<ReportKind>,
    pub filled: i64,
    pub reasons: Vec<u16>,
}

impl Told {
    pub fn count(&self, kind: ReportKind) -> usize {
        self.kinds.iter().filter(|k| **k == kind).count()
    }
}

pub struct Rig {
    pub server: Server,
    pub venue: Option<IbkrVenue>,
    pub settings: GatewaySettings,
    pub reports: Vec<VenueReport>,
    pub links: Vec<LinkKind>,
    pub items: Vec<SnapshotItem>,
    sequence: u64,
    request_id: u64,
    epoch: u32,
}

pub fn symbols() -> Vec<Instrument> {
    ["AAPL", "MSFT"].map(|s| Instrument::us_equity(Symbol::new(s).unwrap())).to_vec()
}

pub fn config(server: &Server) -> IbkrConfig {
    IbkrConfig {
        port: server.addr().port(),
        answer_timeout_ms: 1_500,
        backoff_min_ms: 20,
        backoff_max_ms: 200,
        ..IbkrConfig::default()
    }
}

impl Rig {
    /// Starts a simulator and the adapter, and waits for the link.
    pub fn new() -> Rig {
        Rig::with(SimConfig { speed: 4.0, ..SimConfig::default() })
    }

    pub fn with(config_: SimConfig) -> Rig {
        let server = Server::start(0, config_).unwrap();
        let settings = GatewaySettings::new(&config(&server), Money::Paper, 400);
        let mut rig = Rig {
            server,
            venue: None,
            settings,
            reports: Vec::new(),
            links: Vec::new(),
            items: Vec::new(),
            sequence: 0,
            request_id: 0,
            epoch: 0,
        };
        rig.start();
        rig
    }

    /// Starts the adapter anew, as a new process would.
    pub fn start(&mut self) {
        self.venue = None;
        self.epoch += 1;
        self.sequence = 0;
        let note = Arc::new(|text: &str| eprintln!("note: {text}"));
        self.venue = Some(IbkrVenue::start(&self.settings, &symbols(), note).unwrap());
        let ups = self.ups();
        self.until("the link comes up", |r| r.ups() > ups);
    }

    pub fn ups(&self) -> usize {
        self.links.iter().filter(|l| **l == LinkKind::Up).count()
    }

    pub fn is_up(&self) -> bool {
        self.links.last() == Some(&LinkKind::Up)
    }

    pub fn venue(&mut self) -> &mut IbkrVenue {
        self.venue.as_mut().unwrap()
    }

    pub fn command(&self, line: &str) {
        self.server.command(line).unwrap_or_else(|e| panic!("{line}: {e}"));
    }

    pub fn step(&mut self) {
        let mut quiet = true;
        while let Some((_, message)) = self.venue().poll(NOW) {
            quiet = false;
            match message {
                VenueMessage::Report(r) => self.reports.push(r),
                VenueMessage::Link(l) => self.links.push(l.kind),
                VenueMessage::Snapshot(s) => self.items.push(s),
            }
        }
        if quiet {
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    pub fn until(&mut self, what: &str, done: impl Fn(&Rig) -> bool) {
        let began = Instant::now();
        while !done(self) {
            assert!(
                began.elapsed() < DEADLINE,
                "{what}: not within {DEADLINE:?}; links {:?}; error {:?}; reports {:#?}",
                self.links,
                self.venue.as_ref().and_then(IbkrVenue::last_error),
                self.reports
            );
            self.step();
        }
    }

    pub fn wait(&mut self, ms: u64) {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(ms) {
            self.step();
        }
    }

    pub fn order(&mut self, side: Side, qty: i64, px: Option<f64>) -> NewOrder {
        self.sequence += 1;
        let first = ClientOrderId::first_of(self.epoch).0;
        NewOrder {
            client_order_id: ClientOrderId(first + self.sequence - 1),
            qty: Qty(qty),
            px: px.map_or(Px(0), |px| Px::from_f64(px).unwrap()),
            parent_id: ParentId(0),
            instrument: InstrumentId(0),
            side,
            order_type: if px.is_some() { OrderType::Limit } else { OrderType::Market },
            tif: TimeInForce::Day,
            reserved: [0; 7],
        }
    }

    /// Sends an order; returns its id.
    pub fn send(&mut self, side: Side, qty: i64, px: Option<f64>) -> ClientOrderId {
        let order = self.order(side, qty, px);
        self.venue().send(NOW, &order);
        order.client_order_id
    }

    /// Buys at the market.
    pub fn buy(&mut self, qty: i64) -> ClientOrderId {
        self.send(Side::Bid, qty, None)
    }

    /// Buys far below the market: it rests.
    pub fn rest(&mut self, qty: i64) -> ClientOrderId {
        self.send(Side::Bid, qty, Some(50.0))
    }

    pub fn cancel(&mut self, id: ClientOrderId) {
        let cancel =
            CancelOrder { client_order_id: id, instrument: InstrumentId(0), reserved: [0; 6] };
        self.venue().cancel(NOW, cancel);
    }

    /// Asks until a whole answer comes; returns its items.
    pub fn snapshot(&mut self) -> Vec<SnapshotItem> {
        for _ in 0..10 {
            self.request_id += 1;
            let request_id = self.request_id;
            self.items.clear();
            self.venue().request_snapshot(NOW, SnapshotRequest { request_id });
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(8) {
                self.step();
                let is_end =
                    |i: &SnapshotItem| i.request_id == request_id && i.kind == SnapshotKind::End;
                if let Some(end) = self.items.iter().find(|i| is_end(i)) {
                    let of = |i: &&SnapshotItem| {
                        i.request_id == request_id
                            && !matches!(i.kind, SnapshotKind::Begin | SnapshotKind::End)
                    };
                    let found: Vec<_> = self.items.iter().filter(of).copied().collect();
                    assert_eq!(end.qty.0, found.len() as i64);
                    return found;
                }
            }
        }
        panic!("no whole answer; error {:?}", self.venue().last_error());
    }

    /// Returns what was told of an order.
    pub fn told(&self, id: ClientOrderId) -> Told {
        let mut told = Told::default();
        let mut seen: BTreeMap<(ExecId, bool), ()> = BTreeMap::new();
        for r in self.reports.iter().filter(|r| r.client_order_id == id) {
            told.kinds.push(r.kind);
            if r.reason != 0 {
                told.reasons.push(r.reason);
            }
            let sign = match r.kind {
                ReportKind::Fill => 1,
                ReportKind::Bust => -1,
                _ => continue,
            };
            if seen.insert((r.exec_id, sign < 0), ()).is_none() {
                told.filled += sign * r.qty.0;
            }
        }
        told
    }

    pub fn until_told(&mut self, id: ClientOrderId, kind: ReportKind) {
        self.until(&format!("{kind:?} of {id:?}"), |r| r.told(id).count(kind) > 0);
    }

    /// Waits until that much of an order is filled, each execution told once.
    pub fn until_filled(&mut self, id: ClientOrderId, qty: i64) {
        self.until(&format!("{qty} of {id:?}"), |r| r.told(id).filled >= qty);
        let fills = self.told(id).count(ReportKind::Fill);
        let distinct: std::collections::BTreeSet<u64> = self
            .reports
            .iter()
            .filter(|r| r.client_order_id == id && r.kind == ReportKind::Fill)
            .map(|r| r.exec_id.0)
            .collect();
        assert_eq!(fills, distinct.len(), "an execution was told twice");
        assert_eq!(self.told(id).filled, qty);
    }

    /// Returns the position that the broker really holds in the first instrument.
    pub fn true_position(&self) -> i64 {
        let held = self.server.with(|g| g.truth_positions());
        held.iter().find(|p| p.1 == "AAPL").map_or(0, |p| p.2 as i64)
    }

    /// Returns the position by the reports.
    pub fn position(&self) -> i64 {
        let ids: std::collections::BTreeSet<_> =
            self.reports.iter().map(|r| (r.client_order_id, r.side)).map(|(i, _)| i).collect();
        let side = |id| self.reports.iter().find(|r| r.client_order_id == id).map(|r| r.side);
        ids.iter()
            .map(|&id| match side(id) {
                Some(Side::Ask) => -self.told(id).filled,
                _ => self.told(id).filled,
            })
            .sum()
    }
}
