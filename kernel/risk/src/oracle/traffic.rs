//! Orders over time: rates, repeats, entries, and what works on the market already.

use super::book::{Oracle, Past};
use super::verdict::first;
use crate::{RiskCode, TradingState};
use ijk_core::config::RiskConfig;
use ijk_core::{NewOrder, OrderType, Side};

impl Oracle {
    /// Whether a bucket of `rate` a second on top of `burst` has one left: no span that ends now
    /// has used more.
    fn has_token(used: &[u64], now: u64, rate: u64, burst: u64) -> bool {
        let (rate, burst) = (u128::from(rate), u128::from(burst) * 1_000_000_000);
        if rate == 0 || burst == 0 {
            return false;
        }
        let count = used.len();
        (0..=count).all(|from| {
            let sent = (count - from + 1) as u128 * 1_000_000_000;
            let since = used.get(from).map_or(0, |t| now - t);
            sent <= burst + rate * u128::from(since)
        })
    }

    pub fn on_cancel(&mut self, now: u64) -> bool {
        self.see(now);
        let used: Vec<u64> = self
            .past
            .iter()
            .filter_map(|p| {
                if let Past::Cancel { now, took: true, .. } = p { Some(*now) } else { None }
            })
            .collect();
        let (rate, burst) =
            (self.lowest(|c| c.max_cancels_per_s.into()), self.lowest(|c| c.cancel_burst.into()));
        let took = Oracle::has_token(&used, now, rate, burst);
        let left = took || self.state >= TradingState::Halted;
        self.past.push(Past::Cancel { now, took, left });
        left
    }

    /// Returns whether the order is an entry.
    pub(super) fn check_traffic(&mut self, now: u64, o: &NewOrder) -> Result<bool, RiskCode> {
        let index = o.instrument.index();
        let working = self.working();
        let of_side =
            working.iter().filter(|w| (w.order.instrument, w.order.side) == (o.instrument, o.side));
        let side_max = self.lowest(|c| c.max_open_orders_per_side.into()) as usize;
        first(&[
            (
                working.len() >= self.lowest(|c| c.max_open_orders.into()).min(256) as usize,
                RiskCode::OpenOrders,
            ),
            (of_side.count() >= side_max, RiskCode::OpenOrdersPerSide),
            (working.iter().any(|w| could_trade(o, &w.order)), RiskCode::SelfMatch),
        ])?;
        let accepted: Vec<(u64, NewOrder, bool)> = self
            .past
            .iter()
            .filter_map(|p| match p {
                Past::Accepted { now, order, entry, .. } => Some((*now, *order, *entry)),
                _ => None,
            })
            .collect();
        let key = |a: &NewOrder| (a.instrument, a.side, a.order_type, a.qty, a.px);
        let equal = |ms: u64| {
            let near = |a: &&(u64, NewOrder, bool)| now - a.0 <= ms * 1_000_000;
            accepted.iter().filter(near).filter(|a| key(&a.1) == key(o)).count() as u64
        };
        // A window that is not set refuses, whatever a later setting says.
        let window = |f: fn(&RiskConfig) -> u64| {
            if self.lowest(f) == 0 { 0 } else { self.longest(f) }
        };
        let (short, long) = (window(|c| c.duplicate_window_ms), window(|c| c.identical_window_ms));
        let identical = self.lowest(|c| c.max_identical_orders.into());
        let times: Vec<u64> = accepted.iter().map(|a| a.0).collect();
        let rate = self.lowest(|c| c.max_orders_per_s.into());
        let burst = self.lowest(|c| c.order_burst.into());
        let in_minute = times.iter().filter(|t| now - **t < 60_000_000_000).count() as u64;
        let per_minute = self.lowest(|c| c.max_orders_per_min.into()).min(1_024);
        first(&[
            (short == 0 || equal(short) >= 1, RiskCode::DuplicateOrder),
            (long == 0 || equal(long) >= identical, RiskCode::IdenticalOrders),
            (!Oracle::has_token(&times, now, rate, burst), RiskCode::MessageRate),
            (in_minute >= per_minute, RiskCode::MinuteRate),
            (self.is_slowed(now, &times), RiskCode::OrderRatio),
        ])?;
        self.check_entry(now, o, index, &accepted)
    }

    fn is_slowed(&self, now: u64, orders: &[u64]) -> bool {
        let left = |p: &&Past| matches!(p, Past::Cancel { left: true, .. });
        let cancels = self.past.iter().filter(left).count();
        let messages = (orders.len() + cancels + 1) as u128;
        let per_fill = self.lowest(|c| c.order_ratio_throttle.into());
        let few = messages <= u128::from(self.lowest(|c| c.order_ratio_min_messages.into()));
        let within = messages <= u128::from(per_fill) * self.fill_count().max(1);
        let pause = self.longest(|c| c.order_ratio_interval_ms) * 1_000_000;
        let paused = pause > 0 && orders.last().is_none_or(|t| now - t >= pause);
        per_fill == 0 || !(few || within || paused)
    }

    fn check_entry(
        &mut self,
        now: u64,
        o: &NewOrder,
        index: usize,
        accepted: &[(u64, NewOrder, bool)],
    ) -> Result<bool, RiskCode> {
        let entries: Vec<_> = accepted.iter().filter(|a| a.2).collect();
        let own: Vec<_> = entries.iter().filter(|a| a.1.instrument == o.instrument).collect();
        let known = o.parent_id.0 != 0 && own.last().is_some_and(|a| a.1.parent_id == o.parent_id);
        if self.is_reducing(o) || known {
            return Ok(false);
        }
        if entries.len() as u64 >= self.lowest(|c| c.max_entries_per_day.into()) {
            self.state = self.state.max(TradingState::ReduceOnly);
            return Err(RiskCode::EntriesPerDay);
        }
        let step = (self.configs[0].entry_window_ms * 1_000_000).div_ceil(16);
        let near = |t: u64| step == 0 || t / step + 16 >= now / step;
        let recent = own.iter().filter(|a| near(a.0)).count() as u64;
        if step == 0 || recent >= self.lowest(|c| c.max_entries_per_window.into()) {
            self.entry_latched[index] = true;
            return Err(RiskCode::EntriesPerWindow);
        }
        Ok(true)
    }
}

/// Whether two own orders of one instrument could trade. A market order pays any price: as a buy
/// the highest, as a sale the lowest.
fn could_trade(a: &NewOrder, b: &NewOrder) -> bool {
    let limit_of = |x: &NewOrder| match (x.order_type, x.side) {
        (OrderType::Limit, _) => x.px.0,
        (OrderType::Market, Side::Bid) => i64::MAX,
        (OrderType::Market, Side::Ask) => i64::MIN,
    };
    let (buy, sale) = match (a.side, b.side) {
        (Side::Bid, Side::Ask) => (a, b),
        (Side::Ask, Side::Bid) => (b, a),
        _ => return false,
    };
    a.instrument == b.instrument && limit_of(buy) >= limit_of(sale)
}
