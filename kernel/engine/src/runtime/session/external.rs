//! A session with a venue that has a time of its own, and what stops new orders from outside the
//! core: a silent feed, a wrong clock, a late journal, a full ring.

use super::super::ports::{Clock, FeedPort, FeedState, JournalSink};
use super::{CLOCK_QUIET_NS, Driver, Next, OVERLOAD, Step, TIMER_STEP_NS};
use crate::decision::Input;
use ijk_core::record::{ControlCommand, RecordKind};
use ijk_core::{Block, RecvTs};
use ijk_venue::Venue;
use zerocopy::IntoBytes;

impl<V: Venue, F: FeedPort, J: JournalSink, C: Clock> Driver<V, F, J, C> {
    /// One round with a venue that has a time of its own: everything is taken as it comes, in
    /// the order venue, feed, parents, timers.
    pub(super) fn step_external(&mut self) -> Step {
        let feed = self.s.feed.peek();
        let data = match feed {
            FeedState::Ready(ts) => Some(ts),
            FeedState::Empty | FeedState::Ended => None,
        };
        let clock = self.s.clock.now(data);
        if clock.0 == 0 {
            // Before the first record there is no time to stamp anything with.
            return if feed == FeedState::Ended { Step::Ended } else { Step::Idle };
        }
        self.now = self.now.max(clock);
        self.watch(feed);
        self.s.outbox.release(self.now, self.s.journal.durable_seq());
        let mut worked = self.deliver_messages(self.now);
        worked |= self.deliver_due_slots();
        match feed {
            FeedState::Ready(_) => {
                self.take_live();
                worked = true;
            }
            FeedState::Ended => return Step::Ended,
            FeedState::Empty => {}
        }
        worked |= self.deliver_due_parent();
        if self.s.kernel.next_deadline().is_some_and(|t| t <= self.now)
            && self.now.since_ns(self.last_timer) >= TIMER_STEP_NS
        {
            self.deliver_timer(self.now);
            worked = true;
        }
        self.s.outbox.release(self.now, self.s.journal.durable_seq());
        if worked { Step::Worked } else { Step::Idle }
    }

    fn take_live(&mut self) {
        let Some(ev) = self.s.feed.pop() else { return };
        self.last_feed = self.now;
        self.s.outbox.on_market(&ev);
        self.deliver_market(&ev);
    }

    fn deliver_due_parent(&mut self) -> bool {
        match self.due_parent((RecvTs(u64::MAX), Next::Wait)).1 {
            Next::Parent(command) if command.ts <= self.now => self.deliver_parent(command),
            Next::ParkParent => self.park_parent(),
            _ => return false,
        }
        true
    }

    /// Looks after everything that blocks new orders from outside the core.
    fn watch(&mut self, feed: FeedState) {
        let ms = |v: u64| v.saturating_mul(1_000_000);
        if self.last_feed.0 == 0 {
            self.last_feed = self.now;
        }
        let silent = !matches!(feed, FeedState::Ready(_))
            && self.now.since_ns(self.last_feed) > ms(self.s.venue.feed_silence_max_ms);
        self.set_block(Block::Data, silent);
        if !self.s.clock.is_sound() {
            self.clock_bad_since = Some(self.now);
            // Each step is told of, also while one is still being lived down.
            self.blocked &= !Block::Clock.bit();
        }
        let bad = self.clock_bad_since.is_some_and(|t| self.now.since_ns(t) < CLOCK_QUIET_NS);
        self.set_block(Block::Clock, bad);
        let late = self.s.outbox.oldest_wait_ns(self.now);
        let journal_late = late > ms(self.s.venue.intent_age_max_ms) / 2;
        let still_late = self.has_block(Block::Journal) && late > 0;
        self.set_block(Block::Journal, journal_late || still_late);
        let limit = if self.has_block(Block::Overload) { OVERLOAD.1 } else { OVERLOAD.0 };
        self.set_block(Block::Overload, self.s.feed.fill() > limit);
    }

    fn has_block(&self, block: Block) -> bool {
        self.blocked & block.bit() != 0
    }

    pub(super) fn set_block(&mut self, block: Block, set: bool) {
        if self.has_block(block) == set {
            return;
        }
        self.blocked ^= block.bit();
        let command = ControlCommand::block(block, set);
        self.input(RecordKind::Control, command.as_bytes(), &Input::Control(&command));
        self.tell_last_check(block);
    }
}
