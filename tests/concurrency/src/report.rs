//! One line a model and one a planted weakening.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

pub struct Report {
    unit: &'static str,
    runs: u64,
    models: u32,
    found: u32,
    failed: u32,
}

impl Report {
    pub fn new(unit: &'static str) -> Report {
        Report { unit, runs: 0, models: 0, found: 0, failed: 0 }
    }

    /// Runs a model, which must hold. What it prints when it does not is the checker's own.
    pub fn model(&mut self, name: &str, run: impl FnOnce() -> (u64, String)) {
        let began = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(run));
        let secs = began.elapsed().as_secs_f64();
        match result {
            Ok((runs, note)) => {
                println!("ok      {name:58} {runs:>9} {} ({note}, {secs:.1} s)", self.unit);
                self.runs += runs;
                self.models += 1;
            }
            Err(panic) => {
                println!("FAILED  {name:58} ({secs:.1} s): {}", message(&*panic));
                self.failed += 1;
            }
        }
    }

    /// Plants a weakening, with which the model must fail: in a process of its own, because
    /// threads that are torn down in the middle of a panic may end it.
    pub fn planted(&mut self, model: &str, name: &str, args: &[&str]) {
        let me = std::env::current_exe().expect("a program knows its name");
        let run = std::process::Command::new(me)
            .args(["planted", name, model])
            .args(args)
            .env("RUST_BACKTRACE", "0")
            .output()
            .expect("a program can run itself");
        let said = String::from_utf8_lossy(&run.stderr);
        let mut lines = said.lines().skip_while(|line| !line.contains("panicked"));
        let why = lines.find(|l| !l.contains("panicked") && l.trim().len() > 1);
        // A program that could not even begin would say something else.
        match why {
            Some(why) if !run.status.success() => {
                println!("found   planted {name:22} {why}");
                self.found += 1;
            }
            _ => {
                println!("MISSED  planted {name:22} in: {model} ({}) {said}", run.status);
                self.failed += 1;
            }
        }
    }

    /// Prints the sums.
    pub fn end(self) -> ExitCode {
        println!(
            "{} models held over {} {}; {} planted weakenings found; {} failures",
            self.models, self.runs, self.unit, self.found, self.failed
        );
        ExitCode::from(u8::from(self.failed > 0 || self.models == 0))
    }
}

/// Returns the first line of what was said.
fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("panic");
    said.lines().find(|line| !line.trim().is_empty()).unwrap_or(said)
}
