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
    let split = if feeds.len() >= 3 {
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
    Ok(split)
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
    Split { train: of(train), validation: of(validation), test: of(test) }
}

fn by_time(sessions: &[Session], validation: f64, test: f64) -> Split {
    let mut split = Split::default();
    for (session, s) in sessions.iter().enumerate() {
        let n = s.mids.len();
        let cut = |fraction: f64| (n as f64 * (1.0 - fraction)).round() as usize;
        let (first, second) = (cut(validation + test), cut(test));
        let after = |cut: usize, end: usize| (cut + EMBARGO_TOKENS).min(end)..end;
        split.train.push(Segment { session, tokens: 0..first });
        split.validation.push(Segment { session, tokens: after(first, second) });
        split.test.push(Segment { session, tokens: after(second, n) });
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
        assert_eq!(ranges, [0..7_000, 7_020..8_500, 8_520..10_000]);
        for pair in ranges.windows(2) {
            // The last label of one part ends before the first token of the next.
            assert!(pair[0].end - 1 + EMBARGO_TOKENS < pair[1].start);
        }
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
