//! The simulator as a program of its own.

#![forbid(unsafe_code)]

use clap::Parser;
use ijk_twsim::{Server, ServerError, SimConfig};
use std::io::Write;
use std::process::ExitCode;

/// Stands in for TWS or IB Gateway on 127.0.0.1, for tests without an account.
#[derive(Parser)]
#[command(version, after_help = "Example:\n  ijk-twsim --port 4002 --server-version 226")]
struct Args {
    /// Port on 127.0.0.1; 0 takes any free one and prints it
    #[arg(long, default_value_t = 4002)]
    port: u16,
    /// Server version to speak, 213 to 226
    #[arg(long, default_value_t = 226)]
    server_version: u32,
    /// Lets the clock stand at this second since 1970
    #[arg(long)]
    time_s: Option<i64>,
    /// Prints where it listens as one JSON document
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let config = SimConfig {
        server_version: args.server_version,
        fixed_time_s: args.time_s,
        ..SimConfig::default()
    };
    let server = match Server::start(args.port, config) {
        Ok(server) => server,
        Err(error) => {
            eprintln!("ijk-twsim: {error}");
            return ExitCode::from(match error {
                ServerError::Version { .. } => 2,
                ServerError::Bind { .. } => 5,
            });
        }
    };
    let addr = server.addr();
    let line = match args.json {
        true => format!("{{\"address\":\"{addr}\",\"server_version\":{}}}", args.server_version),
        false => format!("listening on {addr}, server version {}", args.server_version),
    };
    // Whoever waits for this line may be gone; serving goes on.
    let _ = writeln!(std::io::stdout(), "{line}");
    server.join();
    ExitCode::SUCCESS
}
