//! A killed process leaves a journal that is readable up to its last whole frame.

use ijk_core::config::{JournalBackend, JournalConfig};
use ijk_core::record::RecordKind;
use ijk_journal::{JournalError, Reader, Writer, encode_frame, frame_bytes};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const PATH_VARIABLE: &str = "IJK_JOURNAL_KILL_PATH";
const PLAIN_VARIABLE: &str = "IJK_JOURNAL_KILL_PLAIN";
/// Frames after which the writing process ends by itself, should nobody kill it.
const FRAME_COUNT_MAX: u64 = 20_000_000;

fn payload(seq: u64) -> [u8; 77] {
    std::array::from_fn(|i| (seq as u8).wrapping_mul(31).wrapping_add(i as u8))
}

/// The process to be killed: this test does nothing when run by itself.
#[test]
fn writes_until_killed() {
    let Some(path) = std::env::var_os(PATH_VARIABLE) else { return };
    let plain = std::env::var_os(PLAIN_VARIABLE).is_some();
    let backend = if plain { JournalBackend::Plain } else { JournalBackend::Auto };
    let config = JournalConfig { backend, block_bytes: 4096 };
    let mut writer = Writer::create(&PathBuf::from(path), &config).unwrap();
    let mut frame = [0; frame_bytes(77)];
    for seq in 0..FRAME_COUNT_MAX {
        let n = encode_frame(&mut frame, seq, seq, RecordKind::Market, &payload(seq));
        writer.append_bytes(&frame[..n]).unwrap();
    }
}

fn kill_and_read(path: &Path, plain: bool, kill_at_bytes: u64) -> u64 {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "writes_until_killed", "--nocapture"]).env(PATH_VARIABLE, path);
    if plain {
        command.env(PLAIN_VARIABLE, "1");
    }
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let written = || std::fs::metadata(path).map(|m| m.len()).unwrap_or(0);
    while written() < kill_at_bytes {
        assert!(child.try_wait().unwrap().is_none(), "the writer ended before it was killed");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let mut reader = Reader::open(path).unwrap();
    let mut count = 0;
    loop {
        match reader.next() {
            Ok(Some(frame)) => assert_eq!((frame.seq, frame.payload), (count, &payload(count)[..])),
            Ok(None) => break,
            Err(JournalError::TornTail { offset }) => {
                assert_eq!(offset, 8 + count * frame_bytes(77) as u64);
                break;
            }
            Err(other) => panic!("after a kill: {other}"),
        }
        count += 1;
    }
    assert_eq!(count, (written() - 8) / frame_bytes(77) as u64, "every whole frame is read");
    count
}

#[test]
fn a_killed_writer_leaves_whole_frames() {
    let dir = tempfile::tempdir().unwrap();
    for (i, plain) in [true, false, true, false].into_iter().enumerate() {
        let path = dir.path().join(format!("{i}.ijkj"));
        let kill_at_bytes = 100_000 * (i as u64 + 1);
        assert!(kill_and_read(&path, plain, kill_at_bytes) > 900);
    }
}
