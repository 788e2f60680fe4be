//! What happens to orders: arrival, matching, ends, busts, and what nobody asked for.

use super::books::{Order, Status};
use super::bytes::{NewMessage, Report, kind};
use super::{Broker, Deed, MS, reason};
use crate::sim::faults::Fault;

/// Set in the ids of orders that no known run sent.
pub(super) const ORPHAN: u64 = 1 << 30;

impl Broker {
    pub(super) fn perform(&mut self, now: u64, deed: Deed) {
        match deed {
            Deed::Arrive(message) => self.arrive(now, &message),
            Deed::Cancel { id, instrument } => self.cancel(now, id, instrument),
            Deed::RejectLate(order) => {
                let o = self.books.orders[order];
                if o.status == Status::Working && o.filled == 0 && o.leaves == o.qty {
                    self.end(now, order, Status::Rejected, kind::REJECT);
                } else {
                    self.chaos.unstrike(Fault::RejectLate);
                }
            }
            Deed::CancelUnasked(order) => {
                if self.books.orders[order].status == Status::Working {
                    self.end(now, order, Status::Canceled, kind::CANCELED);
                } else {
                    self.chaos.unstrike(Fault::CancelUnasked);
                }
            }
            Deed::Bust(execution) => self.bust(now, execution),
            Deed::FeeKnown(execution) => self.fee_known(now, execution),
            Deed::Trade { order, px } => {
                let leaves = self.books.orders[order].leaves;
                if leaves > 0 {
                    let qty = self.chaos.rng.range(1, leaves as u64) as i64;
                    self.fill(now, order, px, qty, false);
                }
                if self.books.orders[order].status == Status::Working {
                    self.end(now, order, Status::Canceled, kind::CANCELED);
                }
            }
            Deed::Answer { request, session } => self.answer(now, request, session),
            Deed::Send { bytes, session } => self.send_if(session, bytes),
        }
    }

    /// A new order reaches the books.
    pub(super) fn arrive(&mut self, now: u64, m: &NewMessage) {
        let refuse = |reason| Report {
            id: m.id,
            instrument: m.instrument,
            side: m.side,
            kind: kind::REJECT,
            reason,
            ..Report::default()
        };
        if self.books.find(m.id).is_some() {
            self.tell(now, refuse(reason::DUPLICATE), 0);
            return;
        }
        let Some(instrument) = self.session.instrument_of(m.instrument) else {
            self.tell(now, refuse(reason::NO_CONTRACT), 0);
            return;
        };
        let order = self.books.enter(Order {
            id: m.id,
            venue_id: 0,
            instrument,
            side: m.side,
            px: if m.order_type == 0 { 0 } else { m.px },
            at_once: m.tif == 1 || m.order_type == 0,
            qty: m.qty.max(1),
            filled: 0,
            leaves: 0,
            status: Status::Working,
            ts: now,
        });
        let sound = m.id != 0 && m.qty > 0 && m.side <= 1 && (m.order_type == 0 || m.px > 0);
        if !sound || self.chaos.strikes(Fault::RejectNow) {
            let why = if sound { reason::REJECTED } else { reason::BAD_NUMBER };
            self.books.end(order, Status::Rejected);
            let venue_id = self.books.orders[order].venue_id;
            self.tell(now, Report { venue_id, ..refuse(why) }, 0);
            return;
        }
        let late = self.chaos.strikes(Fault::AckAfterFill);
        let extra = if late { self.chaos.rng.range(20 * MS, 900 * MS) } else { 0 };
        self.tell(now, self.about(order, kind::ACK), extra);
        if self.chaos.strikes(Fault::RejectLate) {
            let at = now + self.chaos.rng.log_range(10 * MS, 3_000 * MS);
            self.later(at, Deed::RejectLate(order));
        }
        if self.chaos.strikes(Fault::CancelUnasked) {
            let at = now + self.chaos.rng.log_range(10 * MS, 5_000 * MS);
            self.later(at, Deed::CancelUnasked(order));
        }
        self.take_liquidity(now, order);
    }

    /// Trades what crosses, in one to three pieces; what must not rest ends.
    fn take_liquidity(&mut self, now: u64, order: usize) {
        let o = self.books.orders[order];
        let q = self.quotes[o.instrument];
        let (px, there) = if o.side == 0 { (q.ask, q.ask_qty) } else { (q.bid, q.bid_qty) };
        let crosses = o.px == 0 || if o.side == 0 { px <= o.px } else { px >= o.px };
        let mut rest = if crosses { there.min(o.leaves) } else { 0 };
        for piece in 0..3 {
            if rest > 0 {
                let all = piece == 2 || self.chaos.rng.chance(500_000);
                let qty = if all { rest } else { self.chaos.rng.range(1, rest as u64) as i64 };
                self.fill(now, order, px, qty, false);
                rest -= qty;
            }
        }
        if self.books.orders[order].status == Status::Working && o.at_once {
            self.end(now, order, Status::Expired, kind::EXPIRED);
        }
    }

