//! The closed form against a quadratic program (`scripts/golden/schedule.py`).

use ijk_execution::almgren_chriss::{LinearImpact, holdings};
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
