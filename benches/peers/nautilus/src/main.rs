//! `ijk-peers-nautilus DELTAS.bin`: recorded depth updates through NautilusTrader's Rust engine
//! and a strategy that reads the best prices after each of them, behind the protocol of
//! `worker.py`. `touch`: one object a message; `single`: one a level. Every 500th message the
//! strategy takes one lot at the market, buying and selling in turn.

use log::LevelFilter;
use nautilus_backtest::config::{BacktestEngineConfig, SimulatedVenueConfig};
use nautilus_backtest::engine::BacktestEngine;
use nautilus_common::actor::DataActor;
use nautilus_common::logging::config::LoggerConfig;
use nautilus_model::data::{BookOrder, Data, OrderBookDelta, OrderBookDeltas, OrderBookDeltas_API};
use nautilus_model::enums::{AccountType, BookAction, BookType, OmsType, OrderSide};
use nautilus_model::events::OrderFilled;
use nautilus_model::identifiers::{InstrumentId, StrategyId, Symbol, Venue};
use nautilus_model::instruments::{CryptoPerpetual, InstrumentAny};
use nautilus_model::types::{Currency, Money, Price, Quantity};
use nautilus_trading::nautilus_strategy;
use nautilus_trading::strategy::{Strategy, StrategyConfig, StrategyCore};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::io::{BufRead, Write};

const EVERY: u64 = 500;
const RECORD_BYTES: usize = 32;

/// What the strategy found.
#[derive(Clone, Copy, Default)]
struct Found {
    messages: u64,
    touch_sum: i64,
    fills: u64,
    lots: i64,
    value: i64,
}

thread_local! {
    static FOUND: RefCell<Found> = RefCell::new(Found::default());
}

struct Touch {
    core: StrategyCore,
    instrument: InstrumentId,
    single: bool,
}

nautilus_strategy!(Touch);

impl std::fmt::Debug for Touch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Touch").finish()
    }
}

impl Touch {
    fn new(instrument: InstrumentId, single: bool) -> Touch {
        let config = StrategyConfig {
            strategy_id: Some(StrategyId::from("TOUCH-001")),
            order_id_tag: Some("001".to_string()),
            ..Default::default()
        };
        Touch { core: StrategyCore::new(config), instrument, single }
    }
}

impl DataActor for Touch {
    fn on_start(&mut self) -> anyhow::Result<()> {
        self.subscribe_book_deltas(self.instrument, BookType::L2_MBP, None, None, true, None);
        Ok(())
    }

    fn on_book_deltas(&mut self, deltas: &OrderBookDeltas) -> anyhow::Result<()> {
        // One by one, a message ends with the delta that says so.
        if self.single && deltas.flags & 128 == 0 {
            return Ok(());
        }
        let (bid, ask) = {
            let cache = self.cache();
            let book = cache.order_book(&self.instrument);
            let tick = |p: Option<Price>| p.map_or(0, |p| (p.as_f64() * 10.0).round() as i64);
            book.map_or((0, 0), |b| (tick(b.best_bid_price()), tick(b.best_ask_price())))
        };
        let messages = FOUND.with_borrow_mut(|found| {
            found.messages += 1;
            // At the first message its cache has no book yet.
            found.touch_sum += if found.messages > 1 { bid + ask } else { 0 };
            found.messages
        });
        if messages % EVERY == 0 {
            let buy = messages / EVERY % 2 == 1;
            let side = if buy { OrderSide::Buy } else { OrderSide::Sell };
            let order = self.core.order_factory().market(
                self.instrument,
                side,
                Quantity::from("0.001"),
                None,
                None,
                None,
                None,
                None,
                None,
                None,
            );
            self.submit_order(order, None, None, None)?;
        }
        Ok(())
    }

    fn on_order_filled(&mut self, event: &OrderFilled) -> anyhow::Result<()> {
        FOUND.with_borrow_mut(|found| {
            let lots = (event.last_qty.as_f64() * 1e3).round() as i64;
            let ticks = (event.last_px.as_f64() * 10.0).round() as i64;
            let sign = if event.order_side == OrderSide::Buy { 1 } else { -1 };
            found.fills += 1;
            found.lots += sign * lots;
            found.value += sign * lots * ticks;
        });
        Ok(())
    }
}

