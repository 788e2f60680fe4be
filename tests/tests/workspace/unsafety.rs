//! Where unsafe code may stand, and that it says why it is sound.

use crate::lexer::{self, Line};
use crate::sources::Source;

/// Files and folders that may hold unsafe code: the interfaces of system and driver, vector
/// instructions, a ring's memory that is written once, and the test doubles of the concurrency
/// checker, whose plain memory must be able to race so that a checker can see that nothing does.
const ALLOWED: &[&str] = &[
    "kernel/journal/src/uring.rs",
    "kernel/engine/src/runtime/alloc.rs",
    "kernel/engine/src/runtime/counters.rs",
    "kernel/engine/src/runtime/entry.rs",
    "kernel/infer/src/simd.rs",
    "kernel/infer/src/cuda/raw.rs",
    "kernel/engine/src/runtime/affinity.rs",
    "kernel/infer/src/kernels/",
    "tests/concurrency/src/loom_world.rs",
    "tests/concurrency/src/threads.rs",
];
/// Lines above an unsafe word in which its reason must begin.
const REACH: usize = 12;

/// Returns unsafe code outside the allowed files or without its reason.
pub fn offences(source: &Source) -> Vec<String> {
    let allowed = ALLOWED
        .iter()
        .any(|a| source.name == *a || (a.ends_with('/') && source.name.starts_with(a)));
    let lines = lexer::lines(&source.text);
    let mut found = Vec::new();
    // Inside an unsafe impl the trait says what callers of its unsafe functions promise.
    let mut impl_end = None;
    for (i, line) in lines.iter().enumerate() {
        if !lexer::has_word(&line.code, "unsafe") {
            continue;
        }
        if line.code.contains("unsafe impl") {
            impl_end = Some(lexer::item_end(&lines, i));
        } else if impl_end.is_some_and(|end| i <= end) && line.code.contains("unsafe fn") {
            continue;
        }
        let place = format!("{}:{}", source.name, i + 1);
        if !allowed {
            found.push(format!("{place}: unsafe code in a file that must not have any"));
        } else if !has_reason(&lines, i) {
            found.push(format!("{place}: unsafe code without a SAFETY comment"));
        }
    }
    found
}

/// Returns whether a reason (`SAFETY:`, or `# Safety` of a declaration) stands on the line or in
/// the comments and attributes right above its statement.
fn has_reason(lines: &[Line], at: usize) -> bool {
    let gives_reason = |line: &Line| {
        line.comment.contains("SAFETY:")
            || line.comment.trim().trim_start_matches('/').trim() == "# Safety"
    };
    if gives_reason(&lines[at]) {
        return true;
    }
    for line in lines[at.saturating_sub(REACH)..at].iter().rev() {
        if gives_reason(line) {
            return true;
        }
        // Another item or statement ended here: what stands above is not about this one.
        let code = line.code.trim_end();
        if line.comment.is_empty()
            && (code.ends_with('}') || code.ends_with(';') || code.is_empty())
        {
            return false;
        }
    }
    false
}

#[cfg(test)]
fn check(name: &str, text: &str) -> Vec<String> {
    offences(&Source { name: name.to_string(), text: text.to_string() })
}

#[test]
fn offending_unsafe_code_is_found() {
    let journal = "kernel/journal/src/uring.rs";
    let good = "// SAFETY: it is.\n// Truly.\nlet x =\n    unsafe { y() };\n";
    assert_eq!(check(journal, good), [""; 0]);
    let declared = "/// Does.\n///\n/// # Safety\n/// Never.\n#[inline]\npub unsafe fn x() {}\n";
    assert_eq!(check("kernel/infer/src/kernels/avx2.rs", declared), [""; 0]);
    assert_eq!(check("kernel/core/src/lib.rs", "#![forbid(unsafe_code)] // unsafe\n"), [""; 0]);
    let of_trait =
        "// SAFETY: so.\nunsafe impl T for X {\n    fn a() {}\n    unsafe fn b() {}\n}\n";
    assert_eq!(check(journal, of_trait), [""; 0]);
    assert_eq!(check(journal, &format!("{of_trait}unsafe fn c() {{}}\n")).len(), 1);
    let elsewhere = "kernel/core/src/num.rs";
    assert_eq!(
        check(elsewhere, good),
        ["kernel/core/src/num.rs:4: unsafe code in a file that must not have any"]
    );
    let without = "// SAFETY: of the first.\nunsafe { a() };\nunsafe { b() };\n";
    assert_eq!(
        check(journal, without),
        ["kernel/journal/src/uring.rs:3: unsafe code without a SAFETY comment"]
    );
}
