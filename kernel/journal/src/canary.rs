//! Planted bugs, for the tests that prove the crash lab sees them. Without the feature `canary`
//! no bug can be planted and every question is answered "no" while compiling.

/// A bug that can be planted, one at a time and thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// The writer acknowledges without having forced anything to the device.
    SkipFsync,
    /// The writer asks again after a failed sync and believes the second answer.
    RetryFsync,
    /// The writer acknowledges before it has written.
    AckBeforeWrite,
    /// The reader does not compare the chain of checksums.
    NoChain,
    /// The reader does not compare segment and epoch.
    NoSalt,
    /// The reader does not compare checksums.
    AcceptBadCrc,
    /// The reader takes damage in the middle for a torn tail.
    IgnoreTornMiddle,
    /// The writer begins a group where the last one ended, in a sector already acknowledged.
    UnpaddedGroup,
    /// The writer takes a short write for a whole one.
    ShortWriteIgnored,
    /// The next segment is used without its name and zeros having been forced to the device.
    SpareNotSynced,
}

impl Bug {
    /// Every bug.
    pub const ALL: [Bug; 10] = [
        Bug::SkipFsync,
        Bug::RetryFsync,
        Bug::AckBeforeWrite,
        Bug::NoChain,
        Bug::NoSalt,
        Bug::AcceptBadCrc,
        Bug::IgnoreTornMiddle,
        Bug::UnpaddedGroup,
        Bug::ShortWriteIgnored,
        Bug::SpareNotSynced,
    ];
}

#[cfg(feature = "canary")]
mod switch {
    use super::Bug;
    use std::cell::Cell;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Plants a bug in the calling thread, or digs it out.
    pub fn set(bug: Option<Bug>) {
        PLANTED.set(bug);
    }

    pub(crate) fn planted(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }
}

#[cfg(feature = "canary")]
pub use switch::set;

#[cfg(feature = "canary")]
pub(crate) use switch::planted;

/// Returns whether this build has the bug: never.
#[cfg(not(feature = "canary"))]
#[inline(always)]
pub(crate) const fn planted(_: Bug) -> bool {
    false
}
