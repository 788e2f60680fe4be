//! What must never wait: after warm-up the kernel thread neither calls the system nor meets a
//! page that is not there.

use ijk_tests::ijk;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const LOCKED: &str = "[runtime]\nlock_memory = true\nwarm_up_events = 1000\n";

#[test]
fn locked_memory_has_no_page_faults_after_warm_up() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f.toml"), LOCKED).unwrap();
    let args = ["live", "--feed", "synth:5:60", "--config", "f.toml", "--json", "--out", "r"];
    // As the unit does: what is reserved is locked too.
    let output = Command::new(ijk())
        .args(args)
        .env("MIMALLOC_ARENA_RESERVE", "64MiB")
        .current_dir(dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("runtime.lock_memory") {
        return eprintln!("skipped: {said}");
    }
    assert!(output.status.success(), "{said}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let faults = &summary["page_faults_after_warmup"];
    assert_eq!(faults["minor"], 0, "{faults}");
    assert_eq!(faults["major"], 0, "{faults}");
    assert!(summary["fills"].as_u64() > Some(0), "it traded meanwhile");
    assert!(summary["peak_rss_bytes"].as_u64() < Some(400 << 20), "{}", summary["peak_rss_bytes"]);
}

#[test]
fn memory_that_may_not_be_locked_is_a_clear_refusal() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f.toml"), LOCKED).unwrap();
    let output = Command::new("prlimit")
        .args(["--memlock=65536", "setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock"])
        .arg(ijk())
        .args(["live", "--feed", "synth:5:1", "--config", "f.toml"])
        .current_dir(dir.path())
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => return eprintln!("skipped: no prlimit here: {error}"),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("setpriv:") || said.contains("prlimit:") {
        return eprintln!("skipped: {said}");
    }
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("runtime.lock_memory") && said.contains("LimitMEMLOCK"), "{said}");
}

/// What the kernel thread reads at warm-up and at the end of the feed, to count its page faults.
const MARK: &str = "\"/proc/thread-self/stat\"";

/// Returns the trace of the kernel thread, or `None` where nothing can be traced.
fn trace_of_kernel_thread(dir: &Path) -> Option<String> {
    let traces = dir.join("traces");
    std::fs::create_dir(&traces).unwrap();
    let output = Command::new("strace")
        // The cold threads' yields are none of this and would be most of the trace.
        .args(["--seccomp-bpf", "-f", "-ff", "-e", "trace=!sched_yield", "-o"])
        .arg(traces.join("x"))
        .arg(ijk())
        .args(["live", "--feed", "synth:5:40", "--config", "spin.toml", "--json", "--out", "r"])
        .current_dir(dir)
        .output();
    let output = match output {
        Ok(output) if output.status.success() => output,
        Ok(output) => {
            eprintln!("skipped: {}", String::from_utf8_lossy(&output.stderr));
            return None;
        }
        Err(error) => {
            eprintln!("skipped: no strace here: {error}");
            return None;
        }
    };
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(summary["orders"].as_u64() > Some(0), "orders left meanwhile: {summary}");
    let texts = std::fs::read_dir(&traces).unwrap().flatten();
    let texts = texts.map(|entry| std::fs::read_to_string(entry.path()).unwrap());
    let mut found = texts.filter(|text| text.contains("PR_SET_NAME, \"ijk-kernel\""));
    Some(found.next().expect("a thread calls itself ijk-kernel"))
}

#[test]
fn the_kernel_thread_calls_the_system_for_nothing_after_warm_up() {
    let dir = tempfile::tempdir().unwrap();
    let spin = "[runtime]\nwait = \"spin\"\nwarm_up_events = 1000\n";
    std::fs::write(dir.path().join("spin.toml"), spin).unwrap();
    let Some(trace) = trace_of_kernel_thread(dir.path()) else { return };
    let lines: Vec<&str> = trace.lines().collect();
    let marks: Vec<usize> = (0..lines.len()).filter(|&i| lines[i].contains(MARK)).collect();
    let [warm_up, end] = marks[..] else { panic!("expected two marks: {marks:?}") };
    let read = lines[warm_up..end].iter().position(|line| line.starts_with("close("));
    let after = &lines[warm_up + read.expect("the first mark is closed") + 1..end];
    assert!(after.is_empty(), "between warm-up and the end of the feed: {after:#?}");
}
