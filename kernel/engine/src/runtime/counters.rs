//! Counters: the kernel thread stores into memory of its own, another thread copies that into a
//! mapped file now and then, anybody reads the file, nobody waits. The kernel thread never writes
//! the mapping itself: whenever the system has written a dirty page to the disk, the next store
//! into it is a page fault, and may wait for the disk.
//!
//! ```text
//! offset   0  magic "IJKCNT01"
//!          8  u64 process id of the writer
//!         16  u64 kill request: any value but 0 asks the kernel to stop all trading
//!         24  u64 number of slots
//!         64  slot 0: u64 value, 56 bytes of label (UTF-8, zero padded)
//!        128  slot 1, and so on
//! ```

use memmap2::{MmapOptions, MmapRaw};
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

const MAGIC: &[u8; 8] = b"IJKCNT01";
const FILE_BYTES: usize = 4096;
const SLOT_BYTES: usize = 64;
const PID_OFFSET: usize = 8;
const KILL_OFFSET: usize = 16;
const COUNT_OFFSET: usize = 24;

/// One counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
#[allow(missing_docs)] // the labels below say what each is
pub enum Counter {
    NowNs = 0,
    MarketRecords,
    Rows,
    Tokens,
    Decisions,
    Orders,
    Cancels,
    Refusals,
    Fills,
    WorkingOrders,
    TradingState,
    PnlMicroUsd,
    FeesMicroUsd,
    JournalFrames,
    JournalStalls,
    FeedStalls,
    FeedDropped,
    SamplesDropped,
    DelayOverflows,
    AllocsAfterWarmUp,
    Finished,
    Alarms,
    LastAlarm,
    UnknownOrders,
    Blocks,
    OrdersWithdrawn,
    KernelBeat,
    JournalBeat,
    VenueBeat,
    MinorFaultsAfterWarmUp,
    MajorFaultsAfterWarmUp,
}

/// Labels in the order of [`Counter`].
pub const LABELS: [&str; 31] = [
    "now_ns",
    "market_records",
    "rows",
    "tokens",
    "decisions",
    "orders",
    "cancels",
    "refusals",
    "fills",
    "working_orders",
    "trading_state",
    "pnl_micro_usd",
    "fees_micro_usd",
    "journal_frames",
    "journal_stalls",
    "feed_stalls",
    "feed_dropped",
    "samples_dropped",
    "delay_overflows",
    "allocs_after_warm_up",
    "finished",
    "alarms",
    "last_alarm",
    "unknown_orders",
    "blocks",
    "orders_withdrawn",
    "kernel_beat",
    "journal_beat",
    "venue_beat",
    "minor_faults_after_warm_up",
    "major_faults_after_warm_up",
];

const _: () = assert!(SLOT_BYTES * (LABELS.len() + 1) <= FILE_BYTES);
const _: () = assert!(Counter::MajorFaultsAfterWarmUp as usize + 1 == LABELS.len());

/// The counters and their file.
pub struct Counters {
    map: MmapRaw,
    /// Where the run itself stores; `None` for those who only look at the file.
    own: Option<Box<[AtomicU64; LABELS.len()]>>,
}

// SAFETY: the map is only ever accessed through `AtomicU64`s at fixed, aligned offsets, apart
// from the label bytes, which are written before the value is shared and never after.
unsafe impl Send for Counters {}
// SAFETY: as above: all shared access is atomic.
unsafe impl Sync for Counters {}

