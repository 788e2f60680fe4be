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
    assert_eq!(names, ["train-runs", "w.json", "w.md", "w.safetensors", "w.svg"]);
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

#[test]
fn a_killed_fit_goes_on_to_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let fit = |out: &str, rest: &[&str]| {
        let mut args = vec!["fit", "--feed", "synth:700", "--sessions", "3", "--minutes", "60"];
        args.extend(["--members", "2", "--epochs", "2", "--no-baselines", "--store", "none"]);
        args.extend(["--out", out]);
        args.extend(rest);
        args.into_iter().map(String::from).collect::<Vec<_>>()
    };
    let run = |args: &[String]| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        ijk_train(dir.path(), &args)
    };
    let whole = run(&fit("whole.safetensors", &[]));
    assert_eq!(code(&whole), 0, "{}", stderr(&whole));
    // Killed as soon as a first checkpoint stands.
    let mut child = Command::new(env!("CARGO_BIN_EXE_ijk-train"))
        .current_dir(dir.path())
        .args(fit("cut.safetensors", &[]))
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let checkpoint = dir.path().join("cut.checkpoint/member0.ckpt");
    while !checkpoint.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!dir.path().join("cut.safetensors").exists(), "it was killed before its end");
    let refused = run(&fit("cut.safetensors", &[]));
    assert!(code(&refused) == 2 && stderr(&refused).contains("--resume"), "{}", stderr(&refused));
    let resumed = run(&fit("cut.safetensors", &["--resume"]));
    assert_eq!(code(&resumed), 0, "{}", stderr(&resumed));
    assert!(!checkpoint.exists(), "nothing is kept of a fit that is done");
    let tensors = |name: &str| {
        let bytes = std::fs::read(dir.path().join(name)).unwrap();
        ijk_infer::Weights::from_bytes(&bytes).unwrap()
    };
    let (whole, cut) = (tensors("whole.safetensors"), tensors("cut.safetensors"));
    assert_eq!(whole.members(), cut.members());
    // The specification differs in the command it names, and in nothing else.
    let mut spec = cut.spec.clone();
    spec.note.clone_from(&whole.spec.note);
    assert_eq!(spec, whole.spec);
}

#[test]
fn the_store_and_the_gate_speak_with_exit_codes() {
    let dir = tempfile::tempdir().unwrap();
    let list = ijk_train(dir.path(), &["runs", "ls", "--json"]);
    assert_eq!((code(&list), list.stdout.as_slice()), (0, b"[]\n".as_slice()));
    assert_eq!(code(&ijk_train(dir.path(), &["runs", "show", "1"])), 2);
    std::fs::write(dir.path().join("w.safetensors"), silent_weights()).unwrap();
    let args = ["export", "--weights", "w.safetensors", "--member", "3", "--out", "m.safetensors"];
    assert_eq!(code(&ijk_train(dir.path(), &args)), 2);
    let args = ["export", "--weights", "w.safetensors", "--out", "m.safetensors"];
    assert_eq!(code(&ijk_train(dir.path(), &args)), 0);
    assert_eq!(std::fs::read(dir.path().join("m.safetensors")).unwrap(), silent_weights());
    let args = ["runs", "export", "--mlflow", "http://127.0.0.1:9", "--json"];
    assert_eq!(code(&ijk_train(dir.path(), &args)), 5, "nobody listens there");
    std::fs::create_dir(dir.path().join("train-runs")).unwrap();
    std::fs::write(dir.path().join("train-runs/runs.jsonl"), "{}\n").unwrap();
    let broken = ijk_train(dir.path(), &["runs", "ls"]);
    assert_eq!(code(&broken), 3);
    assert!(stderr(&broken).contains("runs.jsonl: line 1"), "{}", stderr(&broken));
}

