//! What is known of every order and execution of the day, and what of it the kernel was told.
//!
//! Fed with everything the broker says, in any order and as often as it likes to say it; tells
//! each fact once. Fills come from executions alone: a status only hints that some are missing.
//! No sockets, no threads.

use super::row::{ExecRow, Key, Row};
use crate::codes::{self, Response};
use crate::contracts::ContractTable;
use crate::identity::{client_order_id, exec_number, exec_version, parse_time, to_qty};
use ibapi::orders::{
    Action, CommissionReport, Execution, ExecutionSide, OrderData, OrderStatus, OrderStatusKind,
};
use ijk_core::order::REASON_DUPLICATE_ID;
use ijk_core::{
    ClientOrderId, ExchTs, InstrumentId, NewOrder, Px, Qty, ReportKind, Side, TimeInForce,
    VenueOrderId, VenueReport,
};
use ijk_venue::VenueMessage;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Reason of a reject whose number at the broker was taken (message 103), once it is certain that
/// the order does not live. Not the kernel's own 103, which stops the session: there our ids
/// would collide, here only the broker's did.
pub const REASON_NUMBER_TAKEN: u16 = 10_103;
/// An execution of a limit order this far on the good side of its limit is not believed before
/// it was told twice: a frame read wrongly gives such prices.
const IMPROVEMENT_MAX: f64 = 0.5;

/// The ledger.
pub struct Ledger {
    pub(super) contracts: Arc<ContractTable>,
    pub(super) account: String,
    pub(super) client_id: i32,
    pub(super) rows: BTreeMap<Key, Row>,
    by_number: BTreeMap<(i32, i32), Key>,
    by_perm: BTreeMap<i64, Key>,
    pub(super) execs: BTreeMap<String, ExecRow>,
    /// Commissions of executions that have not arrived, by execution id, 1e-9.
    early_fees: BTreeMap<String, i64>,
    next_order_id: i32,
    out: Vec<VenueMessage>,
    /// Something must be looked up: executions are missing, a number was taken, a price is odd.
    doubtful: bool,
    /// Executions whose price was not believed.
    disbelieved: BTreeMap<String, f64>,
    /// Sum of the executions of an instrument, by the day's reports.
    pub(super) traded: BTreeMap<InstrumentId, i64>,
    /// Position of an instrument before all of them.
    pub(super) opened: BTreeMap<InstrumentId, i64>,
    /// Messages that nobody could place; for people.
    pub(super) odd: u64,
}

impl Ledger {
    /// Returns an empty ledger of an account and the client id that orders leave under.
    pub fn new(contracts: Arc<ContractTable>, account: String, client_id: i32) -> Ledger {
        Ledger {
            contracts,
            account,
            client_id,
            rows: BTreeMap::new(),
            by_number: BTreeMap::new(),
            by_perm: BTreeMap::new(),
            execs: BTreeMap::new(),
            early_fees: BTreeMap::new(),
            next_order_id: 1,
            out: Vec::new(),
            doubtful: false,
            disbelieved: BTreeMap::new(),
            traded: BTreeMap::new(),
            opened: BTreeMap::new(),
            odd: 0,
        }
    }

