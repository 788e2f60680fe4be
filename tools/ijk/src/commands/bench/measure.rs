//! How a bench is measured: many single calls into a histogram, CPU time over whole passes, or
//! calls that are due at given times. Each pass gives an answer, and all of them the same one.

use crate::exit::{BUG, Exit};
use hdrhistogram::Histogram;
use quanta::Clock;
use serde_json::{Value, json};
use std::hint::black_box;

/// Repetitions of a pass; the best CPU time counts.
const PASSES: usize = 5;

/// One result.
#[derive(Clone, Debug)]
pub struct Result1 {
    /// Name that scripts rely on.
    pub name: &'static str,
    unit: &'static str,
    histogram: Option<Histogram<u64>>,
    n: u64,
    cpu_best: f64,
    answer: u64,
}

impl Result1 {
    /// Returns a result of single times.
    pub fn of_times(name: &'static str, times: Histogram<u64>, best: f64, answer: u64) -> Result1 {
        let n = times.len();
        Result1 { name, unit: "ns", histogram: Some(times), n, cpu_best: best, answer }
    }

    /// Returns the row of the JSON document.
    pub fn json(&self) -> Value {
        let q = |q: f64| self.histogram.as_ref().map(|h| h.value_at_quantile(q));
        json!({
            "name": self.name,
            "unit": self.unit,
            "n": self.n,
            "min": self.histogram.as_ref().map(Histogram::min),
            "p50": q(0.50),
            "p99": q(0.99),
            "p999": q(0.999),
            "max": self.histogram.as_ref().map(Histogram::max),
            "cpu_best": self.cpu_best,
            "answer": format!("{:016x}", self.answer),
        })
    }

    /// Returns the row of the table.
    pub fn line(&self) -> String {
        let j = self.json();
        let cell = |k: &str| j[k].as_u64().map_or_else(|| "-".to_string(), |v| v.to_string());
        format!(
            "{:<28} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>12.0}\n",
            self.name,
            self.n,
            cell("min"),
            cell("p50"),
            cell("p99"),
            cell("p999"),
            cell("max"),
            self.cpu_best
        )
    }

    /// Returns what the measured work came to.
    pub fn answer(&self) -> u64 {
        self.answer
    }

    /// Ends the command unless the work came to `expected`.
    ///
    /// # Errors
    /// Exit code 70: something else was measured than the name says.
    pub fn expect(self, expected: u64) -> Result<Result1, Exit> {
        same(self.name, expected, self.answer)?;
        Ok(self)
    }
}

/// Mixes `value` into an answer (FNV-1a over its bytes).
pub fn mix(answer: u64, value: u64) -> u64 {
    let step = |h: u64, byte: u8| (h ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    value.to_le_bytes().into_iter().fold(answer, step)
}

/// Ends the command where two answers differ.
///
/// # Errors
/// Exit code 70.
pub fn same(name: &str, expected: u64, found: u64) -> Result<(), Exit> {
    if expected == found {
        return Ok(());
    }
    let text = format!("{name}: the work came to {found:016x}, expected {expected:016x}");
    Err(Exit::new(BUG, text))
}

/// Returns an empty histogram of nanoseconds up to ten seconds.
pub fn times() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 10_000_000_000, 3).expect("Invariant: constant bounds are valid.")
}

/// Nanoseconds the calling thread has spent on a CPU.
fn thread_cpu_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Times `n` calls one by one. `cpu_best` is the least CPU time a call over [`PASSES`] passes
/// without single stamps. `reset` prepares each pass, `answer` says what it came to.
///
/// # Errors
/// Exit code 70 where two passes came to different answers.
pub fn calls<S>(
    name: &'static str,
    n: usize,
    mut reset: impl FnMut() -> S,
    mut call: impl FnMut(&mut S, usize),
    answer: impl Fn(&S) -> u64,
) -> Result<Result1, Exit> {
    let clock = Clock::new();
    let mut histogram = times();
    let mut state = reset();
    for i in 0..n {
        let start = clock.raw();
        call(&mut state, i);
        let ns = clock.delta_as_nanos(start, clock.raw());
        histogram.saturating_record(ns.max(1));
    }
    let expected = answer(&state);
    let mut best = f64::INFINITY;
    for _ in 0..PASSES {
        let mut state = reset();
        let before = thread_cpu_ns();
        for i in 0..n {
            call(&mut state, i);
        }
        best = best.min((thread_cpu_ns() - before) as f64 / n.max(1) as f64);
        same(name, expected, answer(black_box(&state)))?;
    }
    Ok(Result1 { n: n as u64, ..Result1::of_times(name, histogram, best, expected) })
}

