//! The kernel as a service: what the service manager is told, what feeds its watchdog, how a
//! restart begins, what is never shown, and the unit and its installer.

#[path = "service/install.rs"]
mod install;
#[path = "service/journal.rs"]
mod journal;
#[path = "service/manager.rs"]
mod manager;

use ijk_tests::kill9::processes::{Binaries, Process, broker};
use ijk_tests::kill9::session::write_settings;
use ijk_tests::{ijk, run_json};
use manager::{Manager, StoppedThread};
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the watchdog wants, microseconds.
const WATCHDOG_US: &str = "800000";
/// Bit of the block that a person sets and clears.
const OPERATOR: u64 = 1 << 6;

/// A parent every 100 ms of data for an hour.
fn write_parents(folder: &Path) {
    const DAY_NS: u64 = 1_741_012_200_000_000_000;
    let mut text = "ts,symbol,side,qty,horizon_s,urgency\n".to_string();
    for n in 0..36_000u64 {
        let (symbol, side) = (n % 2, if n % 4 < 2 { "buy" } else { "sell" });
        let ts = DAY_NS + n * 100_000_000;
        text.push_str(&format!("{ts},SYN{symbol},{side},200,30,passive\n"));
    }
    std::fs::write(folder.join("parents.csv"), text).unwrap();
}

fn start(folder: &Path, manager: &Manager, out: &str) -> std::process::Child {
    let log = std::fs::File::create(folder.join(format!("{}.log", out.replace('/', "-")))).unwrap();
    Command::new(ijk())
        .args(["live", "--config", "settings.toml", "--feed", "synth:5:60:2", "--speed", "5"])
        .args(["--venue", "link:unix:s", "--weights", "none", "--parents", "parents.csv"])
        .args(["--json", "--state", "account", "--out", out])
        .env("NOTIFY_SOCKET", manager.path())
        .env("WATCHDOG_USEC", WATCHDOG_US)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn counter(folder: &Path, run: &str, name: &str) -> u64 {
    let stat = run_json(folder, &["stat", run, "--json"]);
    stat["counters"][name].as_u64().unwrap()
}

fn until(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The run has its parents, refuses them, and sends nothing: it is held and nothing else.
fn is_held(folder: &Path, run: &str) {
    until("only the hold stands", || {
        counter(folder, run, "blocks") == OPERATOR && counter(folder, run, "refusals") > 20
    });
    assert_eq!(counter(folder, run, "orders"), 0, "a service starts held");
}

fn prepared() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("runs")).unwrap();
    write_settings(dir.path()).unwrap();
    write_parents(dir.path());
    dir
}

#[test]
fn ready_is_reconciled_a_stuck_thread_starves_the_watchdog_and_a_restart_is_held() {
    let dir = prepared();
    let d = dir.path();
    let _broker: Process = broker(&Binaries::build(), d, 7).unwrap();
    let manager = Manager::listen(&d.join("notify"));
    let mut first = start(d, &manager, "runs/1");
    manager.wait("READY=1", PATIENCE);
    let reconcile = counter(d, "runs/1", "blocks") & 3;
    assert_eq!(reconcile, 0, "ready only once recovered and reconciled");
    is_held(d, "runs/1");
    manager.wait("STATUS=blocked by operator; ", PATIENCE);
    for name in ["ijk-kernel", "ijk-journal", "ijk-link-tx"] {
        // A busy machine may have had a slow thread before.
        manager.forget();
        let Some(stopped) = StoppedThread::stop(first.id(), name) else { break };
        manager.wait("stands still", PATIENCE);
        std::thread::sleep(Duration::from_millis(800));
        let fed = manager.count("WATCHDOG=1");
        std::thread::sleep(Duration::from_millis(1_600));
        assert_eq!(manager.count("WATCHDOG=1"), fed, "{name} is stuck for two periods");
        drop(stopped);
        until("food again", || manager.count("WATCHDOG=1") > fed);
    }
    // What the service manager does next: it ends the process and starts it again.
    run_json(d, &["arm", "runs/1", "--json"]);
    until("orders", || counter(d, "runs/1", "orders") > 3);
    first.kill().unwrap();
    first.wait().unwrap();
    run_json(d, &["cancel-all", "--state", "account", "--if-any", "--json", "--out", "runs/c"]);
    manager.forget();
    let mut second = start(d, &manager, "runs/2");
    manager.wait("READY=1", PATIENCE);
    is_held(d, "runs/2");
    // SIGTERM: the end is announced, and it is a good one.
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(second.id() as i32),
        nix::sys::signal::Signal::SIGTERM,
    )
    .unwrap();
    manager.wait("STOPPING=1", PATIENCE);
    assert!(second.wait().unwrap().success());
}

#[test]
fn a_failed_start_says_why_and_an_unsafe_one_is_not_tried_again() {
    let dir = prepared();
    let d = dir.path();
    let manager = Manager::listen(&d.join("notify"));
    std::fs::write(d.join("runs/kill.latch"), b"by hand").unwrap();
    let status = start(d, &manager, "runs/1").wait().unwrap();
    assert_eq!(status.code(), Some(78), "the unit never restarts after this code");
    manager.wait("STATUS=runs/kill.latch exists", PATIENCE);
    assert_eq!(manager.count("READY=1"), 0);
}

#[test]
fn credentials_reach_the_venue_and_nobody_else() {
    const CANARY: &str = "CANARY-77-DU4321";
    let dir = prepared();
    let d = dir.path();
    let handed = tempfile::tempdir().unwrap();
    let socket = d.join("gw");
    std::fs::write(handed.path().join("account"), format!("{CANARY}\n")).unwrap();
    let gateway = format!("address = \"unix:{}\"\nclient_id = 5\n", socket.display());
    std::fs::write(handed.path().join("gateway"), gateway).unwrap();
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let log = std::fs::File::create(d.join("log")).unwrap();
    let mut child = Command::new(ijk())
        .args(["live", "--config", "settings.toml", "--feed", "synth:5:60:2", "--speed", "5"])
        .args(["--venue", "link", "--weights", "none", "--parents", "parents.csv", "--json"])
        .args(["--out", "runs/1"])
        .env("CREDENTIALS_DIRECTORY", handed.path())
        .current_dir(d)
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    // Length, type, protocol, client number, boot epoch, account: docs/link.md.
    let mut hello = [0; 40];
    stream.read_exact(&mut hello).unwrap();
    assert_eq!(hello[12..16], 5u32.to_le_bytes());
    assert_eq!(&hello[24..40], CANARY.as_bytes());
    drop(stream);
    // Its words about the broken link, its journal, its counters: none may hold the account.
    std::thread::sleep(Duration::from_millis(500));
    child.kill().unwrap();
    child.wait().unwrap();
    let doctor = Command::new(ijk())
        .args(["doctor", "--json", "--time-server", "127.0.0.1:9"])
        .env("CREDENTIALS_DIRECTORY", handed.path())
        .current_dir(d)
        .output()
        .unwrap();
    std::fs::write(d.join("doctor"), [doctor.stdout, doctor.stderr].concat()).unwrap();
    let mut seen = 0;
    walk(d, &mut |path, bytes| {
        seen += 1;
        let found = bytes.windows(CANARY.len()).any(|w| w == CANARY.as_bytes());
        assert!(!found, "{} shows the account", path.display());
    });
    assert!(seen > 5, "only {seen} files were looked at");
}

fn walk(folder: &Path, look: &mut dyn FnMut(&Path, &[u8])) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            walk(&path, look);
        } else if kind.is_file() {
            look(&path, &std::fs::read(&path).unwrap());
        }
    }
}
