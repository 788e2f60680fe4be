//! Binance recordings: sequence rules, repairs, malformed lines, the real samples.

use ijk_core::num::E9;
use ijk_core::{
    Currency, EventKind, EventSource, FeedError, FeedErrorKind, MarketEvent, Px, Qty, RowFlags,
    Side,
};
use ijk_data::binance::{BinanceSource, from_reader, open};
use ijk_data::synth::stats::LevelBook;
use proptest::prelude::*;
use std::io::Cursor;
use std::path::Path;

fn source(text: &str) -> Result<BinanceSource, FeedError> {
    from_reader(Cursor::new(text.as_bytes().to_vec()), "test")
}

/// All records and the source after them.
fn events(text: &str) -> Result<(Vec<MarketEvent>, BinanceSource), FeedError> {
    let mut source = source(text)?;
    let mut all = Vec::new();
    while let Some(event) = source.next_event()? {
        all.push(event);
    }
    Ok((all, source))
}

fn spot(ns: u64, first: u64, last: u64, bids: &str, asks: &str) -> String {
    format!(
        "{ns} {{\"stream\":\"x@depth\",\"data\":{{\"e\":\"depthUpdate\",\"E\":1000,\"s\":\"XUSDT\",\
         \"U\":{first},\"u\":{last},\"b\":{bids},\"a\":{asks}}}}}\n"
    )
}

fn futures(ns: u64, first: u64, last: u64, previous: u64, bids: &str, asks: &str) -> String {
    format!(
        "{ns} {{\"e\":\"depthUpdate\",\"E\":9,\"T\":7,\"s\":\"XUSDT\",\"U\":{first},\"u\":{last},\
         \"pu\":{previous},\"b\":{bids},\"a\":{asks}}}\n"
    )
}

fn ticker(ns: u64, id: u64, b: &str, a: &str) -> String {
    format!(
        "{ns} {{\"stream\":\"x@bookTicker\",\"data\":{{\"u\":{id},\"s\":\"XUSDT\",\"b\":\"{b}\",\
         \"B\":\"1\",\"a\":\"{a}\",\"A\":\"1\"}}}}\n"
    )
}

fn snapshot(ns: u64, id: u64, bids: &str, asks: &str) -> String {
    format!("{ns} {{\"lastUpdateId\":{id},\"bids\":{bids},\"asks\":{asks}}}\n")
}

fn book(all: &[MarketEvent]) -> LevelBook {
    let mut book = LevelBook::default();
    all.iter().for_each(|event| book.apply(event));
    book
}

fn e9(x: i64) -> i64 {
    x * E9
}

