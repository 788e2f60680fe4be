//! Files with the right columns, written with other settings: by earlier builds and by others.

use super::*;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::data_type::{DataType, Int32Type, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnPath, TypePtr};
use std::fs::File;

pub(crate) const SUMS_KEY: &str = "ijk.crc32c";
const LONGS: [&str; 7] = ["ts_exchange", "ts_receive", "row", "order_id", "px", "qty", "sequence"];
const SHORTS: [&str; 4] = ["instrument", "flags", "kind", "side"];

fn longs(e: &MarketEvent) -> [i64; 7] {
    let (t0, t1, row, id) = (e.ts_exchange.0, e.ts_receive.0, e.row, e.order_id);
    [t0 as i64, t1 as i64, row as i64, id as i64, e.px.0, e.qty.0, e.sequence as i64]
}

fn shorts(e: &MarketEvent) -> [i32; 4] {
    [e.instrument.0.into(), e.flags.0.into(), e.kind as i32, e.side as i32]
}

fn column<T: DataType>(group: &mut SerializedRowGroupWriter<'_, File>, values: &[T::T]) {
    let mut column = group.next_column().expect("a column").expect("as many as the schema has");
    column.typed::<T>().write_batch(values, None, None).expect("values");
    column.close().expect("written");
}

/// Schema and metadata of a tick file of no records, but for the checksums.
fn tables() -> (TypePtr, Vec<KeyValue>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.parquet");
    write(&path, &[]);
    let file = SerializedFileReader::new(File::open(&path).expect("a file")).expect("Parquet");
    let metadata = file.metadata().file_metadata();
    let pairs = metadata.key_value_metadata().expect("pairs").clone();
    let pairs = pairs.into_iter().filter(|pair| pair.key.starts_with("ijk.")).collect::<Vec<_>>();
    assert!(pairs.iter().any(|pair| pair.key == SUMS_KEY));
    let kept = pairs.into_iter().filter(|pair| pair.key != SUMS_KEY).collect();
    (metadata.schema_descr().root_schema_ptr(), kept)
}

/// Writes the records in row groups of `rows`, with more metadata.
pub(crate) fn write_foreign(
    path: &Path,
    events: &[MarketEvent],
    rows: usize,
    properties: WriterPropertiesBuilder,
    more: Option<KeyValue>,
) {
    let (schema, mut pairs) = tables();
    pairs.extend(more);
    let properties = properties.set_key_value_metadata(Some(pairs)).build();
    let file = File::create(path).expect("a new file");
    let mut file = SerializedFileWriter::new(file, schema, properties.into()).expect("a writer");
    for events in events.chunks(rows) {
        let mut group = file.next_row_group().expect("a row group");
        for at in 0..LONGS.len() {
            let values: Vec<i64> = events.iter().map(|e| longs(e)[at]).collect();
            column::<Int64Type>(&mut group, &values);
        }
        for at in 0..SHORTS.len() {
            let values: Vec<i32> = events.iter().map(|e| shorts(e)[at]).collect();
            column::<Int32Type>(&mut group, &values);
        }
        group.close().expect("written");
    }
    file.close().expect("written");
}

pub(crate) fn plain() -> WriterPropertiesBuilder {
    WriterProperties::builder().set_dictionary_enabled(false)
}

/// Sets the encoding of columns.
fn encoded(
    mut builder: WriterPropertiesBuilder,
    names: &[&str],
    encoding: Encoding,
) -> WriterPropertiesBuilder {
    for name in names {
        let path = ColumnPath::from(*name);
        builder = builder
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, encoding);
    }
    builder
}

/// As builds before the checksums wrote.
pub(crate) fn earlier() -> WriterPropertiesBuilder {
    let builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).expect("a level")));
    let growing = ["ts_exchange", "ts_receive", "row", "order_id", "sequence"];
    encoded(builder, &growing, Encoding::DELTA_BINARY_PACKED)
}

