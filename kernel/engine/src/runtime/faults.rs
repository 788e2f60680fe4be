//! Page faults of a thread: pages that were not where the thread looked for them.

use std::fs::read_to_string;

/// Page faults so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The page was in memory, but not in the table of this process.
    pub minor: u64,
    /// The page had to come from a disk.
    pub major: u64,
}

impl Faults {
    /// Returns the calling thread's, or `None` where the system does not say. Reads a file and
    /// allocates: not for the hot path.
    pub fn of_thread() -> Option<Faults> {
        parse(&read_to_string("/proc/thread-self/stat").ok()?)
    }

    /// Returns what has come since `earlier`.
    pub fn since(self, earlier: Faults) -> Faults {
        Faults {
            minor: self.minor.saturating_sub(earlier.minor),
            major: self.major.saturating_sub(earlier.major),
        }
    }
}

/// Fields 10 and 12 of proc_pid_stat(5), counted behind the name, which may hold anything.
fn parse(stat: &str) -> Option<Faults> {
    let (_, rest) = stat.rsplit_once(')')?;
    let field = |number: usize| rest.split_whitespace().nth(number - 3)?.parse().ok();
    Some(Faults { minor: field(10)?, major: field(12)? })
}

#[test]
fn the_name_may_hold_anything() {
    let stat = "77 (a ) b) S 1 2 3 4 5 6 70 8 9 10 11 12";
    assert_eq!(parse(stat), Some(Faults { minor: 70, major: 9 }));
    assert_eq!(parse("77 (x) S 1 2"), None);
    assert_eq!(parse(""), None);
}

#[test]
fn a_page_touched_for_the_first_time_is_a_fault() {
    let Some(before) = Faults::of_thread() else { return };
    let mut pages = vec![0u8; 64 << 20];
    pages.iter_mut().step_by(4_096).for_each(|byte| *byte = 1);
    std::hint::black_box(&pages);
    let since = Faults::of_thread().unwrap_or_default().since(before);
    assert!(since.minor + since.major > 10, "{since:?}");
}
