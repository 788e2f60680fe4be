//! The protocol's state machine, bytes and times in, bytes and messages out.

use super::RefusedCode;
use super::codec::{self, CodecError, Decoder, Frame, Hello, Welcome};
use crate::VenueMessage;
use ijk_core::limits::{INSTRUMENT_COUNT_MAX, OPEN_ORDER_COUNT_MAX};
use ijk_core::{
    CancelOrder, ClientOrderId, ExchTs, Instrument, LinkEvent, LinkKind, NewOrder, SnapshotRequest,
    Symbol, VenueReport,
};
use std::collections::VecDeque;

/// Bytes that may wait for a slow transport.
const TRANSMIT_BYTES_MAX: usize = 1 << 16;
/// Of these, what new orders leave free for cancels, snapshot requests and pings.
const RESERVE_BYTES: usize = 1 << 14;
/// Messages before the queue has to grow: what one read of the transport holds, and a refusal of
/// every order that can be open.
const MESSAGE_COUNT_TYPICAL: usize = 4 * OPEN_ORDER_COUNT_MAX;
/// Pings without an answer that end a link.
const MISSED_MAX: u32 = 2;

/// What a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkSettings {
    /// Number of this client at the venue.
    pub client_number: u32,
    /// Number of this start of the kernel; the high bits of every order id.
    pub boot_epoch: u32,
    /// The account, ASCII, padded with zeros.
    pub account: [u8; 16],
    /// Time between two pings, nanoseconds of the link's clock, positive.
    pub heartbeat_ns: u64,
}

/// Why a link went down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The venue sent what is no frame.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The venue sent a frame that does not belong there.
    #[error("link byte {offset}: {what}")]
    OutOfPlace {
        /// Where the next frame would begin.
        offset: u64,
        /// What came.
        what: &'static str,
    },
    /// The venue did not take us.
    #[error("refused with code {0}: {text}", text = RefusedCode::meaning(*.0))]
    Refused(u16),
    /// No WELCOME came in time.
    #[error("no welcome within three heartbeats")]
    NoWelcome,
    /// The venue left two pings without an answer.
    #[error("the venue is silent: two pings without an answer")]
    Silent,
    /// The transport does not take our bytes.
    #[error("the transport is stuck: {TRANSMIT_BYTES_MAX} bytes wait to be sent")]
    Stuck,
    /// The transport closed the connection.
    #[error("the connection was closed")]
    Closed,
}

/// Why a new order was not taken. It did not leave and never will.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no link.
    #[error("the link is down")]
    Down,
    /// Too many bytes wait for the transport.
    #[error("the link is slow: its buffer is full")]
    Slow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No connection, or one that is being given up.
    Down,
    /// HELLO is sent.
    Greeting,
    /// Welcomed.
    Up,
}

/// The client's end of a link. Times are nanoseconds of one clock of the caller's choice that
/// never runs backwards.
#[derive(Debug)]
pub struct LinkClient {
    settings: LinkSettings,
    symbols: Vec<Symbol>,
    state: State,
    /// The connection must be closed by the caller.
    close_wanted: bool,
    decoder: Decoder,
    transmit: Box<[u8]>,
    transmit_len: usize,
    messages: VecDeque<VenueMessage>,
    welcome: Option<Welcome>,
    last_error: Option<LinkError>,
    deadline_ns: u64,
    ping_last: u64,
    missed: u32,
}

impl LinkClient {
    /// Returns a client without a connection. All memory is taken here.
    ///
    /// # Panics
    /// If there are no or more than [`INSTRUMENT_COUNT_MAX`] instruments or the heartbeat is
    /// zero: the caller's own invariants.
    pub fn new(settings: LinkSettings, instruments: &[Instrument]) -> LinkClient {
        assert!((1..=INSTRUMENT_COUNT_MAX).contains(&instruments.len()), "a session's table");
        assert!(settings.heartbeat_ns > 0, "a link without heartbeats never ends");
        LinkClient {
            settings,
            symbols: instruments.iter().map(|i| i.symbol).collect(),
            state: State::Down,
            close_wanted: false,
            decoder: Decoder::new(instruments.len() as u16),
            transmit: vec![0; TRANSMIT_BYTES_MAX].into_boxed_slice(),
            transmit_len: 0,
            messages: VecDeque::with_capacity(MESSAGE_COUNT_TYPICAL),
            welcome: None,
            last_error: None,
            deadline_ns: u64::MAX,
            ping_last: 0,
            missed: 0,
        }
    }

