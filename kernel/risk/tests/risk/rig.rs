//! A gate with a clock and rising ids.

use ijk_core::config::RiskConfig;
use ijk_core::num::E9;
use ijk_core::record::Level;
use ijk_core::{
    ClientOrderId, ExchTs, ExecId, Instrument, InstrumentId, NewOrder, OrderType, ParentId, Px,
    Qty, RecvTs, ReportKind, Side, Symbol, TimeInForce, VenueOrderId, VenueReport,
};
use ijk_risk::{Gate, LedgerError, Quote, RiskCode};

pub const MS: u64 = 1_000_000;
pub const A: InstrumentId = InstrumentId(0);
pub const B: InstrumentId = InstrumentId(1);

pub fn dollars(v: i64) -> Px {
    Px(v * E9)
}

pub fn cents(v: i64) -> Px {
    Px(v * E9 / 100)
}

/// Limits wide enough that one control at a time can be tested by narrowing it.
pub fn wide() -> RiskConfig {
    RiskConfig {
        max_order_qty: 1_000_000,
        max_order_notional_usd: 1e9,
        price_collar_bps: 5_000.0,
        max_position_notional_usd: 1e9,
        max_gross_notional_usd: 1e9,
        reduce_only_loss_usd: 1e9,
        halt_loss_usd: 1e9,
        max_orders_per_s: 1_000,
        order_burst: 1_000,
        duplicate_window_ms: 1,
        quote_max_age_ms: 1_000,
        max_open_orders: 256,
        max_open_orders_per_side: 256,
        price_collar_hard_bps: 5_000.0,
        max_net_notional_usd: 1e9,
        max_drawdown_usd: 1e9,
        max_order_equity_fraction: 1e6,
        adv_qty_default: i64::MAX,
        max_orders_per_min: 1_024,
        slippage_limit_bps: 1e7,
        ..RiskConfig::simulation()
    }
}

pub fn instruments() -> Vec<Instrument> {
    ["A", "B"].map(|s| Instrument::us_equity(Symbol::new(s).unwrap())).to_vec()
}

pub struct Rig {
    pub gate: Gate,
    pub now: RecvTs,
    id: u64,
    exec: u64,
}

impl Rig {
    pub fn new(config: &RiskConfig) -> Rig {
        Rig::with(config, &instruments())
    }

    pub fn with(config: &RiskConfig, instruments: &[Instrument]) -> Rig {
        let gate = Gate::new(config, instruments).unwrap();
        Rig { gate, now: RecvTs(10_000 * MS), id: 0, exec: 0 }
    }

    /// Bid 99.99, ask 100.01, fresh.
    pub fn quote(&self) -> Quote {
        self.quote_at(cents(9_999), cents(10_001))
    }

    pub fn quote_at(&self, bid: Px, ask: Px) -> Quote {
        let level = |px| Level { px, qty: Qty(100) };
        Quote { bid: level(bid), ask: level(ask), ts: self.now, trusted: true }
    }

    pub fn order(&mut self, side: Side, qty: i64, px: Px) -> NewOrder {
        self.id += 1;
        NewOrder {
            client_order_id: ClientOrderId(self.id),
            qty: Qty(qty),
            px,
            parent_id: ParentId(0),
            instrument: A,
            side,
            order_type: if px.0 == 0 { OrderType::Market } else { OrderType::Limit },
            tif: TimeInForce::Day,
            reserved: [0; 7],
        }
    }

    pub fn check(&mut self, order: NewOrder) -> Result<NewOrder, RiskCode> {
        let quote = self.quote();
        self.check_on(order, &quote)
    }

    pub fn check_on(&mut self, order: NewOrder, quote: &Quote) -> Result<NewOrder, RiskCode> {
        self.gate.check(self.now, order, quote).map(ijk_risk::Approved::into_inner)
    }

    /// Passes an order 10 ms later, so that rate and duplicates do not matter.
    pub fn pass(&mut self, side: Side, qty: i64, px: Px) -> NewOrder {
        self.wait(10);
        let order = self.order(side, qty, px);
        self.check(order).unwrap()
    }

    /// A position of `qty` at `px`, by an order that fills at once.
    pub fn hold(&mut self, side: Side, qty: i64, px: Px) {
        let order = self.pass(side, qty, dollars(100));
        self.fill(&order, qty, 0, px).unwrap();
    }

    pub fn wait(&mut self, ms: u64) {
        self.now = self.now.plus_ns(ms * MS);
    }

    pub fn report(
        &mut self,
        kind: ReportKind,
        o: &NewOrder,
        qty: i64,
        leaves: i64,
        px: Px,
    ) -> VenueReport {
        self.exec += 1;
        VenueReport {
            ts_exchange: ExchTs(0),
            client_order_id: o.client_order_id,
            venue_order_id: VenueOrderId(1),
            exec_id: ExecId(if kind == ReportKind::Fill { self.exec } else { 0 }),
            px,
            qty: Qty(qty),
            leaves: Qty(leaves),
            fee_e9: 0,
            instrument: o.instrument,
            reason: 0,
            kind,
            side: o.side,
            maker: 0,
            reserved: 0,
        }
    }

    pub fn fill(&mut self, o: &NewOrder, qty: i64, leaves: i64, px: Px) -> Result<(), LedgerError> {
        let report = self.report(ReportKind::Fill, o, qty, leaves, px);
        self.gate.on_report(self.now, &report)
    }

    pub fn end(&mut self, o: &NewOrder, qty: i64) -> Result<(), LedgerError> {
        let report = self.report(ReportKind::Canceled, o, qty, 0, Px(0));
        self.gate.on_report(self.now, &report)
    }
}
