//! A whole session through the adapter.

use crate::rig::{Rig, data, sim};
use ijk_core::config::IbkrDataConfig;
use ijk_core::{EventSource, Side};
use ijk_twsim::{Limits, SimConfig};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Simulated seconds a real one: the session takes less than a minute.
const SPEED: f64 = 600.0;

#[test]
fn six_and_a_half_hours_of_five_symbols_with_depth_end_with_the_gateways_own_books() {
    let limits = Limits { messages_per_s: 0, ..Limits::default() };
    let config = SimConfig { speed: SPEED, limits, quote_interval_ms: 5_000, ..sim(&[]) };
    let wanted = IbkrDataConfig {
        depth_rows: 5,
        depth_lines: 5,
        tick_lines: 5,
        // A machine with much else to do hears the last of it late.
        end_after_close_s: 60_000,
        ..data()
    };
    let symbols = ["AAPL", "MSFT", "TSLA", "NVDA", "SPY"];
    let mut rig = Rig::start(config, wanted, &symbols);
    let session = rig.feed.instruments()[0].session;
    let end = Instant::now() + Duration::from_secs(240);
    let now = |r: &Rig| r.server.with(|g| g.now_ns());
    while now(&rig) < session.close_ns {
        rig.drain();
        assert!(Instant::now() < end, "the day does not end");
        std::thread::sleep(Duration::from_millis(1));
    }
    // The market is over; what is under way arrives, late on a machine with much else to do.
    rig.until("the gateway's own books", |r| {
        (0..symbols.len()).all(|at| r.books[at].trusted && r.books[at].sides == shown(r, at))
    });
    for (book, name) in rig.books.iter().zip(symbols) {
        assert!(book.trades > 1_000 && book.quotes > 1_000, "{name}: {book:?}");
    }
    let counts = rig.feed.monitor().counts();
    assert_eq!((counts.out_of_step, counts.trades_dropped), (0, 0), "{counts:?}");
}

/// Returns what the gateway shows of a stock, price and shares.
fn shown(rig: &Rig, stock: usize) -> [BTreeMap<i64, i64>; 2] {
    [Side::Bid, Side::Ask].map(|side| {
        let levels = rig.server.with(|g| g.levels(stock, side, 5));
        levels.into_iter().map(|(px, qty)| (px, qty.0 / 100_000_000)).collect()
    })
}
