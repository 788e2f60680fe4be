//! Random streams of everything that can reach a gate, through the gates and the oracle.

use super::Comparisons;
use super::book::{Oracle, Past};
use super::configs::{self, START_NS};
use super::egress::EgressOracle;
use crate::blocks::InstrumentBlock;
use crate::{EgressGate, Gate, LedgerError, MarketState, Quote, RiskCode, TradingState};
use ijk_core::config::RiskConfig;
use ijk_core::record::Level;
use ijk_core::{
    Block, CarryItem, CarryKind, ClientOrderId, ExchTs, ExecId, Instrument, InstrumentId, NewOrder,
    OrderType, ParentId, Px, Qty, RecvTs, ReportKind, Side, TimeInForce, VenueOrderId, VenueReport,
    num::E9,
};
use zerocopy::IntoBytes;

/// SplitMix64 (Steele, Lea, Flood 2014).
pub(super) struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `n`; the bias of the remainder does not matter here.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> Option<T> {
        (!list.is_empty()).then(|| list[self.below(list.len() as u64) as usize])
    }

    fn within(&mut self, reach: i64) -> i64 {
        self.below(2 * reach as u64 + 1) as i64 - reach
    }
}

const MS: u64 = 1_000_000;

pub(super) struct Pair {
    rng: Rng,
    gate: Gate,
    oracle: Oracle,
    egress: EgressGate,
    egress_oracle: EgressOracle,
    config: RiskConfig,
    instruments: Vec<Instrument>,
    now: u64,
    id: u64,
    exec: u64,
    /// Mid per instrument in ticks.
    mids: Vec<i64>,
    /// Orders the venue still works on, and ended ones.
    open: Vec<(NewOrder, i64)>,
    ended: Vec<NewOrder>,
    fills: Vec<VenueReport>,
    parent: u32,
    /// Steps since trading stopped for good.
    stopped: u32,
}

impl Pair {
    pub fn new(seed: u64) -> Pair {
        let mut rng = Rng(seed);
        let instruments = configs::instruments(&mut rng);
        let config = configs::config(&mut rng);
        let gate = Gate::new(&config, &instruments);
        let mut pair = Pair {
            gate: gate.unwrap_or_else(|e| unreachable!("Invariant: a sane table: {e}")),
            oracle: Oracle::new(&config, &instruments),
            egress: EgressGate::new(&config, &instruments),
            egress_oracle: EgressOracle::new(&config, &instruments),
            config,
            now: START_NS,
            id: 0,
            exec: 0,
            mids: vec![10_000; instruments.len()],
            instruments,
            open: vec![],
            ended: vec![],
            fills: vec![],
            parent: 0,
            stopped: 0,
            rng,
        };
        if pair.rng.one_in(6) {
            pair.carry();
        }
        pair
    }

    pub fn step(&mut self, sum: &mut Comparisons) -> Result<(), String> {
        self.now += match self.rng.below(64) {
            0 => 1_000 * MS + self.rng.below(12_000 * MS),
            1..=8 => 0,
            _ => self.rng.below(200 * MS),
        };
        if self.rng.one_in(400) {
            self.now += 60_000 * MS;
        }
        if self.rng.one_in(4) {
            self.lift();
        }
        self.stopped += u32::from(self.gate.state() >= TradingState::Halted);
        match self.rng.below(1_000) {
            0..=439 => self.order(sum)?,
            440..=639 => self.fill()?,
            640..=699 => self.end()?,
            700..=759 => self.mark(),
            760..=829 => self.quote(),
            830..=849 => self.repeat()?,
            850..=864 => self.note()?,
            865..=889 => self.cancel()?,
            890..=902 => self.bust()?,
            903..=912 => self.commission()?,
            913..=916 => self.faulty()?,
            917..=924 => self.block(),
            925..=944 => self.block_instrument(),
            945..=957 => self.market(),
            958..=965 => self.index(),
            966..=975 => self.clock(),
            976..=984 => self.adopt()?,
            985..=987 => self.tighten(),
            988 => self.kill(),
            _ => self.parent(),
        }
        sum.ledgers += 1;
        self.compare()
    }

    fn parent(&mut self) {
        self.parent += 1;
        let qty = 50 + self.rng.below(400) as i64;
        let scale = if self.rng.one_in(3) { E9 } else { 1 };
        self.egress.on_parent(ParentId(self.parent), Qty(qty * scale));
        self.egress_oracle.parents.insert(self.parent, qty * scale);
    }

