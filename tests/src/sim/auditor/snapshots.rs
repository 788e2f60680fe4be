//! The broker's answers, put together item by item as they reach the process.

use super::Auditor;
use super::layout::{item, short, signed, unsigned};
use std::collections::BTreeSet;

/// An answer that is not complete yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Building {
    connection: u64,
    begun: Option<u64>,
    items: Vec<Vec<u8>>,
}

impl Building {
    /// Returns whether an answer has begun and not ended.
    pub fn is_open(&self) -> bool {
        self.begun.is_some()
    }
}

/// A complete answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// When its begin reached the process.
    pub begun: u64,
    /// Ids of the orders it lists.
    pub ids: BTreeSet<u64>,
}

impl Auditor {
    pub(super) fn on_item(&mut self, connection: u64, body: &[u8]) {
        match body[item::KIND] {
            item::BEGIN => {
                let items = Vec::new();
                self.snapshot = Building { connection, begun: Some(self.at), items };
            }
            item::END => self.on_end(connection, signed(body, item::QTY)),
            _ if self.snapshot.connection == connection => {
                self.on_listed_execution(body);
                self.snapshot.items.push(body.to_vec());
            }
            _ => {}
        }
    }

    /// An execution is what it is, whether or not the answer becomes complete.
    fn on_listed_execution(&mut self, body: &[u8]) {
        if body[item::KIND] != item::EXECUTION {
            return;
        }
        let exec_id = unsigned(body, item::EXEC, 8);
        if body[item::STATUS] != 0 {
            return self.unbook(exec_id);
        }
        let id = unsigned(body, item::ID, 8);
        let (instrument, side) = (short(body, item::INSTRUMENT), body[item::SIDE]);
        self.book(id, exec_id, instrument, side, signed(body, item::QTY));
    }

    fn on_end(&mut self, connection: u64, count: i64) {
        let building = std::mem::take(&mut self.snapshot);
        let Some(begun) = building.begun.filter(|_| building.connection == connection) else {
            return;
        };
        if building.items.len() as i64 != count {
            return;
        }
        self.reconciled = Some(connection);
        let mut ids = BTreeSet::new();
        self.foreign_open.clear();
        for body in &building.items {
            let id = unsigned(body, item::ID, 8);
            let instrument = short(body, item::INSTRUMENT);
            let side = body[item::SIDE];
            if body[item::KIND] != item::ORDER {
                continue;
            }
            ids.insert(id);
            let working = body[item::STATUS] == 0;
            if let Some(o) = self.sent.get_mut(&id) {
                o.ended |= !working;
                o.filled = o.filled.max(signed(body, item::FILLED)).min(o.qty);
            } else if working && id != 0 && !self.reported_ended.contains(&id) {
                // Its end may have overtaken the answer.
                let leaves = signed(body, item::LEAVES);
                self.foreign_open.insert(id, (instrument, side, leaves));
            }
        }
        self.answers.push(Answer { begun, ids });
    }

    /// Returns whether the answers so far prove that the broker never had the order: two
    /// complete ones that began after it left, far enough apart, and no report of it.
    pub(super) fn proven_absent(&self, id: u64) -> bool {
        let Some(sent) = self.sent.get(&id) else { return true };
        if sent.reported {
            return false;
        }
        let after = &self.answers[sent.answers_before.min(self.answers.len())..];
        let without: Vec<u64> =
            after.iter().filter(|a| !a.ids.contains(&id)).map(|a| a.begun).collect();
        match (without.first(), without.last()) {
            // A tenth is left for clocks that do not run alike.
            (Some(&first), Some(&last)) => {
                after.iter().all(|a| !a.ids.contains(&id))
                    && last - first >= self.limits.absent_quiet_ns / 10 * 9
            }
            _ => false,
        }
    }
}
