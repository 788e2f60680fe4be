//! A calibrated profile as the ground the settings file stands on.

use crate::exit::Exit;
use crate::feeds::Feeds;
use ijk_calib::profile::Profile;
use ijk_core::{EventSource, Session};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use toml::Table;

/// Sections of the settings that a calibration may speak to. Limits are not among them.
const SECTIONS: [&str; 3] = ["execution", "sizing", "sim"];

/// A profile with its name for messages.
pub struct Calibration {
    name: String,
    profile: Profile,
}

impl Calibration {
    /// Reads a sealed profile, if one is named.
    ///
    /// # Errors
    /// Exit code 2 for a file that cannot be read, was changed, is of another version, or speaks
    /// to other sections than it may.
    pub fn load(path: Option<&Path>) -> Result<Option<Calibration>, Exit> {
        let Some(path) = path else { return Ok(None) };
        let name = path.display().to_string();
        let profile = Profile::load(path).map_err(Exit::usage)?;
        if let Some(key) = profile.settings.keys().find(|k| !SECTIONS.contains(&k.as_str())) {
            let may = SECTIONS.join(", ");
            return Err(Exit::usage(format!("{name}: settings.{key}: a profile sets {may} only")));
        }
        Ok(Some(Calibration { name, profile }))
    }

    /// Returns name and settings.
    pub fn settings(&self) -> (&str, &Table) {
        (&self.name, &self.profile.settings)
    }

    /// Refuses a profile that is too old for the session: of today with a venue outside, else of
    /// the feed's day. Data after the session's start is told of.
    ///
    /// # Errors
    /// Exit code 2 for a stale profile, 3 for a feed that cannot be read.
    pub fn check(&self, external: bool, feeds: &mut Feeds) -> Result<(), Exit> {
        let session_ns = if external { now_ns() } else { begins_ns(feeds)? };
        self.profile.check_fresh(&self.name, session_ns).map_err(Exit::usage)?;
        if self.profile.looks_ahead(session_ns) {
            tracing::warn!(
                "{}: part of its data is later than this session's start: a result of it \
                 has seen the future",
                self.name
            );
        }
        Ok(())
    }
}

fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Returns when the feed's session opens, or the time of its first record where it never closes.
fn begins_ns(feeds: &mut Feeds) -> Result<u64, Exit> {
    let sessions = feeds.instruments().iter().map(|i| i.session);
    match sessions.filter(|s| *s != Session::ALWAYS).map(|s| s.open_ns).min() {
        Some(open_ns) => Ok(open_ns),
        None => Ok(feeds.first_ns()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feeds;
    use crate::settings::{self, Profile as Limits};

    const DAY_NS: u64 = 86_400_000_000_000;

    fn sealed(settings: &str, data_to_ns: u64) -> tempfile::NamedTempFile {
        let mut profile = Profile::new("2026-11-22T20:00:00Z".to_string(), 30);
        profile.settings = settings.parse().unwrap();
        profile.rests_on("impact", "test", 1, data_to_ns);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), profile.seal().unwrap()).unwrap();
        file
    }

    #[test]
    fn a_profile_stands_between_the_defaults_and_the_file() {
        let file = sealed("[execution]\ntemporary_impact = 0.3\nchild_qty_min = 7\n", 1);
        let loaded = Calibration::load(Some(file.path())).map_err(|e| e.message).unwrap().unwrap();
        let config = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(config.path(), "[execution]\nchild_qty_min = 9\n").unwrap();
        for limits in [Limits::Simulation, Limits::RealVenue] {
            let over = |path| {
                let found = settings::load_over(path, limits, Some(loaded.settings()));
                found.map_err(|e| e.message).unwrap().config
            };
            let (alone, both) = (over(None), over(Some(config.path())));
            assert_eq!((alone.execution.temporary_impact, alone.execution.child_qty_min), (0.3, 7));
            assert_eq!((both.execution.temporary_impact, both.execution.child_qty_min), (0.3, 9));
            let plain = settings::load(None, limits).map_err(|e| e.message).unwrap().config;
            assert_eq!(both.risk, plain.risk, "limits are the venue's");
        }
    }

    #[test]
    fn what_is_stale_changed_or_speaks_of_limits_is_refused() {
        let refused = |file: &tempfile::NamedTempFile| {
            let error = Calibration::load(Some(file.path())).map(|_| ()).unwrap_err();
            (error.code, error.message)
        };
        let (code, message) = refused(&sealed("[risk]\nmax_order_qty = 5\n", 1));
        assert!(code == crate::exit::USAGE && message.contains("settings.risk"), "{message}");
        let file = sealed("", 1);
        let text = std::fs::read_to_string(file.path()).unwrap();
        std::fs::write(file.path(), text.replace("valid_days = 30", "valid_days = 31")).unwrap();
        assert!(refused(&file).1.contains("changed after it was made"));

        let specs = feeds::parse_specs(&["synth:1:1".to_string()]).map_err(|e| e.message).unwrap();
        let mut feed = feeds::open(&specs, 1, &[]).map_err(|e| e.message).unwrap();
        let open_ns = begins_ns(&mut feed).map_err(|e| e.message).unwrap();
        let mut check = |data_to_ns: u64, external: bool| {
            let file = sealed("", data_to_ns);
            let loaded = Calibration::load(Some(file.path())).map_err(|e| e.message).unwrap();
            loaded.unwrap().check(external, &mut feed).map_err(|e| (e.code, e.message))
        };
        assert!(check(open_ns - 29 * DAY_NS, false).is_ok());
        let (code, message) = check(open_ns - 32 * DAY_NS, false).unwrap_err();
        assert!(code == crate::exit::USAGE && message.contains("stale"), "{message}");
        assert!(check(now_ns(), true).is_ok(), "outside venues live in today");
        assert!(check(now_ns() - 40 * DAY_NS, true).is_err());
    }
}