    fn level(&mut self, index: usize, ticks: i64, qty: i64) -> Level {
        Level { px: Px(ticks * self.instruments[index].tick.0), qty: Qty(qty) }
    }

    fn index_of_instrument(&mut self) -> usize {
        let rare = self.rng.one_in(16);
        self.rng.below(if rare { 6 } else { 3 }) as usize
    }

    /// A random walk of the mid, now and then with a jump.
    fn walk(&mut self, index: usize) -> i64 {
        let reach = if self.rng.one_in(24) { 600 } else { 20 };
        let moved = self.mids[index] + self.rng.within(reach);
        self.mids[index] = moved.clamp(8_000, 12_000);
        self.mids[index]
    }

    fn order(&mut self, sum: &mut Comparisons) -> Result<(), String> {
        let index = self.index_of_instrument();
        let i = self.instruments[index];
        let scale = E9 / i.qty_unit_e9;
        let mid = self.walk(index);
        let side = if self.rng.one_in(2) { Side::Bid } else { Side::Ask };
        let market = self.rng.one_in(8);
        let px = if market { 0 } else { mid + self.rng.within(105) };
        // Now and then malformed, stale, crossed, one-sided or repeated.
        let odd = self.rng.below(80);
        if odd != 1 {
            self.id += 1;
        }
        if self.parent == 0 || self.rng.one_in(6) {
            self.parent();
        }
        let mut order = NewOrder {
            client_order_id: ClientOrderId(if odd == 15 { 0 } else { self.id }),
            qty: Qty(match odd {
                2 => -(self.rng.below(90) as i64),
                3 => scale + 1,
                _ => (self.rng.below(13) as i64 + 1) * 10 * scale,
            }),
            px: Px(px * i.tick.0 + i64::from(odd == 4)),
            parent_id: ParentId(if odd == 16 { 0 } else { self.parent }),
            instrument: InstrumentId(if odd == 5 { 77 } else { index as u16 }),
            side,
            order_type: if market { OrderType::Market } else { OrderType::Limit },
            tif: if odd == 17 { TimeInForce::Gtc } else { TimeInForce::Day },
            reserved: [0; 7],
        };
        if let (11..=14 | 18..=24, Some((last, _))) = (odd, self.open.last()) {
            order = NewOrder { client_order_id: order.client_order_id, ..*last };
        }
        let half = if odd == 7 { -1 } else { 1 };
        let size = i64::from(odd != 6);
        let quote = Quote {
            bid: self.level(index, mid - half, size),
            ask: self.level(index, mid + half, size),
            ts: RecvTs(self.now - if odd == 8 { 500 * MS } else { self.rng.below(300) * MS }),
            trusted: odd != 9,
        };
        let now = self.now - u64::from(odd == 10);
        let got = self.gate.check(RecvTs(now), order, &quote).map(|_| ());
        let want = self.oracle.check(now, &order, &quote);
        sum.verdicts += 1;
        *sum.by_code.entry(want.err().map_or("passed", RiskCode::name)).or_default() += 1;
        if got != want {
            return Err(format!("gate {got:?}, oracle {want:?}\n{order:?}\n{quote:?}"));
        }
        if got.is_ok() {
            self.open.push((order, order.qty.0));
            self.limits_hold(&order, Px((quote.bid.px.0 + quote.ask.px.0) / 2))?;
        }
        if !self.rng.one_in(12) {
            let px = Px(mid * i.tick.0);
            self.egress.on_mark(RecvTs(self.now), InstrumentId(index as u16), px);
            self.egress_oracle.on_mark(self.now, index, px.0);
        }
        // Bytes that the gate refused must be judged too: that is what the second gate is for.
        let egress_got = self.egress.check(RecvTs(self.now), &bytes(&order));
        let egress_want = self.egress_oracle.check(self.now, &order);
        sum.egress_verdicts += 1;
        let name = egress_want.err().map_or("passed", RiskCode::name);
        *sum.egress_by_code.entry(name).or_default() += 1;
        if egress_got != egress_want {
            return Err(format!("egress gate {egress_got:?}, oracle {egress_want:?}\n{order:?}"));
        }
        Ok(())
    }