fn instrument() -> CryptoPerpetual {
    CryptoPerpetual::new(
        InstrumentId::from("BTCUSDT-PERP.BINANCE"),
        Symbol::from("BTCUSDT"),
        Currency::from("BTC"),
        Currency::from("USDT"),
        Currency::from("USDT"),
        false,
        1,
        3,
        Price::from("0.1"),
        Quantity::from("0.001"),
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        0.into(),
        0.into(),
    )
}

/// The recorded levels, `u64` time, `i64` price in ticks, `i64` lots, side, last of a message.
fn data(bytes: &[u8], id: InstrumentId, single: bool) -> Vec<Data> {
    let (mut out, mut message) = (Vec::new(), Vec::new());
    for r in bytes.as_chunks::<RECORD_BYTES>().0 {
        let number = |at: usize| i64::from_le_bytes(r[at..at + 8].try_into().expect("8 bytes"));
        let (ts, px, lots) = (number(0) as u64, number(8), number(16));
        let (side, last) = (r[24], r[25] == 1);
        let flags = if last { 128 } else { 0 };
        let book_side = if side == 0 { OrderSide::Buy } else { OrderSide::Sell };
        let price = Price::new(px as f64 / 10.0, 1);
        let size = Quantity::new(lots as f64 / 1e3, 3);
        let action = if lots == 0 { BookAction::Delete } else { BookAction::Update };
        let order = BookOrder::new(book_side, price, size, px as u64);
        let delta = match side {
            2 => OrderBookDelta::clear(id, 0, ts.into(), ts.into()),
            _ => OrderBookDelta::new(id, action, order, flags, 0, ts.into(), ts.into()),
        };
        if single {
            out.push(Data::Delta(delta));
            continue;
        }
        message.push(delta);
        if last {
            let deltas = OrderBookDeltas::new(id, std::mem::take(&mut message));
            out.push(Data::Deltas(OrderBookDeltas_API::new(deltas)));
        }
    }
    out
}

fn run(data: Vec<Data>, single: bool) -> anyhow::Result<(u64, Found)> {
    FOUND.with_borrow_mut(|found| *found = Found::default());
    let logging = LoggerConfig {
        stdout_level: LevelFilter::Off,
        bypass_logging: true,
        ..LoggerConfig::default()
    };
    let config = BacktestEngineConfig::builder()
        .logging(logging)
        .bypass_logging(true)
        .run_analysis(false)
        .build();
    let mut engine = BacktestEngine::new(config)?;
    engine.add_venue(
        SimulatedVenueConfig::builder()
            .venue(Venue::from("BINANCE"))
            .oms_type(OmsType::Netting)
            .account_type(AccountType::Margin)
            .book_type(BookType::L2_MBP)
            .starting_balances(vec![Money::from("100_000_000 USDT")])
            .build(),
    )?;
    let instrument = InstrumentAny::CryptoPerpetual(instrument());
    let id = InstrumentId::from("BTCUSDT-PERP.BINANCE");
    engine.add_instrument(&instrument)?;
    engine.add_strategy(Touch::new(id, single))?;
    engine.add_data(data, None, true, true)?;
    let before = cpu_ns();
    engine.run(None, None, None, false)?;
    let spent = cpu_ns() - before;
    engine.dispose();
    Ok((spent, FOUND.with_borrow(|found| *found)))
}

fn main() -> anyhow::Result<()> {
    let bytes = std::fs::read(std::env::args().nth(1).unwrap_or_default())?;
    let id = InstrumentId::from("BTCUSDT-PERP.BINANCE");
    let (batched, single) = (data(&bytes, id, false), data(&bytes, id, true));
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words[..] {
            ["info"] => json!({ "version": "0.57.0", "ways": ["touch", "single"] }),
            ["check"] => {
                let (_, found) = run(batched.clone(), false)?;
                let (_, one) = run(single.clone(), true)?;
                json!({ "touch": numbers(&found), "single": numbers(&one) })
            }
            ["run", name, count] => {
                let mut spent = 0;
                for _ in 0..count.parse::<usize>()? {
                    let one = name == "single";
                    spent += run(if one { single.clone() } else { batched.clone() }, one)?.0;
                }
                json!({ "cpu_ns": spent })
            }
            _ => json!({ "error": "no such command" }),
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

fn numbers(found: &Found) -> Value {
    json!({ "messages": found.messages, "touch_sum": found.touch_sum, "fills": found.fills,
        "position_lots": found.lots, "value_lot_ticks": found.value })
}

/// Nanoseconds this process has spent on a CPU.
fn cpu_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
