//! The broker's account of the day as the kernel wants it: executions, orders, positions.

use super::ledger::Ledger;
use super::row::{Key, Row};
use crate::identity::{exec_version, to_qty};
use ibapi::accounts::Position;
use ibapi::orders::{CommissionReport, ExecutionData, OrderData, OrderStatus, OrderStatusKind};
use ijk_core::{
    ClientOrderId, InstrumentId, Px, Qty, SnapshotItem, SnapshotKind, VenueOrderId,
    VenueOrderStatus,
};
use std::collections::BTreeMap;

/// What the broker answered. Asked in the order of the fields, so that an order that ends between
/// two answers stands in at least one of them.
#[derive(Debug, Default)]
pub struct Answers {
    /// Open orders of all clients.
    pub open: Vec<OrderData>,
    /// Their statuses.
    pub statuses: Vec<OrderStatus>,
    /// Orders that ended today; `None` if the broker never answered: then what was heard of them
    /// live has to do.
    pub completed: Option<Vec<OrderData>>,
    /// Executions of today.
    pub executions: Vec<ExecutionData>,
    /// Their commissions.
    pub commissions: Vec<CommissionReport>,
    /// Positions.
    pub positions: Vec<Position>,
}

impl Ledger {
    /// Takes everything that was answered, as if it had been told live.
    pub fn absorb(&mut self, answers: &Answers) {
        let done = answers.completed.as_deref().unwrap_or(&[]);
        for data in answers.open.iter().chain(done) {
            let _ = self.learn(data);
        }
        // A report before the correction of it, however they are listed: it says at what price an
        // earlier run booked it.
        let mut executions: Vec<_> = answers.executions.iter().collect();
        executions.sort_by_key(|e| exec_version(&e.execution.execution_id).1);
        for e in executions {
            self.on_execution(e.contract.contract_id, &e.execution, true);
        }
        answers.commissions.iter().for_each(|c| self.on_commission(c));
        answers.open.iter().for_each(|o| self.on_open(o));
        answers.statuses.iter().for_each(|s| self.on_status(s));
        for data in done {
            self.on_completed(data);
        }
        if answers.completed.is_some() {
            let listed = self.keys(answers);
            self.settle_taken_numbers(|key| listed.contains_key(&key));
        }
    }

    fn keys(&mut self, answers: &Answers) -> BTreeMap<Key, ()> {
        let done = answers.completed.as_deref().unwrap_or(&[]);
        let all: Vec<&OrderData> = answers.open.iter().chain(done).collect();
        all.into_iter().filter_map(|data| self.learn(data)).map(|key| (key, ())).collect()
    }

    /// Returns the items of the answer to a request, without begin and end.
    pub fn list(&mut self, request_id: u64, answers: &Answers) -> Vec<SnapshotItem> {
        let mut orders: BTreeMap<Key, SnapshotItem> = BTreeMap::new();
        for data in &answers.open {
            let Some(key) = self.learn(data) else { continue };
            let filled = answers.statuses.iter().rev().find(|s| is_same(s, data));
            let filled = filled.map_or(0.0, |s| s.filled);
            // Refused, and still listed until somebody cancels it: it does not work.
            let refused = data.order_state.status == OrderStatusKind::Inactive
                && self.rows.get(&key).is_some_and(|r| r.ended);
            let end = refused.then_some(VenueOrderStatus::Rejected);
            self.put(&mut orders, request_id, key, data.order.total_quantity, filled, end);
        }
        for data in answers.completed.as_deref().unwrap_or(&[]) {
            let Some(key) = self.learn(data) else { continue };
            // The quantity of an ended order is what was left of it.
            let filled = data.order.filled_quantity;
            let total = data.order.total_quantity + filled;
            let end = Some(ended_as(&data.order_state.status));
            self.put(&mut orders, request_id, key, total, filled, end);
        }
        // Orders that ended before our eyes, where the broker leaves them out.
        for row in self.rows.values().filter(|r| r.is_over() && r.key.ours().is_some()) {
            orders.entry(row.key).or_insert_with(|| of_memory(request_id, row));
        }
        let mut items: Vec<SnapshotItem> = self.listed_executions(request_id);
        items.extend(orders.into_values());
        items.extend(self.positions(request_id, answers));
        items
    }

