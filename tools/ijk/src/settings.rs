//! Settings: defaults, file, flags; unknown keys are refused with the nearest known name.

use crate::exit::Exit;
use ijk_core::Config;
use std::collections::BTreeSet;
use std::path::Path;
use toml::{Table, Value};

/// Keys an `[[instrument]]` may have; all are optional but the symbol.
const INSTRUMENT_KEYS: [&str; 7] =
    ["symbol", "tick", "lot", "currency", "session_open", "session_close", "session_tz"];

/// Settings with the origin of each key.
#[derive(Debug)]
pub struct Settings {
    /// Effective settings.
    pub config: Config,
    /// Dotted names of keys that the file set.
    pub from_file: BTreeSet<String>,
}

/// Loads settings from a file, or the defaults.
///
/// # Errors
/// Exit code 2 with file, line, key and the nearest known key.
pub fn load(path: Option<&Path>) -> Result<Settings, Exit> {
    let Some(path) = path else {
        return Ok(Settings { config: Config::default(), from_file: BTreeSet::new() });
    };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|e| Exit::usage(format!("{name}: cannot read settings: {e}")))?;
    parse(&name, &text)
}

/// Parses settings text; `name` is used in messages.
///
/// # Errors
/// As [`load`].
pub fn parse(name: &str, text: &str) -> Result<Settings, Exit> {
    let table: Table =
        text.parse().map_err(|e| Exit::usage(format!("{name}: not valid TOML: {e}")))?;
    let known = known_table();
    let mut from_file = BTreeSet::new();
    check_keys(name, text, &table, &known, "", &mut from_file)?;
    let config: Config = toml::from_str(text).map_err(|e| Exit::usage(format!("{name}: {e}")))?;
    Ok(Settings { config, from_file })
}

fn known_table() -> Table {
    match Value::try_from(Config::default()) {
        Ok(Value::Table(table)) => table,
        _ => unreachable!("Invariant: default settings serialize to a table."),
    }
}

fn check_keys(
    name: &str,
    text: &str,
    table: &Table,
    known: &Table,
    prefix: &str,
    seen: &mut BTreeSet<String>,
) -> Result<(), Exit> {
    for (key, value) in table {
        let dotted = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        if dotted == "instrument" {
            check_instruments(name, text, value)?;
            seen.insert(dotted);
            continue;
        }
        match (known.get(key), value) {
            (None, _) => {
                let names = known.keys().map(String::as_str);
                return Err(unknown_key(name, text, key, &dotted, names));
            }
            (Some(Value::Table(inner)), Value::Table(table)) => {
                check_keys(name, text, table, inner, &dotted, seen)?;
            }
            (Some(_), _) => {
                seen.insert(dotted);
            }
        }
    }
    Ok(())
}

fn check_instruments(name: &str, text: &str, value: &Value) -> Result<(), Exit> {
    let tables = value.as_array().into_iter().flatten().filter_map(Value::as_table);
    for key in tables.flat_map(Table::keys) {
        if !INSTRUMENT_KEYS.contains(&key.as_str()) {
            let dotted = format!("instrument.{key}");
            return Err(unknown_key(name, text, key, &dotted, INSTRUMENT_KEYS.into_iter()));
        }
    }
    Ok(())
}

fn unknown_key<'a>(
    name: &str,
    text: &str,
    key: &str,
    dotted: &str,
    known: impl Iterator<Item = &'a str>,
) -> Exit {
    let line = text
        .lines()
        .position(|l| l.trim_start().trim_start_matches('[').trim_start().starts_with(key))
        .map_or(0, |i| i + 1);
    let nearest =
        known.max_by(|a, b| strsim::jaro_winkler(a, key).total_cmp(&strsim::jaro_winkler(b, key)));
    let hint = nearest.map(|n| format!("; nearest known key: '{n}'")).unwrap_or_default();
    Exit::usage(format!("{name}:{line}: unknown key '{dotted}'{hint}"))
}

/// Returns every effective key as (dotted name, value as TOML, origin).
pub fn effective(settings: &Settings) -> Vec<(String, String, &'static str)> {
    let mut rows = Vec::new();
    if let Ok(Value::Table(table)) = Value::try_from(settings.config.clone()) {
        flatten(&table, "", settings, &mut rows);
    }
    rows
}

fn flatten(
    table: &Table,
    prefix: &str,
    settings: &Settings,
    rows: &mut Vec<(String, String, &'static str)>,
) {
    for (key, value) in table {
        let dotted = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(inner) => flatten(inner, &dotted, settings, rows),
            other => {
                let origin = if settings.from_file.contains(&dotted) { "file" } else { "default" };
                rows.push((dotted, other.to_string(), origin));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_survive_their_own_serialization() {
        let text = toml::to_string(&Config::default()).unwrap();
        assert_eq!(parse("x", &text).unwrap().config, Config::default());
    }

    #[test]
    fn an_unknown_key_names_line_and_nearest_key() {
        let error = parse("f.toml", "[risk]\nmax_order_notional_us = 5.0\n").unwrap_err();
        assert_eq!(error.code, crate::exit::USAGE);
        assert_eq!(
            error.message,
            "f.toml:2: unknown key 'risk.max_order_notional_us'; nearest known key: \
             'max_order_notional_usd'"
        );
        let error = parse("f", "[[instrument]]\nsymbol = \"A\"\ntik = \"0.01\"\n").unwrap_err();
        assert!(error.message.contains("'tick'"), "{}", error.message);
    }

    #[test]
    fn origins_are_told_apart() {
        let settings = parse("f", "[run]\nseed = 9\n").unwrap();
        assert_eq!(settings.config.run.seed, 9);
        let rows = effective(&settings);
        let origin = |k: &str| rows.iter().find(|r| r.0 == k).map(|r| r.2);
        assert_eq!(origin("run.seed"), Some("file"));
        assert_eq!(origin("run.equity_usd"), Some("default"));
    }

    #[test]
    fn wrong_types_are_refused() {
        assert!(parse("f", "[run]\nseed = \"x\"\n").unwrap_err().message.starts_with("f: "));
        assert!(parse("f", "run = 3\n").is_err());
    }
}
