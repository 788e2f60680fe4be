//! Laws of the bounds: ensemble, conformal, drawdown, volatility. All in the decision itself.

use ijk_core::Qty;
use ijk_core::config::{EdgeBound, SizingConfig};
use ijk_core::forecast::{EnsembleForecast, HorizonForecast};
use ijk_core::record::DecisionReason;
use ijk_sizing::{Sizer, SizingInput};
use proptest::prelude::*;

fn ensemble(means: [f64; 5], aleatoric: f64) -> EnsembleForecast {
    let mut forecast = EnsembleForecast { member_count: 5, ..Default::default() };
    for (member, mean) in forecast.members.iter_mut().zip(means) {
        let log_var = aleatoric.ln() as f32;
        *member = [HorizonForecast { logits: [0.0; 3], mean_bps: mean as f32, log_var }; 4];
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
        equity_usd: 1e7,
        peak_equity_usd: 1e7,
        notional_per_unit_usd: 100.0,
        lot: Qty(1),
        vol_bps_per_day: 150.0,
        tokens_per_day: 10_000.0,
        may_add_risk: true,
        distrust: 0.0,
        interval_z90: None,
    }
}

/// So small a multiplier that the caps do not bind, and no band.
fn free() -> SizingConfig {
    SizingConfig {
        kelly_multiplier: 1e-4,
        no_trade_band_fraction: 0.0,
        position_fraction_max: 10.0,
        vol_target_bps_per_day: 1e4,
        ..SizingConfig::default()
    }
}

fn target(config: &SizingConfig, i: &SizingInput<'_>) -> i64 {
    Sizer::new(config).unwrap().decide(i).target.0
}

#[test]
fn the_defaults_bound_as_before() {
    let f = ensemble([18.0, 19.0, 20.0, 21.0, 22.0], 100.0);
    let o = Sizer::new(&SizingConfig::default()).unwrap().decide(&input(&f));
    assert!((o.edge_lower_bps - (20.0 - 2.131_847 * 2.5f64.sqrt())).abs() < 1e-5);
    assert_eq!(o.target, Qty(20_000));
    // A fall from the peak changes nothing where no floor is set.
    let fallen = SizingInput { peak_equity_usd: 2e7, ..input(&f) };
    assert_eq!(Sizer::new(&SizingConfig::default()).unwrap().decide(&fallen).target, Qty(20_000));
}

#[test]
fn one_member_against_the_trade_is_enough_for_the_ensembles_bound() {
    let f = ensemble([-1.0, 30.0, 30.0, 30.0, 30.0], 100.0);
    // At 95 % the spread of five is the stricter bound; at 60 % the member is.
    let less = SizingConfig { confidence: 0.6, ..free() };
    let with =
        |bound| Sizer::new(&SizingConfig { bound, ..less.clone() }).unwrap().decide(&input(&f));
    let worst = with(EdgeBound::WorstMember);
    assert_eq!((worst.edge_lower_bps, worst.reason), (-1.0, DecisionReason::NoEdge));
    assert_eq!(with(EdgeBound::StudentT).reason, DecisionReason::Trade);
    assert_eq!(with(EdgeBound::Both).edge_lower_bps, -1.0);
    // And for a sale the same from the other side.
    let f = ensemble([1.0, -30.0, -30.0, -30.0, -30.0], 100.0);
    let c = SizingConfig { bound: EdgeBound::WorstMember, ..free() };
    assert_eq!(Sizer::new(&c).unwrap().decide(&input(&f)).edge_lower_bps, -1.0);
}

#[test]
fn a_conformal_radius_wider_than_the_edge_forbids_it() {
    let f = ensemble([20.0; 5], 100.0);
    let with = |r| {
        let c = SizingConfig { conformal_radius_bps: r, ..free() };
        Sizer::new(&c).unwrap().decide(&input(&f))
    };
    assert_eq!(with(25.0).reason, DecisionReason::NoEdge);
    assert_eq!(with(19.0).reason, DecisionReason::NoEdge, "one basis point does not pay the costs");
    assert_eq!((with(5.0).reason, with(5.0).edge_lower_bps), (DecisionReason::Trade, 15.0));
}

#[test]
fn a_measured_interval_twice_as_wide_counts_as_four_times_the_variance() {
    // The members agree, so the bound is the mean, and the floor of the realised variance is far
    // below: a quarter of the size.
    let f = ensemble([20.0; 5], 4_000.0);
    let at = |interval_z90| target(&free(), &SizingInput { interval_z90, ..input(&f) });
    let plain = at(None);
    assert!(plain > 100, "{plain}");
    assert_eq!(at(Some(2.0 * 1.644_853_626_951_472_2)), plain / 4);
    // A narrower interval is no reason to hold more.
    for narrow in [1.644_853_626_951_472_2, 1.2, 0.0, f64::NAN] {
        assert_eq!(at(Some(narrow)), plain);
    }
    // The spread of the members widens with it: 2 basis points of doubt become 4.
    let f = ensemble([18.0, 19.0, 20.0, 21.0, 22.0], 100.0);
    let lower = |interval_z90| {
        let i = SizingInput { interval_z90, ..input(&f) };
        Sizer::new(&free()).unwrap().decide(&i).edge_lower_bps
    };
    let wide = lower(Some(2.0 * 1.644_853_626_951_472_2));
    assert!((20.0 - wide - 2.0 * (20.0 - lower(None))).abs() < 1e-9, "{wide}");
}

