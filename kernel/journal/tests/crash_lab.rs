//! The crash lab's share of an ordinary test run.

use ijk_journal::sim::crash_images;

/// Images of one ordinary test run; `IJK_CRASH_IMAGES` asks for more.
const IMAGES: u64 = 60_000;

fn images() -> u64 {
    let asked = std::env::var("IJK_CRASH_IMAGES").ok().and_then(|n| n.parse().ok());
    asked.unwrap_or(IMAGES)
}

#[test]
fn no_crash_image_loses_or_invents_a_record() {
    let report = crash_images(1, images());
    eprintln!("{report}");
    assert!(report.images >= images());
    assert_eq!(report.failures, 0, "{report}");
    for kind in [
        "truncated",
        "zeroed",
        "garbage",
        "stale epoch",
        "stale segment",
        "torn sector",
        "bit flipped",
        "spliced",
        "crash while writing",
        "crash while recovering",
        "fault, then a crash",
        "fault, then a new process",
        "fault while recovering",
    ] {
        assert!(report.kinds.get(kind).is_some_and(|n| *n > 10), "{kind}: {report}");
    }
}

#[test]
fn the_same_seed_makes_the_same_images() {
    assert_eq!(crash_images(7, 3_000), crash_images(7, 3_000));
    assert_ne!(crash_images(7, 3_000), crash_images(8, 3_000));
}
