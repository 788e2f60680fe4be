//! Parent orders: what starts one, what can go wrong, and what the engine keeps of each.

use crate::order::OrderState;
use crate::regime::Conditions;
use crate::schedule::Slices;
use crate::stance::Stance;
use ijk_core::record::{ParentRecord, ParentStatus, ScheduleKind, Urgency};
use ijk_core::{ClientOrderId, InstrumentId, ParentId, Px, Qty, RecvTs, Side};

/// Children of one parent alive at once.
pub const CHILD_PER_PARENT_MAX: usize = 8;

/// A parent order to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParentSpec {
    /// Instrument.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Total quantity, a positive number of lots.
    pub qty: Qty,
    /// Time it may take, nanoseconds, positive; cut at the session's end.
    pub horizon_ns: u64,
    /// Urgency.
    pub urgency: Urgency,
    /// Schedule.
    pub schedule: ScheduleKind,
    /// Largest part of the volume, and the rate of a `Pov` schedule, in 1e-4; 0: as set.
    pub participation_e4: u16,
    /// Decision that wants it, or 0.
    pub decision_id: u64,
    /// Line of the file it came from, or 0.
    pub source_line: u32,
}

/// Why a parent cannot start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParentError {
    /// No such instrument.
    #[error("instrument {0:?} is not in the run's table")]
    UnknownInstrument(InstrumentId),
    /// The quantity is not a positive number of lots.
    #[error("quantity {qty} is not a positive multiple of the lot {lot}, at most 2^52")]
    Quantity {
        /// Quantity asked for.
        qty: i64,
        /// Lot of the instrument.
        lot: i64,
    },
    /// No time to work in.
    #[error("the horizon is zero")]
    Horizon,
    /// A part of the volume above all of it.
    #[error("participation {0}e-4 is more than all volume")]
    Participation(u16),
    /// The book has not two sides: there is no arrival price.
    #[error("the book has not two sides; retry when it has")]
    NoBook,
    /// The session ends too soon.
    #[error("too close to the session's end")]
    TooCloseToEnd,
    /// All places are taken.
    #[error("too many parents alive; retry when one has ended")]
    Full,
    /// `stop_all` was called and `resume` was not.
    #[error("execution is stopped")]
    Stopped,
}

/// Why a parent ended with a rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AbandonReason {
    /// The horizon, or the session, ended.
    Horizon,
    /// The horizon ended while the participation cap held the rest back.
    ParticipationCap,
    /// It was stopped.
    Stopped,
    /// The venue filled more than was ordered: nothing more is sent for it.
    Overfill,
}

/// One child order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Child {
    pub id: ClientOrderId,
    pub parent_id: ParentId,
    pub instrument: InstrumentId,
    pub side: Side,
    pub px: Px,
    pub qty: i64,
    pub filled: i64,
    /// Cancelled, expired or rejected quantity.
    pub ended: i64,
    pub ioc: bool,
    pub state: OrderState,
    pub acked: bool,
    /// The venue said how the order ended.
    pub end_reported: bool,
    pub placed: RecvTs,
    /// Since when the own touch is better than this order's price.
    pub away_since: Option<RecvTs>,
    /// Not before this is another cancel sent.
    pub next_cancel: RecvTs,
    /// Quantity believed to stand before it in the queue.
    pub ahead: f64,
    /// Volume of those who trade against its side when that was last brought up to date.
    pub ahead_volume: i64,
}

impl Child {
    pub(crate) const EMPTY: Child = Child {
        id: ClientOrderId(0),
        parent_id: ParentId(0),
        instrument: InstrumentId(0),
        side: Side::Bid,
        px: Px(0),
        qty: 0,
        filled: 0,
        ended: 0,
        ioc: false,
        state: OrderState::Refused,
        acked: false,
        end_reported: false,
        placed: RecvTs(0),
        away_since: None,
        next_cancel: RecvTs(0),
        ahead: 0.0,
        ahead_volume: 0,
    };

    pub(crate) fn leaves(&self) -> i64 {
        self.qty - self.filled - self.ended
    }
}

/// The numbers a plan is made with; see [`crate::plan::PlanInputs`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PlanNumbers {
    pub sigma: f64,
    pub volume: f64,
    pub eta: f64,
    pub lambda: f64,
    pub rate: f64,
}

/// One parent order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parent {
    pub record: ParentRecord,
    pub slices: Slices,
    /// Children alive; `child_count` of them.
    pub children: [ClientOrderId; CHILD_PER_PARENT_MAX],
    pub child_count: usize,
    pub volume_start: i64,
    /// Largest part of the volume.
    pub participation_max: f64,
    /// What its plan was made with.
    pub numbers: PlanNumbers,
    /// The market that its plan assumes; `None` before there was enough of one.
    pub assumed: Option<Conditions>,
    /// Not before this is it planned anew.
    pub next_plan: RecvTs,
    /// Whether it rests or takes.
    pub stance: Stance,
    /// Late, it goes on resting: the fill or a better price is near.
    pub waits: bool,
    /// Not before this is a child re-priced.
    pub next_reprice: RecvTs,
    /// From here on the rest crosses the spread.
    pub finish: RecvTs,
    pub behind_since: Option<RecvTs>,
    pub crossing: bool,
    pub capped: bool,
    /// Shortest time between two new children.
    pub pause_ns: u64,
    pub next_new: RecvTs,
    /// Refusals in a row.
    pub refusals: u32,
    pub ending: Option<AbandonReason>,
    pub alive: bool,
    pub changed: bool,
    pub deadline: RecvTs,
}

impl Parent {
    /// Returns what is neither filled nor given up.
    pub(crate) fn unfilled(&self) -> i64 {
        self.record.working.0 + self.record.unsent.0
    }

    pub(crate) fn children(&self) -> &[ClientOrderId] {
        &self.children[..self.child_count]
    }

    pub(crate) fn remove_child(&mut self, id: ClientOrderId) {
        let at = self.children().iter().position(|c| *c == id);
        let at = at.expect("a living child is listed with its parent");
        self.children.copy_within(at + 1..self.child_count, at);
        self.child_count -= 1;
    }

    /// Gives up what was not sent; what works is cancelled by the next step.
    pub(crate) fn begin_end(&mut self, reason: AbandonReason) {
        self.ending.get_or_insert(reason);
        self.record.abandoned.0 += self.record.unsent.0;
        self.record.unsent.0 = 0;
    }

    /// Puts quantity that no longer works where it belongs.
    pub(crate) fn return_unfilled(&mut self, qty: i64) {
        self.record.working.0 -= qty;
        if self.alive && self.ending.is_none() {
            self.record.unsent.0 += qty;
        } else {
            self.record.abandoned.0 += qty;
        }
    }

    /// Sets the status once nothing works and nothing waits; returns whether it is over.
    pub(crate) fn settle(&mut self) -> bool {
        let r = &mut self.record;
        if r.working.0 != 0 || r.unsent.0 != 0 {
            return false;
        }
        let done = r.filled == r.qty;
        r.status = if done { ParentStatus::Done } else { ParentStatus::Abandoned };
        true
    }

    pub(crate) fn assert_account(&self) {
        let r = &self.record;
        let sum = r.filled.0 + r.working.0 + r.unsent.0 + r.abandoned.0;
        assert!(
            sum == r.qty.0
                && r.filled.0 >= 0
                && r.working.0 >= 0
                && r.unsent.0 >= 0
                && r.abandoned.0 >= 0,
            "parent account out of balance: {r:?}"
        );
    }
}
