//! Single steps: book, features, encoder, the whole hot path, ring, journal.

use super::Rows;
use super::measure::{Result1, calls, paths};
use super::trading::Trading;
use crate::exit::Exit;
use ijk_core::MarketEvent;
use ijk_core::config::{JournalBackend, JournalConfig};
use ijk_core::features::FEATURE_COUNT;
use ijk_infer::{Encoder, EncoderState, Weights};
use ijk_journal::{Durability, JournalError, Writer};
use ijk_market::{Book, FeatureEngine};
use std::hint::black_box;

/// Tokens measured by the encoder benches.
const TOKENS_MAX: usize = 5_000;
/// Records measured by the hot-path benches.
const HOT_RECORDS_MAX: usize = 100_000;

fn books(rows: &Rows) -> Vec<Book> {
    rows.instruments.iter().zip(&rows.depths).map(|(i, &depth)| Book::new(depth, i)).collect()
}

/// One record into its book.
pub fn book(rows: &Rows) -> Result1 {
    calls(
        "book.event",
        rows.records.len(),
        || books(rows),
        |books, i| {
            let ev = &rows.records[i];
            black_box(books[ev.instrument.index()].apply(ev));
        },
    )
}

/// One token: the records of ten rows into book and features, until the token closes.
pub fn features(rows: &Rows) -> Result1 {
    let tokens = tokens(rows).len();
    let reset = || {
        let records = rows.records.iter().filter(|e| e.instrument.index() == 0);
        (Book::new(rows.depths[0], &rows.instruments[0]), FeatureEngine::new(10), records)
    };
    calls("features.token", tokens, reset, |(book, engine, records), _| {
        for ev in records.by_ref() {
            book.apply(ev);
            if let Some(token) = engine.on_record(ev, book) {
                black_box(token);
                break;
            }
        }
    })
}

/// One token through one and through all members.
pub fn infer(rows: &Rows, weights: &Weights) -> Vec<Result1> {
    let tokens = tokens(rows);
    let mut results = Vec::new();
    let single = weights.single(0);
    for (name, weights) in [("infer.token.1", single.as_ref()), ("infer.token.5", Some(weights))] {
        let Some(weights) = weights else { continue };
        let encoder = Encoder::new(weights);
        results.push(calls(
            name,
            tokens.len(),
            || EncoderState::new(&encoder),
            |state, i| {
                black_box(encoder.step(state, &tokens[i]));
            },
        ));
    }
    results
}

fn tokens(rows: &Rows) -> Vec<[f64; FEATURE_COUNT]> {
    let mut books = books(rows);
    let mut engine = FeatureEngine::new(10);
    let mut tokens = Vec::new();
    for ev in rows.records.iter().filter(|e| e.instrument.index() == 0) {
        books[0].apply(ev);
        tokens.extend(engine.on_record(ev, &books[0]).map(|t| t.features));
        if tokens.len() == TOKENS_MAX {
            break;
        }
    }
    tokens
}

/// One record through the whole decision core, until the orders that follow from it lie in the
/// ring: without and with the ensemble, of all records and of those out of which an order left.
pub fn hotpath(rows: &Rows, weights: &Weights) -> Result<Vec<Result1>, Exit> {
    let records = &rows.records[..rows.records.len().min(HOT_RECORDS_MAX)];
    let encoder = Encoder::new(weights);
    let mut results = Vec::new();
    for (names, encoder) in [
        (["hotpath.no_infer", "hotpath.no_infer.order"], None),
        (["hotpath.full", "hotpath.full.order"], Some(encoder)),
    ] {
        Trading::new(&rows.instruments, &rows.depths, encoder.clone())?;
        let reset = || Trading::new(&rows.instruments, &rows.depths, encoder.clone()).ok();
        results.extend(paths(
            names,
            records.len(),
            reset,
            |trading, i| {
                if let Some(trading) = trading {
                    trading.take(&records[i]);
                }
            },
            |trading, i| trading.as_mut().is_some_and(|t| t.settle(&records[i])),
        ));
    }
    Ok(results)
}

/// One 64-byte record into a ring and out of it, same thread.
pub fn ring() -> Result1 {
    let ev = MarketEvent::new(ijk_core::EventKind::Status, ijk_core::InstrumentId(0));
    calls(
        "ring.hop",
        200_000,
        || rtrb::RingBuffer::<MarketEvent>::new(1_024),
        |ring, _| {
            let _ = black_box(ring.0.push(ev));
            let _ = black_box(ring.1.pop());
        },
    )
}

/// One market record encoded, checksummed, hashed and put into the writer's group; full groups
/// (256 KiB) go to a temporary file by plain writes, nothing waits for the device.
pub fn journal(rows: &Rows) -> Result<Result1, Exit> {
    let dir = std::env::temp_dir().join(format!("ijk-bench-{}", std::process::id()));
    let config = JournalConfig { backend: JournalBackend::Plain, ..JournalConfig::default() };
    let create = || -> Result<Writer, JournalError> {
        let open = |source| JournalError::Open { path: dir.clone(), source };
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).map_err(open)?;
        Writer::create(&dir, &config, Durability::Buffered)
    };
    create().map_err(|e| Exit::output(&dir, e))?;
    let n = rows.records.len().min(HOT_RECORDS_MAX);
    let result = calls(
        "journal.append",
        n,
        || create().ok(),
        |writer, i| {
            let ev = &rows.records[i];
            if let Some(writer) = writer {
                let _ = black_box(writer.append_record(ev.ts_receive.0, ev));
            }
        },
    );
    let _ = std::fs::remove_dir_all(&dir);
    Ok(result)
}
