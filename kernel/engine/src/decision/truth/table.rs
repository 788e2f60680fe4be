//! The tables of order truth: living orders, lately ended ones, executions seen. Fixed memory.

use ijk_core::limits::OPEN_ORDER_COUNT_MAX;
use ijk_core::{ClientOrderId, InstrumentId, NewOrder, OrderType, Px, RecvTs, ReportKind, Side};

/// Living orders: our own and as many adopted ones.
pub(super) const LIVE_COUNT_MAX: usize = 2 * OPEN_ORDER_COUNT_MAX;
/// Ended orders remembered for reports that come late.
const ENDED_COUNT_MAX: usize = 4_096;
/// Executions, busts and late fees of one run.
pub(super) const EXEC_COUNT_MAX: usize = 1 << 16;
const EXEC_SLOTS: usize = 2 * EXEC_COUNT_MAX;

/// What is known of a living order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It left; the venue has not answered.
    Sent,
    /// The venue has it.
    Live,
    /// Nobody here knows.
    Unknown,
}

/// One order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub id: ClientOrderId,
    pub px: Px,
    pub qty: i64,
    pub filled: i64,
    pub instrument: InstrumentId,
    pub side: Side,
    pub order_type: OrderType,
    pub state: State,
    /// The execution engine knows the order; adopted ones are known here and to the gate only.
    pub owned: bool,
    /// It surfaced after the execution engine was told that it had never arrived: the engine hears
    /// of its fills only.
    pub revived: bool,
    /// The venue had it once: it cannot have "never arrived".
    pub arrived: bool,
    /// How the order ended, where fills that happened before are still to be told: kind and
    /// cancelled quantity.
    pub end: Option<(ReportKind, i64)>,
    /// Unanswered since then: the order itself, or the fills before its end.
    pub waiting_since: Option<RecvTs>,
    /// A cancel is unanswered since then.
    pub cancel_since: Option<RecvTs>,
    /// Sum of its executions in the answer being read.
    pub listed_filled: i64,
    /// First snapshot request that was made after the order left.
    pub covered_from: u64,
    /// Last complete snapshot that listed it.
    pub listed_in: u64,
    /// Complete snapshots in a row that do not list it, and when the first of them was.
    pub absent_count: u8,
    pub absent_since: RecvTs,
}

impl Entry {
    pub fn new(now: RecvTs, order: &NewOrder, covered_from: u64) -> Entry {
        Entry {
            id: order.client_order_id,
            px: order.px,
            qty: order.qty.0,
            filled: 0,
            instrument: order.instrument,
            side: order.side,
            order_type: order.order_type,
            state: State::Sent,
            owned: true,
            revived: false,
            arrived: false,
            end: None,
            waiting_since: Some(now),
            cancel_since: None,
            listed_filled: 0,
            covered_from,
            listed_in: 0,
            absent_count: 0,
            absent_since: RecvTs(0),
        }
    }

    /// Returns whether no parent here works with the order: it is cancelled where it is met.
    pub fn is_stray(&self) -> bool {
        !self.owned || self.revived
    }

    /// Returns since when something is unanswered.
    pub fn unanswered_since(&self) -> Option<RecvTs> {
        [self.waiting_since, self.cancel_since].into_iter().flatten().min()
    }

    pub fn leaves(&self) -> i64 {
        self.qty - self.filled
    }
}

/// Living orders by rising id, ended ones by age, executions by id.
#[derive(Debug)]
pub(super) struct Table {
    live: Vec<Entry>,
    ended: Vec<Entry>,
    next_ended: usize,
    execs: Vec<u64>,
    exec_count: usize,
}

impl Table {
    pub fn new() -> Table {
        Table {
            live: Vec::with_capacity(LIVE_COUNT_MAX),
            ended: Vec::with_capacity(ENDED_COUNT_MAX),
            next_ended: 0,
            execs: vec![0; EXEC_SLOTS],
            exec_count: 0,
        }
    }

    pub fn live(&self) -> &[Entry] {
        &self.live
    }

    pub fn live_mut(&mut self) -> &mut [Entry] {
        &mut self.live
    }

    pub fn find(&self, id: ClientOrderId) -> Option<usize> {
        self.live.binary_search_by_key(&id, |e| e.id).ok()
    }

    /// Returns false where the table is full or has the id.
    #[must_use]
    pub fn insert(&mut self, entry: Entry) -> bool {
        if self.live.len() == LIVE_COUNT_MAX {
            return false;
        }
        match self.live.binary_search_by_key(&entry.id, |e| e.id) {
            Ok(_) => false,
            Err(at) => {
                self.live.insert(at, entry);
                true
            }
        }
    }

    /// Moves a living order to the ended ones.
    pub fn end(&mut self, at: usize) {
        let mut entry = self.live.remove(at);
        // From here on it counts who lists it although it has ended.
        entry.listed_in = 0;
        if self.ended.len() < ENDED_COUNT_MAX {
            self.ended.push(entry);
        } else {
            self.ended[self.next_ended] = entry;
            self.next_ended = (self.next_ended + 1) % ENDED_COUNT_MAX;
        }
    }

    /// Returns a lately ended order. Rare: a scan.
    pub fn ended(&mut self, id: ClientOrderId) -> Option<&mut Entry> {
        self.ended.iter_mut().rev().find(|e| e.id == id)
    }

    /// Remembers a number; `None` where the table is full, else whether it is new.
    pub fn remember(&mut self, id: u64) -> Option<bool> {
        assert!(id != 0, "zero marks an empty place");
        let at = self.probe(id);
        if self.execs[at] == id {
            return Some(false);
        }
        if self.exec_count == EXEC_COUNT_MAX {
            return None;
        }
        self.execs[at] = id;
        self.exec_count += 1;
        Some(true)
    }

    pub fn has_seen(&self, id: u64) -> bool {
        id != 0 && self.execs[self.probe(id)] == id
    }

    fn probe(&self, id: u64) -> usize {
        // Fibonacci hashing (Knuth, TAOCP vol. 3, 6.4).
        let mut at = (id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as usize % EXEC_SLOTS;
        while self.execs[at] != 0 && self.execs[at] != id {
            at = (at + 1) % EXEC_SLOTS;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn executions_are_remembered_until_the_table_is_full() {
        let mut table = Table::new();
        let mut naive = HashSet::new();
        let mut x = 7u64;
        while naive.len() < EXEC_COUNT_MAX {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let id = 1 + (x >> 33) % 200_000;
            assert_eq!(table.has_seen(id), naive.contains(&id));
            assert_eq!(table.remember(id), Some(naive.insert(id)));
        }
        assert_eq!(table.remember(1_000_000), None);
        assert_eq!(table.remember(*naive.iter().next().unwrap()), Some(false));
    }
}
