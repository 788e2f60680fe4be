//! From the broker's tick to an order, ring to ring: what the adapter and the kernel add to what
//! the gateway and the network take. One thread; sockets, the client library and the wake-up of a
//! waiting thread are not in it.

use super::Rows;
use super::measure::{Result1, calls, paths};
use super::trading::Trading;
use crate::exit::Exit;
use ijk_core::{Config, DepthKind, MarketEvent, Side};
use ijk_ibkr::market::{Converter, Heard, Input};
use ijk_infer::{Encoder, Weights};
use ijk_market::Book;
use rtrb::{Consumer, Producer, RingBuffer};
use std::hint::black_box;

/// Ticks measured.
const TICKS_MAX: usize = 100_000;
/// Slots of each ring.
const SLOTS: usize = 1_024;

/// Everything between the two ends.
struct Path {
    converter: Converter,
    market: (Producer<MarketEvent>, Consumer<MarketEvent>),
    trading: Trading,
    /// Records of the last tick.
    seen: Vec<MarketEvent>,
}

impl Path {
    fn tick(&mut self, input: &Input) {
        self.seen.clear();
        self.converter.on(input);
        let (ring, reader) = &mut self.market;
        self.converter.flush(SLOTS, &mut |event| _ = ring.push(event));
        while let Ok(event) = reader.pop() {
            self.trading.take(&event);
            self.seen.push(event);
        }
    }

    fn settle(&mut self) -> bool {
        self.seen.iter().fold(false, |any, event| self.trading.settle(event) | any)
    }
}

/// One tick of the gateway (a quote of both sides, or a trade) until the records that follow from
/// it are through the kernel and its orders in the order ring. Names: `adapter.convert` stops at
/// the market ring; `adapter.tick` goes all the way, with the ensemble; `adapter.tick_to_order` are
/// the ticks among them out of which an order left.
///
/// # Errors
/// Exit code 2 where the kernel refuses its settings, 70 where two passes differ.
pub fn adapter(rows: &Rows, weights: &Weights) -> Result<Vec<Result1>, Exit> {
    let ticks = ticks(rows);
    let by_rows = vec![false; rows.instruments.len()];
    let converter = || {
        let mut converter = Converter::new(&rows.instruments, &by_rows, 10, 0.5);
        for instrument in 0..rows.instruments.len() as u16 {
            converter.on(&Input { at_ns: 0, instrument, heard: Heard::Fresh });
        }
        converter
    };
    let depths = vec![DepthKind::L2; rows.instruments.len()];
    let encoder = Encoder::new(weights);
    let config = Config::default();
    let trading = || Trading::new(&config, &rows.instruments, &depths, Some(encoder.clone()));
    trading()?;
    let convert = calls(
        "adapter.convert",
        ticks.len(),
        || (converter(), 0u64),
        |(converter, records), i| {
            converter.on(&ticks[i]);
            converter.flush(SLOTS, &mut |event| *records += u64::from(black_box(event).qty.0 >= 0));
        },
        |(_, records)| *records,
    )?;
    let path = || {
        let (converter, market) = (converter(), RingBuffer::new(SLOTS));
        let seen = Vec::with_capacity(SLOTS);
        trading().ok().map(|trading| Path { converter, market, trading, seen })
    };
    let [all, with_order] = paths(
        ["adapter.tick", "adapter.tick_to_order"],
        ticks.len(),
        path,
        |path, i| {
            if let Some(path) = path {
                path.tick(&ticks[i]);
            }
        },
        |path, _| path.as_mut().is_some_and(Path::settle),
        |path| path.as_ref().map_or(0, |path| path.trading.answer()),
    )?;
    Ok(vec![convert, all, with_order])
}

/// Returns what a gateway would tell of the rows: each new best quote, each trade.
fn ticks(rows: &Rows) -> Vec<Input> {
    let book = |(i, depth): (_, &DepthKind)| Book::new(*depth, i);
    let mut books: Vec<Book> = rows.instruments.iter().zip(&rows.depths).map(book).collect();
    let mut last = vec![None; books.len()];
    let mut ticks = Vec::new();
    for ev in &rows.records {
        let at = ev.instrument.index();
        books[at].apply(ev);
        let shares = |qty| rows.instruments[at].qty_as_f64(qty);
        let mut hear = |heard| {
            ticks.push(Input { at_ns: ev.ts_receive.0, instrument: at as u16, heard });
        };
        if let Some((qty, _)) = ev.visible_trade() {
            hear(Heard::Trade { px: ev.px.as_f64(), qty: shares(qty), time_s: None });
        }
        let best = books[at].best(Side::Bid).zip(books[at].best(Side::Ask));
        if let Some((bid, ask)) = best.filter(|_| best != last[at]) {
            last[at] = best;
            hear(Heard::BidAsk {
                bid: bid.px.as_f64(),
                bid_qty: shares(bid.qty),
                ask: ask.px.as_f64(),
                ask_qty: shares(ask.qty),
            });
        }
        if ticks.len() >= TICKS_MAX {
            break;
        }
    }
    ticks
}
