//! The rules of the books one by one, as tables of events.

use crate::{Book, BookConfig, L3Book, Notes};
use ijk_core::EventKind as K;
use ijk_core::{DepthKind, Instrument, InstrumentId, MarketEvent, Px, Qty, Side, Symbol};

const CONFIG: BookConfig =
    BookConfig { tick: Px(10), level_count_max: 100, order_count_max: 100, window_ticks: 64 };

fn ev(kind: K, side: Side, px: i64, qty: i64, id: u64) -> MarketEvent {
    let mut ev = MarketEvent::new(kind, InstrumentId(0));
    ev.side = side;
    ev.px = Px(px);
    ev.qty = Qty(qty);
    ev.order_id = id;
    ev
}

fn bid(kind: K, px: i64, qty: i64, id: u64) -> MarketEvent {
    ev(kind, Side::Bid, px, qty, id)
}

fn l3(events: &[MarketEvent]) -> (L3Book, Notes) {
    let mut book = L3Book::new(&CONFIG);
    let mut notes = Notes::NONE;
    for ev in events {
        notes = book.apply(ev).notes;
    }
    (book, notes)
}

fn queue(book: &L3Book, px: i64) -> (i64, Vec<(u64, i64)>) {
    let mut orders = Vec::new();
    book.for_each_order(Side::Bid, Px(px), |o| orders.push((o.order_id, o.qty.0)));
    (book.level_known_and_anonymous(Side::Bid, Px(px)).1.0, orders)
}

#[test]
fn a_modify_keeps_its_place_only_if_it_does_not_grow() {
    let adds = [bid(K::Add, 1_000, 5, 1), bid(K::Add, 1_000, 6, 2)];
    let cases = [
        (bid(K::Modify, 1_000, 4, 1), vec![(1, 4), (2, 6)]),
        (bid(K::Modify, 1_000, 5, 1), vec![(1, 5), (2, 6)]),
        (bid(K::Modify, 1_000, 6, 1), vec![(2, 6), (1, 6)]),
        (bid(K::Modify, 1_000, 7, 1), vec![(2, 6), (1, 7)]),
        (bid(K::Modify, 1_010, 5, 1), vec![(2, 6)]),
        (bid(K::Modify, 1_000, 0, 1), vec![(2, 6)]),
        (bid(K::Modify, 1_000, 3, 9), vec![(1, 5), (2, 6), (9, 3)]),
    ];
    for (modify, expected) in cases {
        let (book, notes) = l3(&[adds[0], adds[1], modify]);
        assert_eq!(queue(&book, 1_000).1, expected, "{modify:?}");
        assert_eq!(notes.has(Notes::UNKNOWN_ORDER), modify.order_id == 9);
    }
}

#[test]
fn a_levels_total_makes_or_trims() {
    let adds = [bid(K::Add, 1_000, 5, 1), bid(K::Add, 1_000, 6, 2)];
    let cases = [
        (20, (9, vec![(1, 5), (2, 6)]), Notes::NONE),
        (11, (0, vec![(1, 5), (2, 6)]), Notes::NONE),
        (8, (0, vec![(1, 5), (2, 3)]), Notes::TRIMMED),
        (5, (0, vec![(1, 5)]), Notes::TRIMMED),
        (1, (0, vec![(1, 1)]), Notes::TRIMMED),
        (0, (0, vec![]), Notes::TRIMMED),
    ];
    for (total, expected, expected_notes) in cases {
        let (book, notes) = l3(&[adds[0], adds[1], bid(K::LevelSet, 1_000, total, 0)]);
        assert_eq!(queue(&book, 1_000), expected, "total {total}");
        assert_eq!(notes, expected_notes);
        assert_eq!(book.qty_at(Side::Bid, Px(1_000)), Qty(total));
    }
}

#[test]
fn unknown_orders_come_from_the_anonymous_part_at_the_front() {
    let start = [bid(K::LevelSet, 1_000, 10, 0), bid(K::Add, 1_000, 4, 7)];
    let (book, _) = l3(&start);
    assert_eq!(book.qty_ahead(7), Some(Qty(10)));
    for kind in [K::Reduce, K::Delete, K::ExecVisible] {
        let (book, notes) = l3(&[start[0], start[1], bid(kind, 1_000, 3, 99)]);
        assert_eq!((queue(&book, 1_000), notes), ((7, vec![(7, 4)]), Notes::UNKNOWN_ORDER));
        assert_eq!(book.qty_ahead(7), Some(Qty(7)));
        let (book, notes) = l3(&[start[0], start[1], bid(kind, 1_000, 30, 99)]);
        assert_eq!(queue(&book, 1_000), (0, vec![(7, 4)]), "known orders are left alone");
        assert!(notes.has(Notes::OVER_REDUCTION));
    }
    assert_eq!(book.qty_ahead(99), None);
}

#[test]
fn executions_out_of_turn_apply() {
    let adds = [bid(K::Add, 1_000, 5, 1), bid(K::Add, 1_000, 6, 2), bid(K::Add, 1_000, 7, 3)];
    let (book, notes) = l3(&[adds[0], adds[1], adds[2], bid(K::ExecVisible, 1_000, 6, 2)]);
    assert_eq!((queue(&book, 1_000).1, notes), (vec![(1, 5), (3, 7)], Notes::NONE));
}

