//! The state machine: greeting, heartbeats, breaks, and what is never sent twice.

use super::{BEAT, fill, frame, frames, instruments, order, pong, settings, welcome};
use crate::VenueMessage;
use crate::link::{LinkClient, LinkError, Refusal};
use ijk_core::{CancelOrder, ClientOrderId, InstrumentId, LinkKind, SnapshotRequest};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn client() -> LinkClient {
    LinkClient::new(settings(), &instruments())
}

fn up() -> LinkClient {
    let mut c = client();
    c.on_connected(0);
    sent(&mut c);
    c.on_bytes(0, &welcome(1, 5));
    assert_eq!(links(&mut c), [LinkKind::Up]);
    c
}

/// What the client wants to send now, and how long each frame's payload is.
fn sent(c: &mut LinkClient) -> Vec<(u8, Vec<u8>)> {
    let mut buf = [0; 8_192];
    let n = c.poll_transmit(&mut buf);
    assert!(c.pending().is_empty());
    frames(&buf[..n])
}

fn links(c: &mut LinkClient) -> Vec<LinkKind> {
    std::iter::from_fn(|| c.poll_message())
        .filter_map(|m| if let VenueMessage::Link(l) = m { Some(l.kind) } else { None })
        .collect()
}

#[test]
fn it_greets_is_welcomed_and_says_what_the_venue_said() {
    let mut c = client();
    assert_eq!((c.is_up(), c.next_deadline()), (false, None));
    c.on_connected(10);
    let greeting = sent(&mut c);
    assert_eq!(greeting.iter().map(|f| f.0).collect::<Vec<_>>(), [1, 2, 2]);
    assert_eq!(greeting[0].1.len(), 40);
    assert_eq!(greeting[2].1[..11], *b"\x01\0\0\0\0\0\0\0BBB");
    assert_eq!(c.poll_message(), None, "a connection is no link");
    c.on_bytes(20, &welcome(1, 5)[..9]);
    c.on_bytes(21, &welcome(1, 5)[9..]);
    assert_eq!(links(&mut c), [LinkKind::Up]);
    assert!(c.is_up());
    assert_eq!(c.welcome().map(|w| (w.venue_time_ns, w.highest_client_order_id)), Some((99, 5)));
    assert_eq!(c.next_deadline(), Some(21 + BEAT));
}

#[test]
fn a_venue_that_misbehaves_while_greeting_is_left() {
    let wrong: [(Vec<u8>, &str); 5] = [
        (welcome(2, 0), "protocol"),
        (frame(69, &[5, 0, 0, 0, 0, 0, 0, 0]), "later boot epoch"),
        (fill(1, 1), "before WELCOME"),
        (vec![9; 8], "length"),
        ([welcome(1, 0), welcome(1, 0)].concat(), "second WELCOME"),
    ];
    for (bytes, text) in wrong {
        let mut c = client();
        c.on_connected(0);
        c.on_bytes(0, &bytes);
        assert!(c.wants_close() && !c.is_up());
        assert_eq!(c.next_deadline(), None);
        let error = c.last_error().unwrap().to_string();
        assert!(error.contains(text), "{error}");
        c.on_bytes(0, &welcome(1, 0));
        assert!(!c.is_up(), "what follows is ignored");
        c.on_connected(1);
        c.on_bytes(1, &welcome(1, 0));
        assert!(c.is_up() && !c.wants_close(), "a new connection begins anew");
    }
    let mut c = client();
    c.on_connected(0);
    c.on_deadline(3 * BEAT - 1);
    assert!(!c.wants_close());
    c.on_deadline(3 * BEAT);
    assert_eq!((c.wants_close(), c.last_error()), (true, Some(LinkError::NoWelcome)));
}

#[test]
fn two_pings_without_an_answer_end_the_link_and_any_frame_is_a_sign_of_life() {
    let mut c = up();
    c.on_deadline(BEAT - 1);
    assert!(sent(&mut c).is_empty());
    for beat in 1..=6 {
        c.on_deadline(beat * BEAT);
        assert_eq!(sent(&mut c), [(6, beat.to_le_bytes().to_vec())]);
        match beat {
            1 | 3 => c.on_bytes(beat * BEAT, &pong(beat)),
            4 => c.on_bytes(beat * BEAT, &fill(1, 1)),
            _ => {}
        }
    }
    assert!(c.is_up(), "silent for two beats");
    c.on_deadline(7 * BEAT);
    assert_eq!((c.is_up(), c.last_error()), (false, Some(LinkError::Silent)));
    assert_eq!(links(&mut c), [LinkKind::Down]);
    let mut c = up();
    c.on_bytes(1, &pong(1));
    assert!(c.last_error().unwrap().to_string().contains("never sent"));
}

