//! Every maximum of the kernel in one place, and the relations between them.
//!
//! All memory is taken at start from these numbers. A larger value costs memory, never
//! correctness; a smaller one makes the kernel refuse, never overwrite.

/// Instruments one kernel serves.
pub const INSTRUMENT_COUNT_MAX: usize = 64;
/// Ensemble members one weights file may hold.
pub const MEMBER_COUNT_MAX: usize = 5;
/// Working child orders of one kernel.
pub const OPEN_ORDER_COUNT_MAX: usize = 256;
/// Parent orders alive at once in one kernel.
pub const PARENT_COUNT_MAX: usize = 1_024;
/// Actions one input can cause (orders, cancels, refusals, decisions).
pub const ACTIONS_PER_INPUT_MAX: usize = 128;
/// Price levels a side that `ijk book` and the features look at.
pub const BOOK_LEVEL_COUNT_MAX: usize = 50;
/// Levels a side that the multi-level features use.
pub const FEATURE_LEVEL_COUNT: usize = 5;
/// Longest line of any text feed; a longer one is an error, not a larger buffer.
pub const LINE_BYTES_MAX: usize = 1 << 20;
/// Orders one L3 book tracks at once.
pub const L3_ORDER_COUNT_MAX: usize = 1 << 17;
/// Levels a side one book holds outside its fast range.
pub const L2_LEVEL_COUNT_MAX: usize = 1 << 14;
/// Slots for further modalities of one model.
pub const SLOT_COUNT_MAX: usize = 8;
/// Numbers of one slot's vector.
pub const SLOT_WIDTH_MAX: usize = 512;
/// Largest payload of one journal record.
pub const RECORD_PAYLOAD_BYTES_MAX: usize = 1 << 15;

const _: () = assert!(FEATURE_LEVEL_COUNT <= BOOK_LEVEL_COUNT_MAX);
// A full cancel sweep (kill) must fit into the actions of one input twice over in two inputs.
const _: () = assert!(OPEN_ORDER_COUNT_MAX >= ACTIONS_PER_INPUT_MAX);
const _: () = assert!(INSTRUMENT_COUNT_MAX <= u16::MAX as usize);
// The largest record is a decision; see `record::DecisionRecord`.
const _: () = assert!(RECORD_PAYLOAD_BYTES_MAX <= u16::MAX as usize);
const _: () = assert!(crate::slot::SLOT_PAYLOAD_BYTES_MAX <= RECORD_PAYLOAD_BYTES_MAX);
