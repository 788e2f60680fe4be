//! LOBSTER: after every row the book equals the order book file.

mod common;

use common::{PlainBook, real};
use ijk_core::{EventKind, EventSource, RowFlags, Side};
use ijk_data::input::{LineReader, open, open_member};
use ijk_data::lobster;
use proptest::prelude::*;
use std::io::Read;

/// Parses an order book row the slow way: (bids, asks) as (price in 1e-9, quantity).
fn naive_row(line: &str) -> [Vec<(i64, i64)>; 2] {
    let mut out = [Vec::new(), Vec::new()];
    let v: Vec<i64> = line.split(',').map(|f| f.parse().unwrap()).collect();
    for level in v.chunks(4) {
        if level[1] > 0 {
            out[1].push((level[0] * 100_000, level[1]));
        }
        if level[3] > 0 {
            out[0].push((level[2] * 100_000, level[3]));
        }
    }
    out
}

/// Applies everything and compares after every row; returns rows and derived records.
fn check<R: Read>(source: &mut dyn EventSource, mut rows: LineReader<R>) -> (u64, u64) {
    let mut book = PlainBook::default();
    let (mut row_count, mut derived, mut messages_in_row, mut last_ts) = (0u64, 0u64, 0, 0);
    while let Some(e) = source.next_event().unwrap() {
        assert_eq!(e.row, row_count);
        assert!(e.ts_receive.0 >= last_ts && e.ts_receive.0 == e.ts_exchange.0);
        last_ts = e.ts_receive.0;
        if e.flags.has(RowFlags::DERIVED) {
            derived += 1;
        } else {
            messages_in_row += 1;
        }
        book.apply_levels(&e);
        if !e.ends_row() {
            continue;
        }
        assert!(e.flags.has(RowFlags::BOOK_END));
        assert_eq!(messages_in_row, 1, "row {row_count}");
        let (line, _) = rows.next_line().unwrap().unwrap();
        let [bids, asks] = naive_row(std::str::from_utf8(line).unwrap());
        assert_eq!(book.top(Side::Bid, usize::MAX), bids, "bids after row {row_count}");
        assert_eq!(book.top(Side::Ask, usize::MAX), asks, "asks after row {row_count}");
        messages_in_row = 0;
        row_count += 1;
    }
    assert!(rows.next_line().unwrap().is_none());
    (row_count, derived)
}

#[test]
fn every_row_of_the_sample_days_equals_the_orderbook_file() {
    let days = [
        ("LOBSTER_SampleFile_GOOG_2012-06-21_10.zip", 147_916),
        ("LOBSTER_SampleFile_GOOG_2012-06-21_5.zip", 112_673),
        ("LOBSTER_SampleFile_GOOG_2012-06-21_1.zip", 49_482),
        ("LOBSTER_SampleFile_AAPL_2012-06-21_1.zip", 118_497),
    ];
    for (name, expected) in days {
        let Some(path) = real(&format!("lobster/{name}")) else { return };
        let mut source = lobster::open(&path, None).unwrap();
        let books = open_member(&path, |m| m.contains("orderbook")).unwrap();
        let started = std::time::Instant::now();
        let (rows, derived) = check(&mut source, books.lines());
        let repairs = source.repairs();
        eprintln!("{name}: {rows} rows, {derived} derived, {repairs:?}, {:?}", started.elapsed());
        assert_eq!(rows, expected);
        // What the messages do not explain must be rare: a wrong reading of them is not.
        assert!(repairs.level_mismatches * 1000 < rows, "{repairs:?}");
        let (read, total) = source.progress().unwrap();
        assert_eq!(read, total);
    }
}

