//! The profile: what was calibrated, as one sealed TOML file.
//!
//! The file ends with a `[seal]` table that holds the SHA-256 of everything before it. A file
//! changed by hand, of another version, or older than it says it is good for is refused.

use crate::fill::FillModel;
use crate::impact::compare::Score;
use crate::impact::fit::ImpactFit;
use crate::impact::pool::{Posterior, Prior};
use crate::impact::predict::Range;
use crate::impact::response::Response;
use crate::impact::sample::Basis;
use crate::orders::{LatencySection, SpreadSection};
use crate::record::KellySection;
use crate::volatility::VolatilitySection;
use crate::volume_file::VolumeProfile;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::Path;

/// Name and version of the layout.
pub const FORMAT: &str = "ijk-calib-profile-1";
const SEAL: &str = "\n[seal]\n";
const DAY_NS: u64 = 86_400_000_000_000;

/// Everything that was calibrated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// [`FORMAT`].
    pub format: String,
    /// When it was made, ISO 8601.
    pub created: String,
    /// First moment of the data it rests on, nanoseconds UTC.
    pub data_from_ns: u64,
    /// Last moment of the data it rests on, nanoseconds UTC.
    pub data_to_ns: u64,
    /// Days after `data_to_ns` for which it may be used.
    pub valid_days: u32,
    /// Settings for `ijk live`, in the layout of its settings file.
    #[serde(default)]
    pub settings: toml::Table,
    /// What it was made from.
    #[serde(default)]
    pub source: Vec<Source>,
    /// Prior of symbols that tell too little themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<Prior>,
    /// Impact by symbol.
    #[serde(default)]
    pub impact: Vec<ImpactSection>,
    /// Fill probability of resting orders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<FillModel>,
    /// Volatility by symbol.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volatility: Vec<VolatilitySection>,
    /// Spread by symbol.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spread: Vec<SpreadSection>,
    /// Latency of orders and reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<LatencySection>,
    /// Worth of the track record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kelly: Option<KellySection>,
    /// Intraday volume curve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<VolumeProfile>,
    /// Updates after the calibration, oldest first.
    #[serde(default)]
    pub history: Vec<crate::learn::Update>,
}

/// One input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Section that it feeds.
    pub section: String,
    /// Run folder or feed, as named.
    pub name: String,
}

/// Impact of one symbol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImpactSection {
    /// Symbol.
    pub symbol: String,
    /// The orders met a replayed market, which does not react.
    pub simulated: bool,
    /// Parents seen.
    pub parents: usize,
    /// What must be known before any number.
    pub notes: Vec<String>,
    /// Units of the model.
    pub basis: Basis,
    /// What the symbol is taken to be: own fit weighed against the prior.
    pub posterior: Posterior,
    /// Orders it may speak of; absent where none was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
    /// Own fit; absent below the sample floor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<ImpactFit>,
    /// Propagator from ticks; absent where it is not identified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
    /// Models by their error out of sample, best first.
    #[serde(default)]
    pub model: Vec<Score>,
}

/// Why a profile is refused.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The file.
    #[error("{path}: cannot read: {source}")]
    Read {
        /// Path.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// No seal at its end.
    #[error("{path}: ends without a [seal]: not a complete profile")]
    NoSeal {
        /// Path.
        path: String,
    },
    /// The seal does not fit.
    #[error("{path}: changed after it was made: sha256 is {found}, the seal says {sealed}")]
    Changed {
        /// Path.
        path: String,
        /// Hash of the content.
        found: String,
        /// Hash in the seal.
        sealed: String,
    },
    /// Not a profile.
    #[error("{path}: {detail}")]
    Content {
        /// Path.
        path: String,
        /// What is wrong.
        detail: String,
    },
    /// Too old.
    #[error(
        "{path}: stale: its data ends {age_days} days before this session and it is good for \
         {valid_days}; calibrate again"
    )]
    Stale {
        /// Path.
        path: String,
        /// Age.
        age_days: u64,
        /// Days it is good for.
        valid_days: u32,
    },
}

impl Profile {
    /// Returns an empty profile.
    pub fn new(created: String, valid_days: u32) -> Profile {
        Profile {
            format: FORMAT.to_string(),
            created,
            data_from_ns: u64::MAX,
            data_to_ns: 0,
            valid_days,
            settings: toml::Table::new(),
            source: Vec::new(),
            prior: None,
            impact: Vec::new(),
            fill: None,
            volatility: Vec::new(),
            spread: Vec::new(),
            latency: None,
            kelly: None,
            volume: None,
            history: Vec::new(),
        }
    }

    /// Notes that the section rests on `name`, whose data covers the given time.
    pub fn rests_on(&mut self, section: &str, name: &str, from_ns: u64, to_ns: u64) {
        let source = Source { section: section.to_string(), name: name.to_string() };
        if !self.source.contains(&source) {
            self.source.push(source);
        }
        self.data_from_ns = self.data_from_ns.min(from_ns);
        self.data_to_ns = self.data_to_ns.max(to_ns);
    }

