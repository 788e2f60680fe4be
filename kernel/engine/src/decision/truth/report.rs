//! Reports of single orders: each fact once, in an order the accounts understand.

use super::table::{Entry, State};
use super::{InstrumentFault, OrderTruth, blank};
use crate::canary::{Bug, planted};
use ijk_core::order::{REASON_DUPLICATE_ID, REASON_EGRESS};
use ijk_core::{
    AlarmCode, Block, CancelOrder, ClientOrderId, Fate, InstrumentId, Qty, RecvTs, ReportKind,
    VenueReport,
};

/// Marks a bust of an execution in the table of executions: applied once.
pub(super) const BUST_MARK: u64 = 0x8000_0000_0000_0000;
/// Marks a late fee, likewise.
pub(super) const FEE_MARK: u64 = 0x4000_0000_0000_0000;

impl OrderTruth {
    /// Takes one report of the venue.
    pub fn on_report(&mut self, now: RecvTs, report: &VenueReport) {
        let mut report = *report;
        if report.client_order_id.0 == 0 {
            report.client_order_id = ClientOrderId::foreign(report.venue_order_id);
        }
        match report.kind {
            ReportKind::Fill => self.on_fill(now, &report),
            ReportKind::Ack => self.on_ack(now, &report),
            ReportKind::Reject => self.on_reject(now, &report),
            ReportKind::Canceled | ReportKind::Expired => self.on_end(now, &report),
            ReportKind::CancelReject => self.on_cancel_reject(now, &report),
            ReportKind::Bust => self.on_bust(now, &report),
            ReportKind::Commission => self.on_commission(now, &report),
            ReportKind::Absent => self.on_absent(&report),
        }
    }

    /// Returns the place of the living order that the report is about, if its instrument and
    /// side agree.
    fn living(&mut self, now: RecvTs, r: &VenueReport, names_side: bool) -> Option<usize> {
        let at = self.table.find(r.client_order_id)?;
        let e = self.table.live()[at];
        if e.instrument == r.instrument && (!names_side || e.side == r.side) {
            return Some(at);
        }
        self.nonsense(now, r);
        None
    }

    /// A report that cannot be applied: the venue's account will tell.
    fn nonsense(&mut self, now: RecvTs, r: &VenueReport) {
        self.alarm(AlarmCode::BadReport, r.instrument, r.client_order_id, r.kind as i64);
        self.ask(now);
    }

    fn on_ack(&mut self, now: RecvTs, r: &VenueReport) {
        if self.table.find(r.client_order_id).is_none() {
            return self.ack_of_the_dead(now, r);
        }
        let Some(at) = self.living(now, r, true) else { return };
        let e = &mut self.table.live_mut()[at];
        let is_repeat = e.arrived;
        e.arrived = true;
        e.absent_count = 0;
        if e.state == State::Sent {
            (e.state, e.waiting_since) = (State::Live, None);
        }
        let entry = *e;
        if !is_repeat {
            let ack = VenueReport { leaves: Qty(entry.leaves()), qty: Qty(0), ..*r };
            self.deliver(&entry, ack);
        }
        // An UNKNOWN order that the venue acknowledges is known again.
        if entry.state == State::Unknown && entry.end.is_none() {
            self.table.live_mut()[at].state = State::Live;
            // A cancel that nobody answered may be asked for again.
            self.deliver(&entry, blank(&entry, ReportKind::CancelReject));
            self.fate(&entry, Fate::Found);
            self.settle_instrument(entry.instrument);
        }
    }

    /// An acknowledgement of an order that is not alive here.
    fn ack_of_the_dead(&mut self, now: RecvTs, r: &VenueReport) {
        let id = r.client_order_id;
        match self.table.ended(id) {
            // It surfaces after it was declared never to have arrived.
            Some(e) if matches!(e.end, Some((ReportKind::Absent, _))) && e.leaves() > 0 => {
                let entry = Entry { revived: true, arrived: true, end: None, ..*e };
                self.revive(
                    now,
                    Entry { state: State::Live, waiting_since: None, cancel_since: None, ..entry },
                );
            }
            // Late acknowledgements of ended orders are no fault.
            Some(_) => {}
            None => {
                if id.is_foreign() {
                    self.alarm(AlarmCode::ForeignActivity, r.instrument, id, r.qty.0);
                }
                self.ask(now);
            }
        }
    }

    /// Counts and cancels an order that was thought to be over.
    pub(super) fn revive(&mut self, now: RecvTs, entry: Entry) {
        self.alarm(AlarmCode::OrderAdopted, entry.instrument, entry.id, entry.leaves());
        self.adopt(entry, Fate::Adopted);
        self.mark_late(entry.instrument);
        self.cancel(&entry);
        self.ask(now);
    }

