//! The state machine of one child order, as one table.

/// State of a child order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderState {
    /// Wanted; the risk gate has not spoken.
    Proposed,
    /// Sent, not acknowledged.
    PendingNew,
    /// At the venue.
    Working,
    /// A cancel is under way.
    PendingCancel,
    /// Over at the venue, but fills are still to be reported: the venue cancelled less than was
    /// left, or refused a cancel because nothing was left.
    AwaitingFills,
    /// Filled completely. Terminal.
    Filled,
    /// Cancelled. Terminal.
    Canceled,
    /// Ran out. Terminal.
    Expired,
    /// Refused by the venue. Terminal.
    Rejected,
    /// Refused by the risk gate; never sent. Terminal.
    Refused,
    /// It never reached the venue: withdrawn before it left, or the venue never had it. Terminal.
    NotSent,
}

/// What happens to a child order. Fills and ends are named by what they leave, so that the table
/// needs no quantities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderEvent {
    /// The gate said yes and the order left.
    Sent,
    /// The gate said no.
    GateRefused,
    /// We asked for a cancel.
    CancelSent,
    /// The venue acknowledged.
    Ack,
    /// The venue refused the order.
    Reject,
    /// A fill that leaves something.
    PartialFill,
    /// A fill that leaves nothing open.
    LastFill,
    /// Cancelled, everything accounted for.
    CancelDone,
    /// Ran out, everything accounted for.
    ExpireDone,
    /// Cancelled or run out, with fills still to be reported.
    EndedShort,
    /// The last of those fills.
    LastAwaitedFill,
    /// The cancel was refused, the order lives.
    CancelRejectAlive,
    /// The cancel was refused because the order is over.
    CancelRejectGone,
    /// The cancel overtook the order itself: the venue does not know it yet.
    CancelRejectUnknown,
    /// It is certain that the venue never had the order.
    NeverArrived,
}

impl OrderState {
    /// Every state.
    pub const ALL: [OrderState; 11] = [
        OrderState::Proposed,
        OrderState::PendingNew,
        OrderState::Working,
        OrderState::PendingCancel,
        OrderState::AwaitingFills,
        OrderState::Filled,
        OrderState::Canceled,
        OrderState::Expired,
        OrderState::Rejected,
        OrderState::Refused,
        OrderState::NotSent,
    ];

    /// Returns whether the order is over.
    pub const fn is_terminal(self) -> bool {
        use OrderState::*;
        matches!(self, Filled | Canceled | Expired | Rejected | Refused | NotSent)
    }

