//! Commissions against Interactive Brokers' published examples and by hand.

use crate::rig::*;
use Side::{Ask, Bid};
use ijk_core::config::{FeeConfig, FeeSchedule};
use ijk_core::{DepthKind, Instrument, Px, Qty, Side, TimeInForce};
use ijk_venue::fees::FeeEstimator;
use proptest::prelude::*;

/// Commission alone: no exchange, clearing or sales fees.
fn commission(schedule: FeeSchedule) -> FeeConfig {
    FeeConfig {
        schedule,
        exchange_take_usd_per_share: 0.0,
        exchange_add_usd_per_share: 0.0,
        clearing_usd_per_share: 0.0,
        sell_usd_per_share: 0.0,
        ..FeeConfig::default()
    }
}

/// Fees in dollars of one taking order that fills against these levels.
fn taker(fees: &FeeConfig, side: Side, levels: &[(i64, i64)]) -> f64 {
    let mut rig = Rig::with(DepthKind::L2, &sim(), fees, stock());
    for (cents, qty) in levels {
        rig.level(side.opposite(), *cents, *qty);
    }
    let qty = levels.iter().map(|l| l.1).sum();
    rig.place(side, qty, 0, TimeInForce::Ioc);
    rig.told();
    rig.reports().iter().map(|r| r.fee_e9).sum::<i64>() as f64 / 1e9
}

#[test]
fn published_examples() {
    let tiered = commission(FeeSchedule::IbkrTiered);
    let fixed = commission(FeeSchedule::IbkrFixed);
    for (fees, qty, cents, want) in [
        (&tiered, 100, 5_000, 0.35),
        (&tiered, 1_000, 5_000, 3.50),
        (&tiered, 1, 5_000, 0.35),
        (&tiered, 1, 1_000, 0.10), // 1 % of the value counts even below the minimum
        (&tiered, 1_000, 25, 2.50), // and caps the rate
        (&tiered, 101, 5_000, 0.3535),
        (&fixed, 100, 2_500, 1.00),
        (&fixed, 1_000, 2_500, 5.00),
        (&fixed, 1_000, 25, 2.50),
        (&fixed, 200, 5_000, 1.00),
        (&fixed, 201, 5_000, 1.005),
    ] {
        let got = taker(fees, Bid, &[(cents, qty)]);
        assert!((got - want).abs() < 1e-12, "{qty} at {cents}: {got}");
    }
}

#[test]
fn fills_in_parts_cost_what_the_order_costs() {
    let tiered = commission(FeeSchedule::IbkrTiered);
    // 10 + 30 + 160 shares: 200 x 0.0035 = 0.70; the minimum is charged once.
    let parts = [(5_000, 10), (5_001, 30), (5_002, 160)];
    assert_eq!(taker(&tiered, Bid, &parts), 0.70);
    let mut rig = Rig::with(DepthKind::L2, &sim(), &tiered, stock());
    for (cents, qty) in parts {
        rig.level(Ask, cents, qty);
    }
    rig.place(Bid, 200, 0, TimeInForce::Ioc);
    rig.told();
    let fees: Vec<i64> =
        rig.reports().iter().filter(|r| r.exec_id.0 > 0).map(|r| r.fee_e9).collect();
    assert_eq!(fees, [350_000_000, 0, 350_000_000]);
}

#[test]
fn exchange_clearing_and_sales_fees() {
    let tiered = FeeConfig::default();
    // 1,000 x (0.0035 + 0.0030 + 0.0002) = 6.70; a sale adds 1,000 x 0.000166.
    assert!((taker(&tiered, Bid, &[(5_000, 1_000)]) - 6.70).abs() < 1e-12);
    assert!((taker(&tiered, Ask, &[(5_000, 1_000)]) - 6.866).abs() < 1e-12);
    let sec = FeeConfig { sell_fraction: 0.000_027_8, ..FeeConfig::default() };
    assert!((taker(&sec, Ask, &[(5_000, 1_000)]) - 6.866 - 1.39).abs() < 1e-12);
    let fixed = FeeConfig { schedule: FeeSchedule::IbkrFixed, ..FeeConfig::default() };
    assert!((taker(&fixed, Bid, &[(5_000, 1_000)]) - 5.0).abs() < 1e-12);
    assert!((taker(&fixed, Ask, &[(5_000, 1_000)]) - 5.166).abs() < 1e-12);
    assert_eq!(taker(&no_fees(), Ask, &[(5_000, 1_000)]), 0.0);
}

