//! An exchange, a hand that writes market records, and orders that passed a real gate.

use ijk_core::config::{FeeConfig, FeeSchedule, RiskConfig, SimConfig};
use ijk_core::num::E9;
use ijk_core::record::Level;
use ijk_core::{
    CancelOrder, ClientOrderId, DepthKind, EventKind, Instrument, InstrumentId, MarketEvent,
    NewOrder, OrderType, ParentId, Px, Qty, RecvTs, ReportKind, RowFlags, Session, Side, Symbol,
    TimeInForce, VenueReport,
};
use ijk_risk::{Approved, Gate, Quote};
use ijk_venue::{SimExchange, Venue};

pub const US: u64 = 1_000;
pub const MS: u64 = 1_000_000;

/// Price in cents.
pub fn px(cents: i64) -> Px {
    Px(cents * E9 / 100)
}

pub fn stock() -> Instrument {
    Instrument::us_equity(Symbol::new("T").unwrap())
}

pub fn no_fees() -> FeeConfig {
    FeeConfig { schedule: FeeSchedule::None, ..FeeConfig::default() }
}

/// Order latency 1 ms, report latency 0.5 ms, no jitter.
pub fn sim() -> SimConfig {
    SimConfig { order_latency_jitter_us: 0, ..SimConfig::default() }
}

/// Passes `order` through a gate of its own with the widest limits.
pub fn approve(order: NewOrder, instrument: &Instrument) -> Approved<NewOrder> {
    let config = RiskConfig {
        max_order_qty: i64::MAX,
        max_order_notional_usd: 1e12,
        price_collar_bps: 5_000.0,
        max_position_notional_usd: 1e12,
        max_gross_notional_usd: 1e12,
        reduce_only_loss_usd: 1e12,
        halt_loss_usd: 1e12,
        max_orders_per_s: 1,
        order_burst: 1,
        duplicate_window_ms: 1,
        quote_max_age_ms: 1,
        max_open_orders: 1,
        ..RiskConfig::simulation()
    };
    let open = Instrument { session: Session::ALWAYS, ..*instrument };
    let table = vec![open; order.instrument.index() + 1];
    let mut gate = Gate::new(&config, &table).unwrap();
    let bid = if order.px.0 > 0 { order.px } else { px(10_000) };
    let level = |px| Level { px, qty: Qty(1) };
    let quote = Quote {
        bid: level(bid),
        ask: level(Px(bid.0 + open.tick.0)),
        ts: RecvTs(0),
        trusted: true,
    };
    gate.check(RecvTs(0), order, &quote).expect("the widest limits")
}

pub struct Rig {
    pub venue: SimExchange,
    pub now: RecvTs,
    pub instrument: Instrument,
    id: u64,
    row: u64,
    reports: Vec<VenueReport>,
}

impl Rig {
    pub fn new(kind: DepthKind) -> Rig {
        Rig::with(kind, &sim(), &no_fees(), stock())
    }

    pub fn with(kind: DepthKind, sim: &SimConfig, fees: &FeeConfig, i: Instrument) -> Rig {
        Rig {
            venue: SimExchange::new(sim, fees, &[i], &[kind], 1).unwrap(),
            now: RecvTs(1_000 * MS),
            instrument: i,
            id: 0,
            row: 0,
            reports: vec![],
        }
    }

    pub fn wait_us(&mut self, us: u64) {
        self.now = self.now.plus_ns(us * US);
    }

    pub fn event(&mut self, kind: EventKind, side: Side, cents: i64, qty: i64, order_id: u64) {
        let flags = RowFlags::ROW_END.with(RowFlags::BOOK_END);
        self.event_with(kind, side, cents, qty, order_id, flags);
    }

    pub fn event_with(
        &mut self,
        kind: EventKind,
        side: Side,
        cents: i64,
        qty: i64,
        order_id: u64,
        flags: RowFlags,
    ) {
        self.row += 1;
        let ev = MarketEvent {
            ts_receive: self.now,
            row: self.row,
            order_id,
            px: px(cents),
            qty: Qty(qty),
            side,
            flags,
            ..MarketEvent::new(kind, InstrumentId(0))
        };
        self.venue.on_market(&ev);
    }

    pub fn level(&mut self, side: Side, cents: i64, qty: i64) {
        self.event(EventKind::LevelSet, side, cents, qty, 0);
    }

    /// A trade of `qty` at `cents` by this aggressor; the book change comes apart.
    pub fn trade(&mut self, aggressor: Side, cents: i64, qty: i64) {
        self.event(EventKind::Trade, aggressor, cents, qty, 0);
    }

    pub fn order(&mut self, side: Side, qty: i64, cents: i64, tif: TimeInForce) -> NewOrder {
        self.id += 1;
        NewOrder {
            client_order_id: ClientOrderId(self.id),
            qty: Qty(qty),
            px: px(cents),
            parent_id: ParentId(0),
            instrument: InstrumentId(0),
            side,
            order_type: if cents == 0 { OrderType::Market } else { OrderType::Limit },
            tif,
            reserved: [0; 7],
        }
    }

    pub fn send(&mut self, order: NewOrder) {
        let approved = approve(order, &self.instrument);
        self.venue.submit(self.now, approved);
    }

    /// Sends an order and lets it arrive; returns its id. The clock stands at the arrival.
    pub fn place(&mut self, side: Side, qty: i64, cents: i64, tif: TimeInForce) -> u64 {
        let order = self.order(side, qty, cents, tif);
        self.send(order);
        self.wait_us(1_000);
        self.venue.advance(self.now);
        order.client_order_id.0
    }

    pub fn cancel(&mut self, id: u64) {
        let cancel = CancelOrder {
            client_order_id: ClientOrderId(id),
            instrument: InstrumentId(0),
            reserved: [0; 6],
        };
        self.venue.cancel(self.now, cancel);
    }

    /// Everything delivered within a millisecond, as `kind id qty@cents leaves`; the clock
    /// stays.
    pub fn told(&mut self) -> Vec<String> {
        let mut lines = vec![];
        while let Some((_, r)) = self.venue.take_report(self.now.plus_ns(MS)) {
            self.reports.push(r);
            let id = r.client_order_id.0;
            let cents = r.px.0 / (E9 / 100);
            lines.push(match r.kind {
                ReportKind::Ack => format!("ack {id}"),
                ReportKind::Fill => {
                    let how = if r.maker == 1 { "make" } else { "take" };
                    format!("{how} {id} {}@{cents} leaves {}", r.qty.0, r.leaves.0)
                }
                ReportKind::Canceled => format!("canceled {id} {}", r.qty.0),
                ReportKind::Expired => format!("expired {id} {}", r.qty.0),
                ReportKind::Reject => format!("reject {id} reason {}", r.reason),
                ReportKind::CancelReject => format!("cancel-reject {id} reason {}", r.reason),
                other => panic!("the simulated exchange does not send {other:?}"),
            });
        }
        lines
    }

    pub fn reports(&self) -> &[VenueReport] {
        &self.reports
    }

    pub fn ahead(&self, id: u64) -> Option<f64> {
        self.venue.queue_ahead(ClientOrderId(id))
    }
}
