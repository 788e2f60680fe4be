//! Throughput over a whole feed.

use super::Rows;
use super::measure::{Result1, rate};
use crate::exit::Exit;
use ijk_core::{Config, EventSource, MarketEvent, RepairCounts, Side};
use ijk_data::ticks::{TickReader, TickWriter};
use ijk_market::{Book, FeatureEngine};
use ijk_venue::{SimExchange, Venue};
use std::hint::black_box;

/// Records a CPU second through book and features.
///
/// # Errors
/// 70 where two passes differ.
pub fn replay(rows: &Rows) -> Result<Result1, Exit> {
    let reset = || {
        let books: Vec<Book> =
            rows.instruments.iter().zip(&rows.depths).map(|(i, &d)| Book::new(d, i)).collect();
        let engines: Vec<_> = rows.instruments.iter().map(|_| FeatureEngine::new(10)).collect();
        (books, engines)
    };
    let pass = |(books, engines): &mut (Vec<Book>, Vec<FeatureEngine>)| {
        for ev in &rows.records {
            let at = ev.instrument.index();
            books[at].apply(ev);
            black_box(engines[at].on_record(ev, &books[at]));
        }
    };
    let tokens = |engines: &[FeatureEngine]| engines.iter().map(FeatureEngine::token_count).sum();
    rate("replay.rows", rows.records.len(), reset, pass, |(_, engines)| tokens(engines))
}

/// Records a CPU second through the exchange's book and a local one, reading the local best bid
/// and ask after each row, no orders.
///
/// # Errors
/// 2 if the simulated exchange refuses the defaults, 70 where two passes differ.
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
        (venue().ok(), books, 0u64)
    };
    let pass = |(venue, books, sum): &mut (Option<SimExchange>, Vec<Book>, u64)| {
        let Some(venue) = venue else { return };
        for ev in &rows.records {
            venue.on_market(ev);
            let book = &mut books[ev.instrument.index()];
            book.apply(ev);
            if ev.ends_row() {
                let px = |side| book.best(side).map_or(0, |level| level.px.0 as u64);
                *sum = sum.wrapping_add(px(Side::Bid)).wrapping_add(px(Side::Ask));
            }
        }
    };
    rate("backtest.top.rows", rows.records.len(), reset, pass, |(_, _, sum)| *sum)
}

/// Records a CPU second decoded from the tick store.
///
/// # Errors
/// 2 if the temporary file cannot be written, 70 where what was read is not what was written.
pub fn ticks_scan(rows: &Rows) -> Result<Result1, Exit> {
    let path = std::env::temp_dir().join(format!("ijk-bench-{}.parquet", std::process::id()));
    let mut writer = TickWriter::create(&path, &rows.instruments, &rows.depths, true)?;
    for ev in &rows.records {
        writer.push(ev)?;
    }
    writer.finish(&RepairCounts::default())?;
    let sum = |sum: u64, ev: &MarketEvent| {
        sum.wrapping_add(ev.ts_receive.0 ^ ev.px.0 as u64).wrapping_add(ev.qty.0 as u64)
    };
    let result = rate(
        "ticks.scan.rows",
        rows.records.len(),
        // Behind the same door as every command's feed.
        || (TickReader::open(&path).ok().map(|r| Box::new(r) as Box<dyn EventSource>), 0u64),
        |(reader, total)| {
            let Some(reader) = reader else { return };
            while let Ok(Some(ev)) = reader.next_event() {
                *total = sum(*total, black_box(&ev));
            }
        },
        |(_, total)| *total,
    );
    let _ = std::fs::remove_file(&path);
    result?.expect(rows.records.iter().fold(0, sum))
}
