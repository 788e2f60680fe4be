//! DBN: the records of real files, and streams made by the vendor's own encoder.

mod common;

use common::{PlainBook, real};
use dbn::decode::{DbnDecoder, DecodeRecord};
use ijk_core::time::NS_PER_S;
use ijk_core::{DepthKind, EventKind, EventSource, FeedErrorKind, RowFlags, Side};
use std::collections::BTreeMap;

const ES: &str = "nautilus/databento/esh4-glbx-mdp3-20231225.mbo.dbn.zst";

#[test]
fn the_futures_day_has_every_record_once() {
    let Some(path) = real(ES) else { return };
    let mut source = ijk_data::dbn::open(&path).unwrap();
    assert_eq!(source.depth_kind(0), DepthKind::L3);
    assert_eq!(source.instruments().len(), 1);
    assert_eq!(source.instruments()[0].symbol.as_str(), "ESH4");
    let mut records: Vec<::dbn::MboMsg> = Vec::new();
    let mut decoder = DbnDecoder::from_zstd_file(&path).unwrap();
    while let Some(m) = decoder.decode_record::<::dbn::MboMsg>().unwrap() {
        records.push(m.clone());
    }
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let mut rows = 0;
    let mut crossed = 0;
    let mut book = PlainBook::default();
    let mut first_trade = None;
    while let Some(e) = source.next_event().unwrap() {
        *kinds.entry(format!("{:?}", e.kind)).or_default() += 1;
        let m = &records[rows];
        assert_eq!((e.order_id, e.sequence), (m.order_id, u64::from(m.sequence)));
        assert_eq!(e.ts_exchange.0, m.hd.ts_event);
        assert_eq!(e.ts_receive.0, m.ts_recv);
        if e.kind != EventKind::Clear {
            assert_eq!((e.px.0, e.qty.0), (m.price, i64::from(m.size)));
        }
        rows += usize::from(e.ends_row());
        if e.kind == EventKind::Trade {
            first_trade.get_or_insert(e.ts_receive);
        }
        // The file begins within the day: it names orders that it never added.
        if e.kind != EventKind::Reduce || book.orders.contains_key(&e.order_id) {
            book.apply_orders(&e);
        }
        if e.flags.has(RowFlags::BOOK_END) {
            let best = |side| book.top(side, 1).first().map(|l| l.0);
            if let (Some(b), Some(a)) = (best(Side::Bid), best(Side::Ask)) {
                crossed += usize::from(b >= a);
                let long_open = first_trade.is_some_and(|t| e.ts_receive.since_ns(t) > NS_PER_S);
                assert!(b < a || !long_open, "crossed outside the opening auction: {e:?}");
            }
        }
    }
    eprintln!("{rows} rows, {kinds:?}, {crossed} crossed, {:?}", source.repairs());
    assert_eq!((rows, records.len()), (68_792, 68_792));
    let (read, total) = source.progress().unwrap();
    assert_eq!(read, total);
}

#[test]
fn the_other_files_of_the_vendor_read_or_say_what_they_are() {
    let folder = "nautilus/databento";
    for (file, readable) in [
        ("esh4-glbx-mdp3-20231224.mbo.dbn.zst", true),
        (
            "order_book_deltas_catalog/databento/\
             orderbooks_mbo_2024-05-08T00-00-00_2024-05-08T00-00-02.dbn.zst",
            true,
        ),
        (
            "historical_bars_catalog/databento/\
             futures_mbp-1_2024-07-01T23-58_2024-07-02T00-02.dbn.zst",
            true,
        ),
        (
            "historical_bars_catalog/databento/\
             futures_trades_2024-07-01T23-58_2024-07-02T00-02.dbn.zst",
            true,
        ),
        ("definition-glbx-es-fut.dbn.zst", false),
        (
            "historical_bars_catalog/databento/\
             futures_ohlcv-1m_2024-07-01T23-40_2024-07-02T00-10.dbn.zst",
            false,
        ),
    ] {
        let Some(path) = real(&format!("{folder}/{file}")) else { return };
        match ijk_data::dbn::open(&path) {
            Ok(mut source) => {
                assert!(readable, "{file}");
                let events = common::drain(&mut source);
                let rows = events.iter().filter(|e| e.ends_row()).count();
                let names: Vec<_> = source.instruments().iter().map(|i| i.symbol).collect();
                eprintln!("{file}: {rows} rows, {names:?}, {:?}", source.repairs());
                assert!(rows > 50);
                assert!(events.is_sorted_by_key(|e| e.ts_receive));
            }
            Err(e) => {
                assert!(!readable, "{e}");
                assert_eq!(e.kind, FeedErrorKind::Format);
                assert!(e.detail.contains("no events of a book"), "{e}");
            }
        }
    }
}

#[test]
fn a_real_file_cut_anywhere_is_an_error_with_its_record() {
    let Some(path) = real("nautilus/databento/esh4-glbx-mdp3-20231224.mbo.dbn.zst") else { return };
    let stored = std::fs::read(&path).unwrap();
    let plain = zstd::decode_all(&stored[..]).unwrap();
    let read = |bytes: &[u8]| -> Result<usize, ijk_core::FeedError> {
        let mut source = ijk_data::dbn::from_reader(bytes, "f.dbn")?;
        let mut rows = 0;
        while let Some(e) = source.next_event()? {
            rows += usize::from(e.ends_row());
        }
        Ok(rows)
    };
    let whole = read(&plain).unwrap();
    let e = read(&plain[..plain.len() - 1]).unwrap_err();
    assert_eq!((e.kind, e.line), (FeedErrorKind::Truncated, whole as u64));
    for cut in [3, 7, 8, 50, plain.len() / 2 + 13] {
        let e = read(&plain[..cut]).unwrap_err();
        let expected = [FeedErrorKind::Truncated, FeedErrorKind::Format];
        assert!(expected.contains(&e.kind), "{cut}: {e}");
    }
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut.dbn.zst");
    std::fs::write(&cut, &stored[..stored.len() - 20]).unwrap();
    let mut source = ijk_data::dbn::open(&cut).unwrap();
    let e = loop {
        match source.next_event() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a cut file must not end well"),
            Err(e) => break e,
        }
    };
    assert_eq!(e.kind, FeedErrorKind::Truncated, "{e}");
    assert!(e.line > 1);
}
