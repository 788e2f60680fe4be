//! `ijk-train runs` and `ijk-train export`.

use crate::args::{ExportArgs, RunsArgs, RunsCommand};
use crate::exit::{CHECK, DATA, Exit, USAGE};
use crate::mlflow::Server;
use crate::promotion::{Verdict, judge};
use crate::store::{Entry, Store, find};
use crate::{fit, print};
use ijk_data::whole;
use ijk_infer::Weights;
use ijk_models::session::hex;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Runs the command.
///
/// # Errors
/// [`Exit`] with the code of the cause.
pub fn run(args: &RunsArgs, json: bool) -> Result<(), Exit> {
    let store = Store::new(&args.store);
    let entries = store.read()?;
    match &args.command {
        RunsCommand::Ls => print(json, &json!(entries), || list(&entries)),
        RunsCommand::Show { id } => {
            let entry = find(&entries, *id)?;
            print(json, &json!(entry), || show(entry));
        }
        RunsCommand::Compare { a, b } => {
            let (a, b) = (find(&entries, *a)?, find(&entries, *b)?);
            print(json, &json!([a, b]), || differences(a, b));
        }
        RunsCommand::Export { mlflow, experiment, ids } => {
            export_runs(&entries, mlflow, experiment, ids, json)?;
        }
        RunsCommand::Promote { id } => return promote(&store, &entries, *id, json),
    }
    Ok(())
}

fn print(json: bool, value: &serde_json::Value, text: impl FnOnce() -> String) {
    if json {
        print::print_json(value);
    } else {
        print::print_text(&text());
    }
}

fn list(entries: &[Entry]) -> String {
    let mut out =
        format!("{:>4}  {:20}  {:8}  {:24}  h5 log loss\n", "run", "made", "kind", "name");
    for e in entries {
        let loss = e.metrics.get("h5.log_loss").map_or("-".into(), |v| format!("{v:.4}"));
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{:>4}  {:20}  {:8}  {:24}  {loss}", e.id, e.created, e.kind, e.name);
    }
    out
}

fn show(e: &Entry) -> String {
    let mut out = format!("run {} ({}), {}, made {}\n", e.id, e.kind, e.name, e.created);
    for (title, texts) in [("tags", &e.tags), ("settings", &e.params), ("files", &e.artifacts)] {
        let _ = writeln!(out, "{title}:");
        texts.iter().for_each(|(k, v)| {
            let _ = writeln!(out, "  {k} = {v}");
        });
    }
    out.push_str("metrics:\n");
    e.metrics.iter().for_each(|(k, v)| {
        let _ = writeln!(out, "  {k} = {v}");
    });
    out
}

fn differences(a: &Entry, b: &Entry) -> String {
    let mut out =
        format!("{:40}  {:>20}  {:>20}\n", "", format!("run {}", a.id), format!("run {}", b.id));
    let mut line = |key: &str, a: String, b: String| {
        if a != b {
            let _ = writeln!(out, "{key:40}  {a:>20}  {b:>20}");
        }
    };
    let text = |map: &BTreeMap<String, String>, k: &str| map.get(k).cloned().unwrap_or_default();
    for k in a.params.keys().chain(b.params.keys()).collect::<BTreeSet<_>>() {
        line(k, text(&a.params, k), text(&b.params, k));
    }
    let number = |map: &BTreeMap<String, f64>, k: &str| {
        map.get(k).map_or(String::new(), |v| format!("{v:.5}"))
    };
    for k in a.metrics.keys().chain(b.metrics.keys()).collect::<BTreeSet<_>>() {
        line(k, number(&a.metrics, k), number(&b.metrics, k));
    }
    out
}

/// SHA-256 of an entry as the store writes it.
fn entry_hash(entry: &Entry) -> Result<String, Exit> {
    let line = serde_json::to_string(entry).map_err(|e| Exit::new(70, e))?;
    Ok(hex(&Sha256::digest(line)))
}

fn export_runs(
    entries: &[Entry],
    url: &str,
    experiment: &str,
    ids: &[u64],
    json: bool,
) -> Result<(), Exit> {
    let chosen: Vec<&Entry> = if ids.is_empty() {
        entries.iter().collect()
    } else {
        ids.iter().map(|id| find(entries, *id)).collect::<Result<_, _>>()?
    };
    let server = Server::new(url, experiment)?;
    let mut written = Vec::new();
    for entry in chosen {
        let run = server.export(entry, &entry_hash(entry)?)?;
        written.push(json!({"run": entry.id, "mlflow_run_id": run.id}));
    }
    print(json, &json!(written), || format!("{} runs are at {url}\n", written.len()));
    Ok(())
}

fn promote(store: &Store, entries: &[Entry], id: u64, json: bool) -> Result<(), Exit> {
    let challenger = find(entries, id)?;
    let untouched = challenger.tags.get("untouched");
    if challenger.returns.is_empty() || untouched.is_none() {
        let said = format!("run {id} has no result on untouched data; fit with --untouched");
        return Err(Exit::new(USAGE, said));
    }
    let same = |e: &&Entry| {
        e.tags.get("untouched") == untouched && e.returns.len() == challenger.returns.len()
    };
    let trials: Vec<Vec<f64>> = entries
        .iter()
        .filter(|e| e.kind == "fit")
        .filter(same)
        .map(|e| e.returns.clone())
        .collect();
    let champion = entries.iter().rev().find(|e| e.kind == "champion");
    let verdict = judge(&challenger.returns, &trials, champion.map(|c| c.returns.as_slice()));
    if verdict.promoted {
        let mut entry = Entry { kind: "champion".into(), ..challenger.clone() };
        entry.tags.insert("promoted_run".into(), id.to_string());
        entry.created = fit::created()?;
        store.append(entry)?;
    }
    print(json, &json!(verdict), || verdict_text(id, &verdict));
    if verdict.promoted { Ok(()) } else { Err(Exit::new(CHECK, format!("run {id} stays out"))) }
}

fn verdict_text(id: u64, verdict: &Verdict) -> String {
    let mut out = String::new();
    for c in &verdict.conditions {
        let found = c.found.map_or("cannot be told".into(), |f| format!("{f:.4}"));
        let sign = if c.holds { "ok" } else { "no" };
        let _ = writeln!(out, "{sign}  {}: {found}; needed: {}", c.name, c.needed);
    }
    let said = if verdict.promoted { "is champion" } else { "is not promoted" };
    let _ = writeln!(out, "run {id} {said}");
    out
}

/// Writes one member as a weights file of its own.
///
/// # Errors
/// [`Exit`] with the code of the cause.
pub fn export_member(args: &ExportArgs, json: bool) -> Result<(), Exit> {
    whole::check(&args.out, args.force)?;
    let bytes = std::fs::read(&args.weights).map_err(|e| Exit::file(USAGE, &args.weights, e))?;
    let weights = Weights::from_bytes(&bytes).map_err(|e| Exit::file(DATA, &args.weights, e))?;
    let count = weights.members().len();
    let single = weights.single(args.member).ok_or_else(|| {
        Exit::new(USAGE, format!("no member {}; the file has 0 to {}", args.member, count - 1))
    })?;
    whole::write_whole(&args.out, &single.to_bytes(), args.force)?;
    let out = args.out.display().to_string();
    print(json, &json!({"weights": out, "member": args.member}), || format!("weights {out}\n"));
    Ok(())
}
