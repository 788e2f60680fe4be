//! Random streams of orders, reports, marks and kills through the gate and the oracle: same
//! verdicts, same books, limits never passed.

use crate::oracle::Oracle;
use crate::rig::{MS, instruments};
use ijk_core::config::RiskConfig;
use ijk_core::num::E9;
use ijk_core::record::Level;
use ijk_core::{
    ClientOrderId, ExchTs, ExecId, Instrument, InstrumentId, NewOrder, OrderType, ParentId, Px,
    Qty, RecvTs, ReportKind, Side, TimeInForce, VenueOrderId, VenueReport,
};
use ijk_risk::{Gate, LedgerError, Quote, RiskCode, TradingState};
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// One raw step: a kind and four numbers, read as the kind needs them.
type Step = (u8, u16, u16, u16, u16);

struct Pair {
    gate: Gate,
    oracle: Oracle,
    config: RiskConfig,
    instruments: Vec<Instrument>,
    now: u64,
    id: u64,
    exec: u64,
    /// Mid per instrument in ticks.
    mids: Vec<i64>,
    /// Orders the venue still works on, and fills for repetition.
    open: Vec<(NewOrder, i64)>,
    fills: Vec<VenueReport>,
    verdicts: BTreeMap<&'static str, u64>,
}

fn traded() -> Vec<Instrument> {
    let mut list = instruments();
    // One coin at about a hundred dollars, in 1e-9 coins, steps of a thousandth.
    list.push(Instrument { qty_unit_e9: 1, lot: Qty(1_000_000), ..list[0] });
    list
}

impl Pair {
    fn new(config: RiskConfig) -> Pair {
        let instruments = traded();
        Pair {
            gate: Gate::new(&config, &instruments).unwrap(),
            oracle: Oracle::new(&config, &instruments),
            config,
            now: 1_000 * MS,
            id: 0,
            exec: 0,
            mids: vec![10_000; instruments.len()],
            instruments,
            open: vec![],
            fills: vec![],
            verdicts: BTreeMap::new(),
        }
    }

    fn step(&mut self, (kind, a, b, c, d): Step) -> Result<(), TestCaseError> {
        self.now += u64::from(a % 97) * 2_000_003;
        match kind {
            0..=109 => self.order(a, b, c, d)?,
            110..=199 => self.fill(a, b, d),
            200..=219 => self.end(a, b),
            220..=246 => self.mark(a, b, c),
            247..=250 => self.repeat(a),
            251..=254 => self.note(a),
            255 if a.is_multiple_of(8) => {
                self.gate.kill(RecvTs(self.now));
                self.oracle.kill();
            }
            255 => {}
        }
        self.compare()
    }

    fn order(&mut self, a: u16, b: u16, c: u16, d: u16) -> Result<(), TestCaseError> {
        let index = usize::from(a) % self.instruments.len();
        let i = self.instruments[index];
        let scale = E9 / i.qty_unit_e9; // one share, or one coin in its units
        self.mids[index] = (self.mids[index] + i64::from(b % 41) - 20).clamp(8_000, 12_000);
        let mid = self.mids[index];
        let side = if b.is_multiple_of(2) { Side::Bid } else { Side::Ask };
        let market = c.is_multiple_of(8);
        let px = if market { 0 } else { mid + i64::from(c % 211) - 105 };
        // Now and then malformed, stale, crossed, one-sided or repeated.
        let odd = d % 64;
        if odd != 1 {
            self.id += 1;
        }
        let mut order = NewOrder {
            client_order_id: ClientOrderId(self.id),
            qty: Qty(match odd {
                2 => -i64::from(b),
                3 => scale + 1,
                _ => (i64::from(d % 13) + 1) * 10 * scale,
            }),
            px: Px(px * i.tick.0 + i64::from(odd == 4)),
            parent_id: ParentId(0),
            instrument: InstrumentId(if odd == 5 { 77 } else { index as u16 }),
            side,
            order_type: if market { OrderType::Market } else { OrderType::Limit },
            tif: TimeInForce::Day,
            reserved: [0; 7],
        };
        if let (11..=14, Some((last, _))) = (odd, self.open.last()) {
            order = NewOrder { client_order_id: order.client_order_id, ..*last };
        }
        let level = |t: i64| Level { px: Px(t * i.tick.0), qty: Qty(i64::from(odd != 6)) };
        let half = if odd == 7 { -1 } else { 1 };
        let quote = Quote {
            bid: level(mid - half),
            ask: level(mid + half),
            ts: RecvTs(self.now - if odd == 8 { 500 * MS } else { 0 }),
            trusted: odd != 9,
        };
        let now = RecvTs(self.now - u64::from(odd == 10));
        let got = self.gate.check(now, order, &quote);
        let want = self.oracle.check(now, &order, &quote);
        prop_assert_eq!(got.as_ref().map(|_| ()).map_err(|c| *c), want, "{:?} {:?}", order, quote);
        *self.verdicts.entry(want.err().map_or("passed", RiskCode::name)).or_default() += 1;
        if got.is_ok() {
            self.open.push((order, order.qty.0));
            self.limits_hold(&order, self.mids[index])?;
        }
        Ok(())
    }

