//! Size, price, exposure and cash controls at limit-1, limit, limit+1, and with senseless limits.

use crate::rig::*;
use ijk_core::config::RiskConfig;
use ijk_core::{NewOrder, Px, Side};
use ijk_risk::RiskCode;

pub const SENSELESS: [f64; 5] = [f64::NAN, 0.0, -1.0, f64::INFINITY, f64::NEG_INFINITY];

/// Outcomes at limit-1, limit, limit+1.
pub fn edges(code: RiskCode) -> [Result<(), RiskCode>; 3] {
    [Ok(()), Ok(()), Err(code)]
}

pub fn outcome(config: &RiskConfig, side: Side, qty: i64, px: Px) -> Result<(), RiskCode> {
    let mut rig = Rig::new(config);
    let order = rig.order(side, qty, px);
    rig.check(order).map(|_| ())
}

#[test]
fn share_of_daily_volume() {
    let with = |adv: i64, fraction| RiskConfig {
        adv_qty: [("A".to_string(), adv)].into(),
        max_order_adv_fraction: fraction,
        adv_qty_default: 0,
        ..wide()
    };
    let c = with(10_000, 0.01);
    let got = [99, 100, 101].map(|q| outcome(&c, Side::Bid, q, dollars(100)));
    assert_eq!(got, edges(RiskCode::AdvShare));
    for adv in [0, -1, i64::MIN] {
        let got = outcome(&with(adv, 0.01), Side::Bid, 1, dollars(100));
        assert_eq!(got, Err(RiskCode::AdvUnknown), "{adv}");
    }
    for bad in SENSELESS {
        let got = outcome(&with(10_000, bad), Side::Bid, 1, dollars(100));
        assert_eq!(got, Err(RiskCode::AdvUnknown), "{bad}");
    }
    // A symbol that the table does not name.
    let mut rig = Rig::new(&c);
    let other = NewOrder { instrument: B, ..rig.order(Side::Bid, 1, dollars(100)) };
    assert_eq!(rig.check(other), Err(RiskCode::AdvUnknown));
    let assumed = RiskConfig { adv_qty_default: 200, ..c };
    let mut rig = Rig::new(&assumed);
    let other = NewOrder { instrument: B, ..rig.order(Side::Bid, 3, dollars(100)) };
    assert_eq!(rig.check(other), Err(RiskCode::AdvShare));
}

#[test]
fn order_value_as_a_fraction_of_equity() {
    let with = |fraction, equity| RiskConfig {
        max_order_equity_fraction: fraction,
        start_equity_usd: equity,
        ..wide()
    };
    let c = with(0.05, 100_000.0);
    let got = [49, 50, 51].map(|q| outcome(&c, Side::Bid, q, dollars(100)));
    assert_eq!(got, edges(RiskCode::OrderNotional));
    for bad in SENSELESS {
        let got = outcome(&with(bad, 100_000.0), Side::Bid, 1, dollars(100));
        assert_eq!(got, Err(RiskCode::OrderNotional), "{bad}");
        // Without equity the loss limits are missing too, and they come first.
        let got = outcome(&with(0.05, bad), Side::Bid, 1, dollars(100));
        assert_eq!(got, Err(RiskCode::Halted), "{bad}");
    }
}

#[test]
fn the_hard_collar_binds_the_soft_one() {
    let with = |hard| RiskConfig { price_collar_hard_bps: hard, ..wide() };
    let got = [10_099, 10_100, 10_101].map(|px| outcome(&with(100.0), Side::Bid, 1, cents(px)));
    assert_eq!(got, edges(RiskCode::PriceCollar));
    for bad in SENSELESS {
        let got = outcome(&with(bad), Side::Bid, 1, dollars(100));
        assert_eq!(got, Err(RiskCode::PriceCollar), "{bad}");
    }
}

#[test]
fn low_prices_have_their_own_collar() {
    let with = |low: f64, bps| RiskConfig {
        low_price_usd: low,
        price_collar_low_bps: bps,
        price_collar_low_hard_bps: 5_000.0,
        ..wide()
    };
    // The mid is 100.00: below 100.01 it is low, below 100.00 it is not.
    let c = with(100.01, 50.0);
    let got = [10_049, 10_050, 10_051].map(|px| outcome(&c, Side::Ask, 1, cents(px)));
    assert_eq!(got, edges(RiskCode::PriceCollar));
    assert_eq!(outcome(&with(100.0, 50.0), Side::Ask, 1, cents(10_051)), Ok(()));
    for bad in SENSELESS {
        let got = outcome(&with(100.01, bad), Side::Bid, 1, dollars(100));
        assert_eq!(got, Err(RiskCode::PriceCollar), "{bad}");
    }
    for never in [0.0, -1.0, f64::NAN] {
        assert_eq!(outcome(&with(never, 50.0), Side::Ask, 1, cents(10_051)), Ok(()), "{never}");
    }
}

