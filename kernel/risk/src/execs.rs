//! Executions that were booked: no fill twice, and a bust undoes what was booked.

use ijk_core::{ExecId, InstrumentId, Px, Qty, Side};

/// Execution ids remembered for the detection of repeated fills.
pub(crate) const EXEC_ID_COUNT_MAX: usize = 4_096;
const EXEC_SLOTS: usize = 2 * EXEC_ID_COUNT_MAX;

/// What is remembered of an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Execution {
    pub id: ExecId,
    pub px: Px,
    /// Zero where only the id was carried over.
    pub qty: Qty,
    /// Fees so far, 1e-9 dollars.
    pub fee_e9: i64,
    pub instrument: InstrumentId,
    pub side: Side,
    pub busted: bool,
}

impl Execution {
    /// An execution of which only the id is known.
    pub(crate) const fn bare(id: ExecId) -> Execution {
        Execution {
            id,
            px: Px(0),
            qty: Qty(0),
            fee_e9: 0,
            instrument: InstrumentId(0),
            side: Side::Bid,
            busted: false,
        }
    }
}

/// The last 4,096 executions: open addressing with linear probing over their ids, and a ring that
/// holds them and says which one to forget.
#[derive(Debug)]
pub(crate) struct RecentExecs {
    /// Place in the ring plus one; zero is an empty slot.
    slots: Vec<u16>,
    ring: Vec<Execution>,
    next: usize,
}

fn home(id: u64) -> usize {
    // Fibonacci hashing (Knuth, TAOCP vol. 3, 6.4).
    (id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize % EXEC_SLOTS
}

impl RecentExecs {
    pub(crate) fn new() -> RecentExecs {
        RecentExecs {
            slots: vec![0; EXEC_SLOTS],
            ring: Vec::with_capacity(EXEC_ID_COUNT_MAX),
            next: 0,
        }
    }

    pub(crate) fn get_mut(&mut self, id: ExecId) -> Option<&mut Execution> {
        let slot = self.slots[self.probe(id.0)];
        (slot != 0).then(|| &mut self.ring[usize::from(slot) - 1])
    }

    /// Remembers an execution; returns whether its id is new.
    pub(crate) fn insert(&mut self, e: Execution) -> bool {
        assert!(e.id.0 != 0, "the ledger refuses fills without an execution id");
        if self.slots[self.probe(e.id.0)] != 0 {
            return false;
        }
        if self.ring.len() < EXEC_ID_COUNT_MAX {
            self.ring.push(e);
        } else {
            let forgotten = core::mem::replace(&mut self.ring[self.next], e);
            self.forget(forgotten.id.0);
        }
        let at = self.probe(e.id.0);
        self.slots[at] = self.next as u16 + 1;
        self.next = (self.next + 1) % EXEC_ID_COUNT_MAX;
        true
    }

    fn id_at(&self, slot: usize) -> u64 {
        self.ring[usize::from(self.slots[slot]) - 1].id.0
    }

    /// Slot of `id`, or the empty slot where it would go.
    fn probe(&self, id: u64) -> usize {
        let mut at = home(id);
        while self.slots[at] != 0 && self.id_at(at) != id {
            at = (at + 1) % EXEC_SLOTS;
        }
        at
    }

    /// Backward-shift deletion: no tombstones, so probes stay short for ever. The ring's place of
    /// `id` already holds its successor, so the slot is found by its place.
    fn forget(&mut self, id: u64) {
        let place = self.next as u16 + 1;
        let mut hole = home(id);
        while self.slots[hole] != place {
            assert!(self.slots[hole] != 0, "the ring names what the table holds");
            hole = (hole + 1) % EXEC_SLOTS;
        }
        let mut at = hole;
        loop {
            at = (at + 1) % EXEC_SLOTS;
            if self.slots[at] == 0 {
                break;
            }
            let wish = home(self.id_at(at));
            let stays =
                (at + EXEC_SLOTS - wish) % EXEC_SLOTS < (at + EXEC_SLOTS - hole) % EXEC_SLOTS;
            if !stays {
                self.slots[hole] = self.slots[at];
                hole = at;
            }
        }
        self.slots[hole] = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    proptest! {
        /// Equals a queue of the last 4,096 distinct ids, searched from end to end.
        #[test]
        fn exec_ids_equal_naive(
            seed in any::<u64>(),
            span in prop::sample::select(vec![50u64, 5_000, 9_000, u64::MAX]),
        ) {
            let mut fast = RecentExecs::new();
            let mut naive: VecDeque<u64> = VecDeque::new();
            let mut x = seed | 1;
            for _ in 0..6_000 {
                x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
                let id = (x >> 11) % span + 1;
                let fresh = !naive.contains(&id);
                prop_assert_eq!(fast.get_mut(ExecId(id)).map(|e| e.id.0), (!fresh).then_some(id));
                if fresh {
                    naive.push_back(id);
                    if naive.len() > EXEC_ID_COUNT_MAX {
                        naive.pop_front();
                    }
                }
                prop_assert_eq!(fast.insert(Execution::bare(ExecId(id))), fresh);
            }
        }
    }
}
