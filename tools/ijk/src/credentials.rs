//! What only the operator may know, as files that the service manager hands over in
//! `$CREDENTIALS_DIRECTORY` (systemd.exec(5), `LoadCredential`): never an argument, never the
//! environment, never the settings file, never a log.
//!
//! An empty file is none.
//!
//! | file | content |
//! |---|---|
//! | `account` | the account's name at the venue, one line, at most 16 ASCII characters |
//! | `gateway` | TOML: `address` (HOST:PORT or unix:PATH), `client_id` (optional) |

use crate::exit::Exit;
use ijk_core::config::IbkrConfig;
use serde::Deserialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// Largest credential that is read.
const BYTES_MAX: u64 = 4_096;
/// Longest name of an account.
const ACCOUNT_BYTES_MAX: usize = 16;

/// A text that shows itself to nobody by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Returns the text, for the venue alone.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// Where the gateway is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// HOST:PORT or unix:PATH.
    pub address: String,
    /// The client's number there.
    pub client_id: Option<u32>,
}

/// What the service manager handed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The account's name at the venue.
    pub account: Option<Secret>,
    /// Where the gateway is.
    pub gateway: Option<Gateway>,
}

/// Returns the folder of credentials, if there is one.
pub fn folder() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

impl Credentials {
    /// Reads what the service manager handed over; nothing where it did not.
    ///
    /// # Errors
    /// Exit code 2 for a file that cannot be read or understood. The message holds none of it.
    pub fn load() -> Result<Credentials, Exit> {
        folder().map_or_else(|| Ok(Credentials::default()), |folder| Credentials::of(&folder))
    }

    fn of(folder: &Path) -> Result<Credentials, Exit> {
        let account = read(&folder.join("account"))?.map(account).transpose();
        let account = account.map_err(|why| refused(folder, "account", why))?;
        let gateway = read(&folder.join("gateway"))?.map(|text| toml::from_str(&text));
        // The parser's own message quotes the text.
        let gateway = gateway.transpose().map_err(|_| {
            refused(folder, "gateway", "expected TOML with address and, optionally, client_id")
        })?;
        Ok(Credentials { account, gateway })
    }

    /// Puts what was handed over into the place of what the settings say of the gateway. The
    /// result is for the connection alone: settings go on record.
    ///
    /// # Errors
    /// Exit code 2 for an address that is not HOST:PORT.
    pub fn over(&self, settings: &IbkrConfig) -> Result<IbkrConfig, Exit> {
        let mut over = settings.clone();
        if let Some(account) = &self.account {
            over.account = account.expose().to_string();
        }
        let Some(gateway) = &self.gateway else { return Ok(over) };
        let parts = gateway.address.rsplit_once(':');
        let parts = parts.and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let Some((host, port)) = parts else {
            return Err(Exit::usage("credential 'gateway': address: expected HOST:PORT"));
        };
        (over.host, over.port) = (host.to_string(), port);
        if let Some(id) = gateway.client_id {
            over.client_id = i32::try_from(id)
                .map_err(|_| Exit::usage("credential 'gateway': client_id is too large"))?;
        }
        Ok(over)
    }

    /// Returns the account's name as the link protocol wants it.
    pub fn account_bytes(&self) -> Option<[u8; ACCOUNT_BYTES_MAX]> {
        let name = self.account.as_ref()?.expose().as_bytes();
        let mut bytes = [0; ACCOUNT_BYTES_MAX];
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        Some(bytes)
    }
}

fn account(text: String) -> Result<Secret, &'static str> {
    let name = text.trim_end_matches(['\n', '\r']);
    let fits = (1..=ACCOUNT_BYTES_MAX).contains(&name.len());
    match fits && name.bytes().all(|b| b.is_ascii_graphic()) {
        true => Ok(Secret(name.to_string())),
        false => Err("expected one line of 1 to 16 visible ASCII characters"),
    }
}

fn refused(folder: &Path, name: &str, why: &str) -> Exit {
    Exit::usage(format!("credential {}: {why}", folder.join(name).display()))
}

fn read(path: &Path) -> Result<Option<String>, Exit> {
    let fail =
        |why: &dyn fmt::Display| Exit::usage(format!("credential {}: {why}", path.display()));
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(fail(&e)),
    };
    if meta.len() > BYTES_MAX {
        return Err(fail(&format_args!("{} bytes; at most {BYTES_MAX}", meta.len())));
    }
    let bytes = std::fs::read(path).map_err(|e| fail(&e))?;
    let text = String::from_utf8(bytes).map_err(|_| fail(&"not UTF-8"))?;
    Ok((!text.is_empty()).then_some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &[u8])]) -> Result<Credentials, Exit> {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        Credentials::of(dir.path())
    }

    #[test]
    fn what_is_handed_over_is_read() {
        assert_eq!(of(&[]).unwrap(), Credentials::default());
        let empty = of(&[("account", b""), ("gateway", b"")]);
        assert_eq!(empty.unwrap(), Credentials::default());
        let both = of(&[
            ("account", b"DU1234567\n"),
            ("gateway", b"address = \"127.0.0.1:4002\"\nclient_id = 7\n"),
        ]);
        let both = both.unwrap();
        assert_eq!(both.account.as_ref().unwrap().expose(), "DU1234567");
        assert_eq!(&both.account_bytes().unwrap(), b"DU1234567\0\0\0\0\0\0\0");
        let gateway = both.gateway.clone().unwrap();
        assert_eq!((gateway.address.as_str(), gateway.client_id), ("127.0.0.1:4002", Some(7)));
        assert!(!format!("{both:?}").contains("DU1234567"), "a secret prints itself");
        let over = both.over(&IbkrConfig::default()).unwrap();
        assert_eq!((over.host.as_str(), over.port, over.client_id), ("127.0.0.1", 4002, 7));
        assert_eq!(over.account, "DU1234567");
        let none = Credentials::default().over(&over).unwrap();
        assert_eq!(none, over, "nothing handed over changes nothing");
        let gateway = Some(Gateway { address: "unix:x".to_string(), client_id: None });
        let refused = Credentials { account: None, gateway }.over(&over).unwrap_err();
        assert_eq!(refused.code, crate::exit::USAGE);
    }

    #[test]
    fn what_cannot_be_is_refused_without_a_word_of_it() {
        let long = [b'7'; 5_000];
        for (name, bytes) in [
            ("account", &b"SECRET WITH SPACES"[..]),
            ("account", b"SECRET\nSECRET"),
            ("account", b"SECRETSECRETSECRET"),
            ("account", b"SECRET\xff"),
            ("account", &long),
            ("gateway", b"SECRET"),
            ("gateway", b"address = 7 # SECRET"),
            ("gateway", b"address = \"x\"\npassword = \"SECRET\""),
        ] {
            let error = of(&[(name, bytes)]).unwrap_err();
            assert_eq!(error.code, crate::exit::USAGE);
            assert!(error.message.contains(name), "{}", error.message);
            assert!(!error.message.contains("SECRET"), "{}", error.message);
            assert!(!error.message.contains("7777"), "{}", error.message);
        }
    }
}
