//! Any sequence of market records into both books and the features: the books equal their
//! tree-map oracles after every record, and the features keep their ranges.
#![no_main]

use ijk_core::features::Token;
use ijk_core::{DepthKind, MarketEvent, Px, Qty, Side};
use ijk_fuzz::{Numbers, market};
use ijk_market::naive::{l2::NaiveL2, l3::NaiveL3};
use ijk_market::{Book, BookConfig, FeatureEngine, L3Book, Level};

const SIDES: [Side; 2] = [Side::Bid, Side::Ask];
const STRIDE: u32 = 2;

fn config(selector: u8) -> BookConfig {
    let few = usize::from(selector & 7) + 1;
    let (level_count_max, order_count_max) = if selector & 8 == 0 { (few, few) } else { (64, 64) };
    let window_ticks = if selector & 16 == 0 { 64 } else { 1_024 };
    BookConfig { tick: Px(market::TICK), level_count_max, order_count_max, window_ticks }
}

/// Levels are sorted, positive, and those of the oracle.
fn check_levels(book: &Book, side: Side, naive: &[(i64, i64)]) {
    let mut out = [Level::default(); 65];
    let count = book.levels(side, &mut out);
    let levels = &out[..count];
    assert!(levels.iter().all(|l| l.qty > Qty::ZERO), "{levels:?}");
    assert!(levels.windows(2).all(|w| side.better(w[0].px, w[1].px)), "{levels:?}");
    assert!(levels.iter().map(|l| (l.px.0, l.qty.0)).eq(naive.iter().copied()), "{naive:?}");
    assert_eq!((count, book.best(side)), (book.level_count(side), levels.first().copied()));
    for level in levels {
        assert_eq!(book.qty_at(side, level.px), level.qty);
    }
}

fn check_queues(book: &L3Book, naive: &NaiveL3) {
    let mut known = 0;
    for side in SIDES {
        for (&px, queue) in &naive.sides[side as usize] {
            let mut orders = Vec::new();
            book.for_each_order(side, Px(px), |o| orders.push((o.order_id, o.qty.0)));
            assert!(orders.iter().eq(queue.orders.iter()), "{orders:?} {queue:?}");
            let mut ahead = queue.anonymous;
            for (id, qty) in orders {
                assert_eq!(book.order(id), Some((side, Px(px), Qty(qty))));
                assert_eq!(book.qty_ahead(id), Some(Qty(ahead)));
                ahead += qty;
                known += 1;
            }
        }
    }
    assert_eq!(book.order_count(), known);
}

fn check_token(token: &Token, index: u64) {
    assert_eq!(token.index, index);
    assert!(token.features.iter().all(|f| f.is_finite()), "{token:?}");
    let [_, _, micro, imb1, imb5, _, _, trade_imb, trade_log, rv_bps, ..] = token.features;
    assert!([imb1, imb5, trade_imb].iter().all(|v| v.abs() <= 1.0), "{token:?}");
    assert!(micro.abs() <= 0.5 && trade_log >= 0.0 && rv_bps >= 0.0, "{token:?}");
    assert!(token.bid.1 >= Qty::ZERO && token.ask.1 >= Qty::ZERO, "{token:?}");
}

struct World {
    l2: (Book, NaiveL2, FeatureEngine),
    l3: (Book, NaiveL3, FeatureEngine),
    tokens: [u64; 2],
}

impl World {
    fn new(config: &BookConfig) -> World {
        let book = |kind| Book::with_config(kind, config);
        let features = || FeatureEngine::new(STRIDE);
        World {
            l2: (book(DepthKind::L2), NaiveL2::new(config), features()),
            l3: (book(DepthKind::L3), NaiveL3::new(config), features()),
            tokens: [0; 2],
        }
    }

    fn take(&mut self, event: &MarketEvent) {
        let (book, naive, _) = &mut self.l2;
        let (applied, notes) = (book.apply(event), naive.apply(event));
        assert_eq!((applied.notes, applied.crossed), (notes, naive.crossed()), "{event:?}");
        assert_eq!(book.is_trusted(), naive.trusted, "{event:?}");
        SIDES.iter().for_each(|&side| check_levels(book, side, &naive.levels(side)));

        let (book, naive, _) = &mut self.l3;
        let (applied, notes) = (book.apply(event), naive.apply(event));
        assert_eq!((applied.notes, applied.crossed), (notes, naive.crossed()), "{event:?}");
        assert_eq!(book.is_trusted(), naive.trusted, "{event:?}");
        SIDES.iter().for_each(|&side| check_levels(book, side, &naive.levels(side)));
        check_queues(book.as_l3().expect("made by order"), naive);

        let tokens =
            [self.l2.2.on_record(event, &self.l2.0), self.l3.2.on_record(event, &self.l3.0)];
        for (token, count) in tokens.iter().zip(&mut self.tokens) {
            if let Some(token) = token {
                check_token(token, *count);
                *count += 1;
            }
        }
    }
}

ijk_fuzz::target!(|data| {
    let mut numbers = Numbers(data);
    let mut world = World::new(&config(numbers.u8()));
    let (mut rows, mut ts_ns) = (0, 0);
    while !numbers.is_empty() {
        let event = market::event(&mut numbers, rows, &mut ts_ns);
        rows += u64::from(event.ends_row());
        world.take(&event);
    }
    world.tokens[0] as usize
});