    pub(super) fn cancel(&mut self, now: u64, id: u64, instrument: u16) {
        match self.books.find(id) {
            Some(order) if self.books.orders[order].status == Status::Working => {
                self.end(now, order, Status::Canceled, kind::CANCELED);
            }
            Some(order) => {
                let report = self.about(order, kind::CANCEL_REJECT);
                self.tell(now, Report { reason: reason::TOO_LATE, ..report }, 0);
            }
            None => {
                let kind = kind::CANCEL_REJECT;
                let reason = reason::NOT_FOUND;
                self.tell(now, Report { id, instrument, kind, reason, ..Report::default() }, 0);
            }
        }
    }

    pub(super) fn fill(&mut self, now: u64, order: usize, px: i64, qty: i64, maker: bool) {
        let execution = self.books.execute(order, now, px, qty, maker);
        let mut report = self.about(order, kind::FILL);
        let e = &mut self.books.executions[execution];
        if self.chaos.strikes(Fault::CommissionLate) {
            e.fee_known = false;
            let at = now + self.chaos.rng.log_range(5 * MS, 10_000 * MS);
            self.later(at, Deed::FeeKnown(execution));
        } else {
            report.fee = e.fee;
        }
        let e = &self.books.executions[execution];
        report = Report { exec_id: e.exec_id, px, qty, maker: u8::from(maker), ..report };
        self.tell(now, report, 0);
        if self.chaos.strikes(Fault::TradeBusted) {
            let at = now + self.chaos.rng.log_range(20 * MS, 20_000 * MS);
            self.later(at, Deed::Bust(execution));
        }
    }

    pub(super) fn end(&mut self, now: u64, order: usize, status: Status, kind: u8) {
        let left = self.books.end(order, status);
        let reason = if status == Status::Rejected { reason::REJECTED } else { 0 };
        let qty = if status == Status::Rejected { 0 } else { left };
        self.tell(now, Report { qty, reason, ..self.about(order, kind) }, 0);
    }

    fn bust(&mut self, now: u64, execution: usize) {
        if self.chaos.is_calm() {
            self.chaos.unstrike(Fault::TradeBusted);
            return;
        }
        self.books.bust(execution);
        let e = self.books.executions[execution];
        let report = self.about(e.order, kind::BUST);
        self.tell(now, Report { exec_id: e.exec_id, px: e.px, qty: e.qty, ..report }, 0);
    }

    fn fee_known(&mut self, now: u64, execution: usize) {
        let e = &mut self.books.executions[execution];
        e.fee_known = true;
        let e = *e;
        if !e.busted {
            let report = self.about(e.order, kind::COMMISSION);
            self.tell(now, Report { exec_id: e.exec_id, fee: e.fee, ..report }, 0);
        }
    }

    /// What nobody asked for: others trade on the account, the broker closes a position.
    pub(super) fn stir(&mut self, now: u64, instrument: usize) {
        let q = self.quotes[instrument];
        if q.bid_qty <= 0 || q.ask_qty <= 0 {
            return;
        }
        let side = self.chaos.rng.below(2) as u8;
        let qty = self.chaos.rng.range(1, 60) as i64;
        if self.chaos.strikes(Fault::ForeignOrder) {
            self.foreign(now, instrument, 0, side, qty);
        }
        if self.chaos.strikes(Fault::OrphanOrder) {
            self.orphans += 1;
            let epoch = self.session.boot_epoch.saturating_sub(1);
            self.foreign(now, instrument, epoch << 36 | ORPHAN | self.orphans, side, qty);
        }
        let position = self.books.positions[instrument];
        if position != 0 && self.chaos.strikes(Fault::Liquidation) {
            let side = u8::from(position > 0);
            let part = self.chaos.rng.range(1, position.unsigned_abs()) as i64;
            self.foreign(now, instrument, 0, side, part);
        }
    }

    fn foreign(&mut self, now: u64, instrument: usize, id: u64, side: u8, qty: i64) {
        let q = self.quotes[instrument];
        let away = if side == 0 { q.bid - q.bid / 200 } else { q.ask + q.ask / 200 };
        let order = self.books.enter(Order {
            id,
            venue_id: 0,
            instrument,
            side,
            px: away / 10_000_000 * 10_000_000,
            at_once: false,
            qty,
            filled: 0,
            leaves: 0,
            status: Status::Working,
            ts: now,
        });
        if self.chaos.rng.chance(700_000) {
            self.tell(now, self.about(order, kind::ACK), 0);
        }
        // An orphan mostly rests until somebody cancels it; others mostly trade.
        let px = if side == 0 { q.ask } else { q.bid };
        let trades = if id == 0 { 800_000 } else { 300_000 };
        if self.chaos.rng.chance(trades) {
            let at = now + self.chaos.rng.log_range(MS, 2_000 * MS);
            self.later(at, Deed::Trade { order, px });
        }
    }
}
