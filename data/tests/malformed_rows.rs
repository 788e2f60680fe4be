//! One table of bad input a reader: what is wrong, and the kind, line and field that must come.

use dbn::encode::{DbnEncodable, EncodeRecord};
use ijk_core::limits::LINE_BYTES_MAX;
use ijk_core::{EventSource, FeedError, FeedErrorKind, FeedErrorKind::*};
use ijk_data::{databento, dbn as dbn_reader, lobster};
use proptest::prelude::*;

fn drain(source: &mut dyn EventSource) -> Result<usize, FeedError> {
    let mut count = 0;
    while source.next_event()?.is_some() {
        count += 1;
    }
    Ok(count)
}

type Case<'a> = (&'a str, Vec<u8>, FeedErrorKind, u64, &'a str);

fn check(reader: impl Fn(&[u8]) -> Result<usize, FeedError>, table: &[Case<'_>]) {
    for (name, bytes, kind, line, field) in table {
        let e = reader(bytes).err().unwrap_or_else(|| panic!("'{name}' was read"));
        assert_eq!((e.kind, e.line, e.field.as_str()), (*kind, *line, *field), "{name}: {e}");
        assert!(!e.file.is_empty() && !e.detail.is_empty(), "{name}");
    }
}

const GOOD_MESSAGE: &str = "34200.1,1,11,100,1000000,1\n34200.2,3,11,100,1000000,1\n";
const GOOD_BOOK: &str = "1010000,5,1000000,100\n1010000,5,-9999999999,0\n";

fn lobster_day() -> lobster::FileDay {
    lobster::FileDay::from_name("X_2012-06-21_34200000_57600000_message_1.csv").unwrap()
}

fn read_lobster(messages: &[u8], books: &[u8]) -> Result<usize, FeedError> {
    drain(&mut lobster::from_readers(messages, "m.csv", books, "b.csv", lobster_day()))
}

#[test]
fn lobster_messages() {
    assert_eq!(read_lobster(GOOD_MESSAGE.as_bytes(), GOOD_BOOK.as_bytes()), Ok(4));
    let row = |text: &str| format!("34200.1,1,11,100,1000000,1\n{text}\n").into_bytes();
    let table: Vec<Case<'_>> = vec![
        ("five columns", row("34200.2,3,11,100,1000000"), ColumnCount, 2, ""),
        ("seven columns", row("34200.2,3,11,100,1000000,1,1"), ColumnCount, 2, ""),
        ("blank line", row("\n34200.2,3,11,100,1000000,1"), ColumnCount, 2, ""),
        ("NaN time", row("nan,3,11,100,1000000,1"), Field, 2, "time"),
        ("negative time", row("-1.0,3,11,100,1000000,1"), Range, 2, "time"),
        ("time after midnight", row("90000.0,3,11,100,1000000,1"), Range, 2, "time"),
        ("time goes back", row("34200.0,3,11,100,1000000,1"), UnsortedTime, 2, "time"),
        ("unknown type", row("34200.2,8,11,100,1000000,1"), Field, 2, "type"),
        ("type 0", row("34200.2,0,11,100,1000000,1"), Field, 2, "type"),
        ("order id no number", row("34200.2,3,x,100,1000000,1"), Field, 2, "order id"),
        ("negative order id", row("34200.2,3,-1,100,1000000,1"), Range, 2, "order id"),
        ("negative size", row("34200.2,3,11,-100,1000000,1"), Range, 2, "size"),
        ("size zero", row("34200.2,3,11,0,1000000,1"), Range, 2, "size"),
        ("size no number", row("34200.2,3,11,1e2,1000000,1"), Field, 2, "size"),
        ("NaN price", row("34200.2,3,11,100,NaN,1"), Field, 2, "price"),
        ("decimal price", row("34200.2,3,11,100,100.0,1"), Field, 2, "price"),
        ("price off the scale", row("34200.2,3,11,100,9999999999,1"), Range, 2, "price"),
        ("price zero", row("34200.2,3,11,100,0,1"), Range, 2, "price"),
        ("huge price", row("34200.2,3,11,100,99999999999999999999,1"), Range, 2, "price"),
        ("direction 0", row("34200.2,3,11,100,1000000,0"), Field, 2, "direction"),
        ("halt code", row("34200.2,7,0,0,5,-1"), Field, 2, "price"),
        ("invalid UTF-8", [b"\xff\xfe".to_vec(), row("")].concat(), Field, 1, "time"),
        ("garbage", b"\x00\x01\x02\x03\xff\xfe\n".to_vec(), ColumnCount, 1, ""),
        ("empty", Vec::new(), Format, 0, ""),
        ("huge line", vec![b'1'; LINE_BYTES_MAX + 2], Range, 1, ""),
        ("header", b"time,type,id,size,price,dir\n".to_vec(), Field, 1, "time"),
    ];
    let long_book = format!("{GOOD_BOOK}1010000,5,-9999999999,0\n");
    let read = |bytes: &[u8]| {
        let book: &str = if bytes.is_empty() { "" } else { &long_book };
        read_lobster(bytes, book.as_bytes())
    };
    check(read, &table);
}

