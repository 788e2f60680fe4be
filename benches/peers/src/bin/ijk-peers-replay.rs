//! `ijk-peers-replay FEED TICK LOT`: recorded rows of one symbol through our exchange and a local
//! book, behind the protocol of `worker.py`: `top` reads the best prices after each row, `grid`
//! keeps ten orders a side every 100 ms, as `hftbacktest/replay.py` does; `touch` leaves the
//! trades out and takes one lot every 500th row, as `nautilus/src/main.rs` does.

use ijk_core::config::{FeeConfig, FeeSchedule, SimConfig};
use ijk_core::num::parse_decimal_e9;
use ijk_core::{
    CancelOrder, ClientOrderId, DepthKind, EventKind, EventSource, Instrument, InstrumentId,
    MarketEvent, NewOrder, OrderType, ParentId, Px, Qty, RecvTs, ReportKind, Side, TimeInForce,
};
use ijk_data::{FeedSpec, open_feed};
use ijk_market::Book;
use ijk_peers::{cpu_ns, serve, wide};
use ijk_risk::{Gate, Quote};
use ijk_venue::{SimExchange, Venue, VenueMessage};
use serde_json::{Value, json};

const ONLY: InstrumentId = InstrumentId(0);
/// Nanoseconds between two looks of the grid, and between two samples of a check.
const EVERY_NS: u64 = 100_000_000;
/// From us to the exchange and back, each way.
const LATENCY_US: u64 = 5_000;
/// Orders a side.
const ORDERS: usize = 10;
/// Half spread, and the distance of two orders, as parts of the price.
const HALF_SPREAD: f64 = 0.000_05;
const GRID: f64 = 0.000_05;
/// Rows between two takes of `touch`.
const TAKE_EVERY: u64 = 500;
/// Lots of an order of the grid.
const LOTS: i64 = 10;

/// The rows and what they are about.
struct Rows {
    events: Vec<MarketEvent>,
    instrument: Instrument,
    depth: DepthKind,
}

fn main() {
    if let Err(e) = run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        eprintln!("ijk-peers-replay: {e}");
        std::process::exit(2);
    }
}

fn run(args: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let [feed, tick, lot] = args else { return Err("usage: FEED TICK LOT".into()) };
    let e9 = |t: &String| parse_decimal_e9(t.as_bytes()).map_err(|_| format!("'{t}' is no number"));
    let spec: FeedSpec = feed.parse().map_err(|e| format!("{e}"))?;
    let mut source = open_feed(&spec, 1)?;
    let [first] = source.instruments() else {
        return Err(format!("{feed}: not one symbol").into());
    };
    let instrument = Instrument { tick: Px(e9(tick)?), lot: Qty(e9(lot)?), ..*first };
    let depth = source.depth_kind(0);
    let mut events = Vec::new();
    while let Some(event) = source.next_event()? {
        events.push(event);
    }
    let rows = Rows { events, instrument, depth };
    serve(|words| match words {
        ["info"] => {
            Ok(json!({ "version": env!("CARGO_PKG_VERSION"), "ways": ["top", "grid", "touch"],
            "records": rows.events.len() }))
        }
        ["check"] => Ok(json!({ "samples": rows.samples()?, "grid": rows.grid()?.1,
            "touch": rows.touch()?.1 })),
        ["run", name, count] => {
            let count: usize = count.parse().map_err(|_| "no count")?;
            let mut spent = 0;
            for _ in 0..count {
                spent += match *name {
                    "grid" => rows.grid()?.0,
                    "touch" => rows.touch()?.0,
                    _ => rows.top()?.0,
                };
            }
            Ok(json!({ "cpu_ns": spent }))
        }
        _ => Err(format!("'{}': no such command", words.join(" "))),
    })
}

impl Rows {
    fn exchange(&self, latency_us: u64) -> Result<SimExchange, String> {
        let sim = SimConfig {
            feed_latency_us: 0,
            order_latency_us: latency_us,
            report_latency_us: latency_us,
            order_latency_jitter_us: 0,
            queue_power: 3.0,
        };
        let fees = FeeConfig { schedule: FeeSchedule::None, ..FeeConfig::default() };
        SimExchange::new(&sim, &fees, &[self.instrument], &[self.depth], 1)
            .map_err(|e| e.to_string())
    }

    /// Best prices after each row; returns the CPU time and their sum in ticks.
    fn top(&self) -> Result<(u64, i64), String> {
        let (mut exchange, mut book) =
            (self.exchange(LATENCY_US)?, Book::new(self.depth, &self.instrument));
        let before = cpu_ns();
        let mut sum = 0i64;
        for event in &self.events {
            exchange.on_market(event);
            book.apply(event);
            if event.ends_row() {
                let px = |side| book.best(side).map_or(0, |level| level.px.0);
                sum = sum.wrapping_add(px(Side::Bid)).wrapping_add(px(Side::Ask));
            }
        }
        Ok((cpu_ns() - before, std::hint::black_box(sum)))
    }

