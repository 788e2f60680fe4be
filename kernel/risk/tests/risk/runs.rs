//! Losses, drawdown, runs of losers and rejects, slippage, entries, rates, ratios: what depends
//! on the run so far.

use crate::rig::*;
use crate::sizes::{SENSELESS, edges, outcome};
use ijk_core::config::RiskConfig;
use ijk_core::{AlarmCode, ClientOrderId, NewOrder, ParentId, Px, RecvTs, ReportKind, Side};
use ijk_risk::{RiskCode, TradingState};

/// State after 100 held at 100 dollars are marked at each price in turn.
fn state_after(c: &RiskConfig, mids: &[f64]) -> TradingState {
    let mut rig = Rig::new(c);
    rig.hold(Side::Bid, 100, dollars(100));
    for mid in mids {
        rig.gate.on_mark(rig.now, A, *mid);
    }
    rig.gate.state()
}

#[test]
fn losses_as_fractions_of_equity() {
    use TradingState::{Active, Halted, ReduceOnly};
    let base = RiskConfig { start_equity_usd: 10_000.0, ..wide() };
    let reduce = RiskConfig { reduce_only_loss_fraction: 0.02, ..base.clone() };
    let got = [98.01, 98.0, 97.99].map(|mid| state_after(&reduce, &[mid]));
    assert_eq!(got, [Active, ReduceOnly, ReduceOnly]);
    let halt = RiskConfig { halt_loss_fraction: 0.03, ..base.clone() };
    assert_eq!([97.01, 97.0, 96.99].map(|m| state_after(&halt, &[m])), [Active, Halted, Halted]);
    for bad in SENSELESS {
        let c = RiskConfig { reduce_only_loss_fraction: bad, ..base.clone() };
        assert_eq!(Rig::new(&c).gate.state(), ReduceOnly, "{bad}");
        let c = RiskConfig { halt_loss_fraction: bad, ..base.clone() };
        assert_eq!(Rig::new(&c).gate.state(), Halted, "{bad}");
    }
}

#[test]
fn drawdown_from_the_peak_halts() {
    use TradingState::{Active, Halted};
    // 300 up first: the fall counts from there.
    let c = RiskConfig { max_drawdown_usd: 200.0, ..wide() };
    let got = [101.01, 101.0, 100.99].map(|mid| state_after(&c, &[103.0, mid]));
    assert_eq!(got, [Active, Halted, Halted]);
    let c = RiskConfig { max_drawdown_fraction: 0.02, start_equity_usd: 10_000.0, ..wide() };
    let got = [101.01, 101.0, 100.99].map(|mid| state_after(&c, &[103.0, mid]));
    assert_eq!(got, [Active, Halted, Halted]);
    for bad in SENSELESS {
        let c = RiskConfig { max_drawdown_usd: bad, ..wide() };
        assert_eq!(Rig::new(&c).gate.state(), Halted, "{bad}");
        let c = RiskConfig { max_drawdown_fraction: bad, ..wide() };
        assert_eq!(Rig::new(&c).gate.state(), Halted, "{bad}");
    }
}

/// Buys 10 at 100 and sells them at `out`.
fn round_trip(rig: &mut Rig, out: i64) {
    rig.hold(Side::Bid, 10, dollars(100));
    if rig.gate.state() == TradingState::Active {
        rig.hold(Side::Ask, 10, dollars(out));
    }
}

#[test]
fn losers_in_a_row_halt() {
    let c = RiskConfig { max_consecutive_losers: 3, ..wide() };
    let run = |exits: &[i64]| {
        let mut rig = Rig::new(&c);
        exits.iter().for_each(|out| round_trip(&mut rig, *out));
        rig.gate.state()
    };
    assert_eq!(run(&[99, 99]), TradingState::Active);
    assert_eq!(run(&[99, 99, 99]), TradingState::Halted);
    assert_eq!(run(&[99, 99, 101, 99, 99]), TradingState::Active, "a gain starts anew");
    assert_eq!(run(&[99, 99, 100, 99]), TradingState::Halted, "neither gain nor loss: no change");
    let c = RiskConfig { max_consecutive_losers: 0, ..wide() };
    assert_eq!(Rig::new(&c).gate.state(), TradingState::Halted);
    let c = RiskConfig { max_consecutive_losers: u32::MAX, ..wide() };
    let mut rig = Rig::new(&c);
    (0..20).for_each(|_| round_trip(&mut rig, 99));
    assert_eq!(rig.gate.state(), TradingState::Active);
}