#[test]
fn making_earns_the_rebate() {
    let mut rig = Rig::with(DepthKind::L2, &sim(), &FeeConfig::default(), stock());
    rig.level(Ask, 5_002, 10);
    rig.place(Bid, 1_000, 5_000, TimeInForce::Day);
    rig.trade(Ask, 4_999, 1_000);
    rig.told();
    // 1,000 x (0.0035 - 0.0020 + 0.0002) = 1.70.
    assert_eq!(rig.reports().last().unwrap().fee_e9, 1_700_000_000);
}

#[test]
fn basis_points_of_coins() {
    let coin = Instrument { qty_unit_e9: 1, lot: Qty(1_000_000), ..stock() };
    let bps = FeeConfig { schedule: FeeSchedule::Bps, ..FeeConfig::default() };
    let mut rig = Rig::with(DepthKind::L2, &sim(), &bps, coin);
    rig.level(Ask, 6_000_000, 500_000_000); // half a coin at 60,000
    rig.place(Bid, 750_000_000, 6_000_000, TimeInForce::Day);
    rig.trade(Ask, 5_999_900, 250_000_000);
    rig.told();
    let fees: Vec<i64> =
        rig.reports().iter().filter(|r| r.exec_id.0 > 0).map(|r| r.fee_e9).collect();
    // 30,000 x 4 bps = 12; 15,000 x 2 bps = 3.
    assert_eq!(fees, [12_000_000_000, 3_000_000_000]);
}

#[test]
fn estimates_for_the_sizer() {
    let taker = |config: &FeeConfig, at, qty| {
        FeeEstimator::new(config).unwrap().taker_bps(&stock(), at, Qty(qty))
    };
    let fees = FeeConfig::default();
    // Buy 0.35 + 0.32, sale 0.6866: mean 0.6783 of 5,000 dollars.
    let got = taker(&fees, px(5_000), 100);
    assert!((got - 1.3566).abs() < 1e-9, "{got}");
    let bps = FeeConfig { schedule: FeeSchedule::Bps, ..FeeConfig::default() };
    assert!((taker(&bps, px(5_000), 7) - 4.0).abs() < 1e-6);
    assert_eq!(taker(&no_fees(), px(5_000), 7), 0.0);
    for (p, q) in [(0, 1), (-1, 1), (1, 0), (1, -5)] {
        assert!(taker(&fees, Px(p), q).is_nan());
    }
    let bad = FeeConfig { max_fraction: f64::NAN, ..FeeConfig::default() };
    assert_eq!(FeeEstimator::new(&bad).unwrap_err().field, "max_fraction");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    /// The order-level formula in floating point, whatever the parts.
    #[test]
    fn parts_add_up(parts in prop::collection::vec((1i64..400, 1i64..2_000), 1..12)) {
        let fees = commission(FeeSchedule::IbkrTiered);
        let mut cents = 4_000;
        let levels: Vec<(i64, i64)> = parts
            .iter()
            .map(|(step, qty)| {
                cents += step;
                (cents, *qty)
            })
            .collect();
        let shares: i64 = levels.iter().map(|l| l.1).sum();
        let value: f64 = levels.iter().map(|(c, q)| *c as f64 / 100.0 * *q as f64).sum();
        let want = (shares as f64 * 0.0035).max(0.35).min(value * 0.01);
        prop_assert!((taker(&fees, Bid, &levels) - want).abs() < 2e-9);
    }
}