#[test]
fn position_gross_and_net_as_fractions_of_equity() {
    let base = RiskConfig { start_equity_usd: 50_000.0, ..wide() };
    type Set = fn(&mut RiskConfig, f64);
    let rows: [(Set, RiskCode); 3] = [
        (|c, v| c.max_position_equity_fraction = v, RiskCode::PositionLimit),
        (|c, v| c.max_gross_equity_fraction = v, RiskCode::GrossLimit),
        (|c, v| c.max_net_equity_fraction = v, RiskCode::NetLimit),
    ];
    for (set, code) in rows {
        let mut c = base.clone();
        set(&mut c, 0.2);
        for side in [Side::Bid, Side::Ask] {
            let got = [99, 100, 101].map(|q| outcome(&c, side, q, dollars(100)));
            assert_eq!(got, edges(code));
        }
        for bad in SENSELESS {
            set(&mut c, bad);
            assert_eq!(outcome(&c, Side::Bid, 1, dollars(100)), Err(code), "{bad}");
        }
    }
}

#[test]
fn net_exposure_lets_the_other_side_grow() {
    let c = RiskConfig { max_net_notional_usd: 10_000.0, ..wide() };
    let next = |side: Side, qty: i64| {
        let mut rig = Rig::new(&c);
        rig.hold(Side::Bid, 60, dollars(100));
        rig.pass(Side::Bid, 30, dollars(100));
        rig.wait(10);
        let order = NewOrder { instrument: B, ..rig.order(side, qty, dollars(100)) };
        rig.check(order).map(|_| ())
    };
    assert_eq!([9, 10, 11].map(|q| next(Side::Bid, q)), edges(RiskCode::NetLimit));
    // Short: 60 are held for sure, the 30 may never fill.
    assert_eq!([159, 160, 161].map(|q| next(Side::Ask, q)), edges(RiskCode::NetLimit));
    for bad in SENSELESS {
        let c = RiskConfig { max_net_notional_usd: bad, ..wide() };
        assert_eq!(outcome(&c, Side::Bid, 1, dollars(100)), Err(RiskCode::NetLimit));
    }
}

#[test]
fn sectors() {
    let c = RiskConfig {
        sector: [("A".to_string(), 7), ("B".to_string(), 7)].into(),
        max_sector_equity_fraction: 0.02,
        ..wide()
    };
    let next = |c: &RiskConfig, qty: i64| {
        let mut rig = Rig::new(c);
        rig.hold(Side::Ask, 100, dollars(100));
        rig.wait(10);
        let order = NewOrder { instrument: B, ..rig.order(Side::Bid, qty, dollars(100)) };
        rig.check(order).map(|_| ())
    };
    assert_eq!([99, 100, 101].map(|q| next(&c, q)), edges(RiskCode::SectorLimit));
    let apart = RiskConfig { sector: [("A".into(), 7), ("B".into(), 8)].into(), ..c.clone() };
    assert_eq!([199, 200, 201].map(|q| next(&apart, q)), edges(RiskCode::SectorLimit));
    let unnamed = RiskConfig { sector: [("A".into(), 7)].into(), ..c.clone() };
    assert_eq!(next(&unnamed, 1), Err(RiskCode::SectorUnknown));
    for bad in SENSELESS {
        let c = RiskConfig { max_sector_equity_fraction: bad, ..c.clone() };
        assert_eq!(outcome(&c, Side::Bid, 1, dollars(100)), Err(RiskCode::SectorLimit));
        let off = RiskConfig { sector: [].into(), ..c };
        assert_eq!(outcome(&off, Side::Bid, 1, dollars(100)), Ok(()), "no sectors, no limit");
    }
}

#[test]
fn short_sales_need_permission() {
    let c = RiskConfig { allow_short: false, ..wide() };
    let sell = |working: i64, qty: i64| {
        let mut rig = Rig::new(&c);
        rig.hold(Side::Bid, 50, dollars(100));
        if working > 0 {
            rig.pass(Side::Ask, working, dollars(101));
        }
        rig.wait(10);
        let order = rig.order(Side::Ask, qty, dollars(100));
        rig.check(order).map(|_| ())
    };
    assert_eq!([49, 50, 51].map(|q| sell(0, q)), edges(RiskCode::ShortSale));
    assert_eq!([19, 20, 21].map(|q| sell(30, q)), edges(RiskCode::ShortSale));
    assert_eq!(outcome(&c, Side::Ask, 1, dollars(100)), Err(RiskCode::ShortSale));
}