    /// Returns whether the venue has welcomed us and the link stands.
    pub fn is_up(&self) -> bool {
        self.state == State::Up
    }

    /// Returns whether the caller must close the connection: nothing more is read from it.
    pub fn wants_close(&self) -> bool {
        self.close_wanted
    }

    /// Returns what the venue said at its last welcome.
    pub fn welcome(&self) -> Option<Welcome> {
        self.welcome
    }

    /// Returns why the link last went down.
    pub fn last_error(&self) -> Option<LinkError> {
        self.last_error
    }

    /// A connection was opened: greets.
    pub fn on_connected(&mut self, now_ns: u64) {
        self.lose(LinkError::Closed);
        self.close_wanted = false;
        self.decoder.reset();
        self.state = State::Greeting;
        self.deadline_ns = now_ns.saturating_add(3 * self.settings.heartbeat_ns);
        let hello = Hello {
            client_number: self.settings.client_number,
            boot_epoch: u64::from(self.settings.boot_epoch),
            account: self.settings.account,
            instrument_count: self.symbols.len() as u16,
        };
        let mut at = codec::encode_hello(&mut self.transmit, &hello);
        for (id, symbol) in self.symbols.iter().enumerate() {
            at += codec::encode_instrument(&mut self.transmit[at..], id as u16, symbol);
        }
        self.transmit_len = at;
    }

    /// The connection is gone.
    pub fn on_closed(&mut self, _now_ns: u64) {
        self.lose(LinkError::Closed);
        self.close_wanted = false;
    }

    /// Bytes arrived. All are taken; a bad one ends the link, and what follows it on this
    /// connection is ignored. Hand in no more than a few KiB before [`LinkClient::poll_message`]
    /// has returned `None`, or the queue of messages grows.
    pub fn on_bytes(&mut self, now_ns: u64, mut bytes: &[u8]) {
        while self.state != State::Down {
            let taken = match self.decoder.next(&mut bytes) {
                Ok(Some(frame)) => self.take(now_ns, frame),
                Ok(None) => return,
                Err(e) => Err(LinkError::Codec(e)),
            };
            if let Err(error) = taken {
                self.give_up(error);
            }
        }
    }

    fn take(&mut self, now_ns: u64, frame: Frame) -> Result<(), LinkError> {
        let offset = self.decoder.offset();
        let out_of_place = |what| Err(LinkError::OutOfPlace { offset, what });
        match (self.state, frame) {
            (_, Frame::Refused(code)) => return Err(LinkError::Refused(code)),
            (State::Greeting, Frame::Welcome(welcome)) => {
                self.welcome = Some(welcome);
                self.state = State::Up;
                self.ping_last = 0;
                self.deadline_ns = now_ns.saturating_add(self.settings.heartbeat_ns);
                self.link(LinkKind::Up);
            }
            (State::Greeting, _) => return out_of_place("a frame before WELCOME"),
            (_, Frame::Welcome(_)) => return out_of_place("a second WELCOME"),
            (_, Frame::Report(r)) => self.messages.push_back(VenueMessage::Report(r)),
            (_, Frame::Snapshot(s)) => self.messages.push_back(VenueMessage::Snapshot(s)),
            (_, Frame::Pong(n)) if n == 0 || n > self.ping_last => {
                return out_of_place("a PONG for a ping that was never sent");
            }
            (_, Frame::Pong(_)) => {}
        }
        // Any whole frame is a sign of life: a long snapshot may stand before the answer.
        self.missed = 0;
        Ok(())
    }

    /// Returns the bytes to be sent, oldest first.
    pub fn pending(&self) -> &[u8] {
        &self.transmit[..self.transmit_len]
    }

    /// The first `n` bytes of [`LinkClient::pending`] went to the transport.
    ///
    /// # Panics
    /// If there were fewer.
    pub fn sent(&mut self, n: usize) {
        assert!(n <= self.transmit_len, "no more is sent than there was");
        self.transmit.copy_within(n..self.transmit_len, 0);
        self.transmit_len -= n;
    }