    /// The law: after an accepted order that adds to the worst case no exposure limit is passed.
    fn limits_hold(&self, o: &NewOrder, mid: Px) -> Result<(), String> {
        let index = o.instrument.index();
        let (long, short) = self.gate.worst_case_position(o.instrument);
        let after = long.abs().max(short.abs());
        let before = match o.side {
            Side::Bid => (long - o.qty.0).abs().max(short.abs()),
            Side::Ask => (short + o.qty.0).abs().max(long.abs()),
        };
        let i = self.instruments[index];
        let value = i.notional(mid, Qty(after));
        let position_max = self.config.max_position_notional_usd;
        let gross_max = self.config.max_gross_notional_usd;
        let passed = value > position_max * (1.0 + 1e-9)
            || self.gate.gross_exposure_usd() > gross_max * (1.0 + 1e-9);
        if after > before && passed {
            let gross = self.gate.gross_exposure_usd();
            return Err(format!(
                "worst case {before} to {after}: value {value} of {position_max}, gross {gross} of \
                 {gross_max} after {o:?}"
            ));
        }
        Ok(())
    }

    fn report_of(
        &self,
        kind: ReportKind,
        o: &NewOrder,
        qty: i64,
        leaves: i64,
        px: Px,
    ) -> VenueReport {
        let is_fill = kind == ReportKind::Fill;
        VenueReport {
            ts_exchange: ExchTs(0),
            client_order_id: o.client_order_id,
            venue_order_id: VenueOrderId(1),
            exec_id: ExecId(if is_fill { self.exec } else { 0 }),
            px,
            qty: Qty(qty),
            leaves: Qty(leaves),
            fee_e9: if is_fill { 350_000_000 } else { 0 },
            instrument: o.instrument,
            reason: 0,
            kind,
            side: o.side,
            maker: 0,
            reserved: 0,
        }
    }

    /// Tells all four of a report; the gate must answer as expected.
    fn tell(&mut self, r: &VenueReport, expect: Result<(), ()>) -> Result<(), String> {
        let got = self.gate.on_report(RecvTs(self.now), r);
        self.oracle.on_report(self.now, r);
        self.egress.on_report(r);
        self.egress_oracle.on_report(r);
        if got.is_ok() != expect.is_ok() {
            return Err(format!("report {r:?}: the gate says {got:?}"));
        }
        if r.kind == ReportKind::Fill && !self.fills.iter().any(|f| f.exec_id == r.exec_id) {
            self.fills.push(*r);
        }
        Ok(())
    }

    fn price_near(&mut self, o: &NewOrder) -> Px {
        let index = o.instrument.index();
        let ticks = self.mids[index] + self.rng.within(30);
        Px(ticks * self.instruments[index].tick.0)
    }

    fn fill(&mut self) -> Result<(), String> {
        let Some((order, open)) = self.rng.pick(&self.open) else { return Ok(()) };
        let lot = self.instruments[order.instrument.index()].lot.0;
        let part = open / lot * self.rng.below(100) as i64 / 100 * lot;
        let qty = if self.rng.one_in(3) || part == 0 { open } else { part };
        let px = self.price_near(&order);
        self.exec += 1;
        let report = self.report_of(ReportKind::Fill, &order, qty, open - qty, px);
        self.tell(&report, Ok(()))?;
        self.take_off(&order, qty);
        Ok(())
    }

    fn take_off(&mut self, order: &NewOrder, qty: i64) {
        for o in self.open.iter_mut().filter(|o| o.0.client_order_id == order.client_order_id) {
            o.1 -= qty;
        }
        let ended = &mut self.ended;
        self.open.retain(|o| {
            if o.1 <= 0 {
                ended.push(o.0);
            }
            o.1 > 0
        });
    }

    fn end(&mut self) -> Result<(), String> {
        let Some((order, open)) = self.rng.pick(&self.open) else { return Ok(()) };
        let untouched = open == order.qty.0;
        let kind = match self.rng.below(5) {
            0 | 1 if untouched => ReportKind::Reject,
            2 if untouched => ReportKind::Absent,
            3 => ReportKind::Expired,
            _ => ReportKind::Canceled,
        };
        let all = matches!(kind, ReportKind::Reject | ReportKind::Absent);
        let report = self.report_of(kind, &order, if all { 0 } else { open }, 0, Px(0));
        self.tell(&report, Ok(()))?;
        self.take_off(&order, open);
        Ok(())
    }

    fn note(&mut self) -> Result<(), String> {
        let Some((order, open)) = self.rng.pick(&self.open) else { return Ok(()) };
        let refused = self.rng.one_in(2);
        let kind = if refused { ReportKind::CancelReject } else { ReportKind::Ack };
        self.tell(&self.report_of(kind, &order, 0, open, Px(0)), Ok(()))
    }

