//! The table of reason codes in the documentation.

use ijk_risk::RiskCode;
use std::collections::HashSet;
use std::path::Path;

fn table() -> String {
    let mut text = String::from(
        "# Reason codes of the risk gate\n\n\
         Written by `UPDATE_DOCS=1 cargo test -p ijk-risk`; do not edit. The numbers stand in\n\
         journals (`RefusalRecord::code`) and never change their meaning.\n\n\
         | code | name | meaning |\n|---:|---|---|\n",
    );
    for code in RiskCode::ALL {
        text += &format!("| {} | `{}` | {} |\n", *code as u16, code.name(), code.describe());
    }
    text
}

#[test]
fn the_documented_table_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/risk-codes.md");
    let want = table();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &want).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == want,
        "docs/risk-codes.md is out of date: run `UPDATE_DOCS=1 cargo test -p ijk-risk` and \
         commit it"
    );
}

#[test]
fn codes_are_distinct_and_round_trip() {
    let (mut names, mut numbers) = (HashSet::new(), HashSet::new());
    for code in RiskCode::ALL {
        assert!(names.insert(code.name()) && numbers.insert(*code as u16));
        assert_eq!(RiskCode::from_raw(*code as u16), Some(*code));
        assert!(code.describe().ends_with('.'));
        assert_eq!(code.to_string(), code.name());
    }
    assert!(RiskCode::ALL.windows(2).all(|w| w[0] < w[1]), "in the order of their numbers");
    assert_eq!(RiskCode::from_raw(0), None);
    assert_eq!(RiskCode::from_raw(u16::MAX), None);
}
