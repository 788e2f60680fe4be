//! `ijk doctor`: what this machine allows, what it costs where it does not, and what to do.

mod account;
mod disk;
mod machine;

use crate::cli::DoctorArgs;
use crate::exit::{self, Exit};
use crate::print::{print_json, print_text};
use crate::settings::{self, Profile};
use crate::system;
use serde_json::json;

/// One finding.
pub struct Check {
    name: &'static str,
    ok: bool,
    /// Whether trading must not start without it.
    required: bool,
    detail: String,
    /// What to do where it is not so.
    fix: &'static str,
}

impl Check {
    /// Returns a finding without which trading is possible but worse.
    fn advice(name: &'static str, ok: bool, detail: impl Into<String>, fix: &'static str) -> Check {
        Check { name, ok, required: false, detail: detail.into(), fix }
    }

    /// Returns a finding without which nothing may start.
    fn needed(name: &'static str, ok: bool, detail: impl Into<String>, fix: &'static str) -> Check {
        Check { name, ok, required: true, detail: detail.into(), fix }
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "check": self.name, "ok": self.ok, "required": self.required,
            "detail": self.detail, "fix": (!self.ok).then_some(self.fix),
        })
    }

    fn line(&self) -> String {
        let mark = match (self.ok, self.required) {
            (true, _) => "ok",
            (false, true) => "FAIL",
            (false, false) => "note",
        };
        let mut line = format!("{mark:<5} {:<16} {}\n", self.name, self.detail);
        if !self.ok {
            line.push_str(&format!("{:<22} -> {}\n", "", self.fix));
        }
        line
    }
}

/// Runs every check.
///
/// # Errors
/// 1 if a required check fails, 2 for settings that cannot be read.
pub fn run(args: &DoctorArgs) -> Result<(), Exit> {
    let profile = if args.config.is_some() { Profile::RealVenue } else { Profile::Simulation };
    let config = settings::load(args.config.as_deref(), profile)?.config;
    let mut checks = machine::all(&config);
    checks.extend(disk::all(args.dir.as_deref(), &config));
    checks.push(account::clock(args.time_server.as_deref(), &config));
    checks.extend(account::all(args.gateway));
    if args.json {
        let rows: Vec<_> = checks.iter().map(Check::json).collect();
        print_json(&json!({ "machine": system::cpu_name(), "checks": rows }));
    } else {
        print_text(&format!("{}\n", system::cpu_name()));
        checks.iter().for_each(|c| print_text(&c.line()));
    }
    match checks.iter().find(|c| c.required && !c.ok) {
        Some(c) => Err(Exit::new(exit::CHECK, format!("{}: {}", c.name, c.detail))),
        None => Ok(()),
    }
}
