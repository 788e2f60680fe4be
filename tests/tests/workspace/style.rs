//! Lengths, and words that say something is unfinished.

use crate::lexer::{self, Line};
use crate::sources::Source;

const COLUMN_COUNT_MAX: usize = 100;
const FILE_LINE_COUNT_MAX: usize = 600;
const FUNCTION_LINE_COUNT_MAX: usize = 70;

/// Returns lines, functions and files that are too long.
pub fn lengths(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let name = &source.name;
    for (i, line) in source.text.lines().enumerate() {
        let columns = line.chars().count();
        if columns > COLUMN_COUNT_MAX {
            found.push(format!("{name}:{}: {columns} columns", i + 1));
        }
    }
    let count = source.text.lines().count();
    if count > FILE_LINE_COUNT_MAX {
        found.push(format!("{name}: {count} lines"));
    }
    for (start, function, count) in functions(&lexer::lines(&source.text)) {
        if count > FUNCTION_LINE_COUNT_MAX {
            found.push(format!("{name}:{}: fn {function} has {count} lines", start + 1));
        }
    }
    found
}

/// Returns first line, name and line count of every function with a body.
fn functions(lines: &[Line]) -> Vec<(usize, String, usize)> {
    let mut found = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        if !lexer::has_word(&line.code, "fn") {
            continue;
        }
        let Some((before, after)) = line.code.split_once("fn ") else { continue };
        let name: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        // `fn(u8)` is a type; a name follows a declaration's `fn`.
        if name.is_empty() || before.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        found.push((i, name, lexer::item_end(lines, i) - i + 1));
    }
    found
}

/// Returns placeholders left in a source or document. The words are put together here so that
/// this file does not hold them.
pub fn unfinished(source: &Source) -> Vec<String> {
    let words = [
        ["to", "do!"].concat(),
        ["unimple", "mented!"].concat(),
        ["db", "g!"].concat(),
        ["FIX", "ME"].concat(),
    ];
    let mut found = Vec::new();
    for (i, line) in source.text.lines().enumerate() {
        for word in &words {
            if lexer::has_word(line, word) {
                found.push(format!("{}:{}: {word}", source.name, i + 1));
            }
        }
    }
    found
}

#[cfg(test)]
fn source(text: String) -> Source {
    Source { name: "a.rs".to_string(), text }
}

#[test]
fn long_things_are_found() {
    let fits = format!("fn f(\n    x: [u8; 2],\n) {{\n{}}}\n", "    x();\n".repeat(66));
    assert_eq!(lengths(&source(fits.clone())), [""; 0]);
    let long = fits.replacen("    x();\n", "    let s = \"}\"; // }\n    if y { x() }\n", 1);
    assert_eq!(lengths(&source(long)), ["a.rs:1: fn f has 71 lines"]);
    let wide = format!("// {}\n", "é".repeat(98));
    assert_eq!(lengths(&source(wide)), ["a.rs:1: 101 columns"]);
    assert_eq!(lengths(&source("//\n".repeat(601))), ["a.rs: 601 lines"]);
    let pointers = "type F = fn (u8);\nconst G: fn() = h;\ntrait T {\n    fn t();\n}\n";
    let counted = functions(&lexer::lines(pointers));
    assert_eq!(counted, [(3, "t".to_string(), 1)]);
}

#[test]
fn placeholders_are_found() {
    let text =
        format!("ok\n    {}()\n// {}: later\n", ["to", "do!"].concat(), ["FIX", "ME"].concat());
    assert_eq!(unfinished(&source(text)).len(), 2);
    assert_eq!(unfinished(&source("my_todo_list, todo = \"deny\"".to_string())), [""; 0]);
}
