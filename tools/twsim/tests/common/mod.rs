//! Python clients of others, installed from the package index into folders of the build.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// One installation at a time: two tests may want the same.
static INSTALLING: Mutex<()> = Mutex::new(());

/// Returns the Python of an environment with `packages`; `None`, with a message, where they
/// cannot be installed (no Python, no network).
pub fn python(packages: &[&str]) -> Option<PathBuf> {
    let _one = INSTALLING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let name = packages.join("_").replace("==", "-");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("venv-{name}"));
    let python = folder.join("bin/python");
    let done = folder.join("installed");
    if done.exists() {
        return Some(python);
    }
    let quiet = |command: &mut Command| {
        let run = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        run.is_ok_and(|s| s.success())
    };
    let made = quiet(Command::new("python3").args(["-m", "venv"]).arg(&folder));
    // The packages name exact versions of others that do not fit their own generated code.
    let pip = [
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        "--retries",
        "1",
        "--no-deps",
    ];
    let installed = made && quiet(Command::new(&python).args(pip).args(packages));
    if !installed {
        eprintln!("skipped: {} cannot be installed here", packages.join(", "));
        return None;
    }
    std::fs::write(done, "").expect("the build's folder takes a file");
    Some(python)
}

/// Returns a script of `scripts/interop`.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/interop").join(name)
}

/// Runs a command to its end, for two minutes at most.
pub fn run(command: &mut Command) -> Output {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let pid = child.id();
    let end = Instant::now() + Duration::from_secs(120);
    let watch = std::thread::spawn(move || {
        // Pipes are read by the waiting thread; this one only looks at the time.
        while Instant::now() < end && Path::new(&format!("/proc/{pid}/fd")).exists() {
            std::thread::sleep(Duration::from_millis(100));
        }
        if Instant::now() >= end {
            let _ = Command::new("kill").arg(pid.to_string()).status();
        }
    });
    let stdout = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(mut out) = stdout {
            let _ = std::io::Read::read_to_end(&mut out, &mut text);
        }
        text
    });
    let mut output = child.wait_with_output().expect("the command ends");
    output.stdout = reader.join().unwrap_or_default();
    let _ = watch.join();
    output
}
