//! The crash lab's share of an ordinary test run.

use ijk_core::record::RecordKind;
use ijk_journal::sim::{FaultyDisk, crash_images};
use ijk_journal::{
    Durability, JournalError, ReadStorage, Reader, RecoveryMode, Writer, WriterOptions,
};
use proptest::prelude::*;

/// Images of one ordinary test run; `IJK_CRASH_IMAGES` asks for more.
const IMAGES: u64 = 200_000;

fn images() -> u64 {
    let asked = std::env::var("IJK_CRASH_IMAGES").ok().and_then(|n| n.parse().ok());
    asked.unwrap_or(IMAGES)
}

#[test]
fn no_crash_image_loses_or_invents_a_record() {
    let report = crash_images(1, images());
    eprintln!("{report}");
    assert!(report.images >= images());
    assert_eq!(report.failures, 0, "{report}");
    for kind in [
        "truncated",
        "zeroed",
        "garbage",
        "stale epoch",
        "stale segment",
        "torn sector",
        "bit flipped",
        "spliced",
        "crash while writing",
        "crash while recovering",
        "fault, then a crash",
        "fault, then a new process",
        "fault while recovering",
    ] {
        assert!(report.kinds.get(kind).is_some_and(|n| *n > 10), "{kind}: {report}");
    }
}

#[test]
fn the_same_seed_makes_the_same_images() {
    assert_eq!(crash_images(7, 3_000), crash_images(7, 3_000));
    assert_ne!(crash_images(7, 3_000), crash_images(8, 3_000));
}

/// One segment in memory.
struct Segment<'a>(&'a [u8]);

impl ReadStorage for Segment<'_> {
    fn list(&mut self) -> std::io::Result<Vec<u32>> {
        Ok(vec![0])
    }
    fn len(&mut self, _: u32) -> std::io::Result<u64> {
        Ok(self.0.len() as u64)
    }
    fn read_at(&mut self, _: u32, offset: u64, buf: &mut [u8]) -> std::io::Result<usize> {
        let rest = self.0.get(offset as usize..).unwrap_or_default();
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }
}

/// Reads to the end or the first error.
fn read_all(bytes: &[u8]) -> Result<u64, JournalError> {
    let mut reader = Reader::with_storage(Segment(bytes), RecoveryMode::Strict)?;
    while reader.next()?.is_some() {}
    Ok(reader.stats().records)
}

fn sealed(records: u64) -> Vec<u8> {
    let options = WriterOptions {
        durability: Durability::Buffered,
        segment_bytes: 1 << 20,
        group_bytes: 4096,
        epoch: 1,
    };
    let mut disk = FaultyDisk::new(0);
    let mut writer = Writer::begin(&mut disk, options).unwrap();
    for i in 0..records {
        writer.append(i, RecordKind::Market, &vec![i as u8; i as usize % 90]).unwrap();
    }
    writer.finish().unwrap();
    disk.shown(0).unwrap().to_vec()
}

proptest! {
    #[test]
    fn any_bytes_end_in_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..9_000)) {
        prop_assert!(read_all(&bytes).is_err());
        let header = &sealed(0)[..4096];
        prop_assert_eq!(
            read_all(&[header, &bytes[..]].concat()).is_ok(),
            bytes.iter().all(|&b| b == 0)
        );
    }

    #[test]
    fn overwritten_stretches_are_detected(
        at in 0.0..1.0f64,
        patch in proptest::collection::vec(any::<u8>(), 1..300),
    ) {
        let bytes = sealed(300);
        let at = (at * bytes.len() as f64) as usize;
        let end = (at + patch.len()).min(bytes.len());
        let mut damaged = bytes.clone();
        damaged[at..end].copy_from_slice(&patch[..end - at]);
        prop_assert_eq!(read_all(&damaged).is_ok(), damaged == bytes);
    }
}
