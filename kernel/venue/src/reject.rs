//! Reason codes of the simulated exchange.

/// Why the simulated exchange refused an order or a cancel; `VenueReport::reason`. Stable
/// numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum RejectReason {
    /// The instrument is not listed here.
    UnknownInstrument = 1,
    /// The client order id is not above every id seen before.
    DuplicateClientId = 2,
    /// Outside the instrument's session, or the run has ended.
    SessionClosed = 3,
    /// The order table is full.
    TooManyOrders = 4,
    /// Quantity or price is not positive, off lot or off tick.
    BadOrder = 5,
    /// The book lost messages: what the order would trade with is not known.
    BookUntrusted = 6,
    /// Trading is halted and the order would trade at once.
    Halted = 7,
    /// Too many messages of ours are under way.
    Congestion = 8,
    /// Cancel: no such order works here (filled, ended or never known).
    TooLate = 9,
}

impl RejectReason {
    /// Every reason, in the order of its number.
    pub const ALL: [RejectReason; 9] = [
        RejectReason::UnknownInstrument,
        RejectReason::DuplicateClientId,
        RejectReason::SessionClosed,
        RejectReason::TooManyOrders,
        RejectReason::BadOrder,
        RejectReason::BookUntrusted,
        RejectReason::Halted,
        RejectReason::Congestion,
        RejectReason::TooLate,
    ];

    /// Returns the stable name used in tables.
    pub const fn name(self) -> &'static str {
        match self {
            RejectReason::UnknownInstrument => "unknown_instrument",
            RejectReason::DuplicateClientId => "duplicate_client_id",
            RejectReason::SessionClosed => "session_closed",
            RejectReason::TooManyOrders => "too_many_orders",
            RejectReason::BadOrder => "bad_order",
            RejectReason::BookUntrusted => "book_untrusted",
            RejectReason::Halted => "halted",
            RejectReason::Congestion => "congestion",
            RejectReason::TooLate => "too_late",
        }
    }

    /// Returns the reason with this number.
    pub fn from_raw(raw: u16) -> Option<RejectReason> {
        RejectReason::ALL.into_iter().find(|r| *r as u16 == raw)
    }
}
