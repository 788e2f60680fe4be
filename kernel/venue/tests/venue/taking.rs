//! Orders that take displayed liquidity: books and fills worked out by hand.

use crate::rig::*;
use Side::{Ask, Bid};
use TimeInForce::{Day, Gtc, Ioc};
use ijk_core::{DepthKind, EventKind, Qty, RowFlags, Side, TimeInForce};
use ijk_venue::RejectReason;

/// Bids 99.98 x 300, 99.99 x 200; asks 100.01 x 100, 100.02 x 200, 100.04 x 300.
fn book() -> Rig {
    let mut rig = Rig::new(DepthKind::L2);
    for (cents, qty) in [(10_001, 100), (10_002, 200), (10_004, 300)] {
        rig.level(Ask, cents, qty);
    }
    for (cents, qty) in [(9_998, 300), (9_999, 200)] {
        rig.level(Bid, cents, qty);
    }
    rig
}

#[test]
fn walks_the_levels() {
    let rows: [(Side, i64, i64, TimeInForce, &[&str]); 10] = [
        (Bid, 60, 10_001, Day, &["ack 1", "take 1 60@10001 leaves 0"]),
        (Bid, 100, 10_001, Ioc, &["ack 1", "take 1 100@10001 leaves 0"]),
        (Bid, 101, 10_001, Ioc, &["ack 1", "take 1 100@10001 leaves 1", "expired 1 1"]),
        (
            Bid,
            250,
            10_002,
            Gtc,
            &["ack 1", "take 1 100@10001 leaves 150", "take 1 150@10002 leaves 0"],
        ),
        // 100.03 holds nothing: the rest of a day order stays, of an IOC goes.
        (
            Bid,
            400,
            10_003,
            Day,
            &["ack 1", "take 1 100@10001 leaves 300", "take 1 200@10002 leaves 100"],
        ),
        (Bid, 10, 10_000, Ioc, &["ack 1", "expired 1 10"]),
        (Bid, 10, 10_000, Day, &["ack 1"]),
        // A market order takes what there is, whatever its time in force.
        (
            Bid,
            700,
            0,
            Day,
            &[
                "ack 1",
                "take 1 100@10001 leaves 600",
                "take 1 200@10002 leaves 400",
                "take 1 300@10004 leaves 100",
                "expired 1 100",
            ],
        ),
        (Ask, 250, 0, Ioc, &["ack 1", "take 1 200@9999 leaves 50", "take 1 50@9998 leaves 0"]),
        (Ask, 250, 9_999, Ioc, &["ack 1", "take 1 200@9999 leaves 50", "expired 1 50"]),
    ];
    for (side, qty, cents, tif, want) in rows {
        let mut rig = book();
        rig.place(side, qty, cents, tif);
        assert_eq!(rig.told(), want, "{side:?} {qty} {cents} {tif:?}");
    }
}

#[test]
fn displayed_shares_are_taken_once() {
    let mut rig = book();
    rig.place(Bid, 60, 10_001, Ioc);
    rig.place(Bid, 60, 10_001, Ioc);
    rig.place(Bid, 60, 10_001, Ioc);
    assert_eq!(
        rig.told(),
        [
            "ack 1",
            "take 1 60@10001 leaves 0",
            "ack 2",
            "take 2 40@10001 leaves 20",
            "expired 2 20",
            "ack 3",
            "expired 3 60",
        ]
    );
}

/// After 60 of 100 were taken: what the level becomes, and what there is to take then.
#[test]
fn what_was_taken_is_remembered_until_the_level_shrinks() {
    let rows: [(&[i64], i64); 8] = [
        (&[], 40),
        (&[150], 90),      // 50 joined
        (&[70], 10),       // 30 left: of the 40 that we had left
        (&[30], 0),        // all 30 may be what we took
        (&[30, 100], 70),  // 70 joined after that
        (&[0, 100], 100),  // the level went: a new one owes nothing
        (&[100, 100], 40), // nothing changed
        (&[59, 60], 1),
    ];
    for (levels, left) in rows {
        let mut rig = book();
        rig.place(Bid, 60, 10_001, Ioc);
        for qty in levels {
            rig.level(Ask, 10_001, *qty);
        }
        rig.told();
        rig.place(Bid, 1_000, 10_001, Ioc);
        let taken: i64 = {
            rig.told();
            rig.reports()
                .iter()
                .filter(|r| r.client_order_id.0 == 2)
                .map(|r| if r.maker == 0 && r.exec_id.0 != 0 { r.qty.0 } else { 0 })
                .sum()
        };
        assert_eq!(taken, left, "{levels:?}");
    }
}

