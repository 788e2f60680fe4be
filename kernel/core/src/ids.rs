//! Identifiers.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $raw:ty) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
            FromBytes, IntoBytes, Immutable, KnownLayout,
        )]
        #[repr(transparent)]
        pub struct $name(pub $raw);
    };
}

id!(
    /// Index of an instrument in the run's instrument table, below
    /// [`crate::limits::INSTRUMENT_COUNT_MAX`].
    InstrumentId,
    u16
);
id!(
    /// Our id of a child order: never zero, never used twice in a run.
    ClientOrderId,
    u64
);
id!(
    /// The venue's id of an order; zero while unknown.
    VenueOrderId,
    u64
);
id!(
    /// The venue's id of one execution; zero where a report carries none.
    ExecId,
    u64
);
id!(
    /// Our id of a parent order; zero means "no parent".
    ParentId,
    u32
);

impl InstrumentId {
    /// Returns the id as an array index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}
