//! When vectors of other modalities reach the core.
//!
//! Each comes at the time from which it was known, before a market record of the same time; one
//! that was known before the run began, or before it arrived, comes at once and counts from then.

use super::super::ports::{Clock, FeedPort, JournalSink};
use super::Driver;
use crate::decision::Input;
use ijk_core::RecvTs;
use ijk_core::record::RecordKind;
use ijk_core::slot::SLOT_PAYLOAD_BYTES_MAX;
use ijk_venue::Venue;

impl<V: Venue, F: FeedPort, J: JournalSink, C: Clock> Driver<V, F, J, C> {
    /// Returns when the next vector is due in a simulated session, whose feed's next record is
    /// `feed`: with the first record where nothing has come yet, never after the last.
    pub(super) fn due_slot(&self, feed: Option<RecvTs>) -> Option<RecvTs> {
        let update = self.s.slots.get(self.next_slot)?;
        let now = if self.now.0 == 0 { feed? } else { self.now };
        let more = feed.is_some() || !self.delayed.is_empty();
        more.then(|| update.known_from.max(now))
    }

    /// Hands over every vector that is known by now; returns whether there was any.
    pub(super) fn deliver_due_slots(&mut self) -> bool {
        let first = self.next_slot;
        while self.s.slots.get(self.next_slot).is_some_and(|u| u.known_from <= self.now) {
            self.deliver_slot(self.now);
        }
        self.next_slot > first
    }

    pub(super) fn deliver_slot(&mut self, t: RecvTs) {
        self.now = self.now.max(t);
        // Lent for the call: the core borrows the whole session.
        let slots = std::mem::take(&mut self.s.slots);
        let mut payload = [0; SLOT_PAYLOAD_BYTES_MAX];
        let update = &slots[self.next_slot];
        self.input(RecordKind::Slot, update.encode(&mut payload), &Input::Slot(update));
        self.s.slots = slots;
        self.next_slot += 1;
    }
}
