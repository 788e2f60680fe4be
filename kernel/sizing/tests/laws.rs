//! Laws of the whole decision, and input that must not be traded on.

use ijk_core::Qty;
use ijk_core::config::SizingConfig;
use ijk_core::forecast::{EnsembleForecast, HorizonForecast};
use ijk_core::record::DecisionReason;
use ijk_sizing::{Sizer, SizingConfigError, SizingInput, SizingOutcome};
use proptest::prelude::*;

/// Five members around `mean` with sample variance `epistemic`, at every horizon.
fn ensemble(mean: f64, epistemic: f64, aleatoric: f64) -> EnsembleForecast {
    // Deviations -2, -1, 0, 1, 2 have the sample variance 2.5.
    let step = (epistemic / 2.5).sqrt();
    let mut forecast = EnsembleForecast { member_count: 5, ..Default::default() };
    for (m, member) in forecast.members.iter_mut().enumerate() {
        *member = [HorizonForecast {
            logits: [0.0; 3],
            mean_bps: (mean + step * (m as f64 - 2.0)) as f32,
            log_var: aleatoric.ln() as f32,
        }; 4];
    }
    forecast
}

fn input(forecast: &EnsembleForecast) -> SizingInput<'_> {
    SizingInput {
        forecast,
        mid: 100.0,
        spread_bps: 1.0,
        fee_bps_per_side: 0.5,
        position: Qty(0),
        equity_usd: 100_000.0,
        peak_equity_usd: 100_000.0,
        notional_per_unit_usd: 100.0,
        lot: Qty(1),
        vol_bps_per_day: 150.0,
        tokens_per_day: 10_000.0,
        may_add_risk: true,
        distrust: 0.0,
        interval_z90: None,
    }
}

#[test]
fn what_the_model_does_not_know_adds_nothing_and_still_closes() {
    let f = ensemble(30.0, 1.0, 100.0);
    let trade = sizer().decide(&input(&f));
    assert_eq!(trade.reason, DecisionReason::Trade);
    let near = sizer().decide(&SizingInput { distrust: 0.999, ..input(&f) });
    assert_eq!(near, trade, "inside what it knows the score changes nothing");
    for distrust in [1.0, 50.0, f64::INFINITY, f64::NAN] {
        let o = sizer().decide(&SizingInput { distrust, ..input(&f) });
        assert_eq!((o.target, o.reason), (Qty(0), DecisionReason::Distrust));
        // Held the wrong way: closed, not turned.
        let short = SizingInput { distrust, position: Qty(-40), ..input(&f) };
        assert_eq!(sizer().decide(&short).target, Qty(0));
        let halted = SizingInput { distrust, may_add_risk: false, ..input(&f) };
        assert_eq!(sizer().decide(&halted).reason, DecisionReason::Halted);
    }
}

fn sizer() -> Sizer {
    Sizer::new(&SizingConfig::default()).unwrap()
}

/// Small enough a multiplier that the caps seldom bind.
fn timid() -> Sizer {
    Sizer::new(&SizingConfig { kelly_multiplier: 1e-3, ..SizingConfig::default() }).unwrap()
}

