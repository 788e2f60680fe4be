//! The two threads around the socket and what they share with the kernel thread.

use super::SocketOptions;
use super::address::{LinkAddress, Stream};
use ijk_core::Heartbeat;
use rtrb::{Consumer, Producer};
use std::io::{ErrorKind, Read as _, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

/// Events that can wait: a connection is opened only after the kernel thread saw the last close.
pub(super) const EVENT_COUNT_MAX: usize = 4;
/// Bytes of one read of the socket.
const READ_BYTES: usize = 1 << 14;
/// Longest wait in a read before the flags are looked at again.
const LOOK: Duration = Duration::from_millis(10);
/// Longest sleep of the sender; it is woken by the kernel thread.
const SENDER_SLEEP: Duration = Duration::from_millis(100);
/// Pause while the kernel thread has to make room or see a close.
const PAUSE: Duration = Duration::from_micros(200);

/// Where in the stream of received bytes a connection begins and ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Opened { at: u64 },
    Closed { at: u64 },
}

impl Event {
    pub fn at(self) -> u64 {
        match self {
            Event::Opened { at } | Event::Closed { at } => at,
        }
    }
}

/// The way out: the open connection and what is to be sent on it.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub stream: Option<Stream>,
    pub ring: Consumer<u8>,
}

impl Outgoing {
    /// Throws away what was meant for a connection that is gone.
    fn drain(&mut self) {
        let count = self.ring.slots();
        if let Ok(chunk) = self.ring.read_chunk(count) {
            chunk.commit_all();
        }
    }
}

#[derive(Debug)]
pub(super) struct Shared {
    /// Never locked by the kernel thread.
    outgoing: Mutex<Outgoing>,
    error: Mutex<Option<String>>,
    pub stop: AtomicBool,
    /// The kernel thread gives the open connection up.
    pub close_wanted: AtomicBool,
    /// Closes that the kernel thread has seen.
    pub closes_seen: AtomicU64,
    /// Of the sending thread; it ends with the receiving one.
    pub heartbeat: Heartbeat,
}

impl Shared {
    pub fn new(outgoing: Mutex<Outgoing>) -> Shared {
        Shared {
            outgoing,
            error: Mutex::new(None),
            stop: AtomicBool::new(false),
            close_wanted: AtomicBool::new(false),
            closes_seen: AtomicU64::new(0),
            heartbeat: Heartbeat::default(),
        }
    }

    pub fn error(&self) -> Option<String> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, error: &std::io::Error) {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
    }

    fn outgoing(&self) -> MutexGuard<'_, Outgoing> {
        self.outgoing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}

/// The sending thread.
pub(super) fn send(shared: &Shared) {
    while !shared.stopped() {
        shared.heartbeat.beat();
        if !send_some(shared) {
            park_timeout(SENDER_SLEEP);
        }
    }
}

/// Writes what is in the ring; returns whether anything was.
fn send_some(shared: &Shared) -> bool {
    let mut outgoing = shared.outgoing();
    let Outgoing { stream, ring } = &mut *outgoing;
    let Some(open) = stream else {
        outgoing.drain();
        return false;
    };
    let count = ring.slots();
    let Ok(chunk) = ring.read_chunk(count) else { return false };
    if count == 0 {
        return false;
    }
    let (first, second) = chunk.as_slices();
    let written = open.write_all(first).and_then(|()| open.write_all(second));
    // Bytes leave the ring only when the socket has them, so an empty ring means all are out.
    chunk.commit_all();
    if let Err(error) = written {
        shared.note(&error);
        open.shutdown();
        *stream = None;
    }
    true
}

/// The receiving thread.
pub(super) struct Receiver {
    shared: Arc<Shared>,
    address: LinkAddress,
    options: SocketOptions,
    received: Producer<u8>,
    events: Producer<Event>,
    position: u64,
    closes: u64,
}

impl Receiver {
    pub fn new(
        shared: Arc<Shared>,
        address: LinkAddress,
        options: SocketOptions,
        received: Producer<u8>,
        events: Producer<Event>,
    ) -> Receiver {
        Receiver { shared, address, options, received, events, position: 0, closes: 0 }
    }

    pub fn run(mut self) {
        let mut backoff = self.options.backoff_min;
        let _end = self.shared.heartbeat.ends_with();
        while !self.shared.stopped() {
            let began = Instant::now();
            if let Err(error) = self.connection() {
                self.shared.note(&error);
            }
            // A connection that outlived the pause before it was a good one. One that is refused
            // at once is not, however often it can be opened.
            if began.elapsed() > backoff {
                backoff = self.options.backoff_min;
            }
            self.rest(backoff);
            backoff = (2 * backoff).min(self.options.backoff_max);
        }
    }

    fn rest(&self, pause: Duration) {
        let began = Instant::now();
        while !self.shared.stopped() && began.elapsed() < pause {
            park_timeout(pause.saturating_sub(began.elapsed()));
        }
    }

    /// One connection from its opening until the kernel thread has seen its end.
    fn connection(&mut self) -> std::io::Result<()> {
        let mut stream = self.address.connect()?;
        stream.set_read_timeout(LOOK)?;
        let out = stream.try_clone()?;
        {
            let mut outgoing = self.shared.outgoing();
            outgoing.drain();
            outgoing.stream = Some(out);
        }
        self.tell(Event::Opened { at: self.position });
        let end = self.receive(&mut stream);
        // First the socket, so that a sender stuck in a write lets go of the lock.
        stream.shutdown();
        self.shared.outgoing().stream = None;
        self.tell(Event::Closed { at: self.position });
        self.closes += 1;
        while self.shared.closes_seen.load(Ordering::Acquire) < self.closes
            && !self.shared.stopped()
        {
            park_timeout(PAUSE);
        }
        self.shared.close_wanted.store(false, Ordering::Release);
        end
    }

    fn tell(&mut self, event: Event) {
        let told = self.events.push(event);
        assert!(told.is_ok(), "no more than an opening and a close wait to be seen");
    }

    fn unwanted(&self) -> bool {
        self.shared.stopped() || self.shared.close_wanted.load(Ordering::Acquire)
    }

    fn receive(&mut self, stream: &mut Stream) -> std::io::Result<()> {
        let mut buf = [0; READ_BYTES];
        while !self.unwanted() {
            match stream.read(&mut buf) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => self.hand_over(&buf[..n]),
                Err(e) if is_pause(e.kind()) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Puts bytes into the ring, waiting for room as long as the connection is wanted.
    fn hand_over(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.unwanted() {
            let (pushed, rest) = self.received.push_partial_slice(bytes);
            self.position += pushed.len() as u64;
            if pushed.is_empty() {
                park_timeout(PAUSE);
            }
            bytes = rest;
        }
    }
}

fn is_pause(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
