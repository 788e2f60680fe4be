//! Writes through io_uring: one block is at the system while the next one fills.
//!
//! The only unsafe code of the crate. The rule that makes it sound: a block given to the system
//! is owned by [`UringFile`] until its completion was seen; if that can no longer happen, the
//! block is leaked, never freed.
#![allow(unsafe_code)]

use crate::block::Block;
use io_uring::{IoUring, opcode, types};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// A file written through its own ring, at most one write outstanding.
pub(crate) struct UringFile {
    ring: IoUring,
    file: File,
    in_flight: Option<InFlight>,
    spare: Option<Block>,
}

/// A block the system may be reading from.
struct InFlight {
    block: Block,
    len: usize,
    done: usize,
    offset: u64,
}

/// What a completion means for the write it belongs to.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    Done,
    /// Submit the rest again.
    Again {
        done: usize,
    },
    Failed(i32),
}

const EINTR: i32 = 4;
const EAGAIN: i32 = 11;
const EIO: i32 = 5;

/// Judges the result of a completion: bytes taken, or a negated error number.
fn progress(result: i32, done: usize, len: usize) -> Progress {
    match usize::try_from(result) {
        // Zero bytes taken of a non-empty write never becomes more by asking again.
        Ok(0) => Progress::Failed(EIO),
        Ok(n) if done + n == len => Progress::Done,
        Ok(n) if done + n < len => Progress::Again { done: done + n },
        Ok(_) => Progress::Failed(EIO),
        Err(_) if result == -EINTR || result == -EAGAIN => Progress::Again { done },
        Err(_) => Progress::Failed(-result),
    }
}

impl UringFile {
    /// Returns a ring for `file`, or the file back with the reason why there is none.
    pub fn new(file: File, spare: Block) -> Result<UringFile, (File, io::Error)> {
        let ring = match open_ring() {
            Ok(ring) => ring,
            Err(error) => return Err((file, error)),
        };
        Ok(UringFile { ring, file, in_flight: None, spare: Some(spare) })
    }

    /// Waits for the write before, hands `len` bytes of `block` to the system for `offset`, and
    /// returns the block to fill next. An error belongs to either write: both are then lost.
    pub fn write(&mut self, block: Block, len: usize, offset: u64) -> io::Result<Block> {
        assert!(len > 0 && len <= block.bytes().len(), "write of {len} bytes");
        self.wait()?;
        let next = self.spare.take().ok_or_else(|| io::Error::from_raw_os_error(EIO))?;
        self.in_flight = Some(InFlight { block, len, done: 0, offset });
        self.submit()?;
        Ok(next)
    }

    /// Waits until nothing is outstanding; the block becomes the spare one.
    pub fn wait(&mut self) -> io::Result<()> {
        while self.in_flight.is_some() {
            let Some(result) = self.next_completion()? else { continue };
            let Some(write) = self.in_flight.as_mut() else { break };
            match progress(result, write.done, write.len) {
                Progress::Again { done } => {
                    write.done = done;
                    self.submit()?;
                }
                Progress::Done => self.reclaim(),
                Progress::Failed(errno) => {
                    self.reclaim();
                    return Err(io::Error::from_raw_os_error(errno));
                }
            }
        }
        Ok(())
    }

    /// Returns the file for everything that is not a write.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Makes the completed block the spare one.
    fn reclaim(&mut self) {
        self.spare = self.in_flight.take().map(|write| write.block);
    }

    fn next_completion(&mut self) -> io::Result<Option<i32>> {
        match self.ring.submit_and_wait(1) {
            Ok(_) => Ok(self.ring.completion().next().map(|entry| entry.result())),
            Err(e) if retryable(&e) => Ok(None),
            Err(e) => Err(self.abandon(e)),
        }
    }

