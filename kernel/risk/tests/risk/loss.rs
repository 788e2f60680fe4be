//! The day's loss, reduce-only, marks, drawdown.

use crate::rig::*;
use ijk_core::config::RiskConfig;
use ijk_core::{InstrumentId, NewOrder, ReportKind, Side};
use ijk_risk::{RiskCode, TradingState};

fn limits() -> RiskConfig {
    RiskConfig { reduce_only_loss_usd: 200.0, halt_loss_usd: 300.0, ..wide() }
}

/// 100 bought at 100 dollars.
fn long() -> Rig {
    let mut rig = Rig::new(&limits());
    rig.hold(Side::Bid, 100, dollars(100));
    rig
}

#[test]
fn unrealised_loss_trips_at_the_limit() {
    for (mid, want) in [
        (98.000_001, TradingState::Active),
        (98.0, TradingState::ReduceOnly),
        (97.999_999, TradingState::ReduceOnly),
        (97.000_001, TradingState::ReduceOnly),
        (97.0, TradingState::Halted),
        (96.999_999, TradingState::Halted),
    ] {
        let mut rig = long();
        rig.gate.on_mark(rig.now, A, mid);
        assert_eq!(rig.gate.state(), want, "{mid}");
        assert!((rig.gate.pnl_usd() - (mid - 100.0) * 100.0).abs() < 1e-6);
        // Recovery does not lift it: a person does.
        rig.gate.on_mark(rig.now, A, 150.0);
        assert_eq!(rig.gate.state(), want, "{mid}");
    }
}

#[test]
fn realised_loss_and_fees_count() {
    for (fee_e9, want) in [
        (99_999_999_999, TradingState::Active),
        (100_000_000_000, TradingState::ReduceOnly),
        (200_000_000_000, TradingState::Halted),
    ] {
        let mut rig = long();
        let sale = rig.pass(Side::Ask, 100, dollars(99));
        let mut fill = rig.report(ReportKind::Fill, &sale, 100, 0, dollars(99));
        fill.fee_e9 = fee_e9;
        rig.gate.on_report(rig.now, &fill).unwrap();
        assert_eq!(rig.gate.state(), want, "{fee_e9}");
        assert_eq!(rig.gate.realised_usd(), -100.0);
        assert_eq!(rig.gate.fees_usd(), fee_e9 as f64 / 1e9);
    }
}

#[test]
fn an_order_is_judged_on_its_own_quote() {
    let mut rig = long();
    let order = rig.order(Side::Ask, 100, dollars(97));
    let quote = rig.quote_at(cents(9_699), cents(9_701));
    assert_eq!(rig.check_on(order, &quote), Err(RiskCode::Halted));
    let mut rig = long();
    let order = rig.order(Side::Bid, 100, dollars(98));
    let quote = rig.quote_at(cents(9_799), cents(9_801));
    assert_eq!(rig.check_on(order, &quote), Err(RiskCode::ReduceOnly));
}

#[test]
fn senseless_loss_limits_start_tripped() {
    for bad in [f64::NAN, 0.0, -5.0, f64::INFINITY] {
        let rig = Rig::new(&RiskConfig { reduce_only_loss_usd: bad, ..limits() });
        assert_eq!(rig.gate.state(), TradingState::ReduceOnly, "{bad}");
        let mut rig = Rig::new(&RiskConfig { halt_loss_usd: bad, ..limits() });
        assert_eq!(rig.gate.state(), TradingState::Halted, "{bad}");
        let order = rig.order(Side::Bid, 1, dollars(100));
        assert_eq!(rig.check(order), Err(RiskCode::Halted));
    }
}

#[test]
fn reducing_means_reducing_with_working_orders() {
    let rows = [
        // side of the position, working reducing quantity, order: side, quantity, passes
        (Side::Bid, 0, Side::Ask, 99, true),
        (Side::Bid, 0, Side::Ask, 100, true),
        (Side::Bid, 0, Side::Ask, 101, false),
        (Side::Bid, 60, Side::Ask, 39, true),
        (Side::Bid, 60, Side::Ask, 40, true),
        (Side::Bid, 60, Side::Ask, 41, false),
        (Side::Bid, 0, Side::Bid, 1, false),
        (Side::Ask, 60, Side::Bid, 40, true),
        (Side::Ask, 60, Side::Bid, 41, false),
        (Side::Ask, 0, Side::Ask, 1, false),
    ];
    for (held, working, side, qty, passes) in rows {
        let mut rig = Rig::new(&limits());
        rig.hold(held, 100, dollars(100));
        if working > 0 {
            rig.pass(held.opposite(), working, dollars(100));
        }
        let sign = held.sign() as f64;
        rig.gate.on_mark(rig.now, A, 100.0 - 2.5 * sign);
        assert_eq!(rig.gate.state(), TradingState::ReduceOnly);
        rig.wait(10);
        let order = rig.order(side, qty, dollars(100));
        let want = if passes { Ok(order) } else { Err(RiskCode::ReduceOnly) };
        assert_eq!(rig.check(order), want, "{held:?} {working} {side:?} {qty}");
    }
}

