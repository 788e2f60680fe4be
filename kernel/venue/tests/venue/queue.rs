//! Resting orders: queues, trades and crossings worked out by hand.

use crate::rig::*;
use EventKind as K;
use Side::{Ask, Bid};
use TimeInForce::Day;
use ijk_core::config::SimConfig;
use ijk_core::{DepthKind, EventKind, RowFlags, Side, TimeInForce};

const END: RowFlags = RowFlags(3);

/// Orders 11 (100), 12 (50), 13 (30) bid 99.99; order 21 asks 100.01.
fn l3() -> Rig {
    let mut rig = Rig::new(DepthKind::L3);
    rig.event(K::Add, Bid, 9_999, 100, 11);
    rig.event(K::Add, Bid, 9_999, 50, 12);
    rig.event(K::Add, Bid, 9_999, 30, 13);
    rig.event(K::Add, Ask, 10_001, 100, 21);
    rig
}

/// What stands before an order that joined behind 180, after these events.
#[test]
fn order_data_gives_the_exact_queue() {
    type Row<'a> = (&'a [(EventKind, i64, i64, u64)], f64);
    let rows: [Row; 14] = [
        (&[], 180.0),
        (&[(K::Add, 9_999, 500, 14)], 180.0), // behind us
        (&[(K::Add, 9_999, 500, 14), (K::Delete, 9_999, 500, 14)], 180.0),
        (&[(K::Add, 9_999, 500, 14), (K::Reduce, 9_999, 200, 14)], 180.0),
        (&[(K::Reduce, 9_999, 40, 12)], 140.0),
        (&[(K::Delete, 9_999, 50, 12)], 130.0),
        (&[(K::Delete, 9_999, 100, 11), (K::Delete, 9_999, 30, 13)], 50.0),
        (&[(K::ExecVisible, 9_999, 70, 11)], 110.0),
        (&[(K::Add, 9_999, 500, 14), (K::ExecVisible, 9_999, 100, 11)], 80.0),
        (&[(K::Modify, 9_999, 20, 12)], 150.0), // smaller: it keeps its place
        (&[(K::Modify, 9_999, 60, 12)], 130.0), // larger: to the end, behind us
        (&[(K::Modify, 9_998, 50, 12)], 130.0), // away
        (&[(K::Modify, 9_999, 60, 12), (K::Delete, 9_999, 60, 12)], 130.0),
        (&[(K::Add, 9_998, 70, 15), (K::Modify, 9_999, 70, 15)], 180.0), // joins behind us
    ];
    for (events, want) in rows {
        let mut rig = l3();
        let id = rig.place(Bid, 10, 9_999, Day);
        for (kind, cents, qty, order_id) in events {
            rig.event(*kind, Bid, *cents, *qty, *order_id);
        }
        assert_eq!(rig.ahead(id), Some(want), "{events:?}");
        assert_eq!(rig.told(), ["ack 1"], "{events:?}");
    }
}

#[test]
fn anonymous_quantity_stands_first() {
    let mut rig = Rig::new(DepthKind::L3);
    rig.level(Bid, 9_999, 200); // anonymous
    rig.event(K::Add, Bid, 9_999, 50, 12);
    rig.event(K::Add, Ask, 10_001, 100, 21);
    let id = rig.place(Bid, 10, 9_999, Day);
    assert_eq!(rig.ahead(id), Some(250.0));
    rig.event(K::Add, Bid, 9_999, 70, 13);
    rig.event(K::Delete, Bid, 9_999, 80, 99); // an order that was never added
    assert_eq!(rig.ahead(id), Some(170.0));
    rig.event(K::Delete, Bid, 9_999, 70, 13);
    assert_eq!(rig.ahead(id), Some(170.0));
    rig.event(K::Delete, Bid, 9_999, 50, 12);
    assert_eq!(rig.ahead(id), Some(120.0));
    rig.level(Bid, 9_999, 100);
    assert_eq!(rig.ahead(id), Some(100.0));
}