    /// The law: after an accepted order no limit is passed, unless a price move had carried the
    /// account over it and the order does not add to the worst case.
    fn limits_hold(&self, o: &NewOrder, mid: i64) -> Result<(), TestCaseError> {
        let index = o.instrument.index();
        let value = |i: usize, mid: i64| {
            let (long, short) = self.gate.worst_case_position(InstrumentId(i as u16));
            let worst = long.unsigned_abs().max(short.unsigned_abs()) as f64;
            worst * mid as f64 * 0.01 * self.instruments[i].qty_unit_e9 as f64 / E9 as f64
        };
        let (long, short) = self.gate.worst_case_position(o.instrument);
        let grown = match o.side {
            Side::Bid => long.abs() >= short.abs(),
            Side::Ask => short.abs() >= long.abs(),
        };
        let alone = long.abs().max(short.abs()) > (long - o.qty.0).abs().max(short.abs())
            || long.abs().max(short.abs()) > long.abs().max((short + o.qty.0).abs());
        if grown && alone {
            prop_assert!(value(index, mid) <= self.config.max_position_notional_usd + 1e-6);
            let gross = self.gate.gross_exposure_usd();
            prop_assert!(gross <= self.config.max_gross_notional_usd + 1e-6);
        }
        prop_assert!(self.gate.working_count() <= self.config.max_open_orders as usize);
        if self.gate.state() == TradingState::ReduceOnly {
            let held = self.gate.position(o.instrument).0;
            let beyond = if o.side == Side::Bid { long } else { short };
            prop_assert!(held != 0 && beyond.signum() * held.signum() >= 0);
        }
        Ok(())
    }

    fn report(&mut self, kind: ReportKind, o: &NewOrder, qty: i64, leaves: i64, px: Px) {
        let report = VenueReport {
            ts_exchange: ExchTs(0),
            client_order_id: o.client_order_id,
            venue_order_id: VenueOrderId(1),
            exec_id: ExecId(if kind == ReportKind::Fill { self.exec } else { 0 }),
            px,
            qty: Qty(qty),
            leaves: Qty(leaves),
            fee_e9: i64::from(px != Px(0)) * 350_000_000,
            instrument: o.instrument,
            reason: 0,
            kind,
            side: o.side,
            maker: 0,
            reserved: 0,
        };
        self.gate.on_report(RecvTs(self.now), &report).unwrap();
        self.oracle.on_report(&report);
        if kind == ReportKind::Fill {
            self.fills.push(report);
        }
    }

    fn fill(&mut self, a: u16, b: u16, d: u16) {
        if self.open.is_empty() {
            return;
        }
        let index = usize::from(a) % self.open.len();
        let (order, open) = self.open[index];
        let lot = self.instruments[order.instrument.index()].lot.0;
        let part = open / lot * i64::from(b % 100) / 100 * lot;
        let qty = if b.is_multiple_of(3) || part == 0 { open } else { part };
        let tick = self.instruments[order.instrument.index()].tick.0;
        let px = Px((self.mids[order.instrument.index()] + i64::from(d % 61) - 30) * tick);
        self.exec += 1;
        self.report(ReportKind::Fill, &order, qty, open - qty, px);
        self.open[index].1 -= qty;
        if open == qty {
            self.open.swap_remove(index);
        }
    }

    fn end(&mut self, a: u16, b: u16) {
        if self.open.is_empty() {
            return;
        }
        let (order, open) = self.open.swap_remove(usize::from(a) % self.open.len());
        // Only an order without fills can be refused.
        let kind = match b % 3 {
            0 if open == order.qty.0 => ReportKind::Reject,
            1 => ReportKind::Expired,
            _ => ReportKind::Canceled,
        };
        self.report(kind, &order, if kind == ReportKind::Reject { 0 } else { open }, 0, Px(0));
    }

