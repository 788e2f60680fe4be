//! Captures: the same records again.

use crate::rig::{data, settings, sim, symbol};
use ijk_core::config::IbkrDataConfig;
use ijk_core::{EventSource, FeedErrorKind, MarketEvent};
use ijk_ibkr::market::{CaptureSource, IbkrFeed, OpenError};
use ijk_twsim::Server;
use std::path::PathBuf;
use std::time::{Duration, Instant};

fn file(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_file(&path);
    path
}

fn all(path: &std::path::Path) -> Vec<MarketEvent> {
    let mut source = CaptureSource::open(path).unwrap_or_else(|e| panic!("{e}"));
    let mut events = Vec::new();
    while let Some(ev) = source.next_event().unwrap_or_else(|e| panic!("{e}")) {
        events.push(ev);
    }
    events
}

#[test]
fn a_capture_gives_the_records_that_were_told_live() {
    let path = file("capture.jsonl");
    let server = Server::start(0, sim(&[])).expect("a port");
    let capture = IbkrDataConfig {
        capture: path.display().to_string(),
        depth_rows: 5,
        tick_lines: 2,
        ..data()
    };
    let settings = settings(&server, capture);
    let mut feed = IbkrFeed::open(&settings, &[symbol("AAPL"), symbol("MSFT")], 1.0).unwrap();
    let end = Instant::now() + Duration::from_secs(3);
    let mut live = Vec::new();
    while Instant::now() < end || live.len() < 50 {
        live.extend(feed.try_next());
    }
    server.command("depth reset").unwrap();
    while Instant::now() < end + Duration::from_secs(1) {
        live.extend(feed.try_next());
    }
    let conflated = feed.monitor().counts().conflated;
    drop(feed);
    let replayed = all(&path);
    assert!(replayed.len() >= live.len() && live.len() >= 50);
    assert_eq!(conflated, 0, "the reader kept up");
    assert_eq!(replayed[..live.len()], live[..]);
    // A file that is there is never replaced.
    let again = IbkrFeed::open(&settings, &[symbol("AAPL")], 1.0).err();
    assert!(matches!(again, Some(OpenError::Capture { .. })), "{again:?}");
}

#[test]
fn damaged_captures_are_refused_by_line() {
    let head = concat!(
        r#"{"format":"ijk-ibkr-capture-1","instruments":[{"symbol":"A","currency":"USD","#,
        r#""tick":10000000,"lot":1,"qty_unit_e9":1000000000,"#,
        r#""session":{"open_ns":0,"close_ns":9}}],"#,
        r#""by_rows":[false],"row_count":5,"band":0.5}"#,
    );
    let good = r#"{"at_ns":5,"instrument":0,"heard":"fresh"}"#;
    for (name, text, line, kind) in [
        ("empty", String::new(), 1, FeedErrorKind::Format),
        ("other", "{}\n".into(), 1, FeedErrorKind::Format),
        ("old", head.replace("capture-1", "capture-0"), 1, FeedErrorKind::Format),
        ("tick", head.replace("10000000", "0"), 1, FeedErrorKind::Format),
        ("cut", format!("{head}\n{good}\n{{\"at_ns\":6"), 3, FeedErrorKind::Format),
        (
            "word",
            format!("{head}\n{{\"at_ns\":6,\"instrument\":0,\"heard\":\"x\"}}\n"),
            2,
            FeedErrorKind::Format,
        ),
        ("who", format!("{head}\n{}\n", good.replace(":0,", ":7,")), 2, FeedErrorKind::Range),
        (
            "back",
            format!("{head}\n{good}\n{}\n", good.replace(":5,", ":4,")),
            3,
            FeedErrorKind::UnsortedTime,
        ),
    ] {
        let path = file(&format!("bad-{name}.jsonl"));
        std::fs::write(&path, text).unwrap();
        let error = match CaptureSource::open(&path) {
            Err(e) => e,
            Ok(mut source) => loop {
                match source.next_event() {
                    Err(e) => break e,
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("{name}: read to its end"),
                }
            },
        };
        assert_eq!((error.line, error.kind), (line, kind), "{name}: {error}");
    }
}
