//! The command from outside: its exit codes, its JSON, its files.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn calib(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ijk-calib")).args(args).output().expect("the command starts")
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

fn refused(args: &[&str], code: i32, expected: &str) {
    let output = calib(args);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {message}");
    assert!(message.contains(expected), "{args:?}: {message}");
    assert!(output.stdout.is_empty());
}

const PREDICT: [&str; 11] = [
    "predict",
    "--qty",
    "656100",
    "--daily-volume",
    "6561000",
    "--shares-outstanding",
    "1.728e9",
    "--volatility-bps-per-day",
    "157",
    "--horizon-days",
    "0.1",
];

const SCHEDULE: [&str; 15] = [
    "schedule",
    "--qty",
    "1000000",
    "--price",
    "50",
    "--spread",
    "0.125",
    "--daily-volume",
    "5e6",
    "--volatility-bps-per-day",
    "190",
    "--horizon-days",
    "5",
    "--slices",
    "5",
];

fn with<'a>(base: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [base, more].concat()
}

#[test]
fn predict_prints_the_papers_example() {
    let text = String::from_utf8(calib(&PREDICT).stdout).unwrap();
    let figure = |name: &str| {
        let line = text.lines().find(|l| l.starts_with(name)).expect(name);
        line.split_whitespace().rev().nth(2).unwrap().to_string()
    };
    assert_eq!(figure("permanent impact I"), "19.86");
    assert_eq!(figure("temporary impact K"), "22.29");
    assert_eq!(figure("expected cost I/2 + K"), "32.22");
    let json = json(&calib(&with(&PREDICT, &["--json"])));
    // One published standard error of γ is 0.041/0.314 of the permanent impact.
    let permanent = &json["permanent_bps"];
    let ratio =
        permanent["standard_error"].as_f64().unwrap() / permanent["value"].as_f64().unwrap();
    assert!((ratio - 0.041 / 0.314).abs() < 1e-12);
    assert!((json["one_order_noise_bps"].as_f64().unwrap() - 28.664).abs() < 1e-3);
}

#[test]
fn schedule_prints_the_papers_example() {
    let json = json(&calib(&with(&SCHEDULE, &["--json"])));
    assert!((json["expected_cost_usd"].as_f64().unwrap() - 911_226.99).abs() < 0.01);
    let left: Vec<i64> =
        json["slices"].as_array().unwrap().iter().map(|s| s["left"].as_i64().unwrap()).collect();
    assert_eq!(left, [541_956, 289_854, 147_897, 62_142, 0]);
    let text = String::from_utf8(calib(&SCHEDULE).stdout).unwrap();
    assert!(text.contains("911226.99 ± 603430.67"), "{text}");
}

#[test]
fn wrong_usage_ends_with_two() {
    refused(&["predict", "--qty", "1"], 2, "--daily-volume");
    let mut negative = PREDICT.to_vec();
    negative[2] = "0";
    refused(&negative, 2, "qty is 0: expected a positive number");
    refused(&with(&SCHEDULE, &["--gamma", "1"]), 2, "use more slices");
    refused(&["volume", "--feed", "nonsense:x", "--out", "x.toml"], 2, "nonsense");
    refused(&["volume", "--feed", "synth", "--out", "x.parquet"], 2, "--out names the TOML");
    refused(&["impact"], 2, "unrecognized subcommand");
}

#[test]
fn bad_input_ends_with_three_and_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("p.toml");
    let out = out.to_str().unwrap();
    refused(&["volume", "--feed", "lobster:missing.zip", "--out", out], 3, "missing.zip");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left behind");
}

fn data() -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    std::env::var_os("IJK_DATA").map_or(default, PathBuf::from)
}

#[test]
fn the_volume_curve_of_a_real_day() {
    let file = data().join("lobster/LOBSTER_SampleFile_GOOG_2012-06-21_10.zip");
    if !file.exists() {
        eprintln!("skipped: {} is absent", file.display());
        return;
    }
    let feed = format!("lobster:{}", file.display());
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("goog.toml");
    let args = ["volume", "--feed", &feed, "--out", out.to_str().unwrap(), "--json"];
    let profile = json(&calib(&args));
    let shares: Vec<f64> = profile["bucket"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["share"].as_f64().unwrap())
        .collect();
    assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    // Sums of the sizes of message type 4 per half hour, taken from the message file with a
    // script of its own.
    let visible: [u32; 13] = [
        29_404, 29_012, 31_724, 42_983, 27_268, 26_553, 28_171, 19_993, 19_067, 22_509, 20_000,
        58_420, 137_405,
    ];
    let total: u32 = visible.iter().sum();
    assert_eq!(shares.len(), 13);
    for (share, volume) in shares.iter().zip(visible) {
        assert!((share - f64::from(volume) / f64::from(total)).abs() < 1e-12);
    }
    assert_eq!(profile["prints"], 7_765);
    assert_eq!(profile["identified"], false);
    assert!(profile["notes"].to_string().contains("not identified"));
    assert!(profile["bucket"][0].get("share_lower").is_none());

    let first = std::fs::read(&out).unwrap();
    refused(&args, 2, "use --force");
    json(&calib(&with(&args, &["--force"])));
    assert_eq!(std::fs::read(&out).unwrap(), first, "the same input gives the same file");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "profile and table");
}

#[test]
fn generated_sessions_of_one_day_are_one_day() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("p.toml");
    let out = out.to_str().unwrap();
    let feeds = ["volume", "--feed", "synth:1", "--feed", "synth:2", "--out", out, "--json"];
    let profile = json(&calib(&feeds));
    assert_eq!((&profile["days"], &profile["sessions"]), (&Value::from(1), &Value::from(2)));
    assert_eq!(profile["bucket"].as_array().unwrap().len(), 13);
    assert_eq!(profile["identified"], false);
}

#[test]
fn a_part_of_a_session_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("p.toml");
    let out = out.to_str().unwrap();
    let feeds = ["volume", "--feed", "synth:1:30", "--out", out];
    refused(&feeds, 1, "covered from 0 s to 1799 s after the open of a session of 23400 s");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left behind");
}
