//! Sums and counts over the recent past.

use ijk_core::RecvTs;

/// Buckets of one window.
const STEP_COUNT: u64 = 16;
const SLOT_COUNT: usize = STEP_COUNT as usize + 1;

/// A sum over a sliding window in sixteenths of its length: what is at most the window old is
/// always in, what is more than 17/16 of it never. A window of zero never forgets.
#[derive(Clone, Debug)]
pub(crate) struct WindowSum {
    slots: [(u64, i128); SLOT_COUNT],
    step_ns: u64,
}

impl WindowSum {
    pub(crate) fn new(window_ns: u64) -> WindowSum {
        WindowSum { slots: [(0, 0); SLOT_COUNT], step_ns: window_ns.div_ceil(STEP_COUNT) }
    }

    fn index(&self, now: RecvTs) -> u64 {
        now.0.checked_div(self.step_ns).unwrap_or(0)
    }

    pub(crate) fn add(&mut self, now: RecvTs, value: i128) {
        let index = self.index(now);
        let slot = &mut self.slots[(index % SLOT_COUNT as u64) as usize];
        if slot.0 != index {
            *slot = (index, 0);
        }
        slot.1 = slot.1.saturating_add(value);
    }

    pub(crate) fn sum(&self, now: RecvTs) -> i128 {
        let index = self.index(now);
        let inside = |s: &&(u64, i128)| s.0 + STEP_COUNT >= index;
        self.slots.iter().filter(inside).fold(0i128, |a, s| a.saturating_add(s.1))
    }
}

/// Largest count that [`WindowCount`] keeps.
pub(crate) const WINDOW_COUNT_MAX: usize = 1_024;

/// At most `limit` events in any half-open window, exactly.
#[derive(Debug)]
pub(crate) struct WindowCount {
    ring: Vec<RecvTs>,
    next: usize,
    window_ns: u64,
}

impl WindowCount {
    pub(crate) fn new(window_ns: u64) -> WindowCount {
        WindowCount { ring: Vec::with_capacity(WINDOW_COUNT_MAX), next: 0, window_ns }
    }

    /// Whether one more event at `now` keeps within `limit`, at most [`WINDOW_COUNT_MAX`].
    pub(crate) fn has_room(&self, now: RecvTs, limit: usize) -> bool {
        let limit = limit.min(WINDOW_COUNT_MAX);
        if limit == 0 {
            return false;
        }
        if self.ring.len() < limit {
            return true;
        }
        // The event `limit` back must have left the window.
        let len = self.ring.len();
        let back = (self.next + len - limit) % len;
        now.since_ns(self.ring[back]) >= self.window_ns
    }

    pub(crate) fn push(&mut self, now: RecvTs) {
        if self.ring.len() < WINDOW_COUNT_MAX {
            self.ring.push(now);
            self.next = self.ring.len() % WINDOW_COUNT_MAX;
        } else {
            self.ring[self.next] = now;
            self.next = (self.next + 1) % WINDOW_COUNT_MAX;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_equal_naive(
            gaps in prop::collection::vec(0u64..40, 1..3_000),
            limit in prop::sample::select(vec![0usize, 1, 2, 7, 1_023, 1_024, 5_000]),
            window in 0u64..2_000,
        ) {
            let mut fast = WindowCount::new(window);
            let mut all: Vec<u64> = vec![];
            let mut now = 0;
            for gap in gaps {
                now += gap;
                let inside = all.iter().filter(|t| now - **t < window).count();
                let room = inside < limit.min(WINDOW_COUNT_MAX);
                prop_assert_eq!(fast.has_room(RecvTs(now), limit), room);
                if room {
                    fast.push(RecvTs(now));
                    all.push(now);
                }
            }
        }

        #[test]
        fn sums_hold_the_window_and_forget_the_rest(
            steps in prop::collection::vec((0u64..400, -50i64..50), 1..200),
            window in 1u64..2_000,
        ) {
            let mut fast = WindowSum::new(window);
            let mut all: Vec<(u64, i64)> = vec![];
            let mut now = 0;
            let step = window.div_ceil(16);
            for (gap, value) in steps {
                now += gap;
                fast.add(RecvTs(now), i128::from(value));
                all.push((now, value));
                let inside = |t: u64| t / step + 16 >= now / step;
                let want: i64 = all.iter().filter(|e| inside(e.0)).map(|e| e.1).sum();
                prop_assert_eq!(fast.sum(RecvTs(now)), i128::from(want));
                prop_assert!(all.iter().all(|e| now - e.0 > window || inside(e.0)));
            }
        }
    }
}
