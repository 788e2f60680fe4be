//! The intraday volume curve: which share of a session's visible volume trades in each bucket of
//! time, and in each of as many parts of its events.
//!
//! Each day counts the same, whatever it traded. Days are the independent unit: trades within a
//! day cluster, and symbols share the day's news, so an interval comes from resampling whole days
//! (block bootstrap with the day as block) and needs several of them.

use crate::event_clock::EventClock;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};
use std::collections::{BTreeMap, BTreeSet};

/// Prints a session must average per bucket.
pub const PRINTS_PER_BUCKET_MIN: u64 = 20;
/// Days below which the spread between days is not identified.
pub const DAY_COUNT_MIN: usize = 3;
/// Parts of a session by the clock of events.
pub const EVENT_PART_COUNT: usize = 20;
const RESAMPLES: usize = 2_000;
const CONFIDENCE: f64 = 0.95;

/// Visible volume of one symbol on one day, by bucket from the session's open.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionVolume {
    /// Feed it came from, as the user named it.
    pub feed: String,
    /// Symbol.
    pub symbol: String,
    /// Day of the session's open, days since 1970 UTC.
    pub day: i64,
    /// The session's open, nanoseconds UTC.
    pub open_ns: u64,
    /// Length of the session, seconds.
    pub session_s: u64,
    /// The same volume by the clock of events.
    pub clock: EventClock,
    /// Volume per bucket in whole units (shares, coins).
    pub volume: Vec<f64>,
    /// Visible prints per bucket.
    pub prints: Vec<u64>,
    /// Offsets of first and last event from the open, seconds.
    pub covered_s: (u64, u64),
}

/// A bucket of the curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// Start, seconds from the open.
    pub start_s: u64,
    /// End, seconds from the open.
    pub end_s: u64,
    /// Share of the session's visible volume; all shares add up to 1.
    pub share: f64,
    /// 95 % interval of the mean share over days, where identified.
    pub interval: Option<(f64, f64)>,
}

/// A part of the curve by the clock of events: one of [`EVENT_PART_COUNT`] of equally many.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EventPart {
    /// Share of the session's visible volume; all shares add up to 1.
    pub share: f64,
    /// 95 % interval of the mean share over days, where identified.
    pub interval: Option<(f64, f64)>,
    /// When it ended on average, seconds after the open.
    pub ended_s: f64,
}

/// The curve.
#[derive(Clone, Debug, PartialEq)]
pub struct VolumeCurve {
    /// Buckets from open to close.
    pub buckets: Vec<Bucket>,
    /// The same by the clock of events.
    pub event_parts: Vec<EventPart>,
    /// Days it rests on.
    pub days: usize,
    /// Symbol-days it rests on.
    pub sessions: usize,
    /// Visible prints it rests on.
    pub prints: u64,
    /// What a reader must know, one sentence each.
    pub notes: Vec<String>,
}

/// Why no curve can be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VolumeError {
    /// No session at all.
    #[error("no events inside any session")]
    Empty,
    /// Too few prints: give more data or wider buckets.
    #[error(
        "{feed}: {symbol} has {found} visible prints, expected at least {expected} \
         ({PRINTS_PER_BUCKET_MIN} a bucket): give a busier session or wider buckets"
    )]
    TooFewPrints {
        /// Feed.
        feed: String,
        /// Symbol.
        symbol: String,
        /// Prints found.
        found: u64,
        /// Prints needed.
        expected: u64,
    },
    /// The data covers a part of the session: its shares would not be the session's.
    #[error(
        "{feed}: {symbol} is covered from {from_s} s to {to_s} s after the open of a session of \
         {session_s} s: expected the whole session"
    )]
    Partial {
        /// Feed.
        feed: String,
        /// Symbol.
        symbol: String,
        /// First event, seconds from the open.
        from_s: u64,
        /// Last event, seconds from the open.
        to_s: u64,
        /// Length of the session, seconds.
        session_s: u64,
    },
    /// Sessions of different length have no common curve: calibrate them apart.
    #[error("{feed}: {symbol} has a session of {found} s, the first one has {expected} s")]
    SessionLength {
        /// Feed.
        feed: String,
        /// Symbol.
        symbol: String,
        /// Length found, seconds.
        found: u64,
        /// Length of the first session, seconds.
        expected: u64,
    },
}

