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
    refused(&["impact"], 2, "--out");
    refused(&["impact", "--out", "x.toml"], 2, "at least one --run RUN or --simulate SPEC");
    refused(&["predict", "--order", "SYN0,buy,1,1,urgent"], 2, "--profile");
    refused(&["nonsense"], 2, "unrecognized subcommand");
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

    let parts = profile["event_part"].as_array().unwrap();
    let of_events: f64 = parts.iter().map(|p| p["share"].as_f64().unwrap()).sum();
    assert!(parts.len() == 20 && (of_events - 1.0).abs() < 1e-12);
    assert!(parts.windows(2).all(|p| p[0]["ended_s"].as_f64() <= p[1]["ended_s"].as_f64()));

    // What differs between two runs of one input is when they were made.
    let stable = || {
        let text = std::fs::read_to_string(&out).unwrap();
        let dated = |l: &&str| l.starts_with("created = ") || l.starts_with("sha256 = ");
        text.lines().filter(|l| !dated(l)).map(str::to_string).collect::<Vec<_>>()
    };
    let first = stable();
    assert!(first.iter().any(|l| l.starts_with("volume_curve = [")), "what ijk live loads");
    refused(&args, 2, "use --force");
    json(&calib(&with(&args, &["--force"])));
    assert_eq!(stable(), first, "the same input gives the same file");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3, "profile, table, page");
    let html = std::fs::read_to_string(out.with_extension("html")).unwrap();
    assert!(html.matches("<svg").count() == 2 && html.contains("By events"));
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

/// Calibrates a synthetic session in `dir`; returns the profile's path.
fn calibrated(dir: &Path) -> String {
    let out = dir.join("p.toml").to_str().unwrap().to_string();
    let args = ["impact", "--simulate", "synth:4:90:1", "--parents", "60", "--out", &out];
    let found = json(&calib(&with(&args, &["--json"])));
    let section = &found["impact"][0];
    assert_eq!((&section["symbol"], &section["simulated"]), (&"SYN0".into(), &true.into()));
    assert_eq!(section["fit"]["gamma"]["identified"], false);
    assert!(section["fit"]["gamma"]["reason"].as_str().unwrap().contains("does not react"));
    assert!(section["model"].as_array().unwrap().len() >= 5, "models are compared");
    out
}

#[test]
fn impact_is_calibrated_predicted_from_and_refused_outside() {
    let dir = tempfile::tempdir().unwrap();
    let profile = calibrated(dir.path());
    for extension in ["toml", "parquet", "html"] {
        assert!(dir.path().join("p").with_extension(extension).exists());
    }
    let html = std::fs::read_to_string(dir.path().join("p.html")).unwrap();
    assert!(html.contains("<svg") && html.contains("SYN0") && !html.contains("src="));
    let text = std::fs::read_to_string(&profile).unwrap();
    let pick = |table: &str, key: &str| -> (f64, f64) {
        let table = text.split(&format!("[{table}]")).nth(1).unwrap();
        let line = table.lines().find(|l| l.starts_with(key)).unwrap();
        let numbers: Vec<f64> = line
            .split(|c: char| !(c.is_ascii_digit() || ".e-".contains(c)))
            .filter_map(|t| t.parse().ok())
            .collect();
        (numbers[0], numbers[numbers.len() - 1])
    };
    let volume = pick("impact.basis", "daily_volume").0;
    let horizon = pick("impact.range", "horizon_s");
    let size = pick("impact.range", "size");
    let (qty, seconds) = (volume * (size.0 * size.1).sqrt(), (horizon.0 * horizon.1).sqrt());
    let order = |qty: f64| format!("SYN0,buy,{},{seconds:.1},urgent", qty.round());
    let inside = order(qty);
    let args = ["predict", "--order", &inside, "--profile", &profile];
    let found = json(&calib(&with(&args, &["--json"])));
    let p = &found["prediction"];
    let number = |k: &str| p[k].as_f64().unwrap();
    assert!(number("lower_bps") < number("total_bps") && number("total_bps") < number("upper_bps"));
    let traded: f64 =
        found["schedule"].as_array().unwrap().iter().map(|c| c["qty"].as_f64().unwrap()).sum();
    assert_eq!(traded, qty.round());
    let outside = order(1e3 * qty);
    refused(&["predict", "--order", &outside, "--profile", &profile], 1, "outside the calibrated");
    let other = "ABC,buy,1,60,urgent";
    refused(&["predict", "--order", other, "--profile", &profile], 1, "no impact of ABC");
    let bad = "SYN0,long,1,60,urgent";
    refused(&["predict", "--order", bad, "--profile", &profile], 2, "the side is buy or sell");
    std::fs::write(&profile, text.replace("valid_days = 30", "valid_days = 99")).unwrap();
    refused(
        &["predict", "--order", &inside, "--profile", &profile],
        2,
        "changed after it was made",
    );
}

