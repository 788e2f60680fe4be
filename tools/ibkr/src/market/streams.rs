//! The subscriptions of one instrument: what they say becomes inputs of the conversion.

use super::input::Heard;
use super::lines::Plan;
use ibapi::Error;
use ibapi::client::blocking::{Client, Subscription};
use ibapi::contracts::Contract;
use ibapi::contracts::tick_types::TickType;
use ibapi::market_data::realtime::{BidAsk, MarketDepths, TickTypes, Trade, generic_tick};
use ibapi::market_data::{IgnoreSize, MarketDataType, SmartDepth};
use ibapi::subscriptions::SubscriptionItem;

/// Items taken from one stream before the others get their turn.
const TURN: usize = 256;

/// What a stream told beside data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// A tick: the stream lives.
    Tick,
    /// A message about quotes; the stream lives on.
    Notice(i32, String),
    /// The quotes ended with a message.
    QuotesOver(i32, String),
    /// Depth ended with a message, 0 where there was none.
    DepthOver(i32, String),
    /// A tick-by-tick stream ended with a message.
    TicksOver(i32, String),
    /// The connection is gone.
    LinkOver,
}

/// The streams.
#[derive(Default)]
pub(super) struct Streams {
    quotes: Option<Subscription<TickTypes>>,
    trades: Option<Subscription<Trade>>,
    bid_ask: Option<Subscription<BidAsk>>,
    depth: Option<Subscription<MarketDepths>>,
}

impl Streams {
    /// Subscribes to quotes at intervals, halts and shares to borrow.
    pub fn open_quotes(&mut self, client: &Client, contract: &Contract) -> Result<(), Error> {
        let ticks = [generic_tick::SHORTABLE];
        self.quotes = Some(client.market_data(contract).generic_ticks(&ticks).subscribe()?);
        Ok(())
    }

    /// Subscribes to rows of the book, all exchanges together.
    pub fn open_depth(
        &mut self,
        client: &Client,
        contract: &Contract,
        rows: i32,
    ) -> Result<(), Error> {
        let depth = client.market_depth(contract, rows).smart_depth(SmartDepth::Yes);
        self.depth = Some(depth.subscribe()?);
        Ok(())
    }

    /// Subscribes to every trade, and every quote, as the plan says.
    pub fn open_ticks(
        &mut self,
        client: &Client,
        contract: &Contract,
        plan: Plan,
    ) -> Result<(), Error> {
        if plan.trades {
            self.trades = Some(client.tick_by_tick(contract, 0).last()?);
        }
        if plan.quotes {
            let ticks = client.tick_by_tick(contract, 0);
            self.bid_ask = Some(ticks.bid_ask(IgnoreSize::No)?);
        }
        Ok(())
    }

    /// Whether a tick-by-tick stream is open.
    pub fn has_ticks(&self) -> bool {
        self.trades.is_some() || self.bid_ask.is_some()
    }

    /// Cancels everything; returns how many messages that takes.
    pub fn close(&mut self) -> usize {
        let others = [self.quotes.is_some(), self.trades.is_some(), self.bid_ask.is_some()];
        let count = others.iter().filter(|is| **is).count() + self.close_depth();
        *self = Streams::default();
        count
    }

    /// Cancels depth; returns how many messages that takes.
    pub fn close_depth(&mut self) -> usize {
        usize::from(self.depth.take().is_some())
    }

    /// Takes what has come, at most a turn of each stream.
    pub fn poll(&mut self, hear: &mut dyn FnMut(Heard), tell: &mut dyn FnMut(Told)) {
        let (every_trade, every_quote) = (self.trades.is_some(), self.bid_ask.is_some());
        let on_quotes = |tick: &TickTypes, hear: &mut dyn FnMut(Heard)| {
            quote(tick, every_trade, every_quote, hear);
        };
        let end =
            self.quotes.as_ref().and_then(|s| take(&mut || s.try_next(), on_quotes, hear, tell));
        if let Some(end) = end {
            self.quotes = None;
            tell(end.told(Told::QuotesOver));
        }
        let end = self.trades.as_ref().and_then(|s| take(&mut || s.try_next(), trade, hear, tell));
        if let Some(end) = end {
            self.trades = None;
            tell(end.told(Told::TicksOver));
        }
        let end =
            self.bid_ask.as_ref().and_then(|s| take(&mut || s.try_next(), bid_ask, hear, tell));
        if let Some(end) = end {
            self.bid_ask = None;
            tell(end.told(Told::TicksOver));
        }
        let end = self.depth.as_ref().and_then(|s| take(&mut || s.try_next(), row, hear, tell));
        if let Some(end) = end {
            self.depth = None;
            tell(end.told(Told::DepthOver));
        }
    }
}

/// How a stream ended.
enum End {
    /// With a message; code 0 where it was none of the gateway's.
    Message(i32, String),
    /// With the connection.
    Link,
}

impl End {
    fn told(self, over: impl Fn(i32, String) -> Told) -> Told {
        match self {
            End::Message(code, text) => over(code, text),
            End::Link => Told::LinkOver,
        }
    }
}

