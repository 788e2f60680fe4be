//! Both books against their tree-map oracles, after every event, near and far from the window.

use super::streams::{TICK, Wildness, events};
use crate::naive::l2::NaiveL2;
use crate::naive::l3::NaiveL3;
use crate::{Book, BookConfig, BookCounts, L3Book, Level, Notes};
use ijk_core::limits::FEATURE_LEVEL_COUNT;
use ijk_core::{DepthKind, MarketEvent, Px, Qty, Side};
use proptest::prelude::*;

const SIDES: [Side; 2] = [Side::Bid, Side::Ask];

fn config(level_count_max: usize, order_count_max: usize) -> BookConfig {
    BookConfig { tick: Px(TICK), level_count_max, order_count_max, window_ticks: 64 }
}

fn all_levels(book: &Book, side: Side) -> Vec<(i64, i64)> {
    let mut out = vec![Level::default(); book.level_count(side) + 3];
    let count = book.levels(side, &mut out);
    out[..count].iter().map(|l| (l.px.0, l.qty.0)).collect()
}

fn check_levels(book: &Book, side: Side, naive: &[(i64, i64)]) -> Result<(), TestCaseError> {
    prop_assert_eq!(&all_levels(book, side), naive);
    prop_assert_eq!(book.level_count(side), naive.len());
    prop_assert_eq!(book.best(side).map(|l| (l.px.0, l.qty.0)), naive.first().copied());
    let mut two = [Level::default(); 2];
    prop_assert_eq!(book.levels(side, &mut two), naive.len().min(2));
    prop_assert_eq!(book.levels(side, &mut []), 0);
    for &(px, qty) in naive {
        prop_assert_eq!(book.qty_at(side, Px(px)), Qty(qty));
    }
    Ok(())
}

fn tally(counts: &mut BookCounts, notes: Notes) {
    let one = |bit: Notes| u64::from(notes.has(bit));
    counts.unknown_orders += one(Notes::UNKNOWN_ORDER);
    counts.over_reductions += one(Notes::OVER_REDUCTION);
    counts.missing_levels += one(Notes::MISSING_LEVEL);
    counts.duplicate_orders += one(Notes::DUPLICATE_ORDER);
    counts.mismatches += one(Notes::MISMATCH);
    counts.trimmed += one(Notes::TRIMMED);
    counts.level_capacity += one(Notes::LEVEL_CAPACITY);
    counts.order_capacity += one(Notes::ORDER_CAPACITY);
    counts.bad_qtys += one(Notes::BAD_QTY);
    counts.unsupported += one(Notes::UNSUPPORTED);
}

fn check_l2(events: &[MarketEvent], config: &BookConfig) -> Result<usize, TestCaseError> {
    let mut book = Book::with_config(DepthKind::L2, config);
    let mut naive = NaiveL2::new(config);
    let mut counts = BookCounts::default();
    let mut far = 0;
    for ev in events {
        let before = naive.sides.clone();
        let was_crossed = naive.crossed();
        let near = SIDES.map(|s| (book.near_change_count(s), best_five(naive.levels(s))));
        let applied = book.apply(ev);
        let notes = naive.apply(ev);
        prop_assert_eq!(applied.notes, notes, "{:?}", ev);
        prop_assert_eq!(applied.crossed, naive.crossed());
        prop_assert_eq!(applied.changed, before != naive.sides, "{:?}", ev);
        check_near_changes(&book, &near, SIDES.map(|s| naive.levels(s)))?;
        prop_assert_eq!(book.is_crossed(), naive.crossed());
        prop_assert_eq!(book.is_trusted(), naive.trusted);
        tally(&mut counts, notes);
        counts.crossed += u64::from(naive.crossed() && !was_crossed);
        counts.gaps += u64::from(ev.kind == ijk_core::EventKind::Gap);
        for side in SIDES {
            check_levels(&book, side, &naive.levels(side))?;
        }
        let Book::L2(l2) = &book else { unreachable!() };
        far = far.max(l2.far_len());
    }
    prop_assert_eq!(book.counts(), &counts);
    Ok(far)
}

fn check_queues(book: &L3Book, naive: &NaiveL3) -> Result<(), TestCaseError> {
    let mut known = 0;
    for side in SIDES {
        for (&px, queue) in &naive.sides[side as usize] {
            let mut orders = Vec::new();
            book.for_each_order(side, Px(px), |o| orders.push((o.order_id, o.qty.0)));
            prop_assert_eq!(&orders, &Vec::from(queue.orders.clone()));
            prop_assert_eq!(book.level_order_count(side, Px(px)), orders.len());
            let parts = (Qty(queue.known()), Qty(queue.anonymous));
            prop_assert_eq!(book.level_known_and_anonymous(side, Px(px)), parts);
            let mut ahead = queue.anonymous;
            for (id, qty) in orders {
                prop_assert_eq!(book.order(id), Some((side, Px(px), Qty(qty))));
                prop_assert_eq!(book.qty_ahead(id), Some(Qty(ahead)));
                ahead += qty;
                known += 1;
            }
        }
    }
    for id in 0..24 {
        prop_assert_eq!(book.order(id).is_some(), naive.find(id).is_some());
    }
    prop_assert_eq!(book.order_count(), known);
    Ok(())
}

