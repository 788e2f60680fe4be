//! GOOG, 2012-06-21, ten levels: the features from the streaming engine against the naive ones
//! that read the vendor's order book rows directly.

use super::features_equal_naive::{assert_close, stream_tokens};
use super::files;
use crate::naive::features::{NaiveRow, token};
use crate::{Book, Level};
use ijk_core::num::parse_decimal_e9;
use ijk_core::{
    DepthKind, EventKind, ExchTs, Instrument, InstrumentId, MarketEvent, Px, Qty, RowFlags, Side,
    Symbol,
};

type Levels = Vec<(i64, i64)>;

fn ints(line: &str) -> Vec<i64> {
    line.trim().split(',').map(|f| f.parse().unwrap()).collect()
}

/// Returns bids and asks of one order book row; the vendor's dummies (size 0) are left out.
fn book_row(line: &str) -> [Levels; 2] {
    let fields = ints(line);
    let side = |at: usize| {
        let levels = fields.chunks(4).map(|c| (c[at] * 100_000, c[at + 1]));
        levels.filter(|l| l.1 > 0).collect::<Levels>()
    };
    [side(2), side(0)]
}

fn push_levels(
    out: &mut Vec<MarketEvent>,
    base: MarketEvent,
    old: &[Levels; 2],
    new: &[Levels; 2],
) {
    for side in [Side::Bid, Side::Ask] {
        let (old, new) = (&old[side as usize], &new[side as usize]);
        let gone = old.iter().filter(|o| !new.iter().any(|n| n.0 == o.0)).map(|o| (o.0, 0));
        let changed = new.iter().filter(|n| !old.contains(n)).copied();
        for (px, qty) in gone.chain(changed) {
            let mut ev = MarketEvent { kind: EventKind::LevelSet, side, ..base };
            ev.px = Px(px);
            ev.qty = Qty(qty);
            ev.flags = RowFlags::DERIVED;
            out.push(ev);
        }
    }
}

/// Returns the first `count` rows as records (a print or nothing, then the levels that changed)
/// and as rows of the naive features.
pub fn goog(count: usize) -> Option<(Vec<MarketEvent>, Vec<NaiveRow>)> {
    let path = files::data("lobster/LOBSTER_SampleFile_GOOG_2012-06-21_10.zip")?;
    let messages = files::unzip(path.clone(), "message");
    let books = files::unzip(path, "orderbook");
    let mut events = Vec::new();
    let mut rows = Vec::new();
    let mut before = [Levels::new(), Levels::new()];
    for (n, (message, book)) in messages.lines().zip(books.lines()).take(count).enumerate() {
        let (time, rest) = message.trim().split_once(',').unwrap();
        let fields = ints(rest);
        let after = book_row(book);
        let mut ev = MarketEvent::new(EventKind::Status, InstrumentId(0));
        ev.ts_exchange = ExchTs(parse_decimal_e9(time.as_bytes()).unwrap() as u64);
        ev.row = n as u64;
        let mut row = NaiveRow { ts: ev.ts_exchange.0, row: ev.row, ..NaiveRow::default() };
        if fields[0] == 4 {
            ev.kind = EventKind::Trade;
            ev.side = if fields[4] == 1 { Side::Ask } else { Side::Bid };
            ev.px = Px(fields[3] * 100_000);
            ev.qty = Qty(fields[2]);
            row.trades.push((ev.px.0, ev.qty.0, Some(ev.side)));
        }
        events.push(ev);
        push_levels(&mut events, ev, &before, &after);
        let last = events.last_mut().unwrap();
        last.flags = last.flags.with(RowFlags::ROW_END);
        row.bids = after[0][..5.min(after[0].len())].to_vec();
        row.asks = after[1][..5.min(after[1].len())].to_vec();
        rows.push(row);
        before = after;
    }
    Some((events, rows))
}

fn google() -> Instrument {
    Instrument::us_equity(Symbol::new("GOOG").unwrap())
}

#[test]
fn features_of_a_real_session_equal_the_naive_ones() {
    let Some((events, rows)) = goog(40_000) else { return };
    for kind in [DepthKind::L2, DepthKind::L3] {
        let tokens = stream_tokens(&events, 10, Book::new(kind, &google()));
        assert_eq!(tokens.len(), rows.len() / 10);
        for (k, streamed) in tokens.iter().enumerate() {
            if k < 300 || k % 25 == 0 {
                assert_close(streamed, &token(&rows, 10, k).unwrap()).unwrap();
            }
        }
        assert!(tokens.iter().all(|t| t.two_sided));
    }
}

#[test]
fn the_book_shows_the_vendors_ten_levels_after_every_row() {
    let Some((events, rows)) = goog(20_000) else { return };
    let mut books = [DepthKind::L2, DepthKind::L3].map(|k| Book::new(k, &google()));
    let mut at = rows.iter();
    for ev in &events {
        for book in &mut books {
            book.apply(ev);
        }
        if !ev.ends_row() {
            continue;
        }
        let row = at.next().unwrap();
        for book in &books {
            for (side, expected) in [(Side::Bid, &row.bids), (Side::Ask, &row.asks)] {
                let mut levels = [Level::default(); 5];
                let count = book.levels(side, &mut levels);
                let got: Vec<_> = levels[..count].iter().map(|l| (l.px.0, l.qty.0)).collect();
                assert_eq!(&got, expected, "row {}", row.row);
            }
        }
    }
}

#[test]
fn cutting_a_real_session_changes_no_earlier_token() {
    let Some((events, _)) = goog(6_000) else { return };
    let whole = stream_tokens(&events, 10, Book::new(DepthKind::L2, &google()));
    for cut in (1..events.len()).step_by(997) {
        let part = stream_tokens(&events[..cut], 10, Book::new(DepthKind::L2, &google()));
        let bits = |t: &ijk_core::features::Token| t.features.map(f64::to_bits);
        assert!(part.iter().map(bits).eq(whole[..part.len()].iter().map(bits)), "cut {cut}");
    }
}
