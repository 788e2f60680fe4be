//! Schedules against convex programs (`scripts/golden/schedule.py`, `optimal_execution.py`).

use ijk_execution::almgren_chriss::{LinearImpact, holdings};
use ijk_execution::power_law::PowerLaw;
use ijk_execution::resilience::propagator_trades;
use serde_json::Value;

#[test]
fn schedules_are_the_optimum_of_the_quadratic_program() {
    let text = include_str!("../../../scripts/golden/schedule.json");
    let cases: Vec<Value> = serde_json::from_str(text).unwrap();
    assert_eq!(cases.len(), 6);
    for case in cases {
        let get = |key: &str| case[key].as_f64().unwrap();
        let impact = LinearImpact {
            sigma: get("sigma"),
            eta: get("eta"),
            gamma: get("gamma"),
            epsilon: get("epsilon"),
            tau: get("tau"),
        };
        let slices = case["slices"].as_u64().unwrap() as usize;
        let total = get("total");
        let mut x = vec![0.0; slices + 1];
        holdings(total, impact.kappa(get("lambda")), impact.tau, &mut x);
        for (j, (got, want)) in x.iter().zip(case["holdings"].as_array().unwrap()).enumerate() {
            let off = (got - want.as_f64().unwrap()).abs() / total;
            assert!(off < 1e-6, "slice {j} of {case}: {got} is not {want}");
        }
        let (expected, variance) = impact.cost_moments(&x);
        assert!((expected / get("expected") - 1.0).abs() < 1e-6, "{expected} {case}");
        assert!((variance / get("variance") - 1.0).abs() < 1e-5, "{variance} {case}");
    }
}

fn close(got: &[f64], case: &Value) {
    let want = case["trades"].as_array().unwrap();
    assert_eq!(got.len(), want.len());
    for (k, (got, want)) in got.iter().zip(want).enumerate() {
        let off = (got - want.as_f64().unwrap()).abs();
        assert!(off < 2e-5, "trade {k} of {case}: {got} is not {want}");
    }
}

#[test]
fn power_law_and_propagator_schedules_are_the_optima_of_their_programs() {
    let text = include_str!("../../../scripts/golden/optimal_execution.json");
    let golden: Value = serde_json::from_str(text).unwrap();
    for case in golden["power_law"].as_array().unwrap() {
        let get = |key: &str| case[key].as_f64().unwrap();
        let (beta, lambda) = (get("beta"), get("lambda"));
        let mut trades = vec![0.0; case["n"].as_u64().unwrap() as usize];
        PowerLaw { eta: 1.0, beta, sigma: 1.0, volume: 1.0, lambda }.trades(1.0, 1.0, &mut trades);
        close(&trades, case);
    }
    for case in golden["propagator"].as_array().unwrap() {
        let parameter = case["parameter"].as_f64().unwrap();
        let mut trades = vec![0.0; case["n"].as_u64().unwrap() as usize];
        match case["kernel"].as_str() {
            Some("power") => propagator_trades(|l| (1.0 + l as f64).powf(-parameter), &mut trades),
            _ => propagator_trades(|l| (-parameter * l as f64).exp(), &mut trades),
        }
        close(&trades, case);
    }
}