/// One pass of `n` calls timed one by one amid work that is not: `after` does that work and says
/// whether an order had left. Returns the times of all calls and of those out of which one left.
pub fn pass<S>(
    clock: &Clock,
    n: usize,
    state: &mut S,
    mut call: impl FnMut(&mut S, usize),
    mut after: impl FnMut(&mut S, usize) -> bool,
) -> [Histogram<u64>; 2] {
    let mut found = [times(), times()];
    for i in 0..n {
        let start = clock.raw();
        call(state, i);
        let ns = clock.delta_as_nanos(start, clock.raw()).max(1);
        found[0].saturating_record(ns);
        if after(state, i) {
            found[1].saturating_record(ns);
        }
    }
    found
}

/// [`PASSES`] passes as [`pass`]. Returns a result of all calls and one of those out of which an
/// order left: the percentiles of the first pass, and as `cpu_best` the least mean, by the clock.
///
/// # Errors
/// Exit code 70 where two passes came to different answers.
pub fn paths<S>(
    names: [&'static str; 2],
    n: usize,
    mut reset: impl FnMut() -> S,
    mut call: impl FnMut(&mut S, usize),
    mut after: impl FnMut(&mut S, usize) -> bool,
    answer: impl Fn(&S) -> u64,
) -> Result<[Result1; 2], Exit> {
    let clock = Clock::new();
    let mut results: Option<[Result1; 2]> = None;
    for _ in 0..PASSES {
        let mut state = reset();
        let found = pass(&clock, n, &mut state, &mut call, &mut after);
        let answer = answer(black_box(&state));
        let [all, with_order] = found.map(|h| (h.mean(), h));
        match &mut results {
            None => {
                let result = |name, (mean, h)| Result1::of_times(name, h, mean, answer);
                results = Some([result(names[0], all), result(names[1], with_order)]);
            }
            Some(first) => {
                same(names[0], first[0].answer, answer)?;
                for (kept, (mean, _)) in first.iter_mut().zip([all, with_order]) {
                    kept.cpu_best = kept.cpu_best.min(mean);
                }
            }
        }
    }
    Ok(results.expect("Invariant: there is a pass."))
}

/// Times whole passes over `n` things; `cpu_best` is the best rate a CPU second.
///
/// # Errors
/// Exit code 70 where two passes came to different answers.
pub fn rate<S>(
    name: &'static str,
    n: usize,
    mut reset: impl FnMut() -> S,
    mut pass: impl FnMut(&mut S),
    answer: impl Fn(&S) -> u64,
) -> Result<Result1, Exit> {
    let mut best = 0.0f64;
    let mut expected = None;
    for _ in 0..PASSES {
        let mut state = reset();
        let before = thread_cpu_ns();
        pass(&mut state);
        let ns = (thread_cpu_ns() - before).max(1);
        best = best.max(n as f64 * 1e9 / ns as f64);
        let found = answer(black_box(&state));
        same(name, *expected.get_or_insert(found), found)?;
    }
    let answer = expected.unwrap_or_default();
    let n = n as u64;
    Ok(Result1 { name, unit: "per_cpu_s", histogram: None, n, cpu_best: best, answer })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_that_differ_are_refused() {
        let mut pass = 0u64;
        let reset = || {
            pass += 1;
            pass
        };
        let found = calls("changing", 3, reset, |_, _| {}, |&s| s);
        assert_eq!(found.map_err(|e| e.code).unwrap_err(), BUG);
        let found = rate("steady", 3, || 7u64, |_| {}, |&s| s);
        let found = found.map_err(|e| e.message).unwrap();
        assert_eq!(found.answer(), 7);
        assert_eq!(found.expect(8).map_err(|e| e.code).unwrap_err(), BUG);
    }
}