#[test]
fn a_drawdown_bound_leaves_its_fraction_of_kelly() {
    let f = ensemble([20.0; 5], 1e6);
    let full = SizingConfig { kelly_multiplier: 1.0, ..free() };
    let bounded = SizingConfig { drawdown_level: 0.5, drawdown_probability: 0.125, ..full.clone() };
    let ratio = target(&bounded, &input(&f)) as f64 / target(&full, &input(&f)) as f64;
    assert!((ratio - 0.5).abs() < 1e-2, "half Kelly halves with probability 1/8: {ratio}");
    // At the floor what is held is closed, and nothing is built up.
    let floor = SizingConfig { drawdown_max: 0.1, ..full };
    let low = SizingInput { equity_usd: 9e6, position: Qty(40), ..input(&f) };
    assert_eq!(target(&floor, &low), 0);
    assert_eq!(target(&floor, &SizingInput { position: Qty(0), ..low }), 0);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn deeper_in_a_drawdown_never_holds_more(
        mean in -50.0..50.0f64, fall in 0.01..1.0f64, down in 0.0..0.5f64, more in 0.0..0.5f64,
        position in -2_000i64..2_000,
    ) {
        let f = ensemble([mean; 5], 400.0);
        let c = SizingConfig { drawdown_max: fall, ..free() };
        // The same equity, an ever higher peak.
        let at = |d: f64, position| {
            let peak_equity_usd = 1e7 / (1.0 - d);
            target(&c, &SizingInput { peak_equity_usd, position: Qty(position), ..input(&f) })
        };
        prop_assert!(at(down + more, 0).abs() <= at(down, 0).abs());
        prop_assert!(at(down + more, position).abs() <= at(down, position).abs());
    }

    #[test]
    fn a_wider_interval_or_a_stricter_bound_never_trades_more(
        means in prop::array::uniform5(-10.0..40.0f64), radius in 0.0..30.0f64,
        more in 0.0..30.0f64, probability in 0.01..1.0f64, part in 0.01..1.0f64,
    ) {
        let f = ensemble(means, 400.0);
        let with = |c: SizingConfig| target(&c, &input(&f)).abs();
        let at = |conformal_radius_bps| with(SizingConfig { conformal_radius_bps, ..free() });
        prop_assert!(at(radius + more) <= at(radius));
        prop_assert!(at(radius) <= at(0.0));
        let bounded = |drawdown_probability| {
            with(SizingConfig { kelly_multiplier: 1.0, drawdown_probability, ..free() })
        };
        prop_assert!(bounded(probability * part) <= bounded(probability));
        let by = |bound| with(SizingConfig { bound, ..free() });
        prop_assert!(by(EdgeBound::Both) <= by(EdgeBound::StudentT));
        prop_assert!(by(EdgeBound::Both) <= by(EdgeBound::WorstMember));
    }

    #[test]
    fn a_wider_measured_interval_never_holds_more(
        means in prop::array::uniform5(-10.0..40.0f64), z90 in 0.5..6.0f64, more in 0.0..4.0f64,
        position in -2_000i64..2_000, aleatoric in 1.0..10_000.0f64,
    ) {
        let f = ensemble(means, aleatoric);
        let at = |interval_z90, position| {
            let i = SizingInput { interval_z90, position: Qty(position), ..input(&f) };
            target(&free(), &i).abs()
        };
        prop_assert!(at(Some(z90 + more), 0) <= at(Some(z90), 0));
        prop_assert!(at(Some(z90 + more), position) <= at(Some(z90), position));
        prop_assert!(at(Some(z90), position) <= at(None, position));
    }

    #[test]
    fn with_scaling_more_volatility_never_trades_more(
        mean in -50.0..50.0f64, vol in 10.0..5_000.0f64, more in 1.0..5.0f64,
    ) {
        let f = ensemble([mean; 5], 400.0);
        for vol_scaling in [false, true] {
            let c = SizingConfig { vol_scaling, vol_target_bps_per_day: 500.0, ..free() };
            let at = |v| target(&c, &SizingInput { vol_bps_per_day: v, ..input(&f) }).abs();
            prop_assert!(at(vol * more) <= at(vol));
        }
        let scaled = SizingConfig { vol_scaling: true, vol_target_bps_per_day: 500.0, ..free() };
        let i = SizingInput { vol_bps_per_day: vol, ..input(&f) };
        prop_assert!(target(&scaled, &i).abs() <= target(&free(), &i).abs());
    }
}
