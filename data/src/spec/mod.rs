//! Feeds as a user names them.

mod open;

use ijk_core::Symbol;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use open::{open_feed, open_feeds};

/// Every form of a feed, one a line, for help texts and errors.
pub const FEED_FORMS: &str = "\
synth[:SEED[:MINUTES[:SYMBOLS]]]
lobster:FILE.zip
lobster:MESSAGE.csv[.gz],ORDERBOOK.csv[.gz]
dbn:FILE
databento:FILE.csv[.gz|.zip]
binance:FILE[.gz]
ticks:FILE.parquet
bars:FILE
ibkr[:SYMBOL[,SYMBOL..]]
ibkr-capture:FILE";

/// A feed: where its events come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedSpec {
    /// A generated session; missing parts take the run's seed and the generator's defaults.
    Synth {
        /// Seed of the session.
        seed: Option<u64>,
        /// Length of the session, minutes.
        minutes: Option<u32>,
        /// Number of instruments.
        symbols: Option<u32>,
    },
    /// LOBSTER messages with the order book beside them.
    Lobster {
        /// Zip archive with both files, or the message file.
        message: PathBuf,
        /// The order book file where `message` is no archive.
        orderbook: Option<PathBuf>,
    },
    /// Databento Binary Encoding.
    Dbn(PathBuf),
    /// Databento CSV.
    Databento(PathBuf),
    /// Recorded lines of Binance streams.
    Binance(PathBuf),
    /// The tick store.
    Ticks(PathBuf),
    /// Open-high-low-close bars.
    Bars(PathBuf),
    /// Interactive Brokers, live: these symbols, or those the settings allow.
    Ibkr(Vec<Symbol>),
    /// What a live feed of Interactive Brokers wrote down.
    IbkrCapture(PathBuf),
}

/// A text that names no feed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no feed: {reason}; a feed is one of\n{FEED_FORMS}")]
pub struct FeedSpecError {
    /// The text as given.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
}

impl FeedSpec {
    /// Returns the (first) file of this feed, if it has one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            FeedSpec::Synth { .. } | FeedSpec::Ibkr(_) => None,
            FeedSpec::Lobster { message: path, .. }
            | FeedSpec::Dbn(path)
            | FeedSpec::Databento(path)
            | FeedSpec::Binance(path)
            | FeedSpec::Ticks(path)
            | FeedSpec::Bars(path)
            | FeedSpec::IbkrCapture(path) => Some(path),
        }
    }
}

impl fmt::Display for FeedSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FeedSpec::Synth { seed, minutes, symbols } => {
                f.write_str("synth")?;
                // Parts are by position: a later one needs the earlier ones, even if empty.
                let part = |v: Option<u64>| v.map_or(String::new(), |v| v.to_string());
                let parts =
                    [part(*seed), part(minutes.map(u64::from)), part(symbols.map(u64::from))];
                let used = parts.iter().rposition(|p| !p.is_empty()).map_or(0, |i| i + 1);
                parts[..used].iter().try_for_each(|p| write!(f, ":{p}"))
            }
            FeedSpec::Lobster { message, orderbook } => {
                write!(f, "lobster:{}", message.display())?;
                orderbook.as_ref().map_or(Ok(()), |book| write!(f, ",{}", book.display()))
            }
            FeedSpec::Dbn(path) => write!(f, "dbn:{}", path.display()),
            FeedSpec::Databento(path) => write!(f, "databento:{}", path.display()),
            FeedSpec::Binance(path) => write!(f, "binance:{}", path.display()),
            FeedSpec::Ticks(path) => write!(f, "ticks:{}", path.display()),
            FeedSpec::Bars(path) => write!(f, "bars:{}", path.display()),
            FeedSpec::IbkrCapture(path) => write!(f, "ibkr-capture:{}", path.display()),
            FeedSpec::Ibkr(symbols) => {
                f.write_str("ibkr")?;
                let mut before = ':';
                symbols.iter().try_for_each(|s| {
                    write!(f, "{before}{s}")?;
                    before = ',';
                    Ok(())
                })
            }
        }
    }
}

impl FromStr for FeedSpec {
    type Err = FeedSpecError;

