//! Shares to sell short: what the market data told last, for whoever sends orders.
//!
//! The gateway says with generic tick 236 how easily shares can be borrowed: a level (tick 46), and
//! how many there are (tick 89).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Above this level at least a thousand shares can be sold short at once; from here down they
/// must be located first, or there are none.
pub const LEVEL_AT_HAND: f64 = 2.5;

/// What was told, by contract number.
#[derive(Debug, Default)]
pub struct ShortSupply {
    told: Mutex<BTreeMap<i32, Told>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Told {
    level: Option<f64>,
    shares: Option<f64>,
}

impl ShortSupply {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<i32, Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how easily shares can be borrowed; a level that is no number is none.
    pub fn set_level(&self, con_id: i32, level: f64) {
        self.lock().entry(con_id).or_default().level = Some(level).filter(|l| l.is_finite());
    }

    /// Notes how many shares there are.
    pub fn set_shares(&self, con_id: i32, shares: f64) {
        self.lock().entry(con_id).or_default().shares = Some(shares).filter(|s| s.is_finite());
    }

    /// The stream that told it is void.
    pub fn forget(&self, con_id: i32) {
        self.lock().remove(&con_id);
    }

    /// Returns whether so many shares are there to be sold short; `None` where nobody told.
    pub fn has(&self, con_id: i32, shares: f64) -> Option<bool> {
        let told = self.lock().get(&con_id).copied()?;
        let level = told.level?;
        Some(level > LEVEL_AT_HAND && told.shares.is_none_or(|there| there >= shares))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_told_is_known() {
        let supply = ShortSupply::default();
        assert_eq!(supply.has(1, 100.0), None);
        supply.set_shares(1, 5_000.0);
        assert_eq!(supply.has(1, 100.0), None, "a number without a level says nothing");
        for (level, there) in [(3.0, true), (2.5, false), (2.0, false), (1.0, false)] {
            supply.set_level(1, level);
            assert_eq!(supply.has(1, 100.0), Some(there), "{level}");
        }
        supply.set_level(1, 3.0);
        assert_eq!((supply.has(1, 5_000.0), supply.has(1, 5_001.0)), (Some(true), Some(false)));
        assert_eq!(supply.has(2, 1.0), None, "another contract");
        supply.set_level(1, f64::NAN);
        assert_eq!(supply.has(1, 1.0), None);
        supply.set_level(1, 3.0);
        supply.forget(1);
        assert_eq!(supply.has(1, 1.0), None);
    }
}
