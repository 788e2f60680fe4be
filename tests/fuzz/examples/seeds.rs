//! Makes the seeds: small sound inputs, by hand or from the synthetic session, one `good` and a few
//! more a target. (`dbn/odd_length` was found by the fuzzer: a record whose size is off the
//! alignment of the next one; `ticks/earlier` is of a build that compressed and left no checksums.)
//!
//! `cargo run --release --manifest-path tests/fuzz/Cargo.toml --example seeds`

use dbn::encode::{DbnEncodable, DbnEncoder, EncodeRecord};
use ijk_core::record::{ParentCommand, RunEnd, ScheduleKind, Urgency};
use ijk_core::{EventSource, InstrumentId, MarketEvent, Qty, RecvTs, RepairCounts, Side};
use ijk_data::synth::{SynthConfig, SynthSource};
use ijk_data::ticks::TickWriter;
use ijk_infer::{WeightsBuilder, WeightsSpec, tensor_specs};
use ijk_journal::sim::FaultyDisk;
use ijk_journal::{Durability, Writer, WriterOptions};
use std::fmt::Write as _;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

const MESSAGES: &str = "34200.1,1,11,100,1000000,1\n34200.2,1,12,50,1000100,-1\n\
                        34200.3,4,11,40,1000000,1\n34200.4,5,0,10,1000050,1\n\
                        34200.5,2,11,10,1000000,1\n34200.6,3,12,50,1000100,-1\n";
const BOOKS: &str = "1000200,5,1000000,100,1000300,7,999900,1\n\
                     1000100,50,1000000,100,1000200,5,999900,1\n\
                     1000100,50,1000000,60,1000200,5,999900,1\n\
                     1000100,50,1000000,60,1000200,5,999900,1\n\
                     1000100,50,1000000,50,1000200,5,999900,1\n\
                     1000200,5,1000000,50,1000300,7,999900,1\n";
const MBO_HEADER: &str = "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,price,\
                          size,channel_id,order_id,flags,ts_in_delta,sequence,symbol\n";
const NS: u64 = 1_741_012_200_000_000_000;

fn folder(target: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    std::fs::create_dir_all(&folder).expect("the seeds' folder");
    folder
}

fn seed(target: &str, name: &str, bytes: impl AsRef<[u8]>) {
    std::fs::write(folder(target).join(name), bytes).expect("a seed");
}

fn mbo_rows() -> String {
    let mut rows = String::new();
    let orders = [
        ("R", "N", "", 0, 0, "SYN0"),
        ("A", "B", "100.00", 10, 1, "SYN0"),
        ("A", "A", "100010000000", 20, 2, "SYN0"),
        ("A", "B", "7.5", 5, 9, "SYN1"),
        ("M", "B", "100.00", 8, 1, "SYN0"),
        ("T", "B", "100.01", 5, 0, "SYN0"),
        ("F", "A", "100.01", 5, 2, "SYN0"),
        ("C", "A", "100.01", 5, 2, "SYN0"),
        ("C", "B", "100.00", 8, 1, "SYN0"),
    ];
    for (i, (action, side, px, size, id, symbol)) in orders.iter().enumerate() {
        let ts = NS + i as u64 * 1_000;
        writeln!(rows, "{ts},{ts},160,2,7,{action},{side},{px},{size},0,{id},128,0,{i},{symbol}")
            .expect("a string takes everything");
    }
    rows
}

fn mbp_rows() -> String {
    let mut rows = String::new();
    for i in 0..4u64 {
        let ts = NS + i * 1_000;
        let action = if i == 2 { 'T' } else { 'A' };
        write!(rows, "{ts},{ts},10,2,7,{action},B,0,100.00,{},128,0,{i}", 10 + i).expect("text");
        for level in 0..10u64 {
            let (bid, ask) = (100_00 - level, 100_01 + level);
            let px = |cents: u64| format!("{}.{:02}", cents / 100, cents % 100);
            let qty = 10 + i + level;
            write!(rows, ",{},{},{qty},{qty},1,1", px(bid), px(ask)).expect("text");
        }
        rows.push_str(",SYN0\n");
    }
    rows
}

