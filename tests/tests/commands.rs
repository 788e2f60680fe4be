//! The other commands, on generated and real data, with good and bad input.

use ijk_tests::{data, run, run_failing, run_json};
use serde_json::Value;

#[test]
fn a_session_survives_the_tick_store() {
    let dir = tempfile::tempdir().unwrap();
    let d = dir.path();
    let made =
        run_json(d, &["synth", "--seed", "9", "--minutes", "20", "--out", "s.parquet", "--json"]);
    assert!(made["events"].as_u64() > Some(1_000));
    run_failing(d, &["synth", "--seed", "9", "--minutes", "20", "--out", "s.parquet"], 2);
    let direct = run_json(d, &["live", "--feed", "synth:9:20", "--json", "--out", "a"]);
    let stored = run_json(d, &["live", "--feed", "ticks:s.parquet", "--json", "--out", "b"]);
    assert_eq!(direct["decisions_sha256"], stored["decisions_sha256"], "the same events");
    assert_eq!(direct["events"], made["events"]);
}

#[test]
fn book_features_and_forecast_write_their_tables() {
    let dir = tempfile::tempdir().unwrap();
    let d = dir.path();
    let book = run_json(d, &["book", "synth:2:5", "--levels", "5", "--out", "b.parquet", "--json"]);
    let rows = book["events"].as_u64().unwrap();
    let features = run_json(d, &["features", "synth:2:5", "--out", "f.parquet", "--json"]);
    assert_eq!(features["tokens"].as_u64(), Some(rows / 10), "a token every ten events");
    let stride =
        run_json(d, &["features", "synth:2:5", "--stride", "7", "--out", "g.parquet", "--json"]);
    assert_eq!(stride["tokens"].as_u64(), Some(rows / 7));
    let forecast = run_json(d, &["forecast", "synth:2:5", "--out", "p.parquet", "--json"]);
    assert_eq!(forecast["tokens"], features["tokens"]);
    // Without CUDA or without a device: the processor, or a refusal that says so.
    let auto = ["forecast", "synth:2:5", "--device", "auto", "--out", "q.parquet", "--json"];
    let auto = run_json(d, &auto);
    if auto["device"] == "cpu" {
        assert_eq!(
            std::fs::read(d.join("p.parquet")).unwrap(),
            std::fs::read(d.join("q.parquet")).unwrap()
        );
        let cuda = ["forecast", "synth:2:5", "--device", "cuda", "--out", "x.parquet"];
        assert!(run_failing(d, &cuda, 2).contains("CUDA"));
    }
    run_failing(d, &["book", "synth:2:5", "--levels", "0", "--out", "x.parquet"], 2);
    run_failing(d, &["features", "synth:2:5", "--stride", "0", "--out", "x.parquet"], 2);
    run_failing(d, &["features", "synth:2:5:2", "--out", "x.parquet"], 2);
    assert!(!d.join("x.parquet").exists(), "a failed command leaves nothing");
}

#[test]
fn real_feeds_import_and_run() {
    let dir = tempfile::tempdir().unwrap();
    let d = dir.path();
    let feeds = [
        ("databento", "databento_equity/ARL_xnas_mbo_20250717.csv.gz", Some(5_886u64)),
        ("databento", "databento_equity/FROG_xnas_mbp10_20250403_RTH.zip", Some(33_286)),
        ("databento", "databento_equity/AAPL_xnas_mbp10_20241021_premarket.csv.gz", Some(5_000)),
        ("binance", "hftbacktest/spot/btcusdt_20240808.gz", None),
        ("lobster", "lobster/LOBSTER_SampleFile_GOOG_2012-06-21_1.zip", Some(49_482)),
    ];
    for (i, (kind, name, rows)) in feeds.into_iter().enumerate() {
        let Some(path) = data(name) else { return };
        let spec = format!("{kind}:{}", path.display());
        let out = format!("{i}.parquet");
        let import = run_json(d, &["import", &spec, "--out", &out, "--json"]);
        if let Some(rows) = rows {
            assert_eq!(import["events"].as_u64(), Some(rows), "{name}");
        }
        let live = run_json(d, &["live", "--feed", &spec, "--json", "--out", &format!("r{i}")]);
        assert_eq!(live["events"], import["events"], "{name}");
        let again = format!("ticks:{out}");
        let stored = run_json(d, &["live", "--feed", &again, "--json", "--out", &format!("s{i}")]);
        assert_eq!(live["decisions_sha256"], stored["decisions_sha256"], "{name}");
    }
}

#[test]
fn truncated_archives_are_refused_with_their_name() {
    let Some(zip) = data("lobster/LOBSTER_SampleFile_GOOG_2012-06-21_1.zip") else { return };
    let dir = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(zip).unwrap();
    std::fs::write(dir.path().join("half.zip"), &bytes[..bytes.len() / 2]).unwrap();
    let text = run_failing(dir.path(), &["import", "lobster:half.zip", "--out", "x.parquet"], 3);
    assert!(text.contains("half.zip"), "{text}");
    assert!(!dir.path().join("x.parquet").exists());
}

#[test]
fn settings_are_printed_with_their_origin() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f.toml"), "[risk]\nmax_order_qty = 5\n").unwrap();
    let checked = run_json(dir.path(), &["config", "check", "f.toml", "--json"]);
    let rows = checked["settings"].as_array().unwrap();
    let row = rows.iter().find(|r| r["key"] == "risk.max_order_qty").unwrap();
    assert_eq!((&row["value"], &row["origin"]), (&Value::from("5"), &Value::from("file")));
    std::fs::write(dir.path().join("bad.toml"), "[features]\nstride = 0\n").unwrap();
    run_failing(dir.path(), &["config", "check", "bad.toml"], 2);
}

