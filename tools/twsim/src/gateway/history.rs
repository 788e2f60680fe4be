//! Past bars and ticks: of the session as recorded, before it from a fixed curve.

use super::bars::bar_message;
use super::subs::{Sub, SubKind, TickKind, What};
use super::{ConnId, Gateway};
use crate::contracts::Inst;
use crate::market::Print;
use crate::market::bars::Bar;
use crate::num::{Shares, price_f64};
use crate::proto::*;
use crate::time::{self, SECOND};

/// Most bars in one answer.
const BAR_COUNT_MAX: usize = 20_000;
/// First day there are prices of: 2004-01-23.
const HEAD_NS: u64 = 1_074_868_200_000_000_000;
/// Requests within ten minutes, and seconds between two that are the same.
const PACE: (usize, u64) = (60, 15);

impl Gateway {
    pub(super) fn historical_data(&mut self, conn: ConnId, r: &HistoricalDataRequest) {
        let req_id = r.req_id.unwrap_or(0);
        let contract = r.contract.clone().unwrap_or_default();
        let Some(inst) = self.one_instrument(conn, req_id, &contract) else { return };
        if self.faults.hangs("history") || !self.within_pace(conn, req_id, r) {
            return;
        }
        let show = r.what_to_show.as_deref().unwrap_or("TRADES");
        let end = r.end_date_time.as_deref().filter(|t| !t.is_empty());
        let end_ns = end.map_or(Some(self.now_ns), time::parse);
        let duration_ns = duration(r.duration.as_deref().unwrap_or(""));
        let (Some(end_ns), Some(duration_ns)) = (end_ns, duration_ns) else {
            self.invalid(conn, req_id, "Invalid end date or duration");
            return;
        };
        if show == "SCHEDULE" {
            self.schedule(conn, req_id, end_ns, duration_ns);
            return;
        }
        let length_ns = bar_length(r.bar_size_setting.as_deref().unwrap_or(""));
        let (Some(what), Some(length_ns)) = (What::read(show), length_ns) else {
            self.invalid(conn, req_id, "Invalid bar size or what to show");
            return;
        };
        if end_ns <= HEAD_NS || self.faults.no_history {
            self.error_code(conn, req_id, 162);
            return;
        }
        let from_ns = end_ns.saturating_sub(duration_ns).max(HEAD_NS);
        let format = r.format_date.unwrap_or(1);
        let rth = r.use_rth.unwrap_or(true);
        let bars = self.bars_between(inst, (from_ns, end_ns), length_ns, rth);
        let bars =
            bars.iter().map(|b| bar_message(b, what, self.bar_date(b.ns, length_ns, format)));
        let message = HistoricalData { req_id: Some(req_id), historical_data_bars: bars.collect() };
        self.send(conn, 17, &message);
        let end = HistoricalDataEnd {
            req_id: Some(req_id),
            start_date_str: Some(time::stamp(from_ns)),
            end_date_str: Some(time::stamp(end_ns)),
        };
        self.send(conn, 108, &end);
        if r.keep_up_to_date == Some(true)
            && let Some(c) = self.conn(conn)
            && c.subs.len() < super::conn::SUB_COUNT_MAX
        {
            c.subs
                .insert(req_id, Sub { inst, kind: SubKind::Updates(what, length_ns), dead: false });
        }
    }

    fn invalid(&mut self, conn: ConnId, req_id: i32, what: &str) {
        let text = format!("Error validating request.-'bN' : cause - {what}");
        self.error(conn, req_id, 321, &text);
    }

    /// Returns whether the request keeps the pace; otherwise error 162 has been told.
    fn within_pace(&mut self, conn: ConnId, req_id: i32, r: &HistoricalDataRequest) -> bool {
        // Bars of a minute and more are not counted, as the broker says since 2016.
        let small = bar_length(r.bar_size_setting.as_deref().unwrap_or(""))
            .is_some_and(|ns| ns < 60 * SECOND);
        let now_ns = self.now_ns;
        let mut same = r.clone();
        same.req_id = None;
        let asked = format!("{same:?}");
        let Some(c) = self.conn(conn) else { return false };
        let fast = small && c.history_too_fast(now_ns, asked, PACE.1, PACE.0);
        if fast {
            let text = "Historical Market Data Service error message:Historical data request \
                        pacing violation";
            self.error(conn, req_id, 162, text);
        }
        !fast
    }

