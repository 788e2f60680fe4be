//! Messages reach the systemd journal with their fields: a socket of journald's in a namespace of
//! its own, so that nothing of the machine is touched.

use ijk_tests::ijk;
use std::process::Command;

/// Listens where journald would, runs a command whose stderr is "the journal", prints what came.
const JOURNALD: &str = r#"
import json, os, socket, subprocess, sys
os.makedirs("/run/systemd/journal")
journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journal.bind("/run/systemd/journal/socket")
journal.settimeout(10)
ours, theirs = socket.socketpair()
stat = os.fstat(theirs.fileno())
env = dict(os.environ, JOURNAL_STREAM="%d:%d" % (stat.st_dev, stat.st_ino))
code = subprocess.run(sys.argv[1:], env=env, stderr=theirs, stdout=subprocess.DEVNULL).returncode
theirs.close()
data, fields = b"", {}
while not data:  # an empty one asks whether anybody is there
    data = journal.recv(65536)
while data:
    line, data = data.split(b"\n", 1)
    if b"=" in line:
        name, value = line.split(b"=", 1)
    else:
        length = int.from_bytes(data[:8], "little")
        name, value, data = line, data[8:8 + length], data[8 + length + 1:]
    fields[name.decode()] = value.decode()
print(json.dumps({"code": code, "fields": fields, "stderr": ours.recv(65536).decode()}))
"#;

#[test]
fn under_systemd_messages_go_to_the_journal_with_fields() {
    let mut command = Command::new("unshare");
    command
        .args(["--map-root-user", "--mount", "sh", "-c"])
        .arg("mount -t tmpfs none /run && exec python3 -c \"$0\" \"$@\"")
        .arg(JOURNALD)
        .arg(ijk())
        .args(["live", "--speed", "0"]);
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => return eprintln!("skipped: no unshare here: {error}"),
    };
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(!why.contains("Traceback"), "{why}");
        return eprintln!("skipped: no mount namespace here: {why}");
    }
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["code"], 2, "{told}");
    assert_eq!(told["stderr"], "", "once is enough: {told}");
    let fields = &told["fields"];
    assert_eq!(fields["SYSLOG_IDENTIFIER"], "ijk");
    assert_eq!(fields["IJK_EXIT_CODE"], "2");
    assert_eq!(fields["PRIORITY"], "3");
    let message = fields["MESSAGE"].as_str().unwrap();
    assert!(message.starts_with("--speed 0: expected"), "{message}");
}

#[test]
fn elsewhere_messages_are_lines_on_stderr() {
    let output = Command::new(ijk())
        .args(["live", "--speed", "0"])
        .env("JOURNAL_STREAM", "1:1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.starts_with("ijk: --speed 0: expected") && text.lines().count() == 1, "{text}");
}
