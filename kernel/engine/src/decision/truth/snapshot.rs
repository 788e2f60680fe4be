//! The venue's account of the day against ours.

use super::table::{Entry, State};
use super::{InstrumentFault, OrderTruth, RETRY_NS, blank};
use crate::canary::{Bug, planted};
use ijk_core::limits::INSTRUMENT_COUNT_MAX;
use ijk_core::{
    AlarmCode, AlarmRecord, Block, ClientOrderId, Fate, InstrumentId, OrderType, Qty, RecvTs,
    ReportKind, SnapshotItem, SnapshotKind, VenueOrderStatus, VenueReport,
};

/// An answer being read.
#[derive(Debug)]
pub(super) struct Round {
    request_id: u64,
    /// The answer is true as of then.
    begun: RecvTs,
    items: i64,
    positions: [i64; INSTRUMENT_COUNT_MAX],
    /// Something in it does not add up yet: ask again soon.
    unclear: bool,
}

impl OrderTruth {
    /// Takes one item of an answer. `position` tells our filled position of an instrument, with
    /// every report before this item booked.
    pub fn on_snapshot(
        &mut self,
        now: RecvTs,
        item: &SnapshotItem,
        position: impl Fn(InstrumentId) -> i64,
    ) {
        if item.kind == SnapshotKind::Begin {
            // Anything but the answer to the last request is late and says nothing new.
            if self.pending.is_some_and(|p| p.request_id == item.request_id) {
                self.table.live_mut().iter_mut().for_each(|e| e.listed_filled = 0);
                self.round = Some(Round {
                    request_id: item.request_id,
                    begun: now,
                    items: 0,
                    positions: [0; INSTRUMENT_COUNT_MAX],
                    unclear: false,
                });
            }
            return;
        }
        let Some(round) = self.round.as_mut().filter(|r| r.request_id == item.request_id) else {
            return;
        };
        round.items += 1;
        match item.kind {
            SnapshotKind::Execution => self.on_listed_execution(now, item),
            SnapshotKind::Order => self.on_listed_order(now, item),
            SnapshotKind::Position => {
                if let Some(p) = round.positions.get_mut(item.instrument.index()) {
                    *p = item.qty.0;
                }
            }
            SnapshotKind::Begin => {}
            SnapshotKind::End => self.on_complete(now, item, position),
        }
    }

    fn on_listed_execution(&mut self, now: RecvTs, item: &SnapshotItem) {
        let busted = item.status == VenueOrderStatus::Canceled;
        if let Some(at) = self.table.find(listed_id(item)) {
            let e = &mut self.table.live_mut()[at];
            e.listed_filled = e.listed_filled.saturating_add(item.qty.0);
        }
        if self.table.has_seen(item.exec_id.0) && !busted {
            return;
        }
        let id = listed_id(item);
        let report = VenueReport {
            ts_exchange: item.ts_exchange,
            client_order_id: id,
            venue_order_id: item.venue_order_id,
            exec_id: item.exec_id,
            px: item.px,
            qty: item.qty,
            leaves: Qty(0),
            fee_e9: item.fee_e9,
            instrument: item.instrument,
            reason: 0,
            kind: if busted { ReportKind::Bust } else { ReportKind::Fill },
            side: item.side,
            maker: item.maker,
            reserved: 0,
        };
        self.on_report(now, &report);
    }