#[test]
fn a_flat_account_has_nothing_to_reduce() {
    let mut rig = long();
    rig.gate.on_mark(rig.now, A, 98.0);
    let sale = rig.pass(Side::Ask, 100, dollars(100));
    rig.fill(&sale, 100, 0, dollars(100)).unwrap();
    rig.wait(10);
    for side in [Side::Bid, Side::Ask] {
        let order = rig.order(side, 1, dollars(100));
        assert_eq!(rig.check(order), Err(RiskCode::ReduceOnly));
    }
}

#[test]
fn a_missing_mark_stops_new_risk_everywhere() {
    for bad in [f64::NAN, 0.0, -1.0, f64::INFINITY, 1e30] {
        let mut rig = long();
        rig.gate.on_mark(rig.now, A, bad);
        rig.wait(10);
        let other = NewOrder { instrument: B, ..rig.order(Side::Bid, 1, dollars(100)) };
        assert_eq!(rig.check(other), Err(RiskCode::MissingMark), "{bad}");
        assert_eq!(rig.gate.state(), TradingState::Active);
        // A valid quote is a mark again; so is a mark.
        let own = rig.order(Side::Bid, 1, dollars(100));
        assert_eq!(rig.check(own), Ok(own));
        rig.wait(10);
        let other = NewOrder { instrument: B, ..rig.order(Side::Bid, 1, dollars(100)) };
        assert_eq!(rig.check(other), Ok(other));
    }
}

#[test]
fn a_missing_mark_lets_reducing_orders_pass() {
    let mut rig = long();
    let buy_b = NewOrder { instrument: B, ..rig.order(Side::Bid, 10, dollars(100)) };
    rig.wait(10);
    rig.check(buy_b).unwrap();
    rig.fill(&buy_b, 10, 0, dollars(100)).unwrap();
    rig.gate.on_mark(rig.now, A, f64::NAN);
    rig.wait(10);
    let sell_b = NewOrder { instrument: B, ..rig.order(Side::Ask, 10, dollars(100)) };
    assert_eq!(rig.check(sell_b), Ok(sell_b));
}

#[test]
fn a_position_the_market_carried_over_its_limit_can_be_reduced() {
    let c = RiskConfig {
        max_position_notional_usd: 10_000.0,
        max_gross_notional_usd: 10_000.0,
        ..wide()
    };
    let mut rig = Rig::new(&c);
    rig.hold(Side::Bid, 100, dollars(100));
    rig.wait(10);
    let quote = rig.quote_at(cents(11_999), cents(12_001));
    let more = rig.order(Side::Bid, 1, dollars(120));
    assert_eq!(rig.check_on(more, &quote), Err(RiskCode::PositionLimit));
    let less = rig.order(Side::Ask, 100, dollars(120));
    assert_eq!(rig.check_on(less, &quote), Ok(less));
}

#[test]
fn drawdown_is_from_the_peak() {
    let mut rig = long();
    for (mid, drawdown, max) in
        [(101.0, 0.0, 0.0), (100.5, 50.0, 50.0), (102.0, 0.0, 50.0), (101.9, 10.0, 50.0)]
    {
        rig.gate.on_mark(rig.now, A, mid);
        assert!((rig.gate.drawdown_usd() - drawdown).abs() < 1e-6);
        assert!((rig.gate.drawdown_max_usd() - max).abs() < 1e-6);
    }
    assert!((rig.gate.unrealised_usd() - 190.0).abs() < 1e-6);
    assert!((rig.gate.gross_exposure_usd() - 10_190.0).abs() < 1e-6);
    rig.gate.on_mark(rig.now, InstrumentId(9), 5.0);
}