    fn put(
        &self,
        orders: &mut BTreeMap<Key, SnapshotItem>,
        request_id: u64,
        key: Key,
        total: f64,
        filled: f64,
        end: Option<VenueOrderStatus>,
    ) {
        let Some(row) = self.rows.get(&key) else { return };
        let Some(listed) = self.contracts.get(row.instrument) else { return };
        let unit = listed.qty_unit_e9;
        let total = to_qty(total, unit).filter(|q| q.0 > 0).unwrap_or(Qty(row.total));
        let filled = to_qty(filled, unit).map_or(0, |q| q.0).max(0).min(total.0);
        if total.0 <= 0 {
            return;
        }
        let item = SnapshotItem {
            filled: Qty(filled),
            leaves: Qty(if end.is_none() { total.0 - filled } else { 0 }),
            qty: total,
            status: end.unwrap_or(VenueOrderStatus::Working),
            ..blank(request_id, row)
        };
        orders.insert(key, item);
    }

    fn on_completed(&mut self, data: &OrderData) {
        let Some(key) = self.learn(data) else { return };
        if let Some(row) = self.rows.get_mut(&key) {
            let filled = data.order.filled_quantity;
            let unit = self.contracts.get(row.instrument).map_or(0, |l| l.qty_unit_e9);
            let qty = |shares| to_qty(shares, unit.max(1)).map_or(0, |q| q.0);
            // Learnt from a list of ended orders alone, the quantity was what was left.
            row.total = row.total.max(qty(data.order.total_quantity + filled));
            row.hinted = row.hinted.max(qty(filled)).min(row.total);
        }
        match ended_as(&data.order_state.status) {
            VenueOrderStatus::Filled => {}
            VenueOrderStatus::Rejected => self.refused_late(key),
            _ => self.finish(key),
        }
    }

    fn listed_executions(&self, request_id: u64) -> Vec<SnapshotItem> {
        let item = |e: &super::row::ExecRow| {
            let row = self.rows.get(&e.key)?;
            Some(SnapshotItem {
                kind: SnapshotKind::Execution,
                exec_id: e.number,
                ts_exchange: e.ts,
                px: e.px,
                qty: Qty(e.qty),
                side: e.side,
                maker: u8::from(e.maker),
                instrument: e.instrument,
                ..blank(request_id, row)
            })
        };
        self.execs.values().filter_map(item).collect()
    }

    fn positions(&self, request_id: u64, answers: &Answers) -> Vec<SnapshotItem> {
        let mut held: BTreeMap<InstrumentId, i64> = BTreeMap::new();
        for p in answers.positions.iter().filter(|p| p.account == self.account) {
            let Some(id) = self.contracts.instrument(p.contract.contract_id) else { continue };
            let unit = self.contracts.get(id).map_or(0, |l| l.qty_unit_e9);
            if let Some(qty) = to_qty(p.position, unit.max(1)) {
                held.insert(id, qty.0);
            }
        }
        let item = |(instrument, qty)| SnapshotItem {
            instrument,
            qty: Qty(qty),
            ..SnapshotItem::new(request_id, SnapshotKind::Position)
        };
        held.into_iter().filter(|(_, qty)| *qty != 0).map(item).collect()
    }
}

fn is_same(s: &OrderStatus, data: &OrderData) -> bool {
    if s.perm_id > 0 && data.order.perm_id > 0 {
        return s.perm_id == data.order.perm_id;
    }
    s.order_id == data.order_id && s.client_id == data.order.client_id
}

fn ended_as(status: &OrderStatusKind) -> VenueOrderStatus {
    match status {
        OrderStatusKind::Filled => VenueOrderStatus::Filled,
        OrderStatusKind::Inactive => VenueOrderStatus::Rejected,
        _ => VenueOrderStatus::Canceled,
    }
}

fn blank(request_id: u64, row: &Row) -> SnapshotItem {
    SnapshotItem {
        client_order_id: row.key.ours().unwrap_or(ClientOrderId(0)),
        venue_order_id: VenueOrderId(row.venue_order_id()),
        px: Px(row.px.0.max(0)),
        instrument: row.instrument,
        side: row.side,
        ..SnapshotItem::new(request_id, SnapshotKind::Order)
    }
}

fn of_memory(request_id: u64, row: &Row) -> SnapshotItem {
    let full = row.filled >= row.total;
    SnapshotItem {
        qty: Qty(row.total),
        filled: Qty(row.filled.min(row.total)),
        status: if full { VenueOrderStatus::Filled } else { VenueOrderStatus::Canceled },
        ..blank(request_id, row)
    }
}
