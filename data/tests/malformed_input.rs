//! The input layer: archives cut short or damaged, names that lie, compressions in each other.

use ijk_core::FeedErrorKind;
use ijk_data::input::{member_names, open, open_member};
use proptest::prelude::*;
use std::io::{Read, Write};
use std::path::PathBuf;
use tempfile::TempDir;

const TEXT: &[u8] = b"a,b\n1,2\n3,4\n";

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    e.write_all(bytes).unwrap();
    e.finish().unwrap()
}

fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

fn zip(members: &[(&str, &[u8])], stored: bool) -> Vec<u8> {
    let mut w = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let method =
        if stored { zip::CompressionMethod::Stored } else { zip::CompressionMethod::Deflated };
    for (name, bytes) in members {
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        w.start_file(*name, options).unwrap();
        w.write_all(bytes).unwrap();
    }
    w.finish().unwrap().into_inner()
}

fn file(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Text long enough that a cut compressed stream has given some of it.
fn long_text() -> Vec<u8> {
    (0..60_000u64)
        .flat_map(|i| format!("{},{}\n", i, i.wrapping_mul(2_654_435_761)).into_bytes())
        .collect()
}

fn read_lines(path: &std::path::Path) -> Result<Vec<u8>, ijk_core::FeedError> {
    let mut lines = open(path)?.lines();
    let mut out = Vec::new();
    while let Some((line, _)) = lines.next_line()? {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    Ok(out)
}

#[test]
fn every_compression_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let long = long_text();
    for text in [TEXT, &long[..]] {
        let two_members = [gz(&text[..5]), gz(&text[5..])].concat();
        let two_frames = [zst(&text[..5]), zst(&text[5..])].concat();
        for (name, bytes) in [
            ("plain.csv", text.to_vec()),
            ("one.csv.gz", gz(text)),
            ("two.csv.gz", two_members),
            ("one.zst", zst(text)),
            ("two.zst", two_frames),
            ("deflated.zip", zip(&[("d/a.csv", text)], false)),
            ("stored.zip", zip(&[("a.csv", text)], true)),
            ("forked.zip", zip(&[("__MACOSX/._a.csv", b"junk"), ("a.csv", text)], false)),
            ("inner.zip", zip(&[("a.csv.gz", &gz(text))], true)),
            ("inner_zst.zip", zip(&[("a.csv.zst", &zst(text))], false)),
            ("without_extension", gz(text)),
        ] {
            let path = file(&folder, name, &bytes);
            assert_eq!(read_lines(&path).unwrap(), text, "{name}");
            let mut input = open(&path).unwrap();
            let mut all = Vec::new();
            input.reader.read_to_end(&mut all).unwrap();
            let (read, total) = input.progress.now();
            assert_eq!(read, total, "{name}");
        }
    }
}

#[test]
fn damage_is_named() {
    use FeedErrorKind::*;
    let folder = tempfile::tempdir().unwrap();
    let long = long_text();
    let cut = |bytes: &[u8]| bytes[..bytes.len() * 2 / 3].to_vec();
    let flip = |mut bytes: Vec<u8>, from_end: usize| {
        let at = bytes.len() - from_end;
        bytes[at] ^= 0x55;
        bytes
    };
    let archive = zip(&[("a.csv", &long)], false);
    // The checksum in the central directory lies 16 bytes into its only entry.
    let directory = archive.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap();
    let wrong_crc = flip(archive.clone(), archive.len() - directory - 16);
    let wrong_data = flip(archive.clone(), archive.len() - directory / 2);
    let seven = b"7z\xbc\xaf\x27\x1c rest".to_vec();
    for (name, bytes, kind) in [
        ("cut.csv.gz", cut(&gz(&long)), Truncated),
        ("cut_tail.csv.gz", gz(&long)[..gz(&long).len() - 3].to_vec(), Truncated),
        ("wrong_crc.csv.gz", flip(gz(&long), 6), Truncated),
        ("tail.csv.gz", [gz(&long), b"garbage behind".to_vec()].concat(), Truncated),
        ("cut.zst", cut(&zst(&long)), Truncated),
        ("cut.zip", cut(&archive), Truncated),
        ("wrong_crc.zip", wrong_crc, Truncated),
        ("wrong_data.zip", wrong_data, Truncated),
        ("inner_cut.zip", zip(&[("a.gz", &cut(&gz(&long)))], true), Truncated),
        ("empty.gz", Vec::new(), Truncated),
        ("empty.zip", Vec::new(), Truncated),
        ("text.gz", TEXT.to_vec(), Format),
        ("text.zip", TEXT.to_vec(), Format),
        ("no_member.zip", zip(&[], false), Format),
        ("two.zip", zip(&[("a.csv", TEXT), ("b.csv", TEXT)], false), Format),
        ("seven.7z", seven, Format),
    ] {
        let path = file(&folder, name, &bytes);
        let e = read_lines(&path).err().unwrap_or_else(|| panic!("{name} reads"));
        assert_eq!(e.kind, kind, "{name}: {e}");
        assert!(e.file.contains(name), "{name}: {e}");
    }
    assert_eq!(open(&folder.path().join("absent.csv")).unwrap_err().kind, Io);
    assert_eq!(open(folder.path()).unwrap_err().kind, Io);
    let two = folder.path().join("two.zip");
    assert_eq!(member_names(&two).unwrap(), ["a.csv", "b.csv"]);
    let e = open_member(&two, |m| m == "c.csv").unwrap_err();
    assert!(e.detail.contains("a.csv, b.csv"), "{e}");
}

#[test]
fn a_cut_stream_gives_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let long = long_text();
    let bytes = gz(&long);
    let path = file(&folder, "cut.csv.gz", &bytes[..bytes.len() / 2]);
    let mut lines = open(&path).unwrap().lines();
    let mut read = 0;
    let e = loop {
        match lines.next_line() {
            Ok(Some(_)) => read += 1,
            Ok(None) => panic!("must not end well"),
            Err(e) => break e,
        }
    };
    assert!(read > 1_000, "{read}");
    assert_eq!((e.kind, e.line), (FeedErrorKind::Truncated, read + 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn damaged_archives_never_panic(
        at in 0usize..4_000, with in any::<u8>(), cut in 0usize..4_000, which in 0usize..3,
    ) {
        let row = |i: u32| format!("{i},{}\n", i * i).into_bytes();
        let text: Vec<u8> = (0..400).flat_map(row).collect();
        let mut bytes = match which {
            0 => gz(&text),
            1 => zst(&text),
            _ => zip(&[("a.csv", &text)], false),
        };
        let len = bytes.len();
        bytes[at % len] = with;
        bytes.truncate(len - cut % (len / 2));
        let folder = tempfile::tempdir().unwrap();
        let path = file(&folder, "damaged", &bytes);
        // Reads well or says why; a gzip header's time or name may differ unnoticed.
        if let Ok(lines) = read_lines(&path) {
            prop_assert!(lines.len() <= 2 * text.len().max(bytes.len()));
        }
    }
}
