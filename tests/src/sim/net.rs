//! The wire between kernel and broker: bytes with a latency in each direction, connections that
//! break, stall, go half open, and come back.

use super::auditor::{Tap, What};
use super::broker::{Broker, MS, Out};
use super::faults::{Chaos, Fault};
use super::scene::Shared;
use ijk_core::RecvTs;
use ijk_venue::link::{Read, Transport};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

enum Parcel {
    Opened,
    Bytes(u64, Vec<u8>),
    Closed,
}

/// Both directions of the wire.
pub struct Net {
    scene: Shared,
    /// Faults of the network.
    pub chaos: Chaos,
    connection: u64,
    /// The broker's end stands.
    broker_open: bool,
    /// The client's end stands, as far as the client knows.
    client_open: bool,
    /// Nothing passes, and nobody is told.
    half_open: bool,
    to_client: VecDeque<(u64, Parcel)>,
    to_broker: VecDeque<(u64, Parcel)>,
    stalled_until: u64,
    connect_at: Option<u64>,
    /// There is a process at the client's end.
    listening: bool,
}

/// The wire as the kernel's process holds it.
pub struct Wire(pub Rc<RefCell<Net>>);

impl Net {
    /// Returns a wire nobody is connected to.
    pub fn new(scene: &Shared, chaos: Chaos) -> Rc<RefCell<Net>> {
        Rc::new(RefCell::new(Net {
            scene: Rc::clone(scene),
            chaos,
            connection: 0,
            broker_open: false,
            client_open: false,
            half_open: false,
            to_client: VecDeque::new(),
            to_broker: VecDeque::new(),
            stalled_until: 0,
            connect_at: None,
            listening: false,
        }))
    }

    /// Returns when something next happens on the wire.
    pub fn next_due(&self) -> u64 {
        let front = |q: &VecDeque<(u64, Parcel)>| q.front().map_or(u64::MAX, |p| p.0);
        let connect = self.connect_at.unwrap_or(u64::MAX);
        let heard = if self.listening { front(&self.to_client) } else { u64::MAX };
        heard.min(front(&self.to_broker)).min(connect)
    }

    /// A process starts: it will connect soon.
    pub fn process_started(&mut self, now: u64) {
        self.to_client.clear();
        self.client_open = false;
        self.listening = true;
        self.connect_at = Some(now + self.chaos.rng.range(MS, 50 * MS));
    }

    /// The process is gone. What it had written may still arrive.
    pub fn process_died(&mut self, now: u64) {
        self.to_client.clear();
        self.client_open = false;
        self.listening = false;
        self.connect_at = None;
        if self.chaos.rng.chance(500_000) {
            let keep = self.chaos.rng.below(self.to_broker.len() as u64 + 1) as usize;
            self.to_broker.truncate(keep);
        }
        let due = self.due(now, true);
        self.to_broker.push_back((due, Parcel::Closed));
    }

    /// Breaks the connection: whatever is under way is gone.
    pub fn cut(&mut self, now: u64, broker: &mut Broker) {
        self.to_client.clear();
        self.to_broker.clear();
        if self.broker_open {
            self.broker_open = false;
            broker.on_disconnect(now);
        }
        if self.client_open {
            self.to_client.push_back((now + MS, Parcel::Closed));
        } else if self.connect_at.is_none() {
            self.connect_at = Some(now + 20 * MS);
        }
        self.half_open = false;
    }

    /// From now on nothing passes, in either direction, until an end gives up.
    pub fn go_half_open(&mut self) {
        self.half_open = self.broker_open;
        if self.half_open {
            self.to_client.clear();
            self.to_broker.clear();
        }
    }

    /// Nothing passes until `until`, then everything.
    pub fn stall(&mut self, until: u64) {
        self.stalled_until = until;
        for queue in [&mut self.to_client, &mut self.to_broker] {
            queue.iter_mut().for_each(|p| p.0 = p.0.max(until));
        }
    }

    /// Returns whether both ends stand.
    pub fn is_connected(&self) -> bool {
        self.broker_open && self.client_open
    }

    /// Carries to the broker what is due, opens connections, takes what the broker says.
    pub fn carry(&mut self, now: u64, broker: &mut Broker) {
        if self.connect_at.is_some_and(|t| t <= now) {
            self.connect_at = None;
            self.connect(now, broker);
        }
        while self.to_broker.front().is_some_and(|p| p.0 <= now) {
            match self.to_broker.pop_front() {
                Some((_, Parcel::Bytes(connection, bytes)))
                    if connection == self.connection && self.broker_open =>
                {
                    self.scene.borrow_mut().see(&What::Wire {
                        tap: Tap::Broker,
                        up: true,
                        connection,
                        bytes: bytes.clone(),
                    });
                    broker.on_bytes(now, &bytes);
                }
                Some((_, Parcel::Closed)) if self.broker_open && !self.client_open => {
                    self.broker_open = false;
                    self.half_open = false;
                    broker.on_disconnect(now);
                }
                _ => {}
            }
        }
        for out in broker.advance(now) {
            match out {
                Out::Bytes(bytes) => self.send_down(now, bytes),
                Out::Close => {
                    if std::mem::take(&mut self.broker_open) && !self.half_open {
                        let due = self.due(now, false);
                        self.to_client.push_back((due, Parcel::Closed));
                    }
                }
            }
        }
    }

