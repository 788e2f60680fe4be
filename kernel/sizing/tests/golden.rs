//! Against brute optimisation and a statistics library (`scripts/golden/kelly.py`).

use ijk_sizing::kelly::{growth_rate, kelly_fraction};
use ijk_sizing::quantile::student_t;
use ijk_sizing::region::Edge;
use serde_json::Value;

fn section(name: &str) -> Vec<Value> {
    let text = include_str!("../../../scripts/golden/kelly.json");
    let document: Value = serde_json::from_str(text).unwrap();
    document[name].as_array().unwrap().clone()
}

fn get(case: &Value, key: &str) -> f64 {
    case[key].as_f64().unwrap()
}

#[test]
fn mean_over_variance_is_the_exact_log_growth_optimum_to_second_order() {
    for case in section("log_growth") {
        let (mean, sd) = (get(&case, "mean"), get(&case, "sd"));
        let f = kelly_fraction(mean, sd * sd);
        // The next term of the expansion is of the order of (mean/sd)².
        let order = (mean / sd).powi(2);
        assert!((f / get(&case, "fraction") - 1.0).abs() < 3.0 * order, "{f} {case}");
        let half = growth_rate(0.5 * f, mean, sd * sd) / growth_rate(f, mean, sd * sd);
        assert!((half - get(&case, "half_growth")).abs() < 3.0 * order, "{half} {case}");
    }
}

#[test]
fn quantiles() {
    for case in section("student_t") {
        let q = student_t(get(&case, "confidence"), case["df"].as_u64().unwrap() as usize);
        assert!((q / get(&case, "quantile") - 1.0).abs() < 1e-9, "{q} {case}");
    }
}

#[test]
fn targets_maximise_the_utility_after_costs() {
    let cases = section("region");
    assert_eq!(cases.len(), 120);
    for case in cases {
        let mean = get(&case, "mean");
        let edge = Edge {
            entry: mean,
            hold: mean,
            cost_side: get(&case, "cost"),
            variance: get(&case, "variance"),
            multiplier: get(&case, "multiplier"),
        };
        let target = edge.target(get(&case, "position"), 10.0);
        assert!((target - get(&case, "target")).abs() < 1e-6, "{target} {case}");
    }
}
