//! A plain, honest broker behind the link protocol, for tests of whole processes.
//!
//! `ijk-broker SOCKET LEDGER [SEED [DELAY_MAX_US]]`

use ijk_tests::kill9::broker::{BrokerOptions, run};
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| match args.get(at) {
        Some(text) => text.parse().ok(),
        None => Some(default),
    };
    let (Some(socket), Some(ledger), Some(seed), Some(delay_us), true) =
        (args.first(), args.get(1), number(2, 1), number(3, 20_000), args.len() <= 4)
    else {
        eprintln!("usage: ijk-broker SOCKET LEDGER [SEED [DELAY_MAX_US]]");
        return ExitCode::from(2);
    };
    let options = BrokerOptions {
        socket: socket.into(),
        ledger: ledger.into(),
        seed,
        delay_max: Duration::from_micros(delay_us),
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ijk-broker: {error}");
            ExitCode::FAILURE
        }
    }
}
