//! `ijk live --venue ibkr-paper` against the gateway simulator: trades, ends reconciled, replays;
//! dies, and nothing works any more; what it left is cancelled by the next command.

use ijk_data::spec::FeedSpec;
use ijk_tests::{ijk, run, run_failing, run_json, time_server, with_wide_risk};
use ijk_twsim::{Server, SimConfig, TruthOrder};
use std::fmt::Write as _;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where the synthetic day begins, nanoseconds UTC.
const DAY_NS: u64 = 1_741_012_200_000_000_000;
/// Kernel times in milliseconds at ten times the wall clock's pace; the heartbeat is the gateway's.
const SETTINGS: &str = "\
[venue]
ack_timeout_ms = 20000
snapshot_timeout_ms = 40000
reconcile_interval_ms = 10000
absent_quiet_ms = 5000
intent_age_max_ms = 20000
heartbeat_ms = 400
feed_silence_max_ms = 60000
[risk]
allow_symbols = [\"SYN0\", \"SYN1\"]
quote_max_age_ms = 60000
feed_heartbeat_ms = 60000
";

fn simulator() -> Server {
    simulator_with(SimConfig::default())
}

fn simulator_with(config: SimConfig) -> Server {
    let feed: FeedSpec = "synth:5:60:2".parse().unwrap();
    Server::start(0, SimConfig { feed: Some(feed), ..config }).unwrap()
}

fn write_files(folder: &Path, server: &Server, parents: u64) {
    let time = time_server::start().unwrap();
    let text = with_wide_risk(SETTINGS, &time);
    let text = format!("{text}[venue.ibkr]\nport = {}\n", server.addr().port());
    std::fs::write(folder.join("s.toml"), text).unwrap();
    let mut rows = "ts,symbol,side,qty,horizon_s,urgency\n".to_string();
    for n in 0..parents {
        let (symbol, side) = [("SYN0", "buy"), ("SYN1", "sell")][(n % 2) as usize];
        let urgency = ["urgent", "passive"][(n / 2 % 2) as usize];
        let ts = DAY_NS + 5_000_000_000 + n * 2_000_000_000;
        writeln!(rows, "{ts},{symbol},{side},{},20,{urgency}", 10 + n).unwrap();
    }
    std::fs::write(folder.join("p.csv"), rows).unwrap();
}

const LIVE: [&str; 17] = [
    "live",
    "--config",
    "s.toml",
    "--venue",
    "ibkr-paper",
    "--feed",
    "synth:5:2:2",
    "--weights",
    "none",
    "--parents",
    "p.csv",
    "--speed",
    "10",
    "--state",
    "runs/account",
    "--out",
    "runs/1",
];

fn live_orders(server: &Server) -> Vec<TruthOrder> {
    let over = |o: &TruthOrder| matches!(o.status, "Filled" | "Cancelled" | "Inactive");
    server.with(|g| g.truth_orders()).into_iter().filter(|o| !over(o)).collect()
}

#[test]
fn a_session_trades_ends_reconciled_and_replays() {
    let dir = tempfile::tempdir().unwrap();
    let server = simulator();
    write_files(dir.path(), &server, 8);
    let summary = run_json(dir.path(), &[&LIVE[..], &["--json"]].concat());
    assert!(summary["fills"].as_u64().unwrap() > 0, "{summary}");
    assert_eq!(summary["unknown_orders"], 0);
    assert!(summary["reconciled_ns"].as_u64().is_some());
    assert!(live_orders(&server).is_empty());
    for (_, symbol, shares) in server.with(|g| g.truth_positions()) {
        assert_eq!(summary["positions"][&symbol].as_f64(), Some(shares), "{symbol} {summary}");
    }
    let fees: f64 = server.with(|g| g.truth_execs()).iter().map(|e| e.commission).sum();
    assert!((summary["fees_usd"].as_f64().unwrap() - fees).abs() < 0.01, "{fees} {summary}");
    let replayed = run(dir.path(), &["replay", "runs/1", "--json"]);
    assert!(replayed.status.success(), "{}", String::from_utf8_lossy(&replayed.stdout));
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_live(folder: &Path) -> Killed {
    let log = std::fs::File::create(folder.join("live.log")).unwrap();
    let mut command = Command::new(ijk());
    command.args(LIVE).current_dir(folder).stdout(Stdio::null()).stderr(log);
    // A group of its own, as a shell would give it.
    command.process_group(0);
    Killed(command.spawn().unwrap())
}

fn until(what: &str, folder: &Path, done: impl Fn() -> bool) -> Duration {
    let began = Instant::now();
    while !done() {
        let log = || std::fs::read_to_string(folder.join("live.log")).unwrap_or_default();
        let stat = || {
            let said = run(folder, &["stat", "runs/1"]).stdout;
            String::from_utf8_lossy(&said).into_owned()
        };
        let late = began.elapsed() > Duration::from_secs(60);
        assert!(!late, "{what}; the log: {}; the counters: {}", log(), stat());
        std::thread::sleep(Duration::from_millis(2));
    }
    began.elapsed()
}

/// Starts a simulator and a kernel that trades on it, and returns them once an order works: the
/// first, which meets `faults` and never fills.
fn with_a_working_order(folder: &Path, faults: &str) -> (Server, Killed) {
    let server = simulator();
    write_files(folder, &server, 8);
    server.command(&format!("order {faults}")).unwrap();
    let live = start_live(folder);
    until("an order works", folder, || !live_orders(&server).is_empty());
    (server, live)
}

#[test]
fn nothing_works_after_the_kernel_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let (server, mut live) = with_a_working_order(dir.path(), "park");
    live.0.kill().unwrap();
    let after = until("all are cancelled", dir.path(), || live_orders(&server).is_empty());
    eprintln!("nothing works {after:?} after kill -9");
    live.0.wait().unwrap();
    until("it is told", dir.path(), || {
        let log = std::fs::read_to_string(dir.path().join("live.log")).unwrap();
        log.contains("the kernel died; nothing works any more")
    });
}

/// Returns the dead man's switch of a running kernel: its only child.
fn switch_of(live: &Killed) -> String {
    let threads = std::fs::read_dir(format!("/proc/{}/task", live.0.id())).unwrap();
    let of = |t: std::fs::DirEntry| std::fs::read_to_string(t.path().join("children")).ok();
    let children: String = threads.filter_map(|t| of(t.unwrap())).collect();
    let pids: Vec<&str> = children.split_ascii_whitespace().collect();
    assert_eq!(pids.len(), 1, "{children}");
    pids[0].to_string()
}

fn signal(name: &str, target: &str) {
    let sent = Command::new("kill").args(["-s", name, "--", target]).status().unwrap();
    assert!(sent.success(), "{name} to {target}");
}

/// Stops the kernel at a moment when orders work, so that whoever cancels one is not the kernel.
/// Returns how many had been cancelled by then.
fn stop_with_orders_working(live: &Killed, server: &Server, folder: &Path) -> usize {
    let pid = live.0.id().to_string();
    loop {
        until("an order works", folder, || !live_orders(server).is_empty());
        signal("STOP", &pid);
        // What it had already sent arrives.
        std::thread::sleep(Duration::from_millis(200));
        if !live_orders(server).is_empty() {
            return cancelled(server);
        }
        signal("CONT", &pid);
    }
}

fn cancelled(server: &Server) -> usize {
    let orders = server.with(|g| g.truth_orders());
    orders.iter().filter(|o| o.status == "Cancelled").count()
}

/// Whether a process runs: it is there and no zombie.
fn runs(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

#[test]
fn signals_do_not_end_the_switch_before_its_kernel() {
    let dir = tempfile::tempdir().unwrap();
    let (server, mut live) = with_a_working_order(dir.path(), "park");
    let switch = switch_of(&live);
    let before = stop_with_orders_working(&live, &server, dir.path());
    for name in ["INT", "TERM", "HUP", "INT", "TERM"] {
        signal(name, &switch);
        // Every one is delivered by itself.
        std::thread::sleep(Duration::from_millis(50));
    }
    // Longer than it would take to find out and to cancel.
    std::thread::sleep(Duration::from_millis(500));
    assert!(runs(&switch), "it stands by");
    assert_eq!(cancelled(&server), before, "and it has cancelled nothing");
    live.0.kill().unwrap();
    until("all are cancelled", dir.path(), || live_orders(&server).is_empty());
}

#[test]
fn a_signal_to_the_group_ends_the_run_well() {
    for name in ["INT", "TERM"] {
        let dir = tempfile::tempdir().unwrap();
        let (server, mut live) = with_a_working_order(dir.path(), "park");
        signal(name, &format!("-{}", live.0.id()));
        let code = live.0.wait().unwrap().code();
        let log = std::fs::read_to_string(dir.path().join("live.log")).unwrap();
        assert_eq!(code, Some(0), "{name}: {log}");
        assert!(live_orders(&server).is_empty(), "{name}: {log}");
        assert!(!log.contains("the kernel died"), "{name}: the switch was told goodbye: {log}");
    }
}

/// At five hundred times the wall clock's pace ten seconds of the data are twenty milliseconds;
/// the broker's last answers take as long as they take.
#[test]
fn a_fast_session_ends_well_though_the_broker_takes_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let server = simulator_with(SimConfig { order_delay_ms: 400, ..SimConfig::default() });
    write_files(dir.path(), &server, 8);
    server.command("order park").unwrap();
    let fast: Vec<&str> = LIVE.iter().map(|a| if *a == "10" { "500" } else { *a }).collect();
    let done = run(dir.path(), &[&fast[..], &["--json"]].concat());
    let log = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!log.contains("the kernel died"), "{log}");
    assert!(live_orders(&server).is_empty(), "{log}");
    assert!(!server.with(|g| g.truth_orders()).is_empty(), "nothing was sent: {log}");
    assert_eq!(done.status.code(), Some(0), "{log}");
}

