//! One token bucket for everything that is sent to a gateway, with a reserve for cancels.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What is sent, in order of importance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// A cancel or a sign of life: may take the last token.
    Cancel,
    /// A question about orders: likewise, or many cancels would keep the answer away that says
    /// what became of them.
    Question,
    /// Orders, subscriptions: leave the reserve alone.
    Other,
}

#[derive(Debug)]
struct Taken {
    /// When each token that is out was taken, oldest first.
    at: VecDeque<Instant>,
    /// The gateway said that it had too much: nothing leaves before.
    held_until: Option<Instant>,
}

/// Messages to one gateway within a second, all connections together, since it counts them
/// together.
///
/// A token comes back [`RETURN`] after it was taken. So no more than `per_s` leave in any stretch
/// of that length; a bucket that fills at a steady rate would let twice as many pass in its first
/// second.
#[derive(Debug)]
pub struct Bucket {
    per_s: usize,
    reserve: usize,
    taken: Mutex<Taken>,
}

/// When a token comes back. Longer than the second over which the gateway counts: what left evenly
/// may arrive in lumps.
pub const RETURN: Duration = Duration::from_millis(1_250);
/// Silence after the gateway said that it had too much: its second passes.
const HOLD: Duration = Duration::from_millis(1_000);

impl Bucket {
    /// Returns a full bucket of `per_s` messages, `reserve` of them for cancels alone.
    /// At least one message passes each time, and it may be an order.
    pub fn new(per_s: u32, reserve: u32) -> Bucket {
        let per_s = per_s.max(1) as usize;
        let reserve = (reserve as usize).min(per_s - 1);
        let taken = Taken { at: VecDeque::new(), held_until: None };
        Bucket { per_s, reserve, taken: Mutex::new(taken) }
    }

    /// Takes a token if there is one.
    pub fn take(&self, weight: Weight) -> bool {
        self.take_at(weight, Instant::now())
    }

    /// Counts `messages` that leave without asking, such as the end of a subscription.
    pub fn count(&self, messages: usize) {
        let now = Instant::now();
        let mut taken = self.lock();
        // More than a bucket full says no more than a full one.
        let room = self.per_s.saturating_sub(taken.at.len());
        taken.at.extend(std::iter::repeat_n(now, messages.min(room)));
    }

    /// The gateway said that it had too much, or nearly (codes 100 and 0): nothing leaves for a
    /// second, or it closes the connection.
    pub fn hold(&self) {
        self.lock().held_until = Some(Instant::now() + HOLD);
    }

    /// Waits for a token, for `longest` at most; returns whether it got one.
    pub fn wait(&self, weight: Weight, longest: Duration) -> bool {
        let began = Instant::now();
        while !self.take(weight) {
            let left = longest.saturating_sub(began.elapsed());
            if left.is_zero() {
                return false;
            }
            std::thread::sleep(left.min(Duration::from_millis(2)));
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_at(&self, weight: Weight, now: Instant) -> bool {
        let mut taken = self.lock();
        if taken.held_until.is_some_and(|t| now < t) {
            return false;
        }
        while taken.at.front().is_some_and(|t| now.saturating_duration_since(*t) >= RETURN) {
            taken.at.pop_front();
        }
        let left = self.per_s - taken.at.len();
        let floor = if weight == Weight::Other { self.reserve } else { 0 };
        if left <= floor {
            return false;
        }
        taken.at.push_back(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn orders_leave_the_reserve_to_cancels() {
        let bucket = Bucket::new(10, 3);
        let now = Instant::now();
        let orders = (0..20).filter(|_| bucket.take_at(Weight::Other, now)).count();
        assert_eq!(orders, 7);
        let cancels = (0..20).filter(|_| bucket.take_at(Weight::Cancel, now)).count();
        assert_eq!(cancels, 3);
        let soon = now + Duration::from_millis(1_200);
        assert!(!bucket.take_at(Weight::Cancel, soon), "a second's worth left a moment ago");
        // Later it is full again, and never fuller.
        let later = now + Duration::from_secs(60);
        assert_eq!((0..99).filter(|_| bucket.take_at(Weight::Cancel, later)).count(), 10);
    }

    #[test]
    fn one_message_always_passes() {
        for (per_s, reserve) in [(0, 0), (1, 1), (1, 99)] {
            assert!(Bucket::new(per_s, reserve).take(Weight::Other), "{per_s} {reserve}");
        }
    }

    #[test]
    fn what_did_not_ask_counts_too() {
        let bucket = Bucket::new(10, 0);
        bucket.count(4);
        assert_eq!((0..20).filter(|_| bucket.take(Weight::Other)).count(), 6);
        bucket.count(99);
        let later = Instant::now() + RETURN;
        assert!(bucket.take_at(Weight::Other, later), "and comes back");
    }

    #[test]
    fn nothing_leaves_a_gateway_that_has_too_much() {
        let bucket = Bucket::new(10, 3);
        bucket.hold();
        let now = Instant::now();
        assert!(!bucket.take_at(Weight::Cancel, now));
        assert!(bucket.take_at(Weight::Other, now + HOLD));
    }

    proptest! {
        /// In any second no more leaves than the budget, even if everything arrives a quarter of
        /// a second late or not.
        #[test]
        fn the_rate_holds(
            // Twice to four times as many as may pass, for some seconds.
            steps in proptest::collection::vec((0u64..12, any::<bool>(), 0u64..250), 300..900),
        ) {
            let bucket = Bucket::new(45, 10);
            let begin = Instant::now();
            let (mut at_ms, mut late_ms, mut arrived) = (0, 0, Vec::new());
            for (step_ms, cancel, late) in steps {
                at_ms += step_ms;
                let weight = if cancel { Weight::Cancel } else { Weight::Other };
                if bucket.take_at(weight, begin + Duration::from_millis(at_ms)) {
                    // One connection keeps the order.
                    late_ms = (at_ms + late).max(late_ms);
                    arrived.push(late_ms);
                }
            }
            for (i, from) in arrived.iter().enumerate() {
                let within = arrived[i..].iter().take_while(|ms| **ms < from + 1_000).count();
                prop_assert!(within <= 45, "{within} from {from} ms on");
            }
        }
    }
}
