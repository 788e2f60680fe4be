//! Times. Exchange time and receive time never mix by accident.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Nanoseconds of one second.
pub const NS_PER_S: u64 = 1_000_000_000;

/// When the exchange says it happened: nanoseconds UTC since 1970.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
#[repr(transparent)]
pub struct ExchTs(pub u64);

/// When this machine (or the recorder of the file) received it: nanoseconds UTC since 1970.
/// The kernel's notion of "now" is always a receive time.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
#[repr(transparent)]
pub struct RecvTs(pub u64);

impl RecvTs {
    /// Returns this time moved `ns` later, saturating.
    pub const fn plus_ns(self, ns: u64) -> RecvTs {
        RecvTs(self.0.saturating_add(ns))
    }

    /// Returns the nanoseconds since `earlier`, zero if it is later.
    pub const fn since_ns(self, earlier: RecvTs) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl ExchTs {
    /// Returns the nanoseconds since `earlier`, zero if it is later.
    pub const fn since_ns(self, earlier: ExchTs) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
