//! Named scenarios: each a script of faults, and a client's session that shows what comes of it.
//!
//! The files are `tools/twsim/scenarios/NAME.txt`: remarks (`# about: ...`, `# seen: ...`), lines
//! `fault LINE` for the script, then the session's lines (see [`crate::play`]).

use crate::play::{self, Played};
use crate::{SetupError, SimConfig};

/// One scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Name.
    pub name: &'static str,
    /// One sentence.
    pub about: &'static str,
    /// Where it happened to others, or which rule it shows.
    pub seen: &'static str,
    /// Lines of the fault script.
    pub faults: Vec<&'static str>,
    /// Lines of the session.
    pub play: Vec<&'static str>,
}

impl Scenario {
    /// Plays the session against a gateway with the faults, on a clock of its own.
    ///
    /// # Errors
    /// [`SetupError`] if the faults cannot be read.
    pub fn run(&self) -> Result<Played, SetupError> {
        let config = SimConfig {
            // Monday 2025-03-03, 09:30 in New York: the begin of a synthetic session.
            fixed_time_s: Some(1_741_012_200),
            script: self.faults.iter().map(|l| l.to_string()).collect(),
            ..SimConfig::default()
        };
        play::play(config, &self.play)
    }
}

/// Returns the scenario of a name.
pub fn find(name: &str) -> Option<Scenario> {
    FILES.iter().find(|(n, _)| *n == name).map(|(n, text)| read(n, text))
}

/// Returns all scenarios, by name.
pub fn all() -> Vec<Scenario> {
    FILES.iter().map(|(name, text)| read(name, text)).collect()
}

fn read(name: &'static str, text: &'static str) -> Scenario {
    let mut s = Scenario { name, about: "", seen: "", faults: Vec::new(), play: Vec::new() };
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty()) {
        if let Some(about) = line.strip_prefix("# about: ") {
            s.about = about;
        } else if let Some(seen) = line.strip_prefix("# seen: ") {
            s.seen = seen;
        } else if let Some(fault) = line.strip_prefix("fault ") {
            s.faults.push(fault);
        } else if !line.starts_with('#') {
            s.play.push(line);
        }
    }
    s
}

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../scenarios/", $name, ".txt")))),*]
    };
}

const FILES: &[(&str, &str)] = files! {
    "absurd-price",
    "account-hang",
    "ack-late",
    "ack-lost",
    "bad-frame",
    "bracket-cut",
    "bracket-whole",
    "broker-cancel-202",
    "bust-10225",
    "cancel-not-found-135",
    "cancel-pending-161",
    "cancel-refused-136",
    "cancel-too-late-10148",
    "cancel-unanswered",
    "cancel-unknown-10147",
    "client-id-326",
    "client-id-326-after-drop",
    "commission-never",
    "competing-10197",
    "completed-hang",
    "completed-quantity-zero",
    "contract-hang",
    "daily-restart",
    "data-kind-frozen",
    "data-refused-10186",
    "delayed-10089",
    "delayed-10090",
    "delayed-10091",
    "delayed-10167",
    "delayed-off-10168",
    "depth-cap-309",
    "depth-halted-316",
    "depth-reset-317",
    "duplicate-order-103",
    "duplicate-ticker-102",
    "exec-before-status",
    "exec-corrected",
    "executions-hang",
    "farm-flap",
    "farm-ok-but-silent",
    "farm-silent-one-symbol",
    "farms-inactive",
    "fills-late-over-1100",
    "fills-lost-over-1100",
    "half-open",
    "history-disconnect-165",
    "history-hang",
    "history-no-data-162",
    "history-pacing-162",
    "history-unknown-366",
    "hold-404",
    "hold-404-cancelled",
    "inactive-on-arrival",
    "inactive-revived",
    "lines-cap-101",
    "link-1101-data-lost",
    "link-1102-data-kept",
    "margin-201",
    "min-tick-110",
    "modify-makes-twins",
    "modify-mismatch-105",
    "modify-too-late-104",
    "next-id-rollback",
    "not-subscribed-354",
    "open-orders-hang",
    "option-chain-hang",
    "order-swallowed",
    "order-waits-for-link",
    "orders-of-another-session",
    "partial-fills",
    "plain-session",
    "port-reset-1300",
    "positions-hang",
    "preset-10349",
    "price-bands-110",
    "rate-limit-100",
    "read-only-321",
    "reject-201",
    "server-link-2110",
    "short-locate-404",
    "short-none",
    "size-rule-10243",
    "slow-drip",
    "socket-drop-after-order",
    "socket-drop-before-order",
    "status-duplicated",
    "status-missing",
    "stop-order-sleeps",
    "ticks-cap-10190",
    "trading-halt",
    "unknown-contract-200",
    "unknown-ticker-300",
    "warning-2109",
    "warning-399",
    "warnings-2148-2161-2176",
    "weekly-login",
};