    fn on_listed_order(&mut self, now: RecvTs, item: &SnapshotItem) {
        let id = listed_id(item);
        let request_id = item.request_id;
        let Some(at) = self.table.find(id) else {
            if item.status == VenueOrderStatus::Working && item.leaves.0 > 0 {
                self.on_listed_stranger(now, item);
            }
            return;
        };
        let e = &mut self.table.live_mut()[at];
        let was_unknown = e.state == State::Unknown;
        let was_arrived = e.arrived;
        let was_waiting = e.unanswered_since().is_some();
        (e.listed_in, e.absent_count, e.arrived) = (request_id, 0, true);
        let over = item.status != VenueOrderStatus::Working;
        if over && e.is_stray() && e.listed_filled >= item.filled.0 {
            // All its executions are booked, some before it was counted here.
            return self.close(at, ReportKind::Canceled);
        }
        if item.filled.0 > e.filled || e.instrument != item.instrument || e.side != item.side {
            // Executions are missing in the answer, or it is another order.
            return self.unclear();
        }
        let entry = *e;
        if item.status != VenueOrderStatus::Working {
            // Fills told since the answer began may exceed what it lists; never the reverse.
            return match item.status {
                VenueOrderStatus::Filled => self.unclear(),
                VenueOrderStatus::Expired => self.close(at, ReportKind::Expired),
                VenueOrderStatus::Rejected if !was_arrived && entry.filled == 0 => {
                    self.close_rejected(at);
                }
                _ => self.close(at, ReportKind::Canceled),
            };
        }
        let e = &mut self.table.live_mut()[at];
        if e.end.is_some() {
            // Its end overtook the answer: the next one knows of it.
            return self.unclear();
        }
        (e.state, e.waiting_since, e.cancel_since) = (State::Live, None, None);
        let entry = *e;
        if !was_arrived {
            self.deliver(&entry, blank(&entry, ReportKind::Ack));
        }
        if was_unknown || was_waiting {
            // Whatever was asked of it was not heard: it may be asked again.
            self.deliver(&entry, blank(&entry, ReportKind::CancelReject));
        }
        if was_unknown {
            self.fate(&entry, Fate::Found);
            self.settle_instrument(entry.instrument);
        }
        if entry.is_stray() {
            self.cancel(&entry);
        }
    }

    fn close_rejected(&mut self, at: usize) {
        let e = self.table.live()[at];
        self.table.end(at);
        self.deliver(&e, VenueReport { leaves: Qty(0), ..blank(&e, ReportKind::Reject) });
        self.settle_instrument(e.instrument);
    }

    /// The venue works an order that is not alive here.
    fn on_listed_stranger(&mut self, now: RecvTs, item: &SnapshotItem) {
        if planted(Bug::StrangerIgnored) {
            return;
        }
        let id = listed_id(item);
        let mut entry = Entry {
            id,
            px: item.px,
            qty: item.filled.0.saturating_add(item.leaves.0),
            filled: item.filled.0,
            instrument: item.instrument,
            side: item.side,
            order_type: if item.px.0 == 0 { OrderType::Market } else { OrderType::Limit },
            state: State::Live,
            owned: false,
            revived: false,
            arrived: true,
            end: None,
            waiting_since: None,
            cancel_since: None,
            listed_filled: 0,
            covered_from: 0,
            listed_in: item.request_id,
            absent_count: 0,
            absent_since: RecvTs(0),
        };
        let last_round = self.last_round;
        if let Some(ended) = self.table.ended(id) {
            let never_arrived = matches!(ended.end, Some((ReportKind::Absent, _)));
            // Its end may have overtaken the answer; told again by the next one, it is alive.
            let told_again = ended.listed_in != 0 && ended.listed_in == last_round;
            ended.listed_in = item.request_id;
            // Executions booked since the answer began are not in it.
            entry.filled = entry.filled.max(ended.filled);
            (entry.owned, entry.revived) = (ended.owned, true);
            if !never_arrived && !told_again {
                return self.unclear();
            }
        }
        if id.is_foreign() {
            self.alarm(AlarmCode::ForeignActivity, item.instrument, id, item.leaves.0);
            return self.adopt(entry, Fate::Adopted);
        }
        self.revive(now, entry);
    }

    fn unclear(&mut self) {
        if let Some(round) = &mut self.round {
            round.unclear = true;
        }
    }

