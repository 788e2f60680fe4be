//! Slot files: vectors of other modalities (news, options, social, macro) with the time from which
//! each was known, in Parquet, readable and writable by any Parquet tool.
//!
//! Four columns: `symbol` and `slot` (text), `known_from` (INT64, nanoseconds UTC, plain or as a
//! timestamp of nanoseconds), `vector` (list of float or double). One row a vector; where nothing
//! was known there is no row. Rows of one symbol and slot stand in order of time. The symbol `*`
//! stands for every instrument. `docs/formats.md` is the contract.

mod read;
mod write;

pub use read::{SLOT_NUMBERS_MAX, read_slots};
pub use write::write_slots;

/// Symbol of a vector that every instrument knows.
pub const EVERY_SYMBOL: &str = "*";

/// One row of a slot file.
#[derive(Clone, Debug, PartialEq)]
pub struct SlotRow {
    /// Symbol, or [`EVERY_SYMBOL`].
    pub symbol: String,
    /// Name of the slot.
    pub slot: String,
    /// From when it was known, nanoseconds UTC.
    pub known_from_ns: u64,
    /// The numbers.
    pub values: Vec<f32>,
}
