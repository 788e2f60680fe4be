//! What the commands say on stdout.

use std::io::Write;

/// Prints one JSON document on stdout. A closed pipe is not an error.
pub fn print_json(value: &serde_json::Value) {
    print_text(&format!("{value:#}\n"));
}

/// Prints text on stdout. A closed pipe is not an error.
pub fn print_text(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