#[test]
fn the_memory_of_one_side_and_price_is_its_own() {
    let mut rig = book();
    rig.place(Bid, 100, 10_001, Ioc);
    rig.place(Ask, 200, 9_999, Ioc);
    rig.place(Bid, 50, 10_002, Ioc);
    assert_eq!(
        rig.told(),
        [
            "ack 1",
            "take 1 100@10001 leaves 0",
            "ack 2",
            "take 2 200@9999 leaves 0",
            "ack 3",
            "take 3 50@10002 leaves 0",
        ]
    );
}

#[test]
fn fills_are_whole_lots() {
    let lot = ijk_core::Instrument { lot: Qty(100), ..stock() };
    let mut rig = Rig::with(DepthKind::L2, &sim(), &no_fees(), lot);
    rig.level(Ask, 10_001, 250);
    rig.place(Bid, 300, 10_001, Ioc);
    assert_eq!(rig.told(), ["ack 1", "take 1 200@10001 leaves 100", "expired 1 100"]);
}

#[test]
fn the_rest_of_a_taker_rests_at_its_limit_and_makes() {
    let mut rig = book();
    let id = rig.place(Bid, 150, 10_001, Day);
    assert_eq!(rig.ahead(id), Some(0.0));
    rig.trade(Ask, 10_001, 30);
    assert_eq!(rig.told(), ["ack 1", "take 1 100@10001 leaves 50", "make 1 30@10001 leaves 20",]);
}

#[test]
fn an_untrusted_or_halted_book_matches_nothing() {
    for (event, reason) in
        [(EventKind::Gap, RejectReason::BookUntrusted), (EventKind::Halt, RejectReason::Halted)]
    {
        let mut rig = book();
        rig.event(event, Bid, 0, 0, 0);
        rig.place(Bid, 10, 0, Day);
        rig.place(Bid, 10, 10_001, Day);
        rig.place(Bid, 10, 10_000, Ioc);
        let resting = rig.place(Bid, 10, 10_000, Day);
        let reason = reason as u16;
        let mut want: Vec<String> =
            (1..4).map(|id| format!("reject {id} reason {reason}")).collect();
        want.push("ack 4".into());
        assert_eq!(rig.told(), want);
        // Nor is the resting order crossed before the book can be believed again.
        rig.level(Ask, 10_000, 10);
        assert_eq!(rig.told(), [""; 0]);
        if event == EventKind::Gap {
            rig.event(EventKind::Clear, Bid, 0, 0, 0);
            rig.level(Ask, 10_000, 10);
        } else {
            rig.event(EventKind::Resume, Bid, 0, 0, 0);
        }
        assert_eq!(rig.told(), [format!("make {resting} 10@10000 leaves 0")]);
    }
}

#[test]
fn an_order_waits_for_the_end_of_a_venue_event() {
    let mut rig = book();
    let order = rig.order(Bid, 10, 10_001, Ioc);
    rig.send(order);
    rig.wait_us(2_000);
    // The touch is rewritten in two records; the order would fall between them.
    rig.event_with(EventKind::LevelSet, Ask, 10_001, 0, 0, RowFlags(0));
    rig.wait_us(1);
    let end = RowFlags::ROW_END.with(RowFlags::BOOK_END);
    rig.event_with(EventKind::LevelSet, Ask, 10_000, 10, 0, end);
    rig.wait_us(1);
    rig.level(Bid, 9_998, 301);
    // It arrived before either, so it had the old touch.
    assert_eq!(rig.told(), ["ack 1", "take 1 10@10001 leaves 0"]);
    let order = rig.order(Bid, 10, 10_001, Ioc);
    rig.send(order);
    rig.event_with(EventKind::LevelSet, Ask, 10_000, 0, 0, RowFlags(0));
    rig.wait_us(1_500);
    rig.event_with(EventKind::LevelSet, Ask, 9_999, 10, 0, end);
    rig.level(Bid, 9_998, 302);
    assert_eq!(rig.told(), ["ack 2", "take 2 10@9999 leaves 0"]);
}
