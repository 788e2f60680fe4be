//! Planted bugs that the tests must catch. Compiled only with the feature `canary`, which no
//! shipped binary enables.

/// A bug to plant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// The quantity limit lets one unit more pass.
    OffByOneQty,
    /// The value limit refuses at the limit itself.
    OffByOneNotional,
    /// The collar looks at prices above the mid only.
    CollarOneSided,
    /// Working orders do not count as exposure.
    WorkingNotCounted,
    /// The next report lifts the kill switch.
    UnlatchedKill,
    /// A limit that is not a number lets everything pass.
    NanPasses,
    /// Equal orders are not noticed.
    DuplicateWindowOff,
    /// Own opposite orders are not noticed.
    SelfMatchOff,
    /// The rate refills twice as fast.
    ThrottleRefillsDouble,
    /// Execution ids are not remembered.
    DoubleFill,
    /// Every seventh fill is dropped.
    DropFill,
    /// The egress gate does not add up the children of a parent.
    EgressSkipsConservation,
    /// Cancels draw on the orders' rate.
    CancelReserveShared,
    /// A refused cancel frees the order, as if the venue had said that it is gone.
    UnknownReleased,
    /// Blocks are not looked at.
    BlockIgnored,
    /// A bust is booked as if nothing had happened.
    BustIgnored,
}

impl Bug {
    /// Every bug.
    pub const ALL: [Bug; 16] = [
        Bug::OffByOneQty,
        Bug::OffByOneNotional,
        Bug::CollarOneSided,
        Bug::WorkingNotCounted,
        Bug::UnlatchedKill,
        Bug::NanPasses,
        Bug::DuplicateWindowOff,
        Bug::SelfMatchOff,
        Bug::ThrottleRefillsDouble,
        Bug::DoubleFill,
        Bug::DropFill,
        Bug::EgressSkipsConservation,
        Bug::CancelReserveShared,
        Bug::UnknownReleased,
        Bug::BlockIgnored,
        Bug::BustIgnored,
    ];
}

thread_local! {
    static PLANTED: core::cell::Cell<Option<Bug>> = const { core::cell::Cell::new(None) };
}

/// Plants a bug for this thread, or none.
pub fn set(bug: Option<Bug>) {
    PLANTED.set(bug);
}

pub(crate) fn is(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}
