//! From feed specifications to one merged source, with the settings' instrument overrides.

use crate::exit::Exit;
use crate::live_feed::LiveFeed;
use ijk_core::config::{CalendarConfig, InstrumentConfig};
use ijk_core::num::{E9, parse_decimal_e9};
use ijk_core::{
    Currency, DepthKind, EventSource, FeedError, Instrument, MarketEvent, Px, Qty, RepairCounts,
    Session,
};
use ijk_data::merge::MergedSource;
use ijk_data::spec::{FeedSpec, open_feed};
use ijk_ibkr::market::CaptureSource;
use std::path::Path;

/// A source whose instrument definitions may differ from what its files say.
pub struct Feeds {
    source: Box<dyn EventSource>,
    instruments: Vec<Instrument>,
    /// The first record, read ahead where a session needs its day.
    first: Option<MarketEvent>,
}

/// Parses specifications.
///
/// # Errors
/// Exit code 2 with the forms that exist.
pub fn parse_specs(texts: &[String]) -> Result<Vec<FeedSpec>, Exit> {
    texts.iter().map(|t| t.parse::<FeedSpec>().map_err(Exit::usage)).collect()
}

/// Returns the files that a feed reads; none for a generated one.
pub fn files(spec: &FeedSpec) -> Vec<&Path> {
    match spec {
        FeedSpec::Lobster { message, orderbook } => {
            std::iter::once(message.as_path()).chain(orderbook.as_deref()).collect()
        }
        other => other.path().into_iter().collect(),
    }
}

/// Opens feeds and merges them by receive time.
///
/// # Errors
/// Exit code 3 for files that cannot be read, 2 for overrides that make no sense.
pub fn open(specs: &[FeedSpec], seed: u64, overrides: &[InstrumentConfig]) -> Result<Feeds, Exit> {
    open_with(specs, seed, overrides, None)
}

/// Opens feeds, live ones too where it is said how.
///
/// # Errors
/// As [`open`]; exit code 5 where a live feed has no connection.
pub fn open_with(
    specs: &[FeedSpec],
    seed: u64,
    overrides: &[InstrumentConfig],
    live: Option<&LiveFeed>,
) -> Result<Feeds, Exit> {
    let mut sources = Vec::with_capacity(specs.len());
    for spec in specs {
        sources.push((spec.to_string(), open_one(spec, seed, live)?));
    }
    let mut source: Box<dyn EventSource> = if sources.len() == 1 {
        match sources.pop() {
            Some((_, only)) => only,
            None => unreachable!("Invariant: there is one."),
        }
    } else {
        Box::new(MergedSource::new(sources)?)
    };
    let mut instruments = source.instruments().to_vec();
    let mut first = None;
    for o in overrides {
        let Some(i) = instruments.iter_mut().find(|i| i.symbol.as_str() == o.symbol) else {
            continue;
        };
        if o.session_open.is_some() && i.session == Session::ALWAYS && first.is_none() {
            first = source.next_event()?;
        }
        // The day of a feed without sessions is that of its first record.
        let day_ns = match i.session {
            Session::ALWAYS => first.map_or(0, |ev: MarketEvent| ev.ts_exchange.0),
            session => session.open_ns,
        };
        apply(i, o, day_ns)?;
    }
    Ok(Feeds { source, instruments, first })
}

fn open_one(
    spec: &FeedSpec,
    seed: u64,
    live: Option<&LiveFeed>,
) -> Result<Box<dyn EventSource>, Exit> {
    match (spec, live) {
        (FeedSpec::Ibkr(symbols), Some(live)) => live.open(symbols),
        (FeedSpec::IbkrCapture(path), _) => Ok(Box::new(CaptureSource::open(path)?)),
        _ => Ok(open_feed(spec, seed)?),
    }
}

/// Whether a feed is of this moment: its records come when they come.
pub fn is_live(spec: &FeedSpec) -> bool {
    matches!(spec, FeedSpec::Ibkr(_))
}

fn apply(instrument: &mut Instrument, o: &InstrumentConfig, day_ns: u64) -> Result<(), Exit> {
    let bad = |key: &str, text: &str, expected: &str| {
        Exit::usage(format!("instrument {}: {key} = \"{text}\": expected {expected}", o.symbol))
    };
    if let Some(text) = &o.tick {
        let tick = parse_decimal_e9(text.as_bytes()).ok().filter(|&t| t > 0);
        instrument.tick = Px(tick.ok_or_else(|| bad("tick", text, "a positive decimal"))?);
    }
    if let Some(text) = &o.lot {
        let raw = parse_decimal_e9(text.as_bytes()).ok().filter(|&l| l > 0);
        let unit = instrument.qty_unit_e9;
        let lot = raw.filter(|l| l % unit == 0).map(|l| l / unit);
        let expected = format!("a positive multiple of {}", unit as f64 / E9 as f64);
        instrument.lot = Qty(lot.ok_or_else(|| bad("lot", text, &expected))?);
    }
    if let Some(text) = &o.currency {
        instrument.currency = match text.to_ascii_uppercase().as_str() {
            "USD" => Currency::Usd,
            "USDT" => Currency::Usdt,
            "EUR" => Currency::Eur,
            _ => Currency::Other,
        };
    }
    if let (Some(open), Some(close)) = (&o.session_open, &o.session_close) {
        let zone = o.session_tz.as_deref().unwrap_or("America/New_York");
        instrument.session = session(day_ns, open, close, zone)
            .map_err(|e| Exit::usage(format!("instrument {}: session: {e}", o.symbol)))?;
    } else if o.session_open.is_some() || o.session_close.is_some() {
        return Err(bad("session_open", "", "session_open and session_close together"));
    }
    Ok(())
}

