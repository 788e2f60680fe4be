//! Quotes and last trades of an instrument, at intervals.

use super::subs::{QuoteSub, Sub, SubKind};
use super::{ConnId, Gateway, Timer};
use crate::contracts::Inst;
use crate::market::options::Terms as OptionTerms;
use crate::market::{Bbo, Change};
use crate::num::{Shares, price_f64};
use crate::proto::*;
use crate::time::{self, SECOND};

/// Ticks by number: live and delayed.
const BID: (i32, i32) = (1, 66);
const ASK: (i32, i32) = (2, 67);
const LAST: (i32, i32) = (4, 68);
const BID_SIZE: (i32, i32) = (0, 69);
const ASK_SIZE: (i32, i32) = (3, 70);
const LAST_SIZE: (i32, i32) = (5, 71);
const HIGH: (i32, i32) = (6, 72);
const LOW: (i32, i32) = (7, 73);
const VOLUME: (i32, i32) = (8, 74);
const CLOSE: (i32, i32) = (9, 75);
const OPEN: (i32, i32) = (14, 76);
const LAST_TIME: (i32, i32) = (45, 88);

impl Gateway {
    pub(super) fn market_data(&mut self, conn: ConnId, r: &MarketDataRequest) {
        let req_id = r.req_id.unwrap_or(0);
        let contract = r.contract.clone().unwrap_or_default();
        let Some(inst) = self.one_instrument(conn, req_id, &contract) else { return };
        let limit = self.config.limits.lines;
        let quotes = |s: &Sub| matches!(s.kind, SubKind::Quotes(_));
        if !self.room_for_sub(conn, req_id, limit, 101, quotes) {
            return;
        }
        let Some(data_kind) = self.data_kind_for(conn, req_id) else { return };
        self.send(
            conn,
            58,
            &MarketDataType { req_id: Some(req_id), market_data_type: Some(data_kind) },
        );
        let params = TickReqParams {
            req_id: Some(req_id),
            min_tick: Some(crate::num::plain(price_f64(self.universe.tick_px(inst)))),
            bbo_exchange: Some("9c0001".into()),
            snapshot_permissions: Some(3),
        };
        self.send(conn, 81, &params);
        let list = r.generic_tick_list.as_deref().unwrap_or("");
        let number = |word: &str| word.split(':').next()?.trim().parse().ok();
        let sub = QuoteSub {
            generic: list.split(',').filter_map(number).take(64).collect(),
            data_kind,
            news_ns: self.now_ns.saturating_sub(SECOND),
            ..QuoteSub::default()
        };
        let sub = Sub { inst, kind: SubKind::Quotes(Box::new(sub)), dead: false };
        if let Some(c) = self.conn(conn) {
            c.subs.insert(req_id, sub);
        }
        self.quotes_due(conn, req_id);
        if r.snapshot == Some(true) || r.regulatory_snapshot == Some(true) {
            self.send(conn, 57, &ReqIdOnly { req_id: Some(req_id) });
            if let Some(c) = self.conn(conn) {
                c.subs.remove(&req_id);
            }
        }
    }

    /// Returns the data type a new stream gets; `None` if it is refused, which has been told.
    fn data_kind_for(&mut self, conn: ConnId, req_id: i32) -> Option<i32> {
        let asked = self.conn(conn).map_or(1, |c| c.data_kind);
        match self.faults.data_code {
            None => Some(self.faults.data_kind.unwrap_or(asked)),
            Some(code @ (10_089 | 10_090 | 10_091 | 10_167)) => {
                self.error_code(conn, req_id, code);
                Some(3)
            }
            Some(code) => {
                self.error_code(conn, req_id, code);
                None
            }
        }
    }

