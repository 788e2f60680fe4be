//! The calibration command.

#![forbid(unsafe_code)]

mod commands;

use clap::{Parser, Subcommand};
use commands::Exit;
use std::io::Write;
use std::process::ExitCode;

/// Calibrates and uses models of cost and volume.
#[derive(Parser)]
#[command(
    name = "ijk-calib",
    version,
    after_help = "Exit codes: 0 done, 1 a sample is not good enough, 2 usage, 3 bad input data."
)]
struct Cli {
    /// Prints one JSON document on stdout and nothing else
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Volatility(commands::market::VolatilityArgs),
    Spread(commands::market::SpreadArgs),
    Latency(commands::orders::LatencyArgs),
    Fill(commands::orders::FillArgs),
    Kelly(commands::kelly::KellyArgs),
    SizingStudy(commands::kelly::StudyArgs),
    Accuracy(commands::accuracy::Args),
    Learn(commands::learn::Args),
    Impact(Box<commands::impact::Args>),
    Volume(commands::volume::Args),
    Predict(commands::predict::Args),
    Schedule(commands::schedule::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.command {
        Command::Volatility(args) => commands::market::volatility(args),
        Command::Spread(args) => commands::market::spreads(args),
        Command::Latency(args) => commands::orders::latency(args),
        Command::Fill(args) => commands::orders::fill(args),
        Command::Kelly(args) => commands::kelly::kelly(args),
        Command::SizingStudy(args) => commands::kelly::study(args),
        Command::Accuracy(args) => commands::accuracy::run(args),
        Command::Learn(args) => commands::learn::run(args),
        Command::Impact(args) => commands::impact::run(args),
        Command::Volume(args) => commands::volume::run(args),
        Command::Predict(args) => commands::predict::run(args),
        Command::Schedule(args) => commands::schedule::run(args),
    };
    match result {
        Ok(report) => {
            let text = if cli.json { format!("{:#}\n", report.json) } else { report.text };
            // A reader that has gone is no error.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(Exit { code, message }) => {
            eprintln!("ijk-calib: {message}");
            ExitCode::from(code)
        }
    }
}
