//! Damaged files: noticed where there are checksums, and never trusted where there are none.

use super::foreign::SUMS_KEY;
use super::*;
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::fs::File;
use std::sync::{LazyLock, Mutex};

/// Where panics happened. One hook for all, since tests run side by side.
static PANICS: LazyLock<Mutex<Vec<String>>> = LazyLock::new(|| {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, ToString::to_string);
        eprintln!("{info}");
        PANICS.lock().unwrap_or_else(|e| e.into_inner()).push(place);
    }));
    Mutex::new(Vec::new())
});

/// Returns the bytes of a minute.
fn minute(path: &Path) -> Vec<u8> {
    let config = SynthConfig { minutes: 1, ..SynthConfig::default() };
    write_source(&mut SynthSource::new(&config).expect("valid"), path, false, |_| ())
        .expect("written");
    std::fs::read(path).expect("a file")
}

/// Makes the checksums unknown metadata.
fn without_sums(bytes: &mut [u8]) {
    let key = SUMS_KEY.as_bytes();
    let found = bytes.windows(key.len()).rposition(|window| window == key);
    bytes[found.expect("checksums") + key.len() - 1] = b'x';
}

/// Returns name and bytes of each column chunk.
fn chunks(path: &Path) -> Vec<(String, std::ops::Range<usize>)> {
    let file = SerializedFileReader::new(File::open(path).expect("a file")).expect("Parquet");
    let groups = file.metadata().row_groups().iter();
    groups
        .flat_map(|group| group.columns())
        .map(|chunk| {
            let (start, length) = chunk.byte_range();
            (chunk.column_path().string(), start as usize..(start + length) as usize)
        })
        .collect()
}

#[test]
fn a_changed_byte_is_refused_with_its_column_and_before_any_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.parquet");
    let whole = minute(&path);
    let chunks = chunks(&path);
    assert_eq!(chunks.len(), 11);
    for (name, bytes) in chunks {
        for at in bytes.clone().step_by(1 + bytes.len() / 40).chain([bytes.end - 1]) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x01;
            std::fs::write(&path, &damaged).expect("written");
            let e = drain(&path).unwrap_err();
            assert_eq!((e.kind, e.line), (FeedErrorKind::Truncated, 1), "{e}");
            assert_eq!(e.field, name, "byte {at}: {e}");
        }
    }
}

/// The second row group's damage names its first record; those before it have been given.
#[test]
fn records_before_a_damaged_row_group_are_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.parquet");
    write(&path, &long_session());
    let (name, bytes) = chunks(&path).swap_remove(11 + 4);
    let mut damaged = std::fs::read(&path).expect("a file");
    damaged[bytes.start + bytes.len() / 2] ^= 0x80;
    std::fs::write(&path, &damaged).expect("written");
    let mut reader = TickReader::open(&path).expect("a footer that is sound");
    for record in 0..1 << 16 {
        assert!(reader.next_event().expect("sound").is_some(), "record {record}");
    }
    let e = reader.next_event().unwrap_err();
    assert_eq!((e.line, &e.field[..], &name[..]), ((1 << 16) + 1, "px", "px"), "{e}");
}

/// Reads what can be read; every record given keeps its laws.
fn lawful(path: &Path) -> Result<u64, ijk_core::FeedError> {
    let mut reader = TickReader::open(path)?;
    let instruments = reader.instruments().len();
    let (mut records, mut last) = (0, RecvTs(0));
    while let Some(event) = reader.next_event()? {
        assert!(event.ts_receive >= last && event.qty.0 >= 0);
        assert!(event.instrument.index() < instruments && event.reserved == 0);
        last = event.ts_receive;
        records += 1;
    }
    Ok(records)
}

#[test]
fn without_checksums_records_keep_their_laws_and_nothing_of_ours_panics() {
    drop(PANICS.lock());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.parquet");
    let mut whole = minute(&path);
    without_sums(&mut whole);
    std::fs::write(&path, &whole).expect("written");
    let records = lawful(&path).expect("only the checksums are gone");
    let end = chunks(&path).iter().map(|(_, bytes)| bytes.end).max().expect("columns");
    let (mut refused, mut tried) = (0, 0);
    for at in (0..end).step_by(1 + end / 1_500) {
        for change in [0x01, 0x80, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] ^= change;
            std::fs::write(&path, &damaged).expect("written");
            match lawful(&path) {
                Ok(found) => assert_eq!(found, records),
                Err(e) => {
                    refused += 1;
                    assert!(e.line >= 1 && e.line <= records, "{e}");
                    assert!(!e.field.is_empty(), "{e}");
                }
            }
            tried += 1;
        }
    }
    assert!(refused > tried / 20, "{refused} of {tried}");
    let panics = PANICS.lock().unwrap_or_else(|e| e.into_inner());
    let ours: Vec<_> = panics.iter().filter(|place| place.contains("data/src")).collect();
    assert!(ours.is_empty(), "{ours:?}");
}

#[test]
fn truncated_and_damaged_files_give_errors_or_valid_records_never_a_panic() {
    drop(PANICS.lock());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.parquet");
    let whole = minute(&path);
    for cut in (0..whole.len()).step_by(whole.len() / 60) {
        std::fs::write(&path, &whole[..cut]).expect("written");
        assert_eq!(drain(&path).unwrap_err().kind, FeedErrorKind::Truncated, "cut at {cut}");
    }
    let mut refused = 0;
    for at in (0..whole.len()).step_by(whole.len() / 400) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        std::fs::write(&path, &bytes).expect("written");
        refused += u32::from(drain(&path).is_err());
    }
    assert!(refused > 300, "{refused} of 400 flipped bytes were noticed");
}
