//! What the process wrote down: its records as it appended them, and what came onto the device.

use super::layout::{
    alarm, carry, condition, control, fate, frame, item, kinds, order, parent, report,
};
use super::layout::{signed, unsigned};
use super::{Auditor, Rule};
use std::collections::BTreeSet;

/// Within this every working order must be cancelled after a kill.
const SWEEP_NS: u64 = 100_000_000;

/// Offsets from true time: above the first nothing new may leave, until it is within the second.
const CLOCK_BLOCK_NS: u64 = 50_000_000;
const CLOCK_WARN_NS: u64 = 10_000_000;

/// A parent and what its children may still take or have taken.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parent {
    pub qty: i64,
    pub children: i64,
}

/// A child of a parent of this process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Child {
    pub parent: u32,
    pub qty: i64,
    /// What came back to the parent.
    pub returned: i64,
    pub ended: bool,
}

impl Auditor {
    /// Notes every order whose frame is in bytes that were forced to the device.
    pub(super) fn on_device(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while at + frame::HEAD <= bytes.len() {
            let magic = &bytes[at + frame::MAGIC..at + frame::HEAD];
            if magic != frame::MAGIC_BYTES {
                at += 8;
                continue;
            }
            let length = unsigned(bytes, at + frame::LENGTH, 2) as usize;
            let payload = bytes.get(at + frame::HEAD..at + frame::HEAD + length);
            if bytes[at + frame::KIND] == kinds::ORDER
                && let Some(Ok(payload)) = payload.map(<[u8; 40]>::try_from)
            {
                self.durable.insert(unsigned(&payload, order::ID, 8), payload);
            }
            at += frame::HEAD + length.next_multiple_of(8);
        }
    }

    pub(super) fn on_record(&mut self, kind: u8, payload: &[u8]) {
        match kind {
            kinds::ORDER => {
                let id = unsigned(payload, order::ID, 8);
                self.journaled_orders.insert(id);
                let qty = signed(payload, order::QTY);
                if self.lowered_qty.is_some_and(|most| qty > most) {
                    self.breach(Rule::OrderTooLarge, format!("order {id:#x}: {qty}, lowered"));
                }
                self.check_intents();
            }
            kinds::REPORT => self.on_report_record(payload),
            kinds::SNAPSHOT => self.on_snapshot_record(payload),
            kinds::CARRY => self.on_carry(payload),
            kinds::FATE => self.on_fate(payload),
            kinds::ALARM => self.on_alarm(payload),
            kinds::CONTROL => self.on_control(payload),
            kinds::LINK => {
                self.link_up = payload[0] == 1;
                self.sweep = None; // what is not heard cannot be cancelled
            }
            kinds::PARENT => self.on_parent(payload),
            kinds::CONDITION => self.on_condition(payload),
            kinds::LIMITS => self.on_limits(payload),
            _ => {}
        }
    }

    fn on_report_record(&mut self, payload: &[u8]) {
        let id = unsigned(payload, report::ID, 8);
        self.journaled_orders.insert(id);
        let kind = payload[report::KIND];
        if kind == report::ABSENT {
            self.on_absent(id);
        } else {
            let left = self.delivered.entry(payload.to_vec()).or_default();
            *left -= 1;
            if *left < 0 {
                self.breach(Rule::InventedReport, format!("of order {id:#x}, kind {kind}"));
            }
        }
        if kind == report::FILL {
            let exec_id = unsigned(payload, report::EXEC, 8);
            self.journal_execution(id, exec_id, signed(payload, report::QTY));
        }
        if kind == report::BUST {
            let exec_id = unsigned(payload, report::EXEC, 8);
            // Taken back or not: what it had filled is over.
            self.journal_execution(id, exec_id, signed(payload, report::QTY));
            if self.busts_returned.insert(exec_id) {
                self.child_gives_back(id, signed(payload, report::QTY));
            }
        }
        if report::ends(kind) {
            self.journaled_ended.insert(id);
            let rest = if matches!(kind, report::REJECT | report::ABSENT) {
                i64::MAX
            } else {
                signed(payload, report::QTY)
            };
            self.child_ended(id, rest);
        }
    }

