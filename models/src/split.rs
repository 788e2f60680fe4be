//! Time-ordered split into training, validation and test parts.

use crate::labels::EMBARGO_TOKENS;
use crate::session::Session;
use std::ops::Range;

/// Tokens that training, validation and test must hold at least.
pub const TOKENS_MIN: [usize; 3] = [2_000, 500, 500];

/// Nanoseconds of a day.
const DAY_NS: u64 = 86_400_000_000_000;

/// A run of tokens of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Index of the session.
    pub session: usize,
    /// Tokens of it.
    pub tokens: Range<usize>,
}

/// The three parts; no token belongs to two, no label of one sees a mid of another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// Fits weights, scaler and label scale.
    pub train: Vec<Segment>,
    /// Chooses the epoch and the scale of the variance.
    pub validation: Vec<Segment>,
    /// Kept from training and validation: the widths of the intervals and the edge of what is
    /// known.
    pub calibration: Vec<Segment>,
    /// Touched once, for the card.
    pub test: Vec<Segment>,
}

/// Too little data, or the same data twice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// A part is below its floor.
    #[error(
        "the {part} part has {found} tokens, at least {floor} are needed: give more or longer \
         sessions"
    )]
    TooLittle {
        /// Which part.
        part: &'static str,
        /// Tokens it has.
        found: usize,
        /// Tokens it needs.
        floor: usize,
    },
    /// Two parts would know of each other.
    #[error("audit of the split: {0}")]
    Leak(String),
    /// A feed would stand in two parts.
    #[error("'{first}' and '{second}' are the same tokens: training data would be tested on")]
    Duplicate {
        /// One session.
        first: String,
        /// The other.
        second: String,
    },
}

/// Splits sessions: the oldest train, the next validate, the newest test.
///
/// With three or more feeds whole feeds are dealt out by day, feeds of one day in the order given
/// (a feed's instruments stay together). With fewer every session is cut in time,
/// [`EMBARGO_TOKENS`] left out at each cut.
///
/// # Errors
/// [`SplitError`] where a part falls below [`TOKENS_MIN`] or a session comes twice.
pub fn split(
    sessions: &[Session],
    validation_fraction: f64,
    test_fraction: f64,
) -> Result<Split, SplitError> {
    refuse_duplicates(sessions)?;
    let mut feeds: Vec<(u64, usize)> = Vec::new();
    for s in sessions {
        let day = s.first_ns / DAY_NS;
        match feeds.iter_mut().find(|(_, feed)| *feed == s.feed) {
            Some(known) => known.0 = known.0.min(day),
            None => feeds.push((day, s.feed)),
        }
    }
    feeds.sort();
    let mut split = if feeds.len() >= 3 {
        let order: Vec<usize> = feeds.into_iter().map(|(_, feed)| feed).collect();
        by_feed(sessions, &order, validation_fraction, test_fraction)
    } else {
        by_time(sessions, validation_fraction, test_fraction)
    };
    let parts =
        [("training", &split.train), ("validation", &split.validation), ("test", &split.test)];
    for ((part, segments), floor) in parts.into_iter().zip(TOKENS_MIN) {
        let found = segments.iter().map(|s| s.tokens.len()).sum();
        if found < floor {
            return Err(SplitError::TooLittle { part, found, floor });
        }
    }
    split.keep_calibration();
    audit(sessions, &split)?;
    Ok(split)
}

/// Returns `folds` splits of expanding training parts: fold `k` of `n` trains on the first
/// `(k + 1) / (n + 2)` of the time of every session, validates on the next half slice and tests on
/// the half after that. Whole feeds are cut like single ones here: what counts is the order of
/// time inside each.
///
/// # Errors
/// [`SplitError`] where a fold's part falls below [`TOKENS_MIN`].
pub fn walk_forward(sessions: &[Session], folds: usize) -> Result<Vec<Split>, SplitError> {
    let slices = (folds + 2) as f64;
    let mut all = Vec::new();
    for k in 0..folds {
        let share = |slices_done: f64| slices_done / slices;
        let (first, second, third) =
            (share(k as f64 + 1.0), share(k as f64 + 1.5), share(k as f64 + 2.0));
        let mut split = Split::default();
        for (session, s) in sessions.iter().enumerate() {
            let at = |share: f64| (s.mids.len() as f64 * share).round() as usize;
            split.train.push(Segment { session, tokens: 0..at(first) });
            if s.phase == 0 {
                let after = |cut: usize, end: usize| (cut + EMBARGO_TOKENS).min(end)..end;
                split.validation.push(Segment { session, tokens: after(at(first), at(second)) });
                split.test.push(Segment { session, tokens: after(at(second), at(third)) });
            }
        }
        let parts = [("training", &split.train), ("test", &split.test)];
        for (part, segments) in parts {
            let found: usize = segments.iter().map(|s| s.tokens.len()).sum();
            if found < TOKENS_MIN[2] {
                return Err(SplitError::TooLittle { part, found, floor: TOKENS_MIN[2] });
            }
        }
        split.keep_calibration();
        audit(sessions, &split)?;
        all.push(split);
    }
    Ok(all)
}