    fn repeat(&mut self) -> Result<(), String> {
        let Some(fill) = self.rng.pick(&self.fills) else { return Ok(()) };
        let got = self.gate.on_report(RecvTs(self.now), &fill);
        self.oracle.on_report(self.now, &fill);
        self.egress.on_report(&fill);
        self.egress_oracle.on_report(&fill);
        match got {
            Err(LedgerError::RepeatedExecution(_)) => Ok(()),
            other => Err(format!("{fill:?} again: the gate says {other:?}")),
        }
    }

    fn bust(&mut self) -> Result<(), String> {
        let unknown = self.rng.one_in(12);
        let Some(fill) = self.rng.pick(&self.fills) else { return Ok(()) };
        let exec_id = if unknown { ExecId(1 << 40) } else { fill.exec_id };
        let report = VenueReport { kind: ReportKind::Bust, exec_id, fee_e9: 0, ..fill };
        let fresh = !unknown && !self.oracle.was_busted(fill.exec_id.0);
        self.tell(&report, if fresh { Ok(()) } else { Err(()) })
    }

    fn commission(&mut self) -> Result<(), String> {
        let unknown = self.rng.one_in(12);
        let Some(fill) = self.rng.pick(&self.fills) else { return Ok(()) };
        let exec_id = if unknown { ExecId(1 << 41) } else { fill.exec_id };
        let fee_e9 = self.rng.within(500_000_000);
        let report = VenueReport { kind: ReportKind::Commission, exec_id, fee_e9, ..fill };
        self.tell(&report, if unknown { Err(()) } else { Ok(()) })
    }

    /// Reports that reconciliation must settle.
    fn faulty(&mut self) -> Result<(), String> {
        self.exec += 1;
        let (late, open) = (self.rng.pick(&self.ended), self.rng.pick(&self.open));
        let report = match (self.rng.below(5), late, open) {
            (0, Some(o), _) => {
                let px = self.price_near(&o);
                self.report_of(ReportKind::Fill, &o, o.qty.0, 0, px)
            }
            (1, _, Some((o, open))) => {
                let px = self.price_near(&o);
                self.take_off(&o, open);
                self.report_of(ReportKind::Fill, &o, open + o.qty.0, 0, px)
            }
            (2, _, Some((o, open))) => {
                let px = self.price_near(&o);
                self.take_off(&o, open / 2);
                let rest = open - open / 2;
                self.report_of(ReportKind::Fill, &o, open / 2, rest + 1, px)
            }
            (3, _, Some((o, open))) => self.report_of(ReportKind::Canceled, &o, open + 1, 0, Px(0)),
            (_, _, Some((o, open))) => {
                let stranger = NewOrder { client_order_id: ClientOrderId(u64::MAX), ..o };
                let px = self.price_near(&o);
                self.report_of(ReportKind::Fill, &stranger, open, 0, px)
            }
            _ => return Ok(()),
        };
        if report.kind == ReportKind::Fill && report.qty.0 <= 0 {
            return Ok(());
        }
        self.tell(&report, Err(()))
    }

    fn mark(&mut self) {
        let index = self.index_of_instrument();
        let ticks = self.walk(index);
        let mid = match self.rng.below(23) {
            0 => f64::NAN,
            1 => -1.0,
            _ => ticks as f64 * self.instruments[index].tick.0 as f64 / 1e9,
        };
        let id = InstrumentId(index as u16);
        self.gate.on_mark(RecvTs(self.now), id, mid);
        self.oracle.on_mark(self.now, index, mid);
        let px = Px::from_f64(mid).unwrap_or_default();
        self.egress.on_mark(RecvTs(self.now), id, px);
        self.egress_oracle.on_mark(self.now, index, px.0);
    }

    fn quote(&mut self) {
        let index = self.index_of_instrument();
        let mid = self.walk(index);
        let odd = self.rng.below(24);
        let half = [1, 0, -1][usize::from(odd < 2) * (odd as usize + 1)];
        let bid = if odd == 2 { -5 } else { mid - half };
        let quote = Quote {
            bid: self.level(index, bid, i64::from(odd != 3)),
            ask: self.level(index, mid + half, i64::from(odd != 4)),
            ts: RecvTs(self.now),
            trusted: odd != 5,
        };
        let had_trade = self.rng.one_in(3);
        self.gate.on_quote(RecvTs(self.now), InstrumentId(index as u16), &quote, had_trade);
        self.oracle.on_quote(self.now, index, &quote, had_trade);
    }

