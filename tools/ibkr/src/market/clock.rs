//! Receive stamps.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The clock that stamps what is received; it never goes back.
#[derive(Debug)]
pub struct StampClock {
    /// Begin and pace of a gateway's clock; `None`: the machine's.
    of_gateway: Option<(u64, Instant, f64)>,
    last_ns: u64,
}

impl StampClock {
    /// The machine's clock, for real gateways.
    pub fn machine() -> StampClock {
        StampClock { of_gateway: None, last_ns: 0 }
    }

    /// A clock that showed `now_ns` now and goes `speed` times as fast as the machine's, for
    /// simulated gateways, which live on another day.
    pub fn gateway(now_ns: u64, speed: f64) -> StampClock {
        StampClock { of_gateway: Some((now_ns, Instant::now(), speed)), last_ns: 0 }
    }

    /// Returns the time, nanoseconds UTC since 1970.
    pub fn now_ns(&mut self) -> u64 {
        let now = match &self.of_gateway {
            None => machine_ns(),
            Some((begin, since, speed)) => {
                begin.saturating_add((since.elapsed().as_nanos() as f64 * speed) as u64)
            }
        };
        self.last_ns = self.last_ns.max(now);
        self.last_ns
    }
}

/// Returns the machine's time, nanoseconds UTC since 1970.
pub fn machine_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[test]
fn a_gateways_clock_goes_at_its_pace() {
    let mut clock = StampClock::gateway(1_000, 1_000_000.0);
    std::thread::sleep(std::time::Duration::from_millis(2));
    let first = clock.now_ns();
    assert!(first >= 1_000 + 2_000_000_000_000, "{first}");
    assert!(clock.now_ns() >= first);
    assert!(StampClock::machine().now_ns() > 1_700_000_000_000_000_000);
}