    fn on_snapshot_record(&mut self, payload: &[u8]) {
        let id = unsigned(payload, item::ID, 8);
        match payload[item::KIND] {
            item::EXECUTION => {
                let exec_id = unsigned(payload, item::EXEC, 8);
                self.journal_execution(id, exec_id, signed(payload, item::QTY));
            }
            item::ORDER => {
                self.journaled_orders.insert(id);
                if payload[item::STATUS] != 0 {
                    self.journaled_ended.insert(id);
                    let unfilled =
                        signed(payload, item::QTY) - signed(payload, item::FILLED).max(0);
                    self.child_ended(id, unfilled);
                }
            }
            _ => {}
        }
    }

    fn on_carry(&mut self, payload: &[u8]) {
        let id = unsigned(payload, carry::ID, 8);
        match payload[carry::KIND] {
            carry::ORDER => {
                self.carried.insert(id);
            }
            carry::EXECUTION => {
                self.journaled_executions.insert(unsigned(payload, carry::EXEC, 8));
            }
            carry::DONE => {
                self.blocks &= !1;
                let missing = self.sent.keys().find(|id| {
                    !self.carried.contains(id)
                        && !self.journaled_ended.contains(id)
                        && !self.is_filled(**id)
                });
                if let Some(id) = missing.copied() {
                    self.breach(Rule::CarriedLess, format!("order {id:#x}"));
                }
            }
            _ => {}
        }
    }

    fn journal_execution(&mut self, id: u64, exec_id: u64, qty: i64) {
        if self.journaled_executions.insert(exec_id) {
            *self.journaled_filled.entry(id).or_default() += qty;
        }
    }

    /// Returns whether the executions in the journal make up the whole order.
    pub(super) fn is_filled(&self, id: u64) -> bool {
        let filled = self.journaled_filled.get(&id).copied().unwrap_or(0);
        self.sent.get(&id).is_some_and(|o| filled >= o.qty)
    }

    fn on_fate(&mut self, payload: &[u8]) {
        let id = unsigned(payload, fate::ID, 8);
        match payload[fate::FATE] {
            fate::NOT_SENT => self.on_absent(id),
            fate::ADOPTED => {
                self.surfaced |= self.sent.contains_key(&id);
                self.journaled_orders.insert(id);
            }
            _ => {}
        }
    }

    fn on_alarm(&mut self, payload: &[u8]) {
        let value = signed(payload, alarm::VALUE);
        // An order that surfaced after it was declared absent: its parent has sent another for it.
        let known = !self.surfaced && alarm::STRUCTURAL.contains(&value);
        if payload[alarm::CODE] == alarm::EGRESS_REFUSED && known {
            let id = unsigned(payload, alarm::ID, 8);
            self.breach(Rule::GatesDisagree, format!("order {id:#x}, reason {value}"));
        }
    }

    /// The kernel says that the broker never had the order.
    fn on_absent(&mut self, id: u64) {
        if !self.proven_absent(id) {
            self.breach(Rule::FalseReject, format!("order {id:#x}"));
        }
        self.journaled_ended.insert(id);
        if let Some(o) = self.sent.get_mut(&id) {
            o.ended = true;
        }
        self.child_ended(id, i64::MAX);
    }

    fn on_control(&mut self, payload: &[u8]) {
        let bit = 1u8.checked_shl(u32::from(payload[1])).unwrap_or(0);
        match payload[0] {
            control::KILL => self.on_kill(),
            control::BLOCK => self.blocks |= bit,
            control::UNBLOCK => self.blocks &= !bit,
            _ => {}
        }
    }