/// A simulator with a stopped kernel's order that can be cancelled by nobody else.
fn with_a_stubborn_order(folder: &Path) -> Option<(Server, Killed, TruthOrder)> {
    let (server, live) = with_a_working_order(folder, "cancel=ignored park");
    signal("STOP", &live.0.id().to_string());
    // The first order met the fault; it does not rest where it was sent to fill at once or not
    // at all.
    let first = server.with(|g| g.truth_orders()).into_iter().min_by_key(|o| o.order_id)?;
    let stubborn = live_orders(&server).into_iter().find(|o| o.order_id == first.order_id)?;
    Some((server, live, stubborn))
}

#[test]
fn cancel_all_takes_over_from_a_dead_kernel() {
    let (dir, (server, mut live, stubborn)) = (0..5)
        .find_map(|_| {
            let dir = tempfile::tempdir().unwrap();
            with_a_stubborn_order(dir.path()).map(|found| (dir, found))
        })
        .expect("a first order that rests");
    live.0.kill().unwrap();
    live.0.wait().unwrap();
    let (number, client) = (stubborn.order_id, stubborn.client_id);
    std::thread::sleep(Duration::from_millis(500));
    server.command(&format!("cancel {number} {client}")).unwrap();
    let args = ["cancel-all", "--state", "runs/account", "--out", "runs/2", "--json"];
    let swept = run_json(dir.path(), &args);
    assert_eq!((&swept["confirmed"], &swept["working"]), (&true.into(), &0.into()), "{swept}");
    assert!(live_orders(&server).is_empty());
}

#[test]
fn a_gateway_that_is_not_there_or_not_ours_leaves_no_run() {
    let dir = tempfile::tempdir().unwrap();
    let server = simulator();
    write_files(dir.path(), &server, 2);
    let real: Vec<&str> =
        LIVE.iter().map(|a| if *a == "ibkr-paper" { "ibkr-live" } else { *a }).collect();
    let text = run_failing(dir.path(), &real, 2);
    assert!(text.contains("DU0000001") && text.contains("live_accounts"), "{text}");
    drop(server);
    let text = run_failing(dir.path(), &LIVE, 5);
    assert!(text.contains("gateway 127.0.0.1"), "{text}");
    assert!(!dir.path().join("runs/1").exists());
}
