//! Slots end to end: a slot file, a run that hears it, a replay that needs it no more.

use ijk_core::{EventSource, SlotShape};
use ijk_data::open_feed;
use ijk_data::slots::{SlotRow, write_slots};
use ijk_infer::{Weights, WeightsBuilder, slot_tensor_specs, tensor_specs};
use ijk_tests::{ijk, root, run_failing, run_json};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const FEED: &str = "synth:502:30";

/// The first member of the bundled ensemble, with a slot whose numbers come from a formula.
fn weights_with_a_slot() -> Vec<u8> {
    let path = root().join("models/weights/synth-5x.safetensors");
    let bundled = Weights::from_bytes(&std::fs::read(path).unwrap()).unwrap().single(0).unwrap();
    let mut spec = bundled.spec.clone();
    spec.slots = vec![SlotShape { name: "news".into(), width: 3, stale_after_s: 45.0 }];
    let slots = slot_tensor_specs(1, &spec.slots);
    let mut builder = WeightsBuilder::new(spec);
    for t in tensor_specs(1) {
        let values = bundled.members()[0].tensor(&t.local).unwrap();
        let values: Vec<f32> = values.iter().map(|v| v.to_f32()).collect();
        builder = builder.tensor(&t.name, t.shape, &values);
    }
    for t in slots {
        let gain = if t.local == "cross.norm.weight" { 1.0 } else { 0.0 };
        let value = |i: usize| (i * 37 % 19) as f32 / 64.0 + gain;
        let values: Vec<f32> = (0..t.value_count()).map(value).collect();
        builder = builder.tensor(&t.name, &t.shape, &values);
    }
    builder.finish().unwrap().to_bytes()
}

/// A vector a minute, the first one from the day before, and one that is known after the end.
fn rows() -> Vec<SlotRow> {
    let mut source = open_feed(&FEED.parse().unwrap(), 1).unwrap();
    let symbol = source.instruments()[0].symbol.to_string();
    let first = source.next_event().unwrap().unwrap().ts_receive.0;
    let row = |known_from_ns: u64, values: [f32; 3]| SlotRow {
        symbol: symbol.clone(),
        slot: "news".into(),
        known_from_ns,
        values: values.to_vec(),
    };
    let mut rows = vec![row(first - 86_400_000_000_000, [1.0, 1.0, 1.0])];
    let minute = |m: u64| row(first + 60_000_000_000 * m, [m as f32 / 10.0, -1.0, 0.5]);
    rows.extend((0..25).chain([100]).map(minute));
    rows
}

#[test]
fn a_slot_is_heard_journalled_and_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let d = dir.path();
    std::fs::write(d.join("w.safetensors"), weights_with_a_slot()).unwrap();
    write_slots(&d.join("news.parquet"), &rows(), false).unwrap();

    // A run hears the file: the same bytes twice, another forecast without it.
    let live = |out: &str, slots: &[&str]| {
        let args = ["live", "--feed", FEED, "--weights", "w.safetensors", "--json", "--out", out];
        run_json(d, &[&args[..], slots].concat())
    };
    let told = live("a", &["--slots", "news.parquet"]);
    let again = live("b", &["--slots", "news.parquet"]);
    let silent = live("c", &[]);
    assert_eq!(told["journal_sha256"], again["journal_sha256"]);
    assert_eq!(told["tokens"], silent["tokens"]);
    assert_ne!(told["decisions_sha256"], silent["decisions_sha256"]);
    assert_eq!(told["allocs_after_warmup"], 0, "the hot path must not allocate");
    let forecast = |out: &str, slots: &[&str]| {
        let args = ["forecast", FEED, "--weights", "w.safetensors", "--json", "--out", out];
        run_json(d, &[&args[..], slots].concat());
        std::fs::read(d.join(out)).unwrap()
    };
    let heard = forecast("f.parquet", &["--slots", "news.parquet"]);
    assert_ne!(heard, forecast("g.parquet", &[]));

    // The journal holds what was heard: replayed without the file, bit for bit.
    std::fs::remove_file(d.join("news.parquet")).unwrap();
    let replay = run_json(d, &["replay", "a", "--json"]);
    assert_eq!((&replay["identical"], &replay["complete"]), (&true.into(), &true.into()));
    assert_eq!(replay["decisions_sha256"], told["decisions_sha256"]);
    let inputs = |r: &Value| r["inputs"].as_u64().unwrap();
    let plain = run_json(d, &["replay", "c", "--json"]);
    // All but the vector that is known after the feed's end; what trades differs by itself.
    assert!(inputs(&replay) > 0 && inputs(&plain) > 0);
    let heard = dump_kinds(d, "a");
    assert_eq!((heard, dump_kinds(d, "c")), (26, 0));
}

/// Returns how many slot records the journal of a run holds.
fn dump_kinds(dir: &Path, run: &str) -> usize {
    let args = ["journal", "dump", run, "--count", "100000000"];
    let output = Command::new(ijk()).args(args).current_dir(dir).output().unwrap();
    String::from_utf8(output.stdout).unwrap().matches("SlotUpdate").count()
}

#[test]
fn slots_that_do_not_fit_end_with_their_codes() {
    let dir = tempfile::tempdir().unwrap();
    let d = dir.path();
    let feed = "synth:5:2";
    let out = ["--out", "r", "--slots", "x.parquet"];
    let text = run_failing(d, &[&["live", "--feed", feed][..], &out].concat(), 2);
    assert!(text.contains("no slots"), "{text}");
    let text = run_failing(d, &[&["forecast", feed][..], &out].concat(), 2);
    assert!(text.contains("no slots"), "{text}");
    // With a model that has slots: a file of another symbol, and one that is not there.
    std::fs::write(d.join("w.safetensors"), weights_with_a_slot()).unwrap();
    let with = ["live", "--feed", feed, "--weights", "w.safetensors"];
    let text = run_failing(d, &[&with[..], &out].concat(), 3);
    assert!(text.contains("x.parquet: cannot be opened"), "{text}");
    let mut foreign = rows();
    foreign[3].symbol = "NOBODY".into();
    write_slots(&d.join("x.parquet"), &foreign, false).unwrap();
    let text = run_failing(d, &[&with[..], &out].concat(), 3);
    assert!(text.contains("x.parquet:4: field 'symbol'"), "{text}");
    assert!(!d.join("r").exists());
}
