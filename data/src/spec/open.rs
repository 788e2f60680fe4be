//! From a feed's name to its events.

use super::FeedSpec;
use crate::merge::MergedSource;
use crate::synth::{SynthConfig, SynthSource};
use crate::ticks::TickReader;
use crate::{binance, databento, dbn, lobster};
use ijk_core::{EventSource, FeedError, FeedErrorKind};

const BARS: &str = "bars carry no events of the book: features and replay need ticks or depth";
const IBKR: &str = "a live connection is no file: 'ijk live' opens it";
const CAPTURE: &str = "a capture is read by the broker's adapter, in the commands of 'ijk'";

/// Opens a feed. `seed` is the run's seed, taken where a generated feed names none of its own.
///
/// # Errors
/// [`FeedError`] if the file cannot be opened, is not of the stated format, or the feed has no
/// events for the kernel.
pub fn open_feed(spec: &FeedSpec, seed: u64) -> Result<Box<dyn EventSource>, FeedError> {
    match spec {
        FeedSpec::Synth { seed: own_seed, minutes, symbols } => {
            let default = SynthConfig::default();
            let config = SynthConfig {
                seed: own_seed.unwrap_or(seed),
                minutes: minutes.unwrap_or(default.minutes),
                symbols: symbols.map_or(default.symbols, |n| n as usize),
                ..default
            };
            synthetic(spec, &config)
        }
        FeedSpec::Lobster { message, orderbook } => {
            Ok(Box::new(lobster::open(message, orderbook.as_deref())?))
        }
        FeedSpec::Dbn(path) => Ok(Box::new(dbn::open(path)?)),
        FeedSpec::Databento(path) => Ok(Box::new(databento::open(path)?)),
        FeedSpec::Binance(path) => Ok(Box::new(binance::open(path)?)),
        FeedSpec::Ticks(path) => Ok(Box::new(TickReader::open(path)?)),
        FeedSpec::Bars(_) => Err(no_events(spec, BARS)),
        FeedSpec::Ibkr(_) => Err(no_events(spec, IBKR)),
        FeedSpec::IbkrCapture(_) => Err(no_events(spec, CAPTURE)),
    }
}

/// Opens a generated session; what the feed does not name comes from the run and the defaults.
fn synthetic(spec: &FeedSpec, config: &SynthConfig) -> Result<Box<dyn EventSource>, FeedError> {
    match SynthSource::new(config) {
        Ok(source) => Ok(Box::new(source)),
        Err(e) => Err(no_events(spec, &e.to_string())),
    }
}

/// Opens several feeds as one, merged by receive time; a single one as it is.
///
/// # Errors
/// As [`open_feed`] and [`MergedSource::new`].
pub fn open_feeds(specs: &[FeedSpec], seed: u64) -> Result<Box<dyn EventSource>, FeedError> {
    if let [spec] = specs {
        return open_feed(spec, seed);
    }
    let open = |spec: &FeedSpec| Ok((spec.to_string(), open_feed(spec, seed)?));
    let feeds = specs.iter().map(open).collect::<Result<Vec<_>, FeedError>>()?;
    Ok(Box::new(MergedSource::new(feeds)?))
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
