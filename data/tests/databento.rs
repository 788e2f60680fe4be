//! Databento CSV: books rebuilt from orders and from levels equal the vendor's.

mod common;

use common::{PlainBook, real};
use ijk_core::{DepthKind, EventKind, EventSource, MarketEvent, RowFlags, Side};
use ijk_data::databento;
use ijk_data::input::{Input, open};
use std::path::Path;

type Top = [Vec<(i64, i64)>; 2];

/// Columns by name, rows as text: the slow way.
struct Naive {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Naive {
    fn read(file: Input) -> Naive {
        let mut lines = file.lines();
        let mut rows: Vec<Vec<String>> = Vec::new();
        while let Some((line, _)) = lines.next_line().unwrap() {
            rows.push(std::str::from_utf8(line).unwrap().split(',').map(String::from).collect());
        }
        Naive { header: rows.remove(0), rows }
    }

    fn get<'a>(&self, row: &'a [String], name: &str) -> &'a str {
        &row[self.header.iter().position(|h| h == name).unwrap()]
    }

    fn levels(&self, row: &[String]) -> Top {
        let mut out = [Vec::new(), Vec::new()];
        for i in 0..10 {
            for (out, side) in out.iter_mut().zip(["bid", "ask"]) {
                let px = self.get(row, &format!("{side}_px_{i:02}"));
                let qty: i64 = self.get(row, &format!("{side}_sz_{i:02}")).parse().unwrap();
                if !px.is_empty() && qty > 0 {
                    let px = (px.parse::<f64>().unwrap() * 1e9).round() as i64;
                    out.push((px, qty));
                }
            }
        }
        out
    }
}

fn top(book: &PlainBook) -> Top {
    [book.top(Side::Bid, 10), book.top(Side::Ask, 10)]
}

/// Every row of a ten-level file: the book equals the row's levels and holds nothing else.
fn check_levels(path: &Path, expected_rows: usize, symbol: &str) {
    let mut source = databento::open(path).unwrap();
    let naive = Naive::read(open(path).unwrap());
    assert_eq!(source.instruments().len(), 1);
    assert_eq!(source.instruments()[0].symbol.as_str(), symbol);
    assert_eq!(source.depth_kind(0), DepthKind::L2);
    let mut book = PlainBook::default();
    let (mut row, mut trades, mut last) = (0usize, 0usize, 0);
    while let Some(e) = source.next_event().unwrap() {
        assert!(e.ts_receive.0 >= last);
        last = e.ts_receive.0;
        assert_eq!(e.row, row as u64);
        book.apply_levels(&e);
        let fields = &naive.rows[row];
        if e.kind == EventKind::Trade {
            trades += 1;
            assert_eq!(naive.get(fields, "action"), "T");
            assert_eq!(e.flags.has(RowFlags::NO_SIDE), naive.get(fields, "side") == "N");
        }
        if e.ends_row() {
            let last_flag = naive.get(fields, "flags").parse::<u8>().unwrap() >= 128;
            assert_eq!(e.flags.has(RowFlags::BOOK_END), last_flag);
            assert_eq!(top(&book), naive.levels(fields), "row {row}");
            assert!(book.bids.len() <= 10 && book.asks.len() <= 10);
            row += 1;
        }
    }
    eprintln!("{}: {row} rows, {trades} trades, {:?}", path.display(), source.repairs());
    assert_eq!((row, naive.rows.len()), (expected_rows, expected_rows));
    assert_eq!(trades, naive.rows.iter().filter(|r| naive.get(r, "action") == "T").count());
}

#[test]
fn ten_level_files_rebuild_row_by_row() {
    for (file, rows, symbol) in [
        ("FROG_xnas_mbp10_20250403_RTH.zip", 33_286, "FROG"),
        ("AAPL_xnas_mbp10_20241021_premarket.csv.gz", 5_000, "AAPL"),
        ("ARL_xnas_mbp10_20250717_expected.csv.gz", 3_928, "ARL"),
    ] {
        let Some(path) = real(&format!("databento_equity/{file}")) else { return };
        check_levels(&path, rows, symbol);
    }
}

#[test]
fn the_book_by_order_passes_through_every_state_of_the_ten_level_oracle() {
    let Some(mbo) = real("databento_equity/ARL_xnas_mbo_20250717.csv.gz") else { return };
    let Some(oracle) = real("databento_equity/ARL_xnas_mbp10_20250717_expected.csv.gz") else {
        return;
    };
    let mut source = databento::open(&mbo).unwrap();
    assert_eq!(source.depth_kind(0), DepthKind::L3);
    let mut book = PlainBook::default();
    let mut states: Vec<Top> = Vec::new();
    let mut rows = 0;
    while let Some(e) = source.next_event().unwrap() {
        assert!(e.ends_row(), "a row is one record: {e:?}");
        rows += 1;
        book.apply_orders(&e);
        states.push(top(&book));
    }
    assert_eq!(rows, 5_886);
    assert_eq!(source.repairs(), Default::default());
    let naive = Naive::read(open(&oracle).unwrap());
    let mut expected: Vec<Top> = naive.rows.iter().map(|r| naive.levels(r)).collect();
    assert_eq!(expected.len(), 3_928);
    states.dedup();
    expected.dedup();
    eprintln!("{rows} rows, {} distinct states", states.len());
    assert_eq!(states, expected);
}

const MBO: &str = "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,price,size,\
                   channel_id,order_id,flags,ts_in_delta,sequence,symbol\n";

