//! Opens a connection to TWS or IB Gateway and refuses one that is not the account we mean.
//!
//! The client library's own reconnection is switched off: its pauses cannot be set, and orders
//! must not pass a new connection before the accounts were compared. Whoever holds a connection
//! drops it when it breaks and opens the next one.

use crate::bucket::Bucket;
use crate::codes::{self, Response};
use crate::shorts::ShortSupply;
use ibapi::client::blocking::{Client, NoticeStream};
use ijk_core::config::IbkrConfig;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

/// Which money an account trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Money {
    /// Paper: the account's name must begin with DU.
    Paper,
    /// Real: the account must stand on the allow-list and not be a paper one.
    Live,
}

/// What a connection needs to know.
#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// Host, port, ids, deadlines.
    pub config: IbkrConfig,
    /// Paper or live.
    pub money: Money,
    /// Time between two signs of life; two without an answer end the connection.
    pub heartbeat: Duration,
    /// Messages a second, shared by every connection to this gateway.
    pub bucket: Arc<Bucket>,
    /// Shares to sell short: told by market data, asked before orders.
    pub shorts: Arc<ShortSupply>,
}

impl GatewaySettings {
    /// Returns settings with a bucket and short sale table of their own; clone them to share
    /// these.
    pub fn new(config: &IbkrConfig, money: Money, heartbeat_ms: u64) -> GatewaySettings {
        GatewaySettings {
            config: config.clone(),
            money,
            heartbeat: Duration::from_millis(heartbeat_ms.max(1)),
            bucket: Arc::new(Bucket::new(config.messages_per_s, config.cancel_reserve)),
            shorts: Arc::default(),
        }
    }

    /// Does what a message of the gateway asks of everything that is sent to it: one that says
    /// there is too much gets a second of silence.
    pub fn obey(&self, code: i32) {
        if codes::describe(code).is_some_and(|c| c.response == Response::SlowDown) {
            self.bucket.hold();
        }
    }

    /// Longest wait for the answer to one question.
    pub fn answer_timeout(&self) -> Duration {
        Duration::from_millis(self.config.answer_timeout_ms.max(1))
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The host has no address.
    #[error("gateway {host}:{port}: no such address: {text}")]
    Address {
        /// Host of the settings.
        host: String,
        /// Port of the settings.
        port: u16,
        /// What the system said.
        text: String,
    },
    /// Nothing there, or nothing that speaks the protocol.
    #[error("gateway {host}:{port}: {text}")]
    Refused {
        /// Host of the settings.
        host: String,
        /// Port of the settings.
        port: u16,
        /// What was said.
        text: String,
    },
    /// Message 326. Another client id is never tried: orders are bound to theirs.
    #[error(
        "client id {client_id} is in use at the gateway: another program has it, or the gateway \
         still holds the session that broke"
    )]
    ClientIdInUse {
        /// The id.
        client_id: i32,
    },
    /// The gateway does not manage the account.
    #[error("account '{wanted}' is not among the gateway's ({found}): set venue.ibkr.account")]
    Account {
        /// Account of the settings; empty if none.
        wanted: String,
        /// Accounts there.
        found: String,
    },
    /// `ibkr-paper` against a gateway of real money.
    #[error("account {account} is not a paper account (DU...): ibkr-paper sends it nothing")]
    NotPaper {
        /// The account.
        account: String,
    },
    /// `ibkr-live` with an account nobody allowed.
    #[error("account {account} is not in venue.ibkr.live_accounts: ibkr-live sends it nothing")]
    NotAllowed {
        /// The account.
        account: String,
    },
}

impl ConnectError {
    /// Returns whether trying again cannot help: somebody has to change settings or log in
    /// elsewhere.
    pub fn is_lasting(&self) -> bool {
        matches!(
            self,
            ConnectError::Account { .. }
                | ConnectError::NotPaper { .. }
                | ConnectError::NotAllowed { .. }
        )
    }
}

/// An open connection: dropped, it is closed.
pub struct Connection {
    /// The client.
    pub client: Arc<Client>,
    /// Notices that belong to no request, from the first on.
    pub notices: NoticeStream,
    /// The account traded.
    pub account: String,
    /// The least order id the gateway says is free.
    pub next_order_id: i32,
}

