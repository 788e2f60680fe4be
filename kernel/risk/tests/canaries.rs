//! Every planted bug is caught by the comparison with the oracle, and without one it passes. Run
//! with `cargo test -p ijk-risk --features canary --test canaries`.

use ijk_risk::canary::{self, Bug};
use ijk_risk::oracle::compare;

/// Steps within which a bug must be caught.
const STEPS: u64 = 60_000;

#[test]
fn the_clean_run_passes_and_every_bug_is_caught() {
    canary::set(None);
    compare(3, STEPS).unwrap_or_else(|what| panic!("without a bug: {what}"));
    let mut missed = vec![];
    for bug in Bug::ALL {
        canary::set(Some(bug));
        // A bug may also run into an assertion of the gate: that is caught as well.
        let caught = std::panic::catch_unwind(|| compare(3, STEPS));
        canary::set(None);
        match caught {
            Ok(Ok(_)) => missed.push(bug),
            Ok(Err(what)) => eprintln!("{bug:?}: {}", what.lines().next().unwrap_or("")),
            Err(_) => eprintln!("{bug:?}: an assertion"),
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
    compare(3, STEPS).unwrap_or_else(|what| panic!("after the bugs: {what}"));
}
