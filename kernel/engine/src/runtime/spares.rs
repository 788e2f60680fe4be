//! Segments of the journal are laid out by a cold thread, so that neither zeroing 64 MiB nor a
//! full device is ever in the way of a record.

use ijk_journal::{ReadStorage, SpareJob, Storage, WriteFault};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// A storage that hands the laying out of segments to a thread of its own.
pub struct ColdSpares<S> {
    inner: S,
    jobs: Option<Sender<SpareJob>>,
    results: Receiver<(u32, io::Result<()>)>,
    failed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl<S: Storage> ColdSpares<S> {
    /// Starts the thread, which works on `cold`, a storage of the same files as `inner`. `failed`
    /// becomes true as soon as a segment could not be laid out: the journal lives on until it
    /// needs that segment.
    ///
    /// # Errors
    /// If the system cannot start a thread.
    pub fn start<C: Storage + Send + 'static>(
        inner: S,
        mut cold: C,
        failed: Arc<AtomicBool>,
    ) -> io::Result<ColdSpares<S>> {
        let (jobs, jobs_out) = channel::<SpareJob>();
        let (results_in, results) = channel();
        let alarm = Arc::clone(&failed);
        let body = move || {
            while let Ok(job) = jobs_out.recv() {
                let result = job.run(&mut cold);
                cold.close(job.salt.segment);
                alarm.fetch_or(result.is_err(), Ordering::Release);
                if results_in.send((job.salt.segment, result)).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("ijk-spares".to_string()).spawn(body)?;
        Ok(ColdSpares { inner, jobs: Some(jobs), results, failed, thread: Some(thread) })
    }
}

impl<S> Drop for ColdSpares<S> {
    fn drop(&mut self) {
        // The thread ends when nobody can ask for more.
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            self.failed.store(true, Ordering::Release);
        }
    }
}

impl<S: Storage> ReadStorage for ColdSpares<S> {
    fn list(&mut self) -> io::Result<Vec<u32>> {
        self.inner.list()
    }
    fn len(&mut self, segment: u32) -> io::Result<u64> {
        self.inner.len(segment)
    }
    fn read_at(&mut self, segment: u32, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.read_at(segment, offset, buf)
    }
    fn close(&mut self, segment: u32) {
        self.inner.close(segment);
    }
}

impl<S: Storage> Storage for ColdSpares<S> {
    fn create(&mut self, segment: u32) -> io::Result<()> {
        self.inner.create(segment)
    }
    fn write_at(&mut self, segment: u32, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write_at(segment, offset, bytes)
    }
    fn sync(&mut self, segment: u32) -> io::Result<()> {
        self.inner.sync(segment)
    }
    fn write_sync(&mut self, segment: u32, offset: u64, bytes: &[u8]) -> Result<usize, WriteFault> {
        self.inner.write_sync(segment, offset, bytes)
    }
    fn truncate(&mut self, segment: u32, len: u64) -> io::Result<()> {
        self.inner.truncate(segment, len)
    }
    fn remove(&mut self, segment: u32) -> io::Result<()> {
        self.inner.remove(segment)
    }
    fn sync_dir(&mut self) -> io::Result<()> {
        self.inner.sync_dir()
    }
    fn drop_cache(&mut self, segment: u32) -> io::Result<()> {
        self.inner.drop_cache(segment)
    }

    fn prepare_ahead(&mut self, job: SpareJob) -> io::Result<()> {
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        if sent { Ok(()) } else { Err(thread_gone()) }
    }

    fn wait_prepared(&mut self, segment: u32) -> io::Result<()> {
        match self.results.recv() {
            Ok((ready, result)) if ready == segment => result,
            Ok(_) | Err(_) => Err(thread_gone()),
        }
    }
}

fn thread_gone() -> io::Error {
    io::Error::other("the thread that lays out segments is gone")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ijk_core::config::JournalBackend;
    use ijk_core::record::RecordKind;
    use ijk_journal::{
        Durability, FsStorage, JournalError, Reader, RecoveryMode, Writer, WriterOptions,
    };

    const OPTIONS: WriterOptions = WriterOptions {
        durability: Durability::Strict,
        segment_bytes: 8 * 4096,
        group_bytes: 4096,
        epoch: 1,
    };

    #[test]
    fn segments_are_made_ahead_and_the_last_one_is_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let storage = || FsStorage::new(dir.path(), JournalBackend::Plain).unwrap();
        let failed = Arc::new(AtomicBool::new(false));
        let spares = ColdSpares::start(storage(), storage(), Arc::clone(&failed)).unwrap();
        let mut writer = Writer::begin(spares, OPTIONS).unwrap();
        for i in 0..200 {
            writer.append(i, RecordKind::Timer, &[1; 400]).unwrap();
            assert_eq!(writer.commit().unwrap(), i + 1);
        }
        let finished = writer.finish().unwrap();
        assert_eq!(finished.segments, 29, "seven groups a segment, and the seal");
        assert_eq!(storage().list().unwrap().len(), 29);
        assert!(!failed.load(Ordering::Acquire));
        let mut reader = Reader::open(dir.path(), RecoveryMode::Strict).unwrap();
        while reader.next().unwrap().is_some() {}
        assert_eq!(reader.stats().records, 200);
    }

    #[test]
    fn a_segment_that_cannot_be_made_is_an_alarm_now_and_an_error_when_it_is_needed() {
        let dir = tempfile::tempdir().unwrap();
        let storage = || FsStorage::new(dir.path(), JournalBackend::Plain).unwrap();
        std::fs::create_dir(dir.path().join("000001.ijkj")).unwrap();
        let failed = Arc::new(AtomicBool::new(false));
        let spares = ColdSpares::start(storage(), storage(), Arc::clone(&failed)).unwrap();
        let mut writer = Writer::begin(spares, OPTIONS).unwrap();
        for i in 0..7 {
            writer.append(i, RecordKind::Timer, &[]).unwrap();
            assert_eq!(writer.commit().unwrap(), i + 1, "the first segment has room for seven");
        }
        while !failed.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        let refused = writer.append(7, RecordKind::Timer, &[]);
        assert!(matches!(refused, Err(JournalError::Prepare { segment: 1, .. })), "{refused:?}");
        assert!(matches!(writer.commit(), Err(JournalError::AfterFailure)));
        assert_eq!(writer.durable_seq(), 7);
    }
}
