//! Order truth: what became of every order, told only by the venue.
//!
//! Stands between the venue's messages and the two accounts (execution engine and risk gate).
//! Messages may be lost, late, twice, or out of order; what goes on to the accounts is each fact
//! once, in an order they understand. Where the venue has not answered, an order is UNKNOWN: it
//! counts at its worst case, its instrument takes no new orders, nothing is sent again, and only
//! the venue's own account of the day resolves it. An answer that does not list an order is
//! believed the second time, a while later; before that, absence proves nothing.
//!
//! No I/O, no clock, no allocation after construction.

mod effect;
mod report;
mod snapshot;
mod table;
#[cfg(test)]
mod tests;

pub use effect::Effect;

use crate::canary::{Bug, planted};
use ijk_core::config::VenueConfig;
use ijk_core::limits::INSTRUMENT_COUNT_MAX;
use ijk_core::{
    AlarmCode, AlarmRecord, Block, CarryItem, CarryKind, ClientOrderId, ExchTs, ExecId, Fate,
    FateRecord, InstrumentId, LinkEvent, LinkKind, NewOrder, OrderType, Px, Qty, RecvTs,
    ReportKind, SnapshotRequest, TimeInForce, VenueOrderId, VenueReport,
};
use snapshot::Round;
use table::{Entry, State, Table};

/// Why one instrument takes no new orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstrumentFault {
    /// An order is UNKNOWN.
    UnknownOrder,
    /// The venue's position is not ours.
    PositionMismatch,
    /// A fill nobody expected was booked.
    LateFill,
}

/// Time until a comparison that did not settle everything is repeated.
const RETRY_NS: u64 = 500_000_000;
/// Sum of both marks an effect of one input can need: every living order twice, and some.
const EFFECT_COUNT_TYPICAL: usize = 2 * table::LIVE_COUNT_MAX;

/// A request under way.
#[derive(Clone, Copy, Debug)]
struct Pending {
    request_id: u64,
    since: RecvTs,
}

/// See the module.
#[derive(Debug)]
pub struct OrderTruth {
    table: Table,
    effects: Vec<Effect>,
    /// The venue outlives the process, so its account is the truth.
    external: bool,
    link_up: bool,
    /// Boot epoch of the ids made here; 0 where nobody checks.
    epoch: u32,
    sent_any: bool,
    /// Since when nothing was heard of a link that has yet to come up.
    silent_since: Option<RecvTs>,
    told_silent: bool,
    ack_timeout_ns: u64,
    snapshot_timeout_ns: u64,
    interval_ns: u64,
    quiet_ns: u64,
    next_request_id: u64,
    pending: Option<Pending>,
    next_request: Option<RecvTs>,
    round: Option<Round>,
    /// The last complete answer.
    last_round: u64,
    /// Venue's position minus ours at the last complete answer.
    differences: [i64; INSTRUMENT_COUNT_MAX],
    mismatched: [bool; INSTRUMENT_COUNT_MAX],
    late: [bool; INSTRUMENT_COUNT_MAX],
    /// Instruments with an UNKNOWN order.
    doubtful: [bool; INSTRUMENT_COUNT_MAX],
    reconciled: bool,
}

impl OrderTruth {
    /// Returns the truth about no orders. `external`: the venue outlives the process.
    pub fn new(config: &VenueConfig, external: bool) -> OrderTruth {
        let ns = |ms: u64| ms.saturating_mul(1_000_000);
        OrderTruth {
            table: Table::new(),
            effects: Vec::with_capacity(EFFECT_COUNT_TYPICAL),
            external,
            link_up: false,
            epoch: 0,
            sent_any: false,
            silent_since: None,
            told_silent: false,
            ack_timeout_ns: ns(config.ack_timeout_ms),
            snapshot_timeout_ns: ns(config.snapshot_timeout_ms),
            interval_ns: ns(config.reconcile_interval_ms).max(1),
            quiet_ns: ns(config.absent_quiet_ms),
            next_request_id: 1,
            pending: None,
            next_request: None,
            round: None,
            last_round: 0,
            differences: [0; INSTRUMENT_COUNT_MAX],
            mismatched: [false; INSTRUMENT_COUNT_MAX],
            late: [false; INSTRUMENT_COUNT_MAX],
            doubtful: [false; INSTRUMENT_COUNT_MAX],
            reconciled: false,
        }
    }

