//! Where our resting orders stand, and the stance that follows from it.

use crate::engine::{ExecutionEngine, child_slot};
use crate::intent::MarketView;
use crate::order::OrderState;
use crate::parent::Child;
use crate::stance::Choice;
use ijk_core::record::Urgency;

impl ExecutionEngine {
    /// Brings the queue positions of the parent in `slot` up to date and chooses its stance.
    /// Passive and urgent parents have none to choose.
    pub(crate) fn choose_stance(
        &mut self,
        slot: usize,
        view: &MarketView,
        lot: i64,
        patience_ns: u64,
    ) {
        let parent = self.parents[slot].as_ref().expect("a listed parent is here");
        if parent.record.urgency != Urgency::Normal || !view.is_tradable() {
            return;
        }
        let side = parent.record.side;
        let touch = view.touch(side);
        // A new order would stand behind all that is displayed; the best placed one counts.
        let mut queue = touch.qty.0 as f64 + lot as f64;
        for id in parent.children() {
            let child = &mut self.children[child_slot(*id)];
            child.follow_queue(view);
            if child.state == OrderState::Working && !side.better(touch.px, child.px) {
                queue = queue.min(child.ahead + child.leaves() as f64);
            }
        }
        let regime = &self.desks[parent.record.instrument.index()].regime;
        let sign = side.sign() as f64;
        let slice = parent.slices.slice_qty().max(lot as f64);
        let choice = Choice {
            queue,
            against_per_s: regime.against_per_s(side),
            time_s: patience_ns as f64 * 1e-9,
            signal: sign * regime.signal_now(),
            slices_behind: (parent.unfilled() as f64 - parent.slices.planned_left(view.now))
                / slice,
            hazard: self.config.fill_hazard,
            gain: self.config.signal_gain * regime.response(),
            adverse: self.config.adverse_selection,
        };
        let parent = self.parents[slot].as_mut().expect("a listed parent is here");
        parent.stance = parent.stance.next(&choice);
        parent.waits = choice.is_worth_waiting();
    }
}

impl Child {
    /// Follows what stands before the order: trades against its side take from the front while it
    /// is at the touch, and no more than what is displayed can be before it.
    fn follow_queue(&mut self, view: &MarketView) {
        let touch = view.touch(self.side);
        let against = view.against_qty(self.side);
        let traded = against.saturating_sub(self.ahead_volume).max(0);
        self.ahead_volume = against;
        if touch.px == self.px {
            self.ahead = (self.ahead - traded as f64).clamp(0.0, touch.qty.0.max(0) as f64);
        } else if !self.side.better(touch.px, self.px) {
            // The touch is worse than our price: nothing is before us.
            self.ahead = 0.0;
        }
    }
}
