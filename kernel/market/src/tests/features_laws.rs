//! Symmetries of the features, and tokens worked out by hand.

use super::features_equal_naive::{stream, stream_tokens};
use super::streams::TICK;
use crate::{Book, BookConfig};
use ijk_core::features::{FEATURE_COUNT, Token};
use ijk_core::{DepthKind, EventKind, ExchTs, InstrumentId, MarketEvent, Px, Qty, RowFlags, Side};
use proptest::prelude::*;

const CONFIG: BookConfig =
    BookConfig { tick: Px(TICK), level_count_max: 500, order_count_max: 500, window_ticks: 64 };

fn tokens(events: &[MarketEvent], stride: u32) -> Vec<Token> {
    stream_tokens(events, stride, Book::with_config(DepthKind::L2, &CONFIG))
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * 1.0f64.max(a.abs())
}

/// Checks `b[i] == factor[i]·a[i]` for every token.
fn check(a: &[Token], b: &[Token], factor: [f64; FEATURE_COUNT]) -> Result<(), TestCaseError> {
    prop_assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        prop_assert_eq!(a.two_sided, b.two_sided);
        for (i, factor) in factor.iter().enumerate() {
            let (x, y) = (a.features[i] * factor, b.features[i]);
            prop_assert!(factor.is_nan() || close(x, y), "feature {}: {} {}", i, x, y);
        }
    }
    Ok(())
}

const SAME: [f64; FEATURE_COUNT] = [1.0; FEATURE_COUNT];

/// What a mirror does: flips imbalances and flows, keeps sizes and times. Features relative to
/// the mid (NaN: not compared) change with the price level.
const MIRRORED: [f64; FEATURE_COUNT] =
    [f64::NAN, f64::NAN, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0, 1.0, f64::NAN, 1.0, f64::NAN];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn mirroring_the_market_flips_imbalances_and_flows(events in stream(300), stride in 1..8u32) {
        let mut mirrored = events.clone();
        for ev in &mut mirrored {
            ev.side = ev.side.opposite();
            ev.px = Px(3_000_000 - ev.px.0);
        }
        check(&tokens(&events, stride), &tokens(&mirrored, stride), MIRRORED)?;
    }

    #[test]
    fn the_unit_of_size_does_not_matter(
        events in stream(300),
        stride in 1..8u32,
        k in 2..2_000i64,
    ) {
        let mut scaled = events.clone();
        for ev in &mut scaled {
            ev.qty = Qty(ev.qty.0 * k);
        }
        check(&tokens(&events, stride), &tokens(&scaled, stride), SAME)?;
    }

    #[test]
    fn the_hour_does_not_matter(
        events in stream(300),
        stride in 1..8u32,
        shift in 1..u64::MAX / 4,
    ) {
        let mut moved = events.clone();
        for ev in &mut moved {
            ev.ts_exchange = ExchTs(ev.ts_exchange.0 + shift);
        }
        let bits = |t: Token| t.features.map(f64::to_bits);
        let (a, b) = (tokens(&events, stride), tokens(&moved, stride));
        prop_assert!(a.into_iter().map(bits).eq(b.into_iter().map(bits)));
    }
}

fn row(kind: EventKind, side: Side, px: i64, qty: i64, ts_s: f64) -> MarketEvent {
    let mut ev = MarketEvent::new(kind, InstrumentId(0));
    ev.ts_exchange = ExchTs((ts_s * 1e9) as u64);
    ev.side = side;
    ev.px = Px(px);
    ev.qty = Qty(qty);
    ev.flags = RowFlags::ROW_END;
    ev
}

