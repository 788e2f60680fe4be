//! Every planted bug is caught by the crash lab; without one it finds nothing.
#![cfg(feature = "canary")]

use ijk_journal::canary::{self, Bug};
use ijk_journal::sim::crash_images;

const IMAGES: u64 = 20_000;

#[test]
fn every_planted_bug_is_caught() {
    for bug in Bug::ALL {
        canary::set(Some(bug));
        let report = crash_images(3, IMAGES);
        canary::set(None);
        eprintln!("{bug:?}: {} failures, {:?}", report.failures, report.described.first());
        assert!(report.failures > 0, "{bug:?} was not caught: {report}");
        // A bug of the writer shows itself where the writer meets a bad disk, not only in sound
        // journals that came out different.
        let reader = [Bug::NoChain, Bug::NoSalt, Bug::AcceptBadCrc, Bug::IgnoreTornMiddle];
        let dynamic = |d: &String| d.starts_with("crash run") || d.starts_with("fault run");
        assert!(
            reader.contains(&bug) || report.described.iter().any(dynamic),
            "{bug:?} was not caught by a crash or a fault: {report}"
        );
    }
    let report = crash_images(3, IMAGES);
    assert_eq!(report.failures, 0, "nothing was planted: {report}");
}