/// Sets the cost of one side to `cost` basis points (default slippage is 0.1).
fn with_cost(i: SizingInput<'_>, cost: f64) -> SizingInput<'_> {
    SizingInput { spread_bps: 0.0, fee_bps_per_side: cost - 0.1, ..i }
}

fn change(i: &SizingInput<'_>, o: &SizingOutcome) -> i64 {
    (o.target.0 - i.position.0).abs()
}

#[test]
fn a_clear_edge_is_traded_up_to_the_cap() {
    let f = ensemble(20.0, 1.0, 100.0);
    let o = sizer().decide(&input(&f));
    assert_eq!((o.target, o.reason), (Qty(200), DecisionReason::Trade));
    assert!((o.kelly_fraction - 0.2).abs() < 1e-12);
    assert!((o.cost_bps - 2.2).abs() < 1e-12);
    // Student's t at 95 % with four degrees of freedom.
    assert!((o.edge_lower_bps - (20.0 - 2.131_847)).abs() < 1e-5);
}

#[test]
fn the_volatility_target_caps_too() {
    let f = ensemble(20.0, 1.0, 100.0);
    let o = sizer().decide(&SizingInput { vol_bps_per_day: 1_000.0, ..input(&f) });
    assert_eq!(o.target, Qty(100));
}

#[test]
fn an_edge_within_its_doubt_or_its_cost_is_none() {
    for (mean, epistemic) in [(2.0, 1e-6), (20.0, 80.0), (0.0, 1.0)] {
        let f = ensemble(mean, epistemic, 100.0);
        let o = sizer().decide(&input(&f));
        assert_eq!((o.target, o.reason), (Qty(0), DecisionReason::NoEdge), "{mean} {epistemic}");
    }
}

#[test]
fn a_position_is_held_until_the_edge_turns_by_more_than_the_exit() {
    let held = |mean: f64| {
        let f = ensemble(mean, 1e-6, 100.0);
        sizer().decide(&SizingInput { position: Qty(100), ..input(&f) })
    };
    assert_eq!((held(1.0).target, held(1.0).reason), (Qty(100), DecisionReason::NoEdge));
    assert_eq!((held(-1.0).target, held(-1.0).reason), (Qty(100), DecisionReason::NoEdge));
    // One side costs 1.1: gone beyond that, but short only beyond a round trip.
    assert_eq!((held(-1.2).target, held(-1.2).reason), (Qty(0), DecisionReason::Trade));
    assert_eq!(held(-2.1).target, Qty(0));
    assert_eq!(held(-9.0).target, Qty(-200));
}

#[test]
fn without_permission_only_reductions_pass() {
    let decide = |mean: f64, position: i64| {
        let f = ensemble(mean, 1e-6, 100.0);
        let i = SizingInput { position: Qty(position), may_add_risk: false, ..input(&f) };
        let o = sizer().decide(&i);
        (o.target.0, o.reason)
    };
    assert_eq!(decide(20.0, 0), (0, DecisionReason::Halted));
    assert_eq!(decide(20.0, 50), (50, DecisionReason::Halted));
    assert_eq!(decide(-20.0, 50), (0, DecisionReason::Trade));
    assert_eq!(decide(20.0, -150), (0, DecisionReason::Trade));
}

#[test]
fn small_moves_are_not_traded_but_small_positions_are_closed() {
    let f = ensemble(20.0, 1.0, 100.0);
    // The band is a tenth of the largest position: 20 of 200.
    let near = sizer().decide(&SizingInput { position: Qty(185), ..input(&f) });
    assert_eq!((near.target, near.reason), (Qty(185), DecisionReason::InBand));
    let far = sizer().decide(&SizingInput { position: Qty(175), ..input(&f) });
    assert_eq!((far.target, far.reason), (Qty(200), DecisionReason::Trade));
    let f = ensemble(-1.5, 1e-6, 100.0);
    let small = sizer().decide(&SizingInput { position: Qty(3), ..input(&f) });
    assert_eq!((small.target, small.reason), (Qty(0), DecisionReason::Trade));
}

#[test]
fn beyond_the_cap_is_cut_back_whatever_it_costs() {
    let f = ensemble(20.0, 1.0, 100.0);
    let i = SizingInput { position: Qty(201), spread_bps: 50.0, ..input(&f) };
    let o = sizer().decide(&i);
    assert_eq!((o.target, o.reason), (Qty(180), DecisionReason::Trade));
}

#[test]
fn useless_input_keeps_the_position() {
    let good = ensemble(20.0, 1.0, 100.0);
    let base = SizingInput { position: Qty(-7), ..input(&good) };
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    let mut bad = Vec::new();
    for v in [0.0, -1.0, nan, inf, 1e300, 1e-300] {
        bad.push(SizingInput { mid: v, ..base });
        bad.push(SizingInput { equity_usd: v, ..base });
        bad.push(SizingInput { peak_equity_usd: v, ..base });
        bad.push(SizingInput { notional_per_unit_usd: v, ..base });
        bad.push(SizingInput { vol_bps_per_day: v, ..base });
        bad.push(SizingInput { tokens_per_day: v, ..base });
    }
    for v in [-0.1, nan, inf] {
        bad.push(SizingInput { spread_bps: v, ..base });
    }
    bad.push(SizingInput { fee_bps_per_side: nan, ..base });
    bad.push(SizingInput { fee_bps_per_side: -inf, ..base });
    bad.push(SizingInput { lot: Qty(0), ..base });
    bad.push(SizingInput { lot: Qty(-1), ..base });
    for i in bad {
        let o = sizer().decide(&i);
        assert_eq!((o.target, o.reason), (Qty(-7), DecisionReason::BadBook), "{i:?}");
    }
    let mut not_finite = good;
    not_finite.members[2][3].mean_bps = f32::NAN;
    let zero_variance = ensemble(20.0, 0.0, 1e-60);
    let mut zero_variance_bits = zero_variance;
    zero_variance_bits.members.iter_mut().for_each(|m| m[3].log_var = -1e4);
    let mut infinite = good;
    infinite.members[0][3].log_var = 1e4;
    for f in [not_finite, EnsembleForecast::default(), zero_variance_bits, infinite] {
        let o = sizer().decide(&SizingInput { forecast: &f, ..base });
        assert_eq!((o.target, o.reason), (Qty(-7), DecisionReason::BadForecast));
    }
}

#[test]
fn one_member_alone_all_but_forbids_trades() {
    let mut f = ensemble(20.0, 0.0, 100.0);
    f.member_count = 1;
    assert_eq!(sizer().decide(&input(&f)).reason, DecisionReason::NoEdge);
    let mut f = ensemble(20.0, 0.0, 1.0);
    f.member_count = 1;
    assert_eq!(sizer().decide(&input(&f)).reason, DecisionReason::Trade);
}

#[test]
fn settings_out_of_range_are_named() {
    let d = SizingConfig::default;
    let bad = [
        ("kelly_multiplier", SizingConfig { kelly_multiplier: 0.0, ..d() }),
        ("confidence", SizingConfig { confidence: 0.5, ..d() }),
        ("position_fraction_max", SizingConfig { position_fraction_max: f64::NAN, ..d() }),
        ("vol_target_bps_per_day", SizingConfig { vol_target_bps_per_day: -1.0, ..d() }),
        ("no_trade_band_fraction", SizingConfig { no_trade_band_fraction: 1.5, ..d() }),
        ("slippage_bps", SizingConfig { slippage_bps: -0.1, ..d() }),
        ("conformal_radius_bps", SizingConfig { conformal_radius_bps: f64::NAN, ..d() }),
        ("conformal_radius_bps", SizingConfig { conformal_radius_bps: -1.0, ..d() }),
        ("drawdown_level", SizingConfig { drawdown_level: 1.0, ..d() }),
        ("drawdown_level", SizingConfig { drawdown_level: 0.0, ..d() }),
        ("drawdown_probability", SizingConfig { drawdown_probability: 0.0, ..d() }),
        ("drawdown_probability", SizingConfig { drawdown_probability: 1.1, ..d() }),
        ("drawdown_max", SizingConfig { drawdown_max: f64::NAN, ..d() }),
        ("drawdown_max", SizingConfig { drawdown_max: 0.0, ..d() }),
        ("parent_horizon_s", SizingConfig { parent_horizon_s: 0.0, ..d() }),
    ];
    for (name, config) in bad {
        let error = Sizer::new(&config).unwrap_err();
        assert!(matches!(error, SizingConfigError::Range { key, .. } if key == name), "{error}");
    }
    let error = Sizer::new(&SizingConfig { horizon_index: 4, ..d() }).unwrap_err();
    assert_eq!(error, SizingConfigError::HorizonIndex(4));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 5_000, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn size_never_grows_with_doubt_and_vanishes_in_it(
        mean in -50.0..50.0f64, epistemic in 0.0..100.0f64, more in 0.0..100.0f64,
        aleatoric in 1.0..900.0f64, position in -150i64..150,
    ) {
        let a = ensemble(mean, epistemic, aleatoric);
        let b = ensemble(mean, epistemic + more, aleatoric);
        let flat = |f| timid().decide(&input(f)).target.0.abs();
        prop_assert!(flat(&b) <= flat(&a));
        // Held positions too, but for the band, which compares sizes of moves.
        let no_band = SizingConfig {
            kelly_multiplier: 1e-3, no_trade_band_fraction: 0.0, ..SizingConfig::default()
        };
        let no_band = Sizer::new(&no_band).unwrap();
        let held =
            |f| no_band.decide(&SizingInput { position: Qty(position), ..input(f) }).target.0;
        prop_assert!(held(&b).abs() <= held(&a).abs(), "{} {}", held(&a), held(&b));
        let lost = ensemble(mean, 1e12, aleatoric);
        prop_assert_eq!(flat(&lost), 0);
    }

    #[test]
    fn size_grows_with_the_mean(
        mean in -50.0..50.0f64, more in 0.0..50.0f64, epistemic in 0.0..20.0f64,
        aleatoric in 1.0..900.0f64, position in -150i64..150,
    ) {
        let no_band = SizingConfig {
            kelly_multiplier: 1e-3, no_trade_band_fraction: 0.0, ..SizingConfig::default()
        };
        let no_band = Sizer::new(&no_band).unwrap();
        let a = ensemble(mean, epistemic, aleatoric);
        let b = ensemble(mean + more, epistemic, aleatoric);
        let at =
            |f| no_band.decide(&SizingInput { position: Qty(position), ..input(f) }).target.0;
        prop_assert!(at(&b) >= at(&a), "{} {}", at(&a), at(&b));
    }

    #[test]
    fn cost_never_makes_a_change_larger(
        mean in -50.0..50.0f64, epistemic in 0.0..20.0f64, aleatoric in 1.0..900.0f64,
        position in -250i64..250, cost in 0.1..10.0f64, more in 0.0..20.0f64,
    ) {
        let f = ensemble(mean, epistemic, aleatoric);
        for s in [sizer(), timid()] {
            let i = SizingInput { position: Qty(position), ..input(&f) };
            let (cheap, dear) = (with_cost(i, cost), with_cost(i, cost + more));
            let (a, b) = (s.decide(&cheap), s.decide(&dear));
            prop_assert!(change(&i, &b) <= change(&i, &a), "{:?} {:?}", a, b);
        }
    }

    #[test]
    fn caps_lots_and_symmetry_hold(
        mean in -50.0..50.0f64, epistemic in 0.0..20.0f64, aleatoric in 1.0..900.0f64,
        lots in -30i64..30, lot in 1i64..30, vol in 10.0..2_000.0f64, may_add_risk in any::<bool>(),
    ) {
        let (f, g) = (ensemble(mean, epistemic, aleatoric), ensemble(-mean, epistemic, aleatoric));
        let i = SizingInput {
            position: Qty(lots * lot),
            lot: Qty(lot),
            vol_bps_per_day: vol,
            may_add_risk,
            ..input(&f)
        };
        let o = sizer().decide(&i);
        let mirrored = SizingInput { forecast: &g, position: Qty(-lots * lot), ..i };
        prop_assert_eq!(sizer().decide(&mirrored).target.0, -o.target.0);
        prop_assert_eq!(o.target.0 % lot, 0);
        prop_assert!(o.target.0.abs() <= 200, "the position cap");
        let adds = o.target.0.abs() > i.position.0.abs() || o.target.0 * i.position.0 < 0;
        prop_assert!(!adds || o.target.0.abs() as f64 <= 1_000.0 * 100.0 / vol + 1e-6);
        prop_assert!(!adds || may_add_risk);
        prop_assert_eq!(o.reason == DecisionReason::Trade, o.target != i.position);
        prop_assert!(o.kelly_fraction.is_finite() && o.edge_lower_bps.is_finite());
    }
}
