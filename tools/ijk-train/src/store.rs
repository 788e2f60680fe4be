//! The local store of runs: a file that only grows, one JSON document a line. Every line names
//! the SHA-256 of the line before it, so a line that was changed or removed shows.

use crate::exit::{DATA, Exit, USAGE};
use ijk_models::session::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Name of the file in the store's folder.
const FILE: &str = "runs.jsonl";

/// One entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Number of the entry, from 1.
    pub id: u64,
    /// ISO 8601.
    pub created: String,
    /// `fit`, `compare` or `champion`.
    pub kind: String,
    /// Name: of the weights file, without folder.
    pub name: String,
    /// Settings as text.
    pub params: BTreeMap<String, String>,
    /// Numbers.
    pub metrics: BTreeMap<String, f64>,
    /// Free text: hashes, command, data.
    pub tags: BTreeMap<String, String>,
    /// Series of losses by epoch, and the like: step and value.
    #[serde(default)]
    pub series: BTreeMap<String, Vec<(u64, f64)>>,
    /// Returns after costs on data that no part of the fit saw, stretch by stretch.
    #[serde(default)]
    pub returns: Vec<f64>,
    /// Files that belong to it, with their SHA-256.
    pub artifacts: BTreeMap<String, String>,
    /// SHA-256 of the line before, empty for the first.
    pub previous: String,
}

/// A store in a folder.
#[derive(Clone, Debug)]
pub struct Store {
    path: PathBuf,
}

impl Store {
    /// Returns the store in `folder`; nothing is touched yet.
    pub fn new(folder: &Path) -> Store {
        Store { path: folder.join(FILE) }
    }

    /// Reads every entry and checks the chain. A store that does not exist has none.
    ///
    /// # Errors
    /// Exit code 3 naming the line that is no entry or breaks the chain.
    pub fn read(&self) -> Result<Vec<Entry>, Exit> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Exit::file(USAGE, &self.path, e)),
        };
        let mut entries: Vec<Entry> = Vec::new();
        let mut previous = String::new();
        for (i, line) in text.lines().enumerate() {
            let bad =
                |what: String| Exit::file(DATA, &self.path, format!("line {}: {what}", i + 1));
            let entry: Entry = serde_json::from_str(line).map_err(|e| bad(e.to_string()))?;
            if entry.previous != previous || entry.id != i as u64 + 1 {
                return Err(bad("does not follow the line before it: the file was changed".into()));
            }
            previous = hex(&Sha256::digest(line));
            entries.push(entry);
        }
        Ok(entries)
    }

    /// Appends an entry, whose number and link it sets, and returns it.
    ///
    /// # Errors
    /// As [`Store::read`]; exit code 2 where the file cannot be written.
    pub fn append(&self, mut entry: Entry) -> Result<Entry, Exit> {
        let entries = self.read()?;
        let fail = |e: std::io::Error| Exit::file(USAGE, &self.path, e);
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(fail)?;
        }
        entry.id = entries.len() as u64 + 1;
        entry.previous = match std::fs::read_to_string(&self.path) {
            Ok(text) => text.lines().last().map(|l| hex(&Sha256::digest(l))).unwrap_or_default(),
            Err(_) => String::new(),
        };
        let line = serde_json::to_string(&entry).map_err(|e| Exit::new(70, e))?;
        let mut file =
            OpenOptions::new().create(true).append(true).open(&self.path).map_err(fail)?;
        file.write_all(format!("{line}\n").as_bytes()).map_err(fail)?;
        file.sync_all().map_err(fail)?;
        Ok(entry)
    }
}

/// Returns the entry with this number.
///
/// # Errors
/// Exit code 2 where there is none.
pub fn find(entries: &[Entry], id: u64) -> Result<&Entry, Exit> {
    let found = entries.iter().find(|e| e.id == id);
    found.ok_or_else(|| Exit::new(USAGE, format!("no run {id}; `runs ls` shows those there are")))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn entry(name: &str, returns: Vec<f64>) -> Entry {
        let map = |k: &str, v: &str| BTreeMap::from([(k.to_owned(), v.to_owned())]);
        Entry {
            id: 0,
            created: "2026-01-01T00:00:00Z".into(),
            kind: "fit".into(),
            name: name.into(),
            params: map("train.epochs", "5"),
            metrics: BTreeMap::from([("h5.log_loss".into(), 1.0625)]),
            tags: map("command", "ijk-train fit"),
            series: BTreeMap::from([("m0.loss".into(), vec![(1, 1.5), (2, 1.25)])]),
            returns,
            artifacts: BTreeMap::new(),
            previous: String::new(),
        }
    }

    #[test]
    fn entries_come_back_and_a_change_shows() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(&dir.path().join("runs"));
        assert_eq!(store.read().unwrap(), []);
        for name in ["a", "b", "c"] {
            store.append(entry(name, vec![0.5, -0.25])).unwrap();
        }
        let entries = store.read().unwrap();
        assert_eq!(entries.iter().map(|e| e.id).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(entries[1].metrics["h5.log_loss"], 1.0625);
        assert_eq!(find(&entries, 2).unwrap().name, "b");
        assert_eq!(find(&entries, 9).unwrap_err().code, USAGE);
        let text = std::fs::read_to_string(&store.path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let hostile = [
            text.replacen("1.0625", "1.0000", 1),
            format!("{}\n{}\n", lines[0], lines[2]),
            format!("{}\n", lines[1]),
            text.replacen("\"kind\"", "\"sort\"", 1),
            format!("{text}{{"),
        ];
        for bad in hostile {
            std::fs::write(&store.path, bad).unwrap();
            let e = store.read().unwrap_err();
            assert!(e.code == DATA && e.message.contains("line"), "{}", e.message);
            assert!(store.append(entry("d", Vec::new())).is_err(), "nothing is built on it");
        }
    }
}
