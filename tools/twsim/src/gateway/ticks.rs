//! Tick by tick, and the generic ticks of quote streams.

use super::subs::{QuoteSub, Sub, SubKind, TickKind, TickSub};
use super::{ConnId, Gateway};
use crate::market::past::hash;
use crate::market::{Bbo, Change, Print};
use crate::num::{Shares, price_f64};
use crate::proto::*;
use crate::time::SECOND;

impl Gateway {
    pub(super) fn tick_by_tick(&mut self, conn: ConnId, r: &TickByTickRequest) {
        let req_id = r.req_id.unwrap_or(0);
        let contract = r.contract.clone().unwrap_or_default();
        let Some(inst) = self.one_instrument(conn, req_id, &contract) else { return };
        let kind = TickKind::read(r.tick_type.as_deref().unwrap_or(""));
        let Some(kind) = kind.filter(|_| inst.option.is_none()) else {
            let text = "Error validating request.-'bN' : cause - Invalid tick type or instrument";
            self.error(conn, req_id, 321, text);
            return;
        };
        let limit = self.config.limits.ticks;
        let ticks = |s: &Sub| matches!(s.kind, SubKind::Ticks(_));
        if !self.room_for_sub(conn, req_id, limit, 10_190, ticks) {
            return;
        }
        if let Some(code) = self.faults.data_code {
            self.error_code(conn, req_id, code);
            return;
        }
        let count = usize::try_from(r.number_of_ticks.unwrap_or(0)).unwrap_or(0).min(1_000);
        if count > 0 {
            self.recent_ticks(conn, req_id, inst.stock, kind, count);
        }
        let sub = SubKind::Ticks(TickSub { kind, bbo: Bbo::default() });
        if let Some(c) = self.conn(conn) {
            c.subs.insert(req_id, Sub { inst, kind: sub, dead: false });
        }
    }

    pub(super) fn ticks_due(&mut self, conn: ConnId, req_id: i32, change: &Change) {
        let bbo = self.market.stocks()[change.stock].bbo();
        let now_ns = self.now_ns;
        let Some(sub) = self.conn(conn).and_then(|c| c.subs.get_mut(&req_id)) else { return };
        let SubKind::Ticks(t) = &mut sub.kind else { return };
        let old = std::mem::replace(&mut t.bbo, bbo);
        let kind = t.kind;
        let mut message = TickByTickData {
            req_id: Some(req_id),
            tick_type: Some(kind.number()),
            ..Default::default()
        };
        match kind {
            TickKind::Last | TickKind::AllLast => {
                let Some(print) = change.print else { return };
                message.historical_tick_last = Some(last_tick(&print));
            }
            TickKind::BidAsk if bbo != old && bbo.mid_px().is_some() => {
                message.historical_tick_bid_ask = Some(bid_ask_tick(now_ns, &bbo));
            }
            TickKind::MidPoint if bbo.mid_px() != old.mid_px() => {
                let Some(mid) = bbo.mid_px() else { return };
                message.historical_tick_mid_point = Some(mid_tick(now_ns, mid));
            }
            _ => return,
        }
        self.send(conn, 99, &message);
    }

    /// Tells the last `count` ticks, as requests of past ticks are answered.
    pub(super) fn recent_ticks(
        &mut self,
        conn: ConnId,
        req_id: i32,
        stock: usize,
        kind: TickKind,
        count: usize,
    ) {
        let s = &self.market.stocks()[stock];
        let (req_id, is_done) = (Some(req_id), Some(true));
        match kind {
            TickKind::Last | TickKind::AllLast => {
                let from = s.prints.len().saturating_sub(count);
                let ticks = s.prints.range(from..).map(last_tick).collect();
                self.send(
                    conn,
                    98,
                    &HistoricalTicksLast { req_id, historical_ticks_last: ticks, is_done },
                );
            }
            TickKind::BidAsk => {
                let from = s.quotes.len().saturating_sub(count);
                let ticks = s.quotes.range(from..).map(|(ns, b)| bid_ask_tick(*ns, b)).collect();
                let message =
                    HistoricalTicksBidAsk { req_id, historical_ticks_bid_ask: ticks, is_done };
                self.send(conn, 97, &message);
            }
            TickKind::MidPoint => {
                let from = s.quotes.len().saturating_sub(count);
                let mids = s.quotes.range(from..);
                let ticks = mids.filter_map(|(ns, b)| Some(mid_tick(*ns, b.mid_px()?))).collect();
                self.send(conn, 96, &HistoricalTicks { req_id, historical_ticks: ticks, is_done });
            }
        }
    }

