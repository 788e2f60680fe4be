//! What somebody outside knows and the core must: the clock's offset, a market's state that no
//! feed tells.

use crate::InstrumentId;
use zerocopy::{Immutable, IntoBytes, KnownLayout, TryFromBytes};

/// What a [`Condition`] says.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, TryFromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(u8)]
pub enum ConditionKind {
    /// The machine's clock is `value` nanoseconds ahead of true time (behind, if negative).
    ClockOffset = 0,
    /// Nobody knows any more how far the clock is from true time.
    ClockUnknown = 1,
    /// Trading resumed after a market-wide halt.
    MarketWideResume = 2,
    /// The short sale restriction of Rule 201 begins for `instrument`.
    ShortSaleRestricted = 3,
    /// It ended for `instrument`.
    ShortSaleFree = 4,
    /// Forecasts come from an encoder on a device, as inputs of their own.
    EncoderOnDevice = 5,
    /// The device was left for good and the processor forecasts; `value` is a [`DeviceLeft`].
    EncoderOnProcessor = 6,
}

/// Why a device was left in the middle of a session. Stable numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DeviceLeft {
    /// A call of its driver failed.
    Failed = 1,
    /// A step missed its deadline.
    Late = 2,
    /// What it answered is no forecast.
    Nonsense = 3,
}

/// A fact from outside, told to the core as an input of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TryFromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Condition {
    /// The kind says what it is; zero where it is nothing.
    pub value: i64,
    /// Instrument, or [`crate::AlarmRecord::NO_INSTRUMENT`].
    pub instrument: InstrumentId,
    /// What is said.
    pub kind: ConditionKind,
    /// Zero.
    pub reserved: [u8; 5],
}

impl Condition {
    /// Returns the condition of the clock: its offset from true time, or that nobody knows it.
    pub const fn clock(offset_ns: Option<i64>) -> Condition {
        let (kind, value) = match offset_ns {
            Some(offset) => (ConditionKind::ClockOffset, offset),
            None => (ConditionKind::ClockUnknown, 0),
        };
        Condition { value, instrument: crate::AlarmRecord::NO_INSTRUMENT, kind, reserved: [0; 5] }
    }

    /// Returns the condition that a device forecasts, or, with the reason, that it does so no
    /// longer.
    pub const fn device(left: Option<DeviceLeft>) -> Condition {
        let (kind, value) = match left {
            None => (ConditionKind::EncoderOnDevice, 0),
            Some(why) => (ConditionKind::EncoderOnProcessor, why as i64),
        };
        Condition { value, kind, ..Condition::clock(None) }
    }

    /// Returns the condition that trading resumed after a market-wide halt.
    pub const fn resume() -> Condition {
        let kind = ConditionKind::MarketWideResume;
        Condition { kind, ..Condition::clock(None) }
    }

    /// Returns the condition that short sales of an instrument are restricted, or free again.
    pub const fn short_sale(instrument: InstrumentId, restricted: bool) -> Condition {
        let kind = match restricted {
            true => ConditionKind::ShortSaleRestricted,
            false => ConditionKind::ShortSaleFree,
        };
        Condition { value: 0, instrument, kind, reserved: [0; 5] }
    }
}

const _: () = assert!(size_of::<Condition>() == 16);