const BINANCE: &str = concat!(
    r#"1741012200000000001 {"lastUpdateId":5,"symbol":"SYN0","bids":[["10.0","1.5"],["9.5","2"]],"#,
    r#""asks":[["11.0","2"]]}"#,
    "\n",
    r#"1741012200000000002 {"stream":"syn0@depth","data":{"e":"depthUpdate","E":1741012200000,"#,
    r#""s":"SYN0","U":6,"u":7,"b":[["10.5","1"]],"a":[["11.0","0"],["11.5","4"]]}}"#,
    "\n",
    r#"1741012200000000003 {"e":"trade","E":1741012200001,"T":1741012200001,"s":"SYN0","#,
    r#""p":"10.5","q":"0.5","m":true}"#,
    "\n",
    r#"1741012200000000004 {"u":8,"s":"SYN0","b":"10.5","B":"0.5","a":"11.5","A":"4"}"#,
    "\n",
    r#"1741012200000000005 {"e":"depthUpdate","E":1741012200002,"T":1741012200002,"s":"SYN0","#,
    r#""U":9,"u":9,"pu":7,"b":[["11.5","1"]],"a":[]}"#,
    "\n",
);

fn text_seeds() {
    seed("binance", "good", BINANCE);
    seed("lobster", "good", format!("{MESSAGES}--\n{BOOKS}"));
    let one_level = "1010000,5,1000000,100\n1010000,5,-9999999999,0\n";
    let two = "34200.1,1,11,100,1000000,1\n34200.2,3,11,100,1000000,1\n";
    seed("lobster", "one_level", format!("{two}--\n{one_level}"));
    seed("databento_mbo", "good", format!("#{}", mbo_rows()));
    seed("databento_mbo", "with_header", format!("{MBO_HEADER}{}", mbo_rows()));
    seed(
        "databento_mbo",
        "iso_times",
        ",ts_event,action,side,price,size,order_id\n\
         0,2025-03-03T14:30:00.000000001Z,A,B,1.5,1,1\n",
    );
    seed("databento_mbp", "good", format!("#{}", mbp_rows()));
    seed(
        "databento_mbp",
        "trades",
        "ts_event,action,side,price,size\n1741012200000000000,T,A,1.5,1\n",
    );
    let forms = ["synth:7:30:3", "synth::30", "lobster:m.csv.gz,o.csv.gz", "dbn:x", "ibkr"];
    for (i, form) in forms.iter().enumerate() {
        seed("feed_spec", if i == 0 { "good" } else { ["", "b", "c", "d", "e"][i] }, form);
    }
    seed("gateway", "good", b"\x00\x00\x00\x1a220\x0020250303 09:30:00 EST\x00");
    seed("gateway", "old", b"\x00\x00\x00\x0799\x00now\x00");
}

fn dbn_records<T: DbnEncodable>(schema: dbn::Schema, records: &[T]) -> Vec<u8> {
    let metadata = dbn::MetadataBuilder::new()
        .dataset("SYNTHETIC")
        .schema(Some(schema))
        .start(0)
        .stype_in(Some(dbn::SType::RawSymbol))
        .stype_out(dbn::SType::InstrumentId)
        .build();
    let mut bytes = Vec::new();
    let mut encoder = DbnEncoder::new(&mut bytes, &metadata).expect("metadata");
    records.iter().for_each(|r| encoder.encode_record(r).expect("a record"));
    drop(encoder);
    bytes
}

fn dbn_seeds() {
    let orders: Vec<dbn::MboMsg> = [(b'A', b'B', 10), (b'A', b'A', 20), (b'C', b'B', 10)]
        .iter()
        .enumerate()
        .map(|(i, &(action, side, size))| dbn::MboMsg {
            hd: dbn::RecordHeader::new::<dbn::MboMsg>(dbn::rtype::MBO, 1, 7, NS),
            order_id: if side == b'B' { 1 } else { 2 },
            price: if side == b'B' { 100_000_000_000 } else { 100_010_000_000 },
            size,
            flags: dbn::FlagSet::new(128),
            channel_id: 0,
            action: action as _,
            side: side as _,
            ts_recv: NS + i as u64,
            ts_in_delta: 0,
            sequence: i as u32,
        })
        .collect();
    let whole = dbn_records(dbn::Schema::Mbo, &orders);
    let records = &whole[whole.len() - orders.len() * size_of::<dbn::MboMsg>()..];
    seed("dbn", "good", &whole);
    seed("dbn", "mbo", [&[0], records].concat());
    let level = dbn::BidAskPair {
        bid_px: 100_000_000_000,
        ask_px: 100_010_000_000,
        bid_sz: 5,
        ask_sz: 6,
        bid_ct: 1,
        ask_ct: 1,
    };
    let update = dbn::Mbp10Msg {
        hd: dbn::RecordHeader::new::<dbn::Mbp10Msg>(dbn::rtype::MBP_10, 1, 7, NS),
        price: 100_000_000_000,
        size: 5,
        action: b'A' as _,
        side: b'B' as _,
        flags: dbn::FlagSet::new(128),
        depth: 0,
        ts_recv: NS,
        ts_in_delta: 0,
        sequence: 1,
        levels: std::array::from_fn(|i| dbn::BidAskPair {
            bid_px: level.bid_px - i as i64 * 10_000_000,
            ask_px: level.ask_px + i as i64 * 10_000_000,
            ..level.clone()
        }),
    };
    seed("dbn", "mbp10", dbn_records(dbn::Schema::Mbp10, &[update.clone(), update]));
}

