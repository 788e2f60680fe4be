//! Every scenario as its file says, byte for byte: what a client sees is compared with the
//! transcript kept beside this file. `IJK_BLESS=1` writes the transcripts anew; they are then to
//! be read.

use ijk_twsim::{Scenario, scenarios};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn transcript(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(format!("{name}.txt"))
}

/// FNV-1a, 64 bits: a number for the bytes of a session.
fn digest(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Returns what is wrong with a scenario, nothing if it is as it should be.
fn judge(s: &Scenario, bless: bool) -> Option<String> {
    let played = match s.run() {
        Ok(played) => played,
        Err(e) => return Some(format!("{}: {e}", s.name)),
    };
    if !played.failures.is_empty() {
        let failures = played.failures.join("; ");
        return Some(format!("{}: {failures}\n{}", s.name, played.transcript));
    }
    let bytes = &played.bytes;
    let end = format!("{} bytes, digest {:016x}\n", bytes.len(), digest(bytes));
    let text = played.transcript + &end;
    let path = transcript(s.name);
    if bless {
        std::fs::write(&path, &text).expect("the transcript is written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let pairs = kept.lines().zip(text.lines()).enumerate();
    let first = pairs.into_iter().find(|(_, (a, b))| a != b);
    (kept != text).then(|| match first {
        Some((i, (a, b))) => format!("{}: line {}\n  kept {a}\n  now  {b}", s.name, i + 1),
        None => format!("{}: one is longer than the other, or none is kept", s.name),
    })
}

#[test]
fn every_scenario_shows_what_its_file_says_and_the_bytes_kept() {
    let bless = std::env::var_os("IJK_BLESS").is_some();
    let wrong: Vec<String> = scenarios::all().iter().filter_map(|s| judge(s, bless)).collect();
    assert!(wrong.is_empty(), "{} scenarios:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn scenarios_are_whole_and_their_files_all_listed() {
    let all = scenarios::all();
    let listed: BTreeSet<String> = all.iter().map(|s| format!("{}.txt", s.name)).collect();
    for folder in ["scenarios", "tests/transcripts"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let files = std::fs::read_dir(path).expect("the folder is there");
        let files: BTreeSet<String> =
            files.map(|f| f.expect("an entry").file_name().to_string_lossy().into()).collect();
        assert_eq!(files, listed, "{folder}");
    }
    for s in &all {
        assert!(!s.about.is_empty() && !s.seen.is_empty(), "{} says nothing", s.name);
        let judged = s.play.iter().any(|l| l.starts_with("expect") || l.starts_with("never"));
        assert!(judged, "{} expects nothing", s.name);
    }
}

#[test]
fn an_expectation_that_is_not_met_is_seen() {
    let mut s = scenarios::find("plain-session").expect("it is there");
    s.play.extend(["expect NoSuchMessage", "never ManagedAccounts", "bogus line"]);
    let played = s.run().expect("the faults are good");
    assert_eq!(played.failures.len(), 3, "{:?}", played.failures);
}

#[test]
fn the_same_session_gives_the_same_bytes_and_another_seed_others() {
    let lines = [
        "connect 1",
        "quotes 1 AAPL 233",
        "depth 2 AAPL 5",
        "place 1 buy 100 mkt AAPL",
        "wait 20000",
    ];
    let run = |seed| {
        let config = ijk_twsim::SimConfig {
            fixed_time_s: Some(1_741_012_200),
            seed,
            ..ijk_twsim::SimConfig::default()
        };
        ijk_twsim::play::play(config, &lines).expect("a good configuration").bytes
    };
    let bytes = run(7);
    assert!(bytes.len() > 10_000);
    assert_eq!(bytes, run(7));
    assert_ne!(bytes, run(8));
}
