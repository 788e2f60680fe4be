//! Which crate may depend on which: the table of docs/decisions/0001.

use crate::sources;
use std::collections::BTreeSet;
use std::fs;
use toml::{Table, Value};

/// One member of the workspace.
pub struct Member {
    name: String,
    manifest: Table,
}

/// Any of our crates.
const ANY: &[&str] = &["*"];
/// Every member and which of our crates it may use; all may use `ijk-core`.
const ALLOWED: &[(&str, &[&str])] = &[
    ("ijk-core", &[]),
    ("ijk-market", &[]),
    ("ijk-infer", &[]),
    ("ijk-sizing", &[]),
    ("ijk-execution", &[]),
    ("ijk-risk", &[]),
    ("ijk-journal", &[]),
    ("ijk-venue", &["ijk-market", "ijk-risk"]),
    ("ijk-engine", KERNEL),
    ("ijk-data", &[]),
    ("ijk-models", &["ijk-data", "ijk-infer", "ijk-market"]),
    ("ijk-calib", CALIBRATION),
    ("ijk", ANY),
    (
        "ijk-train",
        &["ijk-models", "ijk-data", "ijk-infer", "ijk-market", "ijk-engine", "ijk-venue"],
    ),
    ("ijk-ibkr", &["ijk-venue"]),
    ("ijk-twsim", &["ijk-data", "ijk-market"]),
    ("ijk-tests", ANY),
    ("ijk-benches", ANY),
];
const KERNEL: &[&str] = &[
    "ijk-market",
    "ijk-infer",
    "ijk-sizing",
    "ijk-execution",
    "ijk-risk",
    "ijk-journal",
    "ijk-venue",
];
/// Calibration replays simulated orders through the whole kernel.
const CALIBRATION: &[&str] = &[
    "ijk-data",
    "ijk-engine",
    "ijk-execution",
    "ijk-journal",
    "ijk-market",
    "ijk-sizing",
    "ijk-venue",
];
/// Who may depend on the training crate, and so on Burn.
const TRAINING: &[&str] = &["ijk-train"];
/// Crates of others that only edge crates may name, and which of ours may.
const EDGE: &[&str] = &[
    "ijk-data",
    "ijk-models",
    "ijk-calib",
    "ijk",
    "ijk-train",
    "ijk-ibkr",
    "ijk-twsim",
    "ijk-tests",
    "ijk-benches",
];
const HEAVY: &[(&str, &[&str])] = &[
    ("parquet", EDGE),
    ("dbn", EDGE),
    ("clap", EDGE),
    ("tokio", EDGE),
    ("ibapi", &["ijk-ibkr", "ijk-twsim"]),
    ("burn", &["ijk-models"]),
    ("cudarc", &["ijk-infer", "ijk-models"]),
];

/// Reads every member's manifest.
pub fn members() -> Vec<Member> {
    let root = sources::root();
    let read = |path: std::path::PathBuf| -> Table {
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        text.parse().unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    };
    let workspace = read(root.join("Cargo.toml"));
    let listed = workspace["workspace"]["members"].as_array().expect("a list of members");
    listed
        .iter()
        .map(|folder| {
            let folder = folder.as_str().expect("a folder");
            let manifest = read(root.join(folder).join("Cargo.toml"));
            let name = manifest["package"]["name"].as_str().expect("a name").to_string();
            Member { name, manifest }
        })
        .collect()
}

impl Member {
    /// Returns section, name and value of each dependency, those of targets included.
    fn dependencies(&self) -> Vec<(&'static str, &str, &Value)> {
        const SECTIONS: [&str; 3] = ["dependencies", "build-dependencies", "dev-dependencies"];
        let mut tables = vec![&self.manifest];
        if let Some(targets) = self.manifest.get("target").and_then(Value::as_table) {
            tables.extend(targets.values().filter_map(Value::as_table));
        }
        let mut found = Vec::new();
        for section in SECTIONS {
            for table in &tables {
                let Some(entries) = table.get(section).and_then(Value::as_table) else { continue };
                found.extend(entries.iter().map(|(name, value)| (section, name.as_str(), value)));
            }
        }
        found
    }
}

