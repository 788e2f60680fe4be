//! The features of a random session against pandas; see `scripts/golden/features.py`.

use super::features_equal_naive::stream_tokens;
use crate::{Book, BookConfig};
use ijk_core::features::FEATURE_NAMES;
use ijk_core::{DepthKind, EventKind, ExchTs, InstrumentId, MarketEvent, Px, Qty, RowFlags, Side};
use serde_json::Value;

fn int(v: &Value) -> i64 {
    v.as_i64().unwrap()
}

/// Returns one row's records: its trades, then the whole book anew.
fn records(n: usize, row: &Value) -> Vec<MarketEvent> {
    let base = |kind| {
        let mut ev = MarketEvent::new(kind, InstrumentId(0));
        ev.ts_exchange = ExchTs(int(&row[0]) as u64);
        ev.row = n as u64;
        ev
    };
    let mut out = Vec::new();
    for trade in row[3].as_array().unwrap() {
        let mut ev = base(EventKind::Trade);
        (ev.px, ev.qty) = (Px(int(&trade[0])), Qty(int(&trade[1])));
        match int(&trade[2]) {
            1 => ev.side = Side::Bid,
            -1 => ev.side = Side::Ask,
            _ => ev.flags = RowFlags::NO_SIDE,
        }
        out.push(ev);
    }
    out.push(base(EventKind::Clear));
    for side in [Side::Bid, Side::Ask] {
        for level in row[1 + side as usize].as_array().unwrap() {
            let mut ev = base(EventKind::LevelSet);
            ev.side = side;
            (ev.px, ev.qty) = (Px(int(&level[0])), Qty(int(&level[1])));
            out.push(ev);
        }
    }
    let last = out.last_mut().unwrap();
    last.flags = last.flags.with(RowFlags::ROW_END);
    out
}

#[test]
fn features_equal_those_of_pandas() {
    let golden: Value = serde_json::from_str(include_str!("golden/features.json")).unwrap();
    let rows = golden["rows"].as_array().unwrap();
    let events: Vec<_> = rows.iter().enumerate().flat_map(|(n, row)| records(n, row)).collect();
    let config = BookConfig {
        tick: Px(10_000_000),
        level_count_max: 100,
        order_count_max: 100,
        window_ticks: 64,
    };
    let expected = golden["tokens"].as_array().unwrap();
    for kind in [DepthKind::L2, DepthKind::L3] {
        let book = Book::with_config(kind, &config);
        let tokens = stream_tokens(&events, int(&golden["stride"]) as u32, book);
        assert_eq!(tokens.len(), expected.len());
        assert_eq!(tokens.len(), 30);
        for (token, expected) in tokens.iter().zip(expected) {
            for (i, name) in FEATURE_NAMES.iter().enumerate() {
                let (got, want) = (token.features[i], expected[i].as_f64().unwrap());
                // The literal p − m of the script loses some digits that we keep.
                let ok = (got - want).abs() <= 1e-8 * 1f64.max(want.abs());
                assert!(ok, "token {}: {name} is {got}, pandas {want}", token.index);
            }
        }
    }
}