impl Split {
    /// Moves the last third of every validation segment to the calibration slice, the embargo
    /// left out between.
    fn keep_calibration(&mut self) {
        for s in &mut self.validation {
            let Range { start, end } = s.tokens.clone();
            let cut = start + (end - start) * 2 / 3;
            s.tokens = start..cut;
            let tokens = (cut + EMBARGO_TOKENS).min(end)..end;
            self.calibration.push(Segment { session: s.session, tokens });
        }
    }
}

/// Checks that no label or token of one part can know of another: within each market the parts
/// lie one after the other in exchange time with at least the reach of a label between, copies
/// included; shifted copies only train.
///
/// # Errors
/// [`SplitError::Leak`] says between which sessions.
pub fn audit(sessions: &[Session], split: &Split) -> Result<(), SplitError> {
    let parts =
        [&split.train, &split.validation, &split.calibration, &split.test].map(Vec::as_slice);
    let late = parts[1..].iter().flat_map(|p| p.iter());
    if let Some(s) = late.clone().find(|s| sessions[s.session].phase != 0) {
        let name = &sessions[s.session].name;
        return Err(SplitError::Leak(format!("a shifted copy of '{name}' does not train")));
    }
    for (i, earlier) in parts.iter().enumerate() {
        for (a, b) in parts[i + 1..]
            .iter()
            .flat_map(|later| earlier.iter().flat_map(move |a| later.iter().map(move |b| (a, b))))
        {
            let (sa, sb) = (&sessions[a.session], &sessions[b.session]);
            let same = sa.feed == sb.feed && sa.name == sb.name;
            if !same || a.tokens.is_empty() || b.tokens.is_empty() {
                continue;
            }
            // Rows, not tokens: copies of one market differ in where their tokens end.
            let last = sa.closes_ns.get(a.tokens.end - 1);
            let gap = b.tokens.start.checked_sub(EMBARGO_TOKENS);
            let known = gap.and_then(|t| sb.closes_ns.get(t));
            if let (Some(last), Some(known)) = (last, known)
                && last <= known
            {
                continue;
            }
            // Sessions without times (made by hand): by tokens, within one session.
            let by_token =
                a.session != b.session || a.tokens.end + EMBARGO_TOKENS <= b.tokens.start;
            if last.is_none() && known.is_none() && by_token {
                continue;
            }
            return Err(SplitError::Leak(format!(
                "tokens {}..{} of '{}' reach into tokens {}..{} of '{}'",
                a.tokens.start, a.tokens.end, sa.name, b.tokens.start, b.tokens.end, sb.name
            )));
        }
    }
    Ok(())
}

fn refuse_duplicates(sessions: &[Session]) -> Result<(), SplitError> {
    let mut seen: Vec<([u8; 32], &str)> = Vec::new();
    for s in sessions.iter().filter(|s| !s.features.is_empty()) {
        let hash = s.sha256();
        if let Some((_, first)) = seen.iter().find(|(h, _)| *h == hash) {
            let (first, second) = ((*first).to_owned(), s.name.clone());
            return Err(SplitError::Duplicate { first, second });
        }
        seen.push((hash, &s.name));
    }
    Ok(())
}

fn by_feed(sessions: &[Session], order: &[usize], validation: f64, test: f64) -> Split {
    let count = |fraction: f64| ((order.len() as f64 * fraction).round() as usize).max(1);
    let test_count = count(test).min(order.len() - 2);
    let validation_count = count(validation).min(order.len() - test_count - 1);
    let (rest, test) = order.split_at(order.len() - test_count);
    let (train, validation) = rest.split_at(rest.len() - validation_count);
    let of = |feeds: &[usize]| {
        let inside = sessions.iter().enumerate().filter(|(_, s)| feeds.contains(&s.feed));
        inside.map(|(session, s)| Segment { session, tokens: 0..s.mids.len() }).collect()
    };
    let originals = |feeds: &[usize]| -> Vec<Segment> {
        let mut all: Vec<Segment> = of(feeds);
        all.retain(|s| sessions[s.session].phase == 0);
        all
    };
    let (validation, test) = (originals(validation), originals(test));
    Split { train: of(train), validation, calibration: Vec::new(), test }
}

