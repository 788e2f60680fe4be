//! What order truth wants done, in order.

use super::InstrumentFault;
use ijk_core::{
    AlarmCode, Block, CancelOrder, ClientOrderId, FateRecord, InstrumentId, NewOrder, Qty,
    SnapshotRequest, VenueReport,
};

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effect {
    /// Book this report: it is the first of its kind, and in an order the accounts understand.
    Report {
        /// The report.
        report: VenueReport,
        /// Whether the execution engine knows the order; the gate books it in any case.
        owned: bool,
    },
    /// Count this order of the account as working.
    Adopt {
        /// The order.
        order: NewOrder,
        /// What of it is open.
        leaves: Qty,
    },
    /// Cancel an order.
    Cancel(CancelOrder),
    /// Ask the venue for its account.
    Request(SnapshotRequest),
    /// What is known of an order changed.
    Fate(FateRecord),
    /// Tell a person.
    Alarm {
        /// What.
        code: AlarmCode,
        /// Where, or [`ijk_core::AlarmRecord::NO_INSTRUMENT`].
        instrument: InstrumentId,
        /// The order, or 0.
        id: ClientOrderId,
        /// A number that goes with it.
        value: i64,
    },
    /// Forbid, or allow again, new orders of one instrument.
    Instrument {
        /// Which.
        instrument: InstrumentId,
        /// Why.
        fault: InstrumentFault,
        /// Forbid or allow.
        set: bool,
    },
    /// Forbid, or allow again, all new orders.
    Account {
        /// Why.
        block: Block,
        /// Forbid or allow.
        set: bool,
    },
}