#[test]
fn executions_fill_us_when_the_front_is_gone() {
    let mut rig = l3();
    let id = rig.place(Bid, 40, 9_999, Day);
    rig.event(K::Add, Bid, 9_999, 200, 14);
    rig.event(K::ExecVisible, Bid, 9_999, 100, 11);
    rig.event(K::ExecVisible, Bid, 9_999, 50, 12);
    rig.event(K::ExecVisible, Bid, 9_999, 29, 13);
    assert_eq!(rig.ahead(id), Some(1.0));
    assert_eq!(rig.told(), ["ack 1"]);
    rig.event(K::ExecVisible, Bid, 9_999, 1, 13);
    assert_eq!((rig.ahead(id), rig.told().len()), (Some(0.0), 0));
    // The next execution hit an order that came after ours: it would have been ours.
    rig.event(K::ExecVisible, Bid, 9_999, 15, 14);
    assert_eq!(rig.told(), ["make 1 15@9999 leaves 25"]);
    rig.event(K::ExecVisible, Bid, 9_999, 100, 14);
    assert_eq!(rig.told(), ["make 1 25@9999 leaves 0"]);
    assert_eq!(rig.ahead(id), None);
}

#[test]
fn a_trade_record_with_its_book_change_apart_counts_once() {
    // As market-by-order feeds of CME tell it: trade, fill, then the change of the order.
    let mut rig = l3();
    let id = rig.place(Bid, 40, 9_999, Day);
    rig.event(K::Add, Bid, 9_999, 200, 14);
    rig.event_with(K::Trade, Ask, 9_999, 120, 0, RowFlags::ROW_END);
    assert_eq!(rig.ahead(id), Some(60.0));
    rig.event_with(K::Fill, Bid, 9_999, 100, 11, RowFlags::ROW_END);
    rig.event_with(K::Fill, Bid, 9_999, 20, 12, RowFlags::ROW_END);
    rig.event_with(K::Delete, Bid, 9_999, 100, 11, RowFlags::ROW_END);
    assert_eq!(rig.ahead(id), Some(60.0));
    rig.event_with(K::Reduce, Bid, 9_999, 20, 12, END);
    assert_eq!(rig.ahead(id), Some(60.0));
    rig.event(K::Reduce, Bid, 9_999, 10, 12); // a cancellation, no trade behind it
    assert_eq!(rig.ahead(id), Some(50.0));
    // 65 trade: 50 before us, 15 for us; the book change of order 14 moves nothing.
    rig.event_with(K::Trade, Ask, 9_999, 65, 0, RowFlags::ROW_END);
    rig.event_with(K::Delete, Bid, 9_999, 20, 12, RowFlags::ROW_END);
    rig.event_with(K::Delete, Bid, 9_999, 30, 13, RowFlags::ROW_END);
    rig.event_with(K::Reduce, Bid, 9_999, 15, 14, END);
    assert_eq!(rig.told(), ["ack 1", "make 1 15@9999 leaves 25"]);
    assert_eq!(rig.ahead(id), Some(0.0));
}

#[test]
fn a_trade_through_our_price_fills_us_whatever_the_queue() {
    for kind in [K::ExecVisible, K::ExecHidden] {
        let mut rig = l3();
        rig.place(Bid, 40, 9_999, Day);
        rig.event(kind, Bid, 9_998, 25, 77);
        rig.event(kind, Bid, 10_000, 25, 77); // better than ours: not our business
        rig.event(kind, Ask, 9_997, 25, 77); // a resting SALE traded
        rig.event(kind, Bid, 9_997, 100, 77);
        assert_eq!(rig.told(), ["ack 1", "make 1 25@9999 leaves 15", "make 1 15@9999 leaves 0"]);
    }
}

#[test]
fn a_hidden_execution_at_our_price_says_nothing_of_the_queue() {
    let mut rig = Rig::new(DepthKind::L3);
    rig.event(K::Add, Ask, 10_001, 100, 21);
    let id = rig.place(Bid, 40, 9_999, Day);
    rig.event(K::ExecHidden, Bid, 9_999, 25, 0);
    assert_eq!((rig.told(), rig.ahead(id)), (vec!["ack 1".to_string()], Some(0.0)));
}

#[test]
fn a_trade_without_aggressor_fills_only_through_our_price() {
    let mut rig = Rig::new(DepthKind::L2);
    rig.level(Ask, 10_001, 100);
    let id = rig.place(Bid, 40, 9_999, Day);
    let no_side = END.with(RowFlags::NO_SIDE);
    rig.event_with(K::Trade, Ask, 9_999, 30, 0, no_side);
    rig.event_with(K::Trade, Bid, 10_000, 30, 0, no_side);
    assert_eq!(rig.told(), ["ack 1"]);
    rig.event_with(K::Trade, Bid, 9_998, 30, 0, no_side);
    assert_eq!(rig.told(), [format!("make {id} 30@9999 leaves 10")]);
}