    fn from_str(text: &str) -> Result<FeedSpec, FeedSpecError> {
        let fail = |reason: &str| FeedSpecError { text: text.into(), reason: reason.into() };
        let (kind, rest) = match text.split_once(':') {
            Some((kind, rest)) => (kind, Some(rest)),
            None => (text, None),
        };
        let file = || match rest {
            Some(path) if !path.is_empty() => Ok(PathBuf::from(path)),
            _ => Err(fail(&format!("a file must follow '{kind}:'"))),
        };
        match kind {
            "synth" => parse_synth(rest).map_err(|reason| fail(&reason)),
            "lobster" => parse_lobster(rest).map_err(|reason| fail(&reason)),
            "dbn" => Ok(FeedSpec::Dbn(file()?)),
            "databento" => Ok(FeedSpec::Databento(file()?)),
            "binance" => Ok(FeedSpec::Binance(file()?)),
            "ticks" => Ok(FeedSpec::Ticks(file()?)),
            "bars" => Ok(FeedSpec::Bars(file()?)),
            "ibkr" => parse_symbols(rest).map(FeedSpec::Ibkr).map_err(|reason| fail(&reason)),
            "ibkr-capture" => Ok(FeedSpec::IbkrCapture(file()?)),
            _ => Err(fail("its kind is not known")),
        }
    }
}

fn parse_synth(rest: Option<&str>) -> Result<FeedSpec, String> {
    let mut seed = None;
    let mut minutes = None;
    let mut symbols = None;
    for (i, part) in rest.into_iter().flat_map(|r| r.split(':')).enumerate() {
        let name = ["seed", "minutes", "symbols"].get(i);
        let Some(name) = name else { return Err("synth takes at most three numbers".into()) };
        if part.is_empty() && rest != Some("") {
            continue;
        }
        let number: u64 =
            part.parse().map_err(|_| format!("{name} must be a whole number, not '{part}'"))?;
        let small = || {
            u32::try_from(number).ok().filter(|&n| n > 0).ok_or(format!("{name} must be 1 or more"))
        };
        match i {
            0 => seed = Some(number),
            1 => minutes = Some(small()?),
            _ => symbols = Some(small()?),
        }
    }
    Ok(FeedSpec::Synth { seed, minutes, symbols })
}

fn parse_symbols(rest: Option<&str>) -> Result<Vec<Symbol>, String> {
    let Some(rest) = rest else { return Ok(Vec::new()) };
    let mut symbols = Vec::new();
    for text in rest.split(',') {
        let symbol = Symbol::new(text).map_err(|e| format!("'{text}': {e}"))?;
        if symbols.contains(&symbol) {
            return Err(format!("{symbol} is named twice"));
        }
        symbols.push(symbol);
    }
    Ok(symbols)
}

fn parse_lobster(rest: Option<&str>) -> Result<FeedSpec, String> {
    let files: Vec<&str> = rest.unwrap_or("").split(',').collect();
    match files[..] {
        [one] if !one.is_empty() => Ok(FeedSpec::Lobster { message: one.into(), orderbook: None }),
        [message, book] if !message.is_empty() && !book.is_empty() => {
            Ok(FeedSpec::Lobster { message: message.into(), orderbook: Some(book.into()) })
        }
        _ => Err("it takes one zip archive, or a message file and an orderbook file \
                  with a comma between them"
            .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_printed_back() {
        for text in [
            "synth",
            "synth:7",
            "synth:7:30",
            "synth:7:30:3",
            "synth::30",
            "lobster:a.zip",
            "lobster:m.csv.gz,o.csv.gz",
            "dbn:x.dbn.zst",
            "databento:dir/a b.csv",
            "binance:f.gz",
            "ticks:t.parquet",
            "bars:b.csv.gz",
            "ibkr",
            "ibkr:AAPL",
            "ibkr:AAPL,BRK.B",
            "ibkr-capture:day.jsonl",
            "dbn:C:\\x.dbn",
        ] {
            let spec: FeedSpec = text.parse().unwrap();
            assert_eq!(spec.to_string(), text);
        }
        let spec: FeedSpec = "synth:7:30".parse().unwrap();
        assert_eq!(spec, FeedSpec::Synth { seed: Some(7), minutes: Some(30), symbols: None });
    }

    #[test]
    fn what_is_no_feed_is_refused_with_the_forms() {
        for text in [
            "",
            "lobster",
            "lobster:",
            "lobster:a,",
            "lobster:a,b,c",
            "synth:",
            "synth:x",
            "synth:1:0",
            "synth:1:2:3:4",
            "synth:-1",
            "dbn",
            "dbn:",
            "ibkr:",
            "ibkr:AAPL,",
            "ibkr:AAPL,AAPL",
            "ibkr:A B",
            "ibkr-capture:",
            "nasdaq:f",
        ] {
            let e = text.parse::<FeedSpec>().unwrap_err();
            assert!(e.to_string().contains("lobster:FILE.zip"), "{text}");
        }
    }
}
