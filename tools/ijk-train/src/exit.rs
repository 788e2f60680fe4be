//! Exit codes, in one place.

use ijk_data::whole::OutputError;
use ijk_models::feeds::LoadError;
use ijk_models::fit::FitError;
use ijk_models::train::TrainError;
use std::fmt::Display;
use std::path::Path;

/// How a command ends when it does not end well.
#[derive(Debug)]
pub struct Exit {
    /// Process exit code.
    pub code: u8,
    /// What is wrong and what to do.
    pub message: String,
}

/// A check failed: training diverged.
pub const CHECK: u8 = 1;
/// Usage or settings.
pub const USAGE: u8 = 2;
/// Bad input data.
pub const DATA: u8 = 3;

impl Exit {
    /// Returns an exit with a code and a message.
    pub fn new(code: u8, message: impl Display) -> Exit {
        Exit { code, message: message.to_string() }
    }

    /// Returns an exit about a file: its name, then the message.
    pub fn file(code: u8, path: &Path, message: impl Display) -> Exit {
        Exit::new(code, format!("{}: {message}", path.display()))
    }
}

impl From<OutputError> for Exit {
    fn from(e: OutputError) -> Exit {
        Exit::new(USAGE, e)
    }
}

impl From<LoadError> for Exit {
    fn from(e: LoadError) -> Exit {
        let code = match e {
            LoadError::Spec(_) => USAGE,
            LoadError::Feed(_) | LoadError::TooMuch { .. } => DATA,
        };
        Exit::new(code, e)
    }
}

impl From<FitError> for Exit {
    fn from(e: FitError) -> Exit {
        let code = match e {
            FitError::Setting(_) | FitError::Train(TrainError::Checkpoint(_)) => USAGE,
            FitError::Split(_)
            | FitError::Scale(_)
            | FitError::Train(TrainError::TooShort { .. }) => DATA,
            FitError::Train(TrainError::Diverged { .. }) | FitError::Weights(_) => CHECK,
        };
        Exit::new(code, e)
    }
}