    /// Sets the boot epoch, so that ids the venue has seen of it, or of a later one, are noticed:
    /// the account's folder is lost or an old copy, and ids would come twice.
    pub fn set_epoch(&mut self, epoch: u32) {
        self.epoch = epoch;
    }

    /// Notes that an order leaves now.
    pub fn on_sent(&mut self, now: RecvTs, order: &NewOrder) {
        self.sent_any = true;
        let entry = Entry::new(now, order, self.next_request_id);
        if !self.table.insert(entry) {
            self.alarm(AlarmCode::TableFull, order.instrument, order.client_order_id, 0);
            self.account(Block::Operator, true);
        }
    }

    /// Notes that a cancel leaves now.
    pub fn on_cancel_sent(&mut self, now: RecvTs, id: ClientOrderId) {
        if let Some(at) = self.table.find(id) {
            self.table.live_mut()[at].cancel_since.get_or_insert(now);
        }
    }

    /// Notes a change of the link.
    pub fn on_link(&mut self, now: RecvTs, event: &LinkEvent) {
        self.pending = None;
        self.round = None;
        match event.kind {
            LinkKind::Up => {
                self.link_up = true;
                self.told_silent = true;
                self.account(Block::Link, false);
                self.check_epoch(event.highest_seen);
                self.next_request = Some(now);
                self.on_time(now);
            }
            LinkKind::Down => {
                self.link_up = false;
                self.reconciled = false;
                self.account(Block::Link, true);
                self.account(Block::Reconcile, true);
                let none = AlarmRecord::NO_INSTRUMENT;
                self.alarm(AlarmCode::LinkDown, none, ClientOrderId(0), 0);
                for at in 0..self.table.live().len() {
                    let e = &self.table.live()[at];
                    if e.state == State::Sent || e.unanswered_since().is_some() {
                        self.doubt(at);
                    }
                }
            }
        }
    }

    /// Takes over what an earlier run left. Accounts and executions concern the gate as well.
    pub fn on_carry(&mut self, now: RecvTs, item: &CarryItem) {
        match item.kind {
            CarryKind::Execution if item.exec_id.0 != 0 => {
                self.carry_execution(item);
            }
            CarryKind::Order => {
                let order = order_of(item);
                let mut entry = Entry::new(now, &order, 0);
                (entry.filled, entry.owned) = (item.filled.0, false);
                (entry.state, entry.waiting_since) = (State::Unknown, None);
                self.adopt(entry, Fate::Unknown);
                self.mark_doubtful(item.instrument);
            }
            CarryKind::Done => self.account(Block::Recovery, false),
            CarryKind::Account | CarryKind::Execution | CarryKind::Parent => {}
        }
    }

    fn carry_execution(&mut self, item: &CarryItem) {
        let _ = self.table.remember(item.exec_id.0);
        if item.flags & CarryItem::BUSTED != 0 {
            let _ = self.table.remember(item.exec_id.0 | report::BUST_MARK);
        }
        if item.flags & CarryItem::FEE_BOOKED != 0 {
            let _ = self.table.remember(item.exec_id.0 | report::FEE_MARK);
        }
    }

    /// Lets time pass: what waited too long is UNKNOWN, what is due is asked.
    pub fn on_time(&mut self, now: RecvTs) {
        if !self.external {
            return;
        }
        self.watch_link(now);
        for at in 0..self.table.live().len() {
            let since = self.table.live()[at].unanswered_since();
            if since.is_some_and(|t| now.since_ns(t) >= self.ack_timeout_ns) {
                self.doubt(at);
            }
        }
        if let Some(p) = self.pending
            && now.since_ns(p.since) >= self.snapshot_timeout_ns
        {
            self.pending = None;
            self.round = None;
            let none = AlarmRecord::NO_INSTRUMENT;
            self.alarm(AlarmCode::SnapshotLate, none, ClientOrderId(0), p.request_id as i64);
            self.next_request = Some(now);
        }
        if self.pending.is_none() && self.link_up && self.next_request.is_some_and(|t| t <= now) {
            let request_id = self.next_request_id;
            self.next_request_id += 1;
            self.pending = Some(Pending { request_id, since: now });
            self.next_request = Some(now.plus_ns(self.interval_ns));
            self.effects.push(Effect::Request(SnapshotRequest { request_id }));
        }
    }

