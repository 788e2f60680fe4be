//! What the taps show.

use super::layout::{item, message, order, report, short, signed, unsigned};
use super::{Auditor, Rule, Sent, Tap};

use std::collections::VecDeque;

/// A second.
const SECOND: u64 = 1_000_000_000;

impl Auditor {
    pub(super) fn on_wire(&mut self, tap: Tap, up: bool, connection: u64, bytes: &[u8]) {
        // The broker's side of the wire is the client's less what was lost; the rules look at
        // what left the process and at what reached it.
        if tap == Tap::Broker {
            return;
        }
        let key = (true, up, connection);
        let mut stream = self.streams.remove(&key).unwrap_or_default();
        stream.extend_from_slice(bytes);
        let mut start = 0;
        while stream.len() - start >= 8 {
            let length = unsigned(&stream, start, 4) as usize;
            if !(4..=4096).contains(&length) {
                self.breach(Rule::BadBytes, format!("a frame of {length} bytes"));
                return;
            }
            if stream.len() - start < 4 + length {
                break;
            }
            let code = stream[start + 4];
            let body = stream[start + 8..start + 4 + length].to_vec();
            let reserved = &stream[start + 5..start + 8];
            if up && (reserved != [0; 3] || body.len() != message::client_size(code)) {
                self.breach(Rule::BadBytes, format!("type {code} with {} bytes", body.len()));
            }
            start += 4 + length;
            if up {
                self.on_up(connection, code, &body);
            } else {
                self.on_down(connection, code, &body);
            }
        }
        stream.drain(..start);
        self.streams.insert(key, stream);
    }

    fn on_up(&mut self, connection: u64, code: u8, body: &[u8]) {
        match code {
            message::HELLO => {
                let epoch = unsigned(body, 8, 8);
                let fresh = self.epoch == 0 && epoch > self.epoch_max;
                if !fresh && epoch != self.epoch {
                    let text = format!("start {epoch} after {}", self.epoch_max);
                    self.breach(Rule::ForeignEpoch, text);
                }
                self.epoch = epoch;
                self.epoch_max = self.epoch_max.max(epoch);
            }
            message::CANCEL if body.len() == 16 => {
                let id = unsigned(body, 0, 8);
                self.cancelled.insert(id);
                if let Some((_, open)) = &mut self.sweep {
                    open.remove(&id);
                }
            }
            message::NEW if body.len() == 40 => self.on_new(connection, body),
            _ => {}
        }
    }

    /// An order leaves the process: most rules live here.
    fn on_new(&mut self, connection: u64, body: &[u8]) {
        let id = unsigned(body, order::ID, 8);
        if self.sent.contains_key(&id) {
            self.breach(Rule::SentTwice, format!("order {id:#x}"));
            return;
        }
        if id >> 36 != self.epoch || id == 0 {
            let text = format!("order {id:#x} in start {}", self.epoch);
            self.breach(Rule::ForeignEpoch, text);
        }
        match self.durable.get(&id) {
            None => self.breach(Rule::NoDurableIntent, format!("order {id:#x}")),
            Some(intent) if intent != body => {
                self.breach(
                    Rule::NoDurableIntent,
                    format!("order {id:#x} differs from its intent"),
                );
            }
            Some(_) => {}
        }
        if self.killed {
            self.breach(Rule::NewAfterKill, format!("order {id:#x}"));
        }
        if self.blocks != 0 || self.clock_off {
            let (blocks, off) = (self.blocks, self.clock_off);
            let text = format!("order {id:#x}, blocks {blocks:#010b}, clock off {off}");
            self.breach(Rule::NewWhileBlocked, text);
        }
        if self.reconciled != Some(connection) {
            self.breach(Rule::NewUnreconciled, format!("order {id:#x}"));
        }
        let sent = Sent {
            instrument: short(body, order::INSTRUMENT),
            side: body[order::SIDE],
            qty: signed(body, order::QTY),
            filled: 0,
            ended: false,
            answers_before: self.answers.len(),
            reported: false,
        };
        self.sent.insert(id, sent);
        self.check_size(id, body);
        self.check_rate();
        self.check_exposure(id, sent.instrument);
        self.check_parent(id, unsigned(body, order::PARENT, 4) as u32, sent.qty);
    }

    fn check_size(&mut self, id: u64, body: &[u8]) {
        let (qty, px) = (signed(body, order::QTY), signed(body, order::PX));
        // A market order has no price: it is valued at the floor.
        let px = if px > 0 { px } else { self.limits.px_floor };
        let value = i128::from(qty) * i128::from(px);
        if qty <= 0 || qty > self.limits.order_qty || value > self.limits.order_value_e9 {
            self.breach(Rule::OrderTooLarge, format!("order {id:#x}: {qty} at {px}"));
        }
    }

    /// Orders decided keep the limit; on the wire those that waited for the journal may come
    /// together, up to the hard limit of twice as many.
    fn check_rate(&mut self) {
        let allowed = 2 * self.allowed_in_a_second();
        let count = in_a_second(&mut self.new_times, self.at);
        if count > allowed {
            self.breach(Rule::TooFast, format!("{count} orders in a second, {allowed} allowed"));
        }
    }