    fn connect(&mut self, now: u64, broker: &mut Broker) {
        if self.broker_open {
            // The old connection's end has not been noticed there yet.
            self.broker_open = false;
            broker.on_disconnect(now);
        }
        self.half_open = false;
        self.to_broker.clear();
        if !broker.on_connect(now) {
            self.connect_at = Some(now + self.chaos.rng.range(50 * MS, 500 * MS));
            return;
        }
        self.connection += 1;
        self.broker_open = true;
        self.to_client.push_back((now + MS, Parcel::Opened));
    }

    fn send_down(&mut self, now: u64, bytes: Vec<u8>) {
        if !self.broker_open || self.half_open {
            return;
        }
        let (tap, up, connection) = (Tap::Broker, false, self.connection);
        self.scene.borrow_mut().see(&What::Wire { tap, up, connection, bytes: bytes.clone() });
        let due = self.due(now, false);
        self.to_client.push_back((due, Parcel::Bytes(connection, bytes)));
    }

    /// Returns when what leaves now arrives: in order, after a latency.
    fn due(&mut self, now: u64, up: bool) -> u64 {
        let last = if up { self.to_broker.back() } else { self.to_client.back() };
        let last = last.map_or(0, |p| p.0);
        (now + self.chaos.rng.range(MS / 5, 3 * MS)).max(last).max(self.stalled_until)
    }
}

impl Transport for Wire {
    fn try_read(&mut self, _now: RecvTs, buf: &mut [u8]) -> Read {
        let net = &mut *self.0.borrow_mut();
        let now = net.scene.borrow().now;
        if net.to_client.front().is_none_or(|p| p.0 > now) {
            return Read::Empty;
        }
        match net.to_client.pop_front() {
            None => Read::Empty,
            Some((_, Parcel::Opened)) => {
                net.client_open = true;
                Read::Opened
            }
            Some((_, Parcel::Closed)) => {
                net.client_open = false;
                net.connect_at = Some(now + net.chaos.rng.range(20 * MS, 500 * MS));
                Read::Closed
            }
            Some((due, Parcel::Bytes(connection, mut bytes))) => {
                let mut n = bytes.len().min(buf.len());
                if n > 1 && net.chaos.strikes(Fault::NetSplit) {
                    n = net.chaos.rng.range(1, n as u64 - 1) as usize;
                }
                buf[..n].copy_from_slice(&bytes[..n]);
                let rest = bytes.split_off(n);
                if !rest.is_empty() {
                    net.to_client.push_front((due, Parcel::Bytes(connection, rest)));
                }
                let what = What::Wire { tap: Tap::Client, up: false, connection, bytes };
                net.scene.borrow_mut().see(&what);
                Read::Bytes(n)
            }
        }
    }

    fn write(&mut self, _now: RecvTs, bytes: &[u8]) -> usize {
        let net = &mut *self.0.borrow_mut();
        if !net.client_open {
            return 0;
        }
        let now = net.scene.borrow().now;
        let mut n = bytes.len();
        if n > 1 && net.chaos.strikes(Fault::NetSplit) {
            n = net.chaos.rng.range(1, n as u64 - 1) as usize;
        }
        let (connection, bytes) = (net.connection, bytes[..n].to_vec());
        let what = What::Wire { tap: Tap::Client, up: true, connection, bytes: bytes.clone() };
        net.scene.borrow_mut().see(&what);
        if net.broker_open && !net.half_open {
            let due = net.due(now, true);
            net.to_broker.push_back((due, Parcel::Bytes(connection, bytes)));
        }
        n
    }

    fn close(&mut self, _now: RecvTs) {
        let net = &mut *self.0.borrow_mut();
        let now = net.scene.borrow().now;
        net.client_open = false;
        net.to_client.clear();
        net.to_client.push_back((now, Parcel::Closed));
        let due = net.due(now, true);
        net.to_broker.push_back((due, Parcel::Closed));
    }

    fn clock_ns(&self, _now: RecvTs) -> u64 {
        // Heartbeats run on a clock that nobody sets.
        let scene = Rc::clone(&self.0.borrow().scene);
        let scene = scene.borrow();
        scene.now
    }
}
