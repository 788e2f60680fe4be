//! `ijk live --feed ibkr:...` against the gateway simulator: a whole session of five symbols with
//! depth, data and orders through the adapter, ends reconciled and replays; what it captured is a
//! feed of its own; days and clocks that are none are refused.

use ijk_tests::{ijk, run, run_failing, run_json, time_server, with_wide_risk};
use ijk_twsim::{Limits, Server, SimConfig};
use std::fmt::Write as _;
use std::path::Path;

/// Simulated seconds a real one: six and a half hours take forty seconds.
const SPEED: f64 = 600.0;
/// Where the synthetic day begins, nanoseconds UTC.
const DAY_NS: u64 = 1_741_012_200_000_000_000;
const SYMBOLS: &str = "AAPL,MSFT,TSLA,NVDA,SPY";
/// Times of the kernel are six hundred times those of the machine.
const SETTINGS: &str = "\
[venue]
ack_timeout_ms = 3000000
snapshot_timeout_ms = 6000000
reconcile_interval_ms = 1200000
absent_quiet_ms = 1200000
intent_age_max_ms = 3000000
heartbeat_ms = 400
feed_silence_max_ms = 7200000
clock_step_max_ms = 60000
[risk]
allow_symbols = [\"AAPL\", \"MSFT\", \"TSLA\", \"NVDA\", \"SPY\"]
quote_max_age_ms = 3600000
feed_heartbeat_ms = 3600000
data_jump_bps = 10000.0
";

fn settings(folder: &Path, server: &Server, more: &str) {
    let time = time_server::start().unwrap();
    let text = with_wide_risk(SETTINGS, &time);
    let port = server.addr().port();
    let data = "[venue.ibkr.data]\nclock = \"gateway\"\ndepth_rows = 5\ndepth_lines = 5\n\
                tick_lines = 5\n";
    let text = format!("{text}[venue.ibkr]\nport = {port}\n{data}{more}");
    std::fs::write(folder.join("s.toml"), text).unwrap();
    let mut rows = "ts,symbol,side,qty,horizon_s,urgency\n".to_string();
    for n in 0..50u64 {
        let symbol = SYMBOLS.split(',').nth(n as usize % 5).unwrap();
        let side = ["buy", "sell"][(n / 5 % 2) as usize];
        let ts = DAY_NS + (300 + n * 420) * 1_000_000_000;
        writeln!(rows, "{ts},{symbol},{side},{},1200,urgent", 100 + n).unwrap();
    }
    std::fs::write(folder.join("p.csv"), rows).unwrap();
}

fn simulator() -> Server {
    let limits = Limits { messages_per_s: 0, ..Limits::default() };
    Server::start(0, SimConfig { speed: SPEED, limits, ..SimConfig::default() }).unwrap()
}

#[test]
fn a_whole_session_of_five_symbols_ends_reconciled_and_replays() {
    let dir = tempfile::tempdir().unwrap();
    // The day begins with the simulator: the command is built before it.
    ijk();
    let server = simulator();
    settings(dir.path(), &server, "capture = \"day.jsonl\"\n");
    let feed = format!("ibkr:{SYMBOLS}");
    let live = [
        "live",
        "--config",
        "s.toml",
        "--venue",
        "ibkr-paper",
        "--feed",
        &feed,
        "--weights",
        "none",
        "--parents",
        "p.csv",
        "--speed",
        "600",
        "--state",
        "account",
        "--out",
        "run",
        "--json",
    ];
    let summary = run_json(dir.path(), &live);
    assert!(summary["fills"].as_u64().unwrap() >= 20, "{summary}");
    assert!(summary["events"].as_u64().unwrap() > 20_000, "{summary}");
    assert_eq!(summary["unknown_orders"], 0);
    assert!(summary["reconciled_ns"].as_u64().is_some(), "{summary}");
    for (_, symbol, shares) in server.with(|g| g.truth_positions()) {
        assert_eq!(summary["positions"][&symbol].as_f64(), Some(shares), "{symbol} {summary}");
    }
    let replayed = run(dir.path(), &["replay", "run", "--json"]);
    assert!(replayed.status.success(), "{}", String::from_utf8_lossy(&replayed.stdout));
    // The capture is a feed like any other.
    let args =
        ["book", "ibkr-capture:day.jsonl", "--symbol", "MSFT", "--out", "b.parquet", "--json"];
    let book = run_json(dir.path(), &args);
    assert!(book["rows"].as_u64().is_none_or(|r| r > 1_000), "{book}");
    assert!(dir.path().join("b.parquet").exists());
}

#[test]
fn what_is_no_live_feed_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(0, SimConfig::default()).unwrap();
    settings(dir.path(), &server, "");
    let live = |more: &[&str], code| {
        let fixed = [
            "live",
            "--config",
            "s.toml",
            "--venue",
            "ibkr-paper",
            "--weights",
            "none",
            "--parents",
            "p.csv",
            "--state",
            "account",
            "--out",
            "run",
        ];
        run_failing(dir.path(), &[&fixed[..], more].concat(), code)
    };
    let said = live(&["--feed", "ibkr:AAPL,NOSUCH", "--speed", "1"], 2);
    assert!(said.contains("NOSUCH") && said.contains("exactly one stock"), "{said}");
    // The simulator lives on another day than this machine.
    let text = std::fs::read_to_string(dir.path().join("s.toml")).unwrap();
    std::fs::write(dir.path().join("s.toml"), text.replace("\"gateway\"", "\"machine\"")).unwrap();
    let said = live(&["--feed", "ibkr:AAPL", "--speed", "1"], 2);
    assert!(said.contains("clock = \"gateway\""), "{said}");
    let said = live(&["--feed", "ibkr:AAPL", "--speed", "2"], 2);
    assert!(said.contains("--speed 1"), "{said}");
}

#[test]
fn the_check_of_a_gateway_writes_a_report_without_account_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(0, SimConfig::default()).unwrap();
    let address = server.addr().to_string();
    let args = ["ib-check", "--gateway", &address, "--place-order", "--out", "check", "--json"];
    let report = run_json(dir.path(), &args);
    assert_eq!(report["failed"].as_array().map(Vec::len), Some(0), "{report}");
    for name in ["ib-check.md", "ib-check.json"] {
        let text = std::fs::read_to_string(dir.path().join("check").join(name)).unwrap();
        assert!(text.contains("order far from the market") && !text.contains("DU0000001"));
    }
    let said = run_failing(dir.path(), &args, 2);
    assert!(said.contains("--force"), "{said}");
}