fn synth_events(count: usize) -> (SynthSource, Vec<MarketEvent>) {
    let config = SynthConfig { minutes: 1, ..SynthConfig::default() };
    let mut source = SynthSource::new(&config).expect("sound settings");
    let events = std::iter::from_fn(|| source.next_event().expect("no input").into());
    let events: Vec<_> =
        events.take(count).map(|e: Option<MarketEvent>| e.expect("a minute")).collect();
    (source, events)
}

fn binary_seeds() {
    let (source, events) = synth_events(40);
    let target = folder("ticks").join("good");
    let depths = [source.depth_kind(0)];
    let mut writer =
        TickWriter::create(&target, source.instruments(), &depths, true).expect("a new file");
    events.iter().for_each(|e| writer.push(e).expect("a record"));
    writer.finish(&RepairCounts::default()).expect("a file");
    // Without checksums, which a changed byte would hardly ever pass, for the decoders behind them.
    let mut bytes = std::fs::read(&target).expect("the file");
    let key = b"ijk.crc32c";
    let at = bytes.windows(key.len()).rposition(|window| window == key).expect("checksums");
    bytes[at + key.len() - 1] = b'x';
    seed("ticks", "unsummed", bytes);

    let options = WriterOptions {
        durability: Durability::Buffered,
        segment_bytes: 1 << 16,
        group_bytes: 4096,
        epoch: 1,
    };
    let mut disk = FaultyDisk::new(0);
    let mut writer = Writer::begin(&mut disk, options).expect("a disk without faults");
    for event in &events[..3] {
        writer.append_record(NS, event).expect("a disk without faults");
    }
    writer.commit().expect("a disk without faults");
    let parent = ParentCommand {
        ts: RecvTs(NS),
        qty: Qty(100),
        horizon_ns: 60_000_000_000,
        source_line: 1,
        instrument: InstrumentId(0),
        side: Side::Bid,
        urgency: Urgency::Normal,
        participation_e4: 0,
        schedule: ScheduleKind::AlmgrenChriss,
        reserved: [0; 5],
    };
    writer.append_record(NS, &parent).expect("a disk without faults");
    let end = RunEnd { market_records: 3, rows: 3, tokens: 0, decisions: 0, orders: 0, fills: 0 };
    writer.append_record(NS, &end).expect("a disk without faults");
    writer.finish().expect("a disk without faults");
    let file = disk.shown(0).expect("the first segment");
    seed("journal", "good", [&[0], file].concat());
    seed("journal", "torn", [&[0], &file[..file.len() - 9]].concat());
    seed("journal", "records", [1, 1, 3, 7, 8, 9, 99, 0, 5, 0, 32, 2, 1, 1]);
}

fn weights_seeds() {
    let mut builder = WeightsBuilder::new(WeightsSpec::new(1));
    for tensor in tensor_specs(1) {
        builder = builder.tensor(&tensor.name, tensor.shape, &vec![0.5; tensor.value_count()]);
    }
    let file = builder.finish().expect("the schema's own shapes").to_bytes();
    let length = u64::from_le_bytes(file[..8].try_into().expect("eight bytes")) as usize;
    seed("weights", "good", [0x82]);
    seed("weights", "header", [&[1], &file[8..8 + length]].concat());
    seed("weights", "short", [&[0], &file[..8 + 200]].concat());
    seed("weights", "changed", [2, 0, 1, 0, 0, 9, 8, 0, 0, 0, b'{']);
}