/// Returns the session between two local times of the day that holds `day_ns`.
fn session(day_ns: u64, open: &str, close: &str, zone: &str) -> Result<Session, jiff::Error> {
    let date = jiff::Timestamp::from_nanosecond(i128::from(day_ns))?.in_tz(zone)?.date();
    let at = |text: &str| -> Result<u64, jiff::Error> {
        let time = jiff::civil::Time::strptime("%H:%M", text)?;
        Ok(date.to_datetime(time).in_tz(zone)?.timestamp().as_nanosecond() as u64)
    };
    Ok(Session { open_ns: at(open)?, close_ns: at(close)? })
}

impl Feeds {
    /// Returns the receive time of the first record, read ahead; 0 of an empty feed. To be asked
    /// before the first record is taken.
    ///
    /// # Errors
    /// The source's.
    pub fn first_ns(&mut self) -> Result<u64, FeedError> {
        if self.first.is_none() {
            self.first = self.source.next_event()?;
        }
        Ok(self.first.map_or(0, |ev| ev.ts_receive.0))
    }

    /// Bounds the sessions by the calendar, for runs whose orders reach somebody outside; see
    /// [`crate::sessions::bound`]. To be called before the first record is taken.
    ///
    /// # Errors
    /// Exit code 78 for a day on which an instrument does not trade, the source's.
    pub fn bound_sessions(&mut self, config: &CalendarConfig, is_live: bool) -> Result<(), Exit> {
        let now_ns = self.first_ns()?;
        crate::sessions::bound(&mut self.instruments, config, now_ns, is_live)
    }
}

impl EventSource for Feeds {
    fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }
    fn depth_kind(&self, index: usize) -> DepthKind {
        self.source.depth_kind(index)
    }
    fn next_event(&mut self) -> Result<Option<MarketEvent>, FeedError> {
        match self.first.take() {
            Some(ev) => Ok(Some(ev)),
            None => self.source.next_event(),
        }
    }
    fn repairs(&self) -> RepairCounts {
        self.source.repairs()
    }
    fn progress(&self) -> Option<(u64, u64)> {
        self.source.progress()
    }
}

/// Returns the index of `symbol`, or 0 where none is named and the feed has only one.
///
/// # Errors
/// Exit code 2 with the symbols there are.
pub fn choose_symbol(instruments: &[Instrument], symbol: Option<&str>) -> Result<usize, Exit> {
    let names = || instruments.iter().map(|i| i.symbol.as_str()).collect::<Vec<_>>().join(", ");
    match symbol {
        None if instruments.len() == 1 => Ok(0),
        None => Err(Exit::usage(format!(
            "the feed has {} symbols; choose one with --symbol: {}",
            instruments.len(),
            names()
        ))),
        Some(s) => instruments
            .iter()
            .position(|i| i.symbol.as_str() == s)
            .ok_or_else(|| Exit::usage(format!("no symbol {s} in the feed; it has: {}", names()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open_with(o: InstrumentConfig) -> Result<Feeds, Exit> {
        let specs = parse_specs(&["synth:1:1".to_string()])?;
        open(&specs, 1, &[o])
    }

    fn named() -> InstrumentConfig {
        InstrumentConfig { symbol: "SYN0".to_string(), ..InstrumentConfig::default() }
    }

    #[test]
    fn overrides_replace_what_the_feed_says() {
        let o = InstrumentConfig {
            tick: Some("0.05".to_string()),
            lot: Some("100".to_string()),
            currency: Some("eur".to_string()),
            session_open: Some("10:00".to_string()),
            session_close: Some("15:30".to_string()),
            ..named()
        };
        let feeds = open_with(o).map_err(|e| e.message).unwrap();
        let i = feeds.instruments()[0];
        assert_eq!((i.tick, i.lot, i.currency), (Px(E9 / 20), Qty(100), Currency::Eur));
        let plain = open_with(named()).map_err(|e| e.message).unwrap().instruments()[0];
        let half_hour = 30 * 60 * E9 as u64;
        assert_eq!(i.session.open_ns, plain.session.open_ns + half_hour);
        assert_eq!(i.session.close_ns, plain.session.close_ns - half_hour);
    }

    #[test]
    fn the_day_of_a_feed_without_sessions_is_its_first_records() {
        let day_ns = 1_752_766_509_000_000_000; // 2025-07-17 15:35:09 UTC
        let s = session(day_ns, "09:30", "16:00", "America/New_York").unwrap();
        assert_eq!(s.open_ns, 1_752_759_000 * E9 as u64);
        assert_eq!(s.close_ns - s.open_ns, 6 * 3_600 * E9 as u64 + 1_800 * E9 as u64);
    }

    #[test]
    fn senseless_overrides_are_refused() {
        let bad = [
            InstrumentConfig { tick: Some("0".to_string()), ..named() },
            InstrumentConfig { tick: Some("x".to_string()), ..named() },
            InstrumentConfig { lot: Some("0.5".to_string()), ..named() },
            InstrumentConfig { session_open: Some("10:00".to_string()), ..named() },
            InstrumentConfig {
                session_open: Some("25:00".to_string()),
                session_close: Some("16:00".to_string()),
                ..named()
            },
        ];
        for o in bad {
            assert_eq!(open_with(o).map(|_| ()).unwrap_err().code, crate::exit::USAGE);
        }
    }
}
