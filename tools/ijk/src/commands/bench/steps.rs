//! Single steps: book, features, encoder, the whole hot path, ring, journal.

use super::Rows;
use super::measure::{Result1, calls, mix, paths, same};
use super::open::{Schedule, open_loop};
use super::trading::Trading;
use crate::exit::Exit;
use ijk_core::config::{JournalBackend, JournalConfig};
use ijk_core::features::FEATURE_COUNT;
use ijk_core::forecast::EnsembleForecast;
use ijk_core::{Config, MarketEvent, Side};
use ijk_infer::{Encoder, EncoderState, Level, Weights};
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

/// Best prices and sizes of every book, mixed into one number.
fn touch(books: &[Book]) -> u64 {
    let sides = [Side::Bid, Side::Ask];
    let best = books.iter().flat_map(|b| sides.map(|side| b.best(side).unwrap_or_default()));
    best.fold(0, |sum, level| mix(mix(sum, level.px.0 as u64), level.qty.0 as u64))
}

/// One record into its book.
///
/// # Errors
/// 70 where two passes differ.
pub fn book(rows: &Rows) -> Result<Result1, Exit> {
    calls(
        "book.event",
        rows.records.len(),
        || books(rows),
        |books, i| {
            let ev = &rows.records[i];
            black_box(books[ev.instrument.index()].apply(ev));
        },
        |books| touch(books),
    )
}

/// One token: the records of ten rows into book and features, until the token closes.
///
/// # Errors
/// 70 where two passes differ, or the engine closed another number of tokens.
pub fn features(rows: &Rows) -> Result<Result1, Exit> {
    let tokens = tokens(rows).len();
    let reset = || {
        let records = rows.records.iter().filter(|e| e.instrument.index() == 0);
        (Book::new(rows.depths[0], &rows.instruments[0]), FeatureEngine::new(10), records)
    };
    let call = |(book, engine, records): &mut (Book, FeatureEngine, _), _| {
        for ev in Iterator::by_ref(records) {
            book.apply(ev);
            if let Some(token) = engine.on_record(ev, book) {
                black_box(token);
                break;
            }
        }
    };
    calls("features.token", tokens, reset, call, |(_, engine, _)| engine.token_count())?
        .expect(tokens as u64)
}

/// One token through one and through all members. Every level gives the same bits: the answer is
/// that of the level below the one that is timed.
///
/// # Errors
/// 70 where the forecasts are not those.
pub fn infer(rows: &Rows, weights: &Weights) -> Result<Vec<Result1>, Exit> {
    let tokens = tokens(rows);
    let mut results = Vec::new();
    let single = weights.single(0);
    for (name, weights) in [("infer.token.1", single.as_ref()), ("infer.token.5", Some(weights))] {
        let Some(weights) = weights else { continue };
        let encoder = Encoder::new(weights);
        let result = calls(
            name,
            tokens.len(),
            || (EncoderState::new(&encoder), EnsembleForecast::default()),
            |(state, last), i| *last = black_box(encoder.step(state, &tokens[i])),
            |(_, last)| bits(last),
        )?;
        let below = Level::all().filter(|&l| l != Level::PORTABLE && l != encoder.level()).last();
        if let Some(level) = below {
            let other = Encoder::with(weights, level, encoder.packing());
            let mut state = EncoderState::new(&other);
            let last = tokens.iter().map(|t| other.step(&mut state, t)).last();
            same(name, bits(&last.unwrap_or_default()), result.answer())?;
        }
        results.push(result);
    }
    Ok(results)
}

/// All numbers of a forecast, mixed into one.
fn bits(forecast: &EnsembleForecast) -> u64 {
    let members = &forecast.members[..forecast.member_count as usize];
    members.iter().flatten().fold(0, |sum, h| {
        let numbers = [h.logits[0], h.logits[1], h.logits[2], h.mean_bps, h.log_var];
        numbers.into_iter().fold(sum, |sum, v| mix(sum, u64::from(v.to_bits())))
    })
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
/// ring: without and with the ensemble, of all records and of those out of which an order left;
/// and the same with the records due at `rate` a second, evenly and as they were recorded. All of
/// them send the same orders.
///
/// # Errors
/// 2 where the kernel refuses its settings, 70 where two passes send different orders.
pub fn hotpath(rows: &Rows, weights: &Weights, rate: f64) -> Result<Vec<Result1>, Exit> {
    let records = &rows.records[..rows.records.len().min(HOT_RECORDS_MAX)];
    let (config, encoder) = (Config::default(), Encoder::new(weights));
    let mut results = Vec::new();
    for (names, open, encoder) in [
        (
            ["hotpath.no_infer", "hotpath.no_infer.order"],
            ["hotpath.no_infer.open", "hotpath.no_infer.recorded"],
            None,
        ),
        (
            ["hotpath.full", "hotpath.full.order"],
            ["hotpath.full.open", "hotpath.full.recorded"],
            Some(encoder),
        ),
    ] {
        let make = || Trading::new(&config, &rows.instruments, &rows.depths, encoder.clone());
        make()?;
        let [all, with_order] = paths(
            names,
            records.len(),
            || make().ok(),
            |trading, i| {
                if let Some(trading) = trading {
                    trading.take(&records[i]);
                }
            },
            |trading, i| trading.as_mut().is_some_and(|t| t.settle(&records[i])),
            |trading| trading.as_ref().map_or(0, Trading::answer),
        )?;
        let expected = all.answer();
        results.extend([all, with_order]);
        for (name, schedule) in open.into_iter().zip([Schedule::Even, Schedule::Recorded]) {
            results.push(open_loop(
                name,
                &schedule.due(records, rate),
                expected,
                make()?,
                |trading, i| trading.take(&records[i]),
                |trading, i| _ = trading.settle(&records[i]),
                Trading::answer,
            )?);
        }
    }
    Ok(results)
}

/// One 64-byte record into a ring and out of it, same thread.
///
/// # Errors
/// 70 where not every record came out.
pub fn ring() -> Result<Result1, Exit> {
    let ev = MarketEvent::new(ijk_core::EventKind::Status, ijk_core::InstrumentId(0));
    const HOPS: usize = 200_000;
    calls(
        "ring.hop",
        HOPS,
        || (rtrb::RingBuffer::<MarketEvent>::new(1_024), 0u64),
        |(ring, hops), _| {
            let _ = black_box(ring.0.push(ev));
            *hops += u64::from(black_box(ring.1.pop()).is_ok());
        },
        |(_, hops)| *hops,
    )?
    .expect(HOPS as u64)
}

/// One market record encoded, checksummed, hashed and put into the writer's group; full groups
/// (256 KiB) go to a temporary file by plain writes, nothing waits for the device.
///
/// # Errors
/// 2 where no journal can be written, 70 where not every record is in it.
pub fn journal(rows: &Rows) -> Result<Result1, Exit> {
    let dir = std::env::temp_dir().join(format!("ijk-bench-{}", std::process::id()));
    let config = JournalConfig { backend: JournalBackend::Plain, ..JournalConfig::default() };
    let create = || -> Result<Writer, JournalError> {
        let open = |source| JournalError::Open { path: dir.clone(), source };
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).map_err(open)?;
        Writer::create(&dir, &config, Durability::Buffered)
    };
    let before = create().map_err(|e| Exit::output(&dir, e))?.next_seq();
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
        |writer| writer.as_ref().map_or(0, Writer::next_seq),
    );
    let _ = std::fs::remove_dir_all(&dir);
    result?.expect(before + n as u64)
}
