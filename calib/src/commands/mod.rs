//! The commands and how they end.

pub mod accuracy;
pub mod impact;
pub mod kelly;
pub mod learn;
pub mod market;
pub mod orders;
pub mod predict;
pub mod schedule;
pub mod sources;
pub mod target;
pub mod volume;

use ijk_calib::impact::ImpactError;
use ijk_calib::observe::ObserveError;
use ijk_calib::profile::ProfileError;
use ijk_calib::schedule::ScheduleError;
use ijk_calib::volume::VolumeError;
use ijk_core::FeedError;
use ijk_data::whole::OutputError;

/// What a command says when it ends well.
pub struct Report {
    /// For a person.
    pub text: String,
    /// For a program.
    pub json: serde_json::Value,
}

/// How a command ends when it does not end well.
pub struct Exit {
    /// Process exit code.
    pub code: u8,
    /// One sentence for a person.
    pub message: String,
}

impl Exit {
    fn new(code: u8, error: impl std::fmt::Display) -> Exit {
        Exit { code, message: error.to_string() }
    }
}

impl From<ImpactError> for Exit {
    fn from(error: ImpactError) -> Exit {
        Exit::new(2, error)
    }
}

impl From<ScheduleError> for Exit {
    fn from(error: ScheduleError) -> Exit {
        Exit::new(2, error)
    }
}

impl From<OutputError> for Exit {
    fn from(error: OutputError) -> Exit {
        Exit::new(2, error)
    }
}

impl From<VolumeError> for Exit {
    fn from(error: VolumeError) -> Exit {
        Exit::new(1, error)
    }
}

impl From<ProfileError> for Exit {
    fn from(error: ProfileError) -> Exit {
        Exit::new(2, error)
    }
}

impl From<ObserveError> for Exit {
    fn from(error: ObserveError) -> Exit {
        let code = match error {
            ObserveError::Journal { .. } => 78,
            ObserveError::Feed(_) | ObserveError::Header { .. } => 3,
            ObserveError::Simulation(_) => 1,
        };
        Exit::new(code, error)
    }
}

impl From<FeedError> for Exit {
    fn from(error: FeedError) -> Exit {
        Exit::new(3, error)
    }
}
