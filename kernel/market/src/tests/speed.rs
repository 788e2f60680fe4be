//! Time per event on a real session, for information: run with
//! `cargo test --release -p ijk-market speed -- --ignored --nocapture`.

use super::lobster_goog::goog;
use crate::{Book, FeatureEngine};
use ijk_core::{
    DepthKind, EventKind, Instrument, InstrumentId, MarketEvent, Px, Qty, Side, Symbol,
};
use std::hint::black_box;
use std::time::Instant;

fn nanoseconds(name: &str, events: &[MarketEvent], mut run: impl FnMut()) {
    let best = (0..9).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed()
    });
    let best = best.min().unwrap().as_nanos() as f64 / events.len() as f64;
    println!("{name}: {best:.1} ns a record, {} records", events.len());
}

/// A stream of adds, cuts, deletes and executions of single orders around a drifting price, with
/// `live_min` to `live_max` orders in the book.
fn orders(count: usize, live_min: usize, live_max: usize) -> Vec<MarketEvent> {
    let mut state = 7u64;
    let mut draw = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut live: Vec<MarketEvent> = Vec::new();
    let mut out = Vec::new();
    let mut mid = 57_900i64;
    for n in 0..count as u64 {
        let mut ev = MarketEvent::new(EventKind::Add, InstrumentId(0));
        if live.len() < live_min || (draw(2) == 0 && live.len() < live_max) {
            mid += draw(3) as i64 - 1;
            ev.side = if draw(2) == 0 { Side::Bid } else { Side::Ask };
            ev.px = Px((mid - ev.side.sign() * (1 + draw(60) as i64)) * 10_000_000);
            ev.qty = Qty(1 + draw(300) as i64);
            ev.order_id = 15_000_000 + 7 * n;
            live.push(ev);
        } else {
            let at = draw(live.len() as u64) as usize;
            let cut = draw(6) == 0 && live[at].qty.0 > 1;
            ev = live[at];
            if cut {
                ev.kind = EventKind::Reduce;
                ev.qty = Qty(ev.qty.0 / 2);
                live[at].qty.0 -= ev.qty.0;
            } else {
                ev.kind = if draw(8) == 0 { EventKind::ExecVisible } else { EventKind::Delete };
                live.swap_remove(at);
            }
        }
        ev.flags = ijk_core::RowFlags::ROW_END;
        out.push(ev);
    }
    out
}

#[test]
#[ignore = "prints times, checks nothing"]
fn speed_of_books_and_features() {
    let instrument = Instrument::us_equity(Symbol::new("GOOG").unwrap());
    let live = [(100, 400), (2_000, 6_000), (40_000, 60_000)];
    let mut streams: Vec<(String, Vec<MarketEvent>)> = live
        .map(|(least, most)| (format!("{least} to {most} orders"), orders(400_000, least, most)))
        .into();
    streams.extend(goog(150_000).map(|(events, _)| ("GOOG levels".to_string(), events)));
    for (name, events) in &streams {
        for kind in [DepthKind::L2, DepthKind::L3] {
            let mut book = Book::new(kind, &instrument);
            nanoseconds(&format!("{name} {kind:?} book"), events, || {
                book.clear();
                for ev in events {
                    black_box(book.apply(ev));
                }
            });
            let mut book = Book::new(kind, &instrument);
            nanoseconds(&format!("{name} {kind:?} book and features"), events, || {
                book.clear();
                let mut engine = FeatureEngine::new(10);
                for ev in events {
                    book.apply(ev);
                    black_box(engine.on_record(ev, &book));
                }
            });
        }
    }
}