#[test]
fn the_best_set_removes_what_is_better() {
    for kind in [DepthKind::L2, DepthKind::L3] {
        let mut book = Book::with_config(kind, &CONFIG);
        for px in [980, 990, 1_000, 1_010, 90_000] {
            book.apply(&bid(K::Add, px, 5, px as u64));
        }
        book.apply(&bid(K::BestSet, 995, 3, 0));
        assert_eq!(book.best(Side::Bid).map(|l| (l.px.0, l.qty.0)), Some((995, 3)));
        assert_eq!(book.level_count(Side::Bid), 3);
        book.apply(&bid(K::BestSet, 1_000, 0, 0));
        assert_eq!(book.best(Side::Bid), None);
        assert_eq!(book.as_l3().map_or(0, L3Book::order_count), 0);
    }
}

#[test]
fn a_crossed_book_is_shown_and_counted_once() {
    for kind in [DepthKind::L2, DepthKind::L3] {
        let mut book = Book::with_config(kind, &CONFIG);
        assert!(!book.apply(&bid(K::Add, 1_000, 5, 1)).crossed);
        assert!(book.apply(&ev(K::Add, Side::Ask, 1_000, 5, 2)).crossed, "locked");
        assert!(book.apply(&ev(K::Add, Side::Ask, 990, 5, 3)).crossed);
        assert!(book.apply(&ev(K::Status, Side::Ask, 0, 0, 0)).crossed);
        assert!(book.is_crossed() && book.counts().crossed == 1);
        assert_eq!((book.level_count(Side::Bid), book.level_count(Side::Ask)), (1, 2));
        assert!(!book.apply(&bid(K::Delete, 1_000, 5, 1)).crossed);
        assert!(!book.is_crossed());
    }
}

#[test]
fn a_gap_is_distrusted_until_a_clear() {
    for kind in [DepthKind::L2, DepthKind::L3] {
        let mut book = Book::with_config(kind, &CONFIG);
        assert!(book.is_trusted());
        book.apply(&bid(K::Gap, 0, 0, 0));
        book.apply(&bid(K::Add, 1_000, 5, 1));
        assert!(!book.is_trusted() && book.counts().gaps == 1);
        book.apply(&bid(K::Clear, 0, 0, 0));
        assert!(book.is_trusted() && book.best(Side::Bid).is_none());
        book.apply(&bid(K::Gap, 0, 0, 0));
        book.clear();
        assert!(book.is_trusted());
    }
}

#[test]
fn a_full_order_table_keeps_the_totals_right() {
    let config = BookConfig { order_count_max: 2, ..CONFIG };
    let mut book = L3Book::new(&config);
    for id in 1..=4 {
        book.apply(&bid(K::Add, 1_000, 10, id));
    }
    assert_eq!(book.qty_at(Side::Bid, Px(1_000)), Qty(40));
    assert_eq!((book.order_count(), book.counts().order_capacity), (2, 2));
    book.apply(&bid(K::Delete, 1_000, 10, 4));
    assert_eq!(book.qty_at(Side::Bid, Px(1_000)), Qty(30));
}

#[test]
fn a_full_side_drops_its_worst_level() {
    for kind in [DepthKind::L2, DepthKind::L3] {
        let config = BookConfig { level_count_max: 2, ..CONFIG };
        let mut book = Book::with_config(kind, &config);
        for (id, px) in [1_000, 1_010, 1_020, 900].into_iter().enumerate() {
            book.apply(&bid(K::Add, px, 5, id as u64 + 1));
        }
        assert_eq!(book.counts().level_capacity, 2);
        assert_eq!(book.qty_at(Side::Bid, Px(1_000)), Qty(0));
        assert_eq!(book.best(Side::Bid).map(|l| l.px), Some(Px(1_020)));
        assert_eq!(book.as_l3().map_or(2, L3Book::order_count), 2);
    }
}

#[test]
fn sizes_of_zero_make_the_smallest_book_and_no_panic() {
    let config =
        BookConfig { tick: Px(0), level_count_max: 0, order_count_max: 0, window_ticks: 0 };
    for kind in [DepthKind::L2, DepthKind::L3] {
        let mut book = Book::with_config(kind, &config);
        for px in [i64::MAX, i64::MIN, 0, 5] {
            book.apply(&bid(K::Add, px, 1, 1 + (px & 3) as u64));
            book.apply(&ev(K::LevelSet, Side::Ask, px, 1, 0));
        }
        assert_eq!(book.level_count(Side::Bid), 1);
    }
    let instrument = Instrument::us_equity(Symbol::new("X").unwrap());
    assert!(Book::new(DepthKind::L3, &instrument).best(Side::Ask).is_none());
}

#[test]
fn what_happens_below_the_fifth_level_is_not_near() {
    for kind in [DepthKind::L2, DepthKind::L3] {
        let config = BookConfig { level_count_max: 50, order_count_max: 50, ..CONFIG };
        let mut book = Book::with_config(kind, &config);
        for n in 0..10 {
            book.apply(&bid(K::Add, 1_000 - 20 * n, 5, n as u64 + 1));
        }
        let mut before = book.near_change_count(Side::Bid);
        let mut near = |ev: MarketEvent| {
            book.apply(&ev);
            std::mem::replace(&mut before, book.near_change_count(Side::Bid)) != before
        };
        // The fifth is 920.
        assert!(!near(bid(K::Add, 900, 1, 21)), "{kind:?}");
        assert!(!near(bid(K::Delete, 880, 5, 7)), "{kind:?}");
        assert!(!near(bid(K::Add, 910, 1, 22)), "{kind:?}");
        assert!(!near(ev(K::Add, Side::Ask, 1_010, 1, 23)), "{kind:?}");
        assert!(near(bid(K::Add, 920, 1, 24)), "{kind:?}");
        assert!(near(bid(K::Reduce, 1_000, 1, 1)), "{kind:?}");
        assert!(near(bid(K::Add, 930, 1, 25)), "{kind:?}");
        assert!(!near(bid(K::Add, 920, 1, 26)), "{kind:?}: it is the sixth now");
    }
}