    fn cancel(&mut self) -> Result<(), String> {
        let got = self.gate.on_cancel(RecvTs(self.now), ClientOrderId(1));
        let want = self.oracle.on_cancel(self.now);
        if got == want { Ok(()) } else { Err(format!("cancel: gate {got}, oracle {want}")) }
    }

    /// Whether there is little left to learn from this stream.
    pub fn is_over(&self) -> bool {
        self.stopped > 8
    }

    fn block(&mut self) {
        let block = self.rng.pick(&Block::ALL).unwrap_or(Block::Link);
        self.set_block(block, true);
    }

    /// Lifts every reason, as reconciliation would.
    fn lift(&mut self) {
        for block in Block::ALL {
            if self.gate.blocks() & block.bit() != 0 {
                self.set_block(block, false);
            }
        }
        for index in 0..self.instruments.len() {
            for block in InstrumentBlock::ALL {
                let id = InstrumentId(index as u16);
                if self.gate.instrument_blocks(id) & block.bit() != 0 {
                    self.gate.unblock_instrument(RecvTs(self.now), id, block);
                    let event = Past::InstrumentBlock { index, block, set: false };
                    self.oracle.on_event(self.now, event);
                }
            }
        }
        self.gate.on_market_wide_resume(RecvTs(self.now));
        self.oracle.on_resume(self.now);
    }

    fn set_block(&mut self, block: Block, set: bool) {
        if set {
            self.gate.block(RecvTs(self.now), block);
            self.egress.block(block);
            self.egress_oracle.blocks |= block.bit();
        } else {
            self.gate.unblock(RecvTs(self.now), block);
            self.egress.unblock(block);
            self.egress_oracle.blocks &= !block.bit();
        }
        self.oracle.set_block(self.now, block, set);
    }

    fn block_instrument(&mut self) {
        let index = self.index_of_instrument();
        let id = InstrumentId(index as u16);
        if let Some(block) = self.rng.pick(&InstrumentBlock::ALL) {
            self.gate.block_instrument(RecvTs(self.now), id, block);
            self.oracle.on_event(self.now, Past::InstrumentBlock { index, block, set: true });
        }
    }

    fn market(&mut self) {
        let index = self.index_of_instrument();
        let (id, now) = (InstrumentId(index as u16), RecvTs(self.now));
        match self.rng.below(8) {
            0..=4 => {
                let list = [
                    MarketState::Open,
                    MarketState::Open,
                    MarketState::Halted,
                    MarketState::Auction,
                ];
                let state = self.rng.pick(&list).unwrap_or(MarketState::Open);
                self.gate.on_market_state(now, id, state);
                self.oracle.on_market_state(self.now, index, state);
            }
            5 => {
                let on = self.rng.one_in(2);
                self.gate.on_short_sale_restriction(now, id, on);
                self.oracle.on_event(self.now, Past::ShortRestricted { index, on });
            }
            _ => {
                let mid = self.mids[index] + self.rng.within(900);
                let px = Px(mid * self.instruments[index].tick.0);
                let reference = Some(px).filter(|_| !self.rng.one_in(3));
                self.gate.on_luld_reference(now, id, reference);
                self.oracle.on_band(self.now, index, reference);
            }
        }
    }

    fn index(&mut self) {
        let now = RecvTs(self.now);
        if self.rng.one_in(2) {
            self.gate.on_market_wide_resume(now);
            self.oracle.on_resume(self.now);
            return;
        }
        let last_close = 1_000_000;
        let percent = self.rng.pick(&[0, 1, 6, 7, 8, 12, 13, 14]).unwrap_or(0);
        let percent = if self.rng.one_in(20) { 20 } else { percent };
        let index = last_close - last_close / 100 * percent + self.rng.within(1);
        self.gate.on_index(now, Px(index), Px(last_close));
        self.oracle.on_index(self.now, index, last_close);
    }

    fn clock(&mut self) {
        let ms = self.rng.pick(&[0, 9, 10, 11, 49, 50, 51, 5_000]).unwrap_or(0);
        let sign = if self.rng.one_in(2) { 1 } else { -1 };
        let offset = (!self.rng.one_in(12)).then_some(ms * sign * MS as i64);
        self.gate.on_clock_offset(RecvTs(self.now), offset);
        self.oracle.on_clock(self.now, offset);
    }