#[test]
fn files_that_are_missing_cut_or_foreign_end_with_their_codes() {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    let whole = silent_weights();
    put("cut.safetensors", &whole[..100_000]);
    put("alone.safetensors", &whole);
    put("torn.safetensors", &whole);
    put("torn.json", b"{\"provenance\":");
    put("text.txt", b"1 2 x\n");
    let (two, three) = (2, 3);
    let cases: [(i32, &str, &str); 15] = [
        (two, "compare --weights none.safetensors", "none.safetensors"),
        (three, "compare --weights cut.safetensors", "the header describes"),
        (two, "compare --weights alone.safetensors", "alone.json"),
        (three, "compare --weights torn.safetensors", "torn.json"),
        (three, "eval --weights torn.safetensors --feed synth:1:10", "torn.json"),
        (two, "eval --weights alone.safetensors --card no.json --feed synth", "no.json"),
        (three, "eval --weights alone.safetensors --feed lobster:no.zip", "no.zip"),
        (three, "eval --weights alone.safetensors --feed ticks:text.txt", "text.txt"),
        (three, "export --weights cut.safetensors --out m.safetensors", "cut.safetensors"),
        (two, "runs compare 1 2", "no run 1"),
        (two, "runs promote 1", "no run 1"),
        (two, "runs ls --store text.txt", "text.txt"),
        (three, "fi2010 --train no.txt --test no.txt", "no.txt"),
        (three, "fi2010 --train text.txt --test text.txt", "1 rows, expected 149"),
        (two, "fi2010 --train text.txt --test text.txt --members 9", "members must be 1 to 5"),
    ];
    for (expected, line, said) in cases {
        let args: Vec<&str> = line.split(' ').collect();
        let output = ijk_train(dir.path(), &args);
        assert_eq!(code(&output), expected, "{line}: {}", stderr(&output));
        assert!(stderr(&output).contains(said), "{line}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{line}");
    }
}

#[test]
fn a_device_that_is_not_there_is_told_before_anything_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["fit", "--device", "cuda", "--feed", "lobster:no.zip", "--out", "w.safetensors"];
    let output = ijk_train(dir.path(), &args);
    // With a device the missing feed is what is wrong.
    let there = code(&output) == 3 && stderr(&output).contains("no.zip");
    let not = code(&output) == 2 && stderr(&output).contains("CUDA");
    assert!(there || not, "{}", stderr(&output));
}

/// A file of the FI-2010 layout whose labels follow the imbalance of the best level.
fn fi2010_file(columns: usize, seed: u64) -> String {
    let mut state = seed;
    let mut draw = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1u64 << 31) as f64
    };
    let sizes: Vec<[f64; 2]> = (0..columns).map(|_| [1.0 + draw(), 1.0 + draw()]).collect();
    let cell = |row: usize, c: usize| -> String {
        let [ask, bid] = sizes[c];
        match row {
            0..40 => match row % 4 {
                0 => format!("{}", 1.0 + 1e-4 * (row / 4 + 1) as f64),
                1 => format!("{ask}"),
                2 => format!("{}", 1.0 - 1e-4 * (row / 4 + 1) as f64),
                _ => format!("{bid}"),
            },
            144.. if bid > 1.25 * ask => "1".into(),
            144.. if ask > 1.25 * bid => "3".into(),
            144.. => "2".into(),
            _ => "0".into(),
        }
    };
    let line = |row| (0..columns).map(|c| cell(row, c)).collect::<Vec<_>>().join(" ") + "\n";
    (0..149).map(line).collect()
}

#[test]
fn fi2010_files_are_scored_beside_the_published_table() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("train.txt"), fi2010_file(4_000, 1)).unwrap();
    std::fs::write(dir.path().join("test.txt"), fi2010_file(2_100, 2)).unwrap();
    let args = ["fi2010", "--train", "train.txt", "--test", "test.txt", "--epochs", "6"];
    let output = ijk_train(dir.path(), &args);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("| BiNCTABL, reproduced by LOBCAST | 81.1 | 71.5 | 87.7 | 92.1 |"));
    let score = |name: &str| -> f64 {
        let line = text.lines().find(|l| l.starts_with(name)).unwrap();
        line.split('|').nth(2).unwrap().trim().parse().unwrap()
    };
    // Three classes, told by one feature: the trees know it, the majority does not.
    assert!(score("| boosted (here)") > 90.0 && score("| majority (here)") < 30.0, "{text}");
    assert!(score("| ijk (here)") > 60.0, "{text}");
    std::fs::write(dir.path().join("bad.txt"), "1 2\n3 4\n").unwrap();
    let args = ["fi2010", "--train", "bad.txt", "--test", "test.txt"];
    let output = ijk_train(dir.path(), &args);
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("bad.txt: 2 rows, expected 149"), "{}", stderr(&output));
}
