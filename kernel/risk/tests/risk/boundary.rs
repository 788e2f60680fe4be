//! Every numeric limit at limit-1, limit, limit+1, and set to NaN, zero, negative, infinite.

use crate::rig::*;
use ijk_core::config::RiskConfig;
use ijk_core::{Px, RecvTs, Side};
use ijk_risk::RiskCode;

const SENSELESS: [f64; 5] = [f64::NAN, 0.0, -1.0, f64::INFINITY, f64::NEG_INFINITY];

/// Outcomes at limit-1, limit, limit+1.
fn edges(below: bool, at: bool, above: bool, code: RiskCode) -> [Result<(), RiskCode>; 3] {
    [below, at, above].map(|ok| if ok { Ok(()) } else { Err(code) })
}

fn outcome(config: &RiskConfig, side: Side, qty: i64, px: Px) -> Result<(), RiskCode> {
    let mut rig = Rig::new(config);
    let order = rig.order(side, qty, px);
    rig.check(order).map(|_| ())
}

#[test]
fn order_quantity() {
    let c = RiskConfig { max_order_qty: 500, ..wide() };
    let got = [499, 500, 501].map(|q| outcome(&c, Side::Bid, q, dollars(100)));
    assert_eq!(got, edges(true, true, false, RiskCode::OrderQty));
    for bad in [0, -1, i64::MIN] {
        let c = RiskConfig { max_order_qty: bad, ..wide() };
        assert_eq!(outcome(&c, Side::Bid, 1, dollars(100)), Err(RiskCode::OrderQty), "{bad}");
    }
    // The largest limit there is passes the largest order the arithmetic holds, and no larger.
    let c = RiskConfig { max_order_qty: i64::MAX, ..wide() };
    assert_eq!(outcome(&c, Side::Bid, i64::MAX, dollars(100)), Err(RiskCode::Overflow));
}

#[test]
fn order_notional_of_limit_orders() {
    let c = RiskConfig { max_order_notional_usd: 10_000.0, ..wide() };
    let got = [9_999, 10_000, 10_001].map(|px| outcome(&c, Side::Bid, 100, cents(px)));
    assert_eq!(got, edges(true, true, false, RiskCode::OrderNotional));
    // A sale below the bid fills at the bid: 100 x 99.99 counts, not 100 x 60.
    let c = RiskConfig { max_order_notional_usd: 9_998.99, ..wide() };
    assert_eq!(outcome(&c, Side::Ask, 100, dollars(60)), Err(RiskCode::OrderNotional));
    let c = RiskConfig { max_order_notional_usd: 9_999.0, ..wide() };
    assert_eq!(outcome(&c, Side::Ask, 100, dollars(60)), Ok(()));
    for bad in SENSELESS {
        let c = RiskConfig { max_order_notional_usd: bad, ..wide() };
        assert_eq!(outcome(&c, Side::Bid, 1, dollars(100)), Err(RiskCode::OrderNotional));
    }
}

#[test]
fn order_notional_of_market_orders_adds_the_collar() {
    // Ask 100.01 plus 100 bps is 101.0101; bid 99.99 plus 100 bps is 100.9899.
    let with = |usd| RiskConfig { max_order_notional_usd: usd, price_collar_bps: 100.0, ..wide() };
    let market = |usd, side| outcome(&with(usd), side, 100, Px(0));
    assert_eq!(market(10_101.01, Side::Bid), Ok(()));
    assert_eq!(market(10_101.00, Side::Bid), Err(RiskCode::OrderNotional));
    assert_eq!(market(10_098.99, Side::Ask), Ok(()));
    assert_eq!(market(10_098.98, Side::Ask), Err(RiskCode::OrderNotional));
}

#[test]
fn price_collar() {
    // 100 bps of the mid 100.00 is one dollar, both ways and on both sides.
    let c = RiskConfig { price_collar_bps: 100.0, ..wide() };
    for side in [Side::Bid, Side::Ask] {
        let up = [10_099, 10_100, 10_101].map(|px| outcome(&c, side, 1, cents(px)));
        assert_eq!(up, edges(true, true, false, RiskCode::PriceCollar));
        let down = [9_901, 9_900, 9_899].map(|px| outcome(&c, side, 1, cents(px)));
        assert_eq!(down, edges(true, true, false, RiskCode::PriceCollar));
    }
    for bad in SENSELESS {
        let c = RiskConfig { price_collar_bps: bad, ..wide() };
        assert_eq!(outcome(&c, Side::Bid, 1, dollars(100)), Err(RiskCode::PriceCollar), "{bad}");
        assert_eq!(outcome(&c, Side::Bid, 1, Px(0)), Err(RiskCode::PriceCollar), "{bad}");
    }
}