#[test]
fn own_orders_share_a_trade_by_price_then_time() {
    let mut rig = l3();
    let worse = rig.place(Bid, 20, 9_999, Day);
    let first = rig.place(Bid, 20, 10_000, Day);
    let second = rig.place(Bid, 20, 10_000, Day);
    rig.told();
    // 50 trade at 99.99: 20 + 20 through, 10 left against the 180 before `worse`.
    rig.event(K::ExecVisible, Bid, 9_999, 50, 11);
    assert_eq!(
        rig.told(),
        [format!("make {first} 20@10000 leaves 0"), format!("make {second} 20@10000 leaves 0"),]
    );
    assert_eq!(rig.ahead(worse), Some(130.0));
    let later = rig.place(Bid, 20, 9_999, Day);
    rig.event(K::Delete, Bid, 9_999, 50, 11);
    rig.event(K::Delete, Bid, 9_999, 50, 12);
    rig.event(K::Delete, Bid, 9_999, 30, 13);
    rig.told();
    rig.event(K::Add, Bid, 9_999, 90, 15);
    rig.event(K::ExecVisible, Bid, 9_999, 30, 15);
    assert_eq!(
        rig.told(),
        [format!("make {worse} 20@9999 leaves 0"), format!("make {later} 10@9999 leaves 10"),]
    );
}

#[test]
fn a_crossing_touch_fills_at_our_limit() {
    let mut rig = l3();
    let high = rig.place(Bid, 30, 10_000, Day);
    let low = rig.place(Bid, 40, 9_999, Day);
    rig.told();
    rig.event(K::Add, Ask, 10_000, 10, 22); // locks `high`
    assert_eq!(rig.told(), [format!("make {high} 10@10000 leaves 20")]);
    rig.level(Bid, 9_990, 5); // nothing new at 100.00: it was taken
    assert_eq!(rig.told(), [""; 0]);
    rig.event(K::Add, Ask, 9_998, 45, 23); // through both
    assert_eq!(
        rig.told(),
        [format!("make {high} 20@10000 leaves 0"), format!("make {low} 25@9999 leaves 15"),]
    );
    rig.event(K::Add, Ask, 9_999, 100, 24);
    assert_eq!(rig.told(), [format!("make {low} 15@9999 leaves 0")]);
}

#[test]
fn what_crossed_us_is_not_there_to_be_taken() {
    let mut rig = l3();
    let rest = rig.place(Bid, 30, 10_000, Day);
    rig.event(K::Add, Ask, 10_000, 50, 22);
    rig.place(Bid, 40, 10_000, TimeInForce::Ioc);
    assert_eq!(
        rig.told(),
        [
            format!("ack {rest}"),
            format!("make {rest} 30@10000 leaves 0"),
            "ack 2".into(),
            "take 2 20@10000 leaves 20".into(),
            "expired 2 20".into(),
        ]
    );
}

#[test]
fn level_data_trades_take_the_front_and_cancels_share_it() {
    let mut rig =
        Rig::with(DepthKind::L2, &SimConfig { queue_power: 2.0, ..sim() }, &no_fees(), stock());
    rig.level(Ask, 10_001, 100);
    rig.level(Bid, 9_999, 100);
    let id = rig.place(Bid, 10, 9_999, Day);
    assert_eq!(rig.ahead(id), Some(100.0));
    rig.level(Bid, 9_999, 150); // 50 joined behind
    assert_eq!(rig.ahead(id), Some(100.0));
    // 15 go: p = 50^2 / (100^2 + 50^2) = 0.2; 12 of them from the front.
    rig.level(Bid, 9_999, 135);
    assert!((rig.ahead(id).unwrap() - 88.0).abs() < 1e-9);
    // A trade takes the front; its level change is no second reduction.
    rig.trade(Ask, 9_999, 35);
    assert!((rig.ahead(id).unwrap() - 53.0).abs() < 1e-9);
    rig.level(Bid, 9_999, 100);
    assert!((rig.ahead(id).unwrap() - 53.0).abs() < 1e-9);
    // 47 stand behind us; the level shrinks to 20: no more can be before us.
    rig.level(Bid, 9_999, 20);
    assert!(rig.ahead(id).unwrap() <= 20.0);
    rig.level(Bid, 9_999, 0);
    assert_eq!(rig.ahead(id), Some(0.0));
    rig.trade(Ask, 9_999, 4);
    assert_eq!(rig.told(), ["ack 1", "make 1 4@9999 leaves 6"]);
}

