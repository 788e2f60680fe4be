//! Throughput over a whole feed.

use super::Rows;
use super::measure::{Result1, rate};
use crate::exit::Exit;
use ijk_core::{Config, EventSource, RepairCounts, Side};
use ijk_data::ticks::{TickReader, TickWriter};
use ijk_market::{Book, FeatureEngine};
use ijk_venue::{SimExchange, Venue};
use std::hint::black_box;

/// Records a CPU second through book and features.
pub fn replay(rows: &Rows) -> Result1 {
    let reset = || {
        let books: Vec<Book> =
            rows.instruments.iter().zip(&rows.depths).map(|(i, &d)| Book::new(d, i)).collect();
        let engines: Vec<_> = rows.instruments.iter().map(|_| FeatureEngine::new(10)).collect();
        (books, engines)
    };
    rate("replay.rows", rows.records.len(), reset, |(books, engines)| {
        for ev in &rows.records {
            let at = ev.instrument.index();
            books[at].apply(ev);
            black_box(engines[at].on_record(ev, &books[at]));
        }
    })
}

/// Records a CPU second through the exchange's book and a local one, reading the local best bid
/// and ask after each row, no orders.
///
/// # Errors
/// 2 if the simulated exchange refuses the defaults.
pub fn backtest_top(rows: &Rows) -> Result<Result1, Exit> {
    let config = Config::default();
    let venue = || {
        SimExchange::new(&config.sim, &config.fees, &rows.instruments, &rows.depths, 1)
            .map_err(Exit::usage)
    };
    venue()?;
    let reset = || {
        let books: Vec<Book> =
            rows.instruments.iter().zip(&rows.depths).map(|(i, &d)| Book::new(d, i)).collect();
        (venue().ok(), books)
    };
    Ok(rate("backtest.top.rows", rows.records.len(), reset, |(venue, books)| {
        let Some(venue) = venue else { return };
        for ev in &rows.records {
            venue.on_market(ev);
            let book = &mut books[ev.instrument.index()];
            book.apply(ev);
            if ev.ends_row() {
                black_box((book.best(Side::Bid), book.best(Side::Ask)));
            }
        }
    }))
}

/// Records a CPU second decoded from the tick store.
///
/// # Errors
/// 2 if the temporary file cannot be written.
pub fn ticks_scan(rows: &Rows) -> Result<Result1, Exit> {
    let path = std::env::temp_dir().join(format!("ijk-bench-{}.parquet", std::process::id()));
    let mut writer = TickWriter::create(&path, &rows.instruments, &rows.depths, true)?;
    for ev in &rows.records {
        writer.push(ev)?;
    }
    writer.finish(&RepairCounts::default())?;
    let result = rate(
        "ticks.scan.rows",
        rows.records.len(),
        || TickReader::open(&path).ok(),
        |reader| {
            while let Some(Ok(Some(ev))) = reader.as_mut().map(EventSource::next_event) {
                black_box(ev);
            }
        },
    );
    let _ = std::fs::remove_file(&path);
    Ok(result)
}
