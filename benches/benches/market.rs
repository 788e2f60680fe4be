//! Book and features over a synthetic session in memory, which goes round and round.
//!
//! - `book.event`, `book.event.l2`: one record into a book by order, by level.
//! - `features.token`: one token: the records of ten source rows, each into a book by order and
//!   then into the feature engine. Ten times `book.event` is the book's share of it.
//! - `replay.rows/session`: book by order and features over the session; throughput in source rows.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ijk_benches::{Cycle, STRIDE, Session};
use ijk_core::{DepthKind, Side};
use ijk_market::{Book, FeatureEngine, Level};
use std::hint::black_box;

const MINUTES: u32 = 30;

/// Five levels of both sides.
fn top(book: &Book) -> [[Level; 5]; 2] {
    [Side::Bid, Side::Ask].map(|side| {
        let mut levels = [Level::default(); 5];
        assert_eq!(book.levels(side, &mut levels), 5);
        levels
    })
}

fn book_event(c: &mut Criterion) {
    let session = Session::synthetic(MINUTES);
    let kinds = [("book.event", DepthKind::L3), ("book.event.l2", DepthKind::L2)];
    let tops = kinds.map(|(name, kind)| {
        let mut book = session.book(kind);
        let mut events = Cycle::new(&session.events);
        c.bench_function(name, |b| b.iter(|| book.apply(black_box(events.next_event()))));

        let changed = session.events.iter().filter(|e| book.apply(e).changed).count();
        assert!(changed > session.rows / 2, "{name}: {changed} of {} rows", session.rows);
        assert!(!book.is_crossed());
        top(&book)
    });
    assert_eq!(tops[0], tops[1], "both books tell the same levels");
}

fn features_token(c: &mut Criterion) {
    let session = Session::synthetic(MINUTES);
    let mut book = session.book(DepthKind::L3);
    let mut features = FeatureEngine::new(STRIDE);
    let mut events = Cycle::new(&session.events);
    c.bench_function("features.token", |b| {
        b.iter(|| {
            loop {
                let event = black_box(events.next_event());
                book.apply(event);
                if let Some(token) = features.on_record(event, &book) {
                    assert!(token.two_sided);
                    break token;
                }
            }
        })
    });
    assert!(features.token_count() > 0);
}

fn replay_rows(c: &mut Criterion) {
    let session = Session::synthetic(MINUTES);
    let run = |book: &mut Book| session.replay(book, &mut FeatureEngine::new(STRIDE));
    let (tokens, last) = run(&mut session.book(DepthKind::L3));
    assert_eq!(tokens, session.rows as u64 / u64::from(STRIDE));
    let last = last.expect("a session has tokens");
    assert!(last.two_sided && last.features.iter().all(|f| f.is_finite()), "{last:?}");
    // Levels are all that features see: a book by level gives the same ones.
    assert_eq!(run(&mut session.book(DepthKind::L2)), (tokens, Some(last)));

    let mut group = c.benchmark_group("replay.rows");
    group.throughput(Throughput::Elements(session.rows as u64));
    let mut book = session.book(DepthKind::L3);
    group.bench_function("session", |b| b.iter(|| run(black_box(&mut book))));
    group.finish();
}

criterion_group!(benches, book_event, features_token, replay_rows);
criterion_main!(benches);
