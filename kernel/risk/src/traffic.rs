//! Counts and rates: open orders, duplicates, messages, entries.

use crate::RiskCode;
use crate::gate::{Gate, TradingState};
use crate::recent::{EqualOrders, Recency};
use ijk_core::{AlarmCode, AlarmRecord, ClientOrderId, NewOrder, RecvTs};

impl Gate {
    pub(crate) fn check_traffic(&mut self, now: RecvTs, o: &NewOrder) -> Result<(), RiskCode> {
        if self.working.len() >= self.limits.open_orders {
            return Err(RiskCode::OpenOrders);
        }
        let account = &self.accounts[o.instrument.index()];
        if account.open[o.side as usize] >= self.limits.open_orders_per_side {
            return Err(RiskCode::OpenOrdersPerSide);
        }
        if self.working.would_self_match(o) {
            return Err(RiskCode::SelfMatch);
        }
        self.check_equal(now, o, self.limits.duplicate, RiskCode::DuplicateOrder)?;
        self.check_equal(now, o, self.limits.identical, RiskCode::IdenticalOrders)?;
        self.throttle.refill(now);
        if !self.throttle.has_one() {
            return Err(RiskCode::MessageRate);
        }
        if !self.minute.has_room(now, self.limits.orders_per_min) {
            return Err(RiskCode::MinuteRate);
        }
        self.check_ratio(now)?;
        self.check_entry(now, o)
    }

    fn check_equal(
        &self,
        now: RecvTs,
        o: &NewOrder,
        window: EqualOrders,
        code: RiskCode,
    ) -> Result<(), RiskCode> {
        if bug!(DuplicateWindowOff) {
            return Ok(());
        }
        match self.recent.judge(now, o, window) {
            Recency::New => Ok(()),
            Recency::Duplicate => Err(code),
            Recency::Unknown => Err(RiskCode::MessageRate),
        }
    }

    /// Messages per fill, this order included; a run without fills counts as one fill.
    fn is_ratio_above(&self, limit: u64) -> bool {
        let messages = self.messages + 1;
        messages > self.limits.ratio_min_messages
            && messages > limit.saturating_mul(self.fills.max(1))
    }

    fn check_ratio(&mut self, now: RecvTs) -> Result<(), RiskCode> {
        if self.is_ratio_above(self.limits.ratio_alarm) {
            if !self.ratio_alarmed {
                self.ratio_alarmed = true;
                self.alarm_account(AlarmCode::OrderRatio, self.messages as i64);
            }
        } else {
            self.ratio_alarmed = false;
        }
        let interval = self.limits.ratio_interval_ns;
        let rested = interval > 0 && self.last_order.is_none_or(|t| now.since_ns(t) >= interval);
        if self.limits.ratio_throttle == 0 {
            return Err(RiskCode::OrderRatio);
        }
        if self.is_ratio_above(self.limits.ratio_throttle) && !rested {
            return Err(RiskCode::OrderRatio);
        }
        Ok(())
    }

    /// Whether the order is the first of its parent to add risk in its instrument.
    fn is_entry(&self, o: &NewOrder) -> bool {
        let account = &self.accounts[o.instrument.index()];
        !account.reduces(o.side, o.qty.0)
            && (o.parent_id.0 == 0 || o.parent_id != account.entry_parent)
    }

    fn check_entry(&mut self, now: RecvTs, o: &NewOrder) -> Result<(), RiskCode> {
        if !self.is_entry(o) {
            return Ok(());
        }
        if self.entries_today >= self.limits.entries_per_day {
            self.degrade(TradingState::ReduceOnly);
            return Err(RiskCode::EntriesPerDay);
        }
        let limit = i128::from(self.limits.entries_per_window);
        let window_set = self.limits.entry_window_ns > 0;
        let account = &mut self.accounts[o.instrument.index()];
        if !window_set || account.entries.sum(now) >= limit {
            account.entry_latched = true;
            let count = account.entries.sum(now).min(1 << 60) as i64;
            self.alarm(AlarmCode::ReduceOnly, o.instrument, o.client_order_id, count);
            return Err(RiskCode::EntriesPerWindow);
        }
        Ok(())
    }

    /// Counts an order that passed.
    pub(crate) fn count_order(&mut self, now: RecvTs, o: &NewOrder) {
        self.recent.push(now, o);
        self.throttle.take_one();
        self.minute.push(now);
        self.last_order = Some(now);
        self.messages += 1;
    }

    /// Counts an entry; to be called before the order is booked.
    pub(crate) fn count_entry(&mut self, now: RecvTs, o: &NewOrder) {
        if self.is_entry(o) {
            self.entries_today = self.entries_today.saturating_add(1);
            let account = &mut self.accounts[o.instrument.index()];
            account.entries.add(now, 1);
            account.entry_parent = o.parent_id;
        }
    }

    /// Asks whether a cancel may leave now. Cancels have a reserve of their own, so orders can
    /// never use it up; a kill sweep passes whatever the reserve says. A cancel that must wait is
    /// asked for again by the caller; it is never dropped here. The id is not looked up: a cancel
    /// of an order that is not known may be the most needed one.
    pub fn on_cancel(&mut self, now: RecvTs, _id: ClientOrderId) -> bool {
        self.see_time(now);
        let bucket =
            if bug!(CancelReserveShared) { &mut self.throttle } else { &mut self.cancel_throttle };
        bucket.refill(now);
        let has_one = bucket.has_one();
        if has_one {
            bucket.take_one();
        }
        let leaves = has_one || self.state >= TradingState::Halted;
        self.messages += u64::from(leaves);
        leaves
    }

    /// Raises an alarm about an order-less fact of an instrument.
    pub(crate) fn alarm_instrument(&mut self, code: AlarmCode, index: usize, value: i64) {
        let id = u16::try_from(index).map_or(AlarmRecord::NO_INSTRUMENT, ijk_core::InstrumentId);
        self.alarm(code, id, ClientOrderId(0), value);
    }
}