    /// Returns the only instrument a request names; otherwise error 200 has been told.
    pub(super) fn one_instrument(
        &mut self,
        conn: ConnId,
        req_id: i32,
        c: &Contract,
    ) -> Option<Inst> {
        match self.universe.matching(c)[..] {
            [inst] => Some(inst),
            [] => {
                self.error_code(conn, req_id, 200);
                None
            }
            _ => {
                let text = "The contract description specified is ambiguous";
                self.error(conn, req_id, 200, text);
                None
            }
        }
    }

    /// Returns whether a stream of this number and kind may begin; otherwise that has been told.
    pub(super) fn room_for_sub(
        &mut self,
        conn: ConnId,
        req_id: i32,
        limit: usize,
        code: i32,
        same: impl Fn(&Sub) -> bool,
    ) -> bool {
        let Some(c) = self.conn(conn) else { return false };
        let double = c.subs.contains_key(&req_id);
        let count = c.subs.values().filter(|s| same(s)).count();
        let full = c.subs.len() >= super::conn::SUB_COUNT_MAX;
        if double {
            self.error_code(conn, req_id, 102);
        } else if full || (limit > 0 && count >= limit) {
            self.error_code(conn, req_id, code);
        }
        !(double || full || (limit > 0 && count >= limit))
    }

    /// A feed event happened: streams of its stock follow.
    pub(super) fn quotes_changed(&mut self, change: &Change) {
        let stock = change.stock;
        if self.faults.data_is_off() || self.market.stocks()[stock].silent {
            return;
        }
        let mut touched = Vec::new();
        for (&conn, c) in &self.conns {
            let of = c.subs.iter().filter(|(_, s)| s.inst.stock == stock && !s.dead);
            touched.extend(of.map(|(&req_id, s)| (conn, req_id, kind_of(&s.kind))));
        }
        for (conn, req_id, kind) in touched {
            match kind {
                Touched::Quotes => self.schedule_quotes(conn, req_id),
                Touched::Depth => self.depth_due(conn, req_id),
                Touched::Ticks => self.ticks_due(conn, req_id, change),
                Touched::Other => {}
            }
        }
    }

    fn schedule_quotes(&mut self, conn: ConnId, req_id: i32) {
        let interval = super::conn::ms(self.config.quote_interval_ms);
        let now_ns = self.now_ns;
        let Some(q) = self.quote_sub(conn, req_id).filter(|q| !q.scheduled) else { return };
        let due = q.told_ns.saturating_add(interval).max(now_ns);
        q.scheduled = true;
        self.timer(due, Timer::Quotes(conn, req_id));
    }

    fn quote_sub(&mut self, conn: ConnId, req_id: i32) -> Option<&mut QuoteSub> {
        match &mut self.conn(conn)?.subs.get_mut(&req_id)?.kind {
            SubKind::Quotes(q) => Some(q),
            _ => None,
        }
    }

    /// Returns the quote of an instrument: that of the book, or of an option's value.
    pub(super) fn quote(&self, inst: Inst) -> Bbo {
        let Some(stock) = self.market.stocks().get(inst.stock) else { return Bbo::default() };
        let Some(_) = inst.option else { return stock.bbo() };
        let Some(value) = self.option_terms(inst).and_then(|t| t.value(t.quoted_vol())) else {
            return Bbo::default();
        };
        // At least a cent, or two percent, between bid and ask.
        let half = (value.price * 0.01).max(0.005);
        let cents = |dollars: f64| ((dollars * 100.0).round() as i64).max(1) * 10_000_000;
        let bid_px = cents(value.price - half);
        let ask_px = cents(value.price + half).max(bid_px + 10_000_000);
        Bbo { bid_px, bid: Shares::whole(10), ask_px, ask: Shares::whole(12) }
    }

    /// Returns an option's terms at the present price of its underlying.
    pub(super) fn option_terms(&self, inst: Inst) -> Option<OptionTerms> {
        let option = inst.option?;
        let under = price_f64(self.market.stocks().get(inst.stock)?.mark_px()?);
        let days = time::days_until(self.now_ns, self.universe.expiry_ns(option));
        Some(OptionTerms { under, strike: f64::from(option.strike), days, call: option.call })
    }