#[test]
fn lobster_order_books() {
    let row = |text: &str| format!("1010000,5,1000000,100\n{text}\n").into_bytes();
    let table: Vec<Case<'_>> = vec![
        ("three columns", row("1010000,5,1000000"), ColumnCount, 2, ""),
        ("eight columns", row("1010000,5,1000000,100,1010100,5,999900,1"), ColumnCount, 2, ""),
        ("comma at the end", row("1010000,5,1000000,100,"), ColumnCount, 2, ""),
        ("empty last column", row("1010000,5,1000000,"), Field, 2, ""),
        ("negative size", row("1010000,-5,1000000,100"), Range, 2, "ask size 1"),
        ("price with size 0", row("1010000,0,1000000,100"), Range, 2, "ask price 1"),
        ("no price with a size", row("1010000,5,-9999999999,7"), Range, 2, "bid price 1"),
        ("price off the scale", row("10100000000,5,1000000,100"), Range, 2, "ask price 1"),
        ("NaN price", row("1010000,5,nan,100"), Field, 2, "bid price 1"),
        ("decimal size", row("1010000,5,1000000,100.0"), Field, 2, "bid size 1"),
        ("first row of six", b"1,1,1,1,1,1\n".to_vec(), ColumnCount, 1, ""),
        ("garbage", b"\xff\xfe\x00\n".to_vec(), ColumnCount, 1, ""),
        (
            "levels not sorted",
            b"1010000,5,1000000,1,1000500,5,99,1\n".to_vec(),
            Inconsistent,
            1,
            "ask price 2",
        ),
        (
            "level behind an empty one",
            b"9999999999,0,1000000,1,1000500,5,99,1\n".to_vec(),
            Inconsistent,
            1,
            "ask price 2",
        ),
    ];
    check(|bytes| read_lobster(GOOD_MESSAGE.as_bytes(), bytes), &table);
}

#[test]
fn lobster_files_of_unequal_length_name_both_lines() {
    let short = GOOD_BOOK.lines().next().unwrap();
    let e = read_lobster(GOOD_MESSAGE.as_bytes(), short.as_bytes()).unwrap_err();
    assert_eq!((e.kind, e.line), (Inconsistent, 2));
    assert!(e.detail.contains("has line 2") && e.detail.contains("b.csv ends after line 1"), "{e}");
    let long = format!("{GOOD_BOOK}1010000,5,-9999999999,0\n");
    let e = read_lobster(GOOD_MESSAGE.as_bytes(), long.as_bytes()).unwrap_err();
    assert!(e.detail.contains("ends after line 2") && e.detail.contains("b.csv has line 3"), "{e}");
    for name in ["m.csv", "X.csv", "X_yesterday_m.csv", "_2012-06-21_m.csv", "X_1812-06-21_m.csv"] {
        assert_eq!(lobster::FileDay::from_name(name).unwrap_err().kind, Format, "{name}");
    }
}

