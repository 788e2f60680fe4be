//! Volume by the clock of events: after how much of a session's events how much had traded.
//!
//! Events come in bursts; by this clock a session runs fast when much happens. Bins of equal
//! numbers of events are merged in pairs when there are too many: memory is bounded and no event
//! count has to be known before.

/// Bins kept at most.
const BIN_COUNT_MAX: usize = 4_096;

/// Volume of a session in bins of equally many events.
#[derive(Clone, Debug, PartialEq)]
pub struct EventClock {
    /// Events a bin.
    width: u64,
    /// Volume and seconds after the open at the end of each bin; the last one may be open.
    bins: Vec<(f64, u64)>,
    events: u64,
}

impl Default for EventClock {
    fn default() -> EventClock {
        EventClock { width: 1, bins: Vec::new(), events: 0 }
    }
}

impl EventClock {
    /// Takes an event `offset_s` seconds after the open that traded `volume`, mostly 0.
    pub fn event(&mut self, offset_s: u64, volume: f64) {
        if self.events == self.width * self.bins.len() as u64 {
            if self.bins.len() == BIN_COUNT_MAX {
                self.bins = self.bins.chunks(2).map(|p| (p[0].0 + p[1].0, p[1].1)).collect();
                self.width *= 2;
            }
            self.bins.push((0.0, offset_s));
        }
        self.events += 1;
        if let Some(bin) = self.bins.last_mut() {
            bin.0 += volume;
            bin.1 = offset_s;
        }
    }

    /// Returns the number of events.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Returns, for each of `count` parts of equally many events, its share of the volume and the
    /// seconds after the open when it ended. Straight within a bin; shares add up to 1. Empty
    /// without volume.
    pub fn parts(&self, count: usize) -> Vec<(f64, u64)> {
        let total: f64 = self.bins.iter().map(|b| b.0).sum();
        if total <= 0.0 || count == 0 {
            return Vec::new();
        }
        let mut before = 0.0;
        (1..=count)
            .map(|k| {
                let upto = self.events as f64 * k as f64 / count as f64;
                let (done, at_s) = self.upto(upto);
                let share = if k == count { 1.0 - before } else { done / total - before };
                before += share;
                (share, at_s)
            })
            .collect()
    }

    /// Returns the volume of the first `events` events, and when the bin they end in ended.
    fn upto(&self, events: f64) -> (f64, u64) {
        let mut left = events;
        let mut sum = 0.0;
        let mut at_s = 0;
        for (i, bin) in self.bins.iter().enumerate() {
            let begun = i as u64 * self.width;
            let length = (self.events - begun).min(self.width) as f64;
            at_s = bin.1;
            if left <= length {
                return (sum + bin.0 * left / length, at_s);
            }
            left -= length;
            sum += bin.0;
        }
        (sum, at_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_by_hand() {
        let mut clock = EventClock::default();
        for (at, volume) in [(1, 4.0), (2, 0.0), (9, 1.0), (50, 3.0)] {
            clock.event(at, volume);
        }
        assert_eq!(clock.events(), 4);
        assert_eq!(clock.parts(4), [(0.5, 1), (0.0, 2), (0.125, 9), (0.375, 50)]);
        assert_eq!(clock.parts(2), [(0.5, 2), (0.5, 50)]);
        assert_eq!(clock.parts(1), [(1.0, 50)]);
        assert!(EventClock::default().parts(3).is_empty());
    }

    /// Merged bins against the sums of a plain list.
    #[test]
    fn merging_keeps_what_traded() {
        let mut clock = EventClock::default();
        let volume = |i: u64| (i * 7_919 % 13) as f64;
        let n = 40_000;
        for i in 0..n {
            clock.event(i, volume(i));
        }
        assert!(clock.bins.len() <= BIN_COUNT_MAX && clock.width == 16);
        let total: f64 = (0..n).map(volume).sum();
        let parts = clock.parts(20);
        for (k, (share, at_s)) in parts.iter().enumerate() {
            let range = k as u64 * 2_000..(k as u64 + 1) * 2_000;
            let exact: f64 = range.map(volume).sum::<f64>() / total;
            assert!((share - exact).abs() < 16.0 * 13.0 / total, "{k}: {share} {exact}");
            assert!(at_s.abs_diff((k as u64 + 1) * 2_000 - 1) <= 16);
        }
        assert!((parts.iter().map(|p| p.0).sum::<f64>() - 1.0).abs() < 1e-12);
    }
}