    /// Returns the bar of `from..to`; `None` for one that has not begun.
    pub(super) fn bar(&self, inst: Inst, from: u64, to: u64) -> Option<Bar> {
        let stock = self.market.stocks().get(inst.stock)?;
        let first = stock.bars.first_ns().unwrap_or(u64::MAX);
        if to <= first.min(self.start_ns) {
            return Some(self.pasts.get(inst.stock)?.bar(from, to));
        }
        let mut bars = stock.bars.range(from, to);
        let mut bar = *bars.next()?;
        bars.for_each(|b| bar.join(b));
        bar.ns = from;
        Some(bar)
    }

    fn bars_between(&self, inst: Inst, (from, to): (u64, u64), length: u64, rth: bool) -> Vec<Bar> {
        let mut bars = Vec::new();
        let daily = length >= 86_400 * SECOND;
        // Daily bars begin at the local day, others at multiples of their length.
        let mut begin =
            if daily { time::at(time::date(from), 9, 30) } else { from.div_ceil(length) * length };
        while begin < to && bars.len() < BAR_COUNT_MAX {
            let next = begin.saturating_add(length);
            let date = time::date(begin);
            let trades = time::is_weekday(date) || begin >= self.start_ns;
            let regular = daily || begin >= self.start_ns || {
                let (open, close) = (time::at(date, 9, 30), time::at(date, 16, 0));
                (open..close).contains(&begin)
                    || !rth && (time::at(date, 4, 0)..time::at(date, 20, 0)).contains(&begin)
            };
            let end = if daily { begin + 23_400 * SECOND } else { next };
            if trades
                && regular
                && begin < self.now_ns
                && let Some(bar) = self.bar(inst, begin, end)
            {
                bars.push(bar);
            }
            begin = next;
        }
        bars
    }

    /// Returns a bar's date as asked for: 1 text, 2 seconds since 1970; days are days.
    pub(super) fn bar_date(&self, ns: u64, length_ns: u64, format: i32) -> String {
        match (length_ns >= 86_400 * SECOND, format) {
            (true, _) => time::day(ns),
            (false, 2) => (ns / SECOND).to_string(),
            (false, _) => time::stamp(ns),
        }
    }

    fn schedule(&mut self, conn: ConnId, req_id: i32, end_ns: u64, duration_ns: u64) {
        let from_ns = end_ns.saturating_sub(duration_ns);
        let mut sessions = Vec::new();
        let mut day = time::at(time::date(from_ns), 12, 0);
        while day < end_ns && sessions.len() < 400 {
            let date = time::date(day);
            if time::is_weekday(date) {
                let text = |ns: u64| time::zoned(ns).strftime("%Y%m%d-%H:%M:%S").to_string();
                sessions.push(HistoricalSession {
                    start_date_time: Some(text(time::at(date, 9, 30))),
                    end_date_time: Some(text(time::at(date, 16, 0))),
                    ref_date: Some(time::day(day)),
                });
            }
            day += 86_400 * SECOND;
        }
        let message = HistoricalSchedule {
            req_id: Some(req_id),
            start_date_time: sessions.first().and_then(|s| s.start_date_time.clone()),
            end_date_time: sessions.last().and_then(|s| s.end_date_time.clone()),
            time_zone: Some(time::ZONE.into()),
            historical_sessions: sessions,
        };
        self.send(conn, 106, &message);
    }

    pub(super) fn head_timestamp(&mut self, conn: ConnId, r: &HeadTimestampRequest) {
        let req_id = r.req_id.unwrap_or(0);
        let contract = r.contract.clone().unwrap_or_default();
        if self.one_instrument(conn, req_id, &contract).is_none() {
            return;
        }
        let text = match r.format_date {
            Some(2) => (HEAD_NS / SECOND).to_string(),
            _ => time::utc_dash(HEAD_NS),
        };
        self.send(conn, 88, &HeadTimestamp { req_id: Some(req_id), head_timestamp: Some(text) });
    }

