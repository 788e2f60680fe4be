//! Random streams of everything that can reach a gate, through the gates and the oracle.

mod conditions;
mod ledger;
mod reports;

use super::Comparisons;
use super::book::Oracle;
use super::configs::{self, START_NS};
use super::egress::EgressOracle;
use super::rng::Rng;
use crate::{EgressGate, Gate, Quote, RiskCode, TradingState};
use ijk_core::config::RiskConfig;
use ijk_core::record::Level;
use ijk_core::{
    ClientOrderId, Instrument, InstrumentId, NewOrder, OrderType, ParentId, Px, Qty, RecvTs, Side,
    TimeInForce, VenueReport, num::E9,
};
use zerocopy::IntoBytes;

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

    /// Whether there is little left to learn from this stream.
    pub fn is_over(&self) -> bool {
        self.stopped > 8
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

    /// The law: after an accepted order that adds to the worst case on its own side no exposure
    /// limit is passed.
    fn limits_hold(&self, o: &NewOrder, mid: Px) -> Result<(), String> {
        let index = o.instrument.index();
        let (long, short) = self.gate.worst_case_position(o.instrument);
        let after = long.abs().max(short.abs());
        let (before, grown) = match o.side {
            Side::Bid => ((long - o.qty.0).abs(), long.abs()),
            Side::Ask => ((short + o.qty.0).abs(), short.abs()),
        };
        let i = self.instruments[index];
        let value = i.notional(mid, Qty(grown));
        let position_max = self.config.max_position_notional_usd;
        let gross_max = self.config.max_gross_notional_usd;
        let sums_grew = match o.side {
            Side::Bid => after > before.max(short.abs()),
            Side::Ask => after > before.max(long.abs()),
        };
        let passed = value > position_max * (1.0 + 1e-9)
            || sums_grew && self.gate.gross_exposure_usd() > gross_max * (1.0 + 1e-9);
        if grown > before && passed {
            let gross = self.gate.gross_exposure_usd();
            return Err(format!(
                "worst case of the side {before} to {grown}: value {value} of {position_max}, \
                 gross {gross} of {gross_max} after {o:?}"
            ));
        }
        Ok(())
    }
}

fn bytes(order: &NewOrder) -> [u8; 40] {
    let mut out = [0; 40];
    out.copy_from_slice(order.as_bytes());
    out
}
