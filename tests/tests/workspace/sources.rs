//! Finds the files the rules apply to.

use std::fs;
use std::path::{Path, PathBuf};

/// A text file and its name relative to the workspace.
pub struct Source {
    /// Path with `/`, relative to the workspace.
    pub name: String,
    /// Content.
    pub text: String,
}

/// Returns the workspace's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests is a folder").to_path_buf()
}

/// Returns all Rust sources.
pub fn rust_files() -> Vec<Source> {
    collect(&["rs"])
}

/// Returns everything a person wrote: sources, documents, scripts, settings.
pub fn text_files() -> Vec<Source> {
    collect(&["rs", "md", "toml", "py", "sh", "yml", "yaml", "service", "html"])
}

fn collect(extensions: &[&str]) -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    let folders =
        ["kernel", "data", "models", "calib", "tools", "tests", "benches", "docs", "scripts"];
    for folder in folders {
        walk(&root.join(folder), &root, extensions, &mut found);
    }
    for top in ["Cargo.toml", "README.md"] {
        let ending = Path::new(top).extension().and_then(|e| e.to_str()).unwrap_or_default();
        if extensions.contains(&ending) {
            push(&root.join(top), &root, &mut found);
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn walk(folder: &Path, root: &Path, extensions: &[&str], found: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            // Build results, virtual environments and runs are nobody's writing.
            if name != "target" && name != "runs" && !name.starts_with('.') {
                walk(&path, root, extensions, found);
            }
        } else if path.extension().is_some_and(|e| extensions.iter().any(|x| e == *x)) {
            push(&path, root, found);
        }
    }
}

fn push(path: &Path, root: &Path, found: &mut Vec<Source>) {
    // A file that vanishes while being edited elsewhere is no offence.
    let Ok(bytes) = fs::read(path) else { return };
    let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/");
    found.push(Source { name, text: String::from_utf8_lossy(&bytes).into_owned() });
}
