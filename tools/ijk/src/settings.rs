//! Settings: defaults, file, flags; unknown keys are refused with the nearest known name.

use crate::exit::Exit;
use ijk_core::Config;
use ijk_core::config::RiskConfig;
use std::collections::BTreeSet;
use std::path::Path;
use toml::{Table, Value};

/// Keys an `[[instrument]]` may have; all are optional but the symbol.
const INSTRUMENT_KEYS: [&str; 7] =
    ["symbol", "tick", "lot", "currency", "session_open", "session_close", "session_tz"];

/// Tables of settings whose keys are symbols, so that none is unknown.
const SYMBOL_TABLES: [&str; 3] = ["risk.adv_qty", "risk.last_close", "risk.sector"];

/// Which limits a file that does not set them gets. Nothing in a file can choose: the venue does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// The simulated exchange.
    Simulation,
    /// Every other venue, paper accounts and gateways included.
    RealVenue,
}

impl Profile {
    /// Returns the profile of a venue as the command line names it. Only the exact name of the
    /// simulated exchange gets its profile.
    pub fn of_venue(venue: &str) -> Profile {
        if venue == "sim" { Profile::Simulation } else { Profile::RealVenue }
    }

    fn defaults(self) -> Config {
        match self {
            Profile::Simulation => Config::default(),
            Profile::RealVenue => Config::for_real_venue(),
        }
    }

    /// Returns where a limit of this profile comes from, for people.
    const fn origin(self) -> &'static str {
        match self {
            Profile::Simulation => "profile simulation",
            Profile::RealVenue => "profile real venue",
        }
    }
}

/// Settings with the origin of each key.
#[derive(Debug)]
pub struct Settings {
    /// Effective settings.
    pub config: Config,
    /// Dotted names of keys that the file set.
    pub from_file: BTreeSet<String>,
    /// Where the limits that the file does not set come from.
    pub profile: Profile,
}

/// Loads settings from a file, or the defaults of the profile.
///
/// # Errors
/// Exit code 2 with file, line, key and the nearest known key.
pub fn load(path: Option<&Path>, profile: Profile) -> Result<Settings, Exit> {
    let Some(path) = path else {
        let config = profile.defaults();
        return Ok(Settings { config, from_file: BTreeSet::new(), profile });
    };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|e| Exit::usage(format!("{name}: cannot read settings: {e}")))?;
    parse(&name, &text, profile)
}

/// Puts a file's settings over those of a run.
///
/// # Errors
/// As [`load`].
pub fn overlaid(path: &Path, running: &Settings) -> Result<Settings, Exit> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|e| Exit::usage(format!("{name}: cannot read settings: {e}")))?;
    parse_over(&name, &text, running.profile, table_of(&running.config))
}

/// Loads settings from a file over what was calibrated, given as the calibration's name and its
/// settings: the file has the last word.
///
/// # Errors
/// As [`load`]; keys of the calibration are checked like those of a file.
pub fn load_over(
    path: Option<&Path>,
    profile: Profile,
    calibrated: Option<(&str, &Table)>,
) -> Result<Settings, Exit> {
    let Some((name, table)) = calibrated else { return load(path, profile) };
    let shown = table.to_string();
    let base = table_of(&parse(name, &shown, profile)?.config);
    let Some(path) = path else {
        let config = parse(name, &shown, profile)?.config;
        return Ok(Settings { config, from_file: BTreeSet::new(), profile });
    };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|e| Exit::usage(format!("{name}: cannot read settings: {e}")))?;
    parse_over(&name, &text, profile, base)
}

/// Parses settings text; `name` is used in messages.
///
/// # Errors
/// As [`load`].
pub fn parse(name: &str, text: &str, profile: Profile) -> Result<Settings, Exit> {
    parse_over(name, text, profile, known_table(profile))
}

