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

impl ClientOrderId {
    /// Bits that number the orders of one boot; the boot epoch stands above them.
    pub const SEQUENCE_BITS: u32 = 36;
    /// Marks an id made up here for an order of the account that carries none of ours.
    pub const FOREIGN: u64 = 1 << 63;

    /// Returns the first id of a boot epoch. Epochs rise for ever, so no id comes twice.
    pub const fn first_of(epoch: u32) -> ClientOrderId {
        ClientOrderId(((epoch as u64) << Self::SEQUENCE_BITS) | 1)
    }

    /// Returns the boot epoch that made the id.
    pub const fn epoch(self) -> u32 {
        ((self.0 & !Self::FOREIGN) >> Self::SEQUENCE_BITS) as u32
    }

    /// Returns the stand-in id of an order that only the venue has a number for.
    pub const fn foreign(venue_order_id: VenueOrderId) -> ClientOrderId {
        ClientOrderId(Self::FOREIGN | venue_order_id.0)
    }

    /// Returns whether the id is a stand-in.
    pub const fn is_foreign(self) -> bool {
        self.0 & Self::FOREIGN != 0
    }
}

/// Boot epochs fit the bits above the sequence, below the mark of foreign orders.
pub const BOOT_EPOCH_MAX: u32 = (1 << (63 - ClientOrderId::SEQUENCE_BITS)) - 1;

impl InstrumentId {
    /// Returns the id as an array index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}
