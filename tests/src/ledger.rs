//! The ledger: what was run, on which commit, with which seeds, and what was found. Lines of JSON,
//! only ever appended, so that days, faults and failures add up over time.

use crate::sim::campaign::Summary;
use crate::sim::faults::Fault;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns the folder of the committed ledger.
pub fn folder() -> PathBuf {
    crate::root().join("tests/ledger")
}

fn said(command: &str, arguments: &[&str]) -> String {
    let output = Command::new(command).args(arguments).current_dir(crate::root()).output();
    let text = output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_string());
    text.unwrap_or_default()
}

/// Returns the commit, marked if files differ from it.
pub fn commit() -> String {
    let commit = said("git", &["rev-parse", "--short=12", "HEAD"]);
    let dirty = said("git", &["status", "--porcelain", "--untracked-files=no"]);
    if dirty.is_empty() { commit } else { format!("{commit}+") }
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|l| l.strip_prefix("model name")).unwrap_or_default();
    format!("{cores} x {}", model.trim_start_matches([' ', '\t', ':']))
}

/// Appends one line; what every line has is added: commit, command, date, machine.
///
/// # Errors
/// What went wrong with the file.
pub fn append(path: &Path, mut line: Map<String, Value>) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    let mut command: Vec<String> = std::env::args().collect();
    if let Some(program) = command.first_mut() {
        // The program's name alone: where it lies says nothing.
        let name = Path::new(program.as_str()).file_name().map(|n| n.to_string_lossy().to_string());
        *program = name.unwrap_or_default();
    }
    line.insert("commit".to_string(), json!(commit()));
    line.insert("command".to_string(), json!(command.join(" ")));
    line.insert("date".to_string(), json!(said("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"])));
    line.insert("machine".to_string(), json!(machine()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = std::fs::File::options().append(true).create(true).open(path).map_err(failed)?;
    writeln!(file, "{}", Value::Object(line)).map_err(failed)
}

/// Appends a campaign.
///
/// # Errors
/// As [`append`].
pub fn append_days(path: &Path, summary: &Summary) -> Result<(), String> {
    let mut faults = Map::new();
    for (fault, &n) in Fault::ALL.iter().zip(&summary.faults) {
        faults.insert(fault.name().to_string(), json!(n));
    }
    let failures: Vec<Value> =
        summary.failures.iter().map(|f| json!({"seed": f.seed, "rule": f.rule})).collect();
    let line = json!({
        "what": "days", "seed": summary.seed, "days": summary.days, "same": summary.same,
        "orders": summary.orders, "executions": summary.executions, "starts": summary.starts,
        "halted": summary.halted, "faults": faults, "fault_total": summary.fault_total(),
        "converged_s_p99": summary.converged_s(0.99), "converged_s_max": summary.converged_s(1.0),
        "failures": failures, "seconds": summary.elapsed.as_secs_f64(),
    });
    match line {
        Value::Object(line) => append(path, line),
        _ => Ok(()),
    }
}

/// Appends what another lab did: how many of its units, how many failures, how long.
///
/// # Errors
/// As [`append`].
pub fn append_count(
    path: &Path,
    what: &str,
    unit: &str,
    count: u64,
    failures: &[String],
    seconds: f64,
) -> Result<(), String> {
    let mut line = Map::new();
    line.insert("what".to_string(), json!(what));
    line.insert(unit.to_string(), json!(count));
    line.insert("failures".to_string(), json!(failures));
    line.insert("seconds".to_string(), json!(seconds));
    append(path, line)
}

/// Reads every line of every ledger in a folder.
///
/// # Errors
/// The file and line that is not JSON.
pub fn read(folder: &Path) -> Result<Vec<Value>, String> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(|e| format!("{}: {e}", folder.display()))?
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "jsonl"))
        .collect();
    files.sort();
    let mut lines = Vec::new();
    for file in files {
        let text =
            std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        for (i, line) in text.lines().enumerate() {
            let value = serde_json::from_str(line)
                .map_err(|e| format!("{}:{}: {e}", file.display(), i + 1))?;
            lines.push(value);
        }
    }
    Ok(lines)
}

/// Returns sums of every number, by what was run: a list's length counts for the list.
pub fn totals(lines: &[Value]) -> BTreeMap<(String, String), u64> {
    let mut sums = BTreeMap::new();
    for line in lines {
        let what = line["what"].as_str().unwrap_or("?").to_string();
        let Value::Object(fields) = line else { continue };
        *sums.entry((what.clone(), "runs".to_string())).or_default() += 1;
        for (name, value) in fields {
            let n = match value {
                Value::Number(n) if name != "seed" => n.as_u64(),
                Value::Array(list) => Some(list.len() as u64),
                _ => None,
            };
            if let Some(n) = n {
                *sums.entry((what.clone(), name.clone())).or_default() += n;
            }
        }
    }
    sums
}

/// Prints the cumulative table.
///
/// # Errors
/// As [`read`].
pub fn print(folder: &Path) -> Result<(), String> {
    let totals = totals(&read(folder)?);
    for ((what, name), n) in totals {
        println!("{what:<14} {name:<18} {n:>12}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_appended_and_add_up() {
        let folder = std::env::temp_dir().join(format!("ijk-ledger-{}", std::process::id()));
        let file = folder.join("a.jsonl");
        let mut faults = vec![0; Fault::ALL.len()];
        faults[0] = 7;
        let summary = Summary { seed: 5, days: 3, faults, ..Summary::default() };
        append_days(&file, &summary).unwrap();
        append_days(&file, &summary).unwrap();
        let lines = read(&folder).unwrap();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["faults"]["report_lost"], 7);
        let totals = totals(&lines);
        let of = |name: &str| totals[&("days".to_string(), name.to_string())];
        assert_eq!((of("days"), of("fault_total"), of("failures"), of("runs")), (6, 14, 0, 2));
        std::fs::write(folder.join("b.jsonl"), "{}\nnonsense\n").unwrap();
        let error = read(&folder).unwrap_err();
        assert!(error.contains("b.jsonl:2"), "{error}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