/// Returns the bounds of the buckets of a session, seconds from the open.
pub fn bounds(session_s: u64, bucket_s: u64) -> Vec<(u64, u64)> {
    let step = usize::try_from(bucket_s.max(1)).unwrap_or(usize::MAX);
    (0..session_s).step_by(step).map(|s| (s, s.saturating_add(bucket_s).min(session_s))).collect()
}

/// Estimates the curve. `seed` is of the resampling.
///
/// # Errors
/// [`VolumeError`]: every session must cover its whole length with enough prints.
pub fn estimate(
    sessions: &[SessionVolume],
    bucket_s: u64,
    seed: u64,
) -> Result<VolumeCurve, VolumeError> {
    let first = sessions.first().ok_or(VolumeError::Empty)?;
    let bounds = bounds(first.session_s, bucket_s);
    for session in sessions {
        session.check(first.session_s, bucket_s, bounds.len())?;
    }
    let days = by_day(sessions, SessionVolume::shares);
    let mean = mean_of(&days, 0..days.len());
    let intervals = intervals(&days, &mean, seed);
    let buckets = bounds
        .iter()
        .enumerate()
        .map(|(i, &(start_s, end_s))| {
            let interval = intervals.as_ref().map(|v| v[i]);
            Bucket { start_s, end_s, share: mean[i], interval }
        })
        .collect();
    let mut notes =
        vec!["visible continuous trading only: no hidden executions, no auctions".to_string()];
    if intervals.is_none() {
        notes.push(format!(
            "not identified: the spread between days, from {} day(s) (needs {DAY_COUNT_MIN})",
            days.len()
        ));
    }
    for (symbol, day) in repeated(sessions) {
        notes.push(format!("{symbol} comes more than once on day {day}: is one feed given twice?"));
    }
    let prints = sessions.iter().flat_map(|s| &s.prints).sum();
    Ok(VolumeCurve {
        buckets,
        event_parts: event_parts(sessions, seed),
        days: days.len(),
        sessions: sessions.len(),
        prints,
        notes,
    })
}

/// The curve by the clock of events, days counted as in [`estimate`].
fn event_parts(sessions: &[SessionVolume], seed: u64) -> Vec<EventPart> {
    let parts = |s: &SessionVolume| s.clock.parts(EVENT_PART_COUNT);
    let days = by_day(sessions, |s| parts(s).iter().map(|p| p.0).collect());
    let ended = by_day(sessions, |s| parts(s).iter().map(|p| p.1 as f64).collect());
    let (mean, ended) = (mean_of(&days, 0..days.len()), mean_of(&ended, 0..ended.len()));
    let intervals = intervals(&days, &mean, seed);
    let part = |(i, (&share, &ended_s))| {
        let interval = intervals.as_ref().map(|v: &Vec<(f64, f64)>| v[i]);
        EventPart { share, interval, ended_s }
    };
    mean.iter().zip(&ended).enumerate().map(part).collect()
}

impl SessionVolume {
    fn check(&self, session_s: u64, bucket_s: u64, buckets: usize) -> Result<(), VolumeError> {
        let (feed, symbol) = (self.feed.clone(), self.symbol.clone());
        if self.session_s != session_s {
            let (found, expected) = (self.session_s, session_s);
            return Err(VolumeError::SessionLength { feed, symbol, found, expected });
        }
        assert_eq!(self.volume.len(), buckets, "volumes by the same buckets");
        let (from_s, to_s) = self.covered_s;
        if from_s >= bucket_s || to_s.saturating_add(bucket_s) < session_s {
            return Err(VolumeError::Partial { feed, symbol, from_s, to_s, session_s });
        }
        let found = self.prints.iter().sum();
        let expected = PRINTS_PER_BUCKET_MIN * buckets as u64;
        if found < expected {
            return Err(VolumeError::TooFewPrints { feed, symbol, found, expected });
        }
        Ok(())
    }

    /// Returns the share of each bucket; they add up to 1.
    pub fn shares(&self) -> Vec<f64> {
        let total: f64 = self.volume.iter().sum();
        self.volume.iter().map(|v| v / total).collect()
    }
}

/// Returns symbols that more than one session of a day is of.
fn repeated(sessions: &[SessionVolume]) -> BTreeSet<(&str, i64)> {
    let mut seen = BTreeSet::new();
    let keys = sessions.iter().map(|s| (s.symbol.as_str(), s.day));
    keys.filter(|key| !seen.insert(*key)).collect()
}