fn events(text: &str) -> Vec<MarketEvent> {
    let mut source = databento::from_reader(text.as_bytes(), "f.csv", &[]).unwrap();
    common::drain(&mut source)
}

#[test]
fn actions_sides_and_flags_become_kinds() {
    let mut text = MBO.to_string();
    for (action, side, price, flags) in [
        ("R", "N", "", 40),
        ("A", "B", "5.510000000", 160),
        ("A", "A", "5520000000", 0),
        ("M", "A", "5.53", 128),
        ("T", "B", "5.53", 0),
        ("F", "A", "5.53", 0),
        ("C", "A", "5.53", 128),
        ("N", "N", "", 128),
        ("T", "N", "5.54", 128),
        ("C", "B", "5.51", 132),
        ("A", "B", "5.51", 132),
    ] {
        text.push_str(&format!(
            "1000,900,160,2,38,{action},{side},{price},10,0,77,{flags},0,5,X\n"
        ));
    }
    let got = events(&text);
    use EventKind::*;
    let kinds: Vec<EventKind> = got.iter().map(|e| e.kind).collect();
    let expected = [Clear, Add, Add, Modify, Trade, Fill, Reduce, Status, Trade, Gap, Reduce, Add];
    assert_eq!(kinds, expected);
    assert!(got[0].flags.has(RowFlags::SNAPSHOT) && !got[0].flags.has(RowFlags::BOOK_END));
    assert!(got[1].flags.has(RowFlags::SNAPSHOT.with(RowFlags::BOOK_END)));
    assert_eq!((got[1].px.0, got[2].px.0), (5_510_000_000, 5_520_000_000));
    assert_eq!((got[1].side, got[2].side, got[1].order_id), (Side::Bid, Side::Ask, 77));
    // The trade's side is the aggressor's, the fill's the resting order's.
    assert_eq!(got[4].visible_trade().unwrap().1, Some(Side::Bid));
    assert_eq!(got[5].visible_trade(), None);
    assert_eq!(got[8].visible_trade().unwrap().1, None);
    assert!(got[9].flags.has(RowFlags::DERIVED) && !got[9].ends_row());
    assert_eq!((got[1].ts_exchange.0, got[1].ts_receive.0, got[1].sequence), (900, 1000, 5));
    assert_eq!(got.iter().filter(|e| e.ends_row()).count(), 11);
    assert_eq!(got.last().unwrap().row, 10);
}

#[test]
fn small_steps_back_in_receive_time_are_raised_and_counted() {
    let mut text = MBO.to_string();
    for ts in [2_000_000_000u64, 1_999_999_999, 2_000_000_001] {
        text.push_str(&format!("{ts},{ts},160,2,38,A,B,5.51,10,0,{ts},128,0,5,X\n"));
    }
    let mut source = databento::from_reader(text.as_bytes(), "f.csv", &[]).unwrap();
    let times: Vec<u64> = common::drain(&mut source).iter().map(|e| e.ts_receive.0).collect();
    assert_eq!(times, [2_000_000_000, 2_000_000_000, 2_000_000_001]);
    assert_eq!(source.repairs().time_reversals, 1);
}

#[test]
fn several_symbols_are_instruments_in_order_of_appearance() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.csv");
    let mut text = MBO.to_string();
    for (i, symbol) in ["ZZ", "AA", "ZZ", "MM", "AA"].iter().enumerate() {
        text.push_str(&format!("{i},{i},160,2,38,A,B,5.51,10,0,{},128,0,5,{symbol}\r\n", i + 1));
    }
    std::fs::write(&path, text).unwrap();
    let mut source = databento::open(&path).unwrap();
    let names: Vec<&str> = source.instruments().iter().map(|i| i.symbol.as_str()).collect();
    assert_eq!(names, ["ZZ", "AA", "MM"]);
    let ids: Vec<u16> = common::drain(&mut source).iter().map(|e| e.instrument.0).collect();
    assert_eq!(ids, [0, 1, 0, 2, 1]);
    assert_eq!(source.progress().map(|(read, total)| read == total), Some(true));
}

#[test]
fn one_level_and_no_level_files_are_read() {
    let head = "ts_recv,ts_event,action,side,depth,price,size,flags,sequence";
    let mbp1 = format!(
        "{head},bid_px_00,ask_px_00,bid_sz_00,ask_sz_00,symbol\n\
         1,1,A,B,0,5.0,1,128,1,5.0,6.0,1,2,X\n\
         2,2,T,A,0,5.0,1,128,2,5.0,6.0,1,2,X\n\
         3,3,C,B,0,5.0,1,128,3,,6.0,0,2,X\n\
         4,4,N,N,0,,0,128,4,,6.0,0,2,X\n"
    );
    use EventKind::*;
    let got: Vec<(EventKind, i64, i64)> =
        events(&mbp1).iter().map(|e| (e.kind, e.px.0 / 1_000_000_000, e.qty.0)).collect();
    let expected =
        [(LevelSet, 5, 1), (LevelSet, 6, 2), (Trade, 5, 1), (LevelSet, 5, 0), (Status, 0, 0)];
    assert_eq!(got, expected);
    let trades = format!("{head},instrument_id\n1,1,T,B,0,5.5,3,128,1,4711\n");
    let mut source = databento::from_reader(trades.as_bytes(), "f", &[]).unwrap();
    assert_eq!(source.instruments()[0].symbol.as_str(), "4711");
    let got = common::drain(&mut source);
    assert_eq!((got[0].kind, got[0].qty.0, got.len()), (Trade, 3, 1));
}
