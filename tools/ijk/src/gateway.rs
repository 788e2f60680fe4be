//! The gateway of Interactive Brokers as every part of a command sees it: one message budget, one
//! table of shares to sell short, one reading of what went wrong.

use crate::credentials::Credentials;
use crate::exit::{self, Exit};
use ijk_core::Config;
use ijk_ibkr::connection::{ConnectError, GatewaySettings, Money};
use ijk_ibkr::contracts::ContractError;

/// Returns how the gateway is reached, with what the service manager handed over. `venue` says
/// whose money the login may hold. Its clones share budget and table: make it once a run.
///
/// # Errors
/// Exit code 2 for a credential that cannot be used.
pub fn settings(config: &Config, venue: &str) -> Result<GatewaySettings, Exit> {
    let money = if venue == "ibkr-live" { Money::Live } else { Money::Paper };
    let ibkr = match venue {
        "ibkr-paper" | "ibkr-live" => Credentials::load()?.over(&config.venue.ibkr)?,
        // What is handed over is then the way to another venue.
        _ => config.venue.ibkr.clone(),
    };
    Ok(GatewaySettings::new(&ibkr, money, config.venue.heartbeat_ms))
}

/// Exit code of a connection that was not made: 2 where settings or the login have to change, 5
/// where trying again may help.
pub fn code_of_connection(error: &ConnectError) -> u8 {
    match error.is_lasting() || matches!(error, ConnectError::Address { .. }) {
        true => exit::USAGE,
        false => exit::VENUE,
    }
}

/// Exit code of a contract that was not found: 2 for a name the broker does not know or rules
/// that ours do not fit, 78 for a day without trading, 5 where there was no answer.
pub fn code_of_contract(error: &ContractError) -> u8 {
    match error {
        ContractError::NotOne { .. } | ContractError::Rule { .. } => exit::USAGE,
        ContractError::ClosedToday { .. } => exit::UNSAFE,
        ContractError::NoAnswer { .. } => exit::VENUE,
    }
}