    /// Tells the generic ticks a quote stream asked for.
    pub(super) fn tell_generic(
        &mut self,
        conn: ConnId,
        req_id: i32,
        stock: usize,
        old: &QuoteSub,
        new: &mut QuoteSub,
    ) {
        if new.generic.is_empty() || new.is_delayed() {
            return;
        }
        let first = old.told_ns == 0 || old.bbo == Bbo::default();
        let traded = new.volume != old.volume;
        for tick in new.generic.clone() {
            match tick {
                233 | 375 if traded => self.tell_rt_volume(conn, req_id, stock, tick),
                232 if first || new.bbo != old.bbo => {
                    let mid = new.bbo.mid_px().unwrap_or(0);
                    self.tick_price(conn, req_id, new, (37, 37), mid, None);
                }
                292 => self.tell_news(conn, req_id, stock, new),
                293..=295 if traded => self.tell_rates(conn, req_id, stock, tick),
                _ if first => self.tell_once(conn, req_id, stock, tick),
                _ => {}
            }
        }
    }

    fn tell_rt_volume(&mut self, conn: ConnId, req_id: i32, stock: usize, tick: i32) {
        let s = &self.market.stocks()[stock];
        let Some(last) = s.last else { return };
        let vwap = if s.volume.0 > 0 { s.turnover / s.volume.as_f64() } else { 0.0 };
        let (price, size) = (price_f64(last.px), last.size);
        let (ms, volume) = (last.ns / 1_000_000, s.volume);
        let value = format!("{price};{size};{ms};{volume};{vwap:.8};true");
        self.tick_string(conn, req_id, if tick == 233 { 48 } else { 77 }, value);
    }

    fn tell_rates(&mut self, conn: ConnId, req_id: i32, stock: usize, tick: i32) {
        let s = &self.market.stocks()[stock];
        let recent = self.now_ns.saturating_sub(60 * SECOND);
        let (number, value) = match tick {
            293 => (54, s.trade_count as f64),
            294 => (55, s.prints.iter().rev().take_while(|p| p.ns >= recent).count() as f64),
            _ => (56, (s.volume_rate(self.now_ns) * 60.0).round()),
        };
        self.tick_generic(conn, req_id, number, value);
    }

    /// Ticks that do not move within a session.
    fn tell_once(&mut self, conn: ConnId, req_id: i32, stock: usize, tick: i32) {
        let noise = hash(self.config.seed, stock as u64);
        let close = self.market.stocks()[stock].close_px();
        let q = QuoteSub::default();
        match tick {
            100 => {
                self.tick_number(conn, req_id, 29, Shares::whole((noise % 9_000) as i64));
                self.tick_number(conn, req_id, 30, Shares::whole((noise % 7_000) as i64));
            }
            101 => {
                self.tick_number(conn, req_id, 27, Shares::whole((noise % 90_000) as i64));
                self.tick_number(conn, req_id, 28, Shares::whole((noise % 70_000) as i64));
            }
            104 => self.tick_generic(conn, req_id, 23, 0.28),
            105 => self.tick_number(conn, req_id, 87, Shares::whole(8_000)),
            106 => self.tick_generic(conn, req_id, 24, 0.30),
            165 => {
                for (number, factor) in
                    [(15, 95), (16, 108), (17, 90), (18, 115), (19, 80), (20, 125)]
                {
                    self.tick_price(conn, req_id, &q, (number, number), close / 100 * factor, None);
                }
                self.tick_number(conn, req_id, 21, Shares::whole(3_000_000));
            }
            225 => self.tick_price(conn, req_id, &q, (35, 35), close, None),
            236 => {
                let level = self.faults.shortable(stock);
                self.tick_generic(conn, req_id, 46, level);
                let shares = if level > 2.5 { 10_000_000 } else { 0 };
                self.tick_number(conn, req_id, 89, Shares::whole(shares));
            }
            318 => self.tick_price(conn, req_id, &q, (57, 57), close, None),
            411 => self.tick_generic(conn, req_id, 58, 0.25),
            456 => self.tick_string(conn, req_id, 59, "0.00,0.00,,0.00".into()),
            588 => self.tick_number(conn, req_id, 86, Shares::whole(0)),
            // The others exist for instruments there are none of here.
            _ => {}
        }
    }
}

pub(super) fn last_tick(print: &Print) -> HistoricalTickLast {
    HistoricalTickLast {
        time: Some((print.ns / SECOND) as i64),
        tick_attrib_last: Some(TickAttribLast { past_limit: Some(false), unreported: Some(false) }),
        price: Some(price_f64(print.px)),
        size: Some(print.size.to_string()),
        exchange: Some("NASDAQ".into()),
        special_conditions: Some(String::new()),
    }
}

fn bid_ask_tick(ns: u64, bbo: &Bbo) -> HistoricalTickBidAsk {
    let attrib = TickAttribBidAsk { bid_past_low: Some(false), ask_past_high: Some(false) };
    HistoricalTickBidAsk {
        time: Some((ns / SECOND) as i64),
        tick_attrib_bid_ask: Some(attrib),
        price_bid: Some(price_f64(bbo.bid_px)),
        price_ask: Some(price_f64(bbo.ask_px)),
        size_bid: Some(bbo.bid.to_string()),
        size_ask: Some(bbo.ask.to_string()),
    }
}

fn mid_tick(ns: u64, mid_px: i64) -> HistoricalTick {
    HistoricalTick {
        time: Some((ns / SECOND) as i64),
        price: Some(price_f64(mid_px)),
        size: Some("0".into()),
    }
}