    /// Depth rows alone, the best prices after each, and a take of one lot every
    /// [`TAKE_EVERY`]th, at once; returns the CPU time and what became of it.
    fn touch(&self) -> Result<(u64, Value), String> {
        let mut exchange = self.exchange(0)?;
        let mut gate = Gate::new(&wide(), &[self.instrument]).map_err(|e| e.to_string())?;
        let mut book = Book::new(self.depth, &self.instrument);
        let depth: Vec<_> = self.events.iter().filter(|e| e.kind != EventKind::Trade).collect();
        let (tick, lot) = (self.instrument.tick.0, self.instrument.lot.0);
        let (mut messages, mut sum, mut fills, mut lots, mut value) = (0u64, 0i64, 0u64, 0, 0);
        let before = cpu_ns();
        for event in depth {
            exchange.on_market(event);
            book.apply(event);
            if !event.ends_row() {
                continue;
            }
            messages += 1;
            let best = |side| book.best(side).unwrap_or_default();
            let (bid, ask) = (best(Side::Bid), best(Side::Ask));
            // NautilusTrader shows no book at the first message.
            sum += if messages > 1 { (bid.px.0 + ask.px.0) / tick } else { 0 };
            if messages.is_multiple_of(TAKE_EVERY) {
                let now = event.ts_receive;
                let buy = messages / TAKE_EVERY % 2 == 1;
                let order = NewOrder {
                    client_order_id: ClientOrderId(messages),
                    qty: Qty(lot),
                    px: if buy { ask.px } else { bid.px },
                    parent_id: ParentId(1),
                    instrument: ONLY,
                    side: if buy { Side::Bid } else { Side::Ask },
                    order_type: OrderType::Limit,
                    tif: TimeInForce::Ioc,
                    reserved: [0; 7],
                };
                let quote = Quote { bid, ask, ts: now, trusted: book.is_trusted() };
                let order = gate.check(now, order, &quote).map_err(|c| c.name().to_string())?;
                exchange.submit(now, order);
                exchange.advance(now);
                while let Some((at, VenueMessage::Report(report))) = exchange.poll(now) {
                    let _ = gate.on_report(at, &report);
                    if report.kind == ReportKind::Fill {
                        let sign = if report.side == Side::Bid { 1 } else { -1 };
                        fills += 1;
                        lots += sign * report.qty.0 / lot;
                        value += sign * (report.qty.0 / lot) * (report.px.0 / tick);
                    }
                }
            }
        }
        let spent = cpu_ns() - before;
        Ok((
            spent,
            json!({ "messages": messages, "touch_sum": sum, "fills": fills,
            "position_lots": lots, "value_lot_ticks": value }),
        ))
    }

    /// Best bid and ask in ticks every 100 ms of the recorder's clock, as the book then stands.
    fn samples(&self) -> Result<Vec<[i64; 2]>, String> {
        let mut book = Book::new(self.depth, &self.instrument);
        let mut samples = Vec::new();
        let first = self.events.first().ok_or("no rows")?.ts_receive.0;
        let mut due = first + EVERY_NS;
        for event in &self.events {
            while event.ts_receive.0 > due {
                let tick = self.instrument.tick.0;
                let px = |side| book.best(side).map_or(0, |level| level.px.0 / tick);
                samples.push([px(Side::Bid), px(Side::Ask)]);
                due += EVERY_NS;
            }
            book.apply(event);
        }
        Ok(samples)
    }

    /// The grid over all rows; returns the CPU time and what became of it.
    fn grid(&self) -> Result<(u64, Value), String> {
        let mut grid = Grid {
            exchange: self.exchange(LATENCY_US)?,
            gate: Gate::new(&wide(), &[self.instrument]).map_err(|e| e.to_string())?,
            book: Book::new(self.depth, &self.instrument),
            instrument: self.instrument,
            orders: Vec::with_capacity(8 * ORDERS),
            last_id: 0,
            position: 0,
            counts: Counts::default(),
        };
        let before = cpu_ns();
        let mut due = self.events.first().ok_or("no rows")?.ts_receive.0 + EVERY_NS;
        for event in &self.events {
            while event.ts_receive.0 > due {
                grid.look(RecvTs(due));
                due += EVERY_NS;
            }
            grid.exchange.on_market(event);
            grid.book.apply(event);
            if event.kind == EventKind::Trade {
                grid.counts.trades += 1;
            }
        }
        let spent = cpu_ns() - before;
        let c = grid.counts;
        let lots = |qty: i64| qty as f64 / grid.instrument.lot.0 as f64;
        let found = json!({ "sent": c.sent, "refused": c.refused, "fills": c.fills,
            "bought_lots": lots(c.bought), "sold_lots": lots(c.sold),
            "position_lots": lots(grid.position), "market_trades": c.trades });
        Ok((spent, found))
    }
}

