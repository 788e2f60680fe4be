//! Five-second bars, and histories kept up to date.

use super::subs::{Sub, SubKind, What};
use super::{ConnId, Gateway};
use crate::contracts::Inst;
use crate::market::bars::{BAR_NS, Bar};
use crate::num::price_f64;
use crate::proto::*;
use crate::time::SECOND;

impl Gateway {
    pub(super) fn real_time_bars(&mut self, conn: ConnId, r: &RealTimeBarsRequest) {
        let req_id = r.req_id.unwrap_or(0);
        let contract = r.contract.clone().unwrap_or_default();
        let Some(inst) = self.one_instrument(conn, req_id, &contract) else { return };
        let what = What::read(r.what_to_show.as_deref().unwrap_or("TRADES"));
        let Some(what) = what.filter(|_| inst.option.is_none()) else {
            let text =
                "Error validating request.-'bF' : cause - Invalid what to show or instrument";
            self.error(conn, req_id, 321, text);
            return;
        };
        let limit = self.config.limits.lines;
        if !self.room_for_sub(conn, req_id, limit, 101, |s| matches!(s.kind, SubKind::Bars(_))) {
            return;
        }
        if let Some(code) = self.faults.data_code {
            self.error_code(conn, req_id, code);
            return;
        }
        if let Some(c) = self.conn(conn) {
            c.subs.insert(req_id, Sub { inst, kind: SubKind::Bars(what), dead: false });
        }
    }

    /// Every five seconds: the bar that ended is told.
    pub(super) fn bars_due(&mut self) {
        let now_ns = self.now_ns;
        for i in 0..self.market.stocks().len() {
            if let Some(s) = self.market.stock_mut(i)
                && let Some(px) = s.mark_px()
            {
                s.bars.roll(now_ns, px);
            }
        }
        if self.faults.data_is_off() {
            return;
        }
        let mut wanted = Vec::new();
        for (&conn, c) in &self.conns {
            for (&req_id, sub) in c.subs.iter().filter(|(_, s)| !s.dead) {
                match sub.kind {
                    SubKind::Bars(what) => wanted.push((conn, req_id, sub.inst, what, 0)),
                    SubKind::Updates(what, ns) => wanted.push((conn, req_id, sub.inst, what, ns)),
                    _ => {}
                }
            }
        }
        for (conn, req_id, inst, what, length_ns) in wanted {
            if self.market.stocks()[inst.stock].silent {
                continue;
            }
            if length_ns == 0 {
                self.tell_bar(conn, req_id, inst, what);
            } else {
                self.tell_update(conn, req_id, inst, what, length_ns);
            }
        }
    }

    fn tell_bar(&mut self, conn: ConnId, req_id: i32, inst: Inst, what: What) {
        let begin = (self.now_ns - BAR_NS) / BAR_NS * BAR_NS;
        let Some(bar) = self.market.stocks()[inst.stock].bars.at(begin).copied() else { return };
        let px = |px: i64| Some(price_f64(px + what.offset()));
        let message = RealTimeBarTick {
            req_id: Some(req_id),
            time: Some((bar.ns / SECOND) as i64),
            open: px(bar.open_px),
            high: px(bar.high_px),
            low: px(bar.low_px),
            close: px(bar.close_px),
            volume: Some(volume(&bar, what)),
            wap: Some(crate::num::plain((bar.wap() * 1e6).round() / 1e6)),
            count: Some(bar.count),
        };
        self.send(conn, 50, &message);
    }

    fn tell_update(&mut self, conn: ConnId, req_id: i32, inst: Inst, what: What, length_ns: u64) {
        let begin = self.now_ns.saturating_sub(1) / length_ns * length_ns;
        let Some(bar) = self.bar(inst, begin, begin.saturating_add(length_ns)) else { return };
        let bar = bar_message(&bar, what, self.bar_date(bar.ns, length_ns, 1));
        let message = HistoricalDataUpdate { req_id: Some(req_id), historical_data_bar: Some(bar) };
        self.send(conn, 90, &message);
    }
}

/// Returns a bar's volume as the protocol writes it.
fn volume(bar: &Bar, what: What) -> String {
    // Bars of quotes have no volume.
    if what == What::Trades { bar.volume.to_string() } else { "-1".to_string() }
}

/// Returns a bar of history.
pub(super) fn bar_message(bar: &Bar, what: What, date: String) -> HistoricalDataBar {
    let px = |px: i64| {
        let constant = what == What::Constant;
        Some(if constant { 0.3 } else { price_f64(px + what.offset()) })
    };
    HistoricalDataBar {
        date: Some(date),
        open: px(bar.open_px),
        high: px(bar.high_px),
        low: px(bar.low_px),
        close: px(bar.close_px),
        volume: Some(volume(bar, what)),
        wap: Some(crate::num::plain((bar.wap() * 1e6).round() / 1e6)),
        bar_count: Some(if what == What::Trades { bar.count } else { -1 }),
    }
}