#[test]
fn every_kind_of_line_becomes_its_records() {
    let trade = "6 {\"stream\":\"x@trade\",\"data\":{\"e\":\"trade\",\"E\":8,\
                 \"s\":\"XUSDT\",\"t\":1,\
                 \"p\":\"10.5\",\"q\":\"0.25\",\"b\":88,\"a\":50,\"T\":7,\"m\":true,\"M\":true}}\n";
    let other = "7 {\"result\":null,\"id\":1}\n";
    let text = spot(5, 1, 2, r#"[["10.0","1.5"],["9.5","0"]]"#, r#"[["11.0","2",[]]]"#)
        + trade
        + other
        + &ticker(8, 3, "10.5", "10.75");
    let (all, source) = events(&text).expect("valid lines");
    let kinds: Vec<EventKind> = all.iter().map(|event| event.kind).collect();
    use EventKind::{BestSet, LevelSet, Status, Trade};
    assert_eq!(kinds, [LevelSet, LevelSet, LevelSet, Trade, Status, BestSet, BestSet]);
    let rows: Vec<u64> = all.iter().map(|event| event.row).collect();
    assert_eq!(rows, [0, 0, 0, 1, 2, 3, 3]);
    let ends: Vec<bool> = all.iter().map(|event| event.ends_row()).collect();
    assert_eq!(ends, [false, false, true, true, true, false, true]);
    assert_eq!((all[0].px, all[0].qty), (Px(9_500_000_000), Qty(0)), "what leaves comes first");
    assert_eq!((all[3].px, all[3].qty, all[3].side), (Px(10_500_000_000), Qty(E9 / 4), Side::Ask));
    assert_eq!((all[3].ts_exchange.0, all[3].ts_receive.0), (7_000_000, 6), "two clocks");
    assert_eq!(all[5].ts_exchange.0, 7_000_000, "no stamp: the symbol's last one");
    let book = book(&all);
    assert_eq!(book.level(Side::Bid, 0), Some((Px(10_500_000_000), Qty(E9))));
    assert_eq!(book.level(Side::Bid, 1), Some((Px(e9(10)), Qty(1_500_000_000))));
    assert_eq!(book.level(Side::Ask, 0), Some((Px(10_750_000_000), Qty(E9))));
    let instrument = source.instruments()[0];
    assert_eq!(instrument.symbol.as_str(), "XUSDT");
    assert_eq!((instrument.tick, instrument.lot), (Px(E9 / 4), Qty(E9 / 4)));
    assert_eq!((instrument.currency, instrument.qty_unit_e9), (Currency::Usdt, 1));
}

#[test]
fn gaps_are_reported_before_the_update_that_shows_them() {
    let level = r#"[["10","1"]]"#;
    let cases = [
        (spot(1, 1, 5, level, "[]") + &spot(2, 6, 7, level, "[]"), 0, 0),
        (spot(1, 1, 5, level, "[]") + &spot(2, 7, 8, level, "[]"), 1, 0),
        (spot(1, 1, 5, level, "[]") + &spot(2, 4, 5, level, "[]"), 0, 1),
        (futures(1, 1, 5, 0, level, "[]") + &futures(2, 9, 12, 5, level, "[]"), 0, 0),
        (futures(1, 1, 5, 0, level, "[]") + &futures(2, 9, 12, 6, level, "[]"), 1, 0),
        (snapshot(1, 10, level, "[]") + &spot(2, 8, 12, level, "[]"), 0, 0),
        (snapshot(1, 10, level, "[]") + &spot(2, 12, 13, level, "[]"), 1, 0),
        (snapshot(1, 10, level, "[]") + &futures(2, 8, 12, 7, level, "[]"), 0, 0),
        (snapshot(1, 10, level, "[]") + &futures(2, 13, 14, 12, level, "[]"), 1, 0),
    ];
    for (text, gaps, stale) in cases {
        let (all, source) = events(&text).expect("valid lines");
        let repairs = source.repairs();
        assert_eq!((repairs.sequence_gaps, repairs.stale_quotes), (gaps, stale), "{text}");
        let found: Vec<usize> = (0..all.len()).filter(|&i| all[i].kind == EventKind::Gap).collect();
        assert_eq!(found.len() as u64, gaps);
        for at in found {
            assert_eq!(all[at + 1].kind, EventKind::LevelSet);
            assert_eq!(all[at + 1].row, all[at].row, "the gap belongs to the row it precedes");
        }
    }
}

#[test]
fn a_late_snapshot_is_completed_by_the_updates_since() {
    let text = spot(1, 1, 5, r#"[["10","1"]]"#, r#"[["12","1"]]"#)
        + &spot(2, 6, 9, r#"[["10","0"],["9","7"]]"#, "[]")
        + &snapshot(3, 5, r#"[["10","1"],["8","4"]]"#, r#"[["12","1"],["13","2"]]"#)
        + &spot(4, 10, 11, "[]", r#"[["12","3"]]"#);
    let (all, source) = events(&text).expect("valid lines");
    assert_eq!(source.repairs(), Default::default());
    let book = book(&all);
    assert_eq!(book.bids.into_iter().collect::<Vec<_>>(), [(e9(8), e9(4)), (e9(9), e9(7))]);
    assert_eq!(book.asks.into_iter().collect::<Vec<_>>(), [(e9(12), e9(3)), (e9(13), e9(2))]);
    // One that reaches back before the first update cannot be completed.
    let text = spot(1, 4, 5, r#"[["10","1"]]"#, "[]") + &snapshot(3, 2, r#"[["8","4"]]"#, "[]");
    let (all, source) = events(&text).expect("valid lines");
    assert_eq!(source.repairs().stale_quotes, 1);
    assert!(all.iter().all(|event| event.kind != EventKind::Clear));
}

#[test]
fn old_tickers_are_skipped_newer_ones_stay_on_top_and_sides_never_cross() {
    let text = spot(1, 1, 5, r#"[["10","1"]]"#, r#"[["12","1"]]"#)
        + &ticker(2, 4, "11", "12")
        + &ticker(3, 9, "9", "13")
        + &spot(4, 6, 7, r#"[["10","2"]]"#, "[]");
    let (all, source) = events(&text).expect("valid lines");
    assert_eq!(source.repairs().stale_quotes, 1);
    let best = book(&all).best().expect("two sides");
    assert_eq!((best.0.0, best.1.0), (Px(e9(9)), Px(e9(13))), "the ticker of id 9 is newer");
    let text = spot(1, 1, 5, r#"[["10","1"]]"#, r#"[["12","1"],["14","1"]]"#)
        + &spot(2, 6, 7, r#"[["13","1"]]"#, "[]");
    let (all, source) = events(&text).expect("valid lines");
    assert_eq!(source.repairs().crossed_books, 1);
    let best = book(&all).best().expect("two sides");
    assert_eq!((best.0.0, best.1.0), (Px(e9(13)), Px(e9(14))), "the newer side stays");
    assert!(all.last().is_some_and(|e| e.flags.has(RowFlags::DERIVED.with(RowFlags::BOOK_END))));
    let (_, source) = events(&(ticker(5, 1, "1", "2") + &ticker(4, 2, "3", "3"))).expect("valid");
    assert_eq!((source.repairs().crossed_books, source.repairs().time_reversals), (1, 1));
}

/// Second line of a file, the kind of error it is, and the field.
const MALFORMED: &[(&str, FeedErrorKind, &str)] = &[
    ("nonsense\n", FeedErrorKind::Field, "line"),
    ("x {}\n", FeedErrorKind::Field, "local ns"),
    ("-5 {}\n", FeedErrorKind::Range, "local ns"),
    ("99999999999999999999 {}\n", FeedErrorKind::Range, "local ns"),
    ("5 {\n", FeedErrorKind::Field, "json"),
    ("5 [1,2]\n", FeedErrorKind::Field, "json"),
    ("5 {} {}\n", FeedErrorKind::Field, "json"),
    ("5 {\"e\":\"trade\"}\n", FeedErrorKind::Field, "s"),
    ("5 {\"e\":\"trade\",\"s\":\"OTHER\"}\n", FeedErrorKind::Field, "p"),
    (
        "5 {\"e\":\"trade\",\"s\":\"XUSDT\",\"p\":\"1e5\",\"q\":\"1\",\"m\":true}\n",
        FeedErrorKind::Field,
        "p",
    ),
    (
        "5 {\"e\":\"trade\",\"s\":\"XUSDT\",\"p\":\"1\",\"q\":\"-1\",\"m\":true}\n",
        FeedErrorKind::Range,
        "q",
    ),
    (
        "5 {\"e\":\"trade\",\"s\":\"XUSDT\",\"p\":\"1\",\"q\":\"1\",\"m\":1}\n",
        FeedErrorKind::Field,
        "m",
    ),
    (
        "5 {\"e\":\"trade\",\"s\":\"XUSDT\",\"T\":99999999999999999,\"p\":\"1\",\"q\":\"1\"}\n",
        FeedErrorKind::Range,
        "T",
    ),
    (
        "5 {\"e\":\"depthUpdate\",\"s\":\"XUSDT\",\"U\":9,\"u\":8,\"b\":[],\"a\":[]}\n",
        FeedErrorKind::Inconsistent,
        "u",
    ),
    (
        "5 {\"e\":\"depthUpdate\",\"s\":\"XUSDT\",\"U\":\"6\",\"u\":8,\"b\":[],\"a\":[]}\n",
        FeedErrorKind::Field,
        "U",
    ),
    (
        "5 {\"e\":\"depthUpdate\",\"s\":\"XUSDT\",\"U\":6,\"u\":8,\"b\":[[1,2]],\"a\":[]}\n",
        FeedErrorKind::Field,
        "b",
    ),
    (
        "5 {\"e\":\"depthUpdate\",\"s\":\"XUSDT\",\"U\":6,\"u\":8,\
             \"b\":[[\"0\",\"1\"]],\"a\":[]}\n",
        FeedErrorKind::Range,
        "b",
    ),
    (
        "5 {\"e\":\"depthUpdate\",\"s\":\"XUSDT\",\"U\":6,\"u\":8,\"b\":[],\
             \"a\":[[\"99999999999\",\"1\"]]}\n",
        FeedErrorKind::Range,
        "a",
    ),
    ("5 {\"lastUpdateId\":7,\"bids\":3,\"asks\":[]}\n", FeedErrorKind::Field, "bids"),
    (
        "5 {\"u\":7,\"s\":\"XUSDT\",\"b\":\"0\",\"B\":\"1\",\"a\":\"2\",\"A\":\"1\"}\n",
        FeedErrorKind::Range,
        "b",
    ),
    (
        "5 {\"u\":7,\"s\":\"A SYMBOL WITH SPACES\",\"b\":\"1\",\"B\":\"1\"}\n",
        FeedErrorKind::Field,
        "s",
    ),
    ("\n7 {}\n", FeedErrorKind::ColumnCount, ""),
];

#[test]
fn malformed_lines_say_where_and_what() {
    let good = spot(1, 1, 5, r#"[["10","1"]]"#, "[]");
    for (line, kind, field) in MALFORMED {
        let e = events(&(good.clone() + line)).map(|_| ()).expect_err(line);
        assert_eq!((e.kind, e.field.as_str(), e.line), (*kind, *field, 2), "{line} gave {e}");
        assert!(e.to_string().starts_with("test:2"), "{e}");
    }
    assert_eq!(source("").map(|_| ()).unwrap_err().kind, FeedErrorKind::Format);
    let many: String = (0..65)
        .map(|i| {
            format!(
                "1 {{\"u\":1,\"s\":\"S{i}\",\"b\":\"1\",\"B\":\"1\",\"a\":\"2\",\"A\":\"1\"}}\n"
            )
        })
        .collect();
    assert_eq!(source(&many).map(|_| ()).unwrap_err().line, 65);
}

/// Reads to the end or the first error; the book must be uncrossed wherever it is complete.
fn drain(mut source: BinanceSource) -> Result<u64, FeedError> {
    let n = source.instruments().len();
    let (mut books, mut records) = (vec![LevelBook::default(); n], 0);
    let mut last = 0;
    while let Some(event) = source.next_event()? {
        assert!(event.ts_receive.0 >= last, "receive times never decrease");
        last = event.ts_receive.0;
        let book = &mut books[event.instrument.index()];
        book.apply(&event);
        if event.flags.has(RowFlags::BOOK_END)
            && let Some((bid, ask)) = book.best()
        {
            assert!(bid.0 < ask.0, "crossed at row {}", event.row);
        }
        records += 1;
    }
    Ok(records)
}

fn any_levels() -> impl Strategy<Value = String> {
    prop::collection::vec((1u32..12, 0u32..3), 0..4).prop_map(|levels| {
        let levels: Vec<String> =
            levels.iter().map(|(px, qty)| format!("[\"{px}\",\"{qty}\"]")).collect();
        format!("[{}]", levels.join(","))
    })
}

fn any_line() -> impl Strategy<Value = String> {
    let id = 1u64..30;
    prop_oneof![
        (0u64..9, id.clone(), 0u64..3, any_levels(), any_levels())
            .prop_map(|(ns, first, n, b, a)| spot(ns, first, first + n, &b, &a)),
        (0u64..9, id.clone(), 1u32..9, 1u32..9).prop_map(|(ns, id, b, a)| ticker(
            ns,
            id,
            &b.to_string(),
            &a.to_string()
        )),
        (0u64..9, id, any_levels(), any_levels())
            .prop_map(|(ns, id, b, a)| snapshot(ns, id, &b, &a)),
    ]
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let read = from_reader(Cursor::new(bytes), "noise").and_then(drain);
        prop_assert!(read.is_err() || read.is_ok());
    }

    #[test]
    fn no_damage_to_a_line_makes_it_panic(at in 0usize..400, byte in any::<u8>()) {
        let text = spot(1, 1, 5, r#"[["10","1"]]"#, r#"[["12","1"]]"#)
            + &ticker(2, 7, "10", "11")
            + &snapshot(3, 8, r#"[["10","1"]]"#, r#"[["12","1"]]"#);
        let mut bytes = text.into_bytes();
        let n = bytes.len();
        bytes[at % n] = byte;
        let _ = from_reader(Cursor::new(bytes), "noise").and_then(drain);
    }

    #[test]
    fn no_order_of_messages_leaves_the_book_crossed(
        lines in prop::collection::vec(any_line(), 1..30),
    ) {
        let first = ticker(0, 1, "1", "2");
        let read = source(&(first + &lines.concat())).and_then(drain);
        prop_assert!(read.is_ok(), "{read:?}");
    }
}

#[test]
fn the_samples_read_to_their_end_without_a_crossed_book() {
    let root = std::env::var("IJK_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data").to_string());
    // Lines, tick and lot in 1e-9. (One old order of 25.426189 BTC makes that lot finer than the
    // venue's present one.)
    let samples = [
        ("spot/btcusdt_20240808.gz", 41_249, E9 / 100, 1_000),
        ("spot/ethusdt_20240808.gz", 33_618, E9 / 100, 100_000),
        ("usdm/btcusdt_20240808.gz", 93_954, E9 / 10, E9 / 1_000),
        ("usdm/ethusdt_20240808.gz", 74_655, E9 / 100, E9 / 1_000),
        ("cm/btcusd_perp_20240808.gz", 48_270, E9 / 10, E9),
        ("cm/ethusd_perp_20240808.gz", 40_454, E9 / 100, E9),
    ];
    for (name, rows, tick, lot) in samples {
        let path = Path::new(&root).join("hftbacktest").join(name);
        if !path.exists() {
            eprintln!("skipped: {} is not there", path.display());
            continue;
        }
        let instrument = open(&path).expect("the sample opens").instruments()[0];
        assert_eq!((instrument.tick, instrument.lot), (Px(tick), Qty(lot)), "{name}");
        let records = drain(open(&path).expect("the sample opens")).expect("the sample is valid");
        let mut source = open(&path).expect("the sample opens");
        let mut read = 0;
        while let Some(event) = source.next_event().expect("the sample is valid") {
            read += u64::from(event.ends_row());
        }
        assert_eq!(read, rows, "{name}: one row a line");
        assert_eq!(source.repairs().sequence_gaps, 0, "{name}");
        eprintln!("{name}: {rows} rows, {records} records, {:?}", source.repairs());
    }
}