    /// Tells what is new since the stream's last quotes.
    pub(super) fn quotes_due(&mut self, conn: ConnId, req_id: i32) {
        let now_ns = self.now_ns;
        let Some(q) = self.quote_sub(conn, req_id) else { return };
        q.scheduled = false;
        q.told_ns = now_ns;
        let old = q.clone();
        let Some(sub) = self.conn(conn).and_then(|c| c.subs.get(&req_id)).filter(|s| !s.dead)
        else {
            return;
        };
        let inst = sub.inst;
        if self.faults.data_is_off() || self.market.stocks()[inst.stock].silent {
            return;
        }
        let mut new = old.clone();
        new.bbo = self.quote(inst);
        self.tell_bbo(conn, req_id, &old, &new);
        if inst.option.is_none() {
            self.tell_last(conn, req_id, inst.stock, &old, &mut new);
            self.tell_generic(conn, req_id, inst.stock, &old, &mut new);
        } else if new.bbo != old.bbo {
            self.tell_computations(conn, req_id, inst, &new);
        }
        if let Some(q) = self.quote_sub(conn, req_id) {
            *q = new;
        }
    }

    fn tell_bbo(&mut self, conn: ConnId, req_id: i32, old: &QuoteSub, new: &QuoteSub) {
        let sides = [
            (BID, BID_SIZE, (old.bbo.bid_px, old.bbo.bid), (new.bbo.bid_px, new.bbo.bid)),
            (ASK, ASK_SIZE, (old.bbo.ask_px, old.bbo.ask), (new.bbo.ask_px, new.bbo.ask)),
        ];
        for (price, size, was, is) in sides {
            // The real gateway says -1 for a side without a quote.
            if was.0 != is.0 {
                let px = if is.0 > 0 { is.0 } else { -1_000_000_000 };
                self.tick_price(conn, req_id, new, price, px, Some(is.1));
            }
            if was.1 != is.1 {
                self.tick_size(conn, req_id, new, size, is.1);
            }
        }
    }

    fn tell_last(
        &mut self,
        conn: ConnId,
        req_id: i32,
        stock: usize,
        old: &QuoteSub,
        new: &mut QuoteSub,
    ) {
        let s = &self.market.stocks()[stock];
        let (last, halted) = (s.last, s.halted);
        new.day = [s.high_px, s.low_px, s.open_px, s.close_px()];
        new.volume = s.volume;
        if let Some(print) = last.filter(|p| p.ns != old.last_ns) {
            new.last_ns = print.ns;
            self.tick_price(conn, req_id, new, LAST, print.px, Some(print.size));
            self.tick_size(conn, req_id, new, LAST_SIZE, print.size);
            let seconds = (print.ns / SECOND).to_string();
            self.tick_string(conn, req_id, pick(new, LAST_TIME), seconds);
        }
        if new.volume != old.volume {
            let volume = Shares(new.volume.0 / 100_000_000 * 100_000_000);
            self.tick_size(conn, req_id, new, VOLUME, volume);
        }
        let day = [HIGH, LOW, OPEN, CLOSE];
        for (i, tick) in day.into_iter().enumerate() {
            if new.day[i] != old.day[i] && new.day[i] > 0 {
                self.tick_price(conn, req_id, new, tick, new.day[i], None);
            }
        }
        if old.halted != Some(halted) {
            new.halted = Some(halted);
            let value = f64::from(u8::from(halted));
            self.tick_generic(conn, req_id, 49, value);
        }
    }

