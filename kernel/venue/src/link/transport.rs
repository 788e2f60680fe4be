//! What carries the bytes: a socket, a simulated wire.

use ijk_core::{Heartbeat, RecvTs};

/// What [`Transport::try_read`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// Nothing yet.
    Empty,
    /// A connection was opened; what is read until [`Read::Closed`] is its bytes.
    Opened,
    /// That many bytes of the open connection, at least one.
    Bytes(usize),
    /// The connection is gone; all it ever delivered was read before. What was written and not
    /// yet sent is gone with it.
    Closed,
}

/// A connection to the venue that is opened again, by the transport and at a pace of its own,
/// whenever it is gone. `Opened` and `Closed` alternate, beginning with `Opened`.
pub trait Transport {
    /// Reads what arrived up to `now` without waiting. `buf` is not empty.
    fn try_read(&mut self, now: RecvTs, buf: &mut [u8]) -> Read;

    /// Takes bytes to be sent on the open connection and returns how many, without waiting. Zero
    /// when its buffer is full or no connection is open. Bytes never reach a later connection.
    fn write(&mut self, now: RecvTs, bytes: &[u8]) -> usize;

    /// Gives the open connection up. What it delivered and was not read is lost; [`Read::Closed`]
    /// is the next thing read.
    fn close(&mut self, now: RecvTs);

    /// Returns the time of the clock that heartbeats run on. A simulation lives in the kernel's
    /// time, a socket in the machine's.
    fn clock_ns(&self, now: RecvTs) -> u64 {
        now.0
    }

    /// Returns the heartbeat of the threads behind this, where there are any.
    fn heartbeat(&self) -> Option<Heartbeat> {
        None
    }

    /// Returns when, in the kernel's time, something next happens by itself: bytes arrive, or
    /// the heartbeat's `deadline_ns` is reached. `None` where the kernel's time says nothing
    /// about it: then the caller has to look again and again.
    fn next_due(&self, deadline_ns: Option<u64>) -> Option<RecvTs> {
        deadline_ns.map(RecvTs)
    }
}
