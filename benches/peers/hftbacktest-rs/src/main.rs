//! `ijk-peers-hftbacktest ROWS.bin TICK LOT`: recorded rows through hftbacktest's Rust crate,
//! behind the protocol of `worker.py`; what `hftbacktest/replay.py` does with its Python package,
//! with its fastest book and both of its exchanges. `hftbacktest/dump.py` writes the rows.

#![forbid(unsafe_code)]

use hftbacktest::backtest::assettype::LinearAsset;
use hftbacktest::backtest::data::Data;
use hftbacktest::backtest::models::{
    CommonFees, ConstantLatency, PowerProbQueueFunc, ProbQueueModel, TradingValueFeeModel,
};
use hftbacktest::backtest::{Backtest, DataSource, ExchangeKind, L2AssetBuilder};
use hftbacktest::prelude::*;
use serde_json::{Value, json};
use std::io::{BufRead, Write};

type Book = ROIVectorMarketDepth;
type Failure = Box<dyn std::error::Error>;

const EVERY_NS: i64 = 100_000_000;
const FAR_NS: i64 = 3_600_000_000_000;
const LATENCY_NS: i64 = 5_000_000;
const ORDERS: usize = 10;
const HALF_SPREAD: f64 = 0.000_05;
const GRID: f64 = 0.000_05;
const LOTS: f64 = 10.0;
const RECORD_BYTES: usize = 64;

fn main() {
    if let Err(e) = run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        eprintln!("ijk-peers-hftbacktest: {e}");
        std::process::exit(2);
    }
}

