//! The main job, end to end: a synthetic session and a real day, twice, replayed, reported.

use ijk_tests::{GOOG_PARENTS, data, run, run_failing, run_json};
use serde_json::Value;
use std::path::Path;

/// The parents' own accounts and the counts of the summary must agree.
fn accounts_agree(summary: &Value, parents: u64) {
    let p = &summary["parents"];
    assert_eq!(p["total"], parents, "{p}");
    let sum = ["done", "abandoned", "refused"].iter().map(|k| p[k].as_u64().unwrap()).sum::<u64>();
    assert_eq!(sum, parents, "no parent may be left active: {p}");
}

fn replay_is_identical(dir: &Path, summary: &Value) {
    let run = summary["run"].as_str().unwrap();
    let replay = run_json(dir, &["replay", run, "--json"]);
    assert_eq!(replay["identical"], true, "{replay}");
    assert_eq!(replay["complete"], true);
    assert_eq!(replay["decisions_sha256"], summary["decisions_sha256"]);
    assert_eq!(replay["journal_sha256"], summary["journal_sha256"]);
}

fn artifacts_are_there(dir: &Path, summary: &Value) {
    let run = dir.join(summary["run"].as_str().unwrap());
    for name in [
        "manifest.json",
        "summary.json",
        "journal/000000.ijkj",
        "decisions.parquet",
        "orders.parquet",
        "fills.parquet",
        "equity.parquet",
        "parents.parquet",
        "latency.parquet",
        "report.html",
    ] {
        let path = run.join(name);
        assert!(path.metadata().is_ok_and(|m| m.len() > 0), "{} is missing", path.display());
    }
    let page = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.matches("<svg").count() >= 4, "price, position, profit and latency are drawn");
    for loader in ["src=", "<script", "<link", "@import", "url("] {
        assert!(!page.contains(loader), "the page loads nothing: {loader}");
    }
}

#[test]
fn a_synthetic_session_trades_and_comes_out_the_same_twice() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["live", "--feed", "synth:11:60", "--seed", "5", "--json", "--out"];
    let first = run_json(dir.path(), &[&args[..], &["a"]].concat());
    let second = run_json(dir.path(), &[&args[..], &["b"]].concat());
    assert!(first["fills"].as_u64() > Some(0), "the default session trades: {first}");
    assert!(first["events"].as_u64() > Some(5_000));
    for key in ["decisions_sha256", "journal_sha256", "pnl_usd", "fills", "orders"] {
        assert_eq!(first[key], second[key], "{key}");
    }
    assert_eq!(first["allocs_after_warmup"], 0, "the hot path must not allocate");
    let parents = first["parents"]["total"].as_u64().unwrap();
    accounts_agree(&first, parents);
    replay_is_identical(dir.path(), &first);
    artifacts_are_there(dir.path(), &first);
    let other = run_json(
        dir.path(),
        &["live", "--feed", "synth:12:60", "--seed", "5", "--json", "--out", "c"],
    );
    assert_ne!(first["decisions_sha256"], other["decisions_sha256"]);
    // The report's own ledger and the risk gate's agree to the cent's hundredth.
    let gate = first["pnl_usd"].as_f64().unwrap();
    let ledger = first["performance"]["pnl_usd"].as_f64().unwrap();
    assert!((gate - ledger).abs() < 1e-3, "gate {gate}, ledger {ledger}");
}

#[test]
fn neither_pace_nor_rings_nor_waiting_change_a_decision() {
    let dir = tempfile::tempdir().unwrap();
    let settings = "[runtime]\nwait = \"yield\"\nfeed_ring_slots = 2\n";
    std::fs::write(dir.path().join("f.toml"), settings).unwrap();
    let args = ["live", "--feed", "synth:21:20", "--json", "--out"];
    let fast = run_json(dir.path(), &[&args[..], &["a"]].concat());
    let tight = run_json(dir.path(), &[&args[..], &["b", "--config", "f.toml"]].concat());
    let paced = run_json(dir.path(), &[&args[..], &["c", "--speed", "1200"]].concat());
    assert_eq!(fast["decisions_sha256"], tight["decisions_sha256"]);
    assert_eq!(fast["journal_sha256"], paced["journal_sha256"]);
    assert!(tight["feed_stalls"].as_u64() > Some(0), "a ring of two must have been full");
    let stat = run_json(dir.path(), &["stat", "b", "--json"]);
    assert_eq!(stat["counters"]["feed_stalls"], tight["feed_stalls"], "the counters say the same");
    let short = run_json(dir.path(), &["live", "--feed", "synth:2:1", "--json", "--out", "d"]);
    assert!(short["allocs_after_warmup"].is_null(), "unmeasured is not zero");
}

