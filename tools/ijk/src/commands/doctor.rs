//! `ijk doctor`: what this machine allows, and what it costs where it does not.

use crate::cli::DoctorArgs;
use crate::exit::{self, Exit};
use crate::files::{print_json, print_text};
use crate::run_dir::KILL_LATCH;
use crate::system;
use ijk_core::config::{JournalBackend, JournalConfig};
use ijk_journal::{Durability, JournalError, Writer};
use serde_json::json;
use std::fs::read_to_string;
use std::path::Path;

/// One finding.
struct Check {
    name: &'static str,
    ok: bool,
    /// Whether trading must not start without it.
    required: bool,
    detail: String,
}

/// Runs every check.
///
/// # Errors
/// 1 if a required check fails.
pub fn run(args: &DoctorArgs) -> Result<(), Exit> {
    let mut checks = vec![cores(), clock(), journal(), latch(), memlock(), huge_pages()];
    checks.push(bundled_weights());
    if let Some(address) = args.gateway {
        checks.push(gateway(address));
    }
    if args.json {
        let rows: Vec<_> = checks
            .iter()
            .map(|c| {
                json!({ "check": c.name, "ok": c.ok, "required": c.required, "detail": c.detail })
            })
            .collect();
        print_json(&json!({ "machine": system::cpu_name(), "checks": rows }));
    } else {
        print_text(&format!("{}\n", system::cpu_name()));
        for c in &checks {
            let mark = match (c.ok, c.required) {
                (true, _) => "ok",
                (false, true) => "FAIL",
                (false, false) => "note",
            };
            print_text(&format!("{mark:<5} {:<18} {}\n", c.name, c.detail));
        }
    }
    match checks.iter().find(|c| c.required && !c.ok) {
        Some(c) => Err(Exit::new(exit::CHECK, format!("{}: {}", c.name, c.detail))),
        None => Ok(()),
    }
}

fn check(name: &'static str, ok: bool, required: bool, detail: impl Into<String>) -> Check {
    Check { name, ok, required, detail: detail.into() }
}

fn cores() -> Check {
    let n = std::thread::available_parallelism().map_or(1, usize::from);
    let isolated = read_to_string("/sys/devices/system/cpu/isolated").unwrap_or_default();
    let isolated = isolated.trim();
    let detail = if isolated.is_empty() {
        format!("{n} cores, none isolated: latencies share the core with everything else")
    } else {
        format!("{n} cores, isolated: {isolated}; set runtime.kernel_core to one of them")
    };
    check("cores", n >= 2, false, detail)
}

fn clock() -> Check {
    let source = read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource")
        .unwrap_or_default();
    let source = source.trim();
    check("clock source", source == "tsc", false, format!("'{source}' (stage times want tsc)"))
}

fn journal() -> Check {
    let dir = std::env::temp_dir().join(format!("ijk-doctor-{}", std::process::id()));
    let config = JournalConfig {
        backend: JournalBackend::Auto,
        segment_bytes: 1 << 16,
        ..JournalConfig::default()
    };
    let made = std::fs::create_dir_all(&dir)
        .map_err(|source| JournalError::Open { path: dir.clone(), source });
    let result = made.and_then(|()| {
        let writer = Writer::create(&dir, &config, Durability::Strict)?;
        let name = writer.storage().backend_name();
        writer.finish().map(|_| name)
    });
    let _ = std::fs::remove_dir_all(&dir);
    match result {
        Ok(name) => check("journal", true, true, format!("writes and syncs through {name}")),
        Err(e) => check("journal", false, true, e.to_string()),
    }
}

fn latch() -> Check {
    let clear = !Path::new(KILL_LATCH).exists();
    let detail = if clear { "clear" } else { "set: 'ijk kill --clear' re-arms" };
    check("kill latch", clear, true, detail)
}

fn memlock() -> Check {
    let limits = read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|l| l.starts_with("Max locked memory")).unwrap_or_default();
    let soft = line.split_whitespace().nth(3).unwrap_or("unknown");
    let enough = soft == "unlimited" || soft.parse::<u64>().is_ok_and(|b| b >= 256 << 20);
    check("locked memory", enough, false, format!("limit {soft} (256 MiB keeps pages resident)"))
}

fn huge_pages() -> Check {
    let mode = read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    let on = !mode.contains("[never]") && !mode.is_empty();
    check("huge pages", on, false, mode.trim().to_string())
}

fn bundled_weights() -> Check {
    match crate::weights::load("bundled") {
        Ok(Some((encoder, id))) => check(
            "bundled weights",
            true,
            true,
            format!("{} members, sha256 {}", encoder.member_count(), &id.sha256[..16]),
        ),
        Ok(None) => check("bundled weights", false, true, "missing"),
        Err(e) => check("bundled weights", false, true, e.message),
    }
}

fn gateway(address: std::net::SocketAddr) -> Check {
    match ijk_ibkr::probe(address, &ijk_ibkr::ProbeTimeouts::default()) {
        Ok(info) => check("gateway", true, true, {
            let ijk_ibkr::GatewayInfo { server_version, connection_time } = info;
            format!("{address}: server version {server_version}, {connection_time}")
        }),
        Err(e) => check("gateway", false, true, format!("{address}: {e}")),
    }
}
