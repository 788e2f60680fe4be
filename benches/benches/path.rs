//! Latency of every single source row over a synthetic session: its records through a book by order
//! and the features. A histogram of what closes a token and one of what does not; a mean hides the
//! tail that costs money. The clock's own cost, shown in the last line, is part of every figure.

use hdrhistogram::Histogram;
use ijk_benches::{STRIDE, Session};
use ijk_core::DepthKind;
use ijk_core::features::Token;
use ijk_market::FeatureEngine;
use quanta::Clock;
use std::hint::black_box;

/// Longest latency told apart, nanoseconds; longer ones count as this.
const LATENCY_MAX_NS: u64 = 1_000_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;

struct Latencies {
    row: Histogram<u64>,
    token: Histogram<u64>,
    last: Option<Token>,
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(LATENCY_MAX_NS, SIGNIFICANT_DIGITS).expect("sound bounds")
}

fn measure(session: &Session, clock: &Clock) -> Latencies {
    let mut book = session.book(DepthKind::L3);
    let mut features = FeatureEngine::new(STRIDE);
    let mut found = Latencies { row: histogram(), token: histogram(), last: None };
    let mut start = clock.raw();
    for event in &session.events {
        book.apply(black_box(event));
        let token = black_box(features.on_record(event, &book));
        if !event.ends_row() {
            continue;
        }
        let ns = clock.delta_as_nanos(start, clock.raw());
        match token {
            Some(_) => found.token.saturating_record(ns),
            None => found.row.saturating_record(ns),
        }
        found.last = token.or(found.last);
        start = clock.raw();
    }
    found
}

/// Two readings of the clock with nothing between.
fn clock_cost(clock: &Clock) -> Histogram<u64> {
    let mut found = histogram();
    for _ in 0..100_000 {
        let start = clock.raw();
        found.saturating_record(clock.delta_as_nanos(start, clock.raw()));
    }
    found
}

fn print(name: &str, h: &Histogram<u64>) {
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|q| h.value_at_quantile(q));
    let (n, max) = (h.len(), h.max());
    println!("{name:<12} n {n:>8}  p50 {p50:>6}  p99 {p99:>6}  p99.9 {p999:>6}  max {max:>8} ns");
}

fn main() {
    // Cargo names the mode: without `--bench` this is a test.
    let measuring = std::env::args().any(|arg| arg == "--bench");
    let session = Session::synthetic(if measuring { 390 } else { 5 });
    let clock = Clock::new();
    measure(&session, &clock);
    let found = measure(&session, &clock);
    assert_eq!(found.row.len() + found.token.len(), session.rows as u64, "a figure a row");
    assert_eq!(found.token.len(), session.rows as u64 / u64::from(STRIDE));
    let expected =
        session.replay(&mut session.book(DepthKind::L3), &mut FeatureEngine::new(STRIDE));
    assert_eq!((found.token.len(), found.last), expected, "measuring changes nothing");
    if measuring {
        print("path.row", &found.row);
        print("path.token", &found.token);
        print("path.clock", &clock_cost(&clock));
    }
}
