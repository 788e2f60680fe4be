//! The link to a venue outside this process: a small binary protocol over any byte stream.
//!
//! [`LinkClient`] is the protocol's state machine, [`Decoder`] reads what the venue sends and
//! trusts none of it, [`LinkVenue`] makes a [`crate::Venue`] of the two over a [`Transport`].
//! Nothing here touches a socket, a clock or a thread: bytes and times come from the transport,
//! an operating system's socket or a simulated wire. `docs/link.md` has the protocol for those
//! who write the other end.
//!
//! # What is never done
//! No order is sent twice, and none is kept for a later connection: a new order while the link is
//! down comes back as [`ijk_core::ReportKind::Absent`], since it never left. An order handed over
//! before the link broke may or may not have arrived; only the venue's own account, asked for
//! after the reconnect, tells.

mod client;
pub mod codec;
mod sane;
#[cfg(test)]
mod tests;
mod transport;
mod venue;

pub use client::{LinkClient, LinkError, LinkSettings, Refusal};
pub use codec::{CodecError, Decoder, Frame, Hello, Welcome};
pub use transport::{Read, Transport};
pub use venue::LinkVenue;

/// Version of the protocol.
pub const PROTOCOL: u32 = 1;

/// Why a venue refuses a client; the code of a REFUSED frame. Stable numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum RefusedCode {
    /// It does not speak this version of the protocol.
    Protocol = 1,
    /// It does not know the account.
    Account = 2,
    /// Another client with this number is connected.
    ClientNumber = 3,
    /// It does not know an instrument.
    Instrument = 4,
    /// A later start of this client was here before: the boot epoch is not above it.
    BootEpoch = 5,
    /// It could not read a frame.
    BadFrame = 6,
    /// It is not ready; try again later.
    NotReady = 7,
}

impl RefusedCode {
    /// Returns what the code means, for a person.
    pub const fn meaning(raw: u16) -> &'static str {
        match raw {
            1 => "the venue does not speak this version of the link protocol",
            2 => "the venue does not know the account",
            3 => "another client with this number is connected",
            4 => "the venue does not know an instrument",
            5 => "the venue has seen a later boot epoch: this state directory is an old copy",
            6 => "the venue could not read a frame",
            7 => "the venue is not ready",
            _ => "the venue gave a code that this version does not know",
        }
    }
}