    /// Gives what is left of the outstanding block to the system.
    fn submit(&mut self) -> io::Result<()> {
        let Some(write) = self.in_flight.as_ref() else { return Ok(()) };
        let rest = &write.block.bytes()[write.done..write.len];
        let offset = write.offset + write.done as u64;
        let fd = types::Fd(self.file.as_raw_fd());
        let entry = opcode::Write::new(fd, rest.as_ptr(), rest.len() as u32).offset(offset).build();
        // SAFETY: `rest` lies in the heap memory of `in_flight.block`, which neither moves nor is
        // written nor is freed until the completion was taken (`reclaim`) or for ever
        // (`abandon`); `fd` stays open as long as `self.file`, which outlives the ring's use.
        let pushed = unsafe { self.ring.submission().push(&entry) };
        if pushed.is_err() {
            // Nothing was handed over; the queue holds more entries than we ever submit.
            self.reclaim();
            return Err(io::Error::from_raw_os_error(EAGAIN));
        }
        loop {
            match self.ring.submit() {
                Ok(_) => return Ok(()),
                Err(e) if retryable(&e) => {}
                Err(e) => return Err(self.abandon(e)),
            }
        }
    }

    /// Gives up a write whose completion cannot be awaited: its memory stays readable for ever.
    fn abandon(&mut self, error: io::Error) -> io::Error {
        std::mem::forget(self.in_flight.take());
        error
    }
}

impl Drop for UringFile {
    fn drop(&mut self) {
        // The block must not be freed under the system's hands. An error was either seen by the
        // caller already or is of a writer that gave up; the file then ends where it ends.
        let _ = self.wait();
    }
}

fn retryable(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(EINTR | EAGAIN))
}

fn open_ring() -> io::Result<IoUring> {
    let ring = IoUring::new(4)?;
    let mut probe = io_uring::Probe::new();
    ring.submitter().register_probe(&mut probe)?;
    if !probe.is_supported(opcode::Write::CODE) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    Ok(ring)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completions_are_judged_by_their_count() {
        assert_eq!(progress(100, 0, 100), Progress::Done);
        assert_eq!(progress(40, 60, 100), Progress::Done);
        assert_eq!(progress(30, 0, 100), Progress::Again { done: 30 });
        assert_eq!(progress(30, 30, 100), Progress::Again { done: 60 });
        assert_eq!(progress(-EINTR, 30, 100), Progress::Again { done: 30 });
        assert_eq!(progress(-EAGAIN, 0, 100), Progress::Again { done: 0 });
        assert_eq!(progress(0, 30, 100), Progress::Failed(EIO));
        assert_eq!(progress(71, 30, 100), Progress::Failed(EIO));
        assert_eq!(progress(-28, 0, 100), Progress::Failed(28));
    }

    fn uring(file: File) -> Option<UringFile> {
        match UringFile::new(file, Block::new(4096).unwrap()) {
            Ok(uring) => Some(uring),
            Err((_, error)) => {
                eprintln!("skipped: io_uring is not available here: {error}");
                None
            }
        }
    }

    #[test]
    fn blocks_land_in_order_and_the_last_survives_a_drop() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let Some(mut uring) = uring(file.reopen().unwrap()) else { return };
        let mut block = Block::new(4096).unwrap();
        for round in 0..50u8 {
            block.bytes_mut()[..1000].fill(round);
            block = uring.write(block, 1000, u64::from(round) * 1000).unwrap();
        }
        drop(uring);
        let bytes = std::fs::read(file.path()).unwrap();
        assert_eq!(bytes.len(), 50_000);
        assert!(bytes.iter().enumerate().all(|(i, &b)| usize::from(b) == i / 1000));
    }

    #[test]
    fn a_failed_write_is_reported_by_the_next_wait() {
        let Ok(full) = File::options().write(true).open("/dev/full") else { return };
        let Some(mut uring) = uring(full) else { return };
        let _ = uring.write(Block::new(4096).unwrap(), 10, 0).unwrap();
        assert_eq!(uring.wait().unwrap_err().raw_os_error(), Some(28));
        uring.wait().expect("the failure is reported once; nothing is outstanding");
    }
}
