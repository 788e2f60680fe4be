//! The training command: fits ensembles to feeds and scores weights.

#![forbid(unsafe_code)]

mod args;
mod compare;
mod costs;
mod entry;
mod eval;
mod exit;
mod fi2010;
mod fit;
mod leakage;
mod mlflow;
mod plot;
mod print;
mod progress;
mod promotion;
mod runs;
mod settings;
mod store;
mod table;

use args::{Cli, Command};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.command {
        Command::Fit(args) => fit::run(args, cli.json),
        Command::Compare(args) => compare::run(args, cli.json),
        Command::Leakage(args) => leakage::run(args, cli.json),
        Command::Export(args) => runs::export_member(args, cli.json),
        Command::Fi2010(args) => fi2010::run(args, cli.json),
        Command::Runs(args) => runs::run(args, cli.json),
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
