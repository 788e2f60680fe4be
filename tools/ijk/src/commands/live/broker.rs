//! Interactive Brokers as the venue of a run.

use crate::exit::{self, Exit};
use crate::header::Header;
use ijk_ibkr::connection::{ConnectError, GatewaySettings, Money};
use ijk_ibkr::contracts::ContractError;
use ijk_ibkr::orders::{IbkrVenue, StartError};
use std::sync::Arc;

/// Connects to the gateway of the settings and finds the run's contracts.
///
/// # Errors
/// Exit code 2 where the settings do not fit the gateway, 5 where it does not answer.
pub(super) fn start(header: &Header, money: Money) -> Result<IbkrVenue, Exit> {
    let config = &header.config.venue;
    let settings = GatewaySettings::new(&config.ibkr, money, config.heartbeat_ms);
    let note = Arc::new(|text: &str| eprintln!("ijk: {text}"));
    let venue = IbkrVenue::start(&settings, &header.instruments, note).map_err(|e| judge(&e))?;
    eprintln!(
        "ijk: account {} at {}:{}, protocol {}",
        venue.account(),
        config.ibkr.host,
        config.ibkr.port,
        venue.server_version()
    );
    Ok(venue)
}

fn judge(error: &StartError) -> Exit {
    let lasting = match error {
        StartError::Connect(e) => e.is_lasting() || matches!(e, ConnectError::Address { .. }),
        StartError::Contract(e) => !matches!(e, ContractError::NoAnswer { .. }),
        StartError::Thread(_) => false,
    };
    Exit::new(if lasting { exit::USAGE } else { exit::VENUE }, error)
}