fn run(args: &[String]) -> Result<(), Failure> {
    let [path, tick, lot] = args else { return Err("usage: ROWS.bin TICK LOT".into()) };
    let rows = Rows::read(path, tick.parse()?, lot.parse()?)?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let answer = match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["info"] => json!({ "version": "0.9.4", "ways": ["top", "grid", "grid.partial"],
                "rows": rows.count }),
            ["check"] => rows.check()?,
            ["run", way, count] => {
                let mut spent = 0;
                for _ in 0..count.parse::<usize>()? {
                    spent += rows.timed(way)?;
                }
                json!({ "cpu_ns": spent })
            }
            _ => return Err(format!("'{line}': no such command").into()),
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

/// Nanoseconds this process has spent on a CPU.
fn cpu_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The rows in memory, and the book's range: every price that was traded, and a tenth around.
struct Rows {
    data: Data<Event>,
    count: usize,
    tick: f64,
    lot: f64,
    low: f64,
    high: f64,
}

impl Rows {
    fn read(path: &str, tick: f64, lot: f64) -> Result<Rows, Failure> {
        let bytes = std::fs::read(path)?;
        let (records, []) = bytes.as_chunks::<RECORD_BYTES>() else {
            return Err(format!("{path}: not whole records of {RECORD_BYTES} bytes").into());
        };
        let events: Vec<Event> = records.iter().map(event).collect();
        let traded = || events.iter().filter(|e| e.ev & 0xFF == TRADE_EVENT).map(|e| e.px);
        let (low, high) = (traded().fold(f64::MAX, f64::min), traded().fold(0.0, f64::max));
        let (count, data) = (events.len(), Data::from_data(&events));
        Ok(Rows { data, count, tick, lot, low: 0.9 * low, high: 1.1 * high })
    }

    fn backtest(&self, exchange: ExchangeKind) -> Result<Backtest<Book>, Failure> {
        let (tick, lot, low, high) = (self.tick, self.lot, self.low, self.high);
        let asset = L2AssetBuilder::new()
            .data(vec![DataSource::Data(self.data.clone())])
            .latency_model(ConstantLatency::new(LATENCY_NS, LATENCY_NS))
            .asset_type(LinearAsset::new(1.0))
            .fee_model(TradingValueFeeModel::new(CommonFees::new(0.0, 0.0)))
            .exchange(exchange)
            .queue_model(ProbQueueModel::new(PowerProbQueueFunc::new(3.0)))
            .depth(move || Book::new(tick, lot, low, high))
            .build()?;
        Ok(Backtest::builder().add_asset(asset).build()?)
    }

    fn timed(&self, way: &str) -> Result<u64, Failure> {
        let mut hbt = self.backtest(exchange(way))?;
        let before = cpu_ns();
        if way == "top" {
            std::hint::black_box(top(&mut hbt)?);
        } else {
            std::hint::black_box(self.grid(&mut hbt)?);
        }
        Ok(cpu_ns() - before)
    }

    /// The best prices every 100 ms, and what the grids traded.
    fn check(&self) -> Result<Value, Failure> {
        let mut hbt = self.backtest(ExchangeKind::NoPartialFillExchange)?;
        let mut samples = Vec::new();
        while hbt.elapse(EVERY_NS)? == ElapseResult::Ok {
            let depth = hbt.depth(0);
            samples.push([depth.best_bid_tick(), depth.best_ask_tick()]);
        }
        let mut found = json!({ "samples": samples });
        for way in ["grid", "grid.partial"] {
            let mut hbt = self.backtest(exchange(way))?;
            let sent = self.grid(&mut hbt)?;
            let state = hbt.state_values(0);
            found[way] = json!([
                sent as f64,
                state.num_trades as f64,
                state.trading_volume / self.lot,
                hbt.position(0) / self.lot
            ]);
        }
        Ok(found)
    }

    /// Ten orders a side every 100 ms; returns how many were sent.
    fn grid(&self, hbt: &mut Backtest<Book>) -> Result<u64, Failure> {
        let (qty, tick) = (LOTS * self.lot, self.tick);
        let most = ORDERS as f64 * qty - 1e-9;
        let (mut bids, mut asks) = ([0i64; ORDERS], [0i64; ORDERS]);
        let (mut gone, mut sent) = (Vec::with_capacity(8 * ORDERS), 0);
        while hbt.elapse(EVERY_NS)? == ElapseResult::Ok {
            hbt.clear_inactive_orders(Some(0));
            let position = hbt.position(0);
            let depth = hbt.depth(0);
            let (bid, ask) = (depth.best_bid_tick(), depth.best_ask_tick());
            if bid == INVALID_MIN || ask == INVALID_MAX {
                continue;
            }
            let mid = (bid as f64 + ask as f64) / 2.0;
            let skew = HALF_SPREAD / ORDERS as f64 * (position / qty);
            let step = (mid * GRID).round().max(1.0);
            let buy = (mid * (1.0 - HALF_SPREAD - skew)).min(bid as f64);
            let sell = (mid * (1.0 + HALF_SPREAD - skew)).max(ask as f64);
            let (buy, sell) = ((buy / step).floor() * step, (sell / step).ceil() * step);
            for i in 0..ORDERS {
                bids[i] = (buy - i as f64 * step) as i64;
                asks[i] = (sell + i as f64 * step) as i64;
            }
            gone.clear();
            gone.extend(hbt.orders(0).values().filter_map(|order| {
                let wanted = if order.side == Side::Buy { &bids } else { &asks };
                let keep = !order.cancellable() || wanted.contains(&order.price_tick);
                (!keep).then_some(order.order_id)
            }));
            for &id in &gone {
                hbt.cancel(0, id, false)?;
            }
            for (side, wanted) in [(Side::Buy, &bids), (Side::Sell, &asks)] {
                let open = if side == Side::Buy { position < most } else { position > -most };
                for &at in wanted.iter().filter(|_| open) {
                    let (id, px) = (at as u64, at as f64 * tick);
                    if hbt.orders(0).contains_key(&id) {
                        continue;
                    }
                    sent += 1;
                    match side {
                        Side::Buy => hbt.submit_buy_order(
                            0,
                            id,
                            px,
                            qty,
                            TimeInForce::GTC,
                            OrdType::Limit,
                            false,
                        )?,
                        _ => hbt.submit_sell_order(
                            0,
                            id,
                            px,
                            qty,
                            TimeInForce::GTC,
                            OrdType::Limit,
                            false,
                        )?,
                    };
                }
            }
        }
        Ok(sent)
    }
}

fn exchange(way: &str) -> ExchangeKind {
    match way {
        "grid.partial" => ExchangeKind::PartialFillExchange,
        _ => ExchangeKind::NoPartialFillExchange,
    }
}

/// Wakes at each receive time and reads the best prices.
fn top(hbt: &mut Backtest<Book>) -> Result<i64, Failure> {
    let mut total = 0i64;
    while hbt.wait_next_feed(true, FAR_NS)? == ElapseResult::MarketFeed {
        let depth = hbt.depth(0);
        total = total.wrapping_add(depth.best_bid_tick()).wrapping_add(depth.best_ask_tick());
    }
    Ok(total)
}

fn event(record: &[u8; RECORD_BYTES]) -> Event {
    let (words, _) = record.as_chunks::<8>();
    let (int, float) =
        (|at: usize| i64::from_le_bytes(words[at]), |at: usize| f64::from_le_bytes(words[at]));
    Event {
        ev: int(0) as u64,
        exch_ts: int(1),
        local_ts: int(2),
        px: float(3),
        qty: float(4),
        order_id: int(5) as u64,
        ival: int(6),
        fval: float(7),
    }
}
