//! The independent oracle: gates that remember nothing but the history and work everything out
//! from it, each time from the start, and random streams that compare them with the real ones.
//!
//! Written from the table of controls, sharing no code with the gates: cash flow instead of
//! average cost where a mark is known, sums over the history instead of counters, scans instead
//! of tables, spans counted instead of buckets. What is shared is what defines a control: its
//! settings, the order of the controls, and the shape of its window.

mod book;
mod configs;
mod egress;
mod exposure;
mod judge;
mod limits;
mod market;
mod rng;
mod stream;
mod traffic;
mod verdict;

use std::collections::BTreeMap;

/// What a comparison has compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparisons {
    /// Verdicts of the gate on orders.
    pub verdicts: u64,
    /// Verdicts of the egress gate on bytes.
    pub egress_verdicts: u64,
    /// States of the whole ledger.
    pub ledgers: u64,
    /// How often each verdict of the gate came, by the name of its code, `passed` for none.
    pub by_code: BTreeMap<&'static str, u64>,
    /// The same of the egress gate.
    pub egress_by_code: BTreeMap<&'static str, u64>,
}

impl Comparisons {
    /// Returns the number of comparisons of any kind.
    pub fn total(&self) -> u64 {
        self.verdicts + self.egress_verdicts + self.ledgers
    }
}

/// Steps of one stream: what the oracle does grows with the square of it.
const STREAM_STEPS: u64 = 160;

/// Sends `steps` random steps through the gates and the oracle, in streams of their own limits,
/// and compares every verdict and, after every step, the whole ledger, exactly.
///
/// # Errors
/// What differs first, with the seed and step that lead there.
pub fn compare(seed: u64, steps: u64) -> Result<Comparisons, String> {
    let mut sum = Comparisons::default();
    let mut rng = rng::Rng(seed);
    let mut done = 0;
    while done < steps {
        let stream_seed = rng.next();
        let mut pair = stream::Pair::new(stream_seed);
        for _ in 0..STREAM_STEPS.min(steps - done) {
            if let Err(what) = pair.step(&mut sum) {
                return Err(format!(
                    "seed {seed}, step {done} (stream {stream_seed:#x}): {what}\nrepeat with \
                     compare({seed}, {})",
                    done + 1
                ));
            }
            done += 1;
            if pair.is_over() {
                break;
            }
        }
    }
    Ok(sum)
}
