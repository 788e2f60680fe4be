//! Many days: on all cores, each from its own seed, summed up.

use super::faults::Fault;
use super::world::{self, Day, second_of_day};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What a campaign is to do.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// First seed.
    pub seed: u64,
    /// Days, one a seed.
    pub days: u64,
    /// Time after which no new day begins.
    pub seconds: u64,
    /// Lives each day twice and compares everything it left.
    pub twice: bool,
    /// Ends at the first failure.
    pub stop_at_first: bool,
}

impl Order {
    /// Returns the order for so many days from `seed`, however long they take.
    pub const fn days(seed: u64, days: u64) -> Order {
        Order { seed, days, seconds: u64::MAX, twice: false, stop_at_first: false }
    }
}

/// A day that broke a rule.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What is wrong, first rule first.
    pub text: String,
    /// Name of the first rule broken; `panic` or `not_same` where it was none.
    pub rule: String,
}

/// What a campaign found.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// First seed.
    pub seed: u64,
    /// Days lived.
    pub days: u64,
    /// Days lived a second time with the same bytes.
    pub same: u64,
    /// How often each kind of fault happened.
    pub faults: Vec<u64>,
    /// Orders sent.
    pub orders: u64,
    /// Executions in the broker's books.
    pub executions: u64,
    /// Starts of the kernel.
    pub starts: u64,
    /// Days at whose end the kernel was halted.
    pub halted: u64,
    /// Times from the end of the faults until all was known, nanoseconds, sorted.
    pub converged_ns: Vec<u64>,
    /// Days that failed, by seed.
    pub failures: Vec<Failure>,
    /// How long it took.
    pub elapsed: Duration,
}

impl Summary {
    /// Returns how many faults happened in all.
    pub fn fault_total(&self) -> u64 {
        self.faults.iter().sum()
    }

    /// Returns the time within which `share` of all days knew everything again, seconds.
    pub fn converged_s(&self, share: f64) -> f64 {
        let at = (self.converged_ns.len() as f64 * share).ceil() as usize;
        let ns = self.converged_ns.get(at.saturating_sub(1)).copied().unwrap_or(0);
        ns as f64 / 1e9
    }

    fn add(&mut self, day: &Day) {
        self.days += 1;
        self.faults.resize(Fault::ALL.len(), 0);
        self.faults.iter_mut().zip(&day.faults).for_each(|(sum, n)| *sum += n);
        self.orders += day.orders as u64;
        self.executions += day.executions as u64;
        self.starts += u64::from(day.starts);
        self.halted += u64::from(day.halted);
        self.converged_ns.extend(day.converged_ns);
    }
}

/// Failures of one rule that are shown.
const SHOWN_MAX: usize = 3;

/// Returns the command that lives a day again.
pub fn replay_command(seed: u64) -> String {
    format!("cargo run --release -p ijk-tests --bin campaign -- --seed {seed} --days 1")
}

/// Lives one day; a panic of the kernel is a failure, not the end.
fn live(seed: u64) -> Result<Day, Failure> {
    let lived = std::panic::catch_unwind(|| world::live(seed));
    lived.map_err(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        Failure { seed, text: format!("panic: {said}"), rule: "panic".to_string() }
    })
}

/// Returns what is wrong with a day.
fn judge(seed: u64, day: &Day) -> Option<Failure> {
    let first = day.violations.first()?;
    let lines: Vec<String> = day
        .violations
        .iter()
        .take(8)
        .map(|v| {
            let at = second_of_day(v.at);
            format!("  {at:>10.6} s  {}: {} ({})", v.rule.name(), v.text, v.rule.text())
        })
        .collect();
    let more = day.violations.len().saturating_sub(lines.len());
    let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
    let text = format!("{}{more}", lines.join("\n"));
    Some(Failure { seed, text, rule: first.rule.name().to_string() })
}

fn day_of(order: &Order, seed: u64, summary: &Mutex<Summary>) -> bool {
    let mut failure = None;
    match live(seed) {
        Err(f) => failure = Some(f),
        Ok(day) => {
            let mut same = 0;
            if order.twice {
                match live(seed) {
                    Ok(again) if again == day => same = 1,
                    _ => {
                        let text = "the second time something else happened".to_string();
                        failure = Some(Failure { seed, text, rule: "not_same".to_string() });
                    }
                }
            }
            failure = failure.or_else(|| judge(seed, &day));
            let mut summary = summary.lock().expect("no panic while adding");
            summary.add(&day);
            summary.same += same;
        }
    }
    let failed = failure.is_some();
    if let Some(failure) = failure {
        summary.lock().expect("no panic while adding").failures.push(failure);
    }
    failed
}

/// Lives the days on all cores.
pub fn run(order: &Order) -> Summary {
    run_prepared(order, &|| {})
}

/// Lives the days on all cores; every thread is prepared first.
pub fn run_prepared(order: &Order, prepare: &(dyn Fn() + Sync)) -> Summary {
    let began = Instant::now();
    let next = AtomicU64::new(order.seed);
    let summary = Mutex::new(Summary { seed: order.seed, ..Summary::default() });
    let stop = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                prepare();
                while stop.load(Ordering::Relaxed) == 0 && began.elapsed().as_secs() < order.seconds
                {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed - order.seed >= order.days {
                        return;
                    }
                    if day_of(order, seed, &summary) && order.stop_at_first {
                        stop.store(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let mut summary = summary.into_inner().expect("no panic while adding");
    summary.converged_ns.sort_unstable();
    summary.failures.sort_by_key(|f| f.seed);
    summary.elapsed = began.elapsed();
    summary
}

/// Prints what a campaign found.
pub fn print(summary: &Summary) {
    let s = summary.elapsed.as_secs_f64();
    println!(
        "{} days in {s:.1} s ({:.1} a second): {} orders, {} executions, {} starts, {} halted",
        summary.days,
        summary.days as f64 / s,
        summary.orders,
        summary.executions,
        summary.starts,
        summary.halted
    );
    println!(
        "{} faults ({:.0} a day); all known again after p50 {:.2} s, p99 {:.2} s, at most {:.2} s",
        summary.fault_total(),
        summary.fault_total() as f64 / summary.days.max(1) as f64,
        summary.converged_s(0.5),
        summary.converged_s(0.99),
        summary.converged_s(1.0)
    );
    for (fault, n) in Fault::ALL.iter().zip(&summary.faults) {
        println!("  {:<8} {:<18} {n:>9}", fault.group().name(), fault.name());
    }
    if summary.same > 0 {
        println!("{} days lived twice left the same bytes", summary.same);
    }
    let mut by_rule = std::collections::BTreeMap::<&str, Vec<&Failure>>::new();
    for failure in &summary.failures {
        by_rule.entry(&failure.rule).or_default().push(failure);
    }
    for (rule, failures) in by_rule {
        println!("{} days broke {rule} first", failures.len());
        for failure in failures.iter().take(SHOWN_MAX) {
            println!("seed {} failed:\n{}", failure.seed, failure.text);
            println!("  again: {}", replay_command(failure.seed));
        }
    }
    println!("{} failures", summary.failures.len());
}
