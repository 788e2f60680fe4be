//! All that writer, reader and recovery do to files: one trait, so that a simulated disk can
//! stand in for the real one.

use crate::canary::{self, Bug};
use crate::frame::Salt;
use crate::group::{GROUP_ALIGN, SegmentHead};
use std::cell::RefCell;
use std::io;
use std::rc::Rc;

/// Bytes zeroed by one write while a segment is laid out.
const ZERO_BYTES: usize = 1 << 20;

/// Returns the file name of a segment.
pub fn segment_name(segment: u32) -> String {
    format!("{segment:06}.ijkj")
}

/// Reading a journal's segment files.
pub trait ReadStorage {
    /// Returns the numbers of the segment files, ascending.
    ///
    /// # Errors
    /// Whatever the storage says, here and in every other method.
    fn list(&mut self) -> io::Result<Vec<u32>>;
    /// Returns the bytes of a segment file.
    fn len(&mut self, segment: u32) -> io::Result<u64>;
    /// Reads at most `buf.len()` bytes at `offset`; fewer only at the file's end or by chance,
    /// none only at the end.
    fn read_at(&mut self, segment: u32, offset: u64, buf: &mut [u8]) -> io::Result<usize>;
    /// Says that the segment is not needed for now.
    fn close(&mut self, _segment: u32) {}
}

/// Which step of a write that is forced to the device failed.
#[derive(Debug)]
pub enum WriteFault {
    /// The write: nothing is known of its bytes.
    Write(io::Error),
    /// The sync: nothing is known of anything since the last good one, and it must not be tried
    /// again.
    Sync(io::Error),
}

/// Writing a journal's segment files.
pub trait Storage: ReadStorage {
    /// Creates an empty segment file; one that exists is an error.
    fn create(&mut self, segment: u32) -> io::Result<()>;
    /// Writes at `offset`; returns the bytes taken, which may be fewer than given.
    fn write_at(&mut self, segment: u32, offset: u64, bytes: &[u8]) -> io::Result<usize>;
    /// Forces the segment's data and length to the device.
    fn sync(&mut self, segment: u32) -> io::Result<()>;
    /// Writes and, if all of `bytes` was taken, forces the data to the device.
    ///
    /// # Errors
    /// The step that failed.
    fn write_sync(&mut self, segment: u32, offset: u64, bytes: &[u8]) -> Result<usize, WriteFault> {
        let taken = self.write_at(segment, offset, bytes).map_err(WriteFault::Write)?;
        if taken == bytes.len() {
            self.sync(segment).map_err(WriteFault::Sync)?;
        }
        Ok(taken)
    }
    /// Cuts a segment file off at `len`.
    fn truncate(&mut self, segment: u32, len: u64) -> io::Result<()>;
    /// Removes a segment file.
    fn remove(&mut self, segment: u32) -> io::Result<()>;
    /// Forces the names of the files to the device.
    fn sync_dir(&mut self) -> io::Result<()>;
    /// Makes later reads come from the device, not from memory that may know more than it.
    fn drop_cache(&mut self, _segment: u32) -> io::Result<()> {
        Ok(())
    }
    /// Has a segment laid out ahead of its use. An implementation may hand the job to another
    /// thread; this one does it now.
    fn prepare_ahead(&mut self, job: SpareJob) -> io::Result<()> {
        job.run(self)
    }
    /// Waits until the segment handed to [`Storage::prepare_ahead`] is ready.
    ///
    /// # Errors
    /// What went wrong there.
    fn wait_prepared(&mut self, _segment: u32) -> io::Result<()> {
        Ok(())
    }
}

/// A segment to be laid out: header block and zeros, forced to the device with its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpareJob {
    /// Number of the segment and of the kernel's start.
    pub salt: Salt,
    /// Bytes of the file.
    pub segment_bytes: u64,
}

impl SpareJob {
    /// Lays the segment out. Afterwards writing into it changes neither its length nor which
    /// blocks of the device it owns.
    ///
    /// # Errors
    /// Whatever the storage says; a full device shows itself here.
    pub fn run<S: Storage + ?Sized>(&self, storage: &mut S) -> io::Result<()> {
        let segment = self.salt.segment;
        storage.create(segment)?;
        let head = SegmentHead { salt: self.salt, segment_bytes: self.segment_bytes }.encode();
        write_all(storage, segment, 0, &head)?;
        let zeros = vec![0; ZERO_BYTES.min(self.segment_bytes as usize)];
        let mut at = GROUP_ALIGN as u64;
        while at < self.segment_bytes {
            let part = (self.segment_bytes - at).min(zeros.len() as u64);
            write_all(storage, segment, at, &zeros[..part as usize])?;
            at += part;
        }
        if canary::planted(Bug::SpareNotSynced) {
            return Ok(());
        }
        storage.sync(segment)?;
        storage.sync_dir()
    }
}

/// Writes all of `bytes`: a short write goes on where it ended, an interrupted one is repeated,
/// one that takes nothing is an error.
pub(crate) fn write_all<S: Storage + ?Sized>(
    storage: &mut S,
    segment: u32,
    mut offset: u64,
    mut bytes: &[u8],
) -> io::Result<()> {
    while !bytes.is_empty() {
        match storage.write_at(segment, offset, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                offset += n as u64;
                bytes = &bytes[n..];
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

macro_rules! delegate_read {
    ($self:ident, $inner:expr) => {
        fn list(&mut $self) -> io::Result<Vec<u32>> {
            $inner.list()
        }
        fn len(&mut $self, segment: u32) -> io::Result<u64> {
            $inner.len(segment)
        }
        fn read_at(&mut $self, segment: u32, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
            $inner.read_at(segment, offset, buf)
        }
        fn close(&mut $self, segment: u32) {
            $inner.close(segment);
        }
    };
}

macro_rules! delegate_write {
    ($self:ident, $inner:expr) => {
        fn create(&mut $self, segment: u32) -> io::Result<()> {
            $inner.create(segment)
        }
        fn write_at(&mut $self, segment: u32, offset: u64, bytes: &[u8]) -> io::Result<usize> {
            $inner.write_at(segment, offset, bytes)
        }
        fn sync(&mut $self, segment: u32) -> io::Result<()> {
            $inner.sync(segment)
        }
        fn write_sync(
            &mut $self,
            segment: u32,
            offset: u64,
            bytes: &[u8],
        ) -> Result<usize, WriteFault> {
            $inner.write_sync(segment, offset, bytes)
        }
        fn truncate(&mut $self, segment: u32, len: u64) -> io::Result<()> {
            $inner.truncate(segment, len)
        }
        fn remove(&mut $self, segment: u32) -> io::Result<()> {
            $inner.remove(segment)
        }
        fn sync_dir(&mut $self) -> io::Result<()> {
            $inner.sync_dir()
        }
        fn drop_cache(&mut $self, segment: u32) -> io::Result<()> {
            $inner.drop_cache(segment)
        }
        fn prepare_ahead(&mut $self, job: SpareJob) -> io::Result<()> {
            $inner.prepare_ahead(job)
        }
        fn wait_prepared(&mut $self, segment: u32) -> io::Result<()> {
            $inner.wait_prepared(segment)
        }
    };
}

impl<T: ReadStorage> ReadStorage for &mut T {
    delegate_read!(self, (**self));
}

impl<T: Storage> Storage for &mut T {
    delegate_write!(self, (**self));
}

impl<T: ReadStorage> ReadStorage for Rc<RefCell<T>> {
    delegate_read!(self, self.borrow_mut());
}

impl<T: Storage> Storage for Rc<RefCell<T>> {
    delegate_write!(self, self.borrow_mut());
}
