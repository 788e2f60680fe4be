//! A person at the desk of a running kernel: hold, arm, lower limits, tell, and cancel what a
//! dead kernel left. Real processes against the broker process.

use ijk_tests::kill9::processes::{Binaries, Process, broker};
use ijk_tests::kill9::session::write_settings;
use ijk_tests::{ijk, run_failing, run_json};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A parent every 100 ms of data for ten minutes, from the feed's first minute on.
fn write_parents(folder: &Path) {
    const DAY_NS: u64 = 1_741_012_200_000_000_000;
    let mut text = "ts,symbol,side,qty,horizon_s,urgency\n".to_string();
    for n in 0..6_000u64 {
        let (symbol, side) = (n % 2, if n % 4 < 2 { "buy" } else { "sell" });
        let ts = DAY_NS + n * 100_000_000;
        text.push_str(&format!("{ts},SYN{symbol},{side},200,30,passive\n"));
    }
    std::fs::write(folder.join("parents.csv"), text).unwrap();
}

fn counter(folder: &Path, name: &str) -> u64 {
    let stat = run_json(folder, &["stat", "runs/1", "--json"]);
    stat["counters"][name].as_u64().unwrap()
}

fn until(folder: &Path, what: &str, done: impl Fn(&Path) -> bool) {
    let began = Instant::now();
    while !done(folder) {
        assert!(began.elapsed() < Duration::from_secs(40), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn start_kernel(folder: &Path) -> Process {
    let mut command = Command::new(ijk());
    command
        .args(["live", "--config", "settings.toml", "--feed", "synth:5:60:2"])
        .args(["--venue", "link:unix:s", "--weights", "none", "--parents", "parents.csv"])
        .args(["--speed", "5", "--json", "--hold", "--state", "account", "--out", "runs/1"])
        .current_dir(folder)
        .stdin(Stdio::null());
    Process::spawn(&mut command, &folder.join("kernel.log")).unwrap()
}

fn dump(folder: &Path) -> String {
    let args = ["journal", "dump", "runs/1", "--count", "10000000"];
    let out = Command::new(ijk()).args(args).current_dir(folder).output().unwrap();
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn what_the_desk_says_holds_and_is_on_record() {
    let dir = tempfile::tempdir().unwrap();
    let d = dir.path();
    std::fs::create_dir(d.join("runs")).unwrap();
    write_settings(d).unwrap();
    write_parents(d);
    let _broker = broker(&Binaries::build(), d, 7).unwrap();
    let mut kernel = start_kernel(d);
    until(d, "a run", |d| d.join("runs/1/counters.ijkc").exists());

    // Everything but the person's word allows trading, and nothing leaves.
    const OPERATOR: u64 = 1 << 6;
    until(d, "only the hold stands", |d| {
        counter(d, "blocks") == OPERATOR && counter(d, "refusals") > 20
    });
    assert_eq!(counter(d, "orders"), 0);
    assert_eq!(run_json(d, &["status", "runs/1", "--json"])["blocks"][0], "operator");
    let run = ["--run", "runs/1"];
    run_json(d, &["arm", "runs/1", "--json"]);
    until(d, "orders", |d| counter(d, "orders") > 5);

    std::fs::write(d.join("lower.toml"), "[risk]\nmax_order_qty = 3\n").unwrap();
    run_json(d, &[&["tighten", "lower.toml", "--json"][..], &run].concat());
    std::fs::write(d.join("higher.toml"), "[risk]\nmax_order_qty = 300\n").unwrap();
    run_json(d, &[&["tighten", "higher.toml", "--json"][..], &run].concat());
    let told = run_json(d, &[&["tell", "market-resumed", "--json"][..], &run].concat());
    assert_eq!(told["taken"], Value::Bool(true));
    run_json(d, &[&["tell", "short-sales", "SYN1", "restricted", "--json"][..], &run].concat());
    for (args, why) in [
        (&["tell", "short-sales", "NOPE", "free"][..], "in no feed"),
        (&["tighten", "nowhere.toml"], "cannot read"),
        (&["tighten", "bad.toml"], "unknown key 'risk.max_order'"),
    ] {
        std::fs::write(d.join("bad.toml"), "[risk]\nmax_order = 3\n").unwrap();
        let text = run_failing(d, &[args, &run].concat(), 2);
        assert!(text.contains(why), "{text}");
    }
    run_json(d, &["disarm", "runs/1", "--json"]);
    let orders = counter(d, "orders");
    run_json(d, &["arm", "runs/1", "--json"]);
    until(d, "orders again", |d| counter(d, "orders") > orders + 5);

    assert!(kernel.kill9().is_none(), "the kernel was alive");
    let text = run_failing(d, &["arm", "runs/1"], 2);
    assert!(text.contains("has ended"), "{text}");
    judge(&dump(d));
    let text = run_failing(d, &["arm", "runs/2"], 2);
    assert!(text.contains("not a run"), "{text}");

    let swept = run_json(d, &["cancel-all", "--state", "account", "--out", "runs/2", "--json"]);
    assert_eq!((&swept["confirmed"], &swept["working"]), (&Value::Bool(true), &0.into()));
    run_json(d, &["replay", "runs/2", "--json"]);
    // Nobody is there to confirm.
    drop(_broker);
    let args = ["cancel-all", "--state", "account", "--out", "runs/3"];
    let text = run_failing(d, &args, 5);
    assert!(text.contains("did not confirm"), "{text}");
    let text = run_failing(d, &["cancel-all", "--state", "empty", "--out", "runs/4"], 2);
    assert!(text.contains("nothing of ours works"), "{text}");
}

/// No order passes the lower limit, none leaves while trading is held back.
fn judge(dump: &str) {
    let (mut lowered, mut held, mut clock, mut orders) = (false, false, false, 0);
    for line in dump.lines() {
        if line.contains(" Limits ") {
            lowered = true;
        } else if line.contains(" Condition ") {
            clock |= line.contains("ClockOffset");
        } else if line.contains("Block operator") {
            held = true;
        } else if line.contains("Unblock operator") {
            held = false;
        } else if line.contains(" Order ") {
            orders += 1;
            assert!(!held && clock, "{line}");
            let qty = line.split("qty: Qty(").nth(1).and_then(|t| t.split(')').next());
            let qty: i64 = qty.expect("an order has a quantity").parse().unwrap();
            assert!(!lowered || qty <= 3, "{line}");
        }
    }
    assert!(lowered && orders > 10, "{orders} orders, lowered {lowered}");
}