#[test]
fn a_decision_explains_itself() {
    let dir = tempfile::tempdir().unwrap();
    let d = dir.path();
    run_json(d, &["live", "--feed", "synth:2:5", "--json", "--out", "r"]);
    let one = run_json(d, &["explain", "r", "1", "--json"]);
    assert_eq!(one["decision"], 1);
    assert_eq!(one["reason"], "warm_up");
    run_failing(d, &["explain", "r", "99999999"], 2);
    let report = run_json(d, &["report", "r", "--json"]);
    let summary: Value =
        serde_json::from_slice(&std::fs::read(d.join("r/summary.json")).unwrap()).unwrap();
    assert_eq!(report["performance"], summary["performance"], "the journal alone says the same");
    assert_eq!(report["latency_ns"], summary["latency_ns"], "stage times were kept");
}

#[test]
fn help_completions_and_man_pages_come_from_one_definition() {
    let dir = tempfile::tempdir().unwrap();
    for command in [
        "live", "replay", "import", "book", "features", "forecast", "synth", "report", "status",
        "stat", "kill", "doctor", "explain", "bench", "ib-code", "vram",
    ] {
        let help = run(dir.path(), &[command, "--help"]);
        let text = String::from_utf8_lossy(&help.stdout);
        assert!(text.contains("Example"), "{command} --help shows an example:\n{text}");
    }
    let completions = run(dir.path(), &["completions", "bash"]);
    assert!(String::from_utf8_lossy(&completions.stdout).contains("--parents"));
    assert!(run(dir.path(), &["man", "--out", "man"]).status.success());
    assert!(dir.path().join("man/ijk-live.1").exists());
}

#[test]
fn a_journal_is_verified_and_printed() {
    let dir = tempfile::tempdir().unwrap();
    let d = dir.path();
    let summary = run_json(d, &["live", "--feed", "synth:2:5", "--json", "--out", "r"]);
    let verified = run_json(d, &["journal", "verify", "r", "--json"]);
    assert_eq!(verified["complete"], true);
    assert_eq!(verified["journal_sha256"], summary["journal_sha256"]);
    assert_eq!(verified["kinds"]["Decision"], summary["decisions"]);
    let dump = run(d, &["journal", "dump", "r", "--from", "1", "--count", "5"]);
    let text = String::from_utf8_lossy(&dump.stdout);
    assert_eq!(text.lines().count(), 5);
    assert!(text.contains("Decision") && text.contains("reason warm_up"), "{text}");
    let path = d.join("r/journal/000000.ijkj");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&path, bytes).unwrap();
    run_failing(d, &["journal", "verify", "r"], 78);
}

#[test]
fn broker_codes_are_explained() {
    let dir = tempfile::tempdir().unwrap();
    let found = run_json(dir.path(), &["ib-code", "404", "--json"]);
    assert_eq!(found["codes"][0]["ends_order"], false, "an order held for a locate may yet fill");
    let ours = run_json(dir.path(), &["ib-code", "10404", "--json"]);
    assert!(ours["codes"][0]["meaning"].as_str().is_some_and(|m| m.contains("short sale")));
    run_failing(dir.path(), &["ib-code", "123456"], 1);
}

#[test]
fn doctor_checks_this_machine() {
    let dir = tempfile::tempdir().unwrap();
    let report = run_json(dir.path(), &["doctor", "--json"]);
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.iter().any(|c| c["check"] == "journal" && c["ok"] == true), "{report}");
}

#[test]
fn device_memory_is_planned_before_it_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let d = dir.path();
    let asked = ["vram", "--symbols", "500", "--members", "5", "--window", "64", "--json"];
    let plan = run_json(d, &asked);
    let bytes = |key: &str| plan[key].as_u64().unwrap();
    assert!(bytes("device_bytes") <= 1_500_000_000, "{plan}");
    let regions = plan["regions"].as_array().unwrap();
    let sum = |place: &str| -> u64 {
        let here = regions.iter().filter(|r| r["place"] == place);
        here.map(|r| r["bytes"].as_u64().unwrap()).sum()
    };
    assert_eq!(sum("arena"), bytes("arena_bytes"));
    assert_eq!(sum("arena") + sum("driver"), bytes("device_bytes"));
    let tensors: u64 =
        plan["tensors"].as_array().unwrap().iter().map(|t| t["bytes"].as_u64().unwrap()).sum();
    assert_eq!(tensors.next_multiple_of(256), bytes("member_bytes"));
    let shown = run(d, &asked[..7]).stdout;
    assert!(String::from_utf8_lossy(&shown).contains("key and value rings"));

    // One more than the largest that fits is refused, and the largest is named.
    let most = plan["symbols_max"].as_u64().unwrap();
    let (fits, too_many) = (most.to_string(), (most + 1).to_string());
    run_json(d, &["vram", "--symbols", &fits, "--json"]);
    let said = run_failing(d, &["vram", "--symbols", &too_many], 2);
    assert!(said.contains(&format!("number of symbols that fits is {most}")), "{said}");
    std::fs::write(d.join("small.toml"), "[infer]\nvram_budget_bytes = 600000000\n").unwrap();
    let small = run_json(d, &["vram", "--symbols", "1", "--config", "small.toml", "--json"]);
    assert!(small["symbols_max"].as_u64().unwrap() < most);
    for wrong in [["--symbols", "0"], ["--members", "6"], ["--window", "63"]] {
        let mut args = vec!["vram", "--symbols", "1"];
        if wrong[0] == "--symbols" {
            args.truncate(1)
        }
        args.extend(wrong);
        run_failing(d, &args, 2);
    }
}
