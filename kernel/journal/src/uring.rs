//! Writes through io_uring: a write and, linked behind it, the sync that forces it to the device;
//! both completions are looked at.
//!
//! The only unsafe code of the crate. The rule that makes it sound: the system reads from memory
//! that [`Uring`] owns and does not touch until the completion was seen; if that can no longer
//! happen, the memory is leaked, never freed.
#![allow(unsafe_code)]

use crate::block::Block;
use crate::storage::WriteFault;
use io_uring::squeue::{Entry, Flags};
use io_uring::{IoUring, opcode, types};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Bytes of one write; a longer one is taken in parts.
const BOUNCE_BYTES: usize = 1 << 18;
const WRITE: u64 = 1;
const SYNC: u64 = 2;

const EINTR: i32 = 4;
const EIO: i32 = 5;
const EAGAIN: i32 = 11;
const ECANCELED: i32 = 125;

/// A ring of its own, one write outstanding at most, waited for before `write` returns.
pub(crate) struct Uring {
    ring: IoUring,
    bounce: Block,
    /// A completion could not be waited for: nothing may be submitted any more.
    broken: bool,
}

/// What the completions of a write and its sync mean: the bytes taken, or which step failed.
/// `synced` is `None` where no sync was asked for.
fn judge(written: i32, synced: Option<i32>, len: usize) -> Result<usize, WriteFault> {
    let error = |code: i32| io::Error::from_raw_os_error(code);
    let taken = match usize::try_from(written) {
        Ok(n) if n <= len => n,
        Ok(_) => return Err(WriteFault::Write(error(EIO))),
        // Nothing was taken: the caller asks again.
        Err(_) if written == -EAGAIN => return Err(WriteFault::Write(error(EINTR))),
        Err(_) => return Err(WriteFault::Write(error(-written))),
    };
    match synced {
        // A short write breaks the link: the sync did not run, the rest brings its own.
        Some(code) if taken < len && code == -ECANCELED => Ok(taken),
        Some(code) if code < 0 => Err(WriteFault::Sync(error(-code))),
        Some(_) | None => Ok(taken),
    }
}

impl Uring {
    /// Opens a ring.
    pub fn new() -> io::Result<Uring> {
        let ring = IoUring::new(4)?;
        let mut probe = io_uring::Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        if !probe.is_supported(opcode::Write::CODE) || !probe.is_supported(opcode::Fsync::CODE) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(Uring { ring, bounce: Block::new(BOUNCE_BYTES), broken: false })
    }

    /// Writes `bytes` at `offset` and, if `sync` and all of them were taken, forces the file's
    /// data to the device. Returns the bytes taken.
    pub fn write(
        &mut self,
        file: &File,
        offset: u64,
        bytes: &[u8],
        sync: bool,
    ) -> Result<usize, WriteFault> {
        if self.broken {
            return Err(WriteFault::Write(io::Error::from_raw_os_error(EIO)));
        }
        let len = bytes.len().min(BOUNCE_BYTES);
        let sync = sync && len == bytes.len();
        self.bounce.bytes_mut()[..len].copy_from_slice(&bytes[..len]);
        let fd = types::Fd(file.as_raw_fd());
        let mut write = opcode::Write::new(fd, self.bounce.bytes().as_ptr(), len as u32)
            .offset(offset)
            .build()
            .user_data(WRITE);
        if sync {
            write = write.flags(Flags::IO_LINK);
        }
        let force = opcode::Fsync::new(fd).flags(types::FsyncFlags::DATASYNC).build();
        self.push(write).map_err(WriteFault::Write)?;
        if sync {
            self.push(force.user_data(SYNC)).map_err(WriteFault::Write)?;
        }
        let (written, synced) = self.completions(1 + usize::from(sync))?;
        judge(written, synced, len)
    }

    fn push(&mut self, entry: Entry) -> io::Result<()> {
        // SAFETY: the entry points into `self.bounce`, which is neither written, moved nor freed
        // until `completions` has seen every completion, or is leaked there; its descriptor is
        // of a file the caller keeps open across `write`, which ends after the completions (or
        // with the ring broken, when the system holds its own reference to the file).
        let pushed = unsafe { self.ring.submission().push(&entry) };
        pushed.map_err(|_| {
            // Entries may lie in the queue unsubmitted; they must never be.
            self.give_up();
            io::Error::from_raw_os_error(EAGAIN)
        })
    }

