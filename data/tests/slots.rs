//! Slot files: what is written reads back, and what cannot be trusted is named.

use ijk_core::{FeedErrorKind, InstrumentId, SlotShape};
use ijk_data::slots::{EVERY_SYMBOL, SlotRow, read_slots, write_slots};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FloatType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn shapes() -> Vec<SlotShape> {
    let shape = |name: &str, width| SlotShape { name: name.into(), width, stale_after_s: 60.0 };
    vec![shape("news", 3), shape("macro", 1)]
}

fn symbols() -> Vec<String> {
    vec!["AAA".into(), "BBB".into()]
}

fn row(symbol: &str, slot: &str, known_from_ns: u64, values: &[f32]) -> SlotRow {
    SlotRow { symbol: symbol.into(), slot: slot.into(), known_from_ns, values: values.to_vec() }
}

fn written(folder: &Path, rows: &[SlotRow]) -> PathBuf {
    let path = folder.join("slots.parquet");
    write_slots(&path, rows, true).unwrap();
    path
}

#[test]
fn rows_become_updates_in_order_of_time() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [
        row("BBB", "news", 30, &[1.0, 2.0, 3.0]),
        row("BBB", "news", 30, &[1.5, 2.5, 3.5]),
        row("AAA", "news", 10, &[-1.0, 1e4, 0.25]),
        row(EVERY_SYMBOL, "macro", 20, &[7.0]),
    ];
    let path = written(folder.path(), &rows);
    let updates = read_slots(&path, &shapes(), &symbols()).unwrap();
    let found: Vec<_> = updates
        .iter()
        .map(|u| (u.known_from.0, u.instrument, u.slot, u.values.as_slice()))
        .collect();
    let (a, b) = (InstrumentId(0), InstrumentId(1));
    let expected: [(u64, InstrumentId, u16, &[f32]); 5] = [
        (10, a, 0, &[-1.0, 1e4, 0.25]),
        (20, a, 1, &[7.0]),
        (20, b, 1, &[7.0]),
        (30, b, 0, &[1.0, 2.0, 3.0]),
        (30, b, 0, &[1.5, 2.5, 3.5]),
    ];
    assert_eq!(found, expected);
    // More rows than one batch holds.
    let many: Vec<_> = (0..10_000).map(|t| row("AAA", "macro", t, &[t as f32 / 2.0])).collect();
    let updates = read_slots(&written(folder.path(), &many), &shapes(), &symbols()).unwrap();
    assert_eq!(updates.len(), 10_000);
    assert!(updates.iter().enumerate().all(|(t, u)| u.values == [t as f32 / 2.0]));
    let empty = read_slots(&written(folder.path(), &[]), &shapes(), &symbols()).unwrap();
    assert_eq!(empty, []);
}