    /// Takes what the kernel must be told.
    pub fn drain(&mut self) -> std::vec::Drain<'_, VenueMessage> {
        self.out.drain(..)
    }

    /// Returns whether the broker must be asked again, and forgets it.
    pub fn take_doubt(&mut self) -> bool {
        let missing = self.rows.values().any(Row::lacks_fills);
        std::mem::take(&mut self.doubtful) || missing
    }

    /// Raises the next order number to at least `least`: never lowered, whatever the broker says
    /// after a restart.
    pub fn raise(&mut self, least: i32) {
        self.next_order_id = self.next_order_id.max(least);
    }

    /// Returns the highest of our ids that was ever seen at the broker.
    pub fn highest_seen(&self) -> ClientOrderId {
        let ours = self.rows.keys().rev().find_map(|k| k.ours());
        ours.unwrap_or(ClientOrderId(0))
    }

    /// Writes an order down that is about to leave; returns its number at the broker.
    pub fn on_sending(&mut self, order: &NewOrder) -> i32 {
        let order_id = self.next_order_id;
        self.next_order_id += 1;
        let key = Key::of(order.client_order_id);
        let mut row = Row::new(key, order.instrument, order.side, order.qty.0);
        (row.client_id, row.order_id) = (self.client_id, order_id);
        row.px = order.px;
        row.is_ioc = order.tif == TimeInForce::Ioc;
        self.by_number.insert((self.client_id, order_id), key);
        self.rows.insert(key, row);
        order_id
    }

    /// Forgets an order that did not leave after all, and says so.
    pub fn on_not_sent(&mut self, order: &NewOrder) {
        self.rows.remove(&Key::of(order.client_order_id));
        self.withdraw(order);
    }

    /// Says of an order that it never left.
    pub fn withdraw(&mut self, order: &NewOrder) {
        self.out.push(VenueMessage::Report(VenueReport::absent(ExchTs(0), order, 0)));
    }

    /// Refuses an order here, with a code of the broker's.
    pub fn refuse(&mut self, order: &NewOrder, code: u16) {
        let key = Key::of(order.client_order_id);
        let row = Row::new(key, order.instrument, order.side, order.qty.0);
        self.tell(&row, ReportKind::Reject, |r| r.reason = code);
    }

    /// Returns the number to cancel an order by: only the client id that sent it can.
    pub fn on_cancelling(&mut self, id: ClientOrderId) -> Option<i32> {
        let client_id = self.client_id;
        let row = self.rows.get_mut(&Key::of(id))?;
        if row.client_id != client_id || row.order_id <= 0 {
            return None;
        }
        row.cancel_asked = true;
        Some(row.order_id)
    }

    /// Takes an order as the broker has it, live or from a list.
    pub fn on_open(&mut self, data: &OrderData) {
        let Some(key) = self.learn(data) else { return };
        self.on_state(key, &data.order_state.status, None);
    }

    /// Notes who an order is; returns its key where it is of this account and session.
    pub(super) fn learn(&mut self, data: &OrderData) -> Option<Key> {
        let o = &data.order;
        if !o.account.is_empty() && o.account != self.account {
            return None;
        }
        let instrument = self.contracts.instrument(data.contract.contract_id)?;
        let unit = self.contracts.get(instrument)?.qty_unit_e9;
        let key = self.key(&o.order_ref, o.perm_id)?;
        let side = match o.action {
            Action::Buy => Side::Bid,
            Action::Sell | Action::SellShort | Action::SellLong => Side::Ask,
        };
        let number = if data.order_id != 0 { data.order_id } else { o.order_id };
        let total = to_qty(o.total_quantity, unit).map_or(0, |q| q.0);
        let row = self.rows.entry(key).or_insert_with(|| {
            let mut row = Row::new(key, instrument, side, total);
            row.px = o.limit_price.and_then(Px::from_f64).unwrap_or(Px(0));
            row
        });
        row.know(o.client_id, number, o.perm_id);
        self.note_number(key, o.client_id, number, o.perm_id);
        Some(key)
    }

    fn note_number(&mut self, key: Key, client_id: i32, order_id: i32, perm_id: i64) {
        if order_id > 0 {
            self.by_number.insert((client_id, order_id), key);
            if client_id == self.client_id {
                self.raise(order_id.saturating_add(1));
            }
        }
        if perm_id > 0 {
            self.by_perm.insert(perm_id, key);
        }
    }

    /// Returns who an order is: ours by its reference, else the broker's permanent number.
    pub(super) fn key(&self, order_ref: &str, perm_id: i64) -> Option<Key> {
        let by_perm = self.by_perm.get(&perm_id).copied();
        match client_order_id(order_ref) {
            // Two live orders with one reference: the later one is a stranger.
            Some(id) => match self.rows.get(&Key::of(id)) {
                Some(row) if perm_id > 0 && row.perm_id > 0 && row.perm_id != perm_id => {
                    Some(by_perm.unwrap_or(Key::foreign(perm_id)))
                }
                _ => Some(Key::of(id)),
            },
            None => by_perm.or((perm_id > 0).then(|| Key::foreign(perm_id))),
        }
    }

    /// Takes a status.
    pub fn on_status(&mut self, s: &OrderStatus) {
        let by_perm = self.by_perm.get(&s.perm_id);
        let found = by_perm.or_else(|| self.by_number.get(&(s.client_id, s.order_id))).copied();
        let Some(key) = found else {
            self.odd += 1;
            return;
        };
        self.note_number(key, s.client_id, s.order_id, s.perm_id);
        let unit = self.unit(key);
        if let Some(row) = self.rows.get_mut(&key) {
            row.know(s.client_id, s.order_id, s.perm_id);
        }
        self.on_state(key, &s.status, to_qty(s.filled, unit).map(|q| q.0));
    }

    fn unit(&self, key: Key) -> i64 {
        let row = self.rows.get(&key);
        let listed = row.and_then(|r| self.contracts.get(r.instrument));
        listed.map_or(ijk_core::num::E9, |l| l.qty_unit_e9)
    }

    fn on_state(&mut self, key: Key, state: &OrderStatusKind, filled: Option<i64>) {
        let Some(row) = self.rows.get_mut(&key) else { return };
        row.hinted = row.hinted.max(filled.unwrap_or(0)).min(row.total);
        match state {
            OrderStatusKind::PreSubmitted | OrderStatusKind::Submitted => self.acknowledge(key),
            OrderStatusKind::Cancelled | OrderStatusKind::ApiCancelled => self.end(key),
            // No end: such an order may come back to life.
            OrderStatusKind::Inactive => row.is_inactive = true,
            _ => {}
        }
    }

    fn acknowledge(&mut self, key: Key) {
        let Some(row) = self.rows.get_mut(&key) else { return };
        row.is_inactive = false;
        if row.acked || row.is_over() || row.key.ours().is_none() {
            return;
        }
        row.acked = true;
        let row = row.clone();
        self.tell(&row, ReportKind::Ack, |_| {});
    }

    /// What is left of an order is cancelled or ran out.
    fn end(&mut self, key: Key) {
        let Some(row) = self.rows.get_mut(&key) else { return };
        if row.is_over() {
            return;
        }
        row.ended = true;
        let left = row.total - row.hinted.max(row.filled);
        let ran_out = row.is_ioc && !row.cancel_asked;
        let kind = if ran_out { ReportKind::Expired } else { ReportKind::Canceled };
        let row = row.clone();
        if row.key.ours().is_some() {
            self.tell(&row, kind, |r| (r.qty, r.leaves) = (Qty(left), Qty(0)));
        }
    }

    /// Takes an execution. `asked`: it is the answer to a question, so it stands as it is.
    pub fn on_execution(&mut self, con_id: i32, e: &Execution, asked: bool) {
        if !e.account_number.is_empty() && e.account_number != self.account {
            return;
        }
        let Some(instrument) = self.contracts.instrument(con_id) else { return };
        let Some(exec) = self.read(instrument, e) else {
            self.odd += 1;
            self.doubtful = true;
            return;
        };
        self.note_number(exec.key, e.client_id, e.order_id, e.perm_id);
        let (name, version) = exec_version(&e.execution_id);
        let before = self.execs.get(name).cloned();
        if before.as_ref().is_some_and(|b| version <= b.version) {
            return;
        }
        if !asked && before.is_none() && version > 1 {
            // What it corrects stands in the list, with its price.
            self.doubtful = true;
            return;
        }
        if !asked && self.is_absurd(&exec, e) {
            return;
        }
        let fee = before.as_ref().map_or(0, |b| b.fee_told);
        let row = self
            .rows
            .entry(exec.key)
            .or_insert_with(|| Row::new(exec.key, instrument, exec.side, exec.qty));
        row.know(e.client_id, e.order_id, e.perm_id);
        row.acked |= row.key.ours().is_some();
        let traded = self.traded.entry(instrument).or_default();
        if let Some(old) = &before {
            row.filled -= old.qty;
            *traded -= old.side.sign() * old.qty;
        }
        row.filled += exec.qty;
        *traded += exec.side.sign() * exec.qty;
        row.total = row.total.max(row.filled);
        let row = row.clone();
        match before {
            Some(old) => self.tell_execution(&row, &old, ReportKind::Bust),
            // An earlier run may have booked the report that this one replaces. Of one that was
            // never booked nothing is left by its bust either.
            None => (1..version.min(100)).for_each(|v| {
                let number = exec_number(&format!("{name}.{v:02}"));
                self.tell_execution(&row, &ExecRow { number, ..exec.clone() }, ReportKind::Bust);
            }),
        }
        self.tell_execution(&row, &exec, ReportKind::Fill);
        self.execs.insert(name.to_string(), ExecRow { fee_told: fee, ..exec });
        if let Some(fee) = self.early_fees.remove(&e.execution_id) {
            self.on_fee(&e.execution_id, fee);
        }
    }

    fn read(&self, instrument: InstrumentId, e: &Execution) -> Option<ExecRow> {
        let unit = self.contracts.get(instrument)?.qty_unit_e9;
        let qty = to_qty(e.shares, unit).filter(|q| q.0 > 0)?.0;
        let px = Px::from_f64(e.price).filter(|px| px.0 > 0)?;
        let perm = if e.perm_id > 0 {
            e.perm_id
        } else {
            // Trades from outside the broker have no permanent number.
            (exec_number(&e.execution_id).0 | 1 << 61) as i64
        };
        let by_number = self.by_number.get(&(e.client_id, e.order_id)).filter(|_| e.perm_id <= 0);
        let key = by_number.copied().or_else(|| self.key(&e.order_reference, perm))?;
        Some(ExecRow {
            key,
            version: exec_version(&e.execution_id).1,
            number: exec_number(&e.execution_id),
            instrument,
            side: match e.side {
                ExecutionSide::Bought => Side::Bid,
                ExecutionSide::Sold => Side::Ask,
            },
            qty,
            px,
            ts: ExchTs(parse_time(&e.time).unwrap_or(0)),
            maker: matches!(e.last_liquidity, ibapi::orders::Liquidity::AddedLiquidity),
            fee_told: 0,
        })
    }

    /// Returns whether the price cannot be: beyond the limit, or far better than it. Told a
    /// second time it is believed, whatever it is.
    fn is_absurd(&mut self, exec: &ExecRow, e: &Execution) -> bool {
        let Some(row) = self.rows.get(&exec.key).filter(|r| r.px.0 > 0) else { return false };
        let (px, limit) = (exec.px.as_f64(), row.px.as_f64());
        let improvement = match row.side {
            Side::Bid => (limit - px) / limit,
            Side::Ask => (px - limit) / limit,
        };
        if (-1e-9..=IMPROVEMENT_MAX).contains(&improvement) {
            return false;
        }
        self.odd += 1;
        self.doubtful = true;
        self.disbelieved.insert(e.execution_id.clone(), e.price) != Some(e.price)
    }

    /// Takes a commission, which may come before, long after or without its execution.
    pub fn on_commission(&mut self, c: &CommissionReport) {
        let fee = c.commission * 1e9;
        // Unset is the largest number there is.
        if !fee.is_finite() || fee.abs() > 1e15 {
            return;
        }
        self.on_fee(&c.execution_id, fee.round() as i64);
    }

    fn on_fee(&mut self, execution_id: &str, fee: i64) {
        let (name, version) = exec_version(execution_id);
        let Some(exec) = self.execs.get_mut(name).filter(|e| e.version >= version) else {
            self.early_fees.insert(execution_id.to_string(), fee);
            return;
        };
        // The fee of a correction replaces that of the report before it.
        let added = fee - exec.fee_told;
        if exec.version != version || added == 0 {
            return;
        }
        exec.fee_told = fee;
        let is_first = added == fee;
        let mut exec = exec.clone();
        let Some(row) = self.rows.get(&exec.key).cloned() else { return };
        if is_first && version > 1 {
            // Under the number of the first report: an earlier run may have booked the fee there,
            // and the kernel books one number once.
            exec.number = exec_number(&format!("{name}.01"));
        }
        self.tell_execution(&row, &exec, ReportKind::Commission);
        if let Some(VenueMessage::Report(r)) = self.out.last_mut() {
            r.fee_e9 = added;
        }
    }

    /// Takes a message about an order by its number; returns whether it says anything of one.
    pub fn on_notice(&mut self, order_id: i32, code: i32) -> bool {
        let Some(&key) = self.by_number.get(&(self.client_id, order_id)) else { return false };
        let Some(info) = codes::describe(code) else {
            // Unknown to us: whatever it means, the order is looked up.
            self.doubtful = true;
            return true;
        };
        match info.response {
            Response::ConfirmCancel => self.end(key),
            Response::HoldForLocate => self.acknowledge(key),
            Response::ReplaceOrderId => self.number_taken(key),
            Response::AwaitExecution | Response::Reconcile => self.cancel_failed(key, code),
            // Before anything worked under it; afterwards it is about a change or a cancel.
            response if response.ends_order() || response == Response::FailRequest => {
                self.reject(key, code);
            }
            _ => {}
        }
        true
    }

    fn reject(&mut self, key: Key, code: i32) {
        let Some(row) = self.rows.get_mut(&key) else { return };
        if row.is_over() {
            return;
        }
        // Of an order that works it may be the answer to a cancel: the lists tell.
        let lives = row.acked && !row.is_inactive;
        if lives && (code != 201 || row.cancel_asked) {
            self.doubtful = true;
            return;
        }
        row.ended = true;
        let row = row.clone();
        let reason = u16::try_from(code).unwrap_or(u16::MAX);
        self.tell(&row, ReportKind::Reject, |r| {
            r.leaves = Qty(0);
            r.reason = if reason == REASON_DUPLICATE_ID { REASON_NUMBER_TAKEN } else { reason };
        });
    }

    /// A list of ended orders shows it.
    pub(super) fn finish(&mut self, key: Key) {
        self.end(key);
    }

    /// A list of ended orders shows it as refused.
    pub(super) fn refused_late(&mut self, key: Key) {
        match self.rows.get(&key) {
            Some(row) if row.acked => self.end(key),
            _ => self.reject(key, 201),
        }
    }

    fn number_taken(&mut self, key: Key) {
        if let Some(row) = self.rows.get_mut(&key).filter(|r| !r.acked && !r.is_over()) {
            row.number_taken = true;
            self.doubtful = true;
        }
    }

    /// Ends the orders whose number was taken and that a complete list does not show.
    pub fn settle_taken_numbers(&mut self, is_listed: impl Fn(Key) -> bool) {
        let of = |r: &&Row| r.number_taken && !r.acked && !r.is_over() && !is_listed(r.key);
        let gone: Vec<Key> = self.rows.values().filter(of).map(|r| r.key).collect();
        for key in gone {
            self.reject(key, i32::from(REASON_DUPLICATE_ID));
        }
    }

    fn cancel_failed(&mut self, key: Key, code: i32) {
        let Some(row) = self.rows.get(&key).filter(|r| r.cancel_asked && !r.is_over()) else {
            return;
        };
        // These two say that the order lives; the others that it is gone, and how follows.
        let lives = matches!(code, 136 | 161);
        let row = row.clone();
        let reason = u16::try_from(code).unwrap_or(u16::MAX);
        let leaves = if lives { row.total - row.filled } else { 0 };
        self.tell(&row, ReportKind::CancelReject, |r| {
            (r.reason, r.leaves) = (reason, Qty(leaves.max(0)));
        });
        self.doubtful = true;
    }

    fn tell_execution(&mut self, row: &Row, exec: &ExecRow, kind: ReportKind) {
        self.tell(row, kind, |r| {
            r.ts_exchange = exec.ts;
            (r.exec_id, r.px, r.qty) = (exec.number, exec.px, Qty(exec.qty));
            (r.side, r.maker) = (exec.side, u8::from(exec.maker));
        });
    }

    fn tell(&mut self, row: &Row, kind: ReportKind, fill_in: impl FnOnce(&mut VenueReport)) {
        let over = if row.ended { 0 } else { (row.total - row.filled).max(0) };
        let mut report = VenueReport {
            ts_exchange: ExchTs(0),
            client_order_id: row.key.ours().unwrap_or(ClientOrderId(0)),
            venue_order_id: VenueOrderId(row.venue_order_id()),
            exec_id: ijk_core::ExecId(0),
            px: Px(0),
            qty: Qty::ZERO,
            leaves: Qty(over),
            fee_e9: 0,
            instrument: row.instrument,
            reason: 0,
            kind,
            side: row.side,
            maker: 0,
            reserved: 0,
        };
        fill_in(&mut report);
        self.out.push(VenueMessage::Report(report));
    }
}
