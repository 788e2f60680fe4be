//! From the feeds that a fit names to its sessions.

use crate::fit::FitSettings;
use crate::session::{Session, read_phases};
use crate::train::Progress;
use ijk_core::FeedError;
use ijk_data::{FeedSpec, FeedSpecError, open_feed};

/// Why feeds give no sessions.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LoadError {
    /// A text names no feed.
    #[error(transparent)]
    Spec(#[from] FeedSpecError),
    /// More than may be held in memory.
    #[error("'{feed}' makes {tokens} tokens, tokens_max is {tokens_max}: give fewer or raise it")]
    TooMuch {
        /// The feed that went over.
        feed: String,
        /// Tokens with it.
        tokens: usize,
        /// The limit.
        tokens_max: usize,
    },
    /// A feed cannot be read.
    #[error(transparent)]
    Feed(#[from] FeedError),
}

/// Returns the feeds of a fit in order. A `synth` feed stands for `sessions` synthetic sessions
/// with successive seeds from its own (or from `1000 * seed + 1`), `minutes` long.
///
/// # Errors
/// [`FeedSpecError`] names the text that is no feed.
pub fn expand(settings: &FitSettings) -> Result<Vec<FeedSpec>, FeedSpecError> {
    let mut feeds = Vec::new();
    for text in &settings.feed {
        match text.parse()? {
            FeedSpec::Synth { seed, minutes, symbols } => {
                let first = seed.unwrap_or(settings.seed.saturating_mul(1_000).saturating_add(1));
                let minutes = minutes.or(settings.minutes);
                feeds.extend((0..u64::from(settings.sessions)).map(|i| FeedSpec::Synth {
                    seed: Some(first.saturating_add(i)),
                    minutes,
                    symbols,
                }));
            }
            other => feeds.push(other),
        }
    }
    Ok(feeds)
}

/// Reads feeds into sessions, in order.
///
/// # Errors
/// [`LoadError`] of the first feed that cannot be read.
pub fn load(
    feeds: &[FeedSpec],
    stride: u32,
    seed: u64,
    report: &mut dyn FnMut(&Progress),
) -> Result<Vec<Session>, LoadError> {
    load_phases(feeds, stride, seed, (1, usize::MAX), report)
}

/// As [`load`], with `phases` shifted copies of every session and at most `tokens_max` tokens in
/// memory (about 120 bytes each).
///
/// # Errors
/// [`LoadError`] of the first feed that cannot be read or does not fit any more.
pub fn load_phases(
    feeds: &[FeedSpec],
    stride: u32,
    seed: u64,
    (phases, tokens_max): (u32, usize),
    report: &mut dyn FnMut(&Progress),
) -> Result<Vec<Session>, LoadError> {
    let (mut sessions, mut tokens) = (Vec::new(), 0);
    for (done, spec) in feeds.iter().enumerate() {
        report(&Progress::Stage { name: "read", done, total: feeds.len() });
        let mut source = open_feed(spec, seed)?;
        let name = spec.to_string();
        let read = read_phases(&name, done, source.as_mut(), stride, phases)?;
        tokens += read.iter().map(|s| s.mids.len()).sum::<usize>();
        if tokens > tokens_max {
            return Err(LoadError::TooMuch { feed: name, tokens, tokens_max });
        }
        sessions.extend(read);
    }
    report(&Progress::Stage { name: "read", done: feeds.len(), total: feeds.len() });
    Ok(sessions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_synth_feed_stands_for_successive_sessions_and_files_for_themselves() {
        let settings = FitSettings {
            feed: vec!["synth:50".into(), "lobster:a.zip".into(), "synth".into()],
            sessions: 2,
            minutes: Some(30),
            seed: 4,
            ..FitSettings::default()
        };
        let names: Vec<String> =
            expand(&settings).unwrap().iter().map(ToString::to_string).collect();
        let expected =
            ["synth:50:30", "synth:51:30", "lobster:a.zip", "synth:4001:30", "synth:4002:30"];
        assert_eq!(names, expected);
        let bad = FitSettings { feed: vec!["nasdaq:x".into()], ..settings };
        assert!(expand(&bad).unwrap_err().to_string().contains("nasdaq:x"));
    }
}