    fn check_epoch(&mut self, seen: ClientOrderId) {
        let later = seen.epoch() > self.epoch;
        let before_us = seen.epoch() == self.epoch && !self.sent_any;
        if self.epoch > 0 && !seen.is_foreign() && (later || before_us) {
            let none = AlarmRecord::NO_INSTRUMENT;
            self.alarm(AlarmCode::DuplicateId, none, seen, i64::from(seen.epoch()));
            self.account(Block::Operator, true);
        }
    }

    /// A link that does not come up at all is told of once.
    fn watch_link(&mut self, now: RecvTs) {
        if self.link_up || self.told_silent || now.0 == 0 {
            return;
        }
        let since = *self.silent_since.get_or_insert(now);
        if now.since_ns(since) >= self.snapshot_timeout_ns {
            self.told_silent = true;
            let none = AlarmRecord::NO_INSTRUMENT;
            self.alarm(AlarmCode::LinkDown, none, ClientOrderId(0), 0);
        }
    }

    /// Notes a request read from a journal, so that its answer is understood.
    pub(super) fn on_requested(&mut self, now: RecvTs, request: &SnapshotRequest) {
        self.next_request_id = request.request_id + 1;
        self.round = None;
        self.pending = Some(Pending { request_id: request.request_id, since: now });
    }

    /// Returns when [`OrderTruth::on_time`] next has something to do.
    pub fn next_deadline(&self) -> Option<RecvTs> {
        if !self.external {
            return None;
        }
        let waits = self.table.live().iter().filter_map(Entry::unanswered_since);
        let doubts = waits.map(|t| t.plus_ns(self.ack_timeout_ns)).min();
        let answer = self.pending.map(|p| p.since.plus_ns(self.snapshot_timeout_ns));
        let request = self.next_request.filter(|_| self.link_up && self.pending.is_none());
        [doubts, answer, request].into_iter().flatten().min()
    }

    /// Takes the next thing to do.
    pub fn take(&mut self, index: usize) -> Option<Effect> {
        let effect = self.effects.get(index).copied();
        if effect.is_none() {
            self.effects.clear();
        }
        effect
    }

    /// Returns the number of orders that nobody here knows the state of.
    pub fn unknown_count(&self) -> usize {
        self.table.live().iter().filter(|e| e.state == State::Unknown).count()
    }

    /// Returns the number of orders alive or in doubt.
    pub fn live_count(&self) -> usize {
        self.table.live().len()
    }

    /// Returns whether the venue's account and ours were compared since the link came up.
    pub fn is_reconciled(&self) -> bool {
        !self.external || self.reconciled
    }