/// What a run of the grid counts.
#[derive(Clone, Copy, Default)]
struct Counts {
    sent: u64,
    refused: u64,
    fills: u64,
    bought: i64,
    sold: i64,
    trades: u64,
}

/// One order of ours.
struct Own {
    id: ClientOrderId,
    side: Side,
    px: i64,
    cancelling: bool,
}

struct Grid {
    exchange: SimExchange,
    gate: Gate,
    book: Book,
    instrument: Instrument,
    orders: Vec<Own>,
    last_id: u64,
    position: i64,
    counts: Counts,
}

impl Grid {
    /// One look at the market: what came back, what to cancel, what to send.
    fn look(&mut self, now: RecvTs) {
        self.exchange.advance(now);
        while let Some((at, VenueMessage::Report(report))) = self.exchange.poll(now) {
            let _ = self.gate.on_report(at, &report);
            if report.kind == ReportKind::Fill {
                self.counts.fills += 1;
                let bought = report.side == Side::Bid;
                *(if bought { &mut self.counts.bought } else { &mut self.counts.sold }) +=
                    report.qty.0;
                self.position += if bought { report.qty.0 } else { -report.qty.0 };
            }
            if report.leaves.0 == 0 && report.kind != ReportKind::CancelReject {
                self.orders.retain(|o| o.id != report.client_order_id);
            }
        }
        let (Some(bid), Some(ask)) = (self.book.best(Side::Bid), self.book.best(Side::Ask)) else {
            return;
        };
        let mut wanted = [[0i64; ORDERS]; 2];
        self.prices(bid.px.0, ask.px.0, &mut wanted);
        for order in self.orders.iter_mut().filter(|o| !o.cancelling) {
            if !wanted[order.side as usize].contains(&order.px) {
                order.cancelling = true;
                let id = order.id;
                let cancel =
                    CancelOrder { client_order_id: id, instrument: ONLY, reserved: [0; 6] };
                self.exchange.cancel(now, cancel);
            }
        }
        let quote = Quote { bid, ask, ts: now, trusted: self.book.is_trusted() };
        let most = ORDERS as i64 * LOTS * self.instrument.lot.0;
        for side in [Side::Bid, Side::Ask] {
            let open = if side == Side::Bid { self.position < most } else { self.position > -most };
            for &px in wanted[side as usize].iter().filter(|_| open) {
                if !self.orders.iter().any(|o| o.side == side && o.px == px) {
                    self.send(now, side, px, &quote);
                }
            }
        }
    }

    /// Prices of both sides, the nearest first.
    fn prices(&self, bid: i64, ask: i64, wanted: &mut [[i64; ORDERS]; 2]) {
        let tick = self.instrument.tick.0;
        let mid = (bid + ask) as f64 / 2.0 / tick as f64;
        let skew = HALF_SPREAD / ORDERS as f64
            * (self.position as f64 / (LOTS * self.instrument.lot.0) as f64);
        let step = (mid * GRID).round().max(1.0);
        let buy = (mid * (1.0 - HALF_SPREAD - skew)).min((bid / tick) as f64);
        let sell = (mid * (1.0 + HALF_SPREAD - skew)).max((ask / tick) as f64);
        let (buy, sell) = ((buy / step).floor() * step, (sell / step).ceil() * step);
        for i in 0..ORDERS {
            let away = i as f64 * step;
            wanted[Side::Bid as usize][i] = (buy - away) as i64 * tick;
            wanted[Side::Ask as usize][i] = (sell + away) as i64 * tick;
        }
    }

    fn send(&mut self, now: RecvTs, side: Side, px: i64, quote: &Quote) {
        self.last_id += 1;
        let id = ClientOrderId(self.last_id);
        let order = NewOrder {
            client_order_id: id,
            qty: Qty(LOTS * self.instrument.lot.0),
            px: Px(px),
            parent_id: ParentId(1),
            instrument: ONLY,
            side,
            order_type: OrderType::Limit,
            tif: TimeInForce::Gtc,
            reserved: [0; 7],
        };
        match self.gate.check(now, order, quote) {
            Ok(approved) => {
                self.counts.sent += 1;
                self.orders.push(Own { id, side, px, cancelling: false });
                self.exchange.submit(now, approved);
            }
            Err(_) => self.counts.refused += 1,
        }
    }
}
