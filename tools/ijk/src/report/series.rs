//! A time series of bounded length: when it is full, every second point goes.

/// Points kept at most.
const POINTS_MAX: usize = 4_096;

/// Values over time, thinned evenly as it grows.
#[derive(Clone, Debug)]
pub struct Series {
    points: Vec<(u64, f64)>,
    every: u64,
    seen: u64,
    last: Option<(u64, f64)>,
}

impl Default for Series {
    fn default() -> Self {
        Series { points: Vec::with_capacity(POINTS_MAX), every: 1, seen: 0, last: None }
    }
}

impl Series {
    /// Adds a point; times do not decrease.
    pub fn push(&mut self, ts: u64, value: f64) {
        self.last = Some((ts, value));
        if self.seen.is_multiple_of(self.every) {
            if self.points.len() == POINTS_MAX {
                let mut index = 0;
                self.points.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
                self.every *= 2;
            }
            if self.seen.is_multiple_of(self.every) {
                self.points.push((ts, value));
            }
        }
        self.seen += 1;
    }

    /// Returns the points kept, with the very last one.
    pub fn points(&self) -> Vec<(u64, f64)> {
        let mut points = self.points.clone();
        if let Some(last) = self.last
            && points.last() != Some(&last)
        {
            points.push(last);
        }
        points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_series_keep_their_ends_and_stay_bounded() {
        let mut series = Series::default();
        for i in 0..100_000u64 {
            series.push(i, i as f64);
        }
        let points = series.points();
        assert!(points.len() <= POINTS_MAX + 1);
        assert_eq!(points.first(), Some(&(0, 0.0)));
        assert_eq!(points.last(), Some(&(99_999, 99_999.0)));
        assert!(points.windows(2).all(|w| w[0].0 < w[1].0));
    }
}
