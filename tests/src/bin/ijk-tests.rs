//! Everything that proves order truth, from one command; see [`USAGE`].

use ijk_tests::sim::campaign::{self, Order};
use ijk_tests::{kill9, ledger};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "\
ijk-tests COMMAND [--count N] [--seed S] [--ledger FILE]
  days          simulated bad days (2,000)
  same-seed     days lived twice that must leave the same bytes (200)
  crash-images  damaged journals and failing disks (1,000,000)
  kill9         real processes killed amid trading (200)
  oracle        comparisons of the risk gates with their oracle (1,000,000)
  ibkr          sessions of the Interactive Brokers adapter and the gateway simulator (30)
  canaries      planted bugs, all of which must be found [--bug NAME]
  ledger        what was run so far, added up
  all --share ci  all of the above, as much of each as stands in brackets
Exit code 1 if anything was found that must not be.";

struct Options {
    count: Option<u64>,
    seed: u64,
    ledger: Option<PathBuf>,
    bug: String,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[String]) -> Result<bool, String> {
    let Some((command, rest)) = arguments.split_first() else { return Err(USAGE.to_string()) };
    let mut options = Options { count: None, seed: 1, ledger: None, bug: String::new() };
    for pair in rest.chunks(2) {
        let [name, value] = pair else { return Err(format!("{}: needs a value", pair[0])) };
        let number = || value.parse::<u64>().map_err(|e| format!("{name} {value}: {e}"));
        match name.as_str() {
            "--count" => options.count = Some(number()?),
            "--seed" => options.seed = number()?,
            "--ledger" => options.ledger = Some(PathBuf::from(value)),
            "--bug" => options.bug.clone_from(value),
            "--share" if value == "ci" => {}
            _ => return Err(format!("{name} {value}: not an option\n{USAGE}")),
        }
    }
    match command.as_str() {
        "days" => days(&options, false),
        "same-seed" => days(&options, true),
        "crash-images" => crash_images(&options),
        "kill9" => kill_nine(&options),
        "oracle" => oracle(&options),
        "ibkr" => sessions(&options),
        "canaries" => canaries(&options, rest),
        "ledger" => ledger::print(&ledger::folder()).map(|()| true),
        "all" => all(&options, rest),
        _ => Err(USAGE.to_string()),
    }
}

fn days(options: &Options, twice: bool) -> Result<bool, String> {
    let count = options.count.unwrap_or(if twice { 200 } else { 2_000 });
    let summary = campaign::run(&Order { twice, ..Order::days(options.seed, count) });
    campaign::print(&summary);
    if let Some(file) = &options.ledger {
        ledger::append_days(file, &summary)?;
    }
    Ok(summary.failures.is_empty())
}

/// Notes what a lab did; returns whether it found nothing.
fn note(
    options: &Options,
    what: &str,
    unit: &str,
    count: u64,
    failures: &[String],
    began: Instant,
) -> Result<bool, String> {
    let seconds = began.elapsed().as_secs_f64();
    println!("{what}: {count} {unit} in {seconds:.1} s, {} failures", failures.len());
    failures.iter().take(10).for_each(|f| println!("  {f}"));
    if let Some(file) = &options.ledger {
        ledger::append_count(file, what, unit, count, failures, seconds)?;
    }
    Ok(failures.is_empty())
}

fn crash_images(options: &Options) -> Result<bool, String> {
    let began = Instant::now();
    let count = options.count.unwrap_or(1_000_000);
    let report = ijk_journal::sim::crash_images(options.seed, count);
    print!("{report}");
    let failures: Vec<String> = match report.failures {
        0 => vec![],
        n => report.described.iter().cloned().chain([format!("{n} in all")]).collect(),
    };
    note(options, "crash-images", "images", report.images, &failures, began)
}

fn kill_nine(options: &Options) -> Result<bool, String> {
    let began = Instant::now();
    let (count, failures) = match kill9::run(options.count.unwrap_or(200), options.seed) {
        Ok(report) => {
            print!("{report}");
            (report.cycles, vec![])
        }
        Err(failure) => (0, vec![failure.to_string()]),
    };
    note(options, "kill9", "cycles", count, &failures, began)
}

fn oracle(options: &Options) -> Result<bool, String> {
    let began = Instant::now();
    let wanted = options.count.unwrap_or(1_000_000);
    let (mut count, mut seed, mut failures) = (0, options.seed, vec![]);
    while count < wanted && failures.is_empty() {
        match ijk_risk::oracle::compare(seed, 50_000) {
            Ok(compared) => count += compared.total(),
            Err(what) => failures.push(format!("seed {seed}: {what}")),
        }
        seed += 1;
    }
    note(options, "oracle", "comparisons", count, &failures, began)
}

fn sessions(options: &Options) -> Result<bool, String> {
    let began = Instant::now();
    let s = ijk_tests::ibkr::run(options.count.unwrap_or(30), options.seed);
    println!(
        "{} orders, {} executions, {} faults, {} times UNKNOWN",
        s.orders, s.executions, s.faults, s.unknown
    );
    note(options, "ibkr", "sessions", s.sessions, &s.failures, began)
}

#[cfg(feature = "canary")]
fn canaries(options: &Options, _arguments: &[String]) -> Result<bool, String> {
    let began = Instant::now();
    let (catches, alarms) = ijk_tests::canaries::hunt(&options.bug);
    let caught = catches.iter().filter(|c| c.found.is_some()).count();
    println!("{caught} of {} planted bugs were found", catches.len());
    let missed = catches.iter().filter(|c| c.found.is_none());
    let missed = missed.map(|c| format!("{} was missed", c.bug.name()));
    let failures: Vec<String> = missed.chain(alarms).collect();
    note(options, "canaries", "caught", caught as u64, &failures, began)
}

/// Planted bugs are only in a build of their own.
#[cfg(not(feature = "canary"))]
fn canaries(_options: &Options, arguments: &[String]) -> Result<bool, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_string());
    let mut command = std::process::Command::new(cargo);
    command.args(["run", "--quiet", "--release", "-p", "ijk-tests", "--features", "canary"]);
    command.args(["--bin", "ijk-tests", "--", "canaries"]).args(arguments);
    let status = command.current_dir(ijk_tests::root()).status();
    status.map(|s| s.success()).map_err(|e| format!("cargo: {e}"))
}

fn all(options: &Options, arguments: &[String]) -> Result<bool, String> {
    let began = Instant::now();
    let mut sound = true;
    sound &= days(options, false)?;
    sound &= days(options, true)?;
    sound &= crash_images(options)?;
    sound &= oracle(options)?;
    sound &= kill_nine(options)?;
    sound &= sessions(options)?;
    // The share itself is no option of a single lab.
    let share = arguments.iter().position(|a| a == "--share");
    let mut rest = arguments.to_vec();
    if let Some(at) = share {
        rest.drain(at..at + 2);
    }
    sound &= canaries(options, &rest)?;
    println!(
        "all: {:.0} s, {}",
        began.elapsed().as_secs_f64(),
        if sound { "sound" } else { "FAILED" }
    );
    Ok(sound)
}