#[test]
fn price_collar_holds_back_market_orders_in_a_wide_market() {
    let c = RiskConfig { price_collar_bps: 100.0, ..wide() };
    for (ask, ok) in [(10_198, true), (10_199, true), (10_200, false)] {
        let mut rig = Rig::new(&c);
        let order = rig.order(Side::Bid, 1, Px(0));
        let quote = rig.quote_at(cents(9_998), cents(ask));
        let want = if ok { Ok(order) } else { Err(RiskCode::PriceCollar) };
        assert_eq!(rig.check_on(order, &quote), want, "{ask}");
    }
}

#[test]
fn position_counts_fills_and_working_orders() {
    // 60 held, 30 working: the next one may be 10 at 100 dollars under a limit of 10,000.
    let c = RiskConfig { max_position_notional_usd: 10_000.0, ..wide() };
    for side in [Side::Bid, Side::Ask] {
        let got = [9, 10, 11].map(|qty| {
            let mut rig = Rig::new(&c);
            rig.hold(side, 60, dollars(100));
            rig.pass(side, 30, dollars(100));
            rig.wait(10);
            let order = rig.order(side, qty, dollars(100));
            rig.check(order).map(|_| ())
        });
        assert_eq!(got, edges(true, true, false, RiskCode::PositionLimit));
    }
    for bad in SENSELESS {
        let c = RiskConfig { max_position_notional_usd: bad, ..wide() };
        assert_eq!(outcome(&c, Side::Bid, 1, dollars(100)), Err(RiskCode::PositionLimit));
    }
}

#[test]
fn position_is_valued_at_the_dearer_of_mid_and_order() {
    let c = RiskConfig { max_position_notional_usd: 10_000.0, ..wide() };
    assert_eq!(outcome(&c, Side::Bid, 100, dollars(90)), Ok(()));
    assert_eq!(outcome(&c, Side::Bid, 101, dollars(90)), Err(RiskCode::PositionLimit));
    assert_eq!(outcome(&c, Side::Bid, 100, cents(10_001)), Err(RiskCode::PositionLimit));
}

#[test]
fn working_orders_of_both_sides_count_apart() {
    let c = RiskConfig { max_position_notional_usd: 10_000.0, ..wide() };
    let mut rig = Rig::new(&c);
    rig.pass(Side::Bid, 100, dollars(99));
    // A full sell side beside a full buy side: only one of them can be the worst case.
    rig.pass(Side::Ask, 99, dollars(101));
    rig.wait(10);
    let order = rig.order(Side::Ask, 1, dollars(100));
    assert_eq!(rig.check(order), Ok(order));
    assert_eq!(rig.gate.worst_case_position(A), (100, -100));
    for side in [Side::Bid, Side::Ask] {
        let px = if side == Side::Bid { dollars(98) } else { dollars(102) };
        let order = rig.order(side, 1, px);
        assert_eq!(rig.check(order), Err(RiskCode::PositionLimit));
    }
}

#[test]
fn a_side_over_the_limit_does_not_open_the_other() {
    let c = RiskConfig { max_position_notional_usd: 10_000.0, ..wide() };
    let got = [99, 100, 101].map(|qty| {
        let mut rig = Rig::new(&c);
        // An order of the account that nobody here sent: far over the limit, on the buy side.
        let stray = rig.order(Side::Bid, 500, dollars(99));
        rig.gate.adopt_order(&stray, stray.qty).unwrap();
        rig.wait(10);
        let order = rig.order(Side::Ask, qty, dollars(100));
        rig.check(order).map(|_| ())
    });
    assert_eq!(got, [Ok(()), Ok(()), Err(RiskCode::PositionLimit)]);
}

#[test]
fn gross_adds_up_instruments() {
    let c = RiskConfig { max_gross_notional_usd: 20_000.0, ..wide() };
    let got = [99, 100, 101].map(|qty| {
        let mut rig = Rig::new(&c);
        rig.hold(Side::Ask, 60, dollars(100));
        rig.pass(Side::Ask, 40, dollars(100));
        rig.wait(10);
        let order = ijk_core::NewOrder { instrument: B, ..rig.order(Side::Bid, qty, dollars(100)) };
        rig.check(order).map(|_| ())
    });
    assert_eq!(got, edges(true, true, false, RiskCode::GrossLimit));
    for bad in SENSELESS {
        let c = RiskConfig { max_gross_notional_usd: bad, ..wide() };
        assert_eq!(outcome(&c, Side::Bid, 1, dollars(100)), Err(RiskCode::GrossLimit));
    }
}