#[test]
fn the_short_sale_restriction_asks_for_a_better_price() {
    // Bid 99.99.
    for (px, held, want) in [
        (9_998, 0, Err(RiskCode::ShortSaleRestricted)),
        (9_999, 0, Err(RiskCode::ShortSaleRestricted)),
        (10_000, 0, Ok(())),
        (0, 0, Err(RiskCode::ShortSaleRestricted)),
        (9_999, 10, Ok(())),
        (9_999, 9, Err(RiskCode::ShortSaleRestricted)),
    ] {
        let mut rig = Rig::new(&wide());
        if held > 0 {
            rig.hold(Side::Bid, held, dollars(100));
        }
        rig.gate.on_short_sale_restriction(rig.now, A, true);
        rig.wait(10);
        let order = rig.order(Side::Ask, 10, cents(px));
        assert_eq!(rig.check(order).map(|_| ()), want, "{px} {held}");
        rig.gate.on_short_sale_restriction(rig.now, A, false);
        rig.wait(10);
        let order = rig.order(Side::Ask, 11, cents(px));
        assert!(rig.check(order).is_ok());
    }
}

#[test]
fn buys_are_paid_from_settled_cash() {
    let with = |usd| RiskConfig { settled_cash_usd: usd, ..wide() };
    let c = with(10_000.0);
    let got = [99, 100, 101].map(|q| outcome(&c, Side::Bid, q, dollars(100)));
    assert_eq!(got, edges(RiskCode::BuyingPower));
    for bad in SENSELESS {
        assert_eq!(outcome(&with(bad), Side::Bid, 1, dollars(100)), Err(RiskCode::BuyingPower));
        assert_eq!(outcome(&with(bad), Side::Ask, 1, dollars(100)), Ok(()), "a sale brings cash");
    }
    // 30 bought at 100 for 3000 and 10 of fees, sold again, 40 working at 99: 3030 are left.
    let next = |qty: i64| {
        let mut rig = Rig::new(&c);
        let order = rig.pass(Side::Bid, 30, dollars(100));
        let mut fill = rig.report(ijk_core::ReportKind::Fill, &order, 30, 0, dollars(100));
        fill.fee_e9 = 10_000_000_000;
        rig.gate.on_report(rig.now, &fill).unwrap();
        let sale = rig.pass(Side::Ask, 30, dollars(100));
        rig.fill(&sale, 30, 0, dollars(100)).unwrap();
        let resting = rig.pass(Side::Bid, 50, dollars(99));
        rig.end(&resting, 50).unwrap();
        rig.pass(Side::Bid, 40, dollars(99));
        rig.wait(10);
        let order = rig.order(Side::Bid, qty, dollars(101));
        rig.check(order).map(|_| ())
    };
    assert_eq!([29, 30, 31].map(next), edges(RiskCode::BuyingPower));
}

#[test]
fn a_cover_is_never_refused_for_cash() {
    let mut rig = Rig::new(&RiskConfig { settled_cash_usd: 1.0, ..wide() });
    rig.hold(Side::Ask, 50, dollars(100));
    rig.wait(10);
    let cover = rig.order(Side::Bid, 50, dollars(100));
    assert_eq!(rig.check(cover), Ok(cover));
    let more = rig.order(Side::Bid, 1, dollars(100));
    assert_eq!(rig.check(more), Err(RiskCode::BuyingPower));
}

#[test]
fn prices_outside_the_band_are_refused() {
    let c = RiskConfig { luld_tier1_symbols: vec!["B".into()], ..wide() };
    for (instrument, low, high) in [(A, 9_000, 11_000), (B, 9_500, 10_500)] {
        let check = |px: i64| {
            let mut rig = Rig::new(&c);
            rig.gate.on_luld_reference(rig.now, instrument, Some(dollars(100)));
            let order = NewOrder { instrument, ..rig.order(Side::Bid, 1, cents(px)) };
            rig.check(order).map(|_| ())
        };
        assert_eq!([high - 1, high, high + 1].map(check), edges(RiskCode::LuldBand));
        assert_eq!([low + 1, low, low - 1].map(check), edges(RiskCode::LuldBand));
    }
    // No reference, no band; a senseless one is none.
    for reference in [None, Some(Px(0)), Some(Px(-1)), Some(Px(i64::MIN))] {
        let mut rig = Rig::new(&c);
        rig.gate.on_luld_reference(rig.now, A, Some(dollars(10)));
        rig.gate.on_luld_reference(rig.now, A, reference);
        let order = rig.order(Side::Bid, 1, dollars(100));
        assert_eq!(rig.check(order), Ok(order));
    }
}