#[test]
fn what_arrived_before_a_break_is_told_before_it() {
    let mut c = up();
    c.on_bytes(1, &[fill(1, 1), fill(2, 2), vec![0xff; 30], fill(3, 3)].concat());
    let told: Vec<_> = std::iter::from_fn(|| c.poll_message()).collect();
    assert_eq!(told.len(), 3);
    assert!(matches!(told[1], VenueMessage::Report(r) if r.exec_id.0 == 2));
    assert!(matches!(told[2], VenueMessage::Link(l) if l.kind == LinkKind::Down));
    c.on_closed(2);
    assert_eq!(c.poll_message(), None, "a break is told once");
}

#[test]
fn while_down_a_new_order_is_refused_and_cancels_are_dropped() {
    let mut c = client();
    let cancel = CancelOrder {
        client_order_id: ClientOrderId(1),
        instrument: InstrumentId(0),
        reserved: [0; 6],
    };
    assert_eq!(c.new_order(&order(1)), Err(Refusal::Down));
    c.on_connected(0);
    sent(&mut c);
    assert_eq!(c.new_order(&order(1)), Err(Refusal::Down), "greeting is not up");
    c.cancel(&cancel);
    c.request_snapshot(&SnapshotRequest { request_id: 1 });
    assert!(c.pending().is_empty());
    let mut c = up();
    assert_eq!(c.new_order(&order(1)), Ok(()));
    c.cancel(&cancel);
    c.request_snapshot(&SnapshotRequest { request_id: 1 });
    assert_eq!(
        sent(&mut c).iter().map(|f| (f.0, f.1.len())).collect::<Vec<_>>(),
        [(3, 40), (4, 16), (5, 8)]
    );
}

#[test]
fn a_full_buffer_refuses_orders_and_keeps_room_for_cancels() {
    let mut c = up();
    let mut taken = 0;
    while c.new_order(&order(taken + 1)).is_ok() {
        taken += 1;
    }
    assert!(taken > 500, "{taken}");
    assert_eq!(c.new_order(&order(9)), Err(Refusal::Slow));
    let cancel = CancelOrder {
        client_order_id: ClientOrderId(1),
        instrument: InstrumentId(0),
        reserved: [0; 6],
    };
    for _ in 0..256 {
        c.cancel(&cancel);
    }
    assert!(c.is_up(), "every open order's cancel fits");
    while c.is_up() {
        c.cancel(&cancel);
    }
    assert_eq!(c.last_error(), Some(LinkError::Stuck));
    assert!(c.pending().is_empty(), "what waited is forgotten, not kept for later");
}

proptest! {
    /// Whatever happens to the connection, an order's bytes leave at most once, whole or cut
    /// off by a break, and a refused one never.
    #[test]
    fn no_order_leaves_twice(steps in prop::collection::vec((0u8..8, 1usize..120), 1..300)) {
        let mut c = client();
        let mut wire: Vec<Vec<u8>> = Vec::new();
        let mut taken = BTreeMap::new();
        let (mut now, mut id) = (0u64, 0u64);
        for (what, n) in steps {
            now += 1;
            match what {
                0 => { c.on_connected(now); wire.push(Vec::new()); }
                1 => c.on_closed(now),
                2 => c.on_bytes(now, &welcome(1, 0)),
                3 => c.on_bytes(now, &[0xff; 8]),
                4 => { now += BEAT; c.on_deadline(now); }
                5 | 6 => { id += 1; taken.insert(id, c.new_order(&order(id)).is_ok()); }
                _ => {
                    let mut buf = vec![0; n];
                    let n = c.poll_transmit(&mut buf);
                    if n > 0 {
                        wire.last_mut().expect("bytes need a connection").extend(&buf[..n]);
                    }
                }
            }
        }
        let mut left = BTreeMap::new();
        for stream in &wire {
            // A break cuts the last frame off.
            let mut rest = &stream[..];
            while rest.len() >= 8 {
                let length = 4 + u32::from_le_bytes(rest[..4].try_into().unwrap()) as usize;
                if rest.len() < length {
                    break;
                }
                if rest[4] == 3 {
                    let id = u64::from_le_bytes(rest[8..16].try_into().unwrap());
                    *left.entry(id).or_insert(0) += 1;
                }
                rest = &rest[length..];
            }
        }
        for (id, count) in left {
            prop_assert_eq!(count, 1);
            prop_assert!(taken[&id], "a refused order left");
        }
    }
}