    /// Moves bytes to be sent into `buf`; returns how many.
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> usize {
        let n = buf.len().min(self.transmit_len);
        buf[..n].copy_from_slice(&self.transmit[..n]);
        self.sent(n);
        n
    }

    /// Returns when [`LinkClient::on_deadline`] must be called; `None` without a connection.
    pub fn next_deadline(&self) -> Option<u64> {
        (self.state != State::Down).then_some(self.deadline_ns)
    }

    /// Time has passed. Does nothing before the deadline.
    pub fn on_deadline(&mut self, now_ns: u64) {
        if self.state == State::Down || now_ns < self.deadline_ns {
            return;
        }
        if self.state == State::Greeting {
            return self.give_up(LinkError::NoWelcome);
        }
        if self.missed >= MISSED_MAX {
            return self.give_up(LinkError::Silent);
        }
        self.missed += 1;
        self.ping_last += 1;
        self.deadline_ns = now_ns.saturating_add(self.settings.heartbeat_ns);
        let number = self.ping_last;
        self.send(|buf| codec::encode_ping(buf, number));
    }

    /// Takes an order for the venue.
    ///
    /// # Errors
    /// [`Refusal`]: the order did not leave and will not.
    pub fn new_order(&mut self, order: &NewOrder) -> Result<(), Refusal> {
        if self.state != State::Up {
            return Err(Refusal::Down);
        }
        let free = TRANSMIT_BYTES_MAX - self.transmit_len;
        if free < RESERVE_BYTES + codec::OUTBOUND_BYTES_MAX {
            return Err(Refusal::Slow);
        }
        self.send(|buf| codec::encode_new(buf, order));
        Ok(())
    }

    /// Lets [`LinkClient::poll_message`] say of a refused order that it never arrived.
    pub fn withdraw(&mut self, ts: ExchTs, order: &NewOrder) {
        self.messages.push_back(VenueMessage::Report(VenueReport::absent(ts, order, 0)));
    }

    /// Takes a cancel for the venue. While the link is down it is dropped: who reconciles after
    /// the reconnect sends it again where it is still wanted.
    pub fn cancel(&mut self, cancel: &CancelOrder) {
        if self.state == State::Up {
            self.send(|buf| codec::encode_cancel(buf, cancel));
        }
    }

    /// Asks for the venue's account. While the link is down nobody is asked.
    pub fn request_snapshot(&mut self, request: &SnapshotRequest) {
        if self.state == State::Up {
            self.send(|buf| codec::encode_snapshot_request(buf, request));
        }
    }

    /// Returns the next message, in the order of the stream. A link that breaks is told after
    /// everything that had arrived before it.
    pub fn poll_message(&mut self) -> Option<VenueMessage> {
        self.messages.pop_front()
    }

    /// Returns whether messages wait.
    pub fn has_message(&self) -> bool {
        !self.messages.is_empty()
    }

    fn send(&mut self, encode: impl FnOnce(&mut [u8]) -> usize) {
        if TRANSMIT_BYTES_MAX - self.transmit_len < codec::OUTBOUND_BYTES_MAX {
            // A cancel that cannot leave is no small thing: the link is as good as down.
            return self.give_up(LinkError::Stuck);
        }
        self.transmit_len += encode(&mut self.transmit[self.transmit_len..]);
    }

    fn link(&mut self, kind: LinkKind) {
        let seen = self.welcome.filter(|_| kind == LinkKind::Up);
        let highest_seen = ClientOrderId(seen.map_or(0, |w| w.highest_client_order_id));
        let event = LinkEvent { highest_seen, ..LinkEvent::new(kind) };
        self.messages.push_back(VenueMessage::Link(event));
    }

    fn give_up(&mut self, error: LinkError) {
        self.lose(error);
        self.close_wanted = true;
    }

    /// Ends the connection's state. What waits to be sent is forgotten: whoever handed it over
    /// learns of the break and asks the venue.
    fn lose(&mut self, error: LinkError) {
        if self.state == State::Down {
            return;
        }
        self.last_error = Some(error);
        self.transmit_len = 0;
        self.missed = 0;
        self.deadline_ns = u64::MAX;
        let was_up = self.state == State::Up;
        self.state = State::Down;
        if was_up {
            self.link(LinkKind::Down);
        }
    }
}
