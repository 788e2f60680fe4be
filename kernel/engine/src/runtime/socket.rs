//! A link's bytes over a socket: two threads around it, byte rings to and from the kernel thread.
//!
//! The receiving thread connects, reads, and connects again with a growing pause; the sending
//! thread writes what the kernel thread put into its ring. The kernel thread never waits and
//! never calls the system, except to wake a sleeping sender. Memory is bounded: a full ring makes
//! the receiving thread wait, and with it the venue; no received byte is dropped.
//!
//! A connection is given back only after the kernel thread has seen it close, so bytes meant for
//! one connection never leave on the next.

mod address;
#[cfg(test)]
mod tests;
mod threads;

pub use address::{AddressError, LinkAddress};

use ijk_core::{Heartbeat, RecvTs};
use ijk_venue::link::{Read, Transport};
use rtrb::{Consumer, Producer, RingBuffer};
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use threads::{Event, Outgoing, Receiver, Shared};

/// How the socket is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// Pause before the first new try after a connection was lost.
    pub backoff_min: Duration,
    /// Longest pause; each try that fails doubles it.
    pub backoff_max: Duration,
    /// Bytes of the ring in each direction, at least 4096.
    pub ring_bytes: usize,
}

impl Default for SocketOptions {
    fn default() -> Self {
        SocketOptions {
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(5),
            ring_bytes: 1 << 18,
        }
    }
}

/// Smallest ring.
const RING_BYTES_MIN: usize = 4_096;
/// How long a transport that is dropped waits for its last bytes to leave.
const FLUSH: Duration = Duration::from_millis(500);

/// A [`Transport`] over a socket.
#[derive(Debug)]
pub struct SocketTransport {
    shared: Arc<Shared>,
    events: Consumer<Event>,
    received: Consumer<u8>,
    /// Bytes taken from `received` since the start.
    position: u64,
    to_send: Producer<u8>,
    is_open: bool,
    is_closing: bool,
    began: Instant,
    sender: Option<JoinHandle<()>>,
    receiver: Option<JoinHandle<()>>,
}

impl SocketTransport {
    /// Starts the threads; the first connection is tried at once.
    ///
    /// # Errors
    /// If a thread cannot be started. A venue that does not answer is no error here: the
    /// transport tries until it is dropped.
    pub fn start(address: LinkAddress, options: SocketOptions) -> io::Result<SocketTransport> {
        let ring_bytes = options.ring_bytes.max(RING_BYTES_MIN);
        let (received_in, received) = RingBuffer::new(ring_bytes);
        let (to_send, to_send_out) = RingBuffer::new(ring_bytes);
        let (events_in, events) = RingBuffer::new(threads::EVENT_COUNT_MAX);
        let outgoing = Mutex::new(Outgoing { stream: None, ring: to_send_out });
        let shared = Arc::new(Shared::new(outgoing));
        let for_sender = Arc::clone(&shared);
        let sender = std::thread::Builder::new()
            .name("ijk-link-tx".to_string())
            .spawn(move || threads::send(&for_sender))?;
        let thread = Receiver::new(Arc::clone(&shared), address, options, received_in, events_in);
        let mut transport = SocketTransport {
            shared,
            events,
            received,
            position: 0,
            to_send,
            is_open: false,
            is_closing: false,
            began: Instant::now(),
            sender: Some(sender),
            receiver: None,
        };
        // From here on a failure drops the transport, which stops the first thread.
        transport.receiver = Some(
            std::thread::Builder::new()
                .name("ijk-link-rx".to_string())
                .spawn(move || thread.run())?,
        );
        Ok(transport)
    }

    /// Returns why the last connection could not be opened or was lost, for a person.
    pub fn last_error(&self) -> Option<String> {
        self.shared.error()
    }

    fn take_event(&mut self) -> Read {
        match self.events.pop() {
            Ok(Event::Opened { .. }) => {
                self.is_open = true;
                Read::Opened
            }
            Ok(Event::Closed { .. }) => {
                self.is_open = false;
                self.is_closing = false;
                self.shared.closes_seen.fetch_add(1, Ordering::Release);
                self.wake(&self.receiver);
                Read::Closed
            }
            Err(_) => Read::Empty,
        }
    }

    fn wake(&self, thread: &Option<JoinHandle<()>>) {
        if let Some(handle) = thread {
            handle.thread().unpark();
        }
    }

    /// Throws away what a connection that was given up had still delivered.
    fn discard(&mut self, mut count: usize) {
        let mut waste = [0; 256];
        while count > 0 {
            let n = count.min(waste.len());
            let taken = self.received.pop_partial_slice(&mut waste[..n]).0.len();
            assert!(taken == n, "the ring holds what it said");
            self.position += n as u64;
            count -= n;
        }
    }
}

impl Transport for SocketTransport {
    fn try_read(&mut self, _now: RecvTs, buf: &mut [u8]) -> Read {
        // Bytes are counted before events are looked at: an event that stands before one of the
        // counted bytes was written before it, so it is seen here.
        let mut count = self.received.slots();
        if let Ok(event) = self.events.peek() {
            let before = (event.at() - self.position) as usize;
            if before == 0 {
                return self.take_event();
            }
            count = count.min(before);
        }
        if self.is_closing {
            self.discard(count);
            return match self.events.peek() {
                Ok(event) if event.at() == self.position => self.take_event(),
                _ => Read::Empty,
            };
        }
        if count == 0 {
            return Read::Empty;
        }
        let n = count.min(buf.len());
        let taken = self.received.pop_partial_slice(&mut buf[..n]).0.len();
        assert!(taken == n, "the ring holds what it said");
        self.position += n as u64;
        Read::Bytes(n)
    }

    fn write(&mut self, _now: RecvTs, bytes: &[u8]) -> usize {
        if !self.is_open || self.is_closing {
            return 0;
        }
        let n = self.to_send.push_partial_slice(bytes).0.len();
        self.wake(&self.sender);
        n
    }

    fn close(&mut self, _now: RecvTs) {
        if self.is_open {
            self.is_closing = true;
            self.shared.close_wanted.store(true, Ordering::Release);
        }
    }

    fn heartbeat(&self) -> Option<Heartbeat> {
        Some(self.shared.heartbeat.clone())
    }

    fn clock_ns(&self, _now: RecvTs) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    fn next_due(&self, _deadline_ns: Option<u64>) -> Option<RecvTs> {
        None
    }
}

impl Drop for SocketTransport {
    /// Gives the last bytes (cancels, most likely) half a second to leave, then ends the threads.
    fn drop(&mut self) {
        let began = Instant::now();
        let capacity = self.to_send.buffer().capacity();
        while self.is_open && self.to_send.slots() < capacity && began.elapsed() < FLUSH {
            self.wake(&self.sender);
            std::thread::sleep(Duration::from_micros(200));
        }
        self.shared.stop.store(true, Ordering::Release);
        for handle in [self.receiver.take(), self.sender.take()].into_iter().flatten() {
            handle.thread().unpark();
            // A thread that panicked has told so already.
            let _ = handle.join();
        }
    }
}
