//! The market: a feed replayed on the simulated clock into books, prints and bars.

pub mod bars;
pub mod options;
pub mod past;
mod stock;

pub use stock::{Bbo, Print, StockMarket};

use crate::config::SetupError;
use ijk_core::{EventKind, EventSource, MarketEvent};

/// What one event changed.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// Place of the stock.
    pub stock: usize,
    /// The best bid or ask, or its size.
    pub bbo: bool,
    /// A trade.
    pub print: Option<Print>,
    /// Trading halted or resumed.
    pub halt: Option<bool>,
}

/// The feed and what it says of every stock.
pub struct Market {
    source: Box<dyn EventSource>,
    next: Option<MarketEvent>,
    shift_ns: i128,
    stocks: Vec<StockMarket>,
    failure: Option<String>,
}

impl Market {
    /// Takes a feed whose first event happens at `start_ns`; `None` leaves its times as they are.
    ///
    /// # Errors
    /// [`SetupError::Feed`] if its first event cannot be read, or there is none.
    pub fn new(
        mut source: Box<dyn EventSource>,
        start_ns: Option<u64>,
    ) -> Result<Market, SetupError> {
        let fail = |text: String| SetupError::Feed { text };
        let next = source.next_event().map_err(|e| fail(e.to_string()))?;
        let Some(first) = next else { return Err(fail("the feed has no events".into())) };
        let first_ns = first.ts_receive.0;
        let shift_ns = i128::from(start_ns.unwrap_or(first_ns)) - i128::from(first_ns);
        let stocks = source.instruments().iter().enumerate();
        let stocks = stocks.map(|(i, inst)| StockMarket::new(inst, source.depth_kind(i)));
        let stocks: Vec<StockMarket> = stocks.collect();
        Ok(Market { stocks, source, next, shift_ns, failure: None })
    }

    /// Returns the stocks in the feed's order.
    pub fn stocks(&self) -> &[StockMarket] {
        &self.stocks
    }

    /// Returns the feed's instruments.
    pub fn instruments(&self) -> &[ijk_core::Instrument] {
        self.source.instruments()
    }

    /// Returns a stock to be changed by a fault.
    pub fn stock_mut(&mut self, stock: usize) -> Option<&mut StockMarket> {
        self.stocks.get_mut(stock)
    }

    /// Returns why the feed stopped early, if it did.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Returns when the next event happens; `None` after the last.
    pub fn next_ns(&self) -> Option<u64> {
        let at = i128::from(self.next.as_ref()?.ts_receive.0) + self.shift_ns;
        Some(u64::try_from(at).unwrap_or(0))
    }

    /// Returns feed time shifted to the simulated clock.
    pub fn shifted(&self, feed_ns: u64) -> u64 {
        match feed_ns {
            0 | u64::MAX => feed_ns,
            _ => u64::try_from(i128::from(feed_ns) + self.shift_ns).unwrap_or(0),
        }
    }

    /// Lets the next event happen.
    pub fn step(&mut self) -> Option<Change> {
        let at = self.next_ns()?;
        let event = self.next.take()?;
        match self.source.next_event() {
            Ok(next) => self.next = next,
            Err(e) => self.failure = Some(e.to_string()),
        }
        let index = usize::from(event.instrument.0);
        let stock = self.stocks.get_mut(index)?;
        let halt = match event.kind {
            EventKind::Halt => Some(true),
            EventKind::Resume => Some(false),
            _ => None,
        };
        if let Some(halted) = halt {
            stock.halted = halted;
        }
        let (bbo, print) = stock.apply(&event, at);
        Some(Change { stock: index, bbo, print, halt })
    }
}
