//! The command as a user meets it: exit codes, files, output.

use ijk_infer::{WeightsBuilder, WeightsSpec, tensor_specs};
use std::path::Path;
use std::process::{Command, Output};

fn ijk_train(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ijk-train"));
    command.current_dir(dir).args(args).env("SOURCE_DATE_EPOCH", "1700000000");
    command.output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Weights that forecast nothing: mean zero, variance one, classes alike.
fn silent_weights() -> Vec<u8> {
    let mut builder = WeightsBuilder::new(WeightsSpec::new(1));
    for t in tensor_specs(1) {
        builder = builder.tensor(&t.name, t.shape, &vec![0.0; t.value_count()]);
    }
    builder.finish().unwrap().to_bytes()
}

#[test]
fn help_shows_examples() {
    let dir = tempfile::tempdir().unwrap();
    for (command, example) in [("fit", "ijk-train fit --feed"), ("eval", "ijk-train eval --weig")] {
        let output = ijk_train(dir.path(), &[command, "--help"]);
        assert_eq!(code(&output), 0);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(example) && text.contains("lobster:FILE.zip"), "{text}");
    }
}

#[test]
fn usage_and_settings_faults_exit_2() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bad.toml"), "[train]\nepoch = 1\n").unwrap();
    std::fs::write(dir.path().join("there.safetensors"), "x").unwrap();
    let cases: [(&[&str], &str); 8] = [
        (&["fit"], "--out"),
        (&["fit", "--out", "w.safetensors", "--feed", "nasdaq:x"], "nasdaq:x"),
        (&["fit", "--out", "w.safetensors", "--members", "6"], "members must be 1 to 5"),
        (&["fit", "--out", "w.safetensors", "--config", "bad.toml"], "'train.epochs'"),
        (&["fit", "--out", "w.safetensors", "--config", "none.toml"], "none.toml"),
        (&["fit", "--out", "there.safetensors"], "--force"),
        (&["fit", "--out", "w.json"], "w.json"),
        (&["eval", "--weights", "none.safetensors", "--feed", "synth"], "none.safetensors"),
    ];
    for (args, said) in cases {
        let output = ijk_train(dir.path(), args);
        assert_eq!(code(&output), 2, "{args:?}");
        assert!(stderr(&output).contains(said), "{args:?}: {}", stderr(&output));
    }
    assert_eq!(std::fs::read(dir.path().join("there.safetensors")).unwrap(), b"x");
}

#[test]
fn little_data_and_foreign_weights_exit_3() {
    let dir = tempfile::tempdir().unwrap();
    let output = ijk_train(
        dir.path(),
        &["fit", "--out", "w.safetensors", "--sessions", "3", "--minutes", "5"],
    );
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("at least 2000"), "{}", stderr(&output));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);

    // The same file but for its feature-set hash: one made for other features.
    let own = format!("{:016x}", ijk_core::features::FEATURE_SET_HASH);
    let mut foreign = silent_weights();
    let at = foreign.windows(16).position(|w| w == own.as_bytes()).unwrap();
    foreign[at..at + 16].copy_from_slice(b"0123456789abcdef");
    let cut = silent_weights()[..100_000].to_vec();
    for (bytes, said) in [(foreign, "0123456789abcdef"), (cut, "weights:"), (vec![], "0 bytes")] {
        std::fs::write(dir.path().join("f.safetensors"), bytes).unwrap();
        let args = ["eval", "--weights", "f.safetensors", "--feed", "synth:1:10"];
        let output = ijk_train(dir.path(), &args);
        assert_eq!(code(&output), 3);
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
}

#[test]
fn silent_weights_have_no_skill_and_json_is_one_document() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("w.safetensors"), silent_weights()).unwrap();
    let args = ["eval", "--json", "--weights", "w.safetensors", "--feed", "synth:9:30"];
    let output = ijk_train(dir.path(), &args);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["threshold_source"], "feed");
    for score in json["scores"].as_array().unwrap() {
        assert_eq!(score["mean"]["r2"]["value"], 0.0);
        let log_loss = score["class"]["log_loss"].as_f64().unwrap();
        assert!((log_loss - 3.0f64.ln()).abs() < 1e-6, "{log_loss}");
    }
}

#[test]
fn a_fit_writes_weights_and_card_that_eval_takes() {
    let dir = tempfile::tempdir().unwrap();
    let mut args = vec!["fit", "--json", "--feed", "synth:300", "--sessions", "3"];
    args.extend(["--minutes", "60", "--members", "1", "--epochs", "1", "--out", "w.safetensors"]);
    let output = ijk_train(dir.path(), &args);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["card"]["provenance"]["created"], "2023-11-14T22:13:20Z");
    let mut names: Vec<String> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["w.json", "w.md", "w.safetensors"]);
    let card = std::fs::read_to_string(dir.path().join("w.md")).unwrap();
    assert!(card.contains("ijk-train fit --json --feed synth:300"), "{card}");
    assert_eq!(code(&ijk_train(dir.path(), &args)), 2, "a second fit must not replace the first");

    let args = ["eval", "--json", "--weights", "w.safetensors", "--feed", "synth:302:60"];
    let output = ijk_train(dir.path(), &args);
    let again: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(again["threshold_source"], "card");
    // The third session was the test part: the scores are those of the card.
    for (a, b) in (0..4).map(|h| (&again["scores"][h], &json["card"]["test"][h])) {
        assert_eq!((&a["mean"], &a["class"]), (&b["mean"], &b["class"]));
    }
}