#[test]
fn the_sample_hour_in_gzip_pairs_reads_alike() {
    let folder = "lobster/AAPL_partial/AAPL_2012-06-21_head999";
    let Some(messages) = real(&format!("{folder}_message_10.csv.gz")) else { return };
    let Some(books) = real(&format!("{folder}_orderbook_10.csv.gz")) else { return };
    let mut source = lobster::open(&messages, Some(&books)).unwrap();
    let (rows, derived) = check(&mut source, open(&books).unwrap().lines());
    eprintln!("{rows} rows, {derived} derived, {:?}", source.repairs());
    assert_eq!(rows, 999);
    assert_eq!(source.level_count(), 10);
    assert_eq!(source.instruments()[0].symbol.as_str(), "AAPL");
    let e = lobster::open(&messages, None).err().unwrap();
    assert!(e.detail.contains("lobster:MESSAGE.csv,ORDERBOOK.csv"), "{e}");
}

#[test]
fn times_are_utc_and_kinds_are_those_of_the_format() {
    let messages = "34200.000000001,1,11,100,1000000,1\n34200.5,2,11,40,1000000,1\n\
                    34201,3,11,60,1000000,1\n34202,1,12,5,1010000,-1\n34203,4,12,1,1010000,-1\n\
                    34204,5,0,7,1005050,-1\n34205,6,-1,900,1005000,-1\n34206,7,0,0,-1,-1\n\
                    34207,7,0,0,0,-1\n34208,7,0,0,1,-1\n";
    let book = |ask: i64, bid: i64| {
        let ask = if ask > 0 { format!("1010000,{ask}") } else { "9999999999,0".into() };
        let bid = if bid > 0 { format!("1000000,{bid}") } else { "-9999999999,0".into() };
        format!("{ask},{bid}\n")
    };
    let states = [(0, 100), (0, 60), (0, 0), (5, 0)];
    let mut books: String = states.iter().map(|&(a, b)| book(a, b)).collect();
    books.push_str(&book(4, 0).repeat(6));
    let day = lobster::FileDay::from_name("dir/X_2012-06-21_34200000_57600000_message_1.csv");
    let day = day.unwrap();
    // 2012-06-21 00:00 in New York (EDT) is 04:00 UTC.
    assert_eq!(day.midnight_ns, 1_340_251_200_000_000_000);
    assert_eq!(day.session.open_ns, day.midnight_ns + 34_200_000_000_000);
    assert_eq!(day.session.close_ns, day.midnight_ns + 57_600_000_000_000);
    let mut source = lobster::from_readers(messages.as_bytes(), "m", books.as_bytes(), "b", day);
    let events = common::drain(&mut source);
    assert_eq!(source.repairs().level_mismatches, 0);
    assert_eq!(events[0].kind, EventKind::Clear);
    assert!(events[0].flags.has(RowFlags::SNAPSHOT) && !events[0].ends_row());
    let messages: Vec<_> = events.iter().filter(|e| !e.flags.has(RowFlags::DERIVED)).collect();
    use EventKind::*;
    let kinds: Vec<EventKind> = messages.iter().map(|e| e.kind).collect();
    let expected =
        [Add, Reduce, Delete, Add, ExecVisible, ExecHidden, Status, Halt, Status, Resume];
    assert_eq!(kinds, expected);
    let first = messages[0];
    assert_eq!(first.ts_exchange.0, 1_340_251_200_000_000_000 + 34_200_000_000_001);
    assert_eq!((first.px.0, first.qty.0, first.order_id), (100_000_000_000, 100, 11));
    let trade = messages[4].visible_trade().unwrap();
    assert_eq!(trade, (ijk_core::Qty(1), Some(Side::Bid)));
    assert_eq!(messages[5].visible_trade(), None);
    assert_eq!(messages[5].px.0, 100_505_000_000);
}

/// One step of a made-up session: what to do, to which order or price, how much.
type Step = (u8, u8, u8);

/// Keeps every order and writes LOBSTER files of `n` levels: a message appears only if what it
/// changes is in view, as in the real files; the rest moves the deep book silently.
struct Writer {
    orders: Vec<(u64, Side, i64, i64)>,
    book: PlainBook,
    n: usize,
    messages: String,
    books: String,
}