/// Names, row groups and settings of writers.
fn writers() -> Vec<(&'static str, usize, WriterPropertiesBuilder)> {
    let new = WriterProperties::builder;
    let second = || new().set_writer_version(WriterVersion::PARQUET_2_0);
    let all = [&LONGS[..], &SHORTS[..]].concat();
    vec![
        ("earlier builds", 1 << 16, earlier()),
        ("plain", 777, plain()),
        ("dictionaries, first version", 1 << 16, new()),
        ("dictionaries that overflow", 1 << 16, second().set_dictionary_page_size_limit(500)),
        (
            "short pages",
            5_000,
            earlier().set_data_page_row_count_limit(100).set_write_batch_size(7),
        ),
        ("steps", 999, encoded(second(), &all, Encoding::DELTA_BINARY_PACKED)),
        ("split bytes", 1 << 16, encoded(second(), &all, Encoding::BYTE_STREAM_SPLIT)),
    ]
}

fn come_back(events: &[MarketEvent]) {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, rows, properties) in writers() {
        let path = folder.path().join("foreign.parquet");
        write_foreign(&path, events, rows, properties, None);
        let back = read_all(&mut TickReader::open(&path).expect("a tick file"));
        assert!(back == events, "{name}: {} records", events.len());
    }
}

#[test]
fn a_session_of_any_writer_comes_back() {
    come_back(&long_session());
}

#[test]
fn lengths_around_those_of_batches_and_groups_come_back() {
    let all = long_session();
    let folder = tempfile::tempdir().expect("a folder");
    for length in [0, 1, 2, 7, 8, 9, 63, 64, 65, 1_023, 1_024, 1_025, 65_535, 65_536, 65_537] {
        let path = folder.path().join(format!("{length}.parquet"));
        write(&path, &all[..length]);
        let back = read_all(&mut TickReader::open(&path).expect("a tick file"));
        assert!(back == all[..length], "{length} records");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_sequence_of_any_writer_comes_back(
        mut events in prop::collection::vec(any_event(), 0..300), repeat in 1..6usize,
    ) {
        events.sort_by_key(|event| event.ts_receive);
        let repeated = events.into_iter().flat_map(|e| std::iter::repeat_n(e, repeat));
        let events: Vec<_> = repeated.collect();
        come_back(&events);
    }
}

/// More bytes than are read at once.
#[test]
fn a_row_group_of_any_size_comes_back() {
    let mut all = long_session();
    let more = all.clone();
    let last = all.last().map_or(0, |event| event.ts_receive.0);
    all.extend(
        more.iter().map(|e| MarketEvent { ts_receive: RecvTs(e.ts_receive.0 + last), ..*e }),
    );
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("large.parquet");
    write_foreign(&path, &all, all.len(), plain(), None);
    assert!(path.metadata().expect("a file").len() > 17 << 20);
    assert!(read_all(&mut TickReader::open(&path).expect("a tick file")) == all);
}

#[test]
fn impossible_checksums_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.parquet");
    let events = &long_session()[..100];
    let zeros = "[0,0,0,0,0,0,0,0,0,0,0]";
    let wrong =
        ["", "{}", "[]", "[[1]]", &format!("[{zeros},{zeros}]"), "[[0,0,0,0,0,0,0,0,0,0,-1]]"];
    for text in wrong {
        let sums = KeyValue::new(SUMS_KEY.to_string(), text.to_string());
        write_foreign(&path, events, 100, plain(), Some(sums));
        let e = TickReader::open(&path).map(|_| ()).unwrap_err();
        assert_eq!((e.kind, &e.field[..]), (FeedErrorKind::Format, SUMS_KEY), "{text}: {e}");
    }
    let sums = KeyValue::new(SUMS_KEY.to_string(), format!("[{zeros}]"));
    write_foreign(&path, events, 100, plain(), Some(sums));
    let e = drain(&path).unwrap_err();
    assert_eq!((e.kind, e.line, &e.field[..]), (FeedErrorKind::Truncated, 1, "ts_exchange"), "{e}");
    assert!(e.detail.contains("checksum"), "{e}");
}