/// Returns offences against the table. Tests (`dev-dependencies`) may use any of our crates as an
/// oracle, except the training crate.
pub fn direction(members: &[Member]) -> Vec<String> {
    let ours: BTreeSet<&str> = members.iter().map(|m| m.name.as_str()).collect();
    let mut offences = Vec::new();
    for (name, _) in ALLOWED {
        if !ours.contains(name) {
            offences.push(format!("{name} is in the table but no member"));
        }
    }
    for member in members {
        let name = member.name.as_str();
        let Some((_, allowed)) = ALLOWED.iter().find(|(n, _)| *n == name) else {
            offences.push(format!("{name} is a member but not in the table"));
            continue;
        };
        for (section, on, _) in member.dependencies() {
            if !ours.contains(on) || on == "ijk-core" {
                continue;
            }
            let training = on == "ijk-models" && !TRAINING.contains(&name);
            let listed = *allowed == ANY || allowed.contains(&on);
            if training || !(listed || section == "dev-dependencies") {
                offences.push(format!("{name} must not depend on {on} ({section})"));
            }
        }
    }
    offences
}

/// Returns uses of heavy crates outside the edge.
pub fn edge(members: &[Member]) -> Vec<String> {
    let mut offences = Vec::new();
    for member in members {
        for (section, on, _) in member.dependencies() {
            let family = |heavy: &str| on == heavy || on.starts_with(&format!("{heavy}-"));
            for (heavy, may) in HEAVY {
                if family(heavy) && !may.contains(&member.name.as_str()) {
                    offences.push(format!("{} must not name {on} ({section})", member.name));
                }
            }
        }
    }
    offences
}

/// Returns dependencies that do not come from `[workspace.dependencies]`.
pub fn inherited(members: &[Member]) -> Vec<String> {
    let mut offences = Vec::new();
    for member in members {
        for (section, on, value) in member.dependencies() {
            let inherits = value.get("workspace").and_then(Value::as_bool) == Some(true);
            if !inherits {
                offences.push(format!("{}: {section}.{on} has its own version", member.name));
            }
        }
    }
    offences
}

#[cfg(test)]
fn member(text: &str) -> Member {
    let manifest: Table = text.parse().unwrap();
    let name = manifest["package"]["name"].as_str().unwrap().to_string();
    Member { name, manifest }
}

#[test]
fn offending_manifests_are_found() {
    let market = member(
        "[package]\nname = \"ijk-market\"\n[dependencies]\nijk-engine = { workspace = true }\n\
         clap = \"4\"\n[target.'cfg(unix)'.dependencies]\nburn-flex = { workspace = true }\n\
         [dev-dependencies]\nijk-engine = { workspace = true }\nijk-models.workspace = true\n",
    );
    let engine = member("[package]\nname = \"ijk-engine\"\n");
    let models = member("[package]\nname = \"ijk-models\"\n");
    let stray = member("[package]\nname = \"ijk-stray\"\n");
    let members = [market, engine, models, stray];
    let found = direction(&members);
    for expected in [
        "ijk-market must not depend on ijk-engine (dependencies)",
        "ijk-market must not depend on ijk-models (dev-dependencies)",
        "ijk-stray is a member but not in the table",
        "ijk-core is in the table but no member",
    ] {
        assert!(found.iter().any(|f| f == expected), "{expected}: {found:?}");
    }
    assert!(!found.iter().any(|f| f.contains("ijk-engine (dev-dependencies)")), "{found:?}");
    assert_eq!(
        edge(&members),
        [
            "ijk-market must not name clap (dependencies)",
            "ijk-market must not name burn-flex (dependencies)"
        ]
    );
    assert_eq!(inherited(&members), ["ijk-market: dependencies.clap has its own version"]);
}
