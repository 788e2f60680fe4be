//! `ijk`, the operator's command.

mod calibration;
mod cli;
mod commands;
mod credentials;
mod desk;
mod exit;
mod feeds;
mod gateway;
mod header;
mod live_feed;
mod log;
mod parents;
mod place;
mod print;
mod progress;
mod recover;
mod rehearsal;
mod report;
mod run_dir;
mod service;
mod sessions;
mod settings;
mod slots;
mod state_dir;
mod system;
mod table;
mod time_watch;
mod weights;

use clap::Parser;
use cli::{Cli, Command, ConfigCommand, JournalCommand};
use ijk_engine::runtime::alloc::Counting;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Counting<mimalloc::MiMalloc> = Counting(mimalloc::MiMalloc);

fn main() -> ExitCode {
    let cli = Cli::parse();
    log::start();
    let is_service = service::is_managed() && matches!(cli.command, Command::Live(_));
    // A panic is a bug of ours, wherever it happened; it has its own exit code.
    match std::panic::catch_unwind(|| dispatch(cli)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(exit)) => {
            tracing::error!(exit_code = exit.code, "{}", exit.message);
            if is_service {
                service::ends(&exit.message);
            }
            ExitCode::from(exit.code)
        }
        Err(_) => {
            tracing::error!(
                exit_code = exit::BUG,
                "this is a bug; please report it with the run's folder"
            );
            ExitCode::from(exit::BUG)
        }
    }
}

fn dispatch(cli: Cli) -> Result<(), exit::Exit> {
    match cli.command {
        Command::Live(args) => commands::live::run(&args),
        Command::Replay(args) => commands::replay::run(&args),
        Command::Import(args) => commands::import::run(&args),
        Command::Book(args) => commands::book::run(&args),
        Command::Features(args) => commands::features::run(&args),
        Command::Forecast(args) => commands::forecast::run(&args),
        Command::Synth(args) => commands::import::synth(&args),
        Command::Report(args) => commands::report::run(&args),
        Command::Status(args) => commands::status::status(&args),
        Command::Stat(args) => commands::status::stat(&args),
        Command::Kill(args) => commands::kill::run(&args),
        Command::Arm(args) => commands::desk::hold(&args, false),
        Command::Disarm(args) => commands::desk::hold(&args, true),
        Command::Tighten(args) => commands::desk::tighten(&args),
        Command::Tell(args) => commands::desk::tell(&args),
        Command::CancelAll(args) => commands::live::cancel_all::run(&args),
        Command::DeadMan(args) => commands::dead_man::run(&args),
        Command::Doctor(args) => commands::doctor::run(&args),
        Command::Config(ConfigCommand::Check { file, venue, json }) => {
            commands::config::check(file.as_deref(), &venue, json)
        }
        Command::ExecutionStudy(args) => commands::execution_study::run(&args),
        Command::Explain(args) => commands::explain::run(&args),
        Command::Journal(JournalCommand::Verify(args)) => commands::journal::verify(&args),
        Command::Journal(JournalCommand::Dump(args)) => commands::journal::dump(&args),
        Command::IbCheck(args) => commands::ib_check::run(&args),
        Command::IbCode(args) => commands::ib_code::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
        Command::Vram(args) => commands::vram::run(&args),
        Command::Completions { shell } => commands::config::completions(shell),
        Command::Man { out } => commands::config::man(&out),
    }
}