    fn tell_computations(&mut self, conn: ConnId, req_id: i32, inst: Inst, new: &QuoteSub) {
        let Some(terms) = self.option_terms(inst) else { return };
        let (live, delayed) = ([10, 11, 13], [80, 81, 83]);
        let numbers = if new.is_delayed() { delayed } else { live };
        let model = terms.value(terms.quoted_vol()).map_or(0.0, |v| v.price);
        let prices = [price_f64(new.bbo.bid_px), price_f64(new.bbo.ask_px), model];
        for (tick_type, price) in numbers.into_iter().zip(prices) {
            let vol = terms.implied_vol(price);
            let message = computation(req_id, tick_type, &terms, vol, price);
            self.send(conn, 21, &message);
        }
    }

    pub(super) fn tick_price(
        &mut self,
        conn: ConnId,
        req_id: i32,
        q: &QuoteSub,
        tick: (i32, i32),
        px: i64,
        size: Option<Shares>,
    ) {
        let spike = self.faults.spike_px.filter(|_| matches!(tick, LAST | BID | ASK));
        let message = TickPrice {
            req_id: Some(req_id),
            tick_type: Some(pick(q, tick)),
            price: Some(price_f64(spike.unwrap_or(px))),
            size: Some(size.unwrap_or_default().to_string()),
            attr_mask: Some(i32::from(matches!(tick, BID | ASK))),
        };
        self.send(conn, 1, &message);
    }

    fn tick_size(
        &mut self,
        conn: ConnId,
        req_id: i32,
        q: &QuoteSub,
        tick: (i32, i32),
        size: Shares,
    ) {
        let tick_type = Some(pick(q, tick));
        let size = Some(size.to_string());
        self.send(conn, 2, &TickSize { req_id: Some(req_id), tick_type, size });
    }

    pub(super) fn tick_number(&mut self, conn: ConnId, req_id: i32, tick_type: i32, size: Shares) {
        let size = Some(size.to_string());
        let message = TickSize { req_id: Some(req_id), tick_type: Some(tick_type), size };
        self.send(conn, 2, &message);
    }

    pub(super) fn tick_generic(&mut self, conn: ConnId, req_id: i32, tick_type: i32, value: f64) {
        let (tick_type, value) = (Some(tick_type), Some(value));
        self.send(conn, 45, &TickGeneric { req_id: Some(req_id), tick_type, value });
    }

    pub(super) fn tick_string(&mut self, conn: ConnId, req_id: i32, tick_type: i32, value: String) {
        let (tick_type, value) = (Some(tick_type), Some(value));
        self.send(conn, 46, &TickString { req_id: Some(req_id), tick_type, value });
    }
}

enum Touched {
    Quotes,
    Depth,
    Ticks,
    Other,
}

fn kind_of(kind: &SubKind) -> Touched {
    match kind {
        SubKind::Quotes(_) => Touched::Quotes,
        SubKind::Depth(_) => Touched::Depth,
        SubKind::Ticks(_) => Touched::Ticks,
        SubKind::Bars(_) | SubKind::Updates(..) => Touched::Other,
    }
}

/// Returns the live or the delayed number of a tick.
fn pick(q: &QuoteSub, tick: (i32, i32)) -> i32 {
    if q.is_delayed() { tick.1 } else { tick.0 }
}

/// Returns a computation message; unknown values are the protocol's "not computed".
pub(super) fn computation(
    req_id: i32,
    tick_type: i32,
    terms: &OptionTerms,
    vol: Option<f64>,
    price: f64,
) -> TickOptionComputation {
    let value = vol.and_then(|v| terms.value(v));
    TickOptionComputation {
        req_id: Some(req_id),
        tick_type: Some(tick_type),
        tick_attrib: Some(0),
        implied_vol: Some(vol.unwrap_or(-1.0)),
        delta: Some(value.map_or(-2.0, |v| v.delta)),
        opt_price: Some(price),
        pv_dividend: Some(0.0),
        gamma: Some(value.map_or(-2.0, |v| v.gamma)),
        vega: Some(value.map_or(-2.0, |v| v.vega)),
        theta: Some(value.map_or(-2.0, |v| v.theta)),
        und_price: Some(terms.under),
    }
}
