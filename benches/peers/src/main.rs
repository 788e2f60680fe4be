//! `ijk-peers FEED FLOW TICK LOT ORDER_US REPORT_US QUEUE_POWER`: runs a scripted order flow
//! through the simulated exchange over a recorded feed of one symbol and writes what became of
//! each order as CSV: `id,event,ts_ns,px,qty,maker`, times at the exchange.
//!
//! The exchange takes only what the risk gate approved, so the flow passes one with wide limits;
//! what it refuses is written as `refused` and is to be taken out of the peer's flow too.

mod flow;

use flow::{Action, Step};
use ijk_core::config::{FeeConfig, FeeSchedule, SimConfig};
use ijk_core::num::parse_decimal_e9;
use ijk_core::{
    CancelOrder, ClientOrderId, EventSource, Instrument, InstrumentId, NewOrder, OrderType,
    ParentId, Px, Qty, RecvTs, RowFlags, Side, TimeInForce, VenueReport,
};
use ijk_data::{FeedSpec, open_feed};
use ijk_market::Book;
use ijk_peers::wide;
use ijk_risk::{Gate, Quote};
use ijk_venue::{SimExchange, Venue, VenueMessage};
use std::io::Write;

const ONLY: InstrumentId = InstrumentId(0);

/// Everything that one run needs.
struct Run<W> {
    exchange: SimExchange,
    gate: Gate,
    book: Book,
    last: RecvTs,
    out: W,
}

fn main() {
    if let Err(e) = run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        eprintln!("ijk-peers: {e}");
        std::process::exit(2);
    }
}

fn run(args: &[String]) -> Result<(), String> {
    let [feed, flow, tick, lot, order_us, report_us, power] = args else {
        return Err("usage: FEED FLOW TICK LOT ORDER_US REPORT_US QUEUE_POWER".to_string());
    };
    let e9 = |t: &String| parse_decimal_e9(t.as_bytes()).map_err(|_| format!("'{t}' is no number"));
    let us = |t: &String| t.parse::<u64>().map_err(|e| format!("'{t}': {e}"));
    let spec: FeedSpec = feed.parse().map_err(|e| format!("{e}"))?;
    let text = std::fs::read_to_string(flow).map_err(|e| format!("{flow}: {e}"))?;
    let steps = flow::parse(&text).map_err(|e| format!("{flow}: {e}"))?;
    let mut source = open_feed(&spec, 1).map_err(|e| e.to_string())?;
    let [first] = source.instruments() else { return Err(format!("{feed}: not one symbol")) };
    let instrument = Instrument { tick: Px(e9(tick)?), lot: Qty(e9(lot)?), ..*first };
    let sim = SimConfig {
        feed_latency_us: 0,
        order_latency_us: us(order_us)?,
        report_latency_us: us(report_us)?,
        order_latency_jitter_us: 0,
        queue_power: power.parse().map_err(|e| format!("'{power}': {e}"))?,
    };
    let fees = FeeConfig { schedule: FeeSchedule::None, ..FeeConfig::default() };
    let kind = source.depth_kind(0);
    let exchange = SimExchange::new(&sim, &fees, &[instrument], &[kind], 1);
    let mut run = Run {
        exchange: exchange.map_err(|e| e.to_string())?,
        gate: Gate::new(&wide(), &[instrument]).map_err(|e| e.to_string())?,
        book: Book::new(kind, &instrument),
        last: RecvTs(0),
        out: std::io::BufWriter::new(std::io::stdout().lock()),
    };
    run.replay(&mut source, &steps).map_err(|e| e.to_string())
}

impl<W: Write> Run<W> {
    fn replay(
        &mut self,
        source: &mut dyn EventSource,
        steps: &[Step],
    ) -> Result<(), Box<dyn std::error::Error>> {
        writeln!(self.out, "id,event,ts_ns,px,qty,maker")?;
        let mut steps = steps.iter().peekable();
        while let Some(ev) = source.next_event()? {
            while let Some(step) = steps.next_if(|s| s.at < ev.ts_receive) {
                self.step(step)?;
            }
            self.exchange.on_market(&ev);
            self.book.apply(&ev);
            if ev.flags.has(RowFlags::BOOK_END) {
                self.last = ev.ts_receive;
            }
            self.hear(ev.ts_receive)?;
        }
        self.exchange.finish(self.last);
        self.hear(RecvTs(u64::MAX))?;
        Ok(self.out.flush()?)
    }

    fn step(&mut self, s: &Step) -> std::io::Result<()> {
        self.exchange.advance(s.at);
        self.hear(s.at)?;
        let client_order_id = ClientOrderId(s.id);
        if s.action == Action::Cancel {
            let cancel = CancelOrder { client_order_id, instrument: ONLY, reserved: [0; 6] };
            self.exchange.cancel(s.at, cancel);
            return Ok(());
        }
        let order = NewOrder {
            client_order_id,
            qty: s.qty,
            px: s.px,
            parent_id: ParentId(1),
            instrument: ONLY,
            side: s.side,
            order_type: OrderType::Limit,
            tif: if s.action == Action::Take { TimeInForce::Ioc } else { TimeInForce::Gtc },
            reserved: [0; 7],
        };
        let level = |side| self.book.best(side).unwrap_or_default();
        let (bid, ask) = (level(Side::Bid), level(Side::Ask));
        let quote = Quote { bid, ask, ts: s.at, trusted: self.book.is_trusted() };
        match self.gate.check(s.at, order, &quote) {
            Ok(approved) => {
                self.exchange.submit(s.at, approved);
                Ok(())
            }
            Err(code) => writeln!(self.out, "{},refused,{},{},0,0", s.id, s.at.0, code.name()),
        }
    }

    fn hear(&mut self, now: RecvTs) -> std::io::Result<()> {
        while let Some((at, VenueMessage::Report(r))) = self.exchange.poll(now) {
            // The gate's ledger follows; an order that ended leaves it.
            let _ = self.gate.on_report(at, &r);
            self.line(&r)?;
        }
        Ok(())
    }

    fn line(&mut self, r: &VenueReport) -> std::io::Result<()> {
        writeln!(
            self.out,
            "{},{:?},{},{},{},{}",
            r.client_order_id.0, r.kind, r.ts_exchange.0, r.px.0, r.qty.0, r.maker
        )
    }
}