/// Fills of several symbols make the prior; a symbol with too few of its own is taken to be it.
#[test]
fn symbols_pool_what_their_fills_tell() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_string();
    let (pool, thin) = (at("pool.toml"), at("thin.toml"));
    let args = ["impact", "--simulate", "synth:4:60:4", "--parents", "40", "--out", &pool];
    let found = json(&calib(&with(&args, &["--urgency", "urgent", "--json"])));
    let sections = found["impact"].as_array().unwrap();
    assert_eq!(sections.len(), 4);
    // The part of the half spread that urgent orders pay, third of the parameters.
    let origin = found["prior"]["origin"][2].as_str().unwrap();
    assert!(origin == "pooled over 4 symbols" || origin == "pooled over 3 symbols", "{origin}");
    let number = |v: &Value| v.as_f64().unwrap();
    let prior = number(&found["prior"]["mean"][2]);
    let own: Vec<f64> =
        sections.iter().map(|s| number(&s["fit"]["spread_parts"][2]["value"])).collect();
    let (low, high) =
        (own.iter().copied().fold(f64::MAX, f64::min), own.iter().copied().fold(0.0, f64::max));
    assert!(low <= prior && prior <= high, "{own:?} {prior}");
    for s in sections {
        let weight = number(&s["posterior"]["own_weight"][2]);
        assert!((0.0..=1.0).contains(&weight), "{weight}");
    }
    let args = ["impact", "--simulate", "synth:9:30:1", "--parents", "10", "--out", &thin];
    let args = with(&args, &["--urgency", "urgent", "--base", &pool, "--keep-prior", "--json"]);
    let found = json(&calib(&args));
    let of = found["impact"].as_array().unwrap().iter();
    let alone = of.filter(|s| s["fit"].is_null()).collect::<Vec<_>>();
    assert_eq!(alone.len(), 1);
    assert_eq!(number(&alone[0]["posterior"]["mean"][2]), prior);
    assert!(alone[0]["notes"].to_string().contains("the prior stands for it"));
}

#[test]
fn predictions_are_tested_on_orders_not_seen() {
    let args = ["accuracy", "--simulate", "synth:4:90:1", "--parents", "40", "--urgency", "urgent"];
    let args = with(&args, &["--bar-bps", "1000", "--json"]);
    let found = json(&calib(&args));
    let row = &found["results"][0];
    assert_eq!((&row["method"], &found["met"]), (&"almgren_chriss, urgent".into(), &true.into()));
    let number = |k: &str| row[k].as_f64().unwrap();
    let bias = row["bias_bps"]["value"].as_f64().unwrap();
    assert!((number("realised_bps") - number("predicted_bps") - bias).abs() < 1e-9);
    assert!(row["bias_bps"]["standard_error"].as_f64().unwrap() > 0.0);
}

#[test]
fn fills_are_missing_from_what_is_no_run() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("p.toml");
    let run = dir.path().to_str().unwrap();
    refused(&["impact", "--run", run, "--out", out.to_str().unwrap()], 78, "no segment file");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn studies_write_a_page_and_a_table_where_asked() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_string();
    let returns: String =
        (0..600).map(|i: i32| format!("{}\n", 1e-3 * f64::from(i * 37 % 21 - 9))).collect();
    std::fs::write(dir.path().join("r.csv"), format!("ret\n{returns}")).unwrap();
    let (csv, sizes, costs) = (at("r.csv"), at("sizes.html"), at("costs.html"));
    let study = ["sizing-study", "--returns", &csv, "--paths", "100", "--out", &sizes];
    let accuracy = ["accuracy", "--simulate", "synth:4:90:1", "--parents", "40"];
    let accuracy = with(&accuracy, &["--bar-bps", "1000", "--out", &costs]);
    for (args, out) in [(&study[..], &sizes), (&accuracy[..], &costs)] {
        let out = Path::new(out);
        let said = calib(&with(args, &["--json"]));
        json(&said);
        let html = std::fs::read_to_string(out).unwrap();
        assert!(html.contains("<svg") && html.contains("<pre>") && !html.contains("src="));
        let table = std::fs::read(out.with_extension("parquet")).unwrap();
        assert!(table.starts_with(b"PAR1") && table.ends_with(b"PAR1"));
        refused(args, 2, "exists; use --force to replace it");
    }
    let wrong = at("sizes.toml");
    refused(&with(&study[..5], &["--out", &wrong]), 2, "--out names the HTML page");
    refused(&with(&study[..5], &["--force"]), 2, "--out");
}
