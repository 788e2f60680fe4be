//! Parents and their children: the sum of what left, less what came back, never passes the
//! parent.

use super::decode::Order;
use crate::RiskCode;
use ijk_core::{ReportKind, VenueReport};

/// Parents kept. A parent may stand in any of a few places; one of them without children at the
/// venue makes place.
const PARENT_COUNT: usize = 4_096;
const PLACE_COUNT: usize = 8;
/// Children at the venue at once.
const ALIVE_COUNT: usize = 512;
/// Ended children whose late fills still count, each in the one place its low bits name.
const ENDED_COUNT: usize = 4_096;
/// Execution ids kept, each in the one place its low bits name.
const EXEC_COUNT: usize = 8_192;

#[derive(Clone, Copy, Debug, Default)]
struct Parent {
    id: u32,
    total: i64,
    /// What left and did not come back, filled or not.
    used: i128,
    /// Children at the venue.
    alive: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Child {
    id: u64,
    parent: u32,
    /// Not yet filled.
    rest: i64,
}

/// All parents and children.
#[derive(Debug)]
pub(super) struct Parents {
    parents: Vec<Parent>,
    alive: Vec<Child>,
    /// Id and parent.
    ended: Vec<(u64, u32)>,
    execs: Vec<u64>,
}

impl Parents {
    pub(super) fn new() -> Parents {
        Parents {
            parents: vec![Parent::default(); PARENT_COUNT],
            alive: Vec::with_capacity(ALIVE_COUNT),
            ended: vec![(0, 0); ENDED_COUNT],
            execs: vec![0; EXEC_COUNT],
        }
    }

    fn places(id: u32) -> impl Iterator<Item = usize> {
        (0..PLACE_COUNT).map(move |k| (id as usize + k) % PARENT_COUNT)
    }

    fn find(&mut self, id: u32) -> Option<&mut Parent> {
        let at = Parents::places(id).find(|at| id != 0 && self.parents[*at].id == id)?;
        Some(&mut self.parents[at])
    }

    pub(super) fn open(&mut self, id: u32, total: i64) {
        if id == 0 || total <= 0 {
            return;
        }
        if let Some(parent) = self.find(id) {
            parent.total = parent.total.min(total);
            return;
        }
        // Ids rise: the lowest one has been quiet the longest.
        let free = |at: &usize| self.parents[*at].alive == 0;
        let at = Parents::places(id).filter(free).min_by_key(|at| self.parents[*at].id);
        if let Some(at) = at {
            self.parents[at] = Parent { id, total, used: 0, alive: 0 };
        }
    }

    /// Counts a child that is about to leave.
    pub(super) fn take(&mut self, o: &Order) -> Result<(), RiskCode> {
        let is_full = self.alive.len() >= ALIVE_COUNT;
        let parent = self.find(o.parent).ok_or(RiskCode::UnknownParent)?;
        let used = parent.used + i128::from(o.qty);
        if used > i128::from(parent.total) && !bug!(EgressSkipsConservation) {
            return Err(RiskCode::ParentQuantity);
        }
        if is_full {
            return Err(RiskCode::TableFull);
        }
        parent.used = used;
        parent.alive += 1;
        self.alive.push(Child { id: o.id, parent: o.parent, rest: o.qty });
        Ok(())
    }

    pub(super) fn on_report(&mut self, r: &VenueReport) {
        let filled = match r.kind {
            ReportKind::Fill if r.qty.0 <= 0 || self.is_repeated(r.exec_id.0) => return,
            ReportKind::Fill => r.qty.0,
            ReportKind::Reject
            | ReportKind::Canceled
            | ReportKind::Expired
            | ReportKind::Absent => 0,
            _ => return,
        };
        let id = r.client_order_id.0;
        let Some(at) = self.alive.iter().position(|c| c.id == id) else {
            self.on_late_fill(id, filled);
            return;
        };
        let child = &mut self.alive[at];
        // More than the rest is more than ever left.
        let extra = i128::from(filled) - i128::from(filled.min(child.rest));
        child.rest -= filled.min(child.rest);
        let child = *child;
        let ended = filled == 0 || child.rest == 0;
        if ended {
            self.alive.swap_remove(at);
            self.ended[id as usize % ENDED_COUNT] = (id, child.parent);
        }
        if let Some(parent) = self.find(child.parent) {
            parent.used += extra;
            if ended {
                // Only this gate's own count is given back, whatever the report says.
                parent.used -= i128::from(child.rest);
                parent.alive = parent.alive.saturating_sub(1);
            }
        }
    }

    /// What an end gave back is used after all.
    fn on_late_fill(&mut self, id: u64, filled: i64) {
        let (ended, parent) = self.ended[id as usize % ENDED_COUNT];
        if ended == id
            && id != 0
            && let Some(parent) = self.find(parent)
        {
            parent.used += i128::from(filled);
        }
    }

    /// Whether this execution was told before; remembers it. Without an id it cannot be told.
    fn is_repeated(&mut self, id: u64) -> bool {
        let seen = &mut self.execs[id as usize % EXEC_COUNT];
        id != 0 && core::mem::replace(seen, id) == id
    }
}