    fn adopt(&mut self) -> Result<(), String> {
        let index = self.rng.below(3) as usize;
        let i = self.instruments[index];
        let market = self.rng.one_in(4);
        self.id += 1;
        let ticks = self.mids[index] + self.rng.within(100);
        let qty = (self.rng.below(10) as i64 + 1) * 10 * (E9 / i.qty_unit_e9);
        let order = NewOrder {
            client_order_id: ClientOrderId(self.id),
            qty: Qty(2 * qty),
            px: Px(if market { 0 } else { ticks * i.tick.0 }),
            parent_id: ParentId(0),
            instrument: InstrumentId(index as u16),
            side: if self.rng.one_in(2) { Side::Bid } else { Side::Ask },
            order_type: if market { OrderType::Market } else { OrderType::Limit },
            tif: TimeInForce::Day,
            reserved: [0; 7],
        };
        self.gate.set_client_floor(order.client_order_id);
        self.oracle.floor = self.id;
        self.egress.set_client_floor(order.client_order_id);
        self.egress_oracle.floor = self.id;
        self.gate.adopt_order(&order, Qty(qty)).map_err(|e| format!("adopt {order:?}: {e}"))?;
        self.oracle.adopt_order(&order, qty);
        self.open.push((NewOrder { qty: Qty(qty), ..order }, qty));
        Ok(())
    }

    /// What an earlier run left, before the first step.
    fn carry(&mut self) {
        let index = self.rng.below(2) as usize;
        let held = self.rng.within(200);
        let e18 = 1_000_000_000_000_000_000i128;
        let mut item = CarryItem::new(CarryKind::Account);
        item.instrument = InstrumentId(index as u16);
        item.qty = Qty(held);
        item.cost = CarryItem::split(i128::from(held) * 100 * e18 / 1_000 * 999);
        item.realised = CarryItem::split(i128::from(self.rng.within(50)) * e18);
        item.fees = CarryItem::split(i128::from(self.rng.below(20)) * e18);
        self.gate.adopt_account(&item);
        self.oracle.adopt_account(&item);
    }

    fn tighten(&mut self) {
        let config = configs::changed(&self.config, &mut self.rng);
        self.gate.tighten(&config);
        self.oracle.tighten(&config);
    }

    fn kill(&mut self) {
        self.gate.kill(RecvTs(self.now));
        self.oracle.kill(self.now);
        self.egress.kill();
        self.egress_oracle.killed = true;
    }

    /// The whole ledger, exactly.
    fn compare(&mut self) -> Result<(), String> {
        let (gate, oracle) = (&self.gate, &self.oracle);
        let reserved: i128 = gate.accounts.iter().map(|a| a.reserved).sum();
        let got = (gate.state, gate.blocks, gate.profit, gate.peak, gate.spent, reserved);
        let want = (
            oracle.state,
            oracle.blocks,
            oracle.profit(),
            oracle.best,
            oracle.spent(),
            oracle.reserved(),
        );
        if got != want {
            return Err(format!(
                "state, blocks, profit, peak, spent, reserved: gate {got:?}, oracle {want:?}"
            ));
        }
        let runs = (gate.losers_run, gate.rejects_run, gate.mismatches, gate.working.len());
        let counted =
            (oracle.losers(), oracle.rejects(), oracle.mismatches, oracle.working().len());
        if runs != counted {
            return Err(format!(
                "losers, rejects, mismatches, orders: gate {runs:?}, oracle {counted:?}"
            ));
        }
        for (index, a) in gate.accounts.iter().enumerate() {
            let id = InstrumentId(index as u16);
            let (long, short) = gate.worst_case_position(id);
            let set = oracle.market(index).blocks.iter().fold(0, |set, b| set | b.bit());
            let got = (
                i128::from(a.position),
                (i128::from(long), i128::from(short)),
                a.watch.blocks,
                (a.slippage_latched, a.entry_latched),
            );
            let latched = (oracle.slippage_latched[index], oracle.entry_latched[index]);
            let want = (oracle.position(index), oracle.worst(index), set, latched);
            if got != want {
                return Err(format!(
                    "instrument {index}: position, worst, blocks, latches: gate {got:?}, oracle \
                     {want:?}"
                ));
            }
        }
        if gate.working_orders().any(|o| o.3.0 <= 0) {
            return Err("a working order without quantity".into());
        }
        Ok(())
    }
}

fn bytes(order: &NewOrder) -> [u8; 40] {
    let mut out = [0; 40];
    out.copy_from_slice(order.as_bytes());
    out
}
