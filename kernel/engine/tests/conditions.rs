//! What the decision core does with what it is told from outside and with the rules of the market.

mod rig;

use ijk_core::config::{Config, RiskConfig};
use ijk_core::record::{ControlCommand, Urgency};
use ijk_core::{Block, Condition, EventKind, InstrumentId, Qty, RecvTs, Side};
use ijk_engine::{Input, Kernel, KernelError, KernelParts};
use ijk_risk::RiskCode;
use rig::{Rig, instrument};

const S: u64 = 1_000_000_000;

fn with(change: impl FnOnce(&mut RiskConfig)) -> Config {
    let mut config = Config::default();
    config.execution.no_new_before_close_s = 0;
    change(&mut config.risk);
    config
}

fn closes(close: f64) -> std::collections::BTreeMap<String, f64> {
    [("T".to_string(), close)].into()
}

#[test]
fn a_clock_that_is_off_or_unknown_stops_orders_and_cancels_what_rests() {
    for condition in [Condition::clock(None), Condition::clock(Some(-60_000_000))] {
        let mut rig = Rig::new();
        rig.parent(Side::Bid, Urgency::Passive);
        assert_eq!(rig.seen.orders.len(), 1);
        rig.input(&Input::Condition(&condition));
        assert_eq!(rig.seen.cancels, 1);
        rig.parent(Side::Bid, Urgency::Urgent);
        assert_eq!(rig.seen.refusals, [RiskCode::BlockedClock as u16]);
        rig.input(&Input::Condition(&Condition::clock(Some(0))));
        rig.parent(Side::Bid, Urgency::Urgent);
        assert_eq!(rig.seen.orders.len(), 2);
    }
}

#[test]
fn a_hold_cancels_what_rests() {
    let mut rig = Rig::new();
    rig.parent(Side::Bid, Urgency::Passive);
    let hold = ControlCommand::block(Block::Operator, true);
    rig.input(&Input::Control(&hold));
    assert_eq!((rig.seen.orders.len(), rig.seen.cancels), (1, 1));
}

#[test]
fn lower_limits_bind_the_gate_and_the_size_of_children() {
    let mut rig = Rig::new();
    let lower = RiskConfig { max_order_qty: 7, ..RiskConfig::simulation() };
    rig.input(&Input::Limits(&lower));
    rig.parent(Side::Bid, Urgency::Urgent);
    assert_eq!(rig.seen.orders[0].qty, Qty(7), "cut to size, not refused");
    rig.input(&Input::Limits(&RiskConfig::simulation()));
    rig.wait(2 * S); // else it is a duplicate
    rig.parent(Side::Bid, Urgency::Urgent);
    assert_eq!(rig.seen.orders[1].qty, Qty(7), "nothing is raised");
    let none = RiskConfig { max_order_notional_usd: f64::NAN, ..RiskConfig::simulation() };
    rig.input(&Input::Limits(&none));
    rig.wait(2 * S);
    rig.parent(Side::Bid, Urgency::Urgent);
    assert_eq!(rig.seen.orders.len(), 2, "no number, no order");
}

#[test]
fn bands_follow_the_trades_where_the_plan_holds() {
    for (luld_bands, price, leaves) in
        [(true, 111, false), (true, 110, true), (true, 109, true), (false, 111, true)]
    {
        let config = with(|risk| {
            risk.luld_bands = luld_bands;
            risk.price_collar_bps = 2_000.0;
            risk.price_collar_hard_bps = 2_000.0;
        });
        let mut rig = Rig::with(&config, instrument());
        rig.market(EventKind::Trade, Side::Bid, 100);
        rig.level_qty(Side::Ask, 101, 0);
        rig.level(Side::Ask, price);
        rig.parent(Side::Bid, Urgency::Urgent);
        assert_eq!(rig.seen.orders.len() == 1, leaves, "{luld_bands} {price}: {:?}", rig.seen);
    }
}

#[test]
fn a_fall_of_a_tenth_restricts_short_sales_until_somebody_frees_them() {
    for (price, restricted) in [(91, false), (90, true)] {
        let config = with(|risk| risk.last_close = closes(100.0));
        let mut rig = Rig::with(&config, instrument());
        rig.market(EventKind::Trade, Side::Ask, price);
        rig.parent(Side::Ask, Urgency::Urgent);
        assert_eq!(rig.seen.orders.is_empty(), restricted, "{price}");
        if restricted {
            assert_eq!(rig.seen.refusals, [RiskCode::ShortSaleRestricted as u16]);
            let free = Condition::short_sale(InstrumentId(0), false);
            rig.input(&Input::Condition(&free));
            rig.parent(Side::Ask, Urgency::Urgent);
            assert_eq!(rig.seen.orders.len(), 1);
        }
    }
    let config = with(|risk| risk.short_sale_restricted_symbols.push("T".into()));
    let mut rig = Rig::with(&config, instrument());
    rig.parent(Side::Ask, Urgency::Urgent);
    assert!(rig.seen.orders.is_empty(), "restricted since yesterday");
}

#[test]
fn a_fall_of_the_index_stops_the_market_until_it_resumes() {
    for (trade, halts, resumes) in [(94, false, true), (93, true, true), (80, true, false)] {
        let config = with(|risk| {
            risk.market_index = "T".into();
            risk.last_close.insert("T".into(), 100.0);
        });
        let mut rig = Rig::with(&config, instrument());
        rig.market(EventKind::Trade, Side::Bid, trade);
        rig.parent(Side::Bid, Urgency::Urgent);
        assert_eq!(rig.seen.orders.is_empty(), halts, "{trade}");
        rig.seen.orders.clear();
        rig.input(&Input::Condition(&Condition::resume()));
        rig.wait(2 * S);
        rig.parent(Side::Bid, Urgency::Urgent);
        assert_eq!(rig.seen.orders.len() == 1, resumes, "{trade}");
    }
}

#[test]
fn at_the_first_cut_off_parents_that_add_risk_are_stopped() {
    let config = with(|risk| {
        risk.eod_reduce_only_s = 600;
        risk.eod_no_new_s = 300;
    });
    let mut list = instrument();
    list.session.close_ns = 10_000 * S;
    let mut rig = Rig::with(&config, list);
    rig.now = RecvTs(9_399 * S);
    rig.level(Side::Bid, 100);
    rig.parent(Side::Bid, Urgency::Passive);
    assert_eq!((rig.seen.orders.len(), rig.seen.cancels), (1, 0));
    rig.now = RecvTs(9_400 * S);
    rig.input(&Input::Timer);
    assert_eq!(rig.seen.cancels, 1);
    rig.parent(Side::Ask, Urgency::Urgent);
    assert_eq!(rig.seen.refusals, [RiskCode::EndOfDayReduceOnly as u16]);
}

#[test]
fn settings_of_the_market_rules_are_checked() {
    let build = |config: &Config| {
        Kernel::new(KernelParts {
            config,
            instruments: &[instrument()],
            depths: &[ijk_core::DepthKind::L2],
            encoder: None,
            outside_forecasts: false,
            epoch: 1,
            external_venue: false,
        })
        .err()
    };
    for close in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = build(&with(|r| r.last_close = closes(close)));
        assert!(matches!(error, Some(KernelError::LastClose { .. })), "{close}: {error:?}");
    }
    for index in ["T", "SPX"] {
        let error = build(&with(|r| r.market_index = index.into()));
        assert!(matches!(error, Some(KernelError::MarketIndex(_))), "{index}: {error:?}");
    }
}
