//! `ijk features`: the twelve features, one row a token.

use crate::cli::FeaturesArgs;
use crate::exit::Exit;
use crate::feeds::Feeds;
use crate::print::{print_json, print_text};
use crate::table::{Kind, Table};
use crate::{feeds, progress};
use ijk_core::features::{FEATURE_NAMES, Token};
use ijk_core::{EventSource, RecvTs};
use ijk_market::{Book, FeatureEngine};
use serde_json::json;

/// Writes the features.
///
/// # Errors
/// 2 for usage, 3 for bad input; nothing is written then.
pub fn run(args: &FeaturesArgs) -> Result<(), Exit> {
    let (mut source, index) = open(&args.spec, args.symbol.as_deref(), args.stride)?;
    let mut columns = token_columns();
    columns.extend(FEATURE_NAMES.map(|n| (n.to_string(), Kind::Float)));
    let mut table = Table::create(&args.out.out, &columns, args.out.force)?;
    let bar = progress::bar(None, "features", args.out.json);
    let rows = for_each_token(&mut source, index, args.stride, |token, _| {
        token_cells(&mut table, token);
        for value in token.features {
            table.float(value);
        }
        if token.index & 0xfff == 0 {
            bar.set_message(format!("{} tokens", token.index));
        }
        table.end_row()
    })?;
    let tokens = table.finish()?;
    bar.finish_and_clear();
    if args.out.json {
        print_json(&json!({
            "out": args.out.out.display().to_string(), "events": rows, "tokens": tokens,
        }));
    } else {
        print_text(&format!("{}: {tokens} tokens, {rows} events\n", args.out.out.display()));
    }
    Ok(())
}

/// Opens one symbol of one feed.
///
/// # Errors
/// 2 for usage, 3 for bad input.
pub fn open(spec: &str, symbol: Option<&str>, stride: u32) -> Result<(Feeds, usize), Exit> {
    if stride == 0 {
        return Err(Exit::usage("--stride 0: a token needs at least one event"));
    }
    let specs = feeds::parse_specs(&[spec.to_string()])?;
    let source = feeds::open(&specs, 1, &[])?;
    let index = feeds::choose_symbol(source.instruments(), symbol)?;
    Ok((source, index))
}

/// Columns that stand before the values of any per-token table.
pub fn token_columns() -> Vec<(String, Kind)> {
    [
        ("token_index", Kind::Int),
        ("event_index", Kind::Int),
        ("ts_event", Kind::Int),
        ("mid", Kind::Float),
    ]
    .map(|(n, k)| (n.to_string(), k))
    .to_vec()
}

/// Cells of [`token_columns`].
pub fn token_cells(table: &mut Table, token: &Token) {
    let mid = if token.two_sided {
        (token.bid.0.as_f64() + token.ask.0.as_f64()) / 2.0
    } else {
        f64::NAN
    };
    table.int(token.index as i64).int(token.event_index as i64).int(token.ts.0 as i64).float(mid);
}

/// Runs one symbol through book and features; `each` hears every token and when the row that closed
/// it was received. Returns the number of its events.
///
/// # Errors
/// 3 for bad input, or what `each` returns.
pub fn for_each_token(
    source: &mut Feeds,
    index: usize,
    stride: u32,
    mut each: impl FnMut(&Token, RecvTs) -> Result<(), Exit>,
) -> Result<u64, Exit> {
    let mut book = Book::new(source.depth_kind(index), &source.instruments()[index]);
    let mut features = FeatureEngine::new(stride);
    let mut rows = 0;
    while let Some(ev) = source.next_event()? {
        if ev.instrument.index() != index {
            continue;
        }
        book.apply(&ev);
        rows += u64::from(ev.ends_row());
        if let Some(token) = features.on_record(&ev, &book) {
            each(&token, ev.ts_receive)?;
        }
    }
    Ok(rows)
}