#[test]
fn a_turn_through_zero_ends_a_round_trip() {
    let c = RiskConfig { max_consecutive_losers: 2, ..wide() };
    let mut rig = Rig::new(&c);
    rig.hold(Side::Bid, 10, dollars(100));
    rig.hold(Side::Ask, 20, dollars(99));
    assert_eq!(rig.gate.state(), TradingState::Active);
    rig.hold(Side::Bid, 20, dollars(100));
    assert_eq!(rig.gate.state(), TradingState::Halted);
}

#[test]
fn rejects_in_a_row_halt() {
    let c = RiskConfig { max_consecutive_rejects: 3, ..wide() };
    let run = |kinds: &[ReportKind]| {
        let mut rig = Rig::new(&c);
        for kind in kinds {
            let order = rig.pass(Side::Bid, 10, dollars(99));
            let leaves = if *kind == ReportKind::Ack { 10 } else { 0 };
            let report = rig.report(*kind, &order, 0, leaves, Px(0));
            rig.gate.on_report(rig.now, &report).unwrap();
        }
        let mut alarms = vec![];
        rig.gate.take_alarms(|a| alarms.push(a.code));
        (rig.gate.state(), alarms.contains(&AlarmCode::RejectBurst))
    };
    use ReportKind::{Absent, Ack, Reject};
    assert_eq!(run(&[Reject, Reject]), (TradingState::Active, false));
    assert_eq!(run(&[Reject, Reject, Reject]), (TradingState::Halted, true));
    assert_eq!(run(&[Reject, Reject, Ack, Reject, Reject]), (TradingState::Active, false));
    assert_eq!(run(&[Reject, Absent, Reject]), (TradingState::Active, false));
    let c = RiskConfig { max_consecutive_rejects: 0, ..wide() };
    assert_eq!(Rig::new(&c).gate.state(), TradingState::Halted);
}

#[test]
fn slippage_makes_an_instrument_reduce_only() {
    // 50 bps of 20,000 are 100 dollars.
    let c = RiskConfig {
        slippage_limit_bps: 50.0,
        max_position_notional_usd: 20_000.0,
        slippage_window_ms: 10_000,
        ..wide()
    };
    let next = |c: &RiskConfig, first: i64, gap_ms: u64, second: i64| {
        let mut rig = Rig::new(c);
        for out in [first, second] {
            let order = rig.pass(Side::Bid, 50, dollars(100));
            rig.fill(&order, 50, 0, cents(out)).unwrap();
            rig.wait(gap_ms);
        }
        rig.wait(10);
        let order = rig.order(Side::Bid, 1, dollars(100));
        rig.check(order).map(|_| ())
    };
    // 50 at 101.00 cost 50 against the mid of 100.00; 50 more at 101.00 make 100.
    let got = [10_099, 10_100, 10_101].map(|px| next(&c, 10_100, 0, px));
    assert_eq!(got, edges(RiskCode::SlippageReduceOnly));
    // What the first fill cost is forgotten after 17/16 of the window at the latest.
    assert_eq!(next(&c, 10_101, 10_000, 10_101), Err(RiskCode::SlippageReduceOnly));
    assert_eq!(next(&c, 10_101, 10_700, 10_101), Ok(()));
    // A fill better than the mid gives nothing back.
    assert_eq!(next(&c, 9_000, 0, 10_201), Err(RiskCode::SlippageReduceOnly));
    // It latches, for this instrument, and reducing orders pass.
    let mut rig = Rig::new(&c);
    rig.hold(Side::Bid, 100, dollars(102));
    rig.wait(100_000);
    let order = rig.order(Side::Bid, 1, dollars(100));
    assert_eq!(rig.check(order), Err(RiskCode::SlippageReduceOnly));
    let other = NewOrder { instrument: B, ..order };
    assert_eq!(rig.check(other), Ok(other));
    let sale = rig.order(Side::Ask, 100, dollars(100));
    assert_eq!(rig.check(sale), Ok(sale));
    for bad in SENSELESS {
        let c = RiskConfig { slippage_limit_bps: bad, ..wide() };
        let got = outcome(&c, Side::Bid, 1, dollars(100));
        assert_eq!(got, Err(RiskCode::SlippageReduceOnly), "{bad}");
    }
    let c = RiskConfig { slippage_window_ms: 0, ..wide() };
    assert_eq!(outcome(&c, Side::Bid, 1, dollars(100)), Err(RiskCode::SlippageReduceOnly));
}

