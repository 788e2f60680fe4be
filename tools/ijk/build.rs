//! Tells the binary which commit it was built from, where git knows.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=../../.git/HEAD");
    println!("cargo::rerun-if-changed=../../.git/logs/HEAD");
    let head = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    let commit = head.ok().filter(|o| o.status.success()).map(|o| o.stdout);
    let text = commit.and_then(|c| String::from_utf8(c).ok()).unwrap_or_default();
    println!("cargo::rustc-env=IJK_COMMIT={}", text.trim());
}
