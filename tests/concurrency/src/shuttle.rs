//! Runs the models with shuttle: random schedules of larger sizes, half of them random walks and
//! half with few preemptions (PCT). Then plants each weakening that orders of steps alone show.
//!
//! ```text
//! ijk-shuttle SCHEDULES SEED [NAME]      that many schedules of each model, from that seed
//! ijk-shuttle replay NAME SCHEDULE       one printed schedule again; NAME may be NAME/WEAKENING
//! ijk-shuttle planted WEAKENING MODEL SEED
//! ```

mod device;
mod models;
mod mpsc;
mod net;
mod planted;
mod product;
mod report;
mod still_time;
#[path = "shuttle_world.rs"]
mod world;

use models::{MODELS, Model};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

/// Preemptions of a PCT schedule.
const DEPTH: usize = 3;
/// Schedules in which a weakening must be found.
const PLANTED: u64 = 20_000;

/// Runs a model; a schedule that fails is printed by shuttle, for `replay`.
fn explore(model: &Model, schedules: u64, seed: u64) -> u64 {
    let (body, size) = (model.body, model.sizes.1);
    let half = (schedules / 2).max(1) as usize;
    let random = RandomScheduler::new_from_seed(seed, half);
    let done = Runner::new(random, config()).run(move || body(size));
    let pct = PctScheduler::new_from_seed(seed, DEPTH, half);
    (done + Runner::new(pct, config()).run(move || body(size))) as u64
}

fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    config
}

fn replay(args: &[String]) -> std::process::ExitCode {
    let [name, schedule] = args else {
        eprintln!("usage: ijk-shuttle replay NAME SCHEDULE");
        return std::process::ExitCode::from(2);
    };
    let (name, planted) = name.split_once('/').unwrap_or((name, ""));
    let Some(model) = MODELS.iter().find(|m| m.name == name) else {
        eprintln!("no model is called '{name}'");
        return std::process::ExitCode::from(2);
    };
    planted::plant(planted);
    let (body, size) = (model.body, model.sizes.1);
    shuttle::replay(move || body(size), schedule);
    println!("held");
    std::process::ExitCode::SUCCESS
}

fn main() -> std::process::ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|a| a == "replay") {
        return replay(&args[1..]);
    }
    if let [word, name, model, seed] = &args[..]
        && word == "planted"
    {
        planted::plant(name);
        let model = MODELS.iter().find(|m| m.name == model).expect("a model of that name");
        explore(model, PLANTED, seed.parse().expect("a seed"));
        eprintln!("nothing found in {PLANTED} schedules");
        return std::process::ExitCode::SUCCESS;
    }
    let number = |i: usize| args.get(i).and_then(|a| a.parse::<u64>().ok());
    let (Some(schedules), Some(seed)) = (number(0), number(1)) else {
        eprintln!("usage: ijk-shuttle SCHEDULES SEED [NAME]");
        return std::process::ExitCode::from(2);
    };
    let only = args.get(2).map_or("", String::as_str);
    let mut report = report::Report::new("schedules");
    for model in MODELS.iter().filter(|m| m.name.contains(only)) {
        report.model(model.name, || {
            (explore(model, schedules, seed), format!("seed {seed}, random and PCT {DEPTH}"))
        });
        for &name in model.planted.iter().chain(model.planted_long) {
            report.planted(model.name, name, &[&seed.to_string()]);
        }
    }
    report.end()
}
