//! What the end-to-end tests share: the command under test, real data where it is, parents files.

#[cfg(feature = "canary")]
pub mod canaries;
pub mod ibkr;
pub mod kill9;
pub mod ledger;
pub mod sim;
pub mod time_server;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Returns the `ijk` command of this checkout, built in the profile of the tests.
///
/// # Panics
/// If it does not build.
pub fn ijk() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| build("ijk"))
}

/// Builds the commands that tests start, `ijk`, `ijk-calib` and `ijk-broker`, and returns the path
/// of one.
///
/// All at once and of the whole workspace: cargo compiles the packages below for what is chosen
/// together, and twice for two choices. The test command has chosen the workspace already.
///
/// # Panics
/// If they do not build.
pub fn build(name: &str) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--workspace"]);
    cargo.args(["--bin", "ijk", "--bin", "ijk-calib", "--bin", "ijk-broker"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let status = cargo.current_dir(root()).status().expect("cargo runs");
    assert!(status.success(), "{name} must build");
    // Tests lie in `deps` below the commands, commands beside one another.
    let exe = std::env::current_exe().expect("a process has a path");
    let found = exe.ancestors().skip(1).map(|folder| folder.join(name)).find(|p| p.is_file());
    found.unwrap_or_else(|| panic!("{name} is not near {}", exe.display()))
}

/// Lines of `[risk]` for synthetic days with an outside venue, which are about orders and not about
/// limits: a budget that a small test does not use up, no cut-offs.
pub const WIDE_RISK: &str = "\
start_equity_usd = 1e6
settled_cash_usd = 1e9
adv_qty_default = 1000000
allow_short = true
max_position_notional_usd = 1e6
max_position_equity_fraction = 1.0
max_gross_notional_usd = 1e6
max_net_notional_usd = 1e6
slippage_limit_bps = 10000.0
reduce_only_loss_usd = 1e5
halt_loss_usd = 2e5
max_drawdown_usd = 2e5
max_consecutive_losers = 1000000
max_entries_per_day = 100000
max_entries_per_window = 100000
max_identical_orders = 1000
order_ratio_throttle = 1000000
data_jump_sigma = 1e6
data_good_quotes = 1
resume_good_quotes = 1
clock_block_ms = 60000
eod_reduce_only_s = 0
eod_no_new_s = 0
";

/// Returns a settings file: `settings`, which has a line `[venue]` and ends inside `[risk]`, with
/// [`WIDE_RISK`] and the time server's address.
pub fn with_wide_risk(settings: &str, time_server: &str) -> String {
    let venue = format!("[venue]\ntime_server = \"{time_server}\"\n");
    settings.replacen("[venue]\n", &venue, 1) + WIDE_RISK
}

/// Returns the workspace's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent").to_path_buf()
}

/// Returns a file of the real data, or `None` with a message where there is none.
pub fn data(name: &str) -> Option<PathBuf> {
    let folder =
        std::env::var_os("IJK_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let path = folder.join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is not here (set IJK_DATA)", path.display());
    None
}

/// Runs `ijk` in `dir` and returns what it left.
///
/// # Panics
/// If the process cannot be started.
pub fn run(dir: &Path, args: &[&str]) -> Output {
    Command::new(ijk()).args(args).current_dir(dir).output().expect("ijk starts")
}

/// Runs `ijk`, insists on exit code 0, and parses the one JSON document on stdout.
///
/// # Panics
/// If it fails or prints anything else.
pub fn run_json(dir: &Path, args: &[&str]) -> Value {
    let output = run(dir, args);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "ijk {args:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("ijk {args:?}: {e}: {text}"))
}

/// Runs `ijk`, insists on the given exit code, and returns its stderr.
///
/// # Panics
/// If it ends with another code.
pub fn run_failing(dir: &Path, args: &[&str], code: i32) -> String {
    let output = run(dir, args);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "ijk {args:?}: {text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

/// A parents file for GOOG on 2012-06-21: one parent an urgency and side through the day, one
/// that is due before the first message, and one that asks for more than the day trades.
pub const GOOG_PARENTS: &str = "\
ts,symbol,side,qty,horizon_s,urgency
2012-06-21T09:30:00-04:00,GOOG,buy,100,600,normal
2012-06-21T09:45:00-04:00,GOOG,buy,1000,600,normal
2012-06-21T10:30:00-04:00,GOOG,sell,500,300,urgent
2012-06-21T11:00:00-04:00,GOOG,sell,400,1200,passive
2012-06-21T12:00:00-04:00,GOOG,buy,300,900,passive
2012-06-21T13:15:00-04:00,GOOG,sell,600,600,normal
2012-06-21T14:30:00-04:00,GOOG,buy,500,300,urgent
2012-06-21T15:00:00-04:00,GOOG,sell,100000,120,normal
";
