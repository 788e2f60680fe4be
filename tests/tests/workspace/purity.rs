//! What the decision path must not touch: clocks, threads, chance, hash order. Replay depends on
//! it.

use crate::lexer;
use crate::sources::Source;

/// Crates whose sources are pure; the journal's writer waits for the system but reads no clock.
const PURE: &[&str] = &[
    "kernel/core/src/",
    "kernel/market/src/",
    "kernel/infer/src/",
    "kernel/sizing/src/",
    "kernel/execution/src/",
    "kernel/risk/src/",
    "kernel/venue/src/",
    "kernel/journal/src/",
    "kernel/engine/src/",
];
/// The pinned runtime around the decision core: threads and stage clocks live there.
const RUNTIME: &str = "kernel/engine/src/runtime/";
const BANNED: &[&str] = &[
    "SystemTime",
    "Instant::now",
    "thread::spawn",
    "thread::Builder",
    "thread::scope",
    "rand::",
    "HashMap",
    "HashSet",
];

/// Returns mentions of what pure code must not touch, outside `#[cfg(test)]`.
pub fn offences(source: &Source) -> Vec<String> {
    let name = &source.name;
    // A folder of tests belongs to a `#[cfg(test)] mod tests;`.
    let test_file = name.contains("/tests/") || name.ends_with("/tests.rs");
    if !PURE.iter().any(|p| name.starts_with(p)) || name.starts_with(RUNTIME) || test_file {
        return Vec::new();
    }
    let lines = lexer::lines(&source.text);
    let test = lexer::test_lines(&lines);
    let mut found = Vec::new();
    for (i, line) in lines.iter().enumerate().filter(|(i, _)| !test[*i]) {
        for word in BANNED {
            if lexer::has_word(&line.code, word) {
                found.push(format!("{name}:{}: {word}", i + 1));
            }
        }
    }
    found
}

#[test]
fn impure_code_is_found() {
    let check = |name: &str, text: &str| {
        offences(&Source { name: name.to_string(), text: text.to_string() })
    };
    let text = "// HashMap\nuse std::collections::HashMap;\n#[cfg(test)]\nmod tests {\n\
                use std::time::SystemTime;\n}\nlet t = std::time::Instant::now();\n";
    assert_eq!(
        check("kernel/market/src/a.rs", text),
        ["kernel/market/src/a.rs:2: HashMap", "kernel/market/src/a.rs:7: Instant::now"]
    );
    assert_eq!(check("kernel/engine/src/decision/a.rs", text).len(), 2);
    assert_eq!(check("kernel/engine/src/runtime/a.rs", text), [""; 0]);
    assert_eq!(check("kernel/market/src/tests/a.rs", text), [""; 0]);
    assert_eq!(check("tools/ijk/src/a.rs", text), [""; 0]);
}
