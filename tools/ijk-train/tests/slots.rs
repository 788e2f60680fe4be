//! Slots in the command: a fit from a slot file, its card, its scores with and without the file.

use ijk_data::open_feed;
use ijk_data::slots::{SlotRow, write_slots};
use ijk_infer::Weights;
use ijk_models::session::{Session, read_sessions};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

const SEED: u64 = 500;
const MINUTES: u32 = 120;

fn ijk_train(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ijk-train"));
    command.current_dir(dir).args(args).env("SOURCE_DATE_EPOCH", "1700000000");
    command.output().unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refused(output: &Output, code: i32, said: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(said), "{text}");
}

/// What another modality might know of a synthetic session: where the mid goes over the next twenty
/// tokens; a vector every fourth token.
fn lean(seed: u64) -> Vec<SlotRow> {
    let spec = format!("synth:{seed}:{MINUTES}").parse().unwrap();
    let mut source = open_feed(&spec, 1).unwrap();
    let session = read_sessions("", 0, source.as_mut(), 10).unwrap().remove(0);
    let Session { symbol, mids, closes_ns, .. } = &session;
    let row = |k: usize| {
        let ahead = &mids[k + 1..(k + 21).min(mids.len())];
        let mean = ahead.iter().sum::<f64>() / ahead.len() as f64;
        let bps = (1e4 * (mean / mids[k] - 1.0)).clamp(-5.0, 5.0) as f32;
        let values = vec![if bps.is_finite() { bps } else { 0.0 }, 0.25];
        SlotRow { symbol: symbol.clone(), slot: "lean".into(), known_from_ns: closes_ns[k], values }
    };
    (0..mids.len() - 1).step_by(4).map(row).collect()
}

fn log_loss(scores: &Value) -> f64 {
    scores.as_array().unwrap().iter().map(|h| h["class"]["log_loss"].as_f64().unwrap()).sum()
}

#[test]
fn a_fit_from_a_slot_file_scores_better_than_without_it() {
    let dir = tempfile::tempdir().unwrap();
    let d = dir.path();
    write_slots(&d.join("lean.parquet"), &lean(SEED), false).unwrap();
    let settings = format!(
        "feed = [\"synth:{SEED}\"]\nsessions = 1\nminutes = {MINUTES}\nmembers = 1\n\
         [train]\nepochs = 8\nbatch_sequences = 1\nlearning_rate = 0.003\n\
         [slots]\nfiles = [\"lean.parquet\"]\ndrop_probability = 0.1\n\
         [[slots.slot]]\nname = \"lean\"\nwidth = 2\nstale_after_s = 300\n"
    );
    std::fs::write(d.join("fit.toml"), settings).unwrap();
    let args = ["fit", "--config", "fit.toml", "--out", "w.safetensors", "--no-baselines"];
    let fitted = json(&ijk_train(
        d,
        &[&args[..], &["--store", "none", "--device", "cpu", "--json"]].concat(),
    ));
    let card = &fitted["card"];
    let (with, without) = (log_loss(&card["test"]), log_loss(&card["slots"]["missing"]));
    eprintln!("log loss over four horizons: {with:.4} with the slot, {without:.4} without");
    assert!(with < without - 0.1, "{with} {without}");
    assert!(card["slots"]["known"][0]["test"].as_f64() > Some(0.9), "{}", card["slots"]);
    assert_eq!(card["settings"]["slots"]["slot"][0]["name"], "lean");
    let page = std::fs::read_to_string(d.join("w.md")).unwrap();
    assert!(page.contains("## Slots") && page.contains("lean.parquet"), "{page}");
    let weights = Weights::from_bytes(&std::fs::read(d.join("w.safetensors")).unwrap()).unwrap();
    assert_eq!(weights.spec.slots.len(), 1);

    // On the whole session too the scores fall without the slot file.
    let test = format!("synth:{SEED}:{MINUTES}");
    let eval = ["eval", "--weights", "w.safetensors", "--feed", &test, "--json"];
    let again = json(&ijk_train(d, &[&eval[..], &["--slots", "lean.parquet"]].concat()));
    let silent = json(&ijk_train(d, &eval));
    let (with, without) = (log_loss(&again["scores"]), log_loss(&silent["scores"]));
    assert!(with < without - 0.1, "{with} {without}");
}

#[test]
fn slot_files_and_settings_that_do_not_fit_end_with_their_codes() {
    let dir = tempfile::tempdir().unwrap();
    let d = dir.path();
    let config = |width: usize, more: &str| {
        let text = format!(
            "feed = [\"synth:1\"]\nsessions = 1\nminutes = 1\n[slots]\nfiles = [\"s.parquet\"]\n\
             {more}\n[[slots.slot]]\nname = \"news\"\nwidth = {width}\nstale_after_s = 60\n"
        );
        std::fs::write(d.join("c.toml"), text).unwrap();
    };
    let fit = || ijk_train(d, &["fit", "--config", "c.toml", "--out", "w.safetensors"]);
    config(0, "");
    refused(&fit(), 2, "width must be 1 to 512");
    config(2, "drop_probability = 1.5");
    refused(&fit(), 2, "slots.drop_probability");
    config(2, "drop_chance = 0.5");
    refused(&fit(), 2, "'slots.drop_probability'");
    config(2, "");
    refused(&fit(), 3, "s.parquet: cannot be opened");
    let row = |symbol: &str, values: &[f32]| SlotRow {
        symbol: symbol.into(),
        slot: "news".into(),
        known_from_ns: 1,
        values: values.to_vec(),
    };
    let rows = [row("*", &[0.0, 1.0]), row("NOBODY", &[0.0, 1.0])];
    write_slots(&d.join("s.parquet"), &rows, false).unwrap();
    refused(&fit(), 3, "s.parquet:2: field 'symbol'");
    write_slots(&d.join("s.parquet"), &[row("*", &[0.0])], true).unwrap();
    refused(&fit(), 3, "s.parquet:1: field 'vector'");
    let bundled = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/weights/synth-5x.safetensors");
    let args = ["eval", "--weights", bundled, "--feed", "synth:1:5", "--slots", "s.parquet"];
    refused(&ijk_train(d, &args), 2, "no slots");
}
