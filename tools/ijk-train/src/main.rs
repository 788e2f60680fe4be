//! The training command: fits ensembles to feeds and scores weights.

#![forbid(unsafe_code)]

mod args;
mod eval;
mod exit;
mod files;
mod fit;
mod progress;
mod settings;
mod table;

use args::{Cli, Command};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.command {
        Command::Fit(args) => fit::run(args, cli.json),
        Command::Eval(args) => eval::run(args, cli.json),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            eprintln!("ijk-train: {}", exit.message);
            ExitCode::from(exit.code)
        }
    }
}
