//! Kernel thread, receiving thread and sending thread around a socket. Byte `10 * c + i` belongs
//! to connection `c`, from 1.

use crate::net::{self, Net, Script};
use crate::product::link::{Read, Transport};
use crate::product::socket::{LinkAddress, SocketOptions, SocketTransport};
use crate::world::thread::yield_now;
use ijk_core::RecvTs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const NOW: RecvTs = RecvTs(0);
const BYTES: [&[u8]; 4] = [&[10, 11], &[20, 21], &[30, 31], &[40, 41]];

fn start(script: &[Script]) -> (Arc<Net>, SocketTransport) {
    let net = net::insert(script);
    let options =
        SocketOptions { backoff_min: Duration::ZERO, backoff_max: Duration::ZERO, ring_bytes: 2 };
    let address = LinkAddress::Unix(PathBuf::new());
    let transport = SocketTransport::start(address, options).unwrap();
    (net, transport)
}

/// What the kernel thread has seen.
#[derive(Default)]
struct Seen {
    connection: u8,
    open: bool,
    bytes: usize,
}

impl Seen {
    /// Reads once; whatever comes belongs to the open connection.
    fn read(&mut self, t: &mut SocketTransport) -> Read {
        let mut buf = [0; 2];
        let read = t.try_read(NOW, &mut buf);
        match read {
            Read::Empty => yield_now(),
            Read::Opened => {
                assert!(!self.open, "an opening follows a close");
                *self = Seen { connection: self.connection + 1, open: true, bytes: 0 };
            }
            Read::Bytes(n) => {
                assert!(self.open, "bytes come from an open connection");
                for byte in &buf[..n] {
                    assert_eq!(*byte, 10 * self.connection + self.bytes as u8, "in order, once");
                    self.bytes += 1;
                }
            }
            Read::Closed => {
                assert!(self.open, "a close follows an opening");
                self.open = false;
                assert_eq!(t.write(NOW, b"x"), 0, "nothing is taken between connections");
            }
        }
        read
    }
}

fn check_got(net: &Net) {
    for (i, got) in net.got().iter().enumerate() {
        let ours = got.iter().all(|b| usize::from(*b) == i + 1);
        assert!(ours, "connection {} got {got:?}", i + 1);
    }
}

/// The venue breaks `breaks` connections while the kernel thread writes and reads; the last one
/// stays.
pub fn venue_breaks(breaks: u64) {
    let breaks = breaks as usize;
    let script: Vec<Script> = (0..=breaks)
        .map(|c| Script {
            deliver: &BYTES[c][..1 + usize::from(c < breaks && breaks > 1)],
            breaks: c < breaks,
        })
        .collect();
    let (net, mut t) = start(&script);
    let mut seen = Seen::default();
    let mut sent = 0;
    while usize::from(seen.connection) <= breaks || seen.bytes == 0 || sent == 0 {
        match seen.read(&mut t) {
            Read::Opened => sent = 0,
            Read::Closed => {
                let delivered = script[usize::from(seen.connection) - 1].deliver.len();
                assert_eq!(seen.bytes, delivered, "all it delivered was read before");
            }
            Read::Empty | Read::Bytes(_) => {}
        }
        if seen.open && sent < 2 {
            sent += t.write(NOW, &[seen.connection]);
        }
    }
    drop(t);
    check_got(&net);
    assert_eq!(net.got()[breaks].len(), sent, "what was taken on the last one has left");
}

/// The kernel thread gives `times` connections up and goes on with the next.
pub fn given_up(times: u64) {
    let times = times as usize;
    let script: Vec<Script> =
        (0..=times).map(|c| Script { deliver: &BYTES[c][..1], breaks: false }).collect();
    let (net, mut t) = start(&script);
    let mut seen = Seen::default();
    let mut closing = false;
    while usize::from(seen.connection) <= times || seen.bytes == 0 {
        let read = seen.read(&mut t);
        assert!(!closing || !matches!(read, Read::Bytes(_)), "the close is the next thing read");
        closing &= read != Read::Closed;
        if read == Read::Opened && usize::from(seen.connection) <= times {
            let _ = t.write(NOW, &[seen.connection]);
            t.close(NOW);
            closing = true;
            assert_eq!(t.write(NOW, b"x"), 0, "nothing is taken after giving up");
        }
    }
    drop(t);
    check_got(&net);
}

/// Bytes written before the transport is dropped reach the venue.
pub fn last_bytes(count: u64) {
    let (net, mut t) = start(&[Script { deliver: &[], breaks: false }]);
    let mut seen = Seen::default();
    while !seen.open {
        seen.read(&mut t);
    }
    let mut sent = 0;
    while sent < count as usize {
        sent += t.write(NOW, &[1]);
        yield_now();
    }
    drop(t);
    assert_eq!(net.got(), [vec![1; sent]]);
}