impl Counters {
    /// Creates the file, all counters zero.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn create(path: &Path) -> io::Result<Counters> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        let mut image = vec![0u8; FILE_BYTES];
        image[..8].copy_from_slice(MAGIC);
        image[PID_OFFSET..PID_OFFSET + 8]
            .copy_from_slice(&u64::from(std::process::id()).to_le_bytes());
        image[COUNT_OFFSET..COUNT_OFFSET + 8].copy_from_slice(&(LABELS.len() as u64).to_le_bytes());
        for (i, label) in LABELS.iter().enumerate() {
            let at = SLOT_BYTES * (i + 1) + 8;
            image[at..at + label.len()].copy_from_slice(label.as_bytes());
        }
        io::Write::write_all(&mut &file, &image)?;
        let map = MmapOptions::new().len(FILE_BYTES).map_raw(&file)?;
        let own = Box::new(std::array::from_fn(|_| AtomicU64::new(0)));
        Ok(Counters { map, own: Some(own) })
    }

    /// Opens the file of a run, to read it or to ask for a kill.
    ///
    /// # Errors
    /// `InvalidData` for a file that is not a counters file.
    pub fn open(path: &Path) -> io::Result<Counters> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let mut magic = [0u8; 8];
        io::Read::read_exact(&mut &file, &mut magic)?;
        if &magic != MAGIC || file.metadata()?.len() != FILE_BYTES as u64 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "not a counters file (magic or length)",
            ));
        }
        Ok(Counters { map: MmapOptions::new().len(FILE_BYTES).map_raw(&file)?, own: None })
    }

    /// Copies what the run has stored into the file. Any thread but the hot one.
    pub fn show(&self) {
        for (i, value) in self.own.iter().flat_map(|own| own.iter().enumerate()) {
            let shown = self.word(SLOT_BYTES * (i + 1));
            shown.store(value.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    fn slot(&self, counter: Counter) -> &AtomicU64 {
        match &self.own {
            Some(own) => &own[counter as usize],
            None => self.word(SLOT_BYTES * (counter as usize + 1)),
        }
    }

    fn word(&self, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8) && offset + 8 <= FILE_BYTES);
        // SAFETY: the map is page aligned and FILE_BYTES long, the offset is aligned and inside
        // (asserted), it lives as long as `self`, and all access to it is atomic.
        unsafe { AtomicU64::from_ptr(self.map.as_mut_ptr().add(offset).cast()) }
    }

    /// Stores a counter.
    pub fn set(&self, counter: Counter, value: u64) {
        self.slot(counter).store(value, Ordering::Relaxed);
    }

    /// Adds to a counter. Only one thread may add to the same counter.
    pub fn add(&self, counter: Counter, n: u64) {
        let word = self.slot(counter);
        word.store(word.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// Returns a counter.
    pub fn get(&self, counter: Counter) -> u64 {
        self.slot(counter).load(Ordering::Relaxed)
    }

    /// Asks the kernel that owns the file to stop all trading. Cannot be taken back.
    pub fn request_kill(&self) {
        self.word(KILL_OFFSET).store(1, Ordering::Release);
    }

    /// Returns whether a kill was asked for.
    pub fn kill_requested(&self) -> bool {
        self.word(KILL_OFFSET).load(Ordering::Acquire) != 0
    }

    /// Returns the process that created the file.
    pub fn pid(&self) -> u64 {
        self.word(PID_OFFSET).load(Ordering::Relaxed)
    }

    /// Returns label and value of every counter.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        LABELS
            .iter()
            .enumerate()
            .map(|(i, &label)| (label, self.word(SLOT_BYTES * (i + 1)).load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_mapping_sees_what_the_first_stores() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("counters");
        let ours = Counters::create(&path).unwrap();
        let theirs = Counters::open(&path).unwrap();
        ours.set(Counter::Rows, 7);
        ours.add(Counter::Rows, 5);
        assert_eq!((ours.get(Counter::Rows), theirs.get(Counter::Rows)), (12, 0));
        ours.show();
        assert_eq!(theirs.get(Counter::Rows), 12);
        assert_eq!(theirs.all().nth(2), Some(("rows", 12)));
        assert!(!ours.kill_requested());
        theirs.request_kill();
        assert!(ours.kill_requested());
        assert_eq!(theirs.pid(), u64::from(std::process::id()));
    }

    #[test]
    fn a_foreign_or_short_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, vec![7u8; FILE_BYTES]).unwrap();
        assert!(Counters::open(&path).is_err());
        std::fs::write(&path, MAGIC).unwrap();
        assert!(Counters::open(&path).is_err());
    }
}
