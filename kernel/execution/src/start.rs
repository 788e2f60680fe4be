//! How a parent starts: what is checked, and the schedule it gets.

use crate::engine::{ExecutionEngine, PARENT_SLOT_COUNT, parent_slot};
use crate::intent::MarketView;
use crate::parent::{Parent, ParentError, ParentSpec};
use crate::plan::slice_interval_ns;
use crate::replan::{Window, first_numbers};
use crate::schedule::{Slices, slice_count};
use crate::stance::Stance;
use ijk_core::limits::PARENT_COUNT_MAX;
use ijk_core::record::{ParentRecord, ParentStatus};
use ijk_core::{ParentId, Qty, RecvTs};

/// Longest pause between two children of a parent: longer than the default window in which the
/// risk gate takes an equal order for a duplicate.
const PAUSE_NS_MAX: u64 = 600_000_000;
/// Largest parent: the sum over all working children must fit.
const QTY_MAX: i64 = 1 << 52;

impl ExecutionEngine {
    /// Starts a parent; nothing is sent before the next [`ExecutionEngine::on_market`].
    ///
    /// # Errors
    /// [`ParentError`] says why not; nothing has changed then.
    pub fn start_parent(
        &mut self,
        now: RecvTs,
        spec: &ParentSpec,
        view: &MarketView,
    ) -> Result<ParentId, ParentError> {
        self.check_spec(spec)?;
        let closing_ns = self.config.no_new_before_close_s.saturating_mul(1_000_000_000);
        if view.session_close_ns != u64::MAX && now.plus_ns(closing_ns).0 >= view.session_close_ns {
            return Err(ParentError::TooCloseToEnd);
        }
        let mid = view.mid().ok_or(ParentError::NoBook)?;
        if self.alive_count == PARENT_COUNT_MAX {
            return Err(ParentError::Full);
        }
        let (start, end) = self.window(now, spec, view).ok_or(ParentError::TooCloseToEnd)?;
        let horizon_ns = end.since_ns(start);
        let desk = &self.desks[spec.instrument.index()];
        let interval_ns =
            slice_interval_ns(&self.config, horizon_ns, spec.qty.0, desk.child_qty_min);
        let tau_ns = (horizon_ns / slice_count(horizon_ns, interval_ns)).max(1);
        let numbers = first_numbers(&self.config, desk, spec, mid);
        let own_max = f64::from(spec.participation_e4) * 1e-4;
        let assumed = desk.regime.conditions();
        let (slot, parent_id) = self.free_parent_slot().ok_or(ParentError::Full)?;
        let window = Window { from: start, end, tau_ns };
        let instrument = spec.instrument.index();
        let shape = self.plan(slot, instrument, spec.schedule, &numbers, spec.qty.0, window);
        let parent = Parent {
            record: new_record(now, end, spec, parent_id, mid),
            slices: Slices::new(start, horizon_ns, interval_ns, shape),
            children: Default::default(),
            child_count: 0,
            volume_start: view.volume_qty,
            participation_max: if own_max > 0.0 { own_max } else { self.config.participation_max },
            numbers,
            assumed,
            next_plan: now,
            stance: Stance::Rest,
            waits: false,
            next_reprice: now,
            finish: RecvTs(end.0 - horizon_ns / 10),
            behind_since: None,
            crossing: false,
            capped: false,
            pause_ns: (horizon_ns / 10).clamp(1, PAUSE_NS_MAX),
            next_new: now,
            refusals: 0,
            ending: None,
            alive: true,
            changed: false,
            deadline: now,
        };
        self.parents[slot] = Some(parent);
        self.desks[spec.instrument.index()].parents.push(slot as u16);
        self.alive_count += 1;
        self.touch(slot);
        self.refresh_deadline();
        Ok(parent_id)
    }

    /// Checks what a parent is, whatever the market.
    fn check_spec(&self, spec: &ParentSpec) -> Result<(), ParentError> {
        let desk = self
            .desks
            .get(spec.instrument.index())
            .ok_or(ParentError::UnknownInstrument(spec.instrument))?;
        let lot = desk.definition.lot.0;
        if spec.qty.0 <= 0 || spec.qty.0 % lot != 0 || spec.qty.0 > QTY_MAX {
            return Err(ParentError::Quantity { qty: spec.qty.0, lot });
        }
        if spec.horizon_ns == 0 {
            return Err(ParentError::Horizon);
        }
        if spec.participation_e4 > 10_000 {
            return Err(ParentError::Participation(spec.participation_e4));
        }
        if self.stopped {
            return Err(ParentError::Stopped);
        }
        Ok(())
    }

    /// Returns from when to when a parent works, off the auctions; `None` where that is no time.
    fn window(
        &self,
        now: RecvTs,
        spec: &ParentSpec,
        view: &MarketView,
    ) -> Option<(RecvTs, RecvTs)> {
        let session = self.desks[spec.instrument.index()].definition.session;
        let s = |seconds: u64| seconds.saturating_mul(1_000_000_000);
        let (open_ns, close_ns) = (session.open_ns, view.session_close_ns);
        let first = if open_ns > 0 {
            now.max(RecvTs(open_ns).plus_ns(s(self.config.start_after_open_s)))
        } else {
            now
        };
        let last = match close_ns {
            u64::MAX => u64::MAX,
            close => close.saturating_sub(s(self.config.end_before_close_s)),
        };
        let end = RecvTs(now.plus_ns(spec.horizon_ns).0.min(last));
        (end > first).then_some((first, end))
    }

    /// Returns a free place and the id that goes with it: ids whose place is taken are skipped.
    fn free_parent_slot(&mut self) -> Option<(usize, ParentId)> {
        for _ in 0..PARENT_SLOT_COUNT {
            let id = ParentId(self.next_parent_id);
            self.next_parent_id = self.next_parent_id.checked_add(1)?;
            let slot = parent_slot(id);
            if self.parents[slot].as_ref().is_none_or(|p| !p.alive && !p.changed) {
                return Some((slot, id));
            }
        }
        None
    }
}

fn new_record(
    now: RecvTs,
    end: RecvTs,
    spec: &ParentSpec,
    parent_id: ParentId,
    mid: f64,
) -> ParentRecord {
    ParentRecord {
        ts_start: now,
        ts_end: end,
        qty: spec.qty,
        filled: Qty(0),
        working: Qty(0),
        unsent: spec.qty,
        abandoned: Qty(0),
        arrival_mid: mid,
        filled_value: 0.0,
        fee_e9: 0,
        mid,
        decision_id: spec.decision_id,
        source_line: spec.source_line,
        parent_id,
        instrument: spec.instrument,
        side: spec.side,
        urgency: spec.urgency,
        status: ParentStatus::Active,
        schedule: spec.schedule,
        replan_count: 0,
        reserved: 0,
    }
}
