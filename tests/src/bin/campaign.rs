//! Lives simulated bad days: `campaign [--days N] [--seed S] [--seconds T] [--same-seed N]
//! [--ledger FILE] [--trace 1]`. Exit code 1 if a day failed.

use ijk_tests::ledger;
use ijk_tests::sim::campaign::{self, Order};
use ijk_tests::sim::trace;
use std::process::ExitCode;

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
    let mut order = Order::days(1, 2_000);
    let mut file = None;
    let mut pairs = arguments.chunks_exact(2);
    for pair in &mut pairs {
        let number = || pair[1].parse::<u64>().map_err(|e| format!("{} {}: {e}", pair[0], pair[1]));
        match pair[0].as_str() {
            "--days" => order.days = number()?,
            "--seed" => order.seed = number()?,
            "--seconds" => {
                order.seconds = number()?;
                if !arguments.iter().any(|a| a == "--days") {
                    order.days = u64::MAX;
                }
            }
            "--same-seed" => (order.twice, order.days) = (true, number()?),
            "--trace" => trace::set(number()? > 0),
            "--ledger" => file = Some(pair[1].clone()),
            other => return Err(format!("{other}: not an option of campaign")),
        }
    }
    if let [lone] = pairs.remainder() {
        return Err(format!("{lone}: needs a value"));
    }
    let summary = campaign::run(&order);
    campaign::print(&summary);
    if let Some(file) = file {
        ledger::append_days(file.as_ref(), &summary)?;
    }
    Ok(summary.failures.is_empty())
}
