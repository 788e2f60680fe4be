//! How a bench is measured: many single calls into a histogram, or CPU time over a whole pass.

use hdrhistogram::Histogram;
use quanta::Clock;
use serde_json::{Value, json};
use std::hint::black_box;

/// Repetitions of a pass; the best CPU time counts.
const PASSES: usize = 5;

/// One result.
pub struct Result1 {
    name: &'static str,
    unit: &'static str,
    histogram: Option<Histogram<u64>>,
    n: u64,
    cpu_best: f64,
}

impl Result1 {
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
        })
    }

    /// Returns the row of the table.
    pub fn line(&self) -> String {
        let j = self.json();
        let cell = |k: &str| j[k].as_u64().map_or_else(|| "-".to_string(), |v| v.to_string());
        format!(
            "{:<22} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>12.0}\n",
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
}

/// Nanoseconds the calling thread has spent on a CPU.
fn thread_cpu_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Times `n` calls one by one. `cpu_best` is the least CPU time a call over [`PASSES`] passes
/// without single stamps. `reset` prepares each pass.
pub fn calls<S>(
    name: &'static str,
    n: usize,
    mut reset: impl FnMut() -> S,
    mut call: impl FnMut(&mut S, usize),
) -> Result1 {
    let clock = Clock::new();
    let mut histogram = Histogram::new_with_bounds(1, 10_000_000_000, 3)
        .expect("Invariant: constant bounds are valid.");
    let mut state = reset();
    for i in 0..n {
        let start = clock.raw();
        call(&mut state, i);
        let ns = clock.delta_as_nanos(start, clock.raw());
        histogram.saturating_record(ns.max(1));
    }
    black_box(&state);
    let mut best = f64::INFINITY;
    for _ in 0..PASSES {
        let mut state = reset();
        let before = thread_cpu_ns();
        for i in 0..n {
            call(&mut state, i);
        }
        best = best.min((thread_cpu_ns() - before) as f64 / n.max(1) as f64);
        black_box(&state);
    }
    Result1 { name, unit: "ns", histogram: Some(histogram), n: n as u64, cpu_best: best }
}

/// Times `n` calls one by one amid work that is not timed. `after` does that work and says whether
/// an order had left. Returns a result of all calls and one of those out of which an order left;
/// `cpu_best` is the least mean of [`PASSES`] passes, by the clock.
pub fn paths<S>(
    names: [&'static str; 2],
    n: usize,
    mut reset: impl FnMut() -> S,
    mut call: impl FnMut(&mut S, usize),
    mut after: impl FnMut(&mut S, usize) -> bool,
) -> [Result1; 2] {
    let clock = Clock::new();
    let bounds = || {
        Histogram::<u64>::new_with_bounds(1, 10_000_000_000, 3)
            .expect("Invariant: constant bounds are valid.")
    };
    let mut results: Option<[Result1; 2]> = None;
    for _ in 0..PASSES {
        let (mut state, mut found) = (reset(), [bounds(), bounds()]);
        for i in 0..n {
            let start = clock.raw();
            call(&mut state, i);
            let ns = clock.delta_as_nanos(start, clock.raw()).max(1);
            found[0].saturating_record(ns);
            if after(&mut state, i) {
                found[1].saturating_record(ns);
            }
        }
        black_box(&state);
        let pass = std::array::from_fn(|i| Result1 {
            name: names[i],
            unit: "ns",
            n: found[i].len(),
            cpu_best: found[i].mean(),
            histogram: Some(found[i].clone()),
        });
        match &mut results {
            None => results = Some(pass),
            Some(first) => first
                .iter_mut()
                .zip(pass)
                .for_each(|(kept, new)| kept.cpu_best = kept.cpu_best.min(new.cpu_best)),
        }
    }
    results.expect("Invariant: there is a pass.")
}

/// Times whole passes over `n` things; `cpu_best` is the best rate a CPU second.
pub fn rate<S>(
    name: &'static str,
    n: usize,
    mut reset: impl FnMut() -> S,
    mut pass: impl FnMut(&mut S),
) -> Result1 {
    let mut best = 0.0f64;
    for _ in 0..PASSES {
        let mut state = reset();
        let before = thread_cpu_ns();
        pass(&mut state);
        let ns = (thread_cpu_ns() - before).max(1);
        best = best.max(n as f64 * 1e9 / ns as f64);
        black_box(&state);
    }
    Result1 { name, unit: "per_cpu_s", histogram: None, n: n as u64, cpu_best: best }
}
