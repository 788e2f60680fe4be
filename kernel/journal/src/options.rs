//! How a journal is laid out and what its writer promises.

use crate::error::JournalError;
use crate::group::{GROUP_ALIGN, GROUP_BYTES_MAX};
use ijk_core::config::JournalConfig;

/// What a commit promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// On the device when the commit returns; segments are laid out ahead. For a venue that
    /// outlives the process.
    Strict,
    /// With the system when the commit returns: survives the end of the process, not of the
    /// machine. Files grow as they are written.
    Buffered,
}

/// Largest segment file.
const SEGMENT_BYTES_MAX: u64 = 1 << 32;
/// Smallest segment of a configured journal: the largest record fits.
const SEGMENT_BYTES_MIN: u64 = 1 << 16;
/// Smallest group buffer of a configured journal: the largest record fits.
const GROUP_BYTES_MIN: usize = 40 << 10;

/// Layout and promise of one journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriterOptions {
    /// Promise.
    pub durability: Durability,
    /// Bytes of one segment file, a multiple of 4096.
    pub segment_bytes: u64,
    /// Most bytes of one group, a multiple of 4096.
    pub group_bytes: usize,
    /// Number of the kernel's start; a journal is continued by a larger one only.
    pub epoch: u32,
}

impl WriterOptions {
    /// Returns the options of these settings.
    ///
    /// # Errors
    /// [`JournalError::Setting`].
    pub fn new(
        config: &JournalConfig,
        durability: Durability,
        epoch: u32,
    ) -> Result<WriterOptions, JournalError> {
        let bad = |key, value, expected| Err(JournalError::Setting { key, value, expected });
        let segment_bytes = config.segment_bytes;
        if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&segment_bytes) {
            return bad("segment_bytes", segment_bytes, "65536 to 4294967296");
        }
        let group_bytes = config.block_bytes.max(GROUP_BYTES_MIN);
        let group_bytes = group_bytes.min((segment_bytes as usize) - GROUP_ALIGN);
        let options = WriterOptions { durability, segment_bytes, group_bytes, epoch };
        if config.block_bytes == 0 || !config.block_bytes.is_multiple_of(GROUP_ALIGN) {
            let expected = "a multiple of 4096 up to 16777216";
            return bad("block_bytes", config.block_bytes as u64, expected);
        }
        options.check()
    }

    /// Returns the options if a writer can keep to them.
    ///
    /// # Errors
    /// [`JournalError::Setting`].
    pub fn check(self) -> Result<WriterOptions, JournalError> {
        let bad = |key, value, expected| Err(JournalError::Setting { key, value, expected });
        let align = GROUP_ALIGN as u64;
        let segment = self.segment_bytes;
        if segment < 2 * align || !segment.is_multiple_of(align) || segment > SEGMENT_BYTES_MAX {
            return bad("segment_bytes", segment, "a multiple of 4096 from 8192 to 4294967296");
        }
        let group = self.group_bytes;
        let fits = group > 0 && group <= GROUP_BYTES_MAX && group.is_multiple_of(GROUP_ALIGN);
        if !fits {
            let expected = "a multiple of 4096 up to 16777216";
            return bad("block_bytes", group as u64, expected);
        }
        Ok(self)
    }
}