impl Writer {
    fn view(&self) -> [Vec<(i64, i64)>; 2] {
        [self.book.top(Side::Bid, self.n), self.book.top(Side::Ask, self.n)]
    }

    fn step(&mut self, at: usize, (what, which, qty): Step) {
        let qty = i64::from(qty % 50) + 1;
        let before = self.view();
        let (code, id, side, px, qty) = if what % 3 == 0 || self.orders.is_empty() {
            let side = if which & 1 == 0 { Side::Bid } else { Side::Ask };
            let px = 1_000_000 - side.sign() * 100 * (1 + i64::from(which / 2 % 12));
            self.orders.push((at as u64 + 1, side, px, qty));
            (1, at as u64 + 1, side, px, qty)
        } else {
            let index = which as usize % self.orders.len();
            let (id, side, px, left) = self.orders[index];
            let code = 2 + what % 3;
            let qty = if code == 3 { left } else { qty.min(left) };
            self.orders[index].3 -= qty;
            self.orders.retain(|o| o.3 > 0);
            (code, id, side, px, -qty)
        };
        let levels = if side == Side::Bid { &mut self.book.bids } else { &mut self.book.asks };
        *levels.entry(px).or_default() += qty;
        levels.retain(|_, q| *q > 0);
        let after = self.view();
        if before == after {
            return;
        }
        let (sign, size) = (side.sign(), qty.abs());
        self.messages.push_str(&format!("{}.5,{code},{id},{size},{px},{sign}\n", 34_200 + at));
        let row: Vec<String> = (0..self.n)
            .map(|i| {
                let (ap, aq) = after[1].get(i).copied().unwrap_or((9_999_999_999, 0));
                let (bp, bq) = after[0].get(i).copied().unwrap_or((-9_999_999_999, 0));
                format!("{ap},{aq},{bp},{bq}")
            })
            .collect();
        self.books.push_str(&row.join(","));
        self.books.push('\n');
    }
}

proptest! {
    #[test]
    fn an_honest_session_has_no_mismatch_and_rebuilds(
        steps in proptest::collection::vec(any::<Step>(), 40..300),
        n in 1usize..6,
        skipped in 0usize..30,
    ) {
        let mut writer = Writer {
            orders: Vec::new(), book: PlainBook::default(), n,
            messages: String::new(), books: String::new(),
        };
        for (at, step) in steps.iter().enumerate() {
            writer.step(at, *step);
            // Files begin with a book that is already full.
            if at == skipped {
                writer.messages.clear();
                writer.books.clear();
            }
        }
        prop_assume!(!writer.messages.is_empty());
        let day = lobster::FileDay::from_name("X_2012-06-21_a_message_1.csv").unwrap();
        let (m, b) = (writer.messages.as_bytes(), writer.books.as_bytes());
        let mut source = lobster::from_readers(m, "m", b, "b", day);
        let (rows, _) = check(&mut source, LineReader::new(b, "b"));
        prop_assert_eq!(rows as usize, writer.books.lines().count());
        prop_assert_eq!(source.repairs().level_mismatches, 0);
    }
}

#[test]
fn a_level_that_no_message_explains_is_counted_and_followed() {
    let messages = "34200.1,1,11,100,1000000,1\n34200.2,1,12,50,990000,1\n";
    // Two levels; in the second row the ask changes its size and the bid gains 51, not 50.
    let books = "1010000,5,1000000,100,1020000,5,-9999999999,0\n\
                 1010000,6,1000000,100,1020000,5,990000,51\n";
    let day = lobster::FileDay::from_name("X_2012-06-21_a_message_1.csv").unwrap();
    let mut source = lobster::from_readers(messages.as_bytes(), "m", books.as_bytes(), "b", day);
    check(&mut source, LineReader::new(books.as_bytes(), "b"));
    assert_eq!(source.repairs().level_mismatches, 2);
    assert_eq!(source.repairs().levels_revealed, 0);
}
