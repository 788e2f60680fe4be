//! Settings from a TOML file, unknown keys refused with the nearest known name.

use crate::args::SettingsArgs;
use crate::exit::{Exit, USAGE};
use ijk_models::fit::FitSettings;
use std::path::Path;
use toml::{Table, Value};

/// Returns the settings of a fit: defaults, then the file, then the flags.
///
/// # Errors
/// Exit code 2 naming the file and the key.
pub fn of(args: &SettingsArgs) -> Result<FitSettings, Exit> {
    let mut settings = match &args.config {
        Some(path) => read(path)?,
        None => FitSettings::default(),
    };
    if !args.feed.is_empty() {
        settings.feed.clone_from(&args.feed);
    }
    settings.sessions = args.sessions.unwrap_or(settings.sessions);
    settings.minutes = args.minutes.or(settings.minutes);
    settings.members = args.members.unwrap_or(settings.members);
    settings.train.epochs = args.epochs.unwrap_or(settings.train.epochs);
    settings.seed = args.seed.unwrap_or(settings.seed);
    Ok(settings)
}

fn read(path: &Path) -> Result<FitSettings, Exit> {
    let fail = |message: String| Exit::file(USAGE, path, message);
    let text = std::fs::read_to_string(path).map_err(|e| fail(format!("cannot read: {e}")))?;
    parse(&text).map_err(fail)
}

fn parse(text: &str) -> Result<FitSettings, String> {
    let table: Table = text.parse().map_err(|e: toml::de::Error| e.to_string())?;
    // Every key with a value: `minutes` has none by default.
    let known = FitSettings { minutes: Some(1), ..FitSettings::default() };
    let known = Table::try_from(&known).map_err(|e| e.to_string())?;
    refuse_unknown(&table, &known, "")?;
    toml::from_str(text).map_err(|e| e.to_string())
}

fn refuse_unknown(table: &Table, known: &Table, prefix: &str) -> Result<(), String> {
    for (key, value) in table {
        match (known.get(key), value) {
            (Some(Value::Table(inside)), Value::Table(table)) => {
                refuse_unknown(table, inside, &format!("{prefix}{key}."))?;
            }
            (Some(_), _) => {}
            (None, _) => {
                let near = known
                    .keys()
                    .max_by(|a, b| {
                        strsim::jaro_winkler(key, a).total_cmp(&strsim::jaro_winkler(key, b))
                    })
                    .map_or("", String::as_str);
                return Err(format!(
                    "unknown key '{prefix}{key}'; the nearest is '{prefix}{near}'"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_the_rest_keeps_its_default() {
        let settings = parse("members = 2\nminutes = 30\n[train]\nepochs = 7\n").unwrap();
        assert_eq!((settings.members, settings.minutes, settings.train.epochs), (2, Some(30), 7));
        assert_eq!(settings.sessions, FitSettings::default().sessions);
    }

    #[test]
    fn unknown_keys_name_the_nearest() {
        let e = parse("member = 2").unwrap_err();
        assert!(e.contains("'member'") && e.contains("'members'"), "{e}");
        let e = parse("[train]\nlearning_rat = 1").unwrap_err();
        assert!(e.contains("'train.learning_rat'") && e.contains("'train.learning_rate'"), "{e}");
        assert!(parse("members = \"two\"").unwrap_err().contains("members"));
        assert!(parse("members = ").is_err());
    }
}