fn parse_over(
    name: &str,
    text: &str,
    profile: Profile,
    mut effective: Table,
) -> Result<Settings, Exit> {
    let table: Table =
        text.parse().map_err(|e| Exit::usage(format!("{name}: not valid TOML: {e}")))?;
    let mut from_file = BTreeSet::new();
    check_keys(name, text, &table, &effective, "", &mut from_file)?;
    // Types are checked on the text itself: its errors name the line.
    toml::from_str::<Config>(text).map_err(|e| Exit::usage(format!("{name}: {e}")))?;
    overlay(&mut effective, table);
    let mut config: Config =
        Value::Table(effective).try_into().map_err(|e| Exit::usage(format!("{name}: {e}")))?;
    if from_file.contains("run.equity_usd") && !from_file.contains("risk.start_equity_usd") {
        config.risk.start_equity_usd = config.run.equity_usd;
    }
    Ok(Settings { config, from_file, profile })
}

/// Puts what `over` sets in the place of what `base` has, table by table.
fn overlay(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(table)) => overlay(inner, table),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// Refuses settings with which a real venue would refuse every order, and the wildcard of the
/// simulated exchange.
///
/// # Errors
/// Exit code 2 with every key that is missing.
pub fn require_real_limits(settings: &Settings) -> Result<(), Exit> {
    if settings.profile == Profile::Simulation {
        return Ok(());
    }
    let risk = &settings.config.risk;
    if risk.allow_symbols.iter().any(|s| s == RiskConfig::ANY_SYMBOL) {
        return Err(Exit::usage(
            "risk.allow_symbols: '*' is for the simulated exchange; name the symbols",
        ));
    }
    let set = |v: f64| v > 0.0 && v.is_finite();
    if settings.config.venue.time_server.trim().is_empty() {
        return Err(Exit::usage(
            "venue.time_server is empty: new orders wait for its answer, name one (HOST:PORT)",
        ));
    }
    let missing: Vec<&str> = [
        ("start_equity_usd", set(risk.start_equity_usd)),
        ("settled_cash_usd", set(risk.settled_cash_usd)),
        ("allow_symbols", !risk.allow_symbols.is_empty()),
        ("adv_qty (or adv_qty_default)", !risk.adv_qty.is_empty() || risk.adv_qty_default > 0),
    ]
    .into_iter()
    .filter_map(|(key, is_set)| (!is_set).then_some(key))
    .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Exit::usage(format!(
        "[risk] lacks {}: this venue needs them, without them every order is refused",
        missing.join(", ")
    )))
}

fn known_table(profile: Profile) -> Table {
    table_of(&profile.defaults())
}