    /// Returns the file's text with its seal.
    ///
    /// # Errors
    /// The serializer's.
    pub fn seal(&self) -> Result<String, toml::ser::Error> {
        let mut sound = self.clone();
        sound.data_from_ns = sound.data_from_ns.min(sound.data_to_ns);
        let body = toml::to_string(&sound)?;
        Ok(format!("{body}{SEAL}sha256 = \"{}\"\n", hash(body.as_bytes())))
    }

    /// Reads and checks a profile.
    ///
    /// # Errors
    /// [`ProfileError`], all but [`ProfileError::Stale`].
    pub fn load(path: &Path) -> Result<Profile, ProfileError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| ProfileError::Read { path: name.clone(), source })?;
        Profile::open(&name, &text)
    }

    /// Checks a profile's text; `name` is used in messages.
    ///
    /// # Errors
    /// As [`Profile::load`].
    pub fn open(name: &str, text: &str) -> Result<Profile, ProfileError> {
        let path = name.to_string();
        let Some(at) = text.rfind(SEAL) else { return Err(ProfileError::NoSeal { path }) };
        let (body, seal) = (&text[..at], &text[at + SEAL.len()..]);
        let sealed = seal.trim().strip_prefix("sha256 = \"").and_then(|s| s.strip_suffix('"'));
        let Some(sealed) = sealed else { return Err(ProfileError::NoSeal { path }) };
        let found = hash(body.as_bytes());
        if found != sealed {
            return Err(ProfileError::Changed { path, found, sealed: sealed.to_string() });
        }
        let profile: Profile = toml::from_str(body)
            .map_err(|e| ProfileError::Content { path: path.clone(), detail: e.to_string() })?;
        if profile.format != FORMAT {
            let detail = format!("format '{}', this build reads {FORMAT}", profile.format);
            return Err(ProfileError::Content { path, detail });
        }
        Ok(profile)
    }

    /// Refuses a profile that is too old for a session that begins at `session_ns`.
    ///
    /// # Errors
    /// [`ProfileError::Stale`].
    pub fn check_fresh(&self, name: &str, session_ns: u64) -> Result<(), ProfileError> {
        let age_days = session_ns.saturating_sub(self.data_to_ns) / DAY_NS;
        if age_days > u64::from(self.valid_days) {
            let (path, valid_days) = (name.to_string(), self.valid_days);
            return Err(ProfileError::Stale { path, age_days, valid_days });
        }
        Ok(())
    }

    /// Returns whether part of its data is later than a session that begins at `session_ns`.
    pub fn looks_ahead(&self, session_ns: u64) -> bool {
        self.data_to_ns > session_ns
    }

    /// Returns the impact of a symbol.
    pub fn impact_of(&self, symbol: &str) -> Option<&ImpactSection> {
        self.impact.iter().find(|s| s.symbol == symbol)
    }
}

/// Returns the SHA-256 of bytes in hexadecimal.
pub fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        let mut p = Profile::new("2026-11-22T20:00:00Z".to_string(), 30);
        p.rests_on("impact", "runs/x", 5, 40 * DAY_NS);
        p.prior = Some(Prior::published());
        p
    }

    #[test]
    fn a_sealed_profile_reads_back_and_a_changed_one_does_not() {
        let text = profile().seal().unwrap();
        assert_eq!(Profile::open("p", &text).unwrap(), profile());
        let changed = text.replace("valid_days = 30", "valid_days = 90");
        assert!(matches!(Profile::open("p", &changed), Err(ProfileError::Changed { .. })));
        let cut = &text[..text.len() / 2];
        assert!(matches!(Profile::open("p", cut), Err(ProfileError::NoSeal { .. })));
        let other = Profile { format: "ijk-calib-profile-9".to_string(), ..profile() };
        let error = Profile::open("p", &other.seal().unwrap()).unwrap_err().to_string();
        assert!(error.contains("this build reads ijk-calib-profile-1"), "{error}");
        let body = "format = 3\n";
        let bad = format!("{body}{SEAL}sha256 = \"{}\"\n", hash(body.as_bytes()));
        assert!(matches!(Profile::open("p", &bad), Err(ProfileError::Content { .. })));
        assert!(matches!(Profile::open("p", ""), Err(ProfileError::NoSeal { .. })));
    }

    #[test]
    fn age_counts_from_the_end_of_the_data() {
        let p = profile();
        assert!(p.check_fresh("p", 70 * DAY_NS).is_ok());
        assert!(p.check_fresh("p", 3 * DAY_NS).is_ok() && p.looks_ahead(3 * DAY_NS));
        let error = p.check_fresh("p", 72 * DAY_NS).unwrap_err().to_string();
        assert!(error.contains("stale: its data ends 32 days before"), "{error}");
    }
}
