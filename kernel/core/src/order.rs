//! Orders and what a venue reports of them.

use crate::{ClientOrderId, ExchTs, ExecId, InstrumentId, ParentId, Px, Qty, Side, VenueOrderId};
use zerocopy::{Immutable, IntoBytes, KnownLayout, TryFromBytes};

/// Order type.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, TryFromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(u8)]
pub enum OrderType {
    /// Takes what there is.
    Market = 0,
    /// Not worse than `px`.
    Limit = 1,
}

/// Time in force.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, TryFromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(u8)]
pub enum TimeInForce {
    /// Until the session's end.
    Day = 0,
    /// At once; the rest is cancelled.
    Ioc = 1,
    /// Until cancelled.
    Gtc = 2,
}

/// A child order as the slicer proposes it. Only the risk gate turns it into something a venue
/// takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TryFromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct NewOrder {
    /// Our id.
    pub client_order_id: ClientOrderId,
    /// Quantity, positive, a multiple of the lot.
    pub qty: Qty,
    /// Limit price on the tick grid; 0 for a market order.
    pub px: Px,
    /// The parent it works for.
    pub parent_id: ParentId,
    /// Instrument.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Market or limit.
    pub order_type: OrderType,
    /// Time in force.
    pub tif: TimeInForce,
    /// Zero.
    pub reserved: [u8; 7],
}

/// A wish to cancel a working child order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TryFromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CancelOrder {
    /// The order to cancel.
    pub client_order_id: ClientOrderId,
    /// Instrument.
    pub instrument: InstrumentId,
    /// Zero.
    pub reserved: [u8; 6],
}

/// What a venue can say of an order.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, TryFromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(u8)]
pub enum ReportKind {
    /// The order is working.
    Ack = 0,
    /// The order was refused; it never worked.
    Reject = 1,
    /// `qty` traded at `px`; `leaves` is what still works.
    Fill = 2,
    /// What was left is cancelled, `qty` of it.
    Canceled = 3,
    /// What was left ran out with its time in force (IOC rest, end of day), `qty` of it.
    Expired = 4,
    /// The cancel was refused (too late, unknown); the order is what it was.
    CancelReject = 5,
    /// The execution `exec_id` was cancelled by the venue: `qty` at `px` never happened.
    Bust = 6,
    /// The fee of the execution `exec_id` became known; `fee_e9` is what is added to it.
    Commission = 7,
    /// The order never reached the venue: it was withdrawn before it left, or the venue said,
    /// twice and long enough after, that it has never had it.
    Absent = 8,
}

/// Reason code of a reject that says: this order id was used before. The order of that id may
/// well be alive.
pub const REASON_DUPLICATE_ID: u16 = 103;

/// Reason codes of orders withdrawn at the last check before the wire, from here on: the check's
/// risk code is added.
pub const REASON_EGRESS: u16 = 1_000;

/// One report of a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TryFromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct VenueReport {
    /// Time at the venue.
    pub ts_exchange: ExchTs,
    /// Our id.
    pub client_order_id: ClientOrderId,
    /// The venue's id.
    pub venue_order_id: VenueOrderId,
    /// Execution id of a fill, else 0. The same id twice is the same fill twice.
    pub exec_id: ExecId,
    /// Fill price, else 0.
    pub px: Px,
    /// Fill or cancelled quantity, else 0.
    pub qty: Qty,
    /// Quantity still working after this report.
    pub leaves: Qty,
    /// Commission and fees of a fill in 1e-9 currency units; negative is a rebate.
    pub fee_e9: i64,
    /// Instrument.
    pub instrument: InstrumentId,
    /// The venue's reason code of a reject, else 0.
    pub reason: u16,
    /// What is reported.
    pub kind: ReportKind,
    /// Side of the order; means nothing in a [`ReportKind::CancelReject`].
    pub side: Side,
    /// 1 where a fill added liquidity, 0 where it took.
    pub maker: u8,
    /// Zero.
    pub reserved: u8,
}

impl VenueReport {
    /// Returns the report that an order never reached the venue and never will; `reason` says who
    /// kept it back, 0 where the link was down.
    pub fn absent(ts_exchange: ExchTs, order: &NewOrder, reason: u16) -> VenueReport {
        VenueReport {
            ts_exchange,
            client_order_id: order.client_order_id,
            venue_order_id: VenueOrderId(0),
            exec_id: ExecId(0),
            px: Px(0),
            qty: Qty::ZERO,
            leaves: Qty::ZERO,
            fee_e9: 0,
            instrument: order.instrument,
            reason,
            kind: ReportKind::Absent,
            side: order.side,
            maker: 0,
            reserved: 0,
        }
    }
}

const _: () = assert!(size_of::<VenueReport>() == 72);
const _: () = assert!(size_of::<NewOrder>() == 40);
