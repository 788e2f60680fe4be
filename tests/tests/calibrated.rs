//! From market data to a profile, to a session on it, to what its fills teach.

use ijk_tests::{build, run_failing, run_json, with_wide_risk};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where the synthetic day begins, nanoseconds UTC.
const DAY_NS: u64 = 1_741_012_200_000_000_000;

fn calib(dir: &Path, args: &[&str]) -> Value {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let binary = BINARY.get_or_init(|| build("ijk-calib"));
    let output = Command::new(binary).current_dir(dir).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

fn write_parents(dir: &Path) {
    let mut rows = "ts,symbol,side,qty,horizon_s,urgency,schedule\n".to_string();
    for n in 0..40u64 {
        let side = ["buy", "sell"][(n % 2) as usize];
        let schedule = ["vwap", "almgren_chriss"][(n / 2 % 2) as usize];
        let ts = DAY_NS + (60 + n * 110) * 1_000_000_000;
        writeln!(rows, "{ts},SYN0,{side},{},90,normal,{schedule}", 200 + 10 * n).unwrap();
    }
    std::fs::write(dir.join("parents.csv"), rows).unwrap();
}

#[test]
fn a_profile_drives_a_session_and_learns_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write_parents(dir);
    calib(dir, &["volume", "--feed", "synth:4:390:1", "--out", "volume.toml", "--json"]);
    let simulate = ["impact", "--simulate", "synth:4:90:1", "--parents", "60"];
    let onto = ["--base", "volume.toml", "--out", "p.toml", "--json"];
    calib(dir, &[&simulate[..], &onto].concat());
    let profile = std::fs::read_to_string(dir.join("p.toml")).unwrap();
    assert!(profile.contains("volume_curve") && profile.contains("temporary_impact"));

    let live = ["live", "--feed", "synth:4:90:1", "--parents", "parents.csv", "--weights", "none"];
    let on = |name: &str, more: &[&str]| {
        run_json(dir, &[&live[..], &["--json", "--out", name], more].concat())
    };
    let (plain, calibrated) = (on("plain", &[]), on("on", &["--profile", "p.toml"]));
    assert_ne!(plain["decisions_sha256"], calibrated["decisions_sha256"], "the profile counts");
    let folder = calibrated["run"].as_str().unwrap();
    let replay = run_json(dir, &["replay", folder, "--json"]);
    assert_eq!(replay["identical"], true, "{replay}");

    let learn = ["learn", "--profile", "p.toml", "--run", folder, "--out", "q.toml", "--json"];
    let learned = calib(dir, &learn)["learned"].as_u64().unwrap();
    assert!(learned > 10, "{learned} updates");
    for name in ["q.learned.html", "q.learned.parquet"] {
        assert!(dir.join(name).metadata().unwrap().len() > 500, "{name}");
    }
    let count = learned.to_string();
    let undo = ["learn", "--profile", "q.toml", "--undo", &count, "--out", "r.toml", "--json"];
    assert_eq!(calib(dir, &undo)["undone"], learned);
    let impact = |name: &str| -> toml::Value {
        let text = std::fs::read_to_string(dir.join(name)).unwrap();
        text.parse::<toml::Table>().unwrap()["impact"].clone()
    };
    assert_ne!(impact("p.toml"), impact("q.toml"), "what was learned changes the model");
    assert_eq!(impact("p.toml"), impact("r.toml"), "and can be taken back exactly");
    // The learned profile is one to trade on.
    on("again", &["--profile", "q.toml"]);
}

#[test]
fn a_profile_of_long_ago_drives_no_account() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    calib(dir, &["volume", "--feed", "synth:4:390:1", "--out", "old.toml", "--json"]);
    let settings = with_wide_risk("[venue]\n[risk]\nallow_symbols = [\"SYN0\"]\n", "127.0.0.1:9");
    std::fs::write(dir.join("s.toml"), settings).unwrap();
    let live = ["live", "--feed", "synth:4:90:1", "--profile", "old.toml"];
    let account =
        [&live[..], &["--venue", "ibkr-paper", "--speed", "1", "--config", "s.toml"]].concat();
    let said = run_failing(dir, &account, 2);
    assert!(said.contains("old.toml") && said.contains("stale"), "{said}");
    let text = std::fs::read_to_string(dir.join("old.toml")).unwrap();
    std::fs::write(dir.join("old.toml"), text.replace("valid_days = 30", "valid_days = 9999"))
        .unwrap();
    let said = run_failing(dir, &live, 2);
    assert!(said.contains("changed after it was made"), "{said}");
}