const HEAD: &str = "ts_recv,ts_event,action,side,price,size,order_id,flags,sequence,symbol\n";
const ROW: &str = "1000,900,A,B,5.51,10,7,128,5,X\n";

fn read_databento(bytes: &[u8]) -> Result<usize, FeedError> {
    drain(&mut databento::from_reader(bytes, "f.csv", &[])?)
}

#[test]
fn databento_rows() {
    assert_eq!(read_databento(format!("{HEAD}{ROW}\n").as_bytes()), Ok(1));
    let row = |text: &str| format!("{HEAD}{ROW}{text}\n").into_bytes();
    let head = |text: &str| format!("{text}\n{ROW}").into_bytes();
    let table: Vec<Case<'_>> = vec![
        ("too few columns", row("1000,900,A,B,5.51,10,7,128,5"), ColumnCount, 3, ""),
        ("too many columns", row("1000,900,A,B,5.51,10,7,128,5,X,9"), ColumnCount, 3, ""),
        ("NaN price", row("1000,900,A,B,nan,10,7,128,5,X"), Field, 3, "price"),
        ("no price", row("1000,900,A,B,,10,7,128,5,X"), Field, 3, "price"),
        ("price too fine", row("1000,900,A,B,5.5100000001,10,7,128,5,X"), Field, 3, "price"),
        ("price off the scale", row("1000,900,A,B,99999999999.0,10,7,128,5,X"), Range, 3, "price"),
        ("negative size", row("1000,900,A,B,5.51,-10,7,128,5,X"), Range, 3, "size"),
        ("size zero", row("1000,900,A,B,5.51,0,7,128,5,X"), Range, 3, "size"),
        ("size no number", row("1000,900,A,B,5.51,ten,7,128,5,X"), Field, 3, "size"),
        ("size beyond 32 bits", row("1000,900,A,B,5.51,4294967296,7,128,5,X"), Range, 3, "size"),
        ("unknown action", row("1000,900,Z,B,5.51,10,7,128,5,X"), Field, 3, "action"),
        ("no action", row("1000,900,,B,5.51,10,7,128,5,X"), Field, 3, "action"),
        ("unknown side", row("1000,900,A,S,5.51,10,7,128,5,X"), Field, 3, "side"),
        ("negative order id", row("1000,900,A,B,5.51,10,-7,128,5,X"), Range, 3, "order_id"),
        ("flags beyond 8 bits", row("1000,900,A,B,5.51,10,7,256,5,X"), Range, 3, "flags"),
        ("bad time", row("noon,900,A,B,5.51,10,7,128,5,X"), Field, 3, "ts_recv"),
        ("no event time", row("1000,,A,B,5.51,10,7,128,5,X"), Field, 3, "ts_event"),
        ("another symbol", row("1000,900,A,B,5.51,10,7,128,5,Y"), Inconsistent, 3, "symbol"),
        (
            "invalid UTF-8 symbol",
            [HEAD.as_bytes(), b"1,1,A,B,5.5,1,7,128,5,\xff\n"].concat(),
            Field,
            2,
            "symbol",
        ),
        (
            "symbol missing",
            [HEAD.as_bytes(), b"1,1,A,B,5.5,1,7,128,5,\n"].concat(),
            Field,
            2,
            "symbol",
        ),
        ("blank line", row("\n1000,900,A,B,5.51,10,7,128,5,X"), ColumnCount, 3, ""),
        ("no price column", head("ts_recv,ts_event,action,side,cost,size"), Format, 1, "price"),
        ("no action column", head("ts_recv,ts_event,side,price,size"), Format, 1, "action"),
        (
            "half a level",
            head("ts_event,action,side,price,size,bid_px_00,ask_px_00,bid_sz_00"),
            Format,
            1,
            "ask_sz_00",
        ),
        ("garbage", b"\x00\xff\xfe\x13\x37\n\x00".to_vec(), Format, 1, "ts_event"),
        ("empty", Vec::new(), Format, 0, ""),
        ("header alone", HEAD.as_bytes().to_vec(), Format, 0, ""),
        ("huge line", [HEAD.as_bytes(), &vec![b'1'; LINE_BYTES_MAX + 2]].concat(), Range, 2, ""),
        (
            "times far out of order",
            format!("{HEAD}9000000000,9,A,B,5.5,1,7,128,5,X\n7000000000,9,A,B,5.5,1,7,128,5,X\n")
                .into_bytes(),
            UnsortedTime,
            3,
            "ts_recv",
        ),
    ];
    check(read_databento, &table);
}