    /// Returns the living orders for the next run.
    pub(super) fn carry_orders(&self) -> impl Iterator<Item = CarryItem> + '_ {
        self.table.live().iter().map(|e| CarryItem {
            client_order_id: e.id,
            qty: Qty(e.qty),
            filled: Qty(e.filled),
            px: e.px,
            instrument: e.instrument,
            side: e.side,
            order_type: e.order_type,
            ..CarryItem::new(CarryKind::Order)
        })
    }

    /// Cancels every order that no parent here answers for.
    pub fn cancel_adopted(&mut self) {
        for at in 0..self.table.live().len() {
            let entry = self.table.live()[at];
            if entry.is_stray() {
                self.cancel(&entry);
            }
        }
    }

    /// Cancels every living order; their parents send again when they may.
    pub fn cancel_all(&mut self) {
        for at in 0..self.table.live().len() {
            let entry = self.table.live()[at];
            self.cancel(&entry);
        }
    }

    /// The run ends: the venue is asked once more, for what nobody here knows of. Returns the
    /// number of the request that [`OrderTruth::last_answer`] has to reach.
    pub fn ask_last(&mut self, now: RecvTs) -> u64 {
        self.ask(now);
        self.next_request_id
    }

    /// Returns the number of the last request with a complete answer.
    pub fn last_answer(&self) -> u64 {
        self.last_round
    }

    /// The clock was wrong: what it measured of a silence does not count.
    pub fn on_bad_clock(&mut self) {
        self.table.live_mut().iter_mut().for_each(|e| e.absent_count = 0);
    }

    /// Asks the venue soon, unless it is being asked.
    fn ask(&mut self, at: RecvTs) {
        self.next_request = Some(self.next_request.map_or(at, |t| t.min(at)));
    }

    /// Marks a living order as UNKNOWN.
    fn doubt(&mut self, at: usize) {
        let entry = &mut self.table.live_mut()[at];
        let since = entry.unanswered_since();
        (entry.waiting_since, entry.cancel_since) = (None, None);
        if entry.state == State::Unknown {
            return;
        }
        entry.state = State::Unknown;
        let entry = *entry;
        if planted(Bug::UnknownRejected) && !entry.arrived {
            self.deliver(&entry, blank(&entry, ReportKind::Reject));
        }
        self.fate(&entry, Fate::Unknown);
        self.alarm(AlarmCode::OrderUnknown, entry.instrument, entry.id, entry.leaves());
        self.mark_doubtful(entry.instrument);
        self.ask(since.unwrap_or(RecvTs(0)));
    }

    fn mark_doubtful(&mut self, instrument: InstrumentId) {
        if let Some(doubtful) = self.doubtful.get_mut(instrument.index()) {
            *doubtful = true;
            self.fault(instrument, InstrumentFault::UnknownOrder, true);
        }
    }

    /// Counts an order that the execution engine does not know.
    fn adopt(&mut self, entry: Entry, fate: Fate) {
        if entry.leaves() <= 0 {
            return;
        }
        let order = NewOrder {
            client_order_id: entry.id,
            qty: Qty(entry.qty),
            px: entry.px,
            parent_id: ijk_core::ParentId(0),
            instrument: entry.instrument,
            side: entry.side,
            order_type: entry.order_type,
            tif: TimeInForce::Day,
            reserved: [0; 7],
        };
        if self.table.find(entry.id).is_some() {
            return;
        }
        if self.table.insert(entry) {
            self.effects.push(Effect::Adopt { order, leaves: Qty(entry.leaves()) });
            self.fate(&entry, fate);
        } else {
            self.alarm(AlarmCode::TableFull, entry.instrument, entry.id, entry.leaves());
            self.account(Block::Operator, true);
        }
    }

    fn account(&mut self, block: Block, set: bool) {
        self.effects.push(Effect::Account { block, set });
    }

    fn fault(&mut self, instrument: InstrumentId, fault: InstrumentFault, set: bool) {
        self.effects.push(Effect::Instrument { instrument, fault, set });
    }

    fn alarm(&mut self, code: AlarmCode, instrument: InstrumentId, id: ClientOrderId, value: i64) {
        self.effects.push(Effect::Alarm { code, instrument, id, value });
    }

    fn fate(&mut self, entry: &Entry, fate: Fate) {
        self.effects.push(Effect::Fate(FateRecord {
            client_order_id: entry.id,
            leaves: Qty(entry.leaves()),
            instrument: entry.instrument,
            fate,
            reserved: [0; 5],
        }));
    }

    /// Sends a report about `entry` on to the accounts.
    fn deliver(&mut self, entry: &Entry, report: VenueReport) {
        let of_execution =
            matches!(report.kind, ReportKind::Fill | ReportKind::Bust | ReportKind::Commission);
        let owned = entry.owned && (of_execution || !entry.revived);
        self.effects.push(Effect::Report { report, owned });
    }
}

/// Returns a report about `entry` with everything else zero.
fn blank(entry: &Entry, kind: ReportKind) -> VenueReport {
    VenueReport {
        ts_exchange: ExchTs(0),
        client_order_id: entry.id,
        venue_order_id: VenueOrderId(0),
        exec_id: ExecId(0),
        px: Px(0),
        qty: Qty(0),
        leaves: Qty(entry.leaves()),
        fee_e9: 0,
        instrument: entry.instrument,
        reason: 0,
        kind,
        side: entry.side,
        maker: 0,
        reserved: 0,
    }
}

fn order_of(item: &CarryItem) -> NewOrder {
    NewOrder {
        client_order_id: item.client_order_id,
        qty: item.qty,
        px: if item.order_type == OrderType::Market { Px(0) } else { item.px },
        parent_id: ijk_core::ParentId(0),
        instrument: item.instrument,
        side: item.side,
        order_type: item.order_type,
        tif: TimeInForce::Day,
        reserved: [0; 7],
    }
}