fn compressed_seeds() {
    let text = b"a,b\n1,2\n3,4\n";
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(text).expect("a vector takes everything");
    let gz = gz.finish().expect("a vector takes everything");
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("d/a.csv.gz", zip::write::SimpleFileOptions::default()).expect("a member");
    zip.write_all(&gz).expect("a member's bytes");
    let zip = zip.finish().expect("a directory").into_inner();
    seed("compressed", "good", &gz);
    seed("compressed", "zip", zip);
    seed("compressed", "zst", zstd::encode_all(&text[..], 3).expect("a vector takes everything"));
    seed("compressed", "text", text);
}

fn link_seeds() {
    let frame = |kind: u8, payload: &[u8]| {
        [&(4 + payload.len() as u32).to_le_bytes()[..], &[kind, 0, 0, 0], payload].concat()
    };
    let words = |words: &[u64]| -> Vec<u8> { words.iter().flat_map(|w| w.to_le_bytes()).collect() };
    let welcome = frame(65, &words(&[1, NS, 3 << 36]));
    let report = |kind: u8, exec: u64, px: u64, qty: u64, leaves: u64| {
        let numbers = words(&[NS, 3 << 36 | 1, 8, exec, px, qty, leaves, 5]);
        frame(66, &[&numbers[..], &[1, 0, 0, 0, kind, 0, 1, 0]].concat())
    };
    let item = |kind: u8, exec: u64, px: u64, qty: u64, filled: u64| {
        let leaves = if kind == 2 { qty - filled } else { 0 };
        let numbers = words(&[4, 3 << 36 | 1, 8, exec, NS, px, qty, filled, leaves, 5]);
        frame(67, &[&numbers[..], &[1, 0, kind, 1, 0, 0, 0, 0]].concat())
    };
    let px = 100_000_000_000;
    let reports = [
        report(0, 0, 0, 0, 100),
        report(2, 12, px, 40, 60),
        report(7, 12, 0, 0, 60),
        report(3, 0, 0, 60, 0),
        report(6, 12, px, 40, 0),
    ];
    let items = [
        item(0, 0, 0, 0, 0),
        item(1, 12, px, 40, 0),
        item(2, 0, px, 100, 40),
        item(3, 0, 0, 40, 0),
        item(4, 0, 0, 3, 0),
    ];
    let ends = [frame(68, &words(&[1])), frame(69, &words(&[5]))];
    let stream = [&[1, 6], &welcome[..], &reports.concat(), &items.concat(), &ends.concat()];
    seed("link", "good", stream.concat());
    seed("link", "unwelcome", [&[0, 0], &ends[1][..]].concat());
    seed("link", "cut", [&[1, 0], &welcome[..], &items[1][..50]].concat());
}

fn settings_seeds() {
    let text = toml::to_string(&ijk_core::Config::default()).expect("the defaults");
    seed("settings", "good", "[run]\nseed = 9\nequity_usd = 50000.0\n");
    seed("settings", "all", text);
    let instrument = "[[instrument]]\nsymbol = \"SYN0\"\ntick = \"0.01\"\nlot = \"1\"\n";
    seed("settings", "instrument", instrument);
    seed("settings", "unknown", "[risk]\nmax_order_notional_us = 5.0\n");
    let head = "ts,symbol,side,qty,horizon_s,urgency\n";
    let rows = "2025-03-03T09:30:00-05:00,SYN0,buy,100,600,normal\n\
                1741012200000000000,COIN,sell,0.25,0.5,urgent\n";
    seed("parents", "good", format!("{head}{rows}"));
    seed("parents", "quoted", format!("{head}1,\"SYN0\",sell,5,86400,passive\n"));
    seed("parents", "bad_side", format!("{head}1,SYN0,BUY,1,1,urgent\n"));
}

fn book_seeds() {
    // Selector, then kind, bits (side, flags, price's form), price, quantity, order, time.
    let record = |kind: u8, bits: u8, px: u8, qty: u8, id: u8| [kind, bits, px, qty, id, 1];
    let mut bytes = vec![24];
    for n in 0..6u8 {
        bytes.extend(record(1, 0, 255 - n, 10 + n, 2 * n));
        bytes.extend(record(1, 1, 1 + n, 10 + n, 2 * n + 1));
    }
    for (kind, bits) in [(2, 0), (5, 1), (4, 0), (3, 1), (9, 0), (10, 1), (7, 0), (12, 0), (0, 0)] {
        bytes.extend(record(kind, bits, 255 - 2 * (bits ^ 1), 3, 2 + bits));
    }
    seed("book", "good", bytes);
}

fn main() {
    text_seeds();
    dbn_seeds();
    binary_seeds();
    weights_seeds();
    compressed_seeds();
    book_seeds();
    link_seeds();
    settings_seeds();
}
