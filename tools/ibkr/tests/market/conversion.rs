//! Laws of the conversion, against a book kept the slow way.

use crate::rig::{Book, symbol};
use ijk_core::{EventKind, Instrument, MarketEvent, Side};
use ijk_ibkr::market::{Converter, Follow, Heard, Input};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn converter(by_rows: bool) -> Converter {
    let list = [Instrument::us_equity(symbol("AAPL"))];
    Converter::new(&list, &[by_rows], 10, 0.5)
}

fn hear(c: &mut Converter, at_ns: u64, heard: Heard) -> Follow {
    c.on(&Input { at_ns, instrument: 0, heard })
}

fn flush(c: &mut Converter, room: usize) -> Vec<MarketEvent> {
    let mut out = Vec::new();
    c.flush(room, &mut |ev| out.push(ev));
    assert!(out.len() <= room);
    out
}

/// One message about rows, as a gateway that knows what it does would send.
#[derive(Clone, Debug)]
enum Step {
    Insert(bool, usize, i64, i64),
    Update(bool, usize, i64),
    Delete(bool, usize),
    Flush(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = prop_oneof![
        (any::<bool>(), 0usize..9, 1i64..40, 1i64..900)
            .prop_map(|(b, p, px, q)| Step::Insert(b, p, px, q)),
        (any::<bool>(), 0usize..9, 1i64..900).prop_map(|(b, p, q)| Step::Update(b, p, q)),
        (any::<bool>(), 0usize..9).prop_map(|(b, p)| Step::Delete(b, p)),
        (0usize..12).prop_map(Step::Flush),
    ];
    proptest::collection::vec(one, 1..120)
}

proptest! {
    /// However little room there is, the book told is one that was there, whole, and in the end
    /// the present one.
    #[test]
    fn depth_is_told_whole_or_not_at_all(steps in steps()) {
        let mut c = converter(true);
        let mut rows: [Vec<(i64, i64)>; 2] = Default::default();
        let mut book = Book::default();
        let mut states: Vec<[BTreeMap<i64, i64>; 2]> = vec![Default::default()];
        hear(&mut c, 1, Heard::Fresh);
        // Bids lie below 1,050 dollars, asks above 1,100: the book never crosses.
        let price = |bid: bool, px: i64| if bid { px + 1_000 } else { px + 1_100 };
        for step in steps {
            let (bid, position, op, px, qty) = match step {
                Step::Insert(b, p, px, q) => (b, p.min(rows[usize::from(!b)].len()), 0, px, q),
                Step::Update(b, p, q) if p < rows[usize::from(!b)].len() => {
                    (b, p, 1, rows[usize::from(!b)][p].0, q)
                }
                Step::Delete(b, p) if p < rows[usize::from(!b)].len() => (b, p, 2, 0, 0),
                Step::Flush(room) => {
                    let out = flush(&mut c, room);
                    out.iter().for_each(|ev| book.apply(ev));
                    if out.last().is_some_and(MarketEvent::ends_row) {
                        prop_assert!(states.contains(&book.sides), "{:?}", book.sides);
                    }
                    prop_assert!(out.is_empty() || out.last().is_some_and(MarketEvent::ends_row));
                    continue;
                }
                _ => continue,
            };
            let side = &mut rows[usize::from(!bid)];
            match op {
                0 => {
                    side.insert(position, (px, qty));
                    side.truncate(10);
                }
                1 => side[position].1 = qty,
                _ => _ = side.remove(position),
            }
            let px = if op == 2 { 0.0 } else { price(bid, px) as f64 };
            let row = Heard::Row { bid, position: position as u16, op, px, qty: qty as f64 };
            prop_assert_eq!(hear(&mut c, 2, row), Follow::Nothing);
            let mut state: [BTreeMap<i64, i64>; 2] = Default::default();
            for (at, side) in rows.iter().enumerate() {
                for (px, qty) in side {
                    *state[at].entry(price(at == 0, *px) * 1_000_000_000).or_default() += qty;
                }
            }
            states.push(state);
        }
        flush(&mut c, 1_000).iter().for_each(|ev| book.apply(ev));
        prop_assert_eq!(Some(&book.sides), states.last());
    }

    /// Nothing that a gateway says makes it panic or tell a price that is none.
    #[test]
    fn nonsense_is_survived(inputs in proptest::collection::vec(any_heard(), 1..200)) {
        for by_rows in [false, true] {
            let mut c = converter(by_rows);
            hear(&mut c, 0, Heard::Fresh);
            for (i, heard) in inputs.iter().enumerate() {
                hear(&mut c, i as u64 * 1_000_000, *heard);
                for ev in flush(&mut c, 64) {
                    prop_assert!(ev.qty.0 >= 0);
                    let priced = matches!(ev.kind, EventKind::Trade | EventKind::LevelSet);
                    prop_assert!(!priced || ev.px.0 > 0, "{ev:?}");
                }
            }
        }
    }
}

fn any_heard() -> impl Strategy<Value = Heard> {
    let number = prop_oneof![
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(-1.0),
        Just(0.0),
        Just(1e300),
        Just(100.0),
        Just(100.01),
        Just(5e-324),
        any::<f64>(),
        90.0f64..110.0,
    ];
    let n = || number.clone();
    prop_oneof![
        (any::<bool>(), n(), proptest::option::of(n())).prop_map(|(bid, px, qty)| Heard::Touch {
            bid,
            px,
            qty
        }),
        (any::<bool>(), n()).prop_map(|(bid, qty)| Heard::TouchQty { bid, qty }),
        (n(), n(), n(), n()).prop_map(|(bid, bid_qty, ask, ask_qty)| Heard::BidAsk {
            bid,
            bid_qty,
            ask,
            ask_qty
        }),
        (n(), n(), proptest::option::of(any::<i64>())).prop_map(|(px, qty, time_s)| Heard::Trade {
            px,
            qty,
            time_s
        }),
        n().prop_map(|qty| Heard::LastQty { qty }),
        (any::<bool>(), any::<u16>(), any::<u8>(), n(), n())
            .prop_map(|(bid, position, op, px, qty)| Heard::Row { bid, position, op, px, qty }),
        (any::<bool>(), 0u16..4, 0u8..3, n(), n())
            .prop_map(|(bid, position, op, px, qty)| Heard::Row { bid, position, op, px, qty }),
        Just(Heard::RowsReset),
        Just(Heard::Lost),
        Just(Heard::Fresh),
        Just(Heard::Alive),
        any::<u8>().prop_map(|kind| Heard::DataKind { kind }),
        Just(Heard::DataKind { kind: 1 }),
        any::<bool>().prop_map(|halted| Heard::Halted { halted }),
        n().prop_map(|level| Heard::Shortable { level }),
    ]
}

fn touch(bid: bool, px: f64, qty: f64) -> Heard {
    Heard::Touch { bid, px, qty: Some(qty) }
}

#[test]
fn the_latest_quote_wins_and_the_others_are_counted() {
    let mut c = converter(false);
    hear(&mut c, 1, Heard::Fresh);
    hear(&mut c, 1, touch(true, 99.0, 10.0));
    hear(&mut c, 1, touch(false, 101.0, 20.0));
    assert!(flush(&mut c, 0).is_empty());
    assert!(flush(&mut c, 2).is_empty(), "a quote of two sides and a beginning needs three");
    hear(&mut c, 2, touch(true, 99.5, 30.0));
    let out = flush(&mut c, 3);
    let told: Vec<_> = out.iter().map(|e| (e.kind, e.px.as_f64(), e.qty.0)).collect();
    assert_eq!(told[1..], [(EventKind::LevelSet, 99.5, 30), (EventKind::LevelSet, 101.0, 20)]);
    assert_eq!(told[0].0, EventKind::Clear);
    assert!(c.counts().conflated >= 1);
    assert!(flush(&mut c, 9).is_empty(), "nothing new");
}

#[test]
fn a_crossed_quote_waits_for_its_other_side() {
    let mut c = converter(false);
    hear(&mut c, 1, Heard::Fresh);
    hear(&mut c, 1, touch(true, 99.0, 10.0));
    hear(&mut c, 1, touch(false, 100.0, 10.0));
    assert_eq!(flush(&mut c, 9).len(), 3);
    hear(&mut c, 1_000, touch(true, 100.5, 10.0));
    assert!(flush(&mut c, 9).is_empty());
    hear(&mut c, 2_000, touch(false, 101.0, 10.0));
    assert_eq!(flush(&mut c, 9).len(), 4, "two levels gone, two come");
    // One that stays crossed is told: somebody has to see it.
    hear(&mut c, 3_000, touch(true, 101.0, 10.0));
    assert!(flush(&mut c, 9).is_empty());
    hear(&mut c, 400_000_000, Heard::Settle);
    assert_eq!(flush(&mut c, 9).len(), 2);
}

#[test]
fn what_was_lost_is_told_again_from_nothing() {
    let mut c = converter(false);
    hear(&mut c, 1, Heard::Fresh);
    hear(&mut c, 1, touch(true, 99.0, 10.0));
    hear(&mut c, 1, touch(false, 100.0, 10.0));
    flush(&mut c, 9);
    hear(&mut c, 2, Heard::Lost);
    hear(&mut c, 2, Heard::Lost);
    let out = flush(&mut c, 9);
    assert_eq!(out.iter().map(|e| e.kind).collect::<Vec<_>>(), [EventKind::Gap], "once");
    hear(&mut c, 3, touch(true, 98.0, 10.0));
    hear(&mut c, 3, Heard::Trade { px: 98.0, qty: 5.0, time_s: None });
    assert!(flush(&mut c, 9).is_empty(), "nobody subscribed anew");
    hear(&mut c, 4, Heard::Fresh);
    hear(&mut c, 4, touch(true, 50.0, 10.0));
    hear(&mut c, 4, touch(false, 50.1, 10.0));
    let mut book = Book::default();
    flush(&mut c, 9).iter().for_each(|e| book.apply(e));
    assert_eq!(book.best(Side::Bid), Some((50_000_000_000, 10)), "a far price after a new begin");
}

#[test]
fn trades_know_their_aggressor_by_the_quote() {
    let mut c = converter(false);
    hear(&mut c, 1, Heard::Fresh);
    hear(&mut c, 1, touch(true, 99.0, 10.0));
    hear(&mut c, 1, touch(false, 101.0, 10.0));
    flush(&mut c, 9);
    for (px, want) in
        [(101.0, Some(Some(Side::Bid))), (99.0, Some(Some(Side::Ask))), (100.0, Some(None))]
    {
        hear(&mut c, 2, Heard::Trade { px, qty: 7.0, time_s: None });
        let out = flush(&mut c, 9);
        assert_eq!(out[0].visible_trade().map(|t| t.1), want, "{px}");
    }
    // The size alone: one more trade of another size at the last price.
    hear(&mut c, 3, Heard::LastQty { qty: 7.0 });
    assert!(flush(&mut c, 9).is_empty(), "the same trade told twice");
    hear(&mut c, 3, Heard::LastQty { qty: 8.0 });
    assert_eq!(flush(&mut c, 9)[0].px.as_f64(), 100.0);
    // Fractions of a share are no volume.
    hear(&mut c, 3, Heard::Trade { px: 100.0, qty: 0.4, time_s: None });
    assert!(flush(&mut c, 9).is_empty());
}
