//! Runs from a small fit through the local store to a real MLflow server, read back with its own
//! Python client. Runs with `IJK_MLFLOW_PYTHON` (a Python that has mlflow) or with
//! `IJK_MLFLOW_INSTALL=1` (a virtual environment is made and filled from the package index);
//! skips with a message otherwise.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The version the test was written against.
const MLFLOW: &str = "mlflow==3.18.0";

/// Reads the newest run back, field by field.
const READ_BACK: &str = r#"
import json, sys
from mlflow.tracking import MlflowClient
client = MlflowClient(sys.argv[1])
experiment = client.get_experiment_by_name("ijk-train")
runs = client.search_runs([experiment.experiment_id])
out = []
for run in runs:
    series = {k: [[m.step, m.value] for m in client.get_metric_history(run.info.run_id, k)]
              for k in run.data.metrics}
    files = {}
    for item in client.list_artifacts(run.info.run_id):
        path = client.download_artifacts(run.info.run_id, item.path)
        files[item.path] = open(path, "rb").read().hex()
    out.append({"name": run.info.run_name, "status": run.info.status, "params": run.data.params,
                "tags": run.data.tags, "series": series, "files": files})
print(json.dumps(out))
"#;

fn python() -> Option<PathBuf> {
    if let Ok(python) = std::env::var("IJK_MLFLOW_PYTHON") {
        return Some(python.into());
    }
    std::env::var_os("IJK_MLFLOW_INSTALL")?;
    let folder = std::env::temp_dir().join("ijk-mlflow-3.18.0");
    let python = folder.join("bin/python");
    let has = |p: &Path| {
        let import = Command::new(p).args(["-c", "import mlflow"]).stderr(Stdio::null()).status();
        import.is_ok_and(|s| s.success())
    };
    if !has(&python) {
        let quiet = |c: &mut Command| {
            c.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
        };
        let made = quiet(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        if !made || !quiet(Command::new(&python).args(["-m", "pip", "install", "-q", MLFLOW])) {
            return None;
        }
    }
    Some(python)
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // The server has workers of its own: the whole group goes.
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-9", "--", &group]).status();
        let _ = self.0.wait();
    }
}

fn serve(python: &Path, dir: &Path) -> Option<(Server, String)> {
    let port = std::net::TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
    let child = Command::new(python)
        .args(["-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"])
        .args(["--port", &port.to_string()])
        .arg("--backend-store-uri")
        .arg(format!("sqlite:///{}", dir.join("mlflow.db").display()))
        .arg("--artifacts-destination")
        .arg(dir.join("artifacts"))
        .env("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
        .current_dir(dir)
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let server = Server(child);
    // Half a minute of processor time, which a busy machine spreads over several.
    let until = Instant::now() + Duration::from_secs(600);
    while Instant::now() < until {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Some((server, format!("http://127.0.0.1:{port}")));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    None
}

fn ijk_train(dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ijk-train"));
    let output = command.current_dir(dir).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_mlflow_server_holds_what_the_store_holds() {
    let Some(python) = python() else {
        eprintln!(
            "skipped: neither IJK_MLFLOW_PYTHON nor IJK_MLFLOW_INSTALL=1, or no package index"
        );
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (_server, url) = serve(&python, dir.path()).expect("the server starts");
    std::fs::write(dir.path().join("f.toml"), "members = 1\n[train]\nepochs = 2\n").unwrap();
    let fit =
        ["fit", "--config", "f.toml", "--feed", "synth", "--sessions", "3", "--minutes", "60"];
    let rest = ["--no-baselines", "--out", "w.safetensors", "--mlflow", &url];
    ijk_train(dir.path(), &[&fit[..], &rest[..]].concat());
    let store: serde_json::Value =
        serde_json::from_str(&ijk_train(dir.path(), &["runs", "ls", "--json"])).unwrap();
    let entry = &store[0];
    // Twice: the second export finds the run and writes nothing.
    for _ in 0..2 {
        ijk_train(dir.path(), &["runs", "export", "--mlflow", &url, "--json"]);
    }
    let read = Command::new(&python).args(["-c", READ_BACK, &url]).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let runs: Vec<serde_json::Value> = serde_json::from_slice(&read.stdout).unwrap();
    assert_eq!(runs.len(), 2, "one live, one exported");
    for run in &runs {
        assert_eq!(run["status"], "FINISHED");
        assert_eq!(run["name"], "w");
        assert_eq!(run["params"], entry["params"]);
        for (k, v) in entry["tags"].as_object().unwrap() {
            assert_eq!(&run["tags"][k], v, "{k}");
        }
        for (k, v) in entry["metrics"].as_object().unwrap() {
            assert_eq!(run["series"][k], serde_json::json!([[0, v]]), "{k}");
        }
        let losses = run["series"]["m0.validation_loss"].as_array().unwrap();
        let kept = entry["series"]["m0.validation_loss"].as_array().unwrap();
        assert_eq!(losses.len(), kept.len());
        for (a, b) in losses.iter().zip(kept) {
            assert_eq!(a[0], b[0]);
            assert!((a[1].as_f64().unwrap() - b[1].as_f64().unwrap()).abs() < 1e-12);
        }
    }
    let exported = runs.iter().find(|r| !r["tags"]["ijk.entry"].is_null()).unwrap();
    for path in ["w.safetensors", "w.json", "w.md"] {
        let bytes = std::fs::read(dir.path().join(path)).unwrap();
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(exported["files"][path], hex, "{path}");
    }
}
