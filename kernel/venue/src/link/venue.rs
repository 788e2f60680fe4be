//! A [`Venue`] at the other end of a [`Transport`].

use super::client::{LinkClient, LinkError, LinkSettings};
use super::codec::Welcome;
use super::transport::{Read, Transport};
use crate::{Venue, VenueMessage};
use ijk_core::{
    CancelOrder, ExchTs, Heartbeat, Instrument, MarketEvent, NewOrder, RecvTs, SnapshotRequest,
};
use ijk_risk::Approved;

/// Bytes of one read: what comes out of them fits the client's queue.
const READ_BYTES: usize = 4_096;

/// A venue outside this process. Orders there outlive it.
///
/// Nothing tells when an outside venue speaks: call [`Venue::poll`] or [`Venue::advance`] again
/// and again, at least some times per heartbeat. A new order while the link is down is refused by
/// an [`ijk_core::ReportKind::Absent`] report; cancels and snapshot requests are dropped then.
/// After start nothing is allocated.
#[derive(Debug)]
pub struct LinkVenue<T: Transport> {
    transport: T,
    client: LinkClient,
    now: RecvTs,
    buf: Box<[u8; READ_BYTES]>,
}

impl<T: Transport> LinkVenue<T> {
    /// Returns a venue whose link is down until the transport opens a connection.
    pub fn new(transport: T, settings: LinkSettings, instruments: &[Instrument]) -> LinkVenue<T> {
        let client = LinkClient::new(settings, instruments);
        LinkVenue { transport, client, now: RecvTs(0), buf: Box::new([0; READ_BYTES]) }
    }

    /// Returns whether the link stands.
    pub fn is_up(&self) -> bool {
        self.client.is_up()
    }

    /// Returns what the venue said at its last welcome: its clock, the highest order id it saw.
    pub fn welcome(&self) -> Option<Welcome> {
        self.client.welcome()
    }

    /// Returns why the link last went down.
    pub fn last_error(&self) -> Option<LinkError> {
        self.client.last_error()
    }

    /// Returns the transport.
    pub fn transport(&self) -> &T {
        &self.transport
    }

    /// Returns the transport, for a simulation that shakes it.
    pub fn transport_mut(&mut self) -> &mut T {
        &mut self.transport
    }

    /// Moves bytes both ways. Reads only while no message waits: what the kernel has not taken
    /// stays with the transport, and nothing is ever dropped.
    fn pump(&mut self, now: RecvTs) {
        self.now = self.now.max(now);
        while !self.client.has_message() {
            let clock_ns = self.transport.clock_ns(now);
            match self.transport.try_read(now, &mut self.buf[..]) {
                Read::Empty => break,
                Read::Opened => self.client.on_connected(clock_ns),
                Read::Closed => self.client.on_closed(clock_ns),
                Read::Bytes(n) => self.client.on_bytes(clock_ns, &self.buf[..n]),
            }
            self.close_if_wanted(now);
        }
        // Only now is silence silence: everything that had arrived was read.
        if !self.client.has_message() {
            self.client.on_deadline(self.transport.clock_ns(now));
        }
        self.flush(now);
    }

    fn flush(&mut self, now: RecvTs) {
        self.close_if_wanted(now);
        while !self.client.pending().is_empty() {
            let n = self.transport.write(now, self.client.pending());
            if n == 0 {
                return;
            }
            self.client.sent(n);
        }
    }

    fn close_if_wanted(&mut self, now: RecvTs) {
        if self.client.wants_close() {
            self.transport.close(now);
            self.client.on_closed(self.transport.clock_ns(now));
        }
    }
}

impl<T: Transport> Venue for LinkVenue<T> {
    fn outlives_process(&self) -> bool {
        true
    }

    fn heartbeat(&self) -> Option<Heartbeat> {
        self.transport.heartbeat()
    }

    fn on_market(&mut self, _ev: &MarketEvent) {}

    fn submit(&mut self, now: RecvTs, order: Approved<NewOrder>) {
        let order = order.get();
        if self.client.new_order(order).is_err() {
            self.client.withdraw(ExchTs(now.0), order);
        }
        self.flush(now);
    }

    fn cancel(&mut self, now: RecvTs, cancel: CancelOrder) {
        self.client.cancel(&cancel);
        self.flush(now);
    }

    fn request_snapshot(&mut self, now: RecvTs, request: SnapshotRequest) {
        self.client.request_snapshot(&request);
        self.flush(now);
    }

    fn advance(&mut self, to: RecvTs) {
        self.pump(to);
    }

    fn next_due(&self) -> Option<RecvTs> {
        if self.client.has_message() {
            return Some(self.now);
        }
        self.transport.next_due(self.client.next_deadline())
    }

    fn poll(&mut self, now: RecvTs) -> Option<(RecvTs, VenueMessage)> {
        if !self.client.has_message() {
            self.pump(now);
        }
        self.client.poll_message().map(|message| (now, message))
    }

    fn finish(&mut self, _now: RecvTs) {}
}