/// Connects as `client_id` and checks the account.
///
/// # Errors
/// [`ConnectError`]; after an error nothing is left open.
pub fn connect(settings: &GatewaySettings, client_id: i32) -> Result<Connection, ConnectError> {
    let address = resolve(&settings.config)?;
    let refused = |text: String| ConnectError::Refused {
        host: settings.config.host.clone(),
        port: settings.config.port,
        text,
    };
    let timeouts = crate::probe::ProbeTimeouts::default();
    // A service that is no gateway, or an old one, is named as such; the library would wait.
    crate::probe::probe(address, &timeouts).map_err(|e| refused(e.to_string()))?;
    let (client, notices) = Client::builder()
        .address(address.to_string())
        .client_id(client_id)
        .tcp_no_delay(true)
        .max_reconnect_attempts(0)
        .one_shot_timeout(settings.answer_timeout())
        .connect_with_notice_stream()
        .map_err(|e| match e {
            ibapi::Error::ClientIdInUse { client_id } => ConnectError::ClientIdInUse { client_id },
            other => refused(other.to_string()),
        })?;
    let account = choose(settings, client.handshake_managed_accounts())?;
    let next_order_id = client.next_order_id();
    Ok(Connection { client: Arc::new(client), notices, account, next_order_id })
}

fn resolve(config: &IbkrConfig) -> Result<SocketAddr, ConnectError> {
    let error =
        |text: String| ConnectError::Address { host: config.host.clone(), port: config.port, text };
    (config.host.as_str(), config.port)
        .to_socket_addrs()
        .map_err(|e| error(e.to_string()))?
        .next()
        .ok_or_else(|| error("it has none".to_string()))
}

/// Returns the account to trade, if it may be.
fn choose(settings: &GatewaySettings, found: &[String]) -> Result<String, ConnectError> {
    let wanted = settings.config.account.trim();
    let named: Vec<&String> = found.iter().filter(|a| !a.trim().is_empty()).collect();
    let account = match named.as_slice() {
        [only] if wanted.is_empty() => (*only).clone(),
        all if all.iter().any(|a| *a == wanted) => wanted.to_string(),
        all => {
            let all: Vec<&str> = all.iter().map(|a| a.as_str()).collect();
            let (wanted, found) = (wanted.to_string(), all.join(", "));
            return Err(ConnectError::Account { wanted, found });
        }
    };
    let is_paper = account.starts_with("DU");
    match settings.money {
        Money::Paper if !is_paper => Err(ConnectError::NotPaper { account }),
        Money::Live if is_paper || !settings.config.live_accounts.contains(&account) => {
            Err(ConnectError::NotAllowed { account })
        }
        Money::Paper | Money::Live => Ok(account),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(account: &str, money: Money, live: &[&str]) -> GatewaySettings {
        let config = IbkrConfig {
            account: account.to_string(),
            live_accounts: live.iter().map(|a| a.to_string()).collect(),
            ..IbkrConfig::default()
        };
        GatewaySettings::new(&config, money, 1_000)
    }

    fn chosen(s: &GatewaySettings, found: &[&str]) -> Result<String, String> {
        let found: Vec<String> = found.iter().map(|a| a.to_string()).collect();
        choose(s, &found).map_err(|e| e.to_string())
    }

    #[test]
    fn only_a_paper_account_gets_paper_orders() {
        let any = settings("", Money::Paper, &[]);
        assert_eq!(chosen(&any, &["DU1"]), Ok("DU1".to_string()));
        assert!(chosen(&any, &["U1"]).unwrap_err().contains("not a paper account"));
        assert!(chosen(&any, &["DU1", "DU2"]).unwrap_err().contains("DU1, DU2"));
        assert!(chosen(&any, &[]).is_err());
        let named = settings("DU2", Money::Paper, &[]);
        assert_eq!(chosen(&named, &["DU1", "DU2"]), Ok("DU2".to_string()));
        assert!(chosen(&named, &["DU1"]).is_err());
    }

    #[test]
    fn live_money_needs_the_allow_list() {
        let listed = settings("U1", Money::Live, &["U1"]);
        assert_eq!(chosen(&listed, &["U1", "U2"]), Ok("U1".to_string()));
        assert!(chosen(&settings("U2", Money::Live, &["U1"]), &["U1", "U2"]).is_err());
        assert!(chosen(&settings("", Money::Live, &[]), &["U1"]).is_err());
        // A paper account under this name is a mistake of the other kind.
        assert!(chosen(&settings("DU1", Money::Live, &["DU1"]), &["DU1"]).is_err());
    }
}