    /// The same for orders as they are decided.
    pub(super) fn check_intents(&mut self) {
        let allowed = self.allowed_in_a_second();
        let count = in_a_second(&mut self.intent_times, self.at);
        if count > allowed {
            self.breach(Rule::TooFast, format!("{count} intents in a second, {allowed} allowed"));
        }
    }

    fn allowed_in_a_second(&mut self) -> usize {
        let since = self.at.saturating_sub(SECOND);
        while self.steps.front().is_some_and(|&t| t <= since) {
            self.steps.pop_front();
        }
        // A clock that jumped, or a process that began anew, may fill the bucket once more.
        (self.limits.orders_per_s + self.limits.burst) * (1 + self.steps.len())
    }

    /// Values every instrument at worst case: what is held plus all that may still trade on the
    /// worse side.
    fn check_exposure(&mut self, id: u64, instrument: u16) {
        if self.snapshot.is_open() {
            return; // half an answer: what the kernel takes from it cannot be told from outside
        }
        let mut open: std::collections::BTreeMap<u16, [i64; 2]> = Default::default();
        // What the journal says to have ended has, whatever answer said so.
        let alive = |id: u64| !self.journaled_ended.contains(&id) && !self.is_filled(id);
        for (_, o) in self.sent.iter().filter(|(id, o)| !o.ended && alive(**id)) {
            open.entry(o.instrument).or_default()[usize::from(o.side & 1)] += o.qty - o.filled;
        }
        for &(i, side, leaves) in self.foreign_open.values() {
            open.entry(i).or_default()[usize::from(side & 1)] += leaves;
        }
        for &i in self.positions.keys() {
            open.entry(i).or_default();
        }
        let worst = |i: u16, open: &[i64; 2]| {
            let held = self.positions.get(&i).copied().unwrap_or(0);
            i128::from((held + open[0]).abs().max((held - open[1]).abs()))
        };
        let px = i128::from(self.limits.px_floor);
        let gross: i128 = open.iter().map(|(&i, o)| worst(i, o) * px).sum();
        let own = open.get(&instrument).map_or(0, |o| worst(instrument, o)) * px;
        // An order that can only shrink the position may pass whatever is held.
        let side = self.sent.get(&id).map_or(0, |o| o.side);
        let held = self.positions.get(&instrument).copied().unwrap_or(0);
        let shrinks = if side == 0 { held < 0 } else { held > 0 };
        if shrinks {
            return;
        }
        if own > self.limits.position_value_e9 {
            self.breach(
                Rule::PositionTooLarge,
                format!("order {id:#x}: at worst {own}e-9 dollars"),
            );
        }
        if gross > self.limits.gross_value_e9 {
            self.breach(Rule::GrossTooLarge, format!("order {id:#x}: at worst {gross}e-9 dollars"));
        }
    }

    fn on_down(&mut self, connection: u64, code: u8, body: &[u8]) {
        match code {
            message::REPORT if body.len() == 72 => {
                *self.delivered.entry(body.to_vec()).or_default() += 1;
                self.on_delivered(body);
            }
            message::SNAPSHOT if body.len() == 88 => {
                if body[item::KIND] == item::EXECUTION || body[item::KIND] == item::ORDER {
                    let id = unsigned(body, item::ID, 8);
                    if let Some(o) = self.sent.get_mut(&id) {
                        o.reported = true;
                    }
                }
                self.on_item(connection, body);
            }
            _ => {}
        }
    }

    /// A report reached the process.
    fn on_delivered(&mut self, body: &[u8]) {
        let id = unsigned(body, report::ID, 8);
        let kind = body[report::KIND];
        let exec_id = unsigned(body, report::EXEC, 8);
        if kind == report::FILL {
            let qty = signed(body, report::QTY);
            self.book(id, exec_id, short(body, report::INSTRUMENT), body[report::SIDE], qty);
        } else if kind == report::BUST {
            self.unbook(exec_id);
        }
        if let Some(o) = self.sent.get_mut(&id) {
            o.reported |= kind != report::CANCEL_REJECT && kind != report::REJECT;
            o.ended |= report::ends(kind);
        }
        if report::ends(kind) {
            self.foreign_open.remove(&id);
            self.reported_ended.insert(id);
        }
    }

    /// Books an execution once.
    pub(super) fn book(&mut self, id: u64, exec_id: u64, instrument: u16, side: u8, qty: i64) {
        if self.busted.contains(&exec_id) || self.executions.contains_key(&exec_id) {
            return;
        }
        let signed = if side == 0 { qty } else { -qty };
        self.executions.insert(exec_id, (instrument, signed));
        *self.positions.entry(instrument).or_default() += signed;
        if let Some(o) = self.sent.get_mut(&id) {
            o.filled = (o.filled + qty).min(o.qty);
        }
    }

    pub(super) fn unbook(&mut self, exec_id: u64) {
        if !self.busted.insert(exec_id) {
            return;
        }
        if let Some((instrument, signed)) = self.executions.remove(&exec_id) {
            *self.positions.entry(instrument).or_default() -= signed;
        }
    }
}

/// Notes that something happened now; returns how often it did within the last second.
fn in_a_second(times: &mut VecDeque<u64>, now: u64) -> usize {
    times.push_back(now);
    while times.front().is_some_and(|&t| t + SECOND <= now) {
        times.pop_front();
    }
    times.len()
}
