//! The live feed of Interactive Brokers as a run opens it.

use crate::exit::{self, Exit};
use crate::gateway;
use ijk_core::config::RiskConfig;
use ijk_core::{Config, EventSource, Symbol};
use ijk_ibkr::connection::GatewaySettings;
use ijk_ibkr::market::{FeedMonitor, IbkrFeed, OpenError};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How often notes of a feed are shown.
const NOTES_EVERY: Duration = Duration::from_millis(200);

/// What a live feed needs to know.
pub struct LiveFeed {
    settings: GatewaySettings,
    /// Symbols of a feed that names none.
    allowed: Vec<Symbol>,
    speed: f64,
}

impl LiveFeed {
    /// Returns how the feeds of a run with these settings are opened at `gateway`; `speed` is that
    /// of a simulated gateway's clock.
    ///
    /// # Errors
    /// Exit code 2 for a speed that no gateway has.
    pub fn new(config: &Config, gateway: &GatewaySettings, speed: f64) -> Result<LiveFeed, Exit> {
        let data = &config.venue.ibkr.data;
        let simulated = data.clock == ijk_core::config::IbkrClock::Gateway;
        if !speed.is_finite() || (speed != 1.0 && !simulated) {
            return Err(Exit::usage(
                "a live feed goes at the pace of the market: give --speed 1 (another number only \
                 for a simulated gateway, with venue.ibkr.data.clock = \"gateway\")",
            ));
        }
        let named = config.risk.allow_symbols.iter().filter(|s| *s != RiskConfig::ANY_SYMBOL);
        Ok(LiveFeed {
            settings: gateway.clone(),
            allowed: named.filter_map(|s| Symbol::new(s).ok()).collect(),
            speed,
        })
    }

    /// Opens the feed of `symbols`, or of those that the settings allow.
    ///
    /// # Errors
    /// Exit code 2 where no symbol is named or the broker knows none of that name, where settings
    /// do not fit; 78 for a day without trading; 5 for a gateway that does not answer.
    pub fn open(&self, symbols: &[Symbol]) -> Result<Box<dyn EventSource>, Exit> {
        let symbols = if symbols.is_empty() { &self.allowed } else { symbols };
        if symbols.is_empty() {
            return Err(Exit::usage(
                "feed ibkr: name symbols, ibkr:AAPL,MSFT, or allow them in risk.allow_symbols",
            ));
        }
        let feed = IbkrFeed::open(&self.settings, symbols, self.speed).map_err(|e| {
            let code = match &e {
                OpenError::Details(e) => gateway::code_of_contract(e),
                OpenError::Connect(e) => gateway::code_of_connection(e),
                OpenError::Symbols(_)
                | OpenError::ClockApart { .. }
                | OpenError::Capture { .. } => exit::USAGE,
                OpenError::Time(_) | OpenError::Thread(_) => exit::VENUE,
            };
            Exit::new(code, format!("feed ibkr: {e}"))
        })?;
        show_notes(Arc::downgrade(&feed.monitor()));
        Ok(Box::new(feed))
    }
}

/// Shows what the feed has to say until it is gone.
fn show_notes(monitor: Weak<FeedMonitor>) {
    let show = move || {
        while let Some(monitor) = monitor.upgrade() {
            for note in monitor.take_notes() {
                eprintln!("ijk: feed: {note}");
            }
            drop(monitor);
            std::thread::sleep(NOTES_EVERY);
        }
    };
    // Without the thread the run goes on; its journal has what followed from the notes.
    let _ = std::thread::Builder::new().name("ijk-ib-notes".to_string()).spawn(show);
}
