//! The egress gate, from the history: sums over everything that left.

use crate::RiskCode;
use ijk_core::config::RiskConfig;
use ijk_core::{Block, Currency, Instrument, NewOrder, OrderType, ReportKind, TimeInForce};
use ijk_core::{VenueReport, num::E9};
use std::collections::BTreeMap;

/// One child that left.
struct Sent {
    now: u64,
    order: NewOrder,
    /// Reports told before it left.
    reports: usize,
}

pub(super) struct EgressOracle {
    /// The settings of the start and every change told since: the strictest of each holds.
    configs: Vec<RiskConfig>,
    instruments: Vec<Instrument>,
    sent: Vec<Sent>,
    reports: Vec<VenueReport>,
    pub parents: BTreeMap<u32, i64>,
    marks: BTreeMap<usize, (i64, u64)>,
    pub floor: u64,
    pub killed: bool,
    pub blocks: u8,
}

impl EgressOracle {
    pub fn new(config: &RiskConfig, instruments: &[Instrument]) -> EgressOracle {
        EgressOracle {
            configs: vec![config.clone()],
            instruments: instruments.to_vec(),
            sent: vec![],
            reports: vec![],
            parents: BTreeMap::new(),
            marks: BTreeMap::new(),
            floor: 0,
            killed: false,
            blocks: 0,
        }
    }

    pub fn tighten(&mut self, config: &RiskConfig) {
        self.configs.push(config.clone());
    }

    fn any(&self, refuses: impl Fn(&RiskConfig) -> bool) -> bool {
        self.configs.iter().any(refuses)
    }

    pub fn on_mark(&mut self, now: u64, index: usize, px: i64) {
        self.marks.remove(&index);
        if px > 0 {
            self.marks.insert(index, (px, now));
        }
    }

    pub fn on_report(&mut self, r: &VenueReport) {
        let repeated = |p: &VenueReport| p.exec_id == r.exec_id && p.kind == ReportKind::Fill;
        if r.kind != ReportKind::Fill || !self.reports.iter().any(repeated) {
            self.reports.push(*r);
        }
    }

    /// What a child has taken of its parent and not given back.
    fn used(&self, child: &Sent) -> i128 {
        let mut rest = i128::from(child.order.qty.0);
        let (mut used, mut ended) = (rest, false);
        let own = |r: &&VenueReport| r.client_order_id == child.order.client_order_id;
        for r in self.reports[child.reports..].iter().filter(own) {
            let qty = match r.kind {
                ReportKind::Fill => i128::from(r.qty.0),
                ReportKind::Reject
                | ReportKind::Canceled
                | ReportKind::Expired
                | ReportKind::Absent => 0,
                _ => continue,
            };
            if ended {
                used += qty;
            } else if qty == 0 {
                used -= rest;
                ended = true;
            } else {
                used += (qty - rest).max(0);
                rest = (rest - qty).max(0);
                ended = rest == 0;
            }
        }
        used
    }