    fn on_complete(
        &mut self,
        now: RecvTs,
        item: &SnapshotItem,
        position: impl Fn(InstrumentId) -> i64,
    ) {
        let Some(round) = self.round.take() else { return };
        self.pending = None;
        if round.items - 1 != item.qty.0 {
            let none = AlarmRecord::NO_INSTRUMENT;
            self.alarm(AlarmCode::SnapshotLate, none, ClientOrderId(0), item.qty.0);
            return self.ask(now.plus_ns(RETRY_NS));
        }
        self.judge_unlisted(now, &round);
        let agreed = self.judge_positions(&round, position);
        self.last_round = round.request_id;
        if agreed && !round.unclear {
            self.clear_late();
            if !self.reconciled {
                self.reconciled = true;
            }
            self.account(Block::Reconcile, false);
        } else {
            self.ask(now.plus_ns(RETRY_NS));
        }
    }

    /// Orders that a complete answer does not list although they left before it was asked for.
    fn judge_unlisted(&mut self, now: RecvTs, round: &Round) {
        let (request_id, begun) = (round.request_id, round.begun);
        let mut at = self.table.live().len();
        while at > 0 {
            at -= 1;
            let quiet_ns = self.quiet_ns;
            let e = &mut self.table.live_mut()[at];
            if e.listed_in == request_id || e.covered_from > request_id {
                continue;
            }
            if e.absent_count == 0 {
                e.absent_since = begun;
            }
            e.absent_count = e.absent_count.saturating_add(1);
            let entry = *e;
            let twice = entry.absent_count >= 2 && begun.since_ns(entry.absent_since) >= quiet_ns;
            if twice || planted(Bug::BelieveFirstAbsence) {
                self.alarm(AlarmCode::OrderAbsent, entry.instrument, entry.id, entry.leaves());
                let gone = if entry.arrived { ReportKind::Canceled } else { ReportKind::Absent };
                self.close(at, gone);
                continue;
            }
            self.doubt(at);
            self.ask(entry.absent_since.plus_ns(quiet_ns).max(now.plus_ns(RETRY_NS)));
        }
    }

    /// Compares positions. A difference counts when two answers in a row show the same one:
    /// fills may be under way. Returns whether every instrument is settled, equal or blocked.
    fn judge_positions(&mut self, round: &Round, position: impl Fn(InstrumentId) -> i64) -> bool {
        let mut settled = true;
        for i in 0..INSTRUMENT_COUNT_MAX {
            let instrument = InstrumentId(i as u16);
            let difference = round.positions[i].saturating_sub(position(instrument));
            let before = std::mem::replace(&mut self.differences[i], difference);
            if difference == 0 {
                if std::mem::replace(&mut self.mismatched[i], false) {
                    self.fault(instrument, InstrumentFault::PositionMismatch, false);
                }
            } else if difference == before {
                if !std::mem::replace(&mut self.mismatched[i], true) {
                    let (code, none) = (AlarmCode::PositionMismatch, ClientOrderId(0));
                    self.alarm(code, instrument, none, difference);
                    self.fault(instrument, InstrumentFault::PositionMismatch, true);
                }
            } else {
                settled = false;
            }
        }
        settled
    }

    /// Frees the instruments whose accounts agree, whoever blocked them.
    fn clear_late(&mut self) {
        for i in 0..INSTRUMENT_COUNT_MAX {
            if self.late[i] && !self.mismatched[i] {
                self.late[i] = false;
                let instrument = InstrumentId(i as u16);
                self.fault(instrument, InstrumentFault::LateFill, false);
                self.fault(instrument, InstrumentFault::PositionMismatch, false);
                self.doubtful[i] = true;
                self.settle_instrument(instrument);
            }
        }
    }

    /// Returns whether the execution was taken back.
    #[cfg(test)]
    pub(super) fn is_busted(&self, exec_id: u64) -> bool {
        self.table.has_seen(exec_id | super::report::BUST_MARK)
    }
}

/// Returns our id of a listed order, or a stand-in for one that has none.
fn listed_id(item: &SnapshotItem) -> ClientOrderId {
    match item.client_order_id.0 {
        0 => ClientOrderId::foreign(item.venue_order_id),
        _ => item.client_order_id,
    }
}