    /// Submits what was pushed and waits for `due` completions: (write, sync).
    fn completions(&mut self, due: usize) -> Result<(i32, Option<i32>), WriteFault> {
        let (mut written, mut synced, mut seen) = (-EIO, None, 0);
        while seen < due {
            match self.ring.submit_and_wait(due - seen) {
                Ok(_) => {}
                Err(e) if matches!(e.raw_os_error(), Some(EINTR | EAGAIN)) => {}
                Err(e) => {
                    self.give_up();
                    return Err(WriteFault::Sync(e));
                }
            }
            for entry in self.ring.completion() {
                match entry.user_data() {
                    WRITE => written = entry.result(),
                    _ => synced = Some(entry.result()),
                }
                seen += 1;
            }
        }
        Ok((written, synced))
    }

    /// A completion will never be seen: the memory stays readable for ever.
    fn give_up(&mut self) {
        self.broken = true;
        std::mem::forget(std::mem::take(&mut self.bounce));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(result: Result<usize, WriteFault>) -> (char, Option<i32>) {
        match result.unwrap_err() {
            WriteFault::Write(e) => ('w', e.raw_os_error()),
            WriteFault::Sync(e) => ('s', e.raw_os_error()),
        }
    }

    #[test]
    fn both_completions_are_judged() {
        assert_eq!(judge(100, None, 100).unwrap(), 100);
        assert_eq!(judge(100, Some(0), 100).unwrap(), 100);
        assert_eq!(judge(30, Some(-ECANCELED), 100).unwrap(), 30);
        assert_eq!(judge(0, Some(-ECANCELED), 100).unwrap(), 0);
        assert_eq!(fault(judge(100, Some(-EIO), 100)), ('s', Some(EIO)));
        assert_eq!(fault(judge(100, Some(-ECANCELED), 100)), ('s', Some(ECANCELED)));
        assert_eq!(fault(judge(30, Some(-EIO), 100)), ('s', Some(EIO)));
        assert_eq!(fault(judge(-28, Some(-ECANCELED), 100)), ('w', Some(28)));
        assert_eq!(fault(judge(-EAGAIN, None, 100)), ('w', Some(EINTR)));
        assert_eq!(fault(judge(101, None, 100)), ('w', Some(EIO)));
    }

    fn uring() -> Option<Uring> {
        match Uring::new() {
            Ok(uring) => Some(uring),
            Err(error) => {
                eprintln!("skipped: io_uring is not available here: {error}");
                None
            }
        }
    }

    #[test]
    fn writes_land_and_long_ones_are_taken_in_parts() {
        let Some(mut uring) = uring() else { return };
        let file = tempfile::tempfile().unwrap();
        for round in 0..20u8 {
            let bytes = [round; 1000];
            let taken = uring.write(&file, u64::from(round) * 1000, &bytes, round % 2 == 0);
            assert_eq!(taken.unwrap(), 1000);
        }
        let long = vec![7; BOUNCE_BYTES + 10];
        assert_eq!(uring.write(&file, 20_000, &long, true).unwrap(), BOUNCE_BYTES);
        let mut bytes = vec![0; 30_000];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, 0).unwrap();
        let due = |i: usize| if i < 20_000 { (i / 1000) as u8 } else { 7 };
        assert!(bytes.iter().enumerate().all(|(i, &b)| b == due(i)));
    }

    #[test]
    fn failures_of_either_step_are_told_apart() {
        let Some(mut uring) = uring() else { return };
        let Ok(full) = File::options().write(true).open("/dev/full") else { return };
        let Ok(null) = File::options().write(true).open("/dev/null") else { return };
        assert_eq!(fault(uring.write(&full, 0, &[1; 10], true)), ('w', Some(28)), "ENOSPC");
        // The null device takes bytes but cannot be forced to keep them.
        assert_eq!(fault(uring.write(&null, 0, &[1; 10], true)).0, 's');
        assert_eq!(uring.write(&null, 0, &[1; 10], false).unwrap(), 10, "the ring goes on");
    }
}
