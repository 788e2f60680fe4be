//! The unit and its installer: installed into a folder, twice, judged by systemd's own tools
//! where they are, and taken away again.

use ijk_tests::{ijk, root};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;

/// Exposure above which the unit is refused, in tenths.
const EXPOSURE_TENTHS_MAX: &str = "10";

fn install(destination: &Path, more: &[&str]) -> Output {
    Command::new(root().join("scripts/install.sh"))
        .arg("--destdir")
        .arg(destination)
        .arg("--binary")
        .arg(ijk())
        .args(more)
        .output()
        .expect("bash runs")
}

fn installed(destination: &Path, more: &[&str]) -> String {
    let output = install(destination, more);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Every file with its length and time.
fn tree(folder: &Path) -> BTreeMap<PathBuf, (u64, SystemTime)> {
    let mut found = BTreeMap::new();
    super::walk(folder, &mut |path, bytes| {
        let modified = path.metadata().unwrap().modified().unwrap();
        found.insert(path.to_path_buf(), (bytes.len() as u64, modified));
    });
    found
}

#[test]
fn twice_is_once_and_settings_stay_yours() {
    let dir = tempfile::tempdir().unwrap();
    let d = dir.path();
    assert!(installed(d, &["--cores", "0,2,3"]).contains("ijk.service"));
    for name in [
        "usr/local/bin/ijk",
        "usr/local/share/man/man1/ijk.1",
        "usr/local/share/doc/ijk/operating.md",
        "usr/lib/sysusers.d/ijk.conf",
        "etc/systemd/system/ijk.service",
        "etc/systemd/system/ijk.service.d/10-cores.conf",
        "etc/ijk/credentials/account",
    ] {
        assert!(d.join(name).is_file(), "{name}");
    }
    let text = |name: &str| std::fs::read_to_string(d.join(name)).unwrap();
    assert!(text("etc/systemd/system/ijk.service.d/10-cores.conf").contains("CPUAffinity=0 2 3"));
    let settings = text("etc/ijk/ijk.toml");
    assert!(settings.contains("kernel_core = 2") && settings.contains("feed_core = 3"));
    let check = Command::new(ijk())
        .args(["config", "check"])
        .arg(d.join("etc/ijk/ijk.toml"))
        .output()
        .unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    let before = tree(d);
    assert_eq!(installed(d, &["--cores", "0,2,3"]), "", "nothing to do the second time");
    assert_eq!(tree(d), before);
    std::fs::write(d.join("etc/ijk/ijk.toml"), "# mine\n").unwrap();
    std::fs::write(d.join("etc/ijk/credentials/gateway"), "address = \"x\"\n").unwrap();
    installed(d, &[]);
    assert_eq!(text("etc/ijk/ijk.toml"), "# mine\n");
    assert_eq!(text("etc/ijk/credentials/gateway"), "address = \"x\"\n");
    for _ in 0..2 {
        installed(d, &["--uninstall"]);
        let left: Vec<_> =
            tree(d).into_keys().map(|p| p.strip_prefix(d).unwrap().to_path_buf()).collect();
        let names: Vec<&str> = left.iter().map(|p| p.to_str().unwrap()).collect();
        assert_eq!(
            names,
            [
                "etc/ijk/credentials/account",
                "etc/ijk/credentials/gateway",
                "etc/ijk/ijk.env",
                "etc/ijk/ijk.toml"
            ]
        );
    }
}

#[test]
fn what_it_does_not_understand_it_does_not_do() {
    let dir = tempfile::tempdir().unwrap();
    for bad in [&["--prefx", "/x"][..], &["--prefix"], &["--prefix", "x"], &["--cores", "a-b"]] {
        let output = install(dir.path(), bad);
        assert_eq!(output.status.code(), Some(2), "{bad:?}");
        assert!(!output.stderr.is_empty());
    }
    assert!(tree(dir.path()).is_empty());
}

#[test]
fn the_unit_keeps_its_promises_and_passes_systemds_judgement() {
    let dir = tempfile::tempdir().unwrap();
    let d = dir.path();
    installed(d, &[]);
    let unit = d.join("etc/systemd/system/ijk.service");
    let text = std::fs::read_to_string(&unit).unwrap();
    for line in [
        "Type=notify",
        "WatchdogSec=2s",
        "Restart=on-failure",
        "RestartPreventExitStatus=78",
        "ExecStopPost=/usr/local/bin/ijk cancel-all --if-any",
        "LoadCredential=account:/etc/ijk/credentials/account",
        "LimitMEMLOCK=infinity",
        "StateDirectory=ijk",
        "LogsDirectory=ijk",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}");
    }
    assert!(!text.contains('@') || !text.contains("@PREFIX@"), "a placeholder is left");
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else {
        return eprintln!("skipped: no systemd-analyze here; the unit's exposure is not judged");
    };
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let exposure = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager"])
        .arg(format!("--threshold={EXPOSURE_TENTHS_MAX}"))
        .arg(&unit)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&exposure.stdout);
    let last = said.lines().last().unwrap_or_default();
    assert!(exposure.status.success(), "{version}{last}");
    println!("{last}");
    // The command must be there for `verify`: the one under test is.
    let real = text.replace("/usr/local/bin/ijk", ijk().to_str().unwrap());
    let copy = d.join("ijk.service");
    std::fs::write(&copy, real).unwrap();
    let verified = Command::new("systemd-analyze").arg("verify").arg(&copy).output().unwrap();
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && !said.contains("ijk.service"), "{version}{said}");
}

#[test]
fn the_judge_sees_an_open_unit() {
    let dir = tempfile::tempdir().unwrap();
    installed(dir.path(), &[]);
    let unit = dir.path().join("etc/systemd/system/ijk.service");
    let text = std::fs::read_to_string(&unit).unwrap().replace("ProtectSystem=strict\n", "");
    std::fs::write(&unit, text).unwrap();
    let judged = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager"])
        .arg(format!("--threshold={EXPOSURE_TENTHS_MAX}"))
        .arg(&unit)
        .output();
    match judged {
        Ok(judged) => assert!(!judged.status.success(), "a weaker unit passes"),
        Err(_) => eprintln!("skipped: no systemd-analyze here"),
    }
}
