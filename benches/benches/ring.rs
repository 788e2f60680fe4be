//! The single-producer ring between the threads, with market records of 64 bytes.
//!
//! - `ring.hop`: a record in and out again on one thread: the instructions, without moving a cache
//!   line between cores.
//! - `ring.round_trip`: a record to another thread and back over two rings, both threads spinning.
//!   Means something only where two cores are idle.

use criterion::{Criterion, criterion_group, criterion_main};
use ijk_core::{EventKind, InstrumentId, MarketEvent};
use rtrb::{Consumer, Producer, RingBuffer};
use std::hint::black_box;
use std::thread;

const SLOTS: usize = 1 << 14;
/// Row of the record that ends the echo.
const LAST_ROW: u64 = u64::MAX;

fn record(row: u64) -> MarketEvent {
    MarketEvent { row, ..MarketEvent::new(EventKind::Status, InstrumentId(0)) }
}

fn hop(c: &mut Criterion) {
    let (mut to, mut from) = RingBuffer::<MarketEvent>::new(SLOTS);
    let mut row = 0;
    c.bench_function("ring.hop", |b| {
        b.iter(|| {
            to.push(black_box(record(row))).expect("one record at a time");
            row += 1;
            from.pop().expect("what was pushed")
        })
    });
    for row in 0..SLOTS as u64 {
        to.push(record(row)).expect("as many as there are slots");
    }
    assert!(to.push(record(0)).is_err(), "a full ring refuses");
    for row in 0..SLOTS as u64 {
        assert_eq!(from.pop(), Ok(record(row)), "in order, nothing lost");
    }
    assert!(from.pop().is_err(), "an empty ring has nothing");
}

/// Spins for the next record; gives the core away where it is the only one.
fn wait(from: &mut Consumer<MarketEvent>) -> MarketEvent {
    let mut tries = 0u32;
    loop {
        if let Ok(event) = from.pop() {
            return event;
        }
        tries += 1;
        if tries.is_multiple_of(1 << 10) { thread::yield_now() } else { std::hint::spin_loop() }
    }
}

fn echo(mut from: Consumer<MarketEvent>, mut to: Producer<MarketEvent>) -> u64 {
    let mut count = 0;
    loop {
        let event = wait(&mut from);
        if event.row == LAST_ROW {
            return count;
        }
        count += 1;
        to.push(event).expect("one record at a time");
    }
}

fn round_trip(c: &mut Criterion) {
    let (mut there, echo_in) = RingBuffer::new(SLOTS);
    let (echo_out, mut back) = RingBuffer::new(SLOTS);
    let thread = thread::spawn(move || echo(echo_in, echo_out));
    let mut row = 0;
    c.bench_function("ring.round_trip", |b| {
        b.iter(|| {
            there.push(record(row)).expect("one record at a time");
            let answer = wait(&mut back);
            assert_eq!(answer.row, row);
            row += 1;
        })
    });
    there.push(record(LAST_ROW)).expect("the ring is empty");
    assert_eq!(thread.join().expect("the echo does not panic"), row);
}

criterion_group!(benches, hop, round_trip);
criterion_main!(benches);