#[test]
fn with_nothing_behind_us_every_cancel_was_before_us() {
    let mut rig = Rig::new(DepthKind::L2);
    rig.level(Ask, 10_001, 100);
    rig.level(Bid, 9_999, 100);
    let id = rig.place(Bid, 10, 9_999, Day);
    rig.level(Bid, 9_999, 60);
    assert_eq!(rig.ahead(id), Some(60.0));
}

#[test]
fn a_trade_larger_than_the_front_fills_the_difference() {
    let mut rig = Rig::new(DepthKind::L2);
    rig.level(Ask, 10_001, 100);
    rig.level(Bid, 9_999, 25);
    let id = rig.place(Bid, 50, 9_999, Day);
    rig.trade(Ask, 9_999, 40);
    assert_eq!(rig.told(), [format!("ack {id}"), format!("make {id} 15@9999 leaves 35")]);
    rig.trade(Bid, 9_999, 40); // the other side's aggressor
    assert_eq!(rig.told(), [""; 0]);
}

#[test]
fn a_better_best_that_goes_takes_the_queue_with_it() {
    let mut rig = Rig::new(DepthKind::L2);
    rig.level(Ask, 10_001, 100);
    rig.event(K::BestSet, Bid, 9_999, 80, 0);
    let id = rig.place(Bid, 10, 9_999, Day);
    assert_eq!(rig.ahead(id), Some(80.0));
    rig.event(K::BestSet, Bid, 9_999, 60, 0);
    assert_eq!(rig.ahead(id), Some(60.0));
    rig.event(K::BestSet, Bid, 9_998, 70, 0);
    assert_eq!(rig.ahead(id), Some(0.0));
}

#[test]
fn a_snapshot_does_not_move_us_to_the_front() {
    let mut rig = Rig::new(DepthKind::L2);
    rig.level(Ask, 10_001, 100);
    rig.level(Bid, 9_999, 80);
    let id = rig.place(Bid, 10, 9_999, Day);
    let part = RowFlags::SNAPSHOT;
    rig.event_with(K::Clear, Bid, 0, 0, 0, part);
    rig.event_with(K::LevelSet, Ask, 10_001, 100, 0, part);
    rig.event_with(K::LevelSet, Bid, 9_999, 90, 0, part.with(END));
    assert_eq!(rig.ahead(id), Some(80.0));
    rig.event_with(K::Clear, Bid, 0, 0, 0, part);
    rig.event_with(K::LevelSet, Bid, 9_999, 70, 0, part.with(END));
    assert_eq!(rig.ahead(id), Some(70.0));
}

#[test]
fn a_later_own_order_never_passes_an_earlier_one() {
    let mut rig = Rig::new(DepthKind::L2);
    rig.level(Ask, 10_001, 100);
    rig.level(Bid, 9_999, 50);
    let first = rig.place(Bid, 10, 9_999, Day);
    rig.level(Bid, 9_999, 60);
    let second = rig.place(Bid, 10, 9_999, Day);
    rig.level(Bid, 9_999, 100);
    // 90 go. Alone, the model has 50 - 45 = 5 before the first and 60 - 69 < 0 before the second.
    rig.level(Bid, 9_999, 10);
    assert_eq!((rig.ahead(first), rig.ahead(second)), (Some(5.0), Some(5.0)));
}

#[test]
fn quantity_that_comes_into_view_on_an_order_book_is_older_than_us() {
    let mut rig = l3();
    let id = rig.place(Bid, 10, 9_990, Day); // below everything shown
    assert_eq!(rig.ahead(id), Some(0.0));
    rig.level(Bid, 9_990, 70);
    assert_eq!(rig.ahead(id), Some(70.0));
    rig.event(K::Add, Bid, 9_990, 5, 31);
    assert_eq!(rig.ahead(id), Some(70.0));
}

#[test]
fn a_trade_whose_book_change_never_comes_is_forgotten() {
    let mut rig = l3();
    let id = rig.place(Bid, 10, 9_999, Day);
    rig.event(K::Trade, Ask, 9_999, 60, 0); // complete, and no order changed
    assert_eq!(rig.ahead(id), Some(120.0));
    rig.event(K::Reduce, Bid, 9_999, 30, 11); // so this is a cancellation
    assert_eq!(rig.ahead(id), Some(90.0));
}
