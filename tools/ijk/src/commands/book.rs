//! `ijk book`: the book after every event.

use crate::cli::BookArgs;
use crate::exit::Exit;
use crate::print::{print_json, print_text};
use crate::table::{Kind, Table};
use crate::{feeds, progress};
use ijk_core::record::Level;
use ijk_core::{EventSource, Side, limits::BOOK_LEVEL_COUNT_MAX};
use ijk_market::Book;
use serde_json::json;

/// Writes the book.
///
/// # Errors
/// 2 for usage, 3 for bad input; nothing is written then.
pub fn run(args: &BookArgs) -> Result<(), Exit> {
    let levels = args.levels;
    if !(1..=BOOK_LEVEL_COUNT_MAX).contains(&levels) {
        return Err(Exit::usage(format!(
            "--levels {levels}: expected 1 to {BOOK_LEVEL_COUNT_MAX}"
        )));
    }
    let specs = feeds::parse_specs(std::slice::from_ref(&args.spec))?;
    let mut source = feeds::open(&specs, 1, &[])?;
    let index = feeds::choose_symbol(source.instruments(), args.symbol.as_deref())?;
    let instrument = source.instruments()[index];
    let mut book = Book::new(source.depth_kind(index), &instrument);
    let mut table = Table::create(&args.out.out, &columns(levels), args.out.force)?;
    let bar = progress::bar(None, "book", args.out.json);
    let mut side = vec![Level::default(); levels];
    let (mut rows, mut crossed) = (0i64, 0u64);
    while let Some(ev) = source.next_event()? {
        if ev.instrument.index() != index {
            continue;
        }
        book.apply(&ev);
        if !ev.ends_row() {
            continue;
        }
        table.int(rows).int(ev.ts_exchange.0 as i64);
        for s in [Side::Bid, Side::Ask] {
            let found = book.levels(s, &mut side);
            for at in 0..levels {
                let level = side.get(at).filter(|_| at < found);
                table.float(level.map_or(f64::NAN, |l| l.px.as_f64()));
            }
            for at in 0..levels {
                let level = side.get(at).filter(|_| at < found);
                table.float(level.map_or(0.0, |l| instrument.qty_as_f64(l.qty)));
            }
        }
        table.end_row()?;
        rows += 1;
        crossed += u64::from(book.is_crossed());
        if rows & 0xffff == 0 {
            bar.set_message(format!("{rows} events"));
        }
    }
    table.finish()?;
    bar.finish_and_clear();
    if args.out.json {
        let repairs: serde_json::Map<_, _> =
            source.repairs().named().iter().map(|(k, v)| ((*k).into(), json!(v))).collect();
        print_json(&json!({
            "out": args.out.out.display().to_string(), "events": rows, "crossed": crossed,
            "repairs": repairs,
        }));
    } else {
        print_text(&format!("{}: {rows} events, {crossed} crossed\n", args.out.out.display()));
    }
    Ok(())
}

fn columns(levels: usize) -> Vec<(String, Kind)> {
    let mut columns =
        vec![("event_index".to_string(), Kind::Int), ("ts_event".to_string(), Kind::Int)];
    for what in ["bid_px", "bid_sz", "ask_px", "ask_sz"] {
        columns.extend((1..=levels).map(|l| (format!("{what}_{l}"), Kind::Float)));
    }
    columns
}
