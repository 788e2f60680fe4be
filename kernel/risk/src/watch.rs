//! What the gate knows of one instrument's market: quality of its quotes, halts, bands.

use ijk_core::Px;

/// Moves of the mid before their deviation is believed.
pub(crate) const SIGMA_WARM_UP: u32 = 32;
/// Weight of a new squared move.
pub(crate) const SIGMA_ALPHA: f64 = 1.0 / 64.0;

/// State of one instrument's market.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    /// Set of `InstrumentBlock` bits.
    pub blocks: u8,
    /// Mid of the last quote with two sides, times two.
    pub twice_mid: Option<i128>,
    /// Mean squared relative move of the mid, and moves in it.
    pub variance: f64,
    pub moves: u32,
    /// Good quotes in a row.
    pub good_run: u32,
    /// The venue has said that trading resumed; quotes must follow.
    pub resuming: bool,
    /// Lower and upper limit-up limit-down band.
    pub band: Option<(Px, Px)>,
    pub short_sale_restricted: bool,
}

impl Watch {
    pub(crate) fn new() -> Watch {
        Watch {
            blocks: 0,
            twice_mid: None,
            variance: 0.0,
            moves: 0,
            good_run: 0,
            resuming: false,
            band: None,
            short_sale_restricted: false,
        }
    }
}
