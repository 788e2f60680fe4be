//! What trading itself needs: true time, a clear latch, weights, credentials, a gateway.

use super::Check;
use crate::credentials::{self, Credentials};
use crate::run_dir::KILL_LATCH;
use crate::time_watch;
use ijk_core::Config;
use ijk_core::infer_config::WeightPacking;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Offset above which a person should look, milliseconds.
const OFFSET_MS_MAX: u64 = 10;

/// Compares the clock with a time server, by default that of the settings.
pub fn clock(server: Option<&str>, config: &Config) -> Check {
    let fix = "run chrony or systemd-timesyncd; name a server that answers as venue.time_server";
    let server = server.unwrap_or(&config.venue.time_server);
    match time_watch::ask_once(server, config.risk.clock_block_ms) {
        Ok(offset_ns) => {
            let ms = offset_ns as f64 * 1e-6;
            let detail = format!(
                "{ms:+.3} ms against {server}; {} ms block new orders",
                config.risk.clock_block_ms
            );
            let ok = offset_ns.unsigned_abs() <= OFFSET_MS_MAX * 1_000_000;
            Check::advice("clock offset", ok, detail, fix)
        }
        Err(why) => Check::advice("clock offset", false, format!("{server}: {why}"), fix),
    }
}

/// Every other check.
pub fn all(gateway: Option<SocketAddr>) -> Vec<Check> {
    let mut checks = vec![latch(), weights()];
    if let Some(folder) = credentials::folder() {
        checks.push(handed_over(&folder));
    }
    checks.extend(gateway.map(probe));
    checks
}

fn latch() -> Check {
    let clear = !Path::new(KILL_LATCH).exists();
    let detail = if clear { "clear" } else { "set: trading was killed or halted" };
    Check::needed("kill latch", clear, detail, "ijk kill --clear, once it is understood")
}

fn weights() -> Check {
    let fix = "install the whole release again";
    match crate::weights::load("bundled", WeightPacking::Exact) {
        Ok(Some((encoder, id))) => {
            let detail = format!("{} members, sha256 {}", encoder.member_count(), &id.sha256[..16]);
            Check::needed("bundled weights", true, detail, fix)
        }
        Ok(None) => Check::needed("bundled weights", false, "missing", fix),
        Err(e) => Check::needed("bundled weights", false, e.message, fix),
    }
}

/// Credentials that others may read are none.
fn handed_over(folder: &Path) -> Check {
    let fix = "chmod 0400 and the service's own user; LoadCredential= does both";
    if let Err(e) = Credentials::load() {
        return Check::needed("credentials", false, e.message, fix);
    }
    let mut open = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        count += 1;
        let mode = entry.metadata().map_or(0, |m| m.permissions().mode());
        if mode & 0o077 != 0 {
            open.push(format!("{} {:04o}", entry.file_name().to_string_lossy(), mode & 0o7777));
        }
    }
    open.sort();
    let detail = match open.as_slice() {
        [] => format!("{count}, for this user alone"),
        open => format!("others may read {}", open.join(", ")),
    };
    Check::needed("credentials", open.is_empty(), detail, fix)
}

fn probe(address: SocketAddr) -> Check {
    let fix = "is TWS or IB Gateway logged in, with its API enabled for this address and port?";
    match ijk_ibkr::probe(address, &ijk_ibkr::ProbeTimeouts::default()) {
        Ok(info) => {
            let ijk_ibkr::GatewayInfo { server_version, connection_time } = info;
            let detail = format!("{address}: server version {server_version}, {connection_time}");
            Check::needed("gateway", true, detail, fix)
        }
        Err(e) => Check::needed("gateway", false, format!("{address}: {e}"), fix),
    }
}
