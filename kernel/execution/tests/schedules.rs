//! Published numbers and the laws of every schedule.

use ijk_core::record::ScheduleKind;
use ijk_core::{RecvTs, Session};
use ijk_execution::VolumeCurve;
use ijk_execution::plan::PlanInputs;
use ijk_execution::power_law::PowerLaw;
use ijk_execution::resilience::{edge_part, propagator_trades};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;
const HOUR: u64 = 3_600 * SECOND;
const TIMED: [ScheduleKind; 6] = [
    ScheduleKind::AlmgrenChriss,
    ScheduleKind::Twap,
    ScheduleKind::Vwap,
    ScheduleKind::PowerLaw,
    ScheduleKind::ObizhaevaWang,
    ScheduleKind::Propagator,
];

fn inputs(kind: ScheduleKind, qty: i64, slices: u64, curve: &VolumeCurve) -> PlanInputs<'_> {
    PlanInputs {
        kind,
        qty: qty as f64,
        from: RecvTs(10 * HOUR),
        end: RecvTs(10 * HOUR + slices * 10 * SECOND),
        tau_ns: 10 * SECOND,
        day_ns: 6 * HOUR,
        sigma: 1.5,
        volume: 1e6,
        eta: 0.142,
        beta: 0.6,
        lambda: 1e-6,
        half_life_ns: 60e9,
        propagator_exponent: 0.4,
        propagator_scale_ns: 10e9,
        rate: 0.1,
        session: Session { open_ns: 9 * HOUR, close_ns: 15 * HOUR },
        volume_curve: curve,
    }
}

/// Alfonsi, Fruth and Schied (2010), figure 1: ρ = 20, T = 1, N = 10, X = 100.
#[test]
fn the_published_schedule_of_a_book_that_refills() {
    let a = f64::exp(-2.0);
    let edge = 100.0 * edge_part(11, a);
    assert!((edge - 10.222_876_651).abs() < 1e-9, "{edge}");
    assert!((edge * (1.0 - a) - 8.839_360_744).abs() < 1e-9);
    assert!((2.0 * edge + 9.0 * edge * (1.0 - a) - 100.0).abs() < 1e-12);
}

/// Power kernel (1 + 10t)^-0.4, T = 1, N = 10, X = 100.
#[test]
fn the_published_schedule_of_a_power_kernel() {
    let mut trades = [0.0; 11];
    propagator_trades(|lag| (1.0 + lag as f64).powf(-0.4), &mut trades);
    let published = [19.27314, 8.313658, 6.946955, 6.364537, 6.094605, 6.01421];
    for k in 0..11 {
        let want = published[k.min(10 - k)];
        assert!((100.0 * trades[k] - want).abs() < 1e-5, "{k}: {} {want}", 100.0 * trades[k]);
    }
}

#[test]
fn power_law_with_exponent_one_is_almgren_chriss() {
    let none = VolumeCurve::default();
    for lambda in [0.0, 1e-7, 1e-6, 1e-5, 1e-3] {
        let base = PlanInputs { beta: 1.0, lambda, ..inputs(ScheduleKind::PowerLaw, 0, 60, &none) };
        let power = PlanInputs { qty: 1e6, ..base.clone() }.slices(1).unwrap();
        let kind = ScheduleKind::AlmgrenChriss;
        let linear = PlanInputs { qty: 1e6, kind, ..base }.slices(1).unwrap();
        for (p, l) in power.iter().zip(&linear) {
            assert!((p - l).abs() <= 2, "{lambda}: {power:?} {linear:?}");
        }
    }
}

