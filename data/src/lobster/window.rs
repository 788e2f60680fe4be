//! The levels that a book by level holds while it applies our records: at most N a side, moved by
//! messages, then compared with the order book row.

use super::message::Message;
use super::snapshot::{Level, Snapshot, worse};
use ijk_core::{EventKind, Side};

/// A level of the order book row that the messages alone do not give.
pub(super) enum Change {
    /// It came into or left the view at the far edge.
    Edge(Level),
    /// It lies inside the view: messages and order book row disagree.
    Mismatch(Level),
}

/// Visible levels, best first.
#[derive(Debug, Default)]
pub(super) struct Window {
    bids: Half,
    asks: Half,
}

#[derive(Debug, Default)]
struct Half {
    levels: Vec<Level>,
    /// Worst price of the row before, if that row showed all its N levels: what lies beyond it
    /// was not visible.
    edge: Option<i64>,
}

impl Window {
    /// Returns the levels of one side, best first.
    pub(super) fn side(&self, side: Side) -> &[Level] {
        match side {
            Side::Bid => &self.bids.levels,
            Side::Ask => &self.asks.levels,
        }
    }

    fn side_mut(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    /// Sets the book that becomes `after` when `message` is applied, as far as N levels can say.
    pub(super) fn start_before(&mut self, message: &Message, after: &Snapshot, n: usize) {
        self.follow(after, n);
        let change = signed_change(message);
        let side = self.side_mut(message.side);
        side.add(message.side, message.px, -change);
        side.levels.truncate(n);
        side.set_edge(n);
    }

    /// Moves the level that the message is about, as a book by level does.
    pub(super) fn apply(&mut self, message: &Message) {
        let change = signed_change(message);
        self.side_mut(message.side).add(message.side, message.px, change);
    }

    /// Calls `emit` with every level to be set to make `side` equal to `target`.
    pub(super) fn changes(
        &self,
        side: Side,
        target: &[Level],
        n: usize,
        mut emit: impl FnMut(Change),
    ) {
        let (have, edge) = match side {
            Side::Bid => (&self.bids.levels, self.bids.edge),
            Side::Ask => (&self.asks.levels, self.asks.edge),
        };
        if have[..] == *target {
            return;
        }
        // A level may fall out of view only if the row shows N levels, all better than it.
        let target_edge = target.last().filter(|_| target.len() == n).map(|l| l.px);
        let beyond = |px: i64, edge: Option<i64>| edge.is_some_and(|e| worse(side, px, e));
        let (mut i, mut j) = (0, 0);
        loop {
            match (have.get(i), target.get(j)) {
                (Some(h), Some(t)) if h.px == t.px => {
                    if h.qty != t.qty {
                        emit(Change::Mismatch(*t));
                    }
                    (i, j) = (i + 1, j + 1);
                }
                (Some(h), t) if t.is_none_or(|t| worse(side, t.px, h.px)) => {
                    let gone = Level { px: h.px, qty: 0 };
                    let left_view = beyond(h.px, target_edge);
                    emit(if left_view { Change::Edge(gone) } else { Change::Mismatch(gone) });
                    i += 1;
                }
                (_, Some(t)) => {
                    let came_up = beyond(t.px, edge);
                    emit(if came_up { Change::Edge(*t) } else { Change::Mismatch(*t) });
                    j += 1;
                }
                (_, None) => return,
            }
        }
    }

    /// Takes over the order book row of files with `n` levels.
    pub(super) fn follow(&mut self, row: &Snapshot, n: usize) {
        for side in [Side::Bid, Side::Ask] {
            let levels = row.side(side);
            let mine = self.side_mut(side);
            mine.levels.clear();
            mine.levels.extend_from_slice(levels);
            mine.set_edge(n);
        }
    }
}

/// Returns by how much a message changes its level.
fn signed_change(message: &Message) -> i64 {
    match message.kind {
        EventKind::Add => message.qty,
        EventKind::Reduce | EventKind::Delete | EventKind::ExecVisible => -message.qty,
        _ => 0,
    }
}

impl Half {
    fn set_edge(&mut self, n: usize) {
        self.edge = self.levels.last().filter(|_| self.levels.len() == n).map(|l| l.px);
    }

    /// Adds `change` to the level at `px`; a level of nothing or less is none.
    fn add(&mut self, side: Side, px: i64, change: i64) {
        if change == 0 {
            return;
        }
        let at = self.levels.iter().position(|l| !worse(side, px, l.px));
        match at {
            Some(i) if self.levels[i].px == px => {
                self.levels[i].qty += change;
                if self.levels[i].qty <= 0 {
                    self.levels.remove(i);
                }
            }
            _ if change < 0 => {}
            Some(i) => self.levels.insert(i, Level { px, qty: change }),
            None => self.levels.push(Level { px, qty: change }),
        }
    }
}
