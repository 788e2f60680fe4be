//! From a feed's name to its events.

use super::FeedSpec;
use crate::lobster;
use ijk_core::{EventSource, FeedError, FeedErrorKind};

const BARS: &str = "bars carry no events of the book: features and replay need ticks or depth";
const IBKR: &str = "a live connection is no file: it is opened by the command that trades";

/// Opens a feed. `seed` is the run's seed, taken where a generated feed names none of its own.
///
/// # Errors
/// [`FeedError`] if the file cannot be opened, is not of the stated format, or the feed has no
/// events for the kernel.
pub fn open_feed(spec: &FeedSpec, seed: u64) -> Result<Box<dyn EventSource>, FeedError> {
    let _ = seed;
    match spec {
        FeedSpec::Lobster { message, orderbook } => {
            Ok(Box::new(lobster::open(message, orderbook.as_deref())?))
        }
        FeedSpec::Bars(_) => Err(no_events(spec, BARS)),
        FeedSpec::Ibkr => Err(no_events(spec, IBKR)),
        _ => Err(no_events(spec, "this build has no reader for it")),
    }
}

fn no_events(spec: &FeedSpec, detail: &str) -> FeedError {
    FeedError {
        kind: FeedErrorKind::Format,
        file: spec.to_string(),
        line: 0,
        field: String::new(),
        detail: detail.to_string(),
    }
}