    pub fn check(&mut self, now: u64, o: &NewOrder) -> Result<(), RiskCode> {
        if self.killed {
            return Err(RiskCode::Killed);
        }
        if let Some(block) = Block::ALL.iter().find(|b| self.blocks & b.bit() != 0) {
            return Err(RiskCode::of_block(*block));
        }
        let index = o.instrument.index();
        let i = self.instruments.get(index).copied().ok_or(RiskCode::UnknownInstrument)?;
        let symbol = i.symbol.to_string();
        let whole_e9 = i128::from(o.qty.0) * i128::from(i.qty_unit_e9);
        let barred = |c: &RiskConfig| {
            let listed = c.allow_symbols.iter().any(|s| *s == symbol || s == "*");
            !listed || c.restricted_symbols.contains(&symbol)
        };
        let too_many = |c: &RiskConfig| {
            c.max_order_qty < 1 || whole_e9 > i128::from(c.max_order_qty) * i128::from(E9)
        };
        let last = self.sent.iter().map(|s| s.order.client_order_id.0).max().unwrap_or(0);
        let market = o.order_type == OrderType::Market;
        let id = o.client_order_id.0;
        let rows = [
            (self.any(barred), RiskCode::NotAllowed),
            (!matches!(i.currency, Currency::Usd | Currency::Usdt), RiskCode::UnsupportedCurrency),
            (id == 0, RiskCode::BadClientId),
            (id <= last.max(self.floor), RiskCode::DuplicateClientId),
            (o.qty.0 < 1, RiskCode::BadQuantity),
            (o.qty.0 % i.lot.0 != 0, RiskCode::OffLot),
            (market != (o.px.0 == 0) || o.px.0 < 0, RiskCode::BadPrice),
            (o.px.0 % i.tick.0 != 0, RiskCode::OffTick),
            (o.tif == TimeInForce::Gtc && self.any(|c| !c.allow_gtc), RiskCode::TimeInForce),
            (self.any(too_many), RiskCode::OrderQty),
        ];
        if let Some(row) = rows.iter().find(|r| r.0) {
            return Err(row.1);
        }
        self.check_price(now, o, whole_e9)?;
        let near = self.sent.iter().filter(|s| now - s.now < 1_000_000_000).count() as u64;
        let too_fast = |c: &RiskConfig| {
            let per_second = (u64::from(c.max_orders_per_s) + u64::from(c.order_burst)) * 2;
            let unset = c.max_orders_per_s == 0 || c.order_burst == 0;
            unset || near >= per_second.min(4_096)
        };
        if self.any(too_fast) {
            return Err(RiskCode::MessageRate);
        }
        let total = self.parents.get(&o.parent_id.0).copied().ok_or(RiskCode::UnknownParent)?;
        let of_parent = self.sent.iter().filter(|s| s.order.parent_id == o.parent_id);
        let used: i128 = of_parent.map(|s| self.used(s)).sum();
        if used + i128::from(o.qty.0) > total.into() {
            return Err(RiskCode::ParentQuantity);
        }
        self.sent.push(Sent { now, order: *o, reports: self.reports.len() });
        Ok(())
    }

    fn check_price(&self, now: u64, o: &NewOrder, whole_e9: i128) -> Result<(), RiskCode> {
        let (mark, told) =
            self.marks.get(&o.instrument.index()).copied().ok_or(RiskCode::MissingMark)?;
        let too_old = |c: &RiskConfig| {
            u128::from(now - told) > u128::from(c.quote_max_age_ms) * 10_000_000
                || c.quote_max_age_ms == 0
        };
        if self.any(too_old) {
            return Err(RiskCode::StaleQuote);
        }
        let low = self.configs.iter().all(|c| (mark as f64) < c.low_price_usd * 1e9);
        let collar = |c: &RiskConfig| match low {
            true => c.price_collar_low_hard_bps,
            false => c.price_collar_hard_bps,
        };
        if self.any(|c| !collar(c).is_finite() || collar(c) <= 0.0) {
            return Err(RiskCode::PriceCollar);
        }
        let bps = self.configs.iter().map(collar).fold(f64::INFINITY, f64::min);
        let mark_px = mark as f64 / 1e9;
        let px = match o.order_type {
            OrderType::Market => mark_px + mark_px * (bps / 1e4).min(0.03),
            OrderType::Limit => (o.px.0.max(mark)) as f64 / 1e9,
        };
        let value = px * (whole_e9 as f64 / 1e9);
        let passed = |l: &f64| !l.is_finite() || *l <= 0.0 || value > l * 1.05 * (1.0 + 1e-13);
        let too_dear = |c: &RiskConfig| {
            let part = c.max_order_equity_fraction * c.start_equity_usd;
            [c.max_order_notional_usd, part].iter().any(passed)
        };
        if self.any(too_dear) {
            return Err(RiskCode::OrderNotional);
        }
        // 1e-6 of a basis point of room, as the collars are written.
        let distance = (i128::from(o.px.0) - i128::from(mark)).abs() * 10_000_000_000;
        let allowed = i128::from(mark) * (bps * 1e6).round() as i128;
        if o.order_type == OrderType::Limit && distance > allowed {
            return Err(RiskCode::PriceCollar);
        }
        Ok(())
    }
}
