//! The crash lab: as many images as asked for, from one seed.

use super::rng::SimRng;
use super::{crashes, faults, images};
use std::collections::BTreeMap;
use std::fmt;

/// Failures of one family described in a report; more are only counted.
const DESCRIBED: usize = 4;
/// Share of the images that are damaged specimens, in percent.
const DAMAGED_PERCENT: u64 = 80;

/// What the crash lab found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrashReport {
    /// Images: states of the disk that were read or recovered, and judged.
    pub images: u64,
    /// Images by what was done to them.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Journals that were damaged in every way there is.
    pub exhausted: u64,
    /// Images judged wrongly.
    pub failures: u64,
    /// The first of them: what was done, and what was wrong.
    pub described: Vec<String>,
}

impl fmt::Display for CrashReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (images, exhausted) = (self.images, self.exhausted);
        let failures = self.failures;
        writeln!(f, "{images} images, {failures} failures, {exhausted} journals exhausted")?;
        for (kind, count) in &self.kinds {
            writeln!(f, "  {kind:<28} {count}")?;
        }
        for failure in &self.described {
            writeln!(f, "  FAILED {failure}")?;
        }
        Ok(())
    }
}

/// Collects images while a report is made.
pub(crate) struct Lab {
    report: CrashReport,
    until: u64,
}

impl Lab {
    /// Counts an image.
    pub fn image(&mut self, kind: &'static str) {
        self.report.images += 1;
        *self.report.kinds.entry(kind).or_default() += 1;
    }

    /// Counts a damaged journal.
    pub fn specimen(&mut self, exhausted: bool) {
        self.report.exhausted += u64::from(exhausted);
    }

    /// Counts a failure.
    pub fn fail(&mut self, place: String, what: String) {
        self.report.failures += 1;
        let text = format!("{place}: {what}");
        let family = |t: &str| t.split(' ').next().map(str::to_owned);
        let alike = self.report.described.iter().filter(|d| family(d) == family(&text)).count();
        if alike < DESCRIBED {
            self.report.described.push(text);
        }
    }

    /// Returns whether more images are wanted.
    pub fn wanted(&self) -> bool {
        self.report.images < self.until
    }
}

/// Makes at least `count` crash images from `seed` and judges every one: no acknowledged record
/// lost, nothing accepted that was not written, what is read a prefix of what was written,
/// damage before the end called corruption and a torn end not.
///
/// Four fifths are small journals of 210 records damaged at every byte boundary (cut off, zeroed,
/// garbage, the bytes of an earlier epoch or another segment, a torn sector), by every single bit
/// and by groups of a journal that differs in content only; of a journal for which the count is
/// too small (below about a million) an even share of these. The rest are a writer, and
/// recoveries, driven over a disk that goes down in any operation, or of which the n-th operation
/// fails, for every n. The same seed and count give the same images.
pub fn crash_images(seed: u64, count: u64) -> CrashReport {
    let mut lab = Lab { report: CrashReport::default(), until: 0 };
    let mut seeds = SimRng::new(seed);
    let mut specimens = 0u64;
    let damaged = count / 100 * DAMAGED_PERCENT;
    for (share, until) in [(0, damaged), (1, damaged + (count - damaged) / 2), (2, count)] {
        lab.until = until;
        while lab.wanted() {
            let seed = seeds.bits();
            match share {
                0 => {
                    let left = until - lab.report.images;
                    // Completed journals and such as a running kernel has, in turn.
                    images::run(&mut lab, seed, specimens.is_multiple_of(2), left);
                    specimens += 1;
                }
                1 => crashes::run(&mut lab, seed),
                _ => faults::run(&mut lab, seed),
            }
        }
    }
    lab.report
}
