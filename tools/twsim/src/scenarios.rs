//! Named scenarios: each a script of faults, and a client's session that shows what comes of it.
//!
//! The files are `tools/twsim/scenarios/NAME.txt`: remarks (`# about: ...`, `# seen: ...`), lines
//! `fault LINE` for the script, then the session's lines (see [`crate::play`]).

use crate::play::{self, Played};
use crate::{SetupError, SimConfig};

/// One scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Name.
    pub name: &'static str,
    /// One sentence.
    pub about: &'static str,
    /// Where it happened to others, or which rule it shows.
    pub seen: &'static str,
    /// Lines of the fault script.
    pub faults: Vec<&'static str>,
    /// Lines of the session.
    pub play: Vec<&'static str>,
}

impl Scenario {
    /// Plays the session against a gateway with the faults, on a clock of its own.
    ///
    /// # Errors
    /// [`SetupError`] if the faults cannot be read.
    pub fn run(&self) -> Result<Played, SetupError> {
        let config = SimConfig {
            // Monday 2025-03-03, 09:30 in New York: the begin of a synthetic session.
            fixed_time_s: Some(1_741_012_200),
            script: self.faults.iter().map(|l| l.to_string()).collect(),
            ..SimConfig::default()
        };
        play::play(config, &self.play)
    }
}

/// Returns the scenario of a name.
pub fn find(name: &str) -> Option<Scenario> {
    FILES.iter().find(|(n, _)| *n == name).map(|(n, text)| read(n, text))
}

/// Returns all scenarios, by name.
pub fn all() -> Vec<Scenario> {
    FILES.iter().map(|(name, text)| read(name, text)).collect()
}

fn read(name: &'static str, text: &'static str) -> Scenario {
    let mut s = Scenario { name, about: "", seen: "", faults: Vec::new(), play: Vec::new() };
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty()) {
        if let Some(about) = line.strip_prefix("# about: ") {
            s.about = about;
        } else if let Some(seen) = line.strip_prefix("# seen: ") {
            s.seen = seen;
        } else if let Some(fault) = line.strip_prefix("fault ") {
            s.faults.push(fault);
        } else if !line.starts_with('#') {
            s.play.push(line);
        }
    }
    s
}

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../scenarios/", $name, ".txt")))),*]
    };
}

const FILES: &[(&str, &str)] = files! {
    "plain-session",
};