#[test]
fn quote_age() {
    let age = |config: &RiskConfig, ns: u64| {
        let mut rig = Rig::new(config);
        let quote = rig.quote();
        rig.now = rig.now.plus_ns(ns);
        let order = rig.order(Side::Bid, 1, dollars(100));
        rig.check_on(order, &quote).map(|_| ())
    };
    let c = RiskConfig { quote_max_age_ms: 250, ..wide() };
    let got = [250 * MS - 1, 250 * MS, 250 * MS + 1].map(|ns| age(&c, ns));
    assert_eq!(got, edges(true, true, false, RiskCode::StaleQuote));
    assert_eq!(age(&RiskConfig { quote_max_age_ms: 0, ..wide() }, 0), Err(RiskCode::StaleQuote));
    assert_eq!(age(&RiskConfig { quote_max_age_ms: u64::MAX, ..wide() }, 1), Ok(()));
}

#[test]
fn duplicate_window() {
    let second = |window_ms: u64, ns: u64| {
        let mut rig = Rig::new(&RiskConfig { duplicate_window_ms: window_ms, ..wide() });
        let first = rig.order(Side::Bid, 5, dollars(100));
        rig.check(first)?;
        rig.now = rig.now.plus_ns(ns);
        let order = rig.order(Side::Bid, 5, dollars(100));
        rig.check(order).map(|_| ())
    };
    let got = [500 * MS - 1, 500 * MS, 500 * MS + 1].map(|ns| second(500, ns));
    assert_eq!(got, edges(false, false, true, RiskCode::DuplicateOrder));
    assert_eq!(second(0, 0), Err(RiskCode::DuplicateOrder), "an unset window refuses");
}

#[test]
fn message_rate() {
    let passed = |rate, burst, times: &[u64]| -> Vec<bool> {
        let c = RiskConfig { max_orders_per_s: rate, order_burst: burst, ..wide() };
        let mut rig = Rig::new(&c);
        let start = rig.now;
        let mut px = 9_000;
        let one = |ms: &u64| {
            rig.now = RecvTs(start.0 + ms * MS);
            px += 1;
            let order = rig.order(Side::Bid, 1, cents(px));
            match rig.check(order) {
                Ok(_) => true,
                Err(code) => {
                    assert_eq!(code, RiskCode::MessageRate);
                    false
                }
            }
        };
        times.iter().map(one).collect()
    };
    // Burst-1, burst, burst+1 at once; then one each 100 ms, not a millisecond earlier.
    assert_eq!(
        passed(10, 3, &[0, 0, 0, 0, 99, 100, 199, 200]),
        [true, true, true, false, false, true, false, true]
    );
    assert_eq!(passed(0, 5, &[0]), [false]);
    assert_eq!(passed(5, 0, &[0, 10_000]), [false, false]);
}

#[test]
fn open_orders() {
    let c = RiskConfig { max_open_orders: 3, ..wide() };
    let mut rig = Rig::new(&c);
    let first = rig.pass(Side::Bid, 1, dollars(90));
    rig.pass(Side::Bid, 1, dollars(91));
    rig.pass(Side::Bid, 1, dollars(92));
    rig.wait(10);
    let order = rig.order(Side::Bid, 1, dollars(93));
    assert_eq!(rig.check(order), Err(RiskCode::OpenOrders));
    rig.end(&first, 1).unwrap();
    assert_eq!(rig.check(order), Ok(order));
    assert_eq!(
        outcome(&RiskConfig { max_open_orders: 0, ..wide() }, Side::Bid, 1, dollars(100)),
        Err(RiskCode::OpenOrders)
    );
}

#[test]
fn open_orders_never_pass_the_table() {
    let c = RiskConfig { max_open_orders: u32::MAX, ..wide() };
    let mut rig = Rig::new(&c);
    for px in 0..256 {
        rig.pass(Side::Bid, 1, cents(9_000 + px));
    }
    rig.wait(10);
    let order = rig.order(Side::Bid, 1, cents(9_500));
    assert_eq!(rig.check(order), Err(RiskCode::OpenOrders));
    assert_eq!(rig.gate.working_count(), 256);
}
