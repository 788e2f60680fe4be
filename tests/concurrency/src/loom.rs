//! Goes through the models with loom: all orders of their threads' steps with at most so many
//! preemptions, until the time is over. Then plants each weakening, which must be found.
//!
//! ```text
//! ijk-loom PREEMPTIONS SECONDS [PART OF A NAME]
//! ijk-loom planted WEAKENING MODEL
//! ```

mod device;
mod models;
mod mpsc;
mod net;
mod planted;
mod product;
mod report;
mod still_time;
#[path = "loom_world.rs"]
mod world;

use models::{MODELS, Model};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Preemptions with which a weakening is looked for, and for how long.
const PLANTED: (usize, Duration) = (2, Duration::from_secs(30));

/// Runs `model`; returns the executions and whether these were all.
fn explore(model: &Model, preemptions: usize, time: Duration) -> (u64, bool) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 20_000;
    builder.max_duration = Some(time);
    builder.checkpoint_interval = 64;
    builder.log = false;
    builder.location = false;
    let executions = Arc::new(AtomicU64::new(0));
    let (count, body, size) = (Arc::clone(&executions), model.body, model.sizes.0);
    let began = Instant::now();
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        body(size);
    });
    (executions.load(Ordering::Relaxed), began.elapsed() < time)
}

fn main() -> std::process::ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [word, name, model] = &args[..]
        && word == "planted"
    {
        planted::plant(name);
        let model = MODELS.iter().find(|m| m.name == model).expect("a model of that name");
        let (executions, _) = explore(model, PLANTED.0, PLANTED.1);
        eprintln!("nothing found in {executions} executions");
        return std::process::ExitCode::SUCCESS;
    }
    let number = |i: usize| args.get(i).and_then(|a| a.parse::<u64>().ok());
    let (Some(preemptions), Some(seconds)) = (number(0), number(1)) else {
        eprintln!("usage: ijk-loom PREEMPTIONS SECONDS [NAME]");
        return std::process::ExitCode::from(2);
    };
    let only = args.get(2).map_or("", String::as_str);
    let mut report = report::Report::new("executions");
    for model in MODELS.iter().filter(|m| m.name.contains(only)) {
        let time = Duration::from_secs(seconds);
        report.model(model.name, || {
            let (executions, all) = explore(model, preemptions as usize, time);
            let end = if all { "all" } else { "not all, time over" };
            (executions, format!("{end} with <= {preemptions} preemptions"))
        });
        for &name in model.planted.iter().chain(model.planted_memory) {
            report.planted(model.name, name, &[]);
        }
    }
    report.end()
}