    pub(super) fn histogram(&mut self, conn: ConnId, r: &HistogramDataRequest) {
        let req_id = r.req_id.unwrap_or(0);
        let contract = r.contract.clone().unwrap_or_default();
        let Some(inst) = self.one_instrument(conn, req_id, &contract) else { return };
        let mut at_price = std::collections::BTreeMap::new();
        for print in &self.market.stocks()[inst.stock].prints {
            *at_price.entry(print.px).or_insert(0) += print.size.0;
        }
        let entry = |(px, size): (i64, i64)| HistogramDataEntry {
            price: Some(price_f64(px)),
            size: Some(Shares(size).to_string()),
        };
        let histogram_data_entries = at_price.into_iter().map(entry).collect();
        self.send(conn, 89, &HistogramData { req_id: Some(req_id), histogram_data_entries });
    }

    pub(super) fn historical_ticks(&mut self, conn: ConnId, r: &HistoricalTicksRequest) {
        let req_id = r.req_id.unwrap_or(0);
        let contract = r.contract.clone().unwrap_or_default();
        let Some(inst) = self.one_instrument(conn, req_id, &contract) else { return };
        let kind = match r.what_to_show.as_deref().unwrap_or("TRADES") {
            "BID_ASK" => TickKind::BidAsk,
            "MIDPOINT" => TickKind::MidPoint,
            _ => TickKind::AllLast,
        };
        let count =
            usize::try_from(r.number_of_ticks.unwrap_or(1_000)).unwrap_or(0).clamp(1, 1_000);
        let bound =
            |t: &Option<String>| t.as_deref().filter(|t| !t.is_empty()).and_then(time::parse);
        let before = bound(&r.end_date_time).or(bound(&r.start_date_time)).unwrap_or(self.now_ns);
        if before > self.start_ns || kind != TickKind::AllLast {
            self.recent_ticks(conn, req_id, inst.stock, kind, count);
            return;
        }
        // Before the session: a trade every ten seconds on the curve.
        let Some(past) = self.pasts.get(inst.stock) else { return };
        let tick = |i: usize| {
            let ns = before.saturating_sub((count - i) as u64 * 10 * SECOND);
            let print = Print { ns, px: past.px(ns), size: Shares::whole(100), aggressor: None };
            super::ticks::last_tick(&print)
        };
        let historical_ticks_last = (0..count).map(tick).collect();
        let (req_id, is_done) = (Some(req_id), Some(true));
        self.send(conn, 98, &HistoricalTicksLast { req_id, historical_ticks_last, is_done });
    }
}

/// Returns the length of `1 D`, `3600 S`, `2 W` and the like.
fn duration(text: &str) -> Option<u64> {
    let (count, unit) = text.trim().split_once(' ')?;
    let count: u64 = count.parse().ok().filter(|n| (1..=100_000).contains(n))?;
    let seconds = match unit {
        "S" => 1,
        "D" => 86_400,
        "W" => 7 * 86_400,
        "M" => 30 * 86_400,
        "Y" => 365 * 86_400,
        _ => return None,
    };
    Some(count.saturating_mul(seconds).min(40 * 365 * 86_400) * SECOND)
}

/// Returns the length of a bar by the protocol's names.
pub(super) fn bar_length(text: &str) -> Option<u64> {
    let (count, unit) = text.trim().split_once(' ')?;
    let count: u64 = count.parse().ok()?;
    let (seconds, allowed): (u64, &[u64]) = match unit.trim_end_matches('s') {
        "sec" => (1, &[1, 5, 10, 15, 30]),
        "min" => (60, &[1, 2, 3, 5, 10, 15, 20, 30]),
        "hour" => (3_600, &[1, 2, 3, 4, 8]),
        "day" => (86_400, &[1]),
        "week" | "W" => (7 * 86_400, &[1]),
        "month" | "M" => (30 * 86_400, &[1]),
        _ => return None,
    };
    allowed.contains(&count).then_some(count * seconds * SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_the_protocols() {
        assert_eq!(bar_length("5 secs"), Some(5 * SECOND));
        assert_eq!(bar_length("1 min"), Some(60 * SECOND));
        assert_eq!(bar_length("1 day"), Some(86_400 * SECOND));
        for bad in ["", "7 mins", "1", "x min", "-1 min", "1 fortnight"] {
            assert_eq!(bar_length(bad), None, "{bad}");
        }
        assert_eq!(duration("2 D"), Some(2 * 86_400 * SECOND));
        for bad in ["", "D", "0 D", "1 X", "99999999999999999999 D", "-1 D"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
        assert!(duration("100000 Y").is_some_and(|ns| ns <= 40 * 365 * 86_400 * SECOND));
    }
}
