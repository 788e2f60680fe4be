//! Messages under way, both directions. First in, first out each.

use ijk_core::{CancelOrder, NewOrder, RecvTs, VenueReport};
use std::collections::VecDeque;

/// Messages to the exchange that may be under way at once.
pub(crate) const MESSAGE_COUNT_MAX: usize = 1_024;
/// Reports that may be under way before the queue has to grow. A caller that polls at every
/// event stays far below.
const REPORT_COUNT_TYPICAL: usize = 16_384;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Message {
    New(NewOrder),
    Cancel(CancelOrder),
}

#[derive(Debug)]
pub(crate) struct Wire {
    to_exchange: VecDeque<(RecvTs, Message)>,
    last_arrival: RecvTs,
    to_kernel: VecDeque<(RecvTs, VenueReport)>,
}

impl Wire {
    pub(crate) fn new() -> Wire {
        Wire {
            to_exchange: VecDeque::with_capacity(MESSAGE_COUNT_MAX),
            last_arrival: RecvTs(0),
            to_kernel: VecDeque::with_capacity(REPORT_COUNT_TYPICAL),
        }
    }

    /// Queues a message that would arrive at `at` if nothing were before it: one session is one
    /// byte stream, a later message cannot overtake. Returns false when too many are under way.
    #[must_use]
    pub(crate) fn send(&mut self, at: RecvTs, message: Message) -> bool {
        if self.to_exchange.len() == MESSAGE_COUNT_MAX {
            return false;
        }
        self.last_arrival = self.last_arrival.max(at);
        self.to_exchange.push_back((self.last_arrival, message));
        true
    }

    pub(crate) fn next_arrival(&self) -> Option<RecvTs> {
        self.to_exchange.front().map(|m| m.0)
    }

    pub(crate) fn take_arrival(&mut self) -> Option<(RecvTs, Message)> {
        self.to_exchange.pop_front()
    }

    pub(crate) fn report(&mut self, deliver: RecvTs, report: VenueReport) {
        let last = self.to_kernel.back().map_or(RecvTs(0), |r| r.0);
        assert!(last <= deliver, "the exchange's clock never runs backwards");
        self.to_kernel.push_back((deliver, report));
    }

    pub(crate) fn next_delivery(&self) -> Option<RecvTs> {
        self.to_kernel.front().map(|r| r.0)
    }

    pub(crate) fn take_report(&mut self, now: RecvTs) -> Option<(RecvTs, VenueReport)> {
        if self.next_delivery()? <= now { self.to_kernel.pop_front() } else { None }
    }
}