/// The packing is on record: a replay takes the one of the run.
#[test]
fn a_session_in_eight_bits_decides_otherwise_and_replays() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("i8.toml"), "[infer]\npacking = \"int8\"\n").unwrap();
    let args = ["live", "--feed", "synth:11:30", "--json", "--out"];
    let exact = run_json(dir.path(), &[&args[..], &["a"]].concat());
    let int8 = run_json(dir.path(), &[&args[..], &["b", "--config", "i8.toml"]].concat());
    assert_ne!(exact["decisions_sha256"], int8["decisions_sha256"]);
    replay_is_identical(dir.path(), &exact);
    replay_is_identical(dir.path(), &int8);
    std::fs::write(dir.path().join("bad.toml"), "[infer]\npacking = \"int4\"\n").unwrap();
    let text = run_failing(dir.path(), &[&args[..], &["c", "--config", "bad.toml"]].concat(), 2);
    assert!(text.contains("packing") && text.contains("int8"), "{text}");
}

#[test]
fn sixty_four_instruments_run_in_one_kernel() {
    let dir = tempfile::tempdir().unwrap();
    let summary = run_json(dir.path(), &["live", "--feed", "synth:1:1:64", "--json", "--out", "r"]);
    assert_eq!(summary["allocs_after_warmup"], 0);
    replay_is_identical(dir.path(), &summary);
    run_failing(dir.path(), &["live", "--feed", "synth:1:1:65", "--json", "--out", "s"], 3);
}

#[test]
fn a_changed_byte_of_the_journal_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let summary = run_json(dir.path(), &["live", "--feed", "synth:3:5", "--json", "--out", "r"]);
    let path = dir.path().join("r/journal/000000.ijkj");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let text = run_failing(dir.path(), &["replay", summary["run"].as_str().unwrap()], 78);
    assert!(text.contains("offset") || text.contains("byte"), "{text}");
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes[..bytes.len() - 40]).unwrap();
    run_failing(dir.path(), &["replay", "r"], 78);
}

#[test]
fn several_feeds_merge_into_one_kernel() {
    let dir = tempfile::tempdir().unwrap();
    let summary = run_json(dir.path(), &["live", "--feed", "synth:4:10:3", "--json", "--out", "r"]);
    assert!(summary["events"].as_u64() > Some(3_000));
    replay_is_identical(dir.path(), &summary);
    let header = std::fs::read_to_string(dir.path().join("r/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&header).unwrap();
    assert_eq!(manifest["instruments"].as_array().map(Vec::len), Some(3));
}

#[test]
fn goog_executes_every_parent_and_stays_small() {
    let Some(zip) = data("lobster/LOBSTER_SampleFile_GOOG_2012-06-21_10.zip") else { return };
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("parents.csv"), GOOG_PARENTS).unwrap();
    let feed = format!("lobster:{}", zip.display());
    let args = ["live", "--feed", &feed, "--parents", "parents.csv", "--json", "--out"];
    let first = run_json(dir.path(), &[&args[..], &["a"]].concat());
    assert_eq!(first["events"], 147_916);
    assert!(first["fills"].as_u64() > Some(10));
    assert!(first["peak_rss_bytes"].as_u64() < Some(200 << 20), "{}", first["peak_rss_bytes"]);
    assert_eq!(first["allocs_after_warmup"], 0);
    replay_is_identical(dir.path(), &first);
    artifacts_are_there(dir.path(), &first);
    let second = run_json(dir.path(), &[&args[..], &["b"]].concat());
    assert_eq!(first["decisions_sha256"], second["decisions_sha256"]);
    assert_eq!(first["journal_sha256"], second["journal_sha256"]);
    // Execution alone, without a forecast: exactly the file's parents, each accounted for.
    let alone = run_json(dir.path(), &[&args[..], &["c", "--weights", "none"]].concat());
    accounts_agree(&alone, 8);
    assert_eq!(alone["decisions"], 0);
    assert!(alone["parents"]["done"].as_u64() >= Some(5), "{}", alone["parents"]);
}

#[test]
fn bad_usage_and_bad_input_have_their_codes() {
    let dir = tempfile::tempdir().unwrap();
    let d = dir.path();
    assert!(run_failing(d, &["live", "--feed", "lobstr:x"], 2).contains("lobster:FILE.zip"));
    assert!(run_failing(d, &["live", "--feed", "dbn:missing.dbn"], 3).contains("missing.dbn"));
    run_failing(d, &["live", "--speed", "0"], 2);
    run_failing(d, &["live", "--weights", "none"], 2);
    run_failing(d, &["live", "--venue", "nowhere"], 2);
    let text = run_failing(d, &["live", "--venue", "ibkr-paper"], 2);
    assert!(text.contains("start_equity_usd"), "{text}");
    std::fs::write(d.join("w.safetensors"), b"nonsense").unwrap();
    assert!(run_failing(d, &["live", "--weights", "w.safetensors"], 3).contains("w.safetensors"));
    std::fs::write(d.join("f.toml"), "[sizing]\nkely_multiplier = 0.1\n").unwrap();
    let text = run_failing(d, &["live", "--config", "f.toml"], 2);
    assert!(text.contains("f.toml:2") && text.contains("kelly_multiplier"), "{text}");
    std::fs::write(
        d.join("p.csv"),
        "ts,symbol,side,qty,horizon_s,urgency\n1,SYN0,buy,x,1,urgent\n",
    )
    .unwrap();
    let text = run_failing(d, &["live", "--feed", "synth:1:1", "--parents", "p.csv"], 3);
    assert!(text.contains("p.csv:2: field 'qty'"), "{text}");
    run_failing(d, &["replay", "nothing"], 2);
    assert!(!d.join("runs").exists(), "a command that fails before it starts leaves no run");
}

#[test]
fn a_run_is_never_replaced_without_force_and_force_replaces_runs_only() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["live", "--feed", "synth:1:2", "--json", "--out", "r"];
    run_json(dir.path(), &args);
    run_failing(dir.path(), &args, 2);
    run_json(dir.path(), &[&args[..], &["--force"]].concat());
    std::fs::create_dir(dir.path().join("mine")).unwrap();
    std::fs::write(dir.path().join("mine/thesis.txt"), b"x").unwrap();
    let mine = ["live", "--feed", "synth:1:2", "--out", "mine", "--force"];
    run_failing(dir.path(), &mine, 2);
    assert!(dir.path().join("mine/thesis.txt").exists());
}

