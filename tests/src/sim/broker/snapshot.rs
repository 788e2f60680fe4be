//! The answer to "what do you have of ours": true as of its begin, if it is complete.

use super::bytes::{self, Item};
use super::{Broker, Deed, MS};
use crate::sim::faults::Fault;

mod kind {
    pub const BEGIN: u8 = 0;
    pub const EXECUTION: u8 = 1;
    pub const ORDER: u8 = 2;
    pub const POSITION: u8 = 3;
    pub const END: u8 = 4;
}

impl Broker {
    /// Takes the books as they are now and sends them: at once, item by item with reports in
    /// between, cut off, or with a hole.
    pub(super) fn answer(&mut self, now: u64, request: u64, session: u64) {
        let mut items = self.items(now, request);
        if items.len() > 2 && self.chaos.strikes(Fault::SnapshotGap) {
            let at = self.chaos.rng.range(1, items.len() as u64 - 2) as usize;
            items.remove(at);
        } else if self.chaos.strikes(Fault::SnapshotCut) {
            items.truncate(self.chaos.rng.range(1, items.len() as u64 - 1) as usize);
        }
        let trickle = self.chaos.strikes(Fault::SnapshotTrickle);
        let step = if trickle { self.chaos.rng.log_range(MS / 10, 20 * MS) } else { 0 };
        // Two answers must not mix: the second would make the first incomplete.
        let mut at = now.max(self.session_busy(session));
        if at > now {
            self.later(at + MS, Deed::Answer { request, session });
            return;
        }
        for item in items {
            self.later(at, Deed::Send { bytes: bytes::item(&item), session });
            at += step;
        }
    }

    /// Returns when the answer being sent ends, 0 where none is.
    fn session_busy(&self, session: u64) -> u64 {
        let of_session =
            |d: &Deed| matches!(d, Deed::Send { session: number, .. } if *number == session);
        self.deeds.iter().rev().find(|(_, d)| of_session(d)).map_or(0, |(at, _)| at.0)
    }

    fn items(&self, now: u64, request: u64) -> Vec<Item> {
        let blank = Item { request, ..Item::default() };
        let mut items = vec![Item { kind: kind::BEGIN, ts: now, ..blank }];
        for e in &self.books.executions {
            let o = &self.books.orders[e.order];
            items.push(Item {
                id: o.id,
                venue_id: o.venue_id,
                exec_id: e.exec_id,
                ts: e.ts,
                px: e.px,
                qty: e.qty,
                fee: if e.fee_known { e.fee } else { 0 },
                instrument: self.session.number_of(o.instrument),
                kind: kind::EXECUTION,
                // One that was busted says so.
                status: if e.busted { 2 } else { 0 },
                side: o.side,
                maker: u8::from(e.maker),
                ..blank
            });
        }
        for o in &self.books.orders {
            items.push(Item {
                id: o.id,
                venue_id: o.venue_id,
                ts: o.ts,
                px: o.px,
                qty: o.qty,
                filled: o.filled,
                leaves: o.leaves,
                instrument: self.session.number_of(o.instrument),
                kind: kind::ORDER,
                status: o.status as u8,
                side: o.side,
                ..blank
            });
        }
        for (instrument, &qty) in self.books.positions.iter().enumerate() {
            let traded = self.books.orders.iter().any(|o| o.instrument == instrument);
            if qty != 0 || traded {
                let instrument = self.session.number_of(instrument);
                items.push(Item { qty, instrument, kind: kind::POSITION, ..blank });
            }
        }
        let count = items.len() as i64 - 1;
        items.push(Item { kind: kind::END, qty: count, ts: now, ..blank });
        items
    }
}