fn by_time(sessions: &[Session], validation: f64, test: f64) -> Split {
    let mut split = Split::default();
    for (session, s) in sessions.iter().enumerate() {
        let n = s.mids.len();
        let cut = |fraction: f64| (n as f64 * (1.0 - fraction)).round() as usize;
        let (first, second) = (cut(validation + test), cut(test));
        let after = |cut: usize, end: usize| (cut + EMBARGO_TOKENS).min(end)..end;
        split.train.push(Segment { session, tokens: 0..first });
        if s.phase == 0 {
            split.validation.push(Segment { session, tokens: after(first, second) });
            split.test.push(Segment { session, tokens: after(second, n) });
        }
    }
    split
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(feed: usize, tokens: usize, day: u64) -> Session {
        Session {
            name: format!("s{feed}-{day}"),
            feed,
            // Within a day the time says nothing.
            first_ns: (day + 1) * DAY_NS - 1 - feed as u64,
            features: (0..tokens)
                .map(|t| [(100 * day + feed as u64) as f64, t as f64])
                .map(|[a, b]| std::array::from_fn(|i| if i == 0 { a } else { b }))
                .collect(),
            mids: vec![100.0; tokens],
            ..Session::default()
        }
    }

    #[test]
    fn whole_feeds_are_dealt_out_in_time_order() {
        // Four feeds given out of order, two of one day; feed 7 has two instruments.
        let all = [
            session(7, 900, 40),
            session(7, 900, 41),
            session(3, 1_500, 10),
            session(4, 1_500, 10),
            session(5, 900, 30),
        ];
        let split = split(&all, 0.2, 0.2).unwrap();
        let sessions = |s: &[Segment]| s.iter().map(|s| s.session).collect::<Vec<_>>();
        assert_eq!(sessions(&split.train), [2, 3]);
        assert_eq!(sessions(&split.validation), [4]);
        assert_eq!(sessions(&split.test), [0, 1]);
        assert!(split.train.iter().all(|s| s.tokens == (0..1_500)));
    }

    #[test]
    fn one_session_is_cut_in_time_and_no_label_reaches_over_a_cut() {
        let split = split(&[session(0, 10_000, 1)], 0.15, 0.15).unwrap();
        let ranges = [&split.train, &split.validation, &split.test].map(|p| p[0].tokens.clone());
        assert_eq!(ranges, [0..7_000, 7_020..8_006, 8_520..10_000]);
        assert_eq!(split.calibration[0].tokens, 8_026..8_500);
        for pair in ranges.windows(2) {
            // The last label of one part ends before the first token of the next.
            assert!(pair[0].end - 1 + EMBARGO_TOKENS < pair[1].start);
        }
    }

    #[test]
    fn folds_walk_forward_and_the_audit_finds_a_leak() {
        let timed = |phase: u32| Session {
            phase,
            closes_ns: (0..20_000).map(|t| 1_000 * t + 100 * u64::from(phase)).collect(),
            ..session(0, 20_000, 1)
        };
        let all = [timed(0), timed(5)];
        let folds = walk_forward(&all, 3).unwrap();
        let train: Vec<usize> = folds.iter().map(|f| f.train[0].tokens.end).collect();
        assert_eq!(train, [4_000, 8_000, 12_000]);
        for fold in &folds {
            assert_eq!((fold.train.len(), fold.validation.len(), fold.test.len()), (2, 1, 1));
            assert!(audit(&all, fold).is_ok());
            // A test part one token too early, a copy that tests, a copy that trains too far.
            let mut leak = fold.clone();
            leak.test[0].tokens.start = leak.calibration[0].tokens.end + EMBARGO_TOKENS - 2;
            assert!(matches!(audit(&all, &leak), Err(SplitError::Leak(_))));
            let mut leak = fold.clone();
            leak.test[0].session = 1;
            assert!(audit(&all, &leak).unwrap_err().to_string().contains("shifted copy"));
            let mut leak = fold.clone();
            leak.train[1].tokens.end = fold.validation[0].tokens.start;
            assert!(audit(&all, &leak).is_err());
        }
        assert!(matches!(
            walk_forward(&[session(0, 1_000, 1)], 3),
            Err(SplitError::TooLittle { .. })
        ));
        assert!(walk_forward(&all, 0).unwrap().is_empty());
    }

    #[test]
    fn little_data_and_repeated_data_are_refused() {
        let e = split(&[session(0, 1_000, 1)], 0.15, 0.15).unwrap_err();
        assert_eq!(e, SplitError::TooLittle { part: "training", found: 700, floor: 2_000 });
        let again = Session { feed: 1, ..session(0, 5_000, 1) };
        let twice = [session(0, 5_000, 1), again, session(2, 5_000, 2)];
        assert!(matches!(split(&twice, 0.2, 0.2), Err(SplitError::Duplicate { .. })));
        let three = [session(0, 5_000, 1), session(1, 5_000, 2), session(2, 100, 3)];
        let e = split(&three, 0.2, 0.2).unwrap_err();
        assert_eq!(e, SplitError::TooLittle { part: "test", found: 100, floor: 500 });
    }
}