#[test]
fn a_patient_trader_of_any_model_trades_evenly() {
    let none = VolumeCurve::default();
    for kind in [ScheduleKind::AlmgrenChriss, ScheduleKind::PowerLaw] {
        let i = PlanInputs { lambda: 0.0, ..inputs(kind, 700, 7, &none) };
        assert_eq!(i.slices(1).unwrap(), [100; 7], "{kind:?}");
    }
    // A book that refills at once, or a price that forgets at once, has nothing to wait for.
    let i = PlanInputs { half_life_ns: 1.0, ..inputs(ScheduleKind::ObizhaevaWang, 700, 7, &none) };
    assert_eq!(i.slices(1).unwrap(), [100; 7]);
    let i = PlanInputs {
        propagator_exponent: 1.0,
        propagator_scale_ns: 1e-3,
        ..inputs(ScheduleKind::Propagator, 700, 7, &none)
    };
    assert_eq!(i.slices(1).unwrap(), [100; 7]);
    // And one that never refills is paid for at both ends.
    let i = PlanInputs { half_life_ns: 1e30, ..inputs(ScheduleKind::ObizhaevaWang, 700, 7, &none) };
    assert_eq!(i.slices(1).unwrap(), [350, 0, 0, 0, 0, 0, 350]);
    // Nothing is known of the volume: VWAP is TWAP.
    assert_eq!(inputs(ScheduleKind::Vwap, 700, 7, &none).slices(1).unwrap(), [100; 7]);
}

#[test]
fn vwap_follows_the_volume_curve() {
    // Twelve half-hours from 9 to 15; the window is the third, 10:00 to 10:30, and half the next.
    let parts = [9.0, 5.0, 4.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0, 3.0, 5.0, 9.0];
    let curve = VolumeCurve::new(&parts).unwrap();
    let slices = inputs(ScheduleKind::Vwap, 5_000, 270, &curve).slices(1).unwrap();
    let first: i64 = slices[..180].iter().sum();
    // The curve is straight between 64 knots: the corner at 10:30 falls between two.
    assert!((first - 4_000).abs() <= 15, "{first}");
    assert_eq!(slices.iter().sum::<i64>(), 5_000);
}

proptest! {
    #[test]
    fn slices_add_up_in_whole_lots(
        kind in 0usize..6, lots in 1i64..5_000, lot in 1i64..200, count in 1u64..200,
        lambda in 0.0..1e-4f64, half_life in 1e8..1e12f64, beta in 0.1..1.0f64,
        parts in prop::collection::vec(0.0..10.0f64, 0..30),
    ) {
        let curve = VolumeCurve::new(&parts).unwrap_or_default();
        let base = inputs(TIMED[kind], lots * lot, count, &curve);
        let i = PlanInputs { lambda, half_life_ns: half_life, beta, ..base };
        let slices = i.slices(lot).unwrap();
        prop_assert_eq!(slices.len() as u64, count);
        prop_assert_eq!(slices.iter().sum::<i64>(), lots * lot);
        prop_assert!(slices.iter().all(|q| *q >= 0 && q % lot == 0), "{:?}", slices);
    }

    #[test]
    fn more_urgency_is_never_later(
        kind in 0usize..2, lots in 1i64..5_000, count in 1u64..64,
        calm in 0.0..1e-5f64, more in 0.0..1e-5f64, beta in 0.2..1.0f64,
    ) {
        let kind = [ScheduleKind::AlmgrenChriss, ScheduleKind::PowerLaw][kind];
        let none = VolumeCurve::default();
        let at = |lambda| {
            let base = inputs(kind, lots, count, &none);
            PlanInputs { lambda, beta, ..base }.slices(1).unwrap()
        };
        let (mut slow, mut fast) = (0, 0);
        for (x, y) in at(calm).into_iter().zip(at(calm + more)) {
            slow += x;
            fast += y;
            // Whole lots of two different lines: each is off by half a lot.
            prop_assert!(fast >= slow - 1, "{} {}", fast, slow);
        }
    }

    #[test]
    fn the_power_law_solver_ends_whatever_the_numbers(
        eta in prop::num::f64::POSITIVE, beta in 0.1..1.0f64, sigma in prop::num::f64::POSITIVE,
        volume in prop::num::f64::POSITIVE, lambda in prop::num::f64::POSITIVE,
        total in 1.0..1e15f64, n in 1usize..64,
    ) {
        let model = PowerLaw { eta, beta, sigma, volume, lambda };
        let mut trades = vec![f64::NAN; n];
        model.trades(total, 1e-3, &mut trades);
        // Numbers beyond all sense may give no answer, which a curve takes for nothing, but no
        // negative trade and no endless loop.
        prop_assert!(trades.iter().all(|t| t.is_nan() || *t >= 0.0), "{:?}", trades);
    }
}
