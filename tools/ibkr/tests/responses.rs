//! `docs/ibkr-responses.md` against what there is: scenarios, codes, tests.

use ijk_ibkr::codes;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Cells of every table row of the page.
fn rows() -> Vec<Vec<String>> {
    let page = std::fs::read_to_string(root().join("docs/ibkr-responses.md")).unwrap();
    let cells = |l: &str| -> Vec<String> {
        l.trim_matches('|').split('|').map(|c| c.trim().to_string()).collect()
    };
    let body = page.lines().filter(|l| l.starts_with("| ")).map(cells);
    body.filter(|c| c[2] != "scenario").collect()
}

fn names(cell: &str) -> impl Iterator<Item = String> + '_ {
    cell.split(',').map(|n| n.trim().trim_matches('`').to_string())
}

/// Names of the functions under `#[test]`, and of the cases of the macro that makes them.
fn tests_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if entry.is_dir() {
            tests_in(&entry, found);
            continue;
        }
        let Ok(text) = std::fs::read_to_string(&entry) else { continue };
        let word = |s: &str| s.split(['(', ':']).next().unwrap_or("").trim().to_string();
        let mut lines = text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            if line == "#[test]" {
                let name = lines.by_ref().find_map(|l| l.strip_prefix("fn "));
                found.extend(name.map(word));
            } else if line.contains(" => R::") && line.ends_with(';') {
                found.insert(word(line));
            }
        }
    }
}

#[test]
fn every_scenario_stands_on_the_page_and_every_one_there_exists() {
    let all: BTreeSet<String> =
        ijk_twsim::scenarios::all().iter().map(|s| s.name.to_string()).collect();
    let told: BTreeSet<String> =
        rows().iter().flat_map(|r| names(&r[2]).collect::<Vec<_>>()).collect();
    assert_eq!(all.difference(&told).collect::<Vec<_>>(), [""; 0], "not on the page");
    assert_eq!(told.difference(&all).collect::<Vec<_>>(), [""; 0], "no such scenario");
}

#[test]
fn every_test_on_the_page_exists() {
    let mut found = BTreeSet::new();
    for folder in ["tools/ibkr", "tools/twsim/tests", "tools/ijk/src", "tests/tests"] {
        tests_in(&root().join(folder), &mut found);
    }
    assert!(found.len() > 150, "{}", found.len());
    let rows = rows();
    assert!(rows.len() >= 55, "{}", rows.len());
    for row in &rows {
        let missing: Vec<String> = names(&row[3]).filter(|n| !found.contains(n)).collect();
        assert!(missing.is_empty(), "{}: no test {missing:?}", row[0]);
    }
}

#[test]
fn every_code_has_a_row() {
    let is_digit = |c: char| !c.is_ascii_digit();
    let of = |r: &Vec<String>| -> Vec<i32> {
        r[0].split(is_digit).filter_map(|n| n.parse().ok()).collect()
    };
    let told: BTreeSet<i32> = rows().iter().flat_map(of).collect();
    let missing: Vec<i32> =
        codes::all().iter().map(|c| c.code).filter(|c| !told.contains(c)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
