//! The writer: takes encoded frames, gives the system large blocks.

use crate::block::Block;
use crate::error::JournalError;
use crate::frame::MAGIC;
use crate::plain;
use crate::uring::UringFile;
use ijk_core::config::{JournalBackend, JournalConfig};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Writes one journal. Belongs on its own thread: calls wait for the system.
///
/// After any error the writer takes nothing more. Dropped without [`Writer::finish`], it still
/// hands over what it was given, without forcing it to the device: a cut-off run can be read to
/// its last record as long as the machine stays up.
pub struct Writer {
    sink: Sink,
    filling: Block,
    used: usize,
    /// File offset of the first byte of `filling`.
    offset: u64,
    hasher: Sha256,
    directory: Option<PathBuf>,
    failed: bool,
}

enum Sink {
    Plain(File),
    Uring(Box<UringFile>),
}

/// What a complete journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Bytes of the file.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
}

impl Finished {
    /// Returns the hash as 64 hexadecimal digits.
    pub fn sha256_hex(&self) -> String {
        self.sha256.iter().map(|b| format!("{b:02x}")).collect()
    }
}

impl Writer {
    /// Creates the journal at `path`.
    ///
    /// # Errors
    /// [`JournalError::Open`] if the file cannot be created or exists already (a journal is never
    /// overwritten); [`JournalError::BlockBytes`] and [`JournalError::UringUnavailable`] by the
    /// settings.
    pub fn create(path: &Path, config: &JournalConfig) -> Result<Writer, JournalError> {
        let open = |source| JournalError::Open { path: path.to_path_buf(), source };
        let file = File::options().write(true).create_new(true).open(path).map_err(open)?;
        let mut writer = Writer::from_file(file, config)?;
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
        writer.directory = Some(parent.unwrap_or(Path::new(".")).to_path_buf());
        Ok(writer)
    }

    /// Writes the journal to an open file from its offset 0. The caller answers for the file's
    /// name being on the device.
    ///
    /// # Errors
    /// By the settings, as [`Writer::create`].
    pub fn from_file(file: File, config: &JournalConfig) -> Result<Writer, JournalError> {
        let mut filling = Block::new(config.block_bytes)?;
        let sink = match config.backend {
            JournalBackend::Plain => Sink::Plain(file),
            JournalBackend::Auto | JournalBackend::Uring => {
                match UringFile::new(file, Block::new(config.block_bytes)?) {
                    Ok(uring) => Sink::Uring(Box::new(uring)),
                    Err((file, _)) if config.backend == JournalBackend::Auto => Sink::Plain(file),
                    Err((_, source)) => return Err(JournalError::UringUnavailable { source }),
                }
            }
        };
        filling.bytes_mut()[..MAGIC.len()].copy_from_slice(&MAGIC);
        let used = MAGIC.len();
        let hasher = Sha256::new();
        Ok(Writer { sink, filling, used, offset: 0, hasher, directory: None, failed: false })
    }

    /// Returns `io_uring` or `plain`: what the bytes go through.
    pub fn backend_name(&self) -> &'static str {
        match self.sink {
            Sink::Plain(_) => "plain",
            Sink::Uring(_) => "io_uring",
        }
    }

    /// Returns the bytes taken so far.
    pub fn bytes(&self) -> u64 {
        self.offset + self.used as u64
    }

    /// Takes encoded frames; any split of the stream into calls gives the same file.
    ///
    /// # Errors
    /// [`JournalError::Write`] when this or the block before could not be written;
    /// [`JournalError::AfterFailure`] from then on.
    pub fn append_bytes(&mut self, mut frames: &[u8]) -> Result<(), JournalError> {
        self.check_alive()?;
        while !frames.is_empty() {
            let room = &mut self.filling.bytes_mut()[self.used..];
            let n = room.len().min(frames.len());
            room[..n].copy_from_slice(&frames[..n]);
            self.used += n;
            frames = &frames[n..];
            if self.used == self.filling.bytes().len() {
                self.submit()?;
            }
        }
        Ok(())
    }

    /// Hands everything taken so far to the system and waits until it has it: a reader sees it,
    /// and it survives the end of this process, though not of the machine.
    ///
    /// # Errors
    /// As [`Writer::append_bytes`].
    pub fn flush(&mut self) -> Result<(), JournalError> {
        self.check_alive()?;
        self.submit()?;
        let offset = self.offset;
        let result = match &mut self.sink {
            Sink::Plain(_) => Ok(()),
            Sink::Uring(uring) => uring.wait(),
        };
        self.checked(result, |source| JournalError::Write { offset, source })
    }

    /// Flushes and forces everything to the device, the file's name included.
    ///
    /// # Errors
    /// As [`Writer::append_bytes`], and [`JournalError::Sync`], after which nothing is known of
    /// what the device holds; it is never tried again.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        self.flush()?;
        let file = match &self.sink {
            Sink::Plain(file) => file,
            Sink::Uring(uring) => uring.file(),
        };
        let result = file.sync_data();
        self.checked(result, |source| JournalError::Sync { source })?;
        if let Some(directory) = self.directory.take() {
            let result = File::open(directory).and_then(|d| d.sync_all());
            self.checked(result, |source| JournalError::Sync { source })?;
        }
        Ok(())
    }

    /// Completes the journal: everything is on the device when this returns.
    ///
    /// # Errors
    /// As [`Writer::sync`].
    pub fn finish(mut self) -> Result<Finished, JournalError> {
        self.sync()?;
        let hasher = std::mem::take(&mut self.hasher);
        Ok(Finished { bytes: self.offset, sha256: hasher.finalize().into() })
    }

    /// Gives the block to the system and takes the next one.
    fn submit(&mut self) -> Result<(), JournalError> {
        if self.used == 0 {
            return Ok(());
        }
        let (len, offset) = (self.used, self.offset);
        let block = std::mem::take(&mut self.filling);
        let result = match &mut self.sink {
            Sink::Plain(file) => {
                self.hasher.update(&block.bytes()[..len]);
                plain::write_all_at(file, &block.bytes()[..len], offset).map(|()| block)
            }
            Sink::Uring(uring) => {
                // Hashing runs beside the write before this one.
                self.hasher.update(&block.bytes()[..len]);
                uring.write(block, len, offset)
            }
        };
        self.filling = self.checked(result, |source| JournalError::Write { offset, source })?;
        self.used = 0;
        self.offset += len as u64;
        Ok(())
    }

    fn check_alive(&self) -> Result<(), JournalError> {
        if self.failed { Err(JournalError::AfterFailure) } else { Ok(()) }
    }

    fn checked<T>(
        &mut self,
        result: io::Result<T>,
        error: impl FnOnce(io::Error) -> JournalError,
    ) -> Result<T, JournalError> {
        self.failed |= result.is_err();
        result.map_err(error)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Without `finish` nobody was promised anything; what can be saved for the reader is.
        let _ = self.flush();
    }
}