/// One entry of a parent of its own.
fn enter(rig: &mut Rig, parent: u32) -> Result<(), RiskCode> {
    rig.wait(2);
    let order = rig.order(Side::Bid, 1, dollars(99));
    rig.check(NewOrder { parent_id: ParentId(parent), ..order }).map(|_| ())
}

#[test]
fn entries_of_the_day() {
    let mut rig = Rig::new(&RiskConfig { max_entries_per_day: 2, ..wide() });
    assert_eq!(enter(&mut rig, 1), Ok(()));
    assert_eq!(enter(&mut rig, 1), Ok(()), "a further child of the parent is no entry");
    assert_eq!(enter(&mut rig, 2), Ok(()));
    assert_eq!(rig.gate.state(), TradingState::Active);
    assert_eq!(enter(&mut rig, 3), Err(RiskCode::EntriesPerDay));
    assert_eq!(rig.gate.state(), TradingState::ReduceOnly, "a person re-arms it");
    assert_eq!(enter(&mut rig, 2), Err(RiskCode::ReduceOnly));
    let mut rig = Rig::new(&RiskConfig { max_entries_per_day: 0, ..wide() });
    assert_eq!(enter(&mut rig, 1), Err(RiskCode::EntriesPerDay));
}

#[test]
fn entries_within_the_window() {
    let c = RiskConfig { max_entries_per_window: 2, entry_window_ms: 1_000, ..wide() };
    let third = |gap_ms: u64| {
        let mut rig = Rig::new(&c);
        enter(&mut rig, 0).unwrap();
        enter(&mut rig, 0).unwrap();
        rig.wait(gap_ms);
        enter(&mut rig, 0)
    };
    assert_eq!(third(900), Err(RiskCode::EntriesPerWindow));
    assert_eq!(third(1_100), Ok(()));
    let mut rig = Rig::new(&c);
    (0..2).for_each(|_| enter(&mut rig, 0).unwrap());
    assert_eq!(enter(&mut rig, 0), Err(RiskCode::EntriesPerWindow));
    rig.wait(1_000_000);
    assert_eq!(enter(&mut rig, 0), Err(RiskCode::EntryReduceOnly), "it latches");
    for c in [
        RiskConfig { max_entries_per_window: 0, ..wide() },
        RiskConfig { entry_window_ms: 0, ..wide() },
    ] {
        assert_eq!(enter(&mut Rig::new(&c), 0), Err(RiskCode::EntriesPerWindow));
    }
}

#[test]
fn orders_of_a_minute() {
    let passed = |limit, times_ms: &[u64]| -> Vec<bool> {
        let mut rig = Rig::new(&RiskConfig { max_orders_per_min: limit, ..wide() });
        let start = rig.now;
        let one = |ms: &u64| {
            rig.now = RecvTs(start.0 + ms * MS);
            let order = rig.order(Side::Bid, 1 + *ms as i64, dollars(99));
            match rig.check(order) {
                Err(code) => {
                    assert_eq!(code, RiskCode::MinuteRate);
                    false
                }
                Ok(_) => true,
            }
        };
        times_ms.iter().map(one).collect()
    };
    let times = [0, 10, 20, 30, 59_999, 60_000, 60_001, 60_010, 60_011];
    let want = [true, true, true, false, false, true, false, true, false];
    assert_eq!(passed(3, &times), want);
    assert_eq!(passed(0, &[0]), [false]);
}

#[test]
fn identical_orders() {
    let c = RiskConfig {
        max_identical_orders: 3,
        identical_window_ms: 10_000,
        duplicate_window_ms: 1,
        ..wide()
    };
    let last = |gap_ms: u64| {
        let mut rig = Rig::new(&c);
        for _ in 0..3 {
            rig.pass(Side::Bid, 5, dollars(99));
        }
        rig.wait(gap_ms);
        let order = rig.order(Side::Bid, 5, dollars(99));
        rig.check(order).map(|_| ())
    };
    // The first of the three is 20 ms older than the last.
    assert_eq!(last(9_979), Err(RiskCode::IdenticalOrders));
    assert_eq!(last(9_980), Err(RiskCode::IdenticalOrders));
    assert_eq!(last(9_981), Ok(()));
    for c in [
        RiskConfig { max_identical_orders: 0, ..wide() },
        RiskConfig { identical_window_ms: 0, ..wide() },
    ] {
        assert_eq!(outcome(&c, Side::Bid, 1, dollars(100)), Err(RiskCode::IdenticalOrders));
    }
}