#[test]
fn databento_level_rows() {
    let mbp = "ts_event,action,side,price,size,symbol,bid_px_00,ask_px_00,bid_sz_00,ask_sz_00,\
               bid_px_01,ask_px_01,bid_sz_01,ask_sz_01\n";
    let row = |levels: &str| format!("{mbp}1,A,B,5.0,1,X,{levels}\n").into_bytes();
    let table: Vec<Case<'_>> = vec![
        ("NaN level", row("5.0,nan,1,1,4.0,7.0,1,1"), Field, 2, "ask_px_00"),
        ("negative level size", row("5.0,6.0,-1,1,4.0,7.0,1,1"), Range, 2, "bid_sz_00"),
        ("bids not sorted", row("5.0,6.0,1,1,5.0,7.0,1,1"), Inconsistent, 2, "bid_px"),
        ("asks not sorted", row("5.0,6.0,1,1,4.0,5.5,1,1"), Inconsistent, 2, "ask_px"),
    ];
    check(read_databento, &table);
}

#[test]
fn databento_refuses_more_symbols_than_the_kernel_serves() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.csv");
    let rows = |n: usize| -> String {
        (0..n).map(|i| format!("1000,900,A,B,5.51,10,7,128,5,S{i}\n")).collect()
    };
    std::fs::write(&path, format!("{HEAD}{}", rows(64))).unwrap();
    assert_eq!(databento::open(&path).unwrap().instruments().len(), 64);
    std::fs::write(&path, format!("{HEAD}{}", rows(65))).unwrap();
    let e = databento::open(&path).err().unwrap();
    assert_eq!((e.kind, e.line, e.field.as_str()), (Range, 66, "symbol"));
}

fn metadata(schema: dbn::Schema) -> dbn::Metadata {
    let mapping = dbn::SymbolMapping {
        raw_symbol: "ESH4".into(),
        intervals: vec![dbn::MappingInterval {
            start_date: time::macros::date!(2023 - 12 - 25),
            end_date: time::macros::date!(2023 - 12 - 26),
            symbol: "17077".into(),
        }],
    };
    dbn::MetadataBuilder::new()
        .dataset("GLBX.MDP3")
        .schema(Some(schema))
        .start(0)
        .stype_in(Some(dbn::SType::RawSymbol))
        .stype_out(dbn::SType::InstrumentId)
        .mappings(vec![mapping])
        .build()
}

fn encode<T: DbnEncodable>(metadata: &dbn::Metadata, records: &[T]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = dbn::encode::DbnEncoder::new(&mut bytes, metadata).unwrap();
    encoder.encode_records(records).unwrap();
    bytes
}

fn order(change: impl Fn(&mut dbn::MboMsg)) -> dbn::MboMsg {
    let mut m = dbn::MboMsg {
        hd: dbn::RecordHeader::new::<dbn::MboMsg>(dbn::rtype::MBO, 1, 17_077, 900),
        order_id: 7,
        price: 5_510_000_000,
        size: 10,
        flags: dbn::FlagSet::new(128),
        channel_id: 0,
        action: b'A' as _,
        side: b'B' as _,
        ts_recv: 10_000_000_000,
        ts_in_delta: 0,
        sequence: 5,
    };
    change(&mut m);
    m
}

fn read_dbn(bytes: &[u8]) -> Result<usize, FeedError> {
    drain(&mut dbn_reader::from_reader(bytes, "f.dbn")?)
}

