//! When things happen.

use crate::rig::*;
use Side::{Ask, Bid};
use TimeInForce::{Day, Ioc};
use ijk_core::config::SimConfig;
use ijk_core::{DepthKind, RecvTs, ReportKind, Side, TimeInForce, VenueReport};
use ijk_venue::Venue;

fn with_ask(sim: &SimConfig) -> Rig {
    let mut rig = Rig::with(DepthKind::L2, sim, &no_fees(), stock());
    rig.level(Ask, 10_001, 100);
    rig
}

#[test]
fn an_order_sees_the_book_of_its_arrival() {
    // The touch moves 1 us before, at, and 1 us after the arrival 1,000 us later. A record of
    // the same instant comes after the arrival.
    for (moves_at_us, fills_at) in [(999, 10_002), (1_000, 10_001), (1_001, 10_001)] {
        let mut rig = with_ask(&sim());
        let start = rig.now;
        let order = rig.order(Bid, 10, 10_005, Ioc);
        rig.send(order);
        rig.now = start.plus_ns(moves_at_us * US);
        rig.event(ijk_core::EventKind::LevelSet, Ask, 10_001, 0, 0);
        rig.level(Ask, 10_002, 100);
        rig.now = start.plus_ns(2 * MS);
        rig.venue.advance(rig.now);
        let want = ["ack 1".to_string(), format!("take 1 10@{fills_at} leaves 0")];
        assert_eq!(rig.told(), want, "{moves_at_us}");
    }
}

#[test]
fn reports_come_after_their_latency() {
    let mut rig = with_ask(&sim());
    let start = rig.now;
    let order = rig.order(Bid, 10, 10_001, Ioc);
    rig.send(order);
    let arrival = start.plus_ns(1_000 * US);
    assert_eq!(rig.venue.next_due(), Some(arrival));
    rig.venue.advance(RecvTs(arrival.0 - 1));
    assert_eq!(rig.venue.next_due(), Some(arrival));
    rig.venue.advance(arrival);
    let told = arrival.plus_ns(500 * US);
    assert_eq!(rig.venue.next_due(), Some(told));
    assert_eq!(rig.venue.take_report(RecvTs(told.0 - 1)), None);
    let (at, ack) = rig.venue.take_report(told).unwrap();
    assert_eq!((at, ack.kind, ack.ts_exchange.0), (told, ReportKind::Ack, arrival.0));
    assert_eq!(rig.venue.take_report(told).unwrap().1.kind, ReportKind::Fill);
    assert_eq!((rig.venue.take_report(told), rig.venue.next_due()), (None, None));
}

#[test]
fn a_cancel_races_the_fill() {
    // A trade fills the order 999, 1000, 1001 us after the cancel left; it arrives at 1000.
    for (trade_us, filled) in [(999, true), (1_000, false), (1_001, false)] {
        let mut rig = with_ask(&sim());
        let id = rig.place(Bid, 10, 9_999, Day);
        let start = rig.now;
        rig.cancel(id);
        rig.now = start.plus_ns(trade_us * US);
        rig.trade(Ask, 9_999, 50);
        rig.now = start.plus_ns(2 * MS);
        rig.venue.advance(rig.now);
        let want = if filled {
            vec!["ack 1", "make 1 10@9999 leaves 0", "cancel-reject 1 reason 9"]
        } else {
            vec!["ack 1", "canceled 1 10"]
        };
        assert_eq!(rig.told(), want, "{trade_us}");
    }
}

#[test]
fn a_cancel_never_overtakes_its_order() {
    let jittery = SimConfig { order_latency_jitter_us: 5_000, ..sim() };
    for seed in 0..50 {
        let mut rig = with_ask(&jittery);
        rig.venue =
            ijk_venue::SimExchange::new(&jittery, &no_fees(), &[stock()], &[DepthKind::L2], seed)
                .unwrap();
        for id in 1..=4 {
            let order = rig.order(Bid, 10, 9_999, Day);
            rig.send(order);
            rig.cancel(id);
        }
        rig.wait_us(100_000);
        rig.venue.advance(rig.now);
        let want: Vec<String> =
            (1..=4).flat_map(|id| [format!("ack {id}"), format!("canceled {id} 10")]).collect();
        assert_eq!(rig.told(), want);
    }
}

#[test]
fn jitter_is_bounded_seeded_and_repeats() {
    let jittery = SimConfig { order_latency_jitter_us: 300, ..sim() };
    let run = |seed: u64| -> Vec<(RecvTs, VenueReport)> {
        let i = stock();
        let mut venue =
            ijk_venue::SimExchange::new(&jittery, &no_fees(), &[i], &[DepthKind::L2], seed)
                .unwrap();
        let mut rig = Rig::new(DepthKind::L2);
        let mut all = vec![];
        for n in 0..200 {
            let now = RecvTs(n * 10 * MS);
            let order = rig.order(Bid, 10, 9_999, Ioc);
            venue.submit(now, approve(order, &i));
            venue.advance(now.plus_ns(9 * MS));
            while let Some(r) = venue.take_report(now.plus_ns(9 * MS)) {
                let latency = r.1.ts_exchange.0 - now.0;
                assert!((1_000 * US..=1_300 * US).contains(&latency));
                assert_eq!(r.0.0, r.1.ts_exchange.0 + 500 * US);
                all.push(r);
            }
        }
        all
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
    assert_eq!(run(7).len(), 400);
}
