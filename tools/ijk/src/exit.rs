//! Exit codes, in one place.

use ijk_core::FeedError;
use ijk_data::ticks::TickWriteError;
use ijk_data::whole::OutputError;
use std::fmt;

/// How a command ends when it does not end well.
#[derive(Debug)]
pub struct Exit {
    /// Process exit code.
    pub code: u8,
    /// One sentence for a person.
    pub message: String,
}

/// A check failed.
pub const CHECK: u8 = 1;
/// Usage or settings.
pub const USAGE: u8 = 2;
/// Bad input data.
pub const DATA: u8 = 3;
/// Trading halted by risk.
pub const HALTED: u8 = 4;
/// Venue or connection.
pub const VENUE: u8 = 5;
/// A bug.
pub const BUG: u8 = 70;
/// Corrupt journal or unsafe to start.
pub const UNSAFE: u8 = 78;

impl Exit {
    /// Returns an exit with a code and a message.
    pub fn new(code: u8, message: impl fmt::Display) -> Exit {
        Exit { code, message: message.to_string() }
    }

    /// Returns a usage or settings error.
    pub fn usage(message: impl fmt::Display) -> Exit {
        Exit::new(USAGE, message)
    }

    /// Returns a bad-input error.
    pub fn data(message: impl fmt::Display) -> Exit {
        Exit::new(DATA, message)
    }

    /// Returns an error of a file that is ours to write.
    pub fn output(path: &std::path::Path, error: impl fmt::Display) -> Exit {
        Exit::new(USAGE, format!("{}: cannot write: {error}", path.display()))
    }
}

impl From<OutputError> for Exit {
    fn from(error: OutputError) -> Exit {
        Exit::usage(error)
    }
}

impl From<TickWriteError> for Exit {
    fn from(error: TickWriteError) -> Exit {
        match error {
            TickWriteError::Feed(_) | TickWriteError::Event { .. } => Exit::data(error),
            _ => Exit::usage(error),
        }
    }
}

impl From<FeedError> for Exit {
    fn from(error: FeedError) -> Exit {
        Exit::data(error)
    }
}
