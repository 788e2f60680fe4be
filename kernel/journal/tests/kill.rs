//! A killed process leaves a journal that holds every record it acknowledged, and goes on.

mod common;

use common::{backends, config};
use ijk_core::config::JournalBackend;
use ijk_core::record::RecordKind;
use ijk_journal::{Durability, FsStorage, Writer, WriterOptions, recover};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const DIR_VARIABLE: &str = "IJK_JOURNAL_KILL_DIR";
const PLAIN_VARIABLE: &str = "IJK_JOURNAL_KILL_PLAIN";
/// Records after which the writing process ends by itself, should nobody kill it.
const RECORD_COUNT_MAX: u64 = 2_000_000;

fn payload(seq: u64) -> [u8; 77] {
    std::array::from_fn(|i| (seq as u8).wrapping_mul(31).wrapping_add(i as u8))
}

/// The process to be killed: this test does nothing when run by itself. Prints the watermark
/// after every commit.
#[test]
fn writes_until_killed() {
    let Some(dir) = std::env::var_os(DIR_VARIABLE) else { return };
    let plain = std::env::var_os(PLAIN_VARIABLE).is_some();
    let config = config(if plain { JournalBackend::Plain } else { JournalBackend::Uring });
    let dir = PathBuf::from(dir);
    let mut storage = FsStorage::new(&dir, config.backend).unwrap();
    let recovered = recover(&mut storage, |_| Ok(())).unwrap();
    let epoch = recovered.epoch + 1;
    let options = WriterOptions::new(&config, Durability::Strict, epoch).unwrap();
    let mut writer = Writer::resume(storage, options, &recovered).unwrap();
    for seq in recovered.next_seq..RECORD_COUNT_MAX {
        writer.append(seq, RecordKind::Market, &payload(seq)).unwrap();
        if seq % 9 == 0 {
            println!("acknowledged {}", writer.commit().unwrap());
        }
    }
}

/// Starts the writer, kills it after `lines` acknowledgements, returns the last one seen.
fn run_and_kill(dir: &Path, plain: bool, lines: usize) -> u64 {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "writes_until_killed", "--nocapture"]).env(DIR_VARIABLE, dir);
    if plain {
        command.env(PLAIN_VARIABLE, "1");
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let (mut acknowledged, mut seen) = (0, 0);
    let mut line = String::new();
    let mut killed = false;
    while out.read_line(&mut line).unwrap() > 0 {
        // A line cut off by the kill is no acknowledgement.
        if let Some(n) = line.strip_suffix('\n').and_then(|l| l.strip_prefix("acknowledged ")) {
            acknowledged = n.parse().unwrap();
            seen += 1;
        }
        if seen == lines && !killed {
            child.kill().unwrap();
            killed = true;
        }
        line.clear();
    }
    assert!(killed, "the writer ended before it was killed");
    child.wait().unwrap();
    acknowledged
}

#[test]
fn a_killed_writer_keeps_what_it_acknowledged() {
    for backend in backends() {
        let dir = tempfile::tempdir().unwrap();
        let mut epochs = 0;
        for lines in [1, 30, 100, 7, 55] {
            let plain = backend == JournalBackend::Plain;
            let acknowledged = run_and_kill(dir.path(), plain, lines);
            let mut found = 0;
            let check = |frame: &ijk_journal::Frame<'_>| {
                assert_eq!((frame.seq, frame.payload), (found, &payload(found)[..]));
                found += 1;
                Ok(())
            };
            let mut storage = FsStorage::new(dir.path(), backend).unwrap();
            let recovered = recover(&mut storage, check).unwrap();
            assert!(found >= acknowledged, "{backend:?}: {found} of {acknowledged} acknowledged");
            assert!(recovered.epoch > epochs);
            epochs = recovered.epoch;
        }
    }
}