/// Six rows, tokens of two: every feature by hand.
#[test]
fn tokens_worked_out_by_hand() {
    use EventKind::{Add, ExecVisible, LevelSet};
    let events = [
        row(Add, Side::Bid, 990, 30, 1.0),
        row(Add, Side::Ask, 1_010, 10, 2.0),
        row(ExecVisible, Side::Ask, 1_010, 10, 3.0), // the ask side is empty now
        row(Add, Side::Bid, 1_000, 20, 4.0),
        row(Add, Side::Ask, 1_020, 60, 5.0),
        row(LevelSet, Side::Bid, 1_000, 40, 6.0),
    ];
    let t = tokens(&events, 2);
    assert_eq!(t.len(), 3);
    // Token 0: mid 1000. The first row has no flow; the second brings 10 to the ask.
    let f = t[0].features;
    assert!(t[0].two_sided);
    assert_eq!(f[0], 0.0);
    assert!(close(f[1], 1e4 * 20.0 / 1_000.0));
    assert!(close(f[2], (990.0 * 10.0 + 1_010.0 * 30.0) / 40.0 / 20.0 - 1_000.0 / 20.0));
    assert!(close(f[3], 0.5) && close(f[4], 0.5));
    assert!(close(f[5], -10.0 / 20.0) && close(f[6], -10.0 / 4.0));
    assert_eq!((f[7], f[8], f[9], f[11]), (0.0, 0.0, 0.0, 0.0));
    assert!(close(f[10], 1e-6f64.ln()));
    // Token 1: no ask. The ask's 10 left, a better bid of 20 came, and level 2 of the bid too.
    let f = t[1].features;
    let alpha = 1.0 - 0.5f64.powf(0.01);
    assert!(!t[1].two_sided && t[1].ask == (Px(0), Qty(0)));
    assert_eq!((f[0], f[1], f[2], f[11]), (0.0, 0.0, 0.0, 0.0));
    assert_eq!((f[3], f[4], f[7]), (1.0, 1.0, 1.0));
    assert!(close(f[5], 30.0 / (20.0 + alpha * (10.0 - 20.0))));
    assert!(close(f[6], (30.0 + 30.0) / (4.0 + alpha * (5.0 - 4.0))));
    assert!(close(f[8], (1.0 + 10.0 / (alpha * 10.0)).ln()));
    assert!(close(f[10], (1e-6f64 + 2.0).ln()));
    // Token 2: mid 1010 against the last mid there was, 1000; VWAP 1010.
    let f = t[2].features;
    let ret = 1e4 * 1.01f64.ln();
    assert!(close(f[0], ret) && close(f[9], (alpha * ret * ret).sqrt()));
    assert!(close(f[2], -0.1) && close(f[3], -0.2) && close(f[11], 0.0));
    assert!(t[2].two_sided && t[2].bid == (Px(1_000), Qty(40)));
}

#[test]
fn hidden_executions_count_as_rows_and_not_as_volume() {
    let events = [row(EventKind::ExecHidden, Side::Bid, 1_000, 7, 1.0); 20];
    let t = tokens(&events, 10);
    assert_eq!(t.len(), 2);
    assert_eq!(t[1].features[8], 0.0);
    assert_eq!(t[1].features[11], 0.0);
    assert!(!t[1].two_sided);
}

#[test]
fn trades_without_a_known_aggressor_are_volume_only() {
    let mut ev = row(EventKind::Trade, Side::Bid, 1_000, 7, 1.0);
    ev.flags = ev.flags.with(RowFlags::NO_SIDE);
    let t = tokens(&[ev], 1);
    assert_eq!(t[0].features[7], 0.0);
    assert!(close(t[0].features[8], 2f64.ln()));
}

#[test]
fn records_derived_before_the_first_row_are_no_rows() {
    let mut events = vec![row(EventKind::LevelSet, Side::Bid, 990, 5, 0.5); 3];
    for ev in &mut events {
        ev.flags = RowFlags::ROW_END.with(RowFlags::DERIVED);
    }
    events.push(row(EventKind::Add, Side::Bid, 990, 5, 1.0));
    let t = tokens(&events, 1);
    assert_eq!(t.len(), 1);
    assert_eq!(t[0].bid, (Px(990), Qty(10)));
    assert_eq!(t[0].features[5], 0.0);
}

#[test]
fn a_locked_book_has_the_limit_as_microprice() {
    let events = [
        row(EventKind::Add, Side::Bid, 1_000, 30, 1.0),
        row(EventKind::Add, Side::Ask, 1_000, 10, 1.0),
    ];
    let t = tokens(&events, 2);
    assert_eq!(t[0].features[1], 0.0);
    assert_eq!(t[0].features[2], 0.25);
}
