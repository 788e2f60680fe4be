//! `ijk dead-man`: cancels everything when the kernel that started it dies.

use crate::cli::DeadManArgs;
use crate::credentials::Credentials;
use crate::exit::{self, Exit};
use crate::settings;
use ijk_ibkr::connection::{GatewaySettings, Money};
use ijk_ibkr::dead_man::{Outcome, READY, stand_by};
use std::io::Write;

/// Stands by until standard input ends.
///
/// # Errors
/// Exit code 5 if there is no connection, or nobody confirmed that nothing works any more.
pub fn run(args: &DeadManArgs) -> Result<(), Exit> {
    // Signals to the whole group are for the kernel: its death is what this waits for.
    ctrlc::set_handler(|| {}).map_err(|e| Exit::new(exit::BUG, e))?;
    let profile = settings::Profile::of_venue(&args.venue);
    let mut config = settings::load(args.config.as_deref(), profile)?.config.venue;
    if let Some(account) = &args.account {
        config.ibkr.account.clone_from(account);
    }
    let money = match args.venue.as_str() {
        "ibkr-paper" => Money::Paper,
        "ibkr-live" => Money::Live,
        other => return Err(Exit::usage(format!("venue '{other}': ibkr-paper or ibkr-live"))),
    };
    let ibkr = Credentials::load()?.over(&config.ibkr)?;
    let settings = GatewaySettings::new(&ibkr, money, config.heartbeat_ms);
    let ready = || {
        println!("{READY}");
        let _ = std::io::stdout().flush();
    };
    match stand_by(&settings, std::io::stdin(), ready) {
        Ok(Outcome::Goodbye) => Ok(()),
        Ok(Outcome::Cancelled { after_ms }) => {
            tracing::warn!("the kernel died; nothing works any more {after_ms} ms later");
            Ok(())
        }
        Ok(Outcome::Unconfirmed) => Err(Exit::new(
            exit::VENUE,
            "the kernel died and the broker did not confirm: orders may work, cancel by hand",
        )),
        Err(e) => Err(Exit::new(exit::VENUE, format!("dead man's switch: {e}"))),
    }
}