#[test]
fn a_bad_row_is_named_and_nothing_of_the_file_is_used() {
    let good = row("AAA", "news", 10, &[1.0, 2.0, 3.0]);
    let cases: [(SlotRow, FeedErrorKind, &str, &str); 9] = [
        (row("CCC", "news", 20, &[0.0; 3]), FeedErrorKind::Range, "symbol", "AAA, BBB or *"),
        (row("AAA", "tweets", 20, &[0.0; 3]), FeedErrorKind::Range, "slot", "found 'tweets'"),
        (row("AAA", "news", 20, &[0.0; 2]), FeedErrorKind::Range, "vector", "3 numbers, found 2"),
        (row("AAA", "news", 20, &[]), FeedErrorKind::Range, "vector", "3 numbers, found 0"),
        (row("AAA", "news", 20, &[0.0; 600]), FeedErrorKind::Range, "vector", "expected 3"),
        (row("AAA", "news", 20, &[0.0, f32::NAN, 0.0]), FeedErrorKind::Range, "vector", "number 1"),
        (row("AAA", "news", 20, &[0.0, 0.0, 1.1e4]), FeedErrorKind::Range, "vector", "at most"),
        (row("AAA", "news", u64::MAX, &[0.0; 3]), FeedErrorKind::Range, "known_from", "found -1"),
        (
            row("AAA", "news", 9, &[0.0; 3]),
            FeedErrorKind::UnsortedTime,
            "known_from",
            "10 or later",
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (bad, kind, field, said) in cases {
        let path = written(folder.path(), &[good.clone(), bad]);
        let e = read_slots(&path, &shapes(), &symbols()).unwrap_err();
        assert_eq!((e.kind, e.line, e.field.as_str()), (kind, 2, field), "{e}");
        assert!(e.to_string().contains(said), "{e}");
        assert!(e.file.ends_with("slots.parquet"));
    }
    // Another symbol or slot keeps its own order.
    let other = [good.clone(), row("BBB", "news", 9, &[0.0; 3]), row("AAA", "macro", 9, &[0.0])];
    assert!(read_slots(&written(folder.path(), &other), &shapes(), &symbols()).is_ok());
}

/// Writes a file as other tools do: one row, levels given with each column.
fn foreign(path: &Path, schema: &str, columns: &[Column]) {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let file = std::fs::File::create(path).unwrap();
    let mut file = SerializedFileWriter::new(file, schema, properties).unwrap();
    let mut group = file.next_row_group().unwrap();
    for column in columns {
        let mut writer = group.next_column().unwrap().unwrap();
        match column {
            Column::Text(text, levels) => {
                let values: Vec<ByteArray> = text.iter().map(|t| ByteArray::from(*t)).collect();
                writer.typed::<ByteArrayType>().write_batch(&values, *levels, None).unwrap();
            }
            Column::Time(values, levels) => {
                writer.typed::<Int64Type>().write_batch(values, *levels, None).unwrap();
            }
            Column::Double(values, def, rep) => {
                let typed = writer.typed::<DoubleType>();
                typed.write_batch(values, Some(def), Some(rep)).unwrap();
            }
            Column::Flat(values) => {
                writer.typed::<FloatType>().write_batch(values, None, None).unwrap();
            }
        }
        writer.close().unwrap();
    }
    group.close().unwrap();
    file.close().unwrap();
}

enum Column {
    Text(&'static [&'static str], Option<&'static [i16]>),
    Time(&'static [i64], Option<&'static [i16]>),
    Double(&'static [f64], &'static [i16], &'static [i16]),
    Flat(&'static [f32]),
}

/// As Arrow writes a table: everything may be null, lists of doubles, other order of columns.
const ARROW: &str = "message schema {
    OPTIONAL INT64 known_from (TIMESTAMP(NANOS,true));
    OPTIONAL BYTE_ARRAY symbol (UTF8);
    OPTIONAL BYTE_ARRAY slot (UTF8);
    OPTIONAL GROUP vector (LIST) { REPEATED GROUP list { OPTIONAL DOUBLE element; } }
}";

#[test]
fn a_table_of_another_tool_is_read_and_its_nulls_are_refused() {
    use Column::{Double, Text, Time};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("arrow.parquet");
    let read = || read_slots(&path, &shapes(), &symbols());
    const ONE: Option<&[i16]> = Some(&[1]);
    let with = |known, symbol, vector| [known, symbol, Text(&["news"], ONE), vector];
    let three = || Double(&[0.5, 1.5, 2.5], &[3, 3, 3], &[0, 1, 1]);
    foreign(&path, ARROW, &with(Time(&[5], ONE), Text(&["BBB"], ONE), three()));
    let updates = read().unwrap();
    assert_eq!(updates.len(), 1);
    assert_eq!((updates[0].instrument, updates[0].known_from.0), (InstrumentId(1), 5));
    assert_eq!(updates[0].values, [0.5, 1.5, 2.5]);
    let refused = |columns: &[Column], said: &str| {
        foreign(&path, ARROW, columns);
        let e = read().unwrap_err().to_string();
        assert!(e.contains(said) && e.contains("arrow.parquet"), "{e}");
    };
    refused(&with(Time(&[5], ONE), Text(&[], Some(&[0])), three()), "null");
    refused(&with(Time(&[], Some(&[0])), Text(&["BBB"], ONE), three()), "null");
    let null_number = Double(&[0.5, 2.5], &[3, 2, 3], &[0, 1, 1]);
    refused(&with(Time(&[5], ONE), Text(&["BBB"], ONE), null_number), "number 1");
    let null_list = Double(&[], &[0], &[0]);
    refused(&with(Time(&[5], ONE), Text(&["BBB"], ONE), null_list), "3 numbers, found 0");
    let huge = Double(&[0.5, 1e300, 2.5], &[3, 3, 3], &[0, 1, 1]);
    refused(&with(Time(&[5], ONE), Text(&["BBB"], ONE), huge), "number 1");
}

#[test]
fn another_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    let refused = |kind, said: &str| {
        let e = read_slots(&path, &shapes(), &symbols()).unwrap_err();
        assert_eq!(e.kind, kind, "{e}");
        assert!(e.to_string().contains(said), "{e}");
    };
    refused(FeedErrorKind::Io, "cannot be opened");
    std::fs::write(&path, b"symbol,slot\n").unwrap();
    refused(FeedErrorKind::Truncated, "complete Parquet file");
    // A time in milliseconds would be taken for 1970.
    let millis = ARROW.replace("NANOS", "MILLIS");
    let columns = || {
        [
            Column::Time(&[5], Some(&[1])),
            Column::Text(&["BBB"], Some(&[1])),
            Column::Text(&["news"], Some(&[1])),
            Column::Double(&[0.0, 0.0, 0.0], &[3, 3, 3], &[0, 1, 1]),
        ]
    };
    foreign(&path, &millis, &columns());
    refused(FeedErrorKind::Format, "'known_from' is of another type");
    foreign(&path, &ARROW.replace(" symbol", " ticker"), &columns());
    refused(FeedErrorKind::Format, "found no 'symbol'");
    let flat = "message schema { REQUIRED FLOAT a; REQUIRED FLOAT b; }";
    foreign(&path, flat, &[Column::Flat(&[1.0]), Column::Flat(&[1.0])]);
    refused(FeedErrorKind::Format, "found 2 columns");
    // Every cut of a good file is an error, never a panic or a part.
    write_slots(&path, &[row("AAA", "news", 10, &[1.0, 2.0, 3.0])], true).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for cut in 0..bytes.len() {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        assert!(read_slots(&path, &shapes(), &symbols()).is_err(), "{cut} bytes");
    }
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 0x55;
        std::fs::write(&path, &bad).unwrap();
        // A changed byte may go unseen in places that mean nothing; it never panics.
        let _ = read_slots(&path, &shapes(), &symbols());
    }
}