#[test]
fn open_orders_of_a_side() {
    let c = RiskConfig { max_open_orders_per_side: 2, ..wide() };
    let mut rig = Rig::new(&c);
    let first = rig.pass(Side::Bid, 1, dollars(98));
    rig.pass(Side::Bid, 2, dollars(98));
    rig.pass(Side::Ask, 1, dollars(102));
    rig.wait(10);
    let order = rig.order(Side::Bid, 3, dollars(98));
    assert_eq!(rig.check(order), Err(RiskCode::OpenOrdersPerSide));
    let other = NewOrder { instrument: B, ..order };
    assert_eq!(rig.check(other), Ok(other));
    rig.end(&first, 1).unwrap();
    let order = rig.order(Side::Bid, 4, dollars(98));
    assert_eq!(rig.check(order), Ok(order));
    let c = RiskConfig { max_open_orders_per_side: 0, ..wide() };
    assert_eq!(outcome(&c, Side::Bid, 1, dollars(100)), Err(RiskCode::OpenOrdersPerSide));
}

#[test]
fn cancels_have_a_reserve_of_their_own() {
    let c = RiskConfig {
        max_cancels_per_s: 1,
        cancel_burst: 2,
        max_orders_per_s: 1,
        order_burst: 1,
        ..wide()
    };
    let mut rig = Rig::new(&c);
    let order = rig.order(Side::Bid, 1, dollars(99));
    rig.check(order).unwrap();
    let again = rig.order(Side::Bid, 2, dollars(99));
    assert_eq!(rig.check(again), Err(RiskCode::MessageRate), "the orders' rate is used up");
    let ask = |rig: &mut Rig| rig.gate.on_cancel(rig.now, ClientOrderId(1));
    assert_eq!([(); 3].map(|()| ask(&mut rig)), [true, true, false]);
    rig.wait(1_000);
    assert_eq!(rig.check(again), Ok(again), "cancels have not used the orders' rate");
    assert_eq!([(); 2].map(|()| ask(&mut rig)), [true, false]);
    rig.gate.kill(rig.now);
    assert!((0..1_000).all(|_| ask(&mut rig)), "a sweep always passes");
    for c in
        [RiskConfig { max_cancels_per_s: 0, ..wide() }, RiskConfig { cancel_burst: 0, ..wide() }]
    {
        assert!(!ask(&mut Rig::new(&c)));
    }
}

#[test]
fn messages_per_fill_slow_orders_down() {
    let c = RiskConfig {
        order_ratio_alarm: 2,
        order_ratio_throttle: 4,
        order_ratio_min_messages: 3,
        order_ratio_interval_ms: 1_000,
        ..wide()
    };
    let mut rig = Rig::new(&c);
    let mut alarms = 0;
    for n in 1..=4 {
        rig.pass(Side::Bid, n, dollars(99));
        rig.gate.take_alarms(|a| alarms += u32::from(a.code == AlarmCode::OrderRatio));
        assert_eq!(alarms, u32::from(n == 4), "after the third message, above 2 : 1, once");
    }
    rig.wait(999);
    let order = rig.order(Side::Bid, 9, dollars(99));
    assert_eq!(rig.check(order), Err(RiskCode::OrderRatio));
    rig.wait(1);
    assert_eq!(rig.check(order), Ok(order), "slowed down, not stopped");
    // A second fill allows eight messages: this one is the eighth, cancels count.
    rig.fill(&order, 4, 5, dollars(99)).unwrap();
    rig.fill(&order, 5, 0, dollars(99)).unwrap();
    assert!((0..2).all(|_| rig.gate.on_cancel(rig.now, ClientOrderId(1))));
    rig.pass(Side::Bid, 10, dollars(99));
    rig.wait(10);
    let ninth = rig.order(Side::Bid, 11, dollars(99));
    assert_eq!(rig.check(ninth), Err(RiskCode::OrderRatio));
    let c = RiskConfig { order_ratio_throttle: 0, ..wide() };
    assert_eq!(outcome(&c, Side::Bid, 1, dollars(100)), Err(RiskCode::OrderRatio));
    let c = RiskConfig {
        order_ratio_throttle: 1,
        order_ratio_min_messages: 0,
        order_ratio_interval_ms: 0,
        ..wide()
    };
    let mut rig = Rig::new(&c);
    rig.pass(Side::Bid, 1, dollars(99));
    rig.wait(1_000_000);
    let order = rig.order(Side::Bid, 2, dollars(99));
    assert_eq!(rig.check(order), Err(RiskCode::OrderRatio), "an unset pause never ends");
}
