//! One token bucket for everything that is sent to a gateway, with a reserve for cancels.

use std::sync::{Mutex, PoisonError};
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
struct Level {
    /// Tokens times 1e9.
    tokens_e9: u64,
    at: Instant,
}

/// Messages a second, shared by all connections to one gateway, since it counts them together.
/// The bucket holds one second's worth and starts full.
#[derive(Debug)]
pub struct Bucket {
    per_s: u64,
    reserve: u64,
    level: Mutex<Level>,
}

const ONE_E9: u64 = 1_000_000_000;

impl Bucket {
    /// Returns a full bucket of `per_s` messages a second, `reserve` of them for cancels alone.
    /// At least one message a second passes, and one of them may be an order.
    pub fn new(per_s: u32, reserve: u32) -> Bucket {
        let per_s = u64::from(per_s.max(1));
        let reserve = u64::from(reserve).min(per_s - 1);
        let level = Level { tokens_e9: per_s * ONE_E9, at: Instant::now() };
        Bucket { per_s, reserve, level: Mutex::new(level) }
    }

    /// Takes a token if there is one.
    pub fn take(&self, weight: Weight) -> bool {
        self.take_at(weight, Instant::now())
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

    fn take_at(&self, weight: Weight, now: Instant) -> bool {
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(level.at).min(Duration::from_secs(1));
        level.at = level.at.max(now);
        let gained = passed.as_nanos() as u64 * self.per_s;
        level.tokens_e9 = (level.tokens_e9 + gained).min(self.per_s * ONE_E9);
        let floor = if weight == Weight::Other { self.reserve } else { 0 };
        if level.tokens_e9 < (floor + 1) * ONE_E9 {
            return false;
        }
        level.tokens_e9 -= ONE_E9;
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
        assert!(bucket.take_at(Weight::Cancel, now + Duration::from_millis(100)));
        assert!(!bucket.take_at(Weight::Other, now + Duration::from_millis(100)));
        // A second later it is full again, and never fuller.
        let later = now + Duration::from_secs(60);
        assert_eq!((0..99).filter(|_| bucket.take_at(Weight::Cancel, later)).count(), 10);
    }

    #[test]
    fn one_message_always_passes() {
        for (per_s, reserve) in [(0, 0), (1, 1), (1, 99)] {
            assert!(Bucket::new(per_s, reserve).take(Weight::Other), "{per_s} {reserve}");
        }
    }

    proptest! {
        /// In any stretch of time no more leaves than a full bucket and what flowed in.
        #[test]
        fn the_rate_holds(steps in proptest::collection::vec((0u64..200, any::<bool>()), 1..300)) {
            let bucket = Bucket::new(45, 10);
            let begin = Instant::now();
            let (mut at_ms, mut taken) = (0, 0u64);
            for (step_ms, cancel) in steps {
                at_ms += step_ms;
                let weight = if cancel { Weight::Cancel } else { Weight::Other };
                taken += u64::from(bucket.take_at(weight, begin + Duration::from_millis(at_ms)));
                prop_assert!(taken * 1_000 <= 45_000 + 45 * at_ms);
            }
        }
    }
}