    pub(super) fn cancel(&mut self, entry: &Entry) {
        if !entry.id.is_foreign() {
            self.effects.push(super::Effect::Cancel(CancelOrder {
                client_order_id: entry.id,
                instrument: entry.instrument,
                reserved: [0; 6],
            }));
        }
    }

    fn on_reject(&mut self, now: RecvTs, r: &VenueReport) {
        let Some(at) = self.living(now, r, true) else { return };
        let e = self.table.live()[at];
        if r.reason == REASON_DUPLICATE_ID {
            // The order of that id may be alive: nothing is known but that ids collide.
            self.alarm(AlarmCode::DuplicateId, e.instrument, e.id, 0);
            self.account(Block::Operator, true);
            self.doubt(at);
            return self.ask(now);
        }
        if e.arrived || e.filled > 0 {
            // Refused after all: what was left is over.
            return self.close(at, ReportKind::Canceled);
        }
        self.table.end(at);
        self.deliver(&e, VenueReport { leaves: Qty(0), qty: Qty(0), ..*r });
        self.settle_instrument(e.instrument);
    }

    /// The order never left this machine.
    fn on_absent(&mut self, r: &VenueReport) {
        let Some(at) = self.table.find(r.client_order_id) else { return };
        if r.reason >= REASON_EGRESS {
            // What the gate let pass the last check refused: one of the two is wrong.
            let (instrument, id) = (r.instrument, r.client_order_id);
            let code = i64::from(r.reason - REASON_EGRESS);
            self.alarm(AlarmCode::EgressRefused, instrument, id, code);
            self.account(Block::Operator, true);
        }
        if !self.table.live()[at].arrived {
            self.close(at, ReportKind::Absent);
        }
    }

    fn on_end(&mut self, now: RecvTs, r: &VenueReport) {
        let Some(at) = self.living(now, r, true) else { return };
        let e = &mut self.table.live_mut()[at];
        e.arrived = true;
        let leaves = e.leaves();
        if r.qty.0 < 0 || r.qty.0 > leaves {
            self.nonsense(now, r);
            return self.close(at, r.kind);
        }
        if r.qty.0 < leaves {
            // Fills that happened before the end are still to be told.
            e.end = Some((r.kind, r.qty.0));
            e.waiting_since = Some(now);
            return;
        }
        self.close(at, r.kind);
    }

    /// Ends a living order with all that is left of it.
    pub(super) fn close(&mut self, at: usize, kind: ReportKind) {
        let mut e = self.table.live()[at];
        let report = VenueReport { qty: Qty(e.leaves()), leaves: Qty(0), ..blank(&e, kind) };
        e.end = Some((kind, e.leaves()));
        self.table.live_mut()[at] = e;
        self.table.end(at);
        self.deliver(&e, report);
        if kind == ReportKind::Absent {
            self.fate(&e, Fate::NotSent);
        } else if e.state == State::Unknown {
            self.fate(&Entry { filled: e.qty, ..e }, Fate::Found);
        }
        self.settle_instrument(e.instrument);
    }

    fn on_cancel_reject(&mut self, now: RecvTs, r: &VenueReport) {
        let Some(at) = self.living(now, r, false) else { return };
        let e = &mut self.table.live_mut()[at];
        if r.leaves.0 > 0 {
            e.arrived = true;
        }
        e.cancel_since = None;
        if r.leaves.0 <= 0 {
            // "Gone" must be followed by how it went.
            e.waiting_since = Some(now);
        }
        let entry = *e;
        let leaves = Qty(if r.leaves.0 > 0 { entry.leaves() } else { 0 });
        self.deliver(&entry, VenueReport { leaves, side: entry.side, ..*r });
    }