    /// Returns the next state, or `None` where `event` cannot happen in this state. Repeats and
    /// reports overtaken by others return the state itself: they change nothing.
    pub const fn next(self, event: OrderEvent) -> Option<OrderState> {
        use OrderEvent as E;
        use OrderState as S;
        Some(match (self, event) {
            (S::Proposed, E::Sent) => S::PendingNew,
            (S::Proposed, E::GateRefused) => S::Refused,

            (S::PendingNew, E::Ack) => S::Working,
            (S::PendingNew | S::PendingCancel, E::Reject) => S::Rejected,
            (S::PendingNew | S::PendingCancel, E::NeverArrived) => S::NotSent,
            (S::PendingNew | S::Working, E::CancelSent) => S::PendingCancel,
            // Asked again, because nothing but the refusal said that it was over.
            (S::AwaitingFills, E::CancelSent) => S::PendingCancel,
            // A fill or an end may overtake the acknowledgement.
            (S::PendingNew | S::Working, E::PartialFill) => S::Working,
            (S::PendingCancel, E::PartialFill) => S::PendingCancel,
            (S::PendingNew | S::Working | S::PendingCancel, E::LastFill) => S::Filled,
            (S::PendingNew | S::Working | S::PendingCancel, E::CancelDone) => S::Canceled,
            (S::PendingNew | S::Working | S::PendingCancel, E::ExpireDone) => S::Expired,
            (S::PendingNew | S::Working | S::PendingCancel, E::EndedShort) => S::AwaitingFills,

            (S::AwaitingFills, E::PartialFill) => S::AwaitingFills,
            (S::AwaitingFills, E::LastAwaitedFill) => S::Canceled,
            (S::AwaitingFills, E::LastFill) => S::Filled,
            // The end itself may come after the refusal of the cancel that raced it.
            (S::AwaitingFills, E::CancelDone) => S::Canceled,
            (S::AwaitingFills, E::ExpireDone) => S::Expired,
            (S::AwaitingFills, E::EndedShort) => S::AwaitingFills,

            (S::PendingCancel, E::CancelRejectAlive) => S::Working,
            (S::PendingCancel, E::CancelRejectGone) => S::AwaitingFills,
            (S::PendingCancel, E::CancelRejectUnknown) => S::PendingNew,
            // It was not over after all: the refusal was a repeat of an older one.
            (S::AwaitingFills, E::CancelRejectAlive) => S::Working,

            // Overtaken or repeated: nothing changes.
            (S::Working | S::PendingCancel | S::AwaitingFills, E::Ack) => self,
            (S::Filled | S::Canceled | S::Expired, E::Ack) => self,
            (S::PendingNew | S::Working, E::CancelRejectAlive) => self,
            (_, E::CancelRejectUnknown) if !matches!(self, S::Proposed | S::Refused) => self,
            (S::PendingNew | S::Working | S::AwaitingFills, E::CancelRejectGone) => self,
            (S::Filled | S::Canceled | S::Expired, E::CancelRejectAlive) => self,
            (S::Filled | S::Canceled | S::Expired, E::CancelRejectGone) => self,
            (S::Rejected, E::CancelRejectAlive | E::CancelRejectGone | E::Reject) => self,
            (S::Canceled, E::CancelDone) | (S::Expired, E::ExpireDone) => self,
            // A fill that happened before the end and was reported after it.
            (S::Canceled | S::Expired | S::NotSent, E::PartialFill) => self,
            (S::Canceled | S::Expired | S::NotSent, E::LastFill) => S::Filled,
            (S::NotSent, E::NeverArrived | E::Ack | E::CancelRejectGone) => self,
            (S::NotSent, E::CancelRejectAlive) => self,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [OrderEvent; 15] = [
        OrderEvent::Sent,
        OrderEvent::GateRefused,
        OrderEvent::CancelSent,
        OrderEvent::Ack,
        OrderEvent::Reject,
        OrderEvent::PartialFill,
        OrderEvent::LastFill,
        OrderEvent::CancelDone,
        OrderEvent::ExpireDone,
        OrderEvent::EndedShort,
        OrderEvent::LastAwaitedFill,
        OrderEvent::CancelRejectAlive,
        OrderEvent::CancelRejectGone,
        OrderEvent::CancelRejectUnknown,
        OrderEvent::NeverArrived,
    ];

    #[test]
    fn terminal_states_never_come_back_to_life() {
        for state in OrderState::ALL.into_iter().filter(|s| s.is_terminal()) {
            for event in EVENTS {
                assert!(
                    state.next(event).is_none_or(OrderState::is_terminal),
                    "{state:?} {event:?}"
                );
            }
        }
    }

    #[test]
    fn every_living_state_can_end_and_can_be_cancelled() {
        for state in OrderState::ALL.into_iter().filter(|s| !s.is_terminal()) {
            let ends = EVENTS.iter().filter_map(|e| state.next(*e)).any(OrderState::is_terminal);
            assert!(ends, "{state:?} has no way out");
        }
        for state in [OrderState::PendingNew, OrderState::Working] {
            assert_eq!(state.next(OrderEvent::CancelSent), Some(OrderState::PendingCancel));
        }
    }

    #[test]
    fn only_the_gate_moves_a_proposed_order() {
        for event in EVENTS {
            let moved = OrderState::Proposed.next(event).is_some();
            assert_eq!(moved, matches!(event, OrderEvent::Sent | OrderEvent::GateRefused));
        }
    }
}
