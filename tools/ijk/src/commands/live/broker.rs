//! Interactive Brokers as the venue of a run.

use crate::credentials::Credentials;
use crate::exit::{self, Exit};
use crate::gateway;
use crate::header::Header;
use ijk_ibkr::connection::GatewaySettings;
use ijk_ibkr::dead_man::{GOODBYE, READY};
use ijk_ibkr::orders::{IbkrVenue, StartError};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// Connects to the gateway and finds the run's contracts.
///
/// # Errors
/// Exit code 2 where the settings do not fit the gateway, 5 where it does not answer.
pub(super) fn start(header: &Header, settings: &GatewaySettings) -> Result<IbkrVenue, Exit> {
    let note = Arc::new(|text: &str| tracing::warn!("{text}"));
    let venue = IbkrVenue::start(settings, &header.instruments, note).map_err(|e| judge(&e))?;
    let account = match Credentials::load()?.account {
        Some(_) => "of the credential",
        None => venue.account(),
    };
    let (host, port) = (&settings.config.host, settings.config.port);
    let version = venue.server_version();
    tracing::warn!("account {account} at {host}:{port}, protocol {version}");
    Ok(venue)
}

fn judge(error: &StartError) -> Exit {
    let code = match error {
        StartError::Connect(e) => gateway::code_of_connection(e),
        StartError::Contract(e) => gateway::code_of_contract(e),
        StartError::Thread(_) => exit::VENUE,
    };
    Exit::new(code, error)
}

/// The process that cancels everything when this one dies. Dropped without a goodbye it acts.
pub(super) struct DeadMan(Child);

impl DeadMan {
    /// Starts it and waits until it stands by.
    ///
    /// # Errors
    /// Exit code 5: without it no order may leave.
    pub(super) fn start(
        venue: &str,
        config: Option<&Path>,
        account: &str,
    ) -> Result<DeadMan, Exit> {
        let failed = |e: &dyn std::fmt::Display| {
            Exit::new(exit::VENUE, format!("the dead man's switch does not stand by: {e}"))
        };
        let program = std::env::current_exe().map_err(|e| failed(&e))?;
        let mut command = Command::new(program);
        command.args(["dead-man", "--venue", venue]);
        // It reads the credential itself: an argument is for everybody to see.
        if Credentials::load()?.account.is_none() {
            command.args(["--account", account]);
        }
        if let Some(path) = config {
            command.arg("--config").arg(path);
        }
        // A group of its own: signals to ours do not reach it.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().map_err(|e| failed(&e))?;
        let mut line = String::new();
        let said = child.stdout.take().map(|out| BufReader::new(out).read_line(&mut line));
        match said {
            Some(Ok(_)) if line.trim() == READY => Ok(DeadMan(child)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                Err(failed(&"it ended at once"))
            }
        }
    }

    /// Nothing of ours works any more: it may go.
    pub(super) fn goodbye(mut self) {
        if let Some(pipe) = self.0.stdin.as_mut() {
            // A pipe that is gone has told already.
            let _ = writeln!(pipe, "{GOODBYE}");
        }
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