/// Averages what `of` says of the symbols of each day.
fn by_day(sessions: &[SessionVolume], of: impl Fn(&SessionVolume) -> Vec<f64>) -> Vec<Vec<f64>> {
    let mut days: BTreeMap<i64, Vec<Vec<f64>>> = BTreeMap::new();
    for session in sessions {
        days.entry(session.day).or_default().push(of(session));
    }
    days.values().map(|symbols| mean_of(symbols, 0..symbols.len())).collect()
}

fn mean_of(rows: &[Vec<f64>], picks: impl ExactSizeIterator<Item = usize>) -> Vec<f64> {
    let count = picks.len() as f64;
    let mut mean = vec![0.0; rows.first().map_or(0, Vec::len)];
    for pick in picks {
        for (m, v) in mean.iter_mut().zip(&rows[pick]) {
            *m += v / count;
        }
    }
    mean
}

/// Returns the interval of each bucket's mean, or `None` for too few days. The plain percentile
/// interval is too short for few days (their resampled spread misses a factor √(n/(n−1)), and
/// normal quantiles are not Student's): both are put back.
fn intervals(days: &[Vec<f64>], mean: &[f64], seed: u64) -> Option<Vec<(f64, f64)>> {
    let n = days.len();
    if n < DAY_COUNT_MIN {
        return None;
    }
    let tail = 0.5 * (1.0 - CONFIDENCE);
    let student = StudentsT::new(0.0, 1.0, (n - 1) as f64).ok()?.inverse_cdf(1.0 - tail);
    let widen =
        student / Normal::standard().inverse_cdf(1.0 - tail) * (n as f64 / (n - 1) as f64).sqrt();
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let mut pick = || ((u128::from(rng.next_u64()) * n as u128) >> 64) as usize;
    let resampled: Vec<Vec<f64>> = (0..RESAMPLES)
        .map(|_| {
            let picks: Vec<usize> = (0..n).map(|_| pick()).collect();
            mean_of(days, picks.into_iter())
        })
        .collect();
    let low = (RESAMPLES as f64 * tail) as usize;
    let bucket_interval = |i: usize| {
        let mut means: Vec<f64> = resampled.iter().map(|r| r[i]).collect();
        means.sort_by(f64::total_cmp);
        let at = |x: f64| (mean[i] + (x - mean[i]) * widen).clamp(0.0, 1.0);
        (at(means[low]), at(means[RESAMPLES - 1 - low]))
    };
    Some((0..mean.len()).map(bucket_interval).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUCKETS: usize = 13;

    fn session(day: i64, volume: Vec<f64>) -> SessionVolume {
        let mut clock = EventClock::default();
        for (i, v) in volume.iter().enumerate() {
            clock.event(i as u64 * 1_800, 0.5 * v);
            clock.event(i as u64 * 1_800 + 900, 0.5 * v);
        }
        SessionVolume {
            feed: "test".into(),
            symbol: "XYZ".into(),
            day,
            open_ns: 0,
            clock,
            session_s: 23_400,
            prints: vec![100; volume.len()],
            volume,
            covered_s: (3, 23_390),
        }
    }

    fn u_shape(scale: f64) -> Vec<f64> {
        (0..BUCKETS).map(|i| scale * (5.0 + (i as f64 - 6.0).powi(2))).collect()
    }

    #[test]
    fn one_day_is_its_own_curve_without_an_interval() {
        let curve = estimate(&[session(1, u_shape(1e6))], 1_800, 1).unwrap();
        assert_eq!((curve.buckets.len(), curve.days, curve.prints), (13, 1, 1_300));
        let sum: f64 = curve.buckets.iter().map(|b| b.share).sum();
        assert!((sum - 1.0).abs() < 1e-12);
        assert!(curve.buckets.iter().all(|b| b.interval.is_none()));
        assert!(curve.notes.iter().any(|n| n.starts_with("not identified")), "{:?}", curve.notes);
        assert_eq!((curve.buckets[12].start_s, curve.buckets[12].end_s), (21_600, 23_400));
        // By events: a twentieth of 26 is 1.3 of them, each with half its bucket's volume.
        let u = u_shape(1.0);
        let total: f64 = u.iter().sum();
        assert_eq!(curve.event_parts.len(), EVENT_PART_COUNT);
        assert!((curve.event_parts[0].share - 0.65 * u[0] / total).abs() < 1e-12);
        let sum: f64 = curve.event_parts.iter().map(|p| p.share).sum();
        assert!((sum - 1.0).abs() < 1e-12 && curve.event_parts[19].ended_s == 22_500.0);
    }

    #[test]
    fn days_count_alike_and_symbols_share_their_day() {
        let flat = vec![1.0; BUCKETS];
        let busy_flat = vec![1e9; BUCKETS];
        let curve = estimate(&[session(1, u_shape(1.0)), session(2, busy_flat)], 1_800, 1).unwrap();
        let u_share = 41.0 / u_shape(1.0).iter().sum::<f64>();
        let expected = 0.5 * (u_share + 1.0 / 13.0);
        assert!((curve.buckets[0].share - expected).abs() < 1e-12);
        let three = [session(1, u_shape(1.0)), session(2, flat.clone()), session(2, flat)];
        let curve = estimate(&three, 1_800, 1).unwrap();
        assert_eq!((curve.days, curve.sessions), (2, 3));
        assert!(curve.notes.iter().any(|n| n.starts_with("XYZ comes more than once on day 2")));
        assert!((curve.buckets[0].share - expected).abs() < 1e-12);
    }

    #[test]
    fn samples_below_the_floor_are_refused() {
        let good = session(1, u_shape(1.0));
        let few = SessionVolume { prints: vec![19; BUCKETS], ..good.clone() };
        let error = estimate(&[good.clone(), few], 1_800, 1).unwrap_err();
        assert!(matches!(error, VolumeError::TooFewPrints { found: 247, expected: 260, .. }));
        for covered_s in [(1_800, 23_400), (0, 21_599)] {
            let partial = SessionVolume { covered_s, ..good.clone() };
            let error = estimate(&[partial], 1_800, 1).unwrap_err();
            assert!(matches!(error, VolumeError::Partial { .. }), "{error}");
        }
        let half = SessionVolume { session_s: 12_600, ..good.clone() };
        let error = estimate(&[good, half], 1_800, 1).unwrap_err();
        assert!(matches!(error, VolumeError::SessionLength { found: 12_600, .. }));
        assert_eq!(estimate(&[], 1_800, 1), Err(VolumeError::Empty));
    }

    #[test]
    fn buckets_cover_the_session_without_overlap() {
        for (session_s, bucket_s) in [(23_400, 1_800), (23_400, 1_700), (86_400, 60), (10, 100)] {
            let bounds = bounds(session_s, bucket_s);
            assert_eq!((bounds[0].0, bounds[bounds.len() - 1].1), (0, session_s));
            assert!(bounds.windows(2).all(|w| w[0].1 == w[1].0));
        }
    }

    /// Intervals from five days must cover the truth about as often as they say. Days are drawn
    /// from a Dirichlet distribution, whose mean is known exactly.
    #[test]
    fn intervals_cover_the_truth() {
        let shape: Vec<u32> = (0..BUCKETS).map(|i| 4 + (i as i32 - 6).unsigned_abs()).collect();
        let total: u32 = shape.iter().sum();
        let mut rng = ChaCha12Rng::seed_from_u64(11);
        let mut uniform = || ((rng.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        // A gamma variate of whole shape k is a sum of k exponential ones.
        let mut gamma = |k: u32| -> f64 { (0..k).map(|_| -uniform().ln()).sum() };
        let (mut covered, mut asked) = (0, 0);
        for run in 0..60 {
            let days: Vec<SessionVolume> =
                (0..5).map(|day| session(day, shape.iter().map(|&k| gamma(k)).collect())).collect();
            let curve = estimate(&days, 1_800, run).unwrap();
            for (bucket, &k) in curve.buckets.iter().zip(&shape) {
                let truth = f64::from(k) / f64::from(total);
                let (low, high) = bucket.interval.unwrap();
                assert!(low <= bucket.share && bucket.share <= high);
                covered += u32::from(low <= truth && truth <= high);
                asked += 1;
            }
        }
        let rate = f64::from(covered) / f64::from(asked);
        assert!((0.90..0.99).contains(&rate), "covered {rate}");
    }

    #[test]
    fn the_same_seed_gives_the_same_intervals() {
        let days: Vec<_> = (1..6).map(|d| session(d, u_shape(d as f64 + 0.5))).collect();
        let mut days = days;
        days[2].volume[4] *= 3.0;
        assert_eq!(estimate(&days, 1_800, 5), estimate(&days, 1_800, 5));
        assert_ne!(estimate(&days, 1_800, 5), estimate(&days, 1_800, 6));
    }
}