fn check_l3(events: &[MarketEvent], config: &BookConfig) -> Result<usize, TestCaseError> {
    let mut book = Book::with_config(DepthKind::L3, config);
    let mut naive = NaiveL3::new(config);
    let mut counts = BookCounts::default();
    let mut far = 0;
    for ev in events {
        let was_crossed = naive.crossed();
        let before = naive.sides.clone();
        let near = SIDES.map(|s| (book.near_change_count(s), best_five(naive.levels(s))));
        let applied = book.apply(ev);
        let notes = naive.apply(ev);
        prop_assert_eq!(applied.notes, notes, "{:?}", ev);
        prop_assert_eq!(applied.crossed, naive.crossed());
        check_near_changes(&book, &near, SIDES.map(|s| naive.levels(s)))?;
        // A replaced order may leave everything as it was and still count as a change.
        prop_assert!(applied.changed || before == naive.sides, "{:?}", ev);
        prop_assert_eq!(book.is_trusted(), naive.trusted);
        tally(&mut counts, notes);
        counts.crossed += u64::from(naive.crossed() && !was_crossed);
        counts.gaps += u64::from(ev.kind == ijk_core::EventKind::Gap);
        for side in SIDES {
            check_levels(&book, side, &naive.levels(side))?;
        }
        let Book::L3(l3) = &book else { unreachable!() };
        check_queues(l3, &naive)?;
        far = far.max(l3.far_len());
    }
    prop_assert_eq!(book.counts(), &counts);
    Ok(far)
}

fn best_five(mut levels: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    levels.truncate(FEATURE_LEVEL_COUNT);
    levels
}

/// A side whose best five levels changed must say so.
fn check_near_changes(
    book: &Book,
    before: &[(u64, Vec<(i64, i64)>); 2],
    after: [Vec<(i64, i64)>; 2],
) -> Result<(), TestCaseError> {
    for ((side, (count, best)), after) in SIDES.into_iter().zip(before).zip(after) {
        let grew = book.near_change_count(side) > *count;
        prop_assert!(grew || *best == best_five(after), "{:?}", side);
    }
    Ok(())
}

fn wild() -> impl Strategy<Value = Wildness> {
    let centers = prop_oneof![Just(0), Just(100), Just(4_000)];
    (centers, any::<bool>()).prop_map(|(center_ticks, nonsense)| Wildness {
        center_ticks,
        nonsense,
        modify: 4,
    })
}

fn stream() -> impl Strategy<Value = Vec<MarketEvent>> {
    wild().prop_flat_map(|w| events(250, w))
}

fn sizes() -> impl Strategy<Value = (usize, usize)> {
    prop_oneof![3 => Just((1_000, 1_000)), 1 => (1..12usize, 1..12usize)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn l2_equals_naive(events in stream(), (levels, orders) in sizes()) {
        check_l2(&events, &config(levels, orders))?;
    }

    #[test]
    fn l3_equals_naive(events in stream(), (levels, orders) in sizes()) {
        check_l3(&events, &config(levels, orders))?;
    }

    /// A wide window, an even wider market: words and summary words of the bitmap are crossed.
    #[test]
    fn wide_windows_equal_naive(
        events in events(300, Wildness { center_ticks: 9_000, nonsense: false, modify: 4 }),
        window_ticks in prop_oneof![Just(4_096usize), Just(5_000), Just(20_000)],
    ) {
        let config = BookConfig { window_ticks, ..config(1_000, 1_000) };
        check_l2(&events, &config)?;
        check_l3(&events, &config)?;
    }
}

/// The property tests above prove nothing of the paths they do not reach: one long drift from
/// window to window must use near and far levels alike.
#[test]
fn a_drifting_market_uses_both_paths() {
    let mut events = Vec::new();
    for n in 0..3_000i64 {
        for (side, offset) in [(Side::Bid, -1), (Side::Ask, 1)] {
            let mut ev = MarketEvent::new(ijk_core::EventKind::Add, ijk_core::InstrumentId(0));
            ev.side = side;
            ev.order_id = (2 * n + i64::from(side == Side::Ask) + 1) as u64;
            ev.px = Px(1_000_000 + (n * n % 401 + n / 4 + 500 * offset) * TICK + n % 7 / 6);
            ev.qty = Qty(1 + n % 9);
            events.push(ev);
            if n % 3 == 2 {
                ev.kind = ijk_core::EventKind::BestSet;
                ev.px = Px(1_000_000 + (n / 4 + 450 * offset) * TICK);
                events.push(ev);
            }
        }
    }
    let far_l2 = check_l2(&events, &config(2_000, 10_000)).unwrap();
    let far_l3 = check_l3(&events[..1_500], &config(2_000, 10_000)).unwrap();
    assert!(far_l2 > 20 && far_l3 > 20, "{far_l2} {far_l3}");
}
