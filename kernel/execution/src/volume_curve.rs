//! How volume is expected to fall over a session.

use ijk_core::{RecvTs, Session};

/// Parts of a session that a volume curve may have: five minutes of a day.
pub const VOLUME_PART_COUNT_MAX: usize = 288;

/// Expected volume over a session in equal parts, any unit; even where nothing is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VolumeCurve {
    /// Sum up to the end of each part.
    sums: Vec<f64>,
}

impl VolumeCurve {
    /// Returns the curve of `parts`, or `None` if one is not a finite number of 0 or more, all
    /// are 0, or there are more than [`VOLUME_PART_COUNT_MAX`]. No parts: even.
    pub fn new(parts: &[f64]) -> Option<VolumeCurve> {
        let fine = parts.iter().all(|v| v.is_finite() && *v >= 0.0);
        let sums: Vec<f64> = parts
            .iter()
            .scan(0.0, |sum, part| {
                *sum += part;
                Some(*sum)
            })
            .collect();
        let total = sums.last().copied();
        let sound = fine && parts.len() <= VOLUME_PART_COUNT_MAX;
        (sound && total.is_none_or(|t| t > 0.0 && t.is_finite())).then_some(VolumeCurve { sums })
    }

    /// Returns the volume expected from the session's start to `at`, as a part of the session's;
    /// a session without bounds is the day of `at`.
    fn done(&self, at: RecvTs, open_ns: u64, close_ns: u64) -> f64 {
        let length = close_ns.saturating_sub(open_ns).max(1);
        let part = (at.0.saturating_sub(open_ns) as f64 / length as f64).min(1.0);
        let Some(total) = self.sums.last() else { return part };
        let at = part * self.sums.len() as f64;
        let k = (at as usize).min(self.sums.len() - 1);
        let before = if k > 0 { self.sums[k - 1] } else { 0.0 };
        (before + (self.sums[k] - before) * (at - k as f64).min(1.0)) / total
    }

    /// Writes the volume expected in each of `out.len()` equal parts of `from..to`, as parts of
    /// the session's.
    pub fn between(&self, session: Session, from: RecvTs, to: RecvTs, out: &mut [f64]) {
        const DAY_NS: u64 = 86_400_000_000_000;
        let bounded = session.close_ns != u64::MAX && session.close_ns > session.open_ns;
        let open_ns = if bounded { session.open_ns } else { from.0 - from.0 % DAY_NS };
        let close_ns = if bounded { session.close_ns } else { open_ns.saturating_add(DAY_NS) };
        let (n, length) = (out.len() as f64, to.since_ns(from) as f64);
        let mut before = self.done(from, open_ns, close_ns);
        for (k, slot) in out.iter_mut().enumerate() {
            let at = from.plus_ns((length * (k + 1) as f64 / n) as u64);
            let after = self.done(at, open_ns, close_ns);
            *slot = after - before;
            before = after;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_get_their_part_of_the_curve() {
        let session = Session { open_ns: 1_000, close_ns: 5_000 };
        let curve = VolumeCurve::new(&[4.0, 1.0, 0.0, 5.0]).unwrap();
        let mut out = [0.0; 4];
        curve.between(session, RecvTs(1_000), RecvTs(5_000), &mut out);
        for (got, want) in out.iter().zip([0.4, 0.1, 0.0, 0.5]) {
            assert!((got - want).abs() < 1e-12, "{out:?}");
        }
        let mut half = [0.0; 2];
        curve.between(session, RecvTs(1_500), RecvTs(2_500), &mut half);
        assert!((half[0] - 0.2).abs() < 1e-12 && (half[1] - 0.05).abs() < 1e-12, "{half:?}");
        VolumeCurve::default().between(session, RecvTs(0), RecvTs(u64::MAX), &mut half);
        assert!(half.iter().all(|v| v.is_finite()));
    }

    #[test]
    fn bad_curves_are_refused() {
        for bad in [&[-1.0, 2.0][..], &[f64::NAN], &[0.0, 0.0], &[1.0; 300], &[f64::MAX, f64::MAX]]
        {
            assert_eq!(VolumeCurve::new(bad), None, "{bad:?}");
        }
        assert_eq!(VolumeCurve::new(&[]), Some(VolumeCurve::default()));
    }
}