    fn note(&mut self, a: u16) {
        if !self.open.is_empty() {
            let (order, open) = self.open[usize::from(a) % self.open.len()];
            let kind = [ReportKind::Ack, ReportKind::CancelReject][usize::from(a % 2)];
            self.report(kind, &order, 0, open, Px(0));
        }
    }

    fn repeat(&mut self, a: u16) {
        if self.fills.is_empty() {
            return;
        }
        let fill = self.fills[usize::from(a) % self.fills.len()];
        let id = fill.client_order_id;
        let got = self.gate.on_report(RecvTs(self.now), &fill);
        assert_eq!(got, Err(LedgerError::RepeatedExecution(id)));
    }

    fn mark(&mut self, a: u16, b: u16, c: u16) {
        let index = usize::from(a) % self.instruments.len();
        self.mids[index] = (self.mids[index] + i64::from(b % 61) - 30).clamp(8_000, 12_000);
        let mid = match c % 23 {
            0 => f64::NAN,
            1 => -1.0,
            _ => self.mids[index] as f64 / 100.0,
        };
        self.gate.on_mark(RecvTs(self.now), InstrumentId(index as u16), mid);
        self.oracle.on_mark(index, mid);
    }

    fn compare(&self) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.gate.state(), self.oracle.state);
        prop_assert_eq!(self.gate.working_count(), self.oracle.working_count());
        for index in 0..self.instruments.len() {
            let id = InstrumentId(index as u16);
            let (long, short) = self.gate.worst_case_position(id);
            prop_assert_eq!((long.into(), short.into()), self.oracle.worst(index));
            prop_assert_eq!(i128::from(self.gate.position(id).0), self.oracle.position(index));
        }
        let want = self.oracle.profit() as f64 / 1e18;
        prop_assert!((self.gate.pnl_usd() - want).abs() <= 1e-9 * want.abs().max(1.0));
        prop_assert!(self.gate.drawdown_usd() >= 0.0);
        prop_assert!(self.gate.drawdown_max_usd() >= self.gate.drawdown_usd());
        Ok(())
    }
}

fn configs() -> impl Strategy<Value = RiskConfig> {
    (0usize..4, 2u32..30, 1u32..12, 1u32..12).prop_map(|(which, open, rate, burst)| {
        let base = RiskConfig {
            max_order_qty: 125,
            max_order_notional_usd: 12_000.0,
            price_collar_bps: 100.0,
            max_position_notional_usd: 30_000.0,
            max_gross_notional_usd: 60_000.0,
            reduce_only_loss_usd: 4_000.0,
            halt_loss_usd: 9_000.0,
            max_orders_per_s: rate,
            order_burst: burst,
            duplicate_window_ms: 300,
            quote_max_age_ms: 400,
            max_open_orders: open,
            ..RiskConfig::simulation()
        };
        match which {
            0 => base,
            // Tight exposure; tight loss; tight quantity with a rate that does not bind.
            1 => RiskConfig {
                max_position_notional_usd: 15_000.0,
                max_gross_notional_usd: 25_000.0,
                ..base
            },
            2 => RiskConfig { reduce_only_loss_usd: 40.0, halt_loss_usd: 120.0, ..base },
            _ => RiskConfig {
                max_order_qty: 110,
                max_orders_per_s: 1_000,
                order_burst: 1_000,
                halt_loss_usd: 1e9,
                reduce_only_loss_usd: 1e9,
                ..base
            },
        }
    })
}

#[test]
fn gate_equals_oracle() {
    let seen: RefCell<BTreeMap<&'static str, u64>> = RefCell::default();
    let steps = prop::collection::vec(any::<Step>(), 1..220);
    let config =
        ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let result = runner.run(&(configs(), steps), |(config, steps)| {
        let mut pair = Pair::new(config);
        for step in steps {
            pair.step(step)?;
        }
        for (name, n) in pair.verdicts {
            *seen.borrow_mut().entry(name).or_default() += n;
        }
        Ok(())
    });
    if let Err(e) = result {
        panic!("{e}");
    }
    // The streams must have reached every control they can reach.
    let seen = seen.into_inner();
    eprintln!("verdicts: {seen:?}");
    let reached = |c: RiskCode| seen.get(c.name()).copied().unwrap_or(0) >= 20;
    let out_of_reach = [
        RiskCode::UnsupportedCurrency,
        RiskCode::OutOfSession,
        RiskCode::Overflow,
        RiskCode::BadClientId,
    ];
    for code in RiskCode::ALL.iter().filter(|c| !out_of_reach.contains(c)) {
        assert!(reached(*code), "{code} was not reached: {seen:?}");
    }
    assert!(seen["passed"] > 5_000);
}
