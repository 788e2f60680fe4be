//! The venue seam and the simulated exchange.
//!
//! [`Venue`] is what the runtime talks to, simulated or real; it takes only orders the risk gate
//! approved. [`SimExchange`] is the simulated one: it replays the market into books of its own,
//! lets our orders arrive after a latency, matches them by price and time against what was
//! really there, and reports fills after a latency.
//!
//! # One timeline
//! The simulation runs on the recorded RECEIVE time: a market record takes effect at its
//! `ts_receive`, an order at its submission plus the order latency. Exchange stamps are not used:
//! some venues stamp with a clock of their own (runs of a whole second ahead of the recorder are
//! on file), and differences between two clocks would become free look-ahead or impossible
//! delays. On one clock every order of events is one that this machine could have seen.
//!
//! # What is modelled
//! Displayed liquidity is taken level by level and never twice ([`SimExchange`] remembers what it
//! took of a level until the level shrinks below it); a resting order waits behind the quantity
//! displayed at its arrival, exactly on order-by-order data, by a probabilistic model on
//! level data; historical trades fill it when the queue in front is gone. The replayed market does
//! not react: no impact beyond the liquidity taken, no crowding out of historical fills.

#![forbid(unsafe_code)]

mod debt;
mod exchange;
pub mod fees;
pub mod link;
mod matching;
mod own;
mod queue;
mod reject;
mod reports;
pub mod rng;
mod wire;

pub use exchange::{SimError, SimExchange};
pub use ijk_risk::Approved;
pub use reject::RejectReason;

use ijk_core::{
    CancelOrder, Heartbeat, LinkEvent, MarketEvent, NewOrder, RecvTs, SnapshotItem,
    SnapshotRequest, VenueReport,
};

/// What a venue tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VenueMessage {
    /// Of an order.
    Report(VenueReport),
    /// Of the link to it.
    Link(LinkEvent),
    /// In answer to a [`SnapshotRequest`].
    Snapshot(SnapshotItem),
}

/// A place orders go to. Times handed in never decrease.
pub trait Venue {
    /// Returns whether orders there outlive this process: then every intent must be on the
    /// device before it leaves, the account there is the truth, and a start takes over what an
    /// earlier run left.
    fn outlives_process(&self) -> bool;

    /// Returns the heartbeat of the threads behind the venue, for the watchdog of the service. It
    /// moves whether or not a link stands; `None` where the kernel thread itself is the venue.
    fn heartbeat(&self) -> Option<Heartbeat> {
        None
    }

    /// Lets the venue see a market record. A simulated exchange lives on these; a real one
    /// ignores them.
    fn on_market(&mut self, ev: &MarketEvent);

    /// Sends an order that leaves at `now`.
    fn submit(&mut self, now: RecvTs, order: Approved<NewOrder>);

    /// Sends a cancel that leaves at `now`. Cancels need no approval: they only lower risk.
    fn cancel(&mut self, now: RecvTs, cancel: CancelOrder);

    /// Asks for the venue's account of the day. A venue that does not outlive the process has
    /// nothing to tell and ignores this.
    fn request_snapshot(&mut self, now: RecvTs, request: SnapshotRequest);

    /// Lets everything happen at the venue that is due up to and including `to`: arrivals of
    /// orders and cancels, expiries.
    fn advance(&mut self, to: RecvTs);

    /// Returns when something next happens by itself: the arrival of an order or cancel, an
    /// expiry, the delivery of a report. `None`: nothing is under way.
    fn next_due(&self) -> Option<RecvTs>;

    /// Returns the next message delivered at or before `now`, with its time of delivery, in the
    /// order of delivery.
    fn poll(&mut self, now: RecvTs) -> Option<(RecvTs, VenueMessage)>;

    /// The run ends at `now`: a simulated session is over, day orders expire. A real venue has
    /// its own clock and ignores this.
    fn finish(&mut self, now: RecvTs);
}