fn table_of(config: &Config) -> Table {
    match Value::try_from(config) {
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
            (Some(Value::Table(_)), Value::Table(table))
                if SYMBOL_TABLES.contains(&dotted.as_str()) =>
            {
                seen.extend(table.keys().map(|symbol| format!("{dotted}.{symbol}")));
            }
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

fn origin(settings: &Settings, dotted: &str) -> &'static str {
    let from_file = |key: &str| settings.from_file.contains(key);
    if from_file(dotted) {
        "file"
    } else if dotted == "risk.start_equity_usd" && from_file("run.equity_usd") {
        "run.equity_usd"
    } else if dotted.starts_with("risk.") {
        settings.profile.origin()
    } else {
        "default"
    }
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
            Value::Table(inner) if !inner.is_empty() => flatten(inner, &dotted, settings, rows),
            other => {
                let origin = origin(settings, &dotted);
                rows.push((dotted, other.to_string(), origin));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sim(text: &str) -> Result<Settings, Exit> {
        parse("f", text, Profile::Simulation)
    }

    #[test]
    fn defaults_survive_their_own_serialization() {
        for profile in [Profile::Simulation, Profile::RealVenue] {
            let text = toml::to_string(&profile.defaults()).unwrap();
            assert_eq!(parse("x", &text, profile).unwrap().config, profile.defaults());
        }
    }

    #[test]
    fn an_unknown_key_names_line_and_nearest_key() {
        let text = "[risk]\nmax_order_notional_us = 5.0\n";
        let error = parse("f.toml", text, Profile::Simulation).unwrap_err();
        assert_eq!(error.code, crate::exit::USAGE);
        assert_eq!(
            error.message,
            "f.toml:2: unknown key 'risk.max_order_notional_us'; nearest known key: \
             'max_order_notional_usd'"
        );
        let error = sim("[[instrument]]\nsymbol = \"A\"\ntik = \"0.01\"\n").unwrap_err();
        assert!(error.message.contains("'tick'"), "{}", error.message);
    }

    #[test]
    fn origins_are_told_apart() {
        let settings = sim("[run]\nseed = 9\n[risk.adv_qty]\nABC = 7\n").unwrap();
        assert_eq!(settings.config.run.seed, 9);
        let rows = effective(&settings);
        let origin = |k: &str| rows.iter().find(|r| r.0 == k).map(|r| r.2);
        assert_eq!(origin("run.seed"), Some("file"));
        assert_eq!(origin("run.equity_usd"), Some("default"));
        assert_eq!(origin("risk.adv_qty.ABC"), Some("file"));
        assert_eq!(origin("risk.max_order_qty"), Some("profile simulation"));
    }

    #[test]
    fn wrong_types_are_refused() {
        assert!(sim("[run]\nseed = \"x\"\n").unwrap_err().message.starts_with("f: "));
        assert!(sim("run = 3\n").is_err());
        assert!(sim("[risk.adv_qty]\nABC = \"many\"\n").is_err());
        assert!(sim("[risk]\nadv_qty = 3\n").is_err());
    }

    #[test]
    fn the_venue_alone_chooses_the_profile() {
        assert_eq!(Profile::of_venue("sim"), Profile::Simulation);
        for venue in ["ibkr-paper", "ibkr-live", "link:unix:/x", "simulated", "SIM", "", "sim "] {
            assert_eq!(Profile::of_venue(venue), Profile::RealVenue, "{venue}");
        }
        // One key of the file does not bring the other profile's limits along.
        let text = "[risk]\nmax_order_qty = 5\n";
        let simulated = sim(text).unwrap().config.risk;
        assert_eq!(simulated, RiskConfig { max_order_qty: 5, ..RiskConfig::simulation() });
        let real = parse("f", text, Profile::RealVenue).unwrap().config.risk;
        assert_eq!(real, RiskConfig { max_order_qty: 5, ..RiskConfig::default() });
        assert_eq!(load(None, Profile::RealVenue).unwrap().config.risk, RiskConfig::default());
    }

    #[test]
    fn a_real_venue_needs_its_limits_named() {
        let check = |text: &str, profile| require_real_limits(&parse("f", text, profile).unwrap());
        assert!(check("", Profile::Simulation).is_ok());
        let message = check("", Profile::RealVenue).unwrap_err().message;
        for key in ["start_equity_usd", "settled_cash_usd", "allow_symbols", "adv_qty"] {
            assert!(message.contains(key), "{message}");
        }
        let full = "[run]\nequity_usd = 20000.0\n[risk]\nsettled_cash_usd = 20000.0\n\
                    allow_symbols = [\"ABC\"]\n[risk.adv_qty]\nABC = 1000000\n";
        assert!(check(full, Profile::RealVenue).is_ok());
        let settings = parse("f", full, Profile::RealVenue).unwrap();
        assert_eq!(settings.config.risk.start_equity_usd, 20_000.0);
        let wild = full.replace("ABC\"]", "*\"]");
        assert!(check(&wild, Profile::RealVenue).unwrap_err().message.contains("'*'"));
        for bad in ["0.0", "-1.0", "nan", "inf"] {
            let text =
                full.replace("settled_cash_usd = 20000.0", &format!("settled_cash_usd = {bad}"));
            assert!(check(&text, Profile::RealVenue).is_err(), "{bad}");
        }
    }
}