#[test]
fn a_kill_latches_until_it_is_cleared() {
    let dir = tempfile::tempdir().unwrap();
    let d = dir.path();
    run_json(d, &["kill", "--json"]);
    assert!(run_failing(d, &["live", "--feed", "synth:1:1"], 78).contains("kill.latch"));
    run_json(d, &["kill", "--clear", "--json"]);
    run_json(d, &["live", "--feed", "synth:1:1", "--json"]);
    let status = run_json(d, &["status", "--json"]);
    assert_eq!(status["phase"], "finished");
}

#[test]
fn a_running_kernel_obeys_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let child = std::process::Command::new(ijk_tests::ijk())
        .args(["live", "--feed", "synth:1:60", "--speed", "60", "--json", "--out", "runs/k"])
        .current_dir(dir.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let counters = dir.path().join("runs/k/counters.ijkc");
    let wait = |ready: &dyn Fn() -> bool| {
        for _ in 0..1_000 {
            if ready() {
                return true;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        false
    };
    assert!(wait(&|| counters.exists()));
    let rows = || {
        let stat = run(dir.path(), &["stat", "runs/k", "--json"]);
        let stat: Value = serde_json::from_slice(&stat.stdout).unwrap_or_default();
        stat["counters"]["rows"].as_u64().unwrap_or(0)
    };
    assert!(wait(&|| rows() > 0), "the kernel runs");
    run_json(dir.path(), &["kill", "runs/k", "--json"]);
    let killed = || {
        let status = run_json(dir.path(), &["status", "runs/k", "--json"]);
        status["trading"] == "killed"
    };
    assert!(wait(&killed), "the kernel sees the request in its own time");
    // SIGTERM ends the run in order: the books are closed, the exit code says halted.
    signal(&child, "TERM");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    let replay = run_json(dir.path(), &["replay", "runs/k", "--json"]);
    assert_eq!(replay["complete"], true);
    let dump = run(dir.path(), &["journal", "dump", "runs/k"]);
    let dump = String::from_utf8_lossy(&dump.stdout).into_owned();
    let (_, after) = dump.split_once(" Kill\n").expect("the kill is on record");
    let orders = after.lines().filter(|l| l.split_whitespace().nth(2) == Some("Order"));
    assert_eq!(orders.count(), 0, "an order left after the kill");
    let output = run(dir.path(), &["live", "--events", "100"]);
    assert_eq!(output.status.code(), Some(78), "the latch survives the run");
}

#[test]
fn sigterm_closes_the_books() {
    let dir = tempfile::tempdir().unwrap();
    let child = std::process::Command::new(ijk_tests::ijk())
        .args(["live", "--feed", "synth:1:60", "--speed", "60", "--json", "--out", "runs/t"])
        .current_dir(dir.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let stat = || {
        let stat = run(dir.path(), &["stat", "runs/t", "--json"]);
        let stat: Value = serde_json::from_slice(&stat.stdout).unwrap_or_default();
        stat["counters"]["rows"].as_u64().unwrap_or(0)
    };
    let began = std::time::Instant::now();
    while stat() == 0 {
        assert!(began.elapsed().as_secs() < 60, "the kernel runs");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    signal(&child, "TERM");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(summary["events"].as_u64().unwrap() > 0);
    let replay = run_json(dir.path(), &["replay", "runs/t", "--json"]);
    assert_eq!(replay["complete"], true);
}

/// Sends a signal by name.
fn signal(child: &std::process::Child, name: &str) {
    let kill = std::process::Command::new("kill")
        .args([format!("-{name}"), child.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
}
