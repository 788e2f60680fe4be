//! Random streams through the gates and the independent oracle: same verdicts, same books.

use ijk_risk::RiskCode;
use ijk_risk::oracle::compare;

#[test]
fn gates_equal_oracle() {
    let sum = compare(1, 120_000).unwrap_or_else(|what| panic!("{what}"));
    eprintln!("{} comparisons\n{:?}\n{:?}", sum.total(), sum.by_code, sum.egress_by_code);
    assert_eq!(compare(7, 500), compare(7, 500), "the same seed is the same stream");
    // The streams must have reached every control they can reach.
    let out_of_reach = [
        RiskCode::Overflow,
        RiskCode::MalformedOrder,
        RiskCode::UnknownParent,
        RiskCode::ParentQuantity,
        RiskCode::TableFull,
    ];
    for code in RiskCode::ALL.iter().filter(|c| !out_of_reach.contains(c)) {
        let count = sum.by_code.get(code.name()).copied().unwrap_or(0);
        assert!(count >= 5, "{code} was reached {count} times");
    }
    for code in [
        RiskCode::ParentQuantity,
        RiskCode::UnknownParent,
        RiskCode::PriceCollar,
        RiskCode::OrderNotional,
        RiskCode::MissingMark,
        RiskCode::StaleQuote,
    ] {
        let count = sum.egress_by_code.get(code.name()).copied().unwrap_or(0);
        assert!(count >= 5, "egress {code} was reached {count} times");
    }
}

/// A longer run: `ORACLE_SEED=5 ORACLE_STEPS=10000000 cargo test --release -p ijk-risk --test
/// oracle`.
#[test]
fn gates_equal_oracle_for_as_long_as_asked() {
    let number = |name| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let Some(steps) = number("ORACLE_STEPS") else { return };
    let sum = compare(number("ORACLE_SEED").unwrap_or(2), steps);
    let sum = sum.unwrap_or_else(|what| panic!("{what}"));
    eprintln!("{} comparisons, {:?}", sum.total(), sum);
}
