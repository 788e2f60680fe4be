//! How a parent starts: what is checked, and the schedule it gets.

use crate::almgren_chriss::kappa_from_squared;
use crate::engine::{Desk, ExecutionEngine, PARENT_SLOT_COUNT, parent_slot};
use crate::intent::MarketView;
use crate::parent::{Parent, ParentError, ParentSpec};
use crate::schedule::{Slices, slice_count};
use ijk_core::config::ExecutionConfig;
use ijk_core::limits::PARENT_COUNT_MAX;
use ijk_core::record::{ParentRecord, ParentStatus};
use ijk_core::{ParentId, Qty, RecvTs};

/// Trading day of instruments without session bounds: 6.5 hours.
const DAY_NS_DEFAULT: u64 = 23_400_000_000_000;
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
        if self.stopped {
            return Err(ParentError::Stopped);
        }
        let closing_ns = self.config.no_new_before_close_s.saturating_mul(1_000_000_000);
        if view.session_close_ns != u64::MAX && now.plus_ns(closing_ns).0 >= view.session_close_ns {
            return Err(ParentError::TooCloseToEnd);
        }
        let mid = view.mid().ok_or(ParentError::NoBook)?;
        if self.alive_count == PARENT_COUNT_MAX {
            return Err(ParentError::Full);
        }
        let end = RecvTs(now.plus_ns(spec.horizon_ns).0.min(view.session_close_ns));
        let horizon_ns = end.since_ns(now);
        // No more slices than smallest children: a slice that has to wait for the next one to be
        // worth a message would only make the parent late.
        let slices_max = (spec.qty.0 / desk.child_qty_min).max(1) as u64;
        let interval_ns = self.config.slice_interval_ms.saturating_mul(1_000_000);
        let interval_ns = interval_ns.max(horizon_ns / slices_max);
        let tau_ns = horizon_ns / slice_count(horizon_ns, interval_ns);
        let kappa_tau = kappa_tau(&self.config, desk, spec, mid, tau_ns);
        let (slot, parent_id) = self.free_parent_slot().ok_or(ParentError::Full)?;
        let parent = Parent {
            record: new_record(now, end, spec, parent_id, mid),
            slices: Slices::new(now, horizon_ns, interval_ns, kappa_tau),
            children: Default::default(),
            child_count: 0,
            volume_start: view.volume_qty,
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
        reserved: [0; 3],
    }
}

/// Returns κτ of a parent with slices of `tau_ns`. With σ = mid·vol a unit and temporary impact
/// η·σ/V a unit for each unit a day (V the daily volume), κ̃² = λσ²/(ησ/V) = λσV/η.
fn kappa_tau(
    config: &ExecutionConfig,
    desk: &Desk,
    spec: &ParentSpec,
    mid: f64,
    tau_ns: u64,
) -> f64 {
    let lambda = config.risk_aversion_per_usd[spec.urgency as usize];
    let unit_value = mid * desk.definition.qty_as_f64(Qty(1));
    let sigma = unit_value * desk.volatility_bps * 1e-4;
    let session = desk.definition.session;
    let bounded = session.close_ns != u64::MAX && session.close_ns > session.open_ns;
    let day_ns = if bounded { session.close_ns - session.open_ns } else { DAY_NS_DEFAULT };
    let tau = tau_ns as f64 / day_ns as f64;
    kappa_from_squared(lambda * sigma * desk.volume_qty / config.temporary_impact, tau) * tau
}