    /// Too far from true time, or nobody knows how far.
    fn on_condition(&mut self, payload: &[u8]) {
        let off = signed(payload, condition::VALUE).unsigned_abs();
        match payload[condition::KIND] {
            condition::CLOCK_UNKNOWN => self.clock_off = true,
            condition::CLOCK_OFFSET if off > CLOCK_BLOCK_NS => self.clock_off = true,
            condition::CLOCK_OFFSET if off <= CLOCK_WARN_NS => self.clock_off = false,
            _ => {}
        }
    }

    /// Looks for the one limit that is followed here.
    fn on_limits(&mut self, payload: &[u8]) {
        let text = String::from_utf8_lossy(payload);
        let number = text.split("\"max_order_qty\":").nth(1).and_then(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit())?;
            rest[..end].parse::<i64>().ok()
        });
        let Some(qty) = number else {
            self.breach(Rule::BadBytes, format!("limits: {text}"));
            return;
        };
        self.lowered_qty = Some(self.lowered_qty.map_or(qty, |old| old.min(qty)));
    }

    fn on_kill(&mut self) {
        self.killed = true;
        let open = self.sent.iter().filter(|(id, o)| {
            let known = o.reported && !o.ended && !self.is_filled(**id);
            known && self.children.contains_key(id) && !self.cancelled.contains(id)
        });
        let open: BTreeSet<u64> = open.map(|(&id, _)| id).collect();
        if self.link_up {
            self.sweep = Some((self.at + SWEEP_NS, open));
        }
    }

    /// Looks whether a sweep that is over left something.
    pub(super) fn check_sweep(&mut self) {
        let Some((by, open)) = self.sweep.take_if(|s| s.0 < self.at) else { return };
        let left = |id: &&u64| !self.is_filled(**id) && self.sent.get(id).is_some_and(|o| !o.ended);
        if let Some(id) = open.iter().find(left).copied() {
            let late = (self.at - by) / 1_000_000;
            self.breach(Rule::NotSwept, format!("order {id:#x}, {late} ms too late already"));
        }
    }

    fn on_parent(&mut self, payload: &[u8]) {
        let field = |at| signed(payload, at);
        let id = unsigned(payload, parent::ID, 4) as u32;
        let parts = [parent::FILLED, parent::WORKING, parent::UNSENT, parent::ABANDONED];
        let sum: i64 = parts.iter().map(|&at| field(at)).sum();
        if sum != field(parent::QTY) || parts.iter().any(|&at| field(at) < 0) {
            let text = format!("parent {id}: {} is not the sum {sum}", field(parent::QTY));
            self.breach(Rule::ParentBalance, text);
        }
        self.parents.entry(id).or_default().qty = field(parent::QTY);
    }

    /// A child leaves: with its brothers it must fit into the parent.
    pub(super) fn check_parent(&mut self, id: u64, parent: u32, qty: i64) {
        self.children.insert(id, Child { parent, qty, returned: 0, ended: false });
        let p = self.parents.entry(parent).or_default();
        p.children += qty;
        let (of, taken) = (p.qty, p.children);
        if taken > of {
            let text = format!("order {id:#x}: parent {parent} of {of}, children {taken}");
            self.breach(Rule::ParentOverrun, text);
        }
    }

    /// What was left of a child comes back to its parent, once.
    fn child_ended(&mut self, id: u64, rest: i64) {
        let filled = self.sent.get(&id).map_or(0, |o| o.filled);
        let Some(child) = self.children.get_mut(&id).filter(|c| !c.ended) else { return };
        child.ended = true;
        let back = rest.min(child.qty - filled).max(0);
        self.child_gives_back(id, back);
    }

    fn child_gives_back(&mut self, id: u64, qty: i64) {
        let Some(child) = self.children.get_mut(&id) else { return };
        let back = qty.min(child.qty - child.returned);
        child.returned += back;
        if let Some(p) = self.parents.get_mut(&child.parent) {
            p.children -= back;
        }
    }
}
