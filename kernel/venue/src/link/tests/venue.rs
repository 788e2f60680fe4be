//! The venue over a pipe that the test holds the other end of.

use super::{BEAT, fill, frames, instruments, order, pong, settings, welcome};
use crate::link::{LinkVenue, Read, Transport};
use crate::{Venue, VenueMessage};
use ijk_core::config::RiskConfig;
use ijk_core::record::Level;
use ijk_core::{LinkKind, NewOrder, Px, Qty, RecvTs, ReportKind};
use ijk_risk::{Approved, Gate, Quote};
use std::collections::VecDeque;

/// One end of a wire: the test puts in what the venue does, and looks at what we sent.
#[derive(Default)]
struct Pipe {
    incoming: VecDeque<Step>,
    sent: Vec<u8>,
    open: bool,
    closes: u32,
    room: usize,
}

enum Step {
    Open,
    Bytes(Vec<u8>),
    Close,
}

impl Transport for Pipe {
    fn try_read(&mut self, _now: RecvTs, buf: &mut [u8]) -> Read {
        match self.incoming.pop_front() {
            None => Read::Empty,
            Some(Step::Open) => {
                self.open = true;
                Read::Opened
            }
            Some(Step::Close) => {
                self.open = false;
                Read::Closed
            }
            Some(Step::Bytes(mut bytes)) => {
                let n = bytes.len().min(buf.len());
                buf[..n].copy_from_slice(&bytes[..n]);
                bytes.drain(..n);
                if !bytes.is_empty() {
                    self.incoming.push_front(Step::Bytes(bytes));
                }
                Read::Bytes(n)
            }
        }
    }

    fn write(&mut self, _now: RecvTs, bytes: &[u8]) -> usize {
        let n = if self.open { bytes.len().min(self.room) } else { 0 };
        self.room -= n;
        self.sent.extend(&bytes[..n]);
        n
    }

    fn close(&mut self, _now: RecvTs) {
        self.closes += 1;
        self.open = false;
        self.incoming.clear();
        self.incoming.push_back(Step::Close);
    }
}

fn approve(order: NewOrder) -> Approved<NewOrder> {
    let config = RiskConfig::simulation();
    let mut gate = Gate::new(&config, &instruments()).unwrap();
    let level = |px| Level { px: Px(px), qty: Qty(100) };
    let quote = Quote {
        bid: level(9_990_000_000),
        ask: level(10_000_000_000),
        ts: RecvTs(1),
        trusted: true,
    };
    gate.check(RecvTs(1), order, &quote).expect("a small order near the market")
}

fn venue() -> LinkVenue<Pipe> {
    let pipe = Pipe { room: usize::MAX, ..Pipe::default() };
    LinkVenue::new(pipe, settings(), &instruments())
}

fn connect(v: &mut LinkVenue<Pipe>, now: u64) {
    v.transport_mut().incoming.extend([Step::Open, Step::Bytes(welcome(1, 5))]);
    let told = v.poll(RecvTs(now));
    assert!(matches!(told, Some((t, VenueMessage::Link(l)))
        if l.kind == LinkKind::Up && t.0 == now));
}

#[test]
fn orders_leave_when_up_and_come_back_absent_when_down() {
    let mut v = venue();
    assert!(v.outlives_process());
    v.submit(RecvTs(5), approve(order(1)));
    assert_eq!(v.next_due(), Some(RecvTs(0)), "a refusal waits");
    let Some((t, VenueMessage::Report(r))) = v.poll(RecvTs(6)) else { panic!("a report") };
    assert_eq!((t.0, r.kind, r.client_order_id.0), (6, ReportKind::Absent, 1));
    assert_eq!((r.qty.0, r.leaves.0, r.instrument.0), (0, 0, 1));
    assert_eq!(v.poll(RecvTs(6)), None);
    connect(&mut v, 7);
    v.transport_mut().sent.clear();
    v.submit(RecvTs(8), approve(order(2)));
    let sent = frames(&v.transport().sent);
    assert_eq!(sent.len(), 1, "only the order of this connection: {sent:?}");
    assert_eq!((sent[0].0, sent[0].1[0]), (3, 2));
    assert_eq!(v.poll(RecvTs(8)), None);
}

#[test]
fn messages_carry_the_time_they_were_taken_and_all_come() {
    let mut v = venue();
    connect(&mut v, 1);
    let many: Vec<u8> = (1..=500).flat_map(|n| fill(n, n)).collect();
    v.transport_mut().incoming.extend([Step::Bytes(many), Step::Close]);
    for n in 1..=500 {
        let Some((t, VenueMessage::Report(r))) = v.poll(RecvTs(10 + n)) else { panic!("{n}") };
        assert_eq!((t.0, r.exec_id.0), (10 + n, n));
    }
    assert!(matches!(v.poll(RecvTs(999)), Some((_, VenueMessage::Link(l)))
        if l.kind == LinkKind::Down));
    assert_eq!(v.poll(RecvTs(999)), None);
    assert_eq!(v.next_due(), None, "nothing happens by itself without a connection");
}

#[test]
fn bad_bytes_and_silence_close_the_connection_once() {
    let mut v = venue();
    connect(&mut v, 1);
    v.transport_mut().incoming.push_back(Step::Bytes(vec![0xff; 8]));
    assert!(matches!(v.poll(RecvTs(2)), Some((_, VenueMessage::Link(l)))
        if l.kind == LinkKind::Down));
    v.advance(RecvTs(3));
    assert_eq!((v.transport().closes, v.is_up()), (1, false));
    connect(&mut v, 4);
    for beat in 1..=3 {
        assert_eq!(v.next_due(), Some(RecvTs(4 + beat * BEAT)));
        v.advance(RecvTs(4 + beat * BEAT));
    }
    assert_eq!((v.transport().closes, v.is_up()), (2, false));
    while v.poll(RecvTs(4 + 3 * BEAT)).is_some() {}
    connect(&mut v, 5 * BEAT);
    v.advance(RecvTs(6 * BEAT));
    v.transport_mut().incoming.push_back(Step::Bytes(pong(1)));
    v.advance(RecvTs(7 * BEAT));
    v.advance(RecvTs(8 * BEAT));
    assert!(v.is_up());
}

#[test]
fn a_slow_transport_gets_every_byte_in_the_end() {
    let mut v = venue();
    connect(&mut v, 1);
    v.transport_mut().sent.clear();
    v.transport_mut().room = 50;
    v.submit(RecvTs(2), approve(order(1)));
    v.submit(RecvTs(2), approve(order(2)));
    assert_eq!(v.transport().sent.len(), 50);
    v.transport_mut().room = 1_000;
    v.advance(RecvTs(3));
    let sent = frames(&v.transport().sent);
    assert_eq!(sent.iter().map(|f| f.1[0]).collect::<Vec<_>>(), [1, 2]);
}