    pub(super) fn on_fill(&mut self, now: RecvTs, r: &VenueReport) {
        if r.exec_id.0 == 0 || r.px.0 <= 0 || r.qty.0 <= 0 || r.exec_id.0 >= FEE_MARK {
            return self.nonsense(now, r);
        }
        match self.table.remember(r.exec_id.0) {
            Some(true) if planted(Bug::FillDropped) && r.exec_id.0.is_multiple_of(5) => return,
            Some(true) => {}
            Some(false) => return,
            None => {
                self.alarm(AlarmCode::TableFull, r.instrument, r.client_order_id, r.qty.0);
                self.account(Block::Operator, true);
            }
        }
        let Some(at) = self.table.find(r.client_order_id) else {
            return self.fill_of_the_dead(now, r);
        };
        let before = self.table.live()[at];
        let agrees = before.instrument == r.instrument && before.side == r.side;
        let e = &mut self.table.live_mut()[at];
        e.arrived = true;
        e.absent_count = 0;
        if e.state == State::Sent && e.end.is_none() {
            (e.state, e.waiting_since) = (State::Live, None);
        }
        if !agrees || r.qty.0 > before.leaves() {
            self.alarm(AlarmCode::LateFill, r.instrument, r.client_order_id, r.qty.0);
            self.mark_late(r.instrument);
            self.ask(now);
        }
        let e = &mut self.table.live_mut()[at];
        e.filled = e.filled.saturating_add(r.qty.0);
        let entry = *e;
        let leaves = Qty(entry.leaves().max(0));
        self.deliver(&entry, VenueReport { leaves, ..*r });
        match entry.end {
            _ if entry.leaves() <= 0 => {
                self.table.end(at);
                if entry.state == State::Unknown {
                    self.fate(&Entry { filled: entry.qty, ..entry }, Fate::Found);
                }
                self.settle_instrument(entry.instrument);
            }
            Some((kind, cancelled)) if entry.leaves() == cancelled => self.close(at, kind),
            _ => {}
        }
    }

    /// A fill of an order that is not alive here: booked, and looked into.
    fn fill_of_the_dead(&mut self, now: RecvTs, r: &VenueReport) {
        let id = r.client_order_id;
        let code = if id.is_foreign() { AlarmCode::ForeignActivity } else { AlarmCode::LateFill };
        self.alarm(code, r.instrument, id, r.qty.0);
        let owned = match self.table.ended(id) {
            Some(e) => {
                e.filled = e.filled.saturating_add(r.qty.0);
                e.owned
            }
            None => false,
        };
        let report = VenueReport { leaves: Qty(0), ..*r };
        self.effects.push(super::Effect::Report { report, owned });
        self.mark_late(r.instrument);
        self.ask(now);
    }

    fn on_bust(&mut self, now: RecvTs, r: &VenueReport) {
        if r.exec_id.0 == 0 || r.exec_id.0 >= FEE_MARK || r.qty.0 <= 0 || r.px.0 <= 0 {
            return self.nonsense(now, r);
        }
        if self.table.has_seen(r.exec_id.0 | BUST_MARK) || planted(Bug::BustIgnored) {
            return;
        }
        // A bust that overtakes its fill brings it along: the quantity does not work any more.
        self.on_fill(now, &VenueReport { kind: ReportKind::Fill, ..*r });
        let _ = self.table.remember(r.exec_id.0 | BUST_MARK);
        let owned = self.is_owned(r.client_order_id);
        self.effects.push(super::Effect::Report { report: *r, owned });
        self.mark_late(r.instrument);
        self.ask(now);
    }

    /// Returns whether the execution engine knows, or lately knew, the order.
    fn is_owned(&mut self, id: ClientOrderId) -> bool {
        match self.table.find(id) {
            Some(at) => self.table.live()[at].owned,
            None => self.table.ended(id).is_some_and(|e| e.owned),
        }
    }

    fn on_commission(&mut self, now: RecvTs, r: &VenueReport) {
        if r.exec_id.0 == 0 || r.exec_id.0 >= FEE_MARK {
            return self.nonsense(now, r);
        }
        if self.table.remember(r.exec_id.0 | FEE_MARK) != Some(true) {
            return;
        }
        let owned = self.is_owned(r.client_order_id);
        self.effects.push(super::Effect::Report { report: *r, owned });
    }

    /// Notes that the gate blocked an instrument for a report that did not fit its ledger.
    pub fn note_fault(&mut self, now: RecvTs, instrument: InstrumentId) {
        if let Some(late) = self.late.get_mut(instrument.index()) {
            *late = true;
        }
        self.ask(now);
    }

    /// Blocks an instrument in which something unexpected was booked, until the accounts were
    /// compared.
    pub(super) fn mark_late(&mut self, instrument: InstrumentId) {
        if let Some(late) = self.late.get_mut(instrument.index()) {
            *late = true;
            self.fault(instrument, InstrumentFault::LateFill, true);
        }
    }

    /// Frees an instrument that has no UNKNOWN order left.
    pub(super) fn settle_instrument(&mut self, instrument: InstrumentId) {
        let unknown = |e: &Entry| e.instrument == instrument && e.state == State::Unknown;
        let doubtful = self.doubtful.get_mut(instrument.index());
        let was = doubtful.is_some_and(|d| *d);
        if was && !self.table.live().iter().any(unknown) {
            self.doubtful[instrument.index()] = false;
            self.fault(instrument, InstrumentFault::UnknownOrder, false);
        }
    }
}