type Next<'a, T> = &'a mut dyn FnMut() -> Option<Result<SubscriptionItem<T>, Error>>;

/// Takes a turn of a stream; returns how it ended, if it did.
fn take<T>(
    next: Next<'_, T>,
    on: impl Fn(&T, &mut dyn FnMut(Heard)),
    hear: &mut dyn FnMut(Heard),
    tell: &mut dyn FnMut(Told),
) -> Option<End> {
    for _ in 0..TURN {
        match next()? {
            Ok(SubscriptionItem::Data(data)) => {
                // What kind of data is to come is no sign that any does.
                let mut lives = false;
                on(&data, &mut |heard| {
                    lives |= !matches!(heard, Heard::DataKind { .. });
                    hear(heard);
                });
                if lives {
                    tell(Told::Tick);
                }
            }
            Ok(SubscriptionItem::Notice(n)) => tell(Told::Notice(n.code, n.message)),
            Err(Error::Notice(n)) => return Some(End::Message(n.code, n.message)),
            Err(e) if e.is_connection_lost() => return Some(End::Link),
            Err(other) => return Some(End::Message(0, other.to_string())),
        }
    }
    None
}

fn quote(tick: &TickTypes, every_trade: bool, every_quote: bool, hear: &mut dyn FnMut(Heard)) {
    match tick {
        TickTypes::PriceSize(p) => {
            price(p.price_tick_type, p.price, Some(p.size), every_trade, every_quote, hear);
        }
        TickTypes::Price(p) => price(p.tick_type, p.price, None, every_trade, every_quote, hear),
        TickTypes::Size(s) => match s.tick_type {
            TickType::BidSize if !every_quote => hear(Heard::TouchQty { bid: true, qty: s.size }),
            TickType::AskSize if !every_quote => hear(Heard::TouchQty { bid: false, qty: s.size }),
            TickType::ShortableShares => hear(Heard::ShortShares { shares: s.size }),
            TickType::LastSize if !every_trade => hear(Heard::LastQty { qty: s.size }),
            TickType::DelayedBidSize | TickType::DelayedAskSize | TickType::DelayedLastSize => {
                hear(Heard::DataKind { kind: 3 });
            }
            _ => {}
        },
        TickTypes::Generic(g) => match g.tick_type {
            // 1: halted, 2: a volatility pause; 0: neither; -1: not known.
            TickType::Halted if g.value >= 0.0 => hear(Heard::Halted { halted: g.value > 0.0 }),
            TickType::Shortable => hear(Heard::Shortable { level: g.value }),
            _ => {}
        },
        TickTypes::MarketDataType(kind) => {
            let kind = match kind {
                MarketDataType::Realtime => 1,
                MarketDataType::Frozen => 2,
                MarketDataType::Delayed => 3,
                MarketDataType::DelayedFrozen => 4,
                // Of a kind that nobody knows: not live.
                MarketDataType::Unknown => 3,
            };
            hear(Heard::DataKind { kind });
        }
        _ => {}
    }
}

fn price(
    kind: TickType,
    px: f64,
    qty: Option<f64>,
    every_trade: bool,
    every_quote: bool,
    hear: &mut dyn FnMut(Heard),
) {
    match kind {
        TickType::Bid if !every_quote => hear(Heard::Touch { bid: true, px, qty }),
        TickType::Ask if !every_quote => hear(Heard::Touch { bid: false, px, qty }),
        TickType::Last if !every_trade => {
            if let Some(qty) = qty {
                hear(Heard::Trade { px, qty, time_s: None });
            }
        }
        // A delayed price prices nothing, whatever the gateway said of the stream's kind.
        TickType::DelayedBid | TickType::DelayedAsk | TickType::DelayedLast => {
            hear(Heard::DataKind { kind: 3 });
        }
        _ => {}
    }
}

fn trade(tick: &Trade, hear: &mut dyn FnMut(Heard)) {
    let time_s = Some(tick.time.unix_timestamp());
    if !tick.trade_attribute.unreported {
        hear(Heard::Trade { px: tick.price, qty: tick.size, time_s });
    }
}

fn bid_ask(tick: &BidAsk, hear: &mut dyn FnMut(Heard)) {
    hear(Heard::BidAsk {
        bid: tick.bid_price,
        bid_qty: tick.bid_size,
        ask: tick.ask_price,
        ask_qty: tick.ask_size,
    });
}

fn row(depth: &MarketDepths, hear: &mut dyn FnMut(Heard)) {
    let (position, op, side, px, qty) = match depth {
        MarketDepths::MarketDepth(d) => (d.position, d.operation, d.side, d.price, d.size),
        MarketDepths::MarketDepthL2(d) => (d.position, d.operation, d.side, d.price, d.size),
        MarketDepths::Reset => return hear(Heard::RowsReset),
    };
    // Numbers off the scale are out of step like any other that does not fit.
    let position = u16::try_from(position).unwrap_or(u16::MAX);
    let op = u8::try_from(op).unwrap_or(u8::MAX);
    hear(Heard::Row { bid: side == 1, position, op, px, qty });
}