#[test]
fn dbn_records() {
    let mbo = metadata(dbn::Schema::Mbo);
    let two = |change: &dyn Fn(&mut dbn::MboMsg)| encode(&mbo, &[order(|_| {}), order(change)]);
    let good = two(&|_| {});
    assert_eq!(read_dbn(&good), Ok(2));
    let last = good.len() - 56;
    let mut short = good.clone();
    short[last] = 4; // The length of the second record, in units of four bytes.
    let mut odd = good.clone();
    odd[last - 56] = 15; // 60 bytes: the next record would stand off its alignment.
    let mut zero = good.clone();
    zero[last] = 0;
    let mut huge = good.clone();
    huge[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    let table: Vec<Case<'_>> = vec![
        ("unknown action", two(&|m| m.action = b'Z' as _), Field, 2, "action"),
        ("unknown side", two(&|m| m.side = 0), Field, 2, "side"),
        ("no price", two(&|m| m.price = i64::MAX), Field, 2, "price"),
        ("size zero", two(&|m| m.size = 0), Range, 2, "size"),
        ("unknown instrument", two(&|m| m.hd.instrument_id = 1), Inconsistent, 2, "instrument_id"),
        ("far out of order", two(&|m| m.ts_recv = 8_000_000_000), UnsortedTime, 2, "ts_recv"),
        ("two venues", two(&|m| m.hd.publisher_id = 39), Inconsistent, 2, "publisher_id"),
        ("bar", two(&|m| m.hd.rtype = dbn::rtype::OHLCV_1S), Format, 2, ""),
        ("short length", short, Field, 2, "length"),
        ("odd length", odd, Field, 1, "length"),
        ("length zero", zero, Format, 2, ""),
        ("cut in a record", good[..good.len() - 1].to_vec(), Truncated, 2, ""),
        ("cut in the first record", good[..last - 50].to_vec(), Truncated, 1, ""),
        ("cut in the prefix", good[..6].to_vec(), Truncated, 0, ""),
        ("metadata of 4 GiB", huge, Format, 0, ""),
        (
            "definitions",
            encode::<dbn::MboMsg>(&metadata(dbn::Schema::Definition), &[]),
            Format,
            0,
            "",
        ),
        ("text", HEAD.as_bytes().to_vec(), Format, 0, ""),
        ("garbage", vec![0xff; 100], Format, 0, ""),
        ("empty", Vec::new(), Format, 0, ""),
    ];
    check(read_dbn, &table);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_rows_never_panic(
        text in proptest::collection::vec(prop_oneof![
            3 => Just(b','), 1 => Just(b'\n'), 4 => b'0'..=b'9', 1 => any::<u8>(),
            1 => prop_oneof![Just(b'-'), Just(b'.'), Just(b'A'), Just(b'B'), Just(b'T')],
        ], 0..300),
    ) {
        let _ = read_lobster(&text, &text);
        let _ = read_lobster(GOOD_MESSAGE.as_bytes(), &text);
        let _ = read_databento(&text);
        let _ = read_databento(&[HEAD.as_bytes(), ROW.as_bytes(), &text].concat());
        let _ = read_dbn(&text);
    }

    #[test]
    fn rows_with_changed_bytes_never_panic(
        at in proptest::collection::vec((0usize..2_000, any::<u8>()), 1..6),
        cut in 0usize..400,
    ) {
        let damage = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let len = bytes.len();
            for &(i, b) in &at {
                bytes[i % len] = b;
            }
            bytes.truncate(len - cut % len);
            bytes
        };
        let _ = read_lobster(&damage(GOOD_MESSAGE.as_bytes()), GOOD_BOOK.as_bytes());
        let _ = read_lobster(GOOD_MESSAGE.as_bytes(), &damage(GOOD_BOOK.as_bytes()));
        let _ = read_databento(&damage(format!("{HEAD}{ROW}{ROW}").as_bytes()));
        let records = [order(|_| {}), order(|m| m.action = b'T' as _), order(|_| {})];
        let _ = read_dbn(&damage(&encode(&metadata(dbn::Schema::Mbo), &records)));
    }
}
