//! From the broker's tick to an order, ring to ring: what the adapter and the kernel add to what
//! the gateway and the network take. One thread; sockets, the client library and the wake-up of a
//! waiting thread are not in it.

use super::Rows;
use super::measure::{Result1, calls};
use crate::exit::Exit;
use ijk_core::record::{DecisionRecord, ParentRecord, RefusalRecord};
use ijk_core::{
    AlarmRecord, CancelOrder, Config, DepthKind, FateRecord, MarketEvent, NewOrder, RecvTs, Side,
    SnapshotRequest,
};
use ijk_engine::{Input as KernelInput, Kernel, KernelParts, NoProbe, Outputs};
use ijk_ibkr::market::{Converter, Heard, Input};
use ijk_infer::{Encoder, Weights};
use ijk_market::Book;
use ijk_risk::Approved;
use rtrb::{Consumer, Producer, RingBuffer};
use std::hint::black_box;

/// Ticks measured.
const TICKS_MAX: usize = 100_000;
/// Slots of each ring.
const SLOTS: usize = 1_024;

/// Orders go into a ring, as they do to the thread that sends them.
struct ToRing(Producer<NewOrder>);

impl Outputs for ToRing {
    fn decision(&mut self, _: RecvTs, _: &DecisionRecord) {}
    fn order(&mut self, _: RecvTs, order: Approved<NewOrder>) {
        let _ = black_box(self.0.push(*order.get()));
    }
    fn cancel(&mut self, _: RecvTs, _: CancelOrder) {}
    fn refusal(&mut self, _: RecvTs, _: &RefusalRecord) {}
    fn parent(&mut self, _: RecvTs, _: &ParentRecord) {}
    fn request(&mut self, _: RecvTs, _: &SnapshotRequest) {}
    fn fate(&mut self, _: RecvTs, _: &FateRecord) {}
    fn alarm(&mut self, _: RecvTs, _: &AlarmRecord) {}
}

/// Everything between the two ends.
struct Path {
    converter: Converter,
    market: (Producer<MarketEvent>, Consumer<MarketEvent>),
    kernel: Kernel,
    orders: ToRing,
    sent: Consumer<NewOrder>,
}

impl Path {
    fn tick(&mut self, input: &Input) {
        self.converter.on(input);
        let (ring, reader) = &mut self.market;
        self.converter.flush(SLOTS, &mut |event| _ = ring.push(event));
        while let Ok(ev) = reader.pop() {
            let out = &mut self.orders;
            self.kernel.on_input(ev.ts_receive, &KernelInput::Market(&ev), out, &mut NoProbe);
        }
        while let Ok(order) = self.sent.pop() {
            black_box(order);
        }
    }
}

/// One tick of the gateway (a quote of both sides, or a trade) until the records that follow from
/// it are through the kernel and its orders out of the order ring. Names: `adapter.convert` stops
/// at the market ring, `adapter.tick_to_order` goes all the way, with the ensemble.
///
/// # Errors
/// Exit code 2 where the kernel refuses its settings.
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
    let (config, encoder) = (Config::default(), Encoder::new(weights));
    let depths = vec![DepthKind::L2; rows.instruments.len()];
    let kernel = || {
        Kernel::new(KernelParts {
            config: &config,
            instruments: &rows.instruments,
            depths: &depths,
            encoder: Some(encoder.clone()),
            epoch: 0,
            external_venue: false,
        })
        .map_err(Exit::usage)
    };
    kernel()?;
    let convert = calls("adapter.convert", ticks.len(), converter, |converter, i| {
        converter.on(&ticks[i]);
        converter.flush(SLOTS, &mut |event| _ = black_box(event));
    });
    let path = || {
        let (orders, sent) = RingBuffer::new(SLOTS);
        let (converter, market) = (converter(), RingBuffer::new(SLOTS));
        let orders = ToRing(orders);
        kernel().ok().map(|kernel| Path { converter, market, kernel, orders, sent })
    };
    let whole = calls("adapter.tick_to_order", ticks.len(), path, |path, i| {
        if let Some(path) = path {
            path.tick(&ticks[i]);
        }
    });
    Ok(vec![convert, whole])
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
